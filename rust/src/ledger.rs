//! What came in and what became of it: exact counters, one place.
//!
//! For every event `in = routed + no_subscriber + rejected`, for every frame `queued = written + shed + lost_at_close +
//! pending`. `pending` is kept by the outboxes, not derived from the others, so that the balance proves something.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Reject;

/// Why a queued frame was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// The client's bound of frames.
    Frames,
    /// The client's bound of bytes.
    Bytes,
    /// The process's bound of unique bytes.
    Memory,
    /// A frame larger than the client's whole bound of bytes.
    TooLarge,
}

impl Shed {
    /// Every reason, in the order of `ShedCounts`.
    pub const ALL: [Shed; 4] = [Shed::Frames, Shed::Bytes, Shed::Memory, Shed::TooLarge];

    /// The reason as metrics and the ledger name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Shed::Frames => "queue_frames",
            Shed::Bytes => "queue_bytes",
            Shed::Memory => "queue_memory",
            Shed::TooLarge => "too_large",
        }
    }
}

/// Shed frames by reason, in the order of `Shed::ALL`.
pub type ShedCounts = [u64; 4];

/// The frames of a shard, or of all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Given to a client's queue.
    pub queued: u64,
    /// Last byte taken by the kernel.
    pub written: u64,
    /// Given up, by reason.
    pub shed: ShedCounts,
    /// Still queued when the client went.
    pub lost_at_close: u64,
    /// Still waiting to be written.
    pub pending: u64,
    /// Places in queues that those take (neighbours share one): events and status frames, then replies.
    pub places: [u64; 2],
}

impl Frames {
    /// Counts `frames` as shed for `reason`.
    pub fn count_shed(&mut self, reason: Shed, frames: usize) {
        self.shed[reason as usize] += frames as u64;
    }

    /// What does not add up; 0.
    #[must_use]
    pub fn balance(&self) -> i64 {
        let gone = self.written + self.shed.iter().sum::<u64>() + self.lost_at_close + self.pending;
        self.queued.cast_signed() - gone.cast_signed()
    }
}

impl std::ops::AddAssign for Frames {
    fn add_assign(&mut self, other: Frames) {
        self.queued += other.queued;
        self.written += other.written;
        for (sum, more) in self.shed.iter_mut().zip(other.shed) {
            *sum += more;
        }
        self.lost_at_close += other.lost_at_close;
        self.pending += other.pending;
        for (sum, more) in self.places.iter_mut().zip(other.places) {
            *sum += more;
        }
    }
}

/// What one node link was sent; written by its shard, read by anybody, also when the link is gone.
#[derive(Debug, Default)]
pub struct LinkTally {
    written: AtomicU64,
    bytes: AtomicU64,
    shed: [AtomicU64; Shed::ALL.len()],
    lost_at_close: AtomicU64,
    pending: AtomicU64,
}

/// What a `LinkTally` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFrames {
    /// Last byte taken by the kernel.
    pub written: u64,
    /// The bytes of these.
    pub bytes: u64,
    /// Given up, by reason.
    pub shed: ShedCounts,
    /// Still queued when the link went.
    pub lost_at_close: u64,
    /// Still waiting to be written.
    pub pending: u64,
}

impl LinkTally {
    /// What another process counted; what waits is counted anew.
    #[must_use]
    pub fn restore(frames: LinkFrames) -> Self {
        LinkTally {
            written: frames.written.into(),
            bytes: frames.bytes.into(),
            shed: frames.shed.map(AtomicU64::new),
            lost_at_close: frames.lost_at_close.into(),
            pending: AtomicU64::default(),
        }
    }

    /// The counts so far.
    #[must_use]
    pub fn read(&self) -> LinkFrames {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        LinkFrames {
            written: load(&self.written),
            bytes: load(&self.bytes),
            shed: Shed::ALL.map(|reason| load(&self.shed[reason as usize])),
            lost_at_close: load(&self.lost_at_close),
            pending: load(&self.pending),
        }
    }

