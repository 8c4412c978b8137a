//! What a run has seen, and how it is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::histogram::Histogram;
use crate::sequence::Sequence;
use crate::series::Series;

/// How many nanoseconds a second has.
pub const NANOS: u64 = 1_000_000_000;

/// Unix time in nanoseconds: the clock that the producers' stamps come from.
#[must_use]
pub fn wall_clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU seconds of the calling thread.
#[must_use]
pub fn thread_cpu() -> f64 {
    seconds(clock_gettime(ClockId::ThreadCPUTime))
}

/// CPU seconds of all threads.
#[must_use]
pub fn process_cpu() -> f64 {
    seconds(clock_gettime(ClockId::ProcessCPUTime))
}

#[allow(clippy::cast_precision_loss, reason = "seconds of a bounded run are far below 2^53")]
fn seconds(spent: Timespec) -> f64 {
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Counters of all connections together.
#[derive(Default)]
pub struct Tally {
    /// Handshakes answered with a good 101.
    pub handshakes: u64,
    /// Clients that were told `{"accept": true, ...}`.
    pub accepted: u64,
    /// Clients that got `{"groups_current": ...}`.
    pub subscribed: u64,
    /// Connections that ended, by either side, before the run did.
    pub gone: u64,
    /// `{"error": ...}` replies.
    pub errors: u64,
    /// Data frames that are neither an event nor an answer, and frames against RFC 6455.
    pub odd_frames: u64,
    /// Close frames by code (1005: without one).
    pub closes: BTreeMap<u16, u64>,
    /// How many event frames arrived.
    pub frames: u64,
    /// Bytes of the events' payloads.
    pub bytes: u64,
    /// Producer to client, in nanoseconds.
    pub latency: Histogram,
    /// The same over time, if it was asked for.
    pub series: Option<Series>,
    /// When the first event frame was read, Unix time in nanoseconds; 0 before.
    pub first_frame: u64,
    /// The same of the last.
    pub last_frame: u64,
    /// Why the first connection that failed did.
    pub first_failure: Option<String>,
}

impl Tally {
    /// Counts an event frame that was sent and read at these times, after so long a silence of its client; `warm_up`
    /// is in nanoseconds.
    #[inline]
    pub fn receive_event(&mut self, length: u64, sent: u64, now: u64, warm_up: u64, silence: u64) {
        if self.first_frame == 0 {
            self.first_frame = now;
        }
        self.frames += 1;
        self.bytes += length;
        self.last_frame = now;
        if let Some(series) = &mut self.series {
            series.record(now, now.saturating_sub(sent), silence);
        }
        if sent >= self.first_frame + warm_up || warm_up == 0 {
            self.latency.record(now.saturating_sub(sent));
        }
    }

    /// Keeps the first reason; later ones are mostly its consequences.
    pub fn note_failure(&mut self, reason: &str) {
        self.first_failure.get_or_insert_with(|| reason.to_owned());
    }
}

/// The line that tells that every client has subscribed.
#[must_use]
pub fn ready_line(tally: &Tally, handshakes_per_second: f64, subscriptions_per_second: f64) -> String {
    let mut line = Object::default();
    line.number("connected", tally.accepted).number("subscribed", tally.subscribed).number("gone", tally.gone);
    line.decimal("handshakes_per_s", handshakes_per_second).decimal("subscriptions_per_s", subscriptions_per_second);
    line.number("errors", tally.errors).text("failure", tally.first_failure.as_deref());
    format!("{{\"ready\": {}}}", line.close())
}

/// The line that ends a run.
#[must_use]
pub fn result_line<'a>(tally: &Tally, sequences: impl Iterator<Item = &'a Sequence>, cpu: f64) -> String {
    let mut sum = Sequence::default();
    for one in sequences {
        sum.lost += one.lost;
        sum.reordered += one.reordered;
        sum.repeated += one.repeated;
    }
    let mut line = Object::default();
    line.number("frames", tally.frames).number("bytes", tally.bytes);
    line.number("lost", sum.lost).number("reordered", sum.reordered).number("repeated", sum.repeated);
    line.number("timed", tally.latency.total());
    for (name, nanoseconds) in latencies(&tally.latency) {
        line.number(name, nanoseconds / 1000);
    }
    line.number("first_frame_ns", tally.first_frame).number("last_frame_ns", tally.last_frame);
    line.decimal("cpu_s", cpu).number("gone", tally.gone).number("errors", tally.errors);
    line.number("odd_frames", tally.odd_frames).text("failure", tally.first_failure.as_deref());
    for (code, count) in &tally.closes {
        line.number(&format!("closed_{code}"), *count);
    }
    if let Some(series) = &tally.series {
        line.number("series_begin_ns", series.begin()).numbers("series_frames", series.frames());
        for (name, steps) in [("series_worst_us", series.worst()), ("series_silence_us", series.silence())] {
            line.numbers(name, &steps.iter().map(|nanoseconds| nanoseconds / 1000).collect::<Vec<_>>());
        }
    }
    format!("{{\"result\": {}}}", line.close())
}

fn latencies(latency: &Histogram) -> [(&'static str, u64); 3] {
    [("p50_us", latency.quantile(500)), ("p99_us", latency.quantile(990)), ("max_us", latency.highest())]
}

/// A flat JSON object, written by hand: the only JSON there is here.
#[derive(Default)]
pub struct Object(String);

impl Object {
    fn key(&mut self, name: &str) -> &mut Self {
        self.0.push_str(if self.0.is_empty() { "{" } else { ", " });
        let _ = write!(self.0, "\"{name}\": ");
        self
    }

    /// Adds a whole number by name.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        let _ = write!(self.key(name).0, "{value}");
        self
    }

    /// A list of whole numbers.
    pub fn numbers(&mut self, name: &str, values: &[u64]) -> &mut Self {
        let texts: Vec<String> = values.iter().map(u64::to_string).collect();
        let _ = write!(self.key(name).0, "[{}]", texts.join(", "));
        self
    }

    /// A number with four places.
    pub fn decimal(&mut self, name: &str, value: f64) -> &mut Self {
        let value = if value.is_finite() { value } else { 0.0 };
        let _ = write!(self.key(name).0, "{value:.4}");
        self
    }

    /// Text, or null. What JSON would have to escape is replaced.
    pub fn text(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        let clean = |text: &str| text.replace(['"', '\\'], "'").replace(|c: char| c.is_control(), " ");
        let value = value.map_or("null".into(), |text| format!("\"{}\"", clean(text)));
        self.key(name).0.push_str(&value);
        self
    }

    /// The text of the whole object.
    pub fn close(&mut self) -> String {
        std::mem::take(&mut self.0) + "}"
    }
}