    /// Adds what a shard's frames changed by because of this link; `bytes` were written, `pending` frames wait.
    pub fn add(&self, before: &Frames, after: &Frames, bytes: usize, pending: usize) {
        self.written.fetch_add(after.written - before.written, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        for (sum, (after, before)) in self.shed.iter().zip(after.shed.iter().zip(before.shed)) {
            sum.fetch_add(after - before, Ordering::Relaxed);
        }
        self.lost_at_close.fetch_add(after.lost_at_close - before.lost_at_close, Ordering::Relaxed);
        self.pending.store(pending as u64, Ordering::Relaxed);
    }
}

/// The events of the process.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Taken from Redis or a peer, each once.
    pub received: u64,
    /// Given to at least one taker.
    pub routed: u64,
    /// Nobody here wants its group.
    pub no_subscriber: u64,
    /// Not an event, by reason.
    pub rejected: [u64; Reject::ALL.len()],
}

impl Events {
    /// Counts one event: whether it was taken, or why it is none.
    pub fn count(&mut self, taken: Result<bool, Reject>) {
        self.received += 1;
        match taken {
            Ok(true) => self.routed += 1,
            Ok(false) => self.no_subscriber += 1,
            Err(reason) => self.rejected[reason.index()] += 1,
        }
    }

    /// Counts events of which nothing is known but that they are none.
    pub fn reject(&mut self, reason: Reject, count: u64) {
        self.received += count;
        self.rejected[reason.index()] += count;
    }

    /// What does not add up; 0.
    #[must_use]
    pub fn balance(&self) -> i64 {
        let known = self.routed + self.no_subscriber + self.rejected.iter().sum::<u64>();
        self.received.cast_signed() - known.cast_signed()
    }
}

/// What every reader of JSON takes for a whole number.
const MOST_LOST: u64 = 1 << 53;

/// Losses that nobody can count in events: how often, and how many events at most.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    reasons: BTreeMap<String, (u64, u64)>,
}

impl Gaps {
    /// So many more losses, of at most `at_most` events together.
    pub fn count(&mut self, reason: &str, times: u64, at_most: u64) {
        let gap = self.reasons.entry(reason.to_owned()).or_default();
        gap.0 += times;
        gap.1 = gap.1.saturating_add(at_most).min(MOST_LOST); // what an engine brings may say any number
    }

    /// What another process counted.
    pub fn restore(&mut self, reason: String, times: u64, at_most: u64) {
        self.reasons.insert(reason, (times, at_most));
    }

    /// `(reason, times, at_most)`, by reason.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.reasons.iter().map(|(reason, &(times, at_most))| (reason.as_str(), times, at_most))
    }
}

/// Upper bounds of the histogram of event ages, in seconds; above the last is one more bucket.
pub const AGE_BOUNDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// How old events were, from the producer's clock to the first write of their frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ages {
    /// Events for each bound, not cumulative; the last is above every bound.
    pub counts: [u64; AGE_BOUNDS.len() + 1],
    /// The sum of all ages in seconds; a clock that runs ahead counts as 0.
    pub sum: f64,
    /// Events whose score is no time: they have no age.
    pub odd: u64,
}

/// The scores that are times, in Unix seconds: up to the year 5138, so that no sum of ages leaves what a double holds.
const TIMES: RangeInclusive<f64> = 0.0..=1e11;
/// Seconds: the layer lets nothing wait for longer, so that a score from before is no time of a producer's.
const OLDEST: f64 = 86_400.0;

impl Ages {
    /// Adds one event with the score that its producer gave it.
    pub fn add(&mut self, score: f64, now: f64) {
        if !TIMES.contains(&score) || now - score > OLDEST {
            self.odd += 1;
            return;
        }
        let age = (now - score).max(0.0);
        self.counts[AGE_BOUNDS.partition_point(|&bound| bound < age)] += 1;
        self.sum += age;
    }
}

impl std::ops::AddAssign for Ages {
    fn add_assign(&mut self, other: Ages) {
        for (sum, more) in self.counts.iter_mut().zip(other.counts) {
            *sum += more;
        }
        self.sum += other.sum;
        self.odd += other.odd;
    }
}
