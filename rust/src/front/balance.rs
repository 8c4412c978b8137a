//! Which of several processes accepts the next connection of a socket that all of them listen on.
//!
//! The kernel tells all of them of each, and the first to ask has it. So one that has more than another lets that one go
//! first, for the longer the more it has, and goes on by itself where that one does not come. Connections wait in the
//! kernel meanwhile.
//!
//! Who does not come may be stopped, or held up, or it is ready to run and the machine has no time for it: nobody can tell
//! at first. So others go on slowly then, and leave most of a crowd for it, until it has not come for so long that it is
//! not waited for. Where others come but can't keep up, so that somebody has waited all the time, one goes on slowly, too:
//! it helps until nobody waits.

use std::time::Duration;

use super::Row;

/// A connection in the table: a websocket, a request that is worked on, or a newcomer. One without a request is 1.
pub const WHOLE: u64 = 4;
/// Nanoseconds for each connection that it has more than another.
pub const WAIT: u64 = 2_000_000;
/// Nanoseconds, however many those are.
pub const LONGEST_WAIT: u64 = 50_000_000;
/// Who has not looked in so long although somebody waited is late until it looks.
pub const BLOCKED: u64 = 20_000_000;
/// For each connection, those that are late have so long, and those that can't keep up: as if one had one more than they.
pub const PACE: u64 = WAIT;
/// Who has been late for so long is not waited for again until it looks.
pub const GONE: u64 = 1_000_000_000;
/// How often it looks at most whether somebody else has come.
const STEPS: u64 = 4;
/// How long it lets them at least.
pub const STEP: u64 = 1_000_000;
/// Nanoseconds in which somebody has waited at each look, whoever it was, before it helps.
pub const HELP: u64 = 200_000_000;
/// Who is asked so much later than it meant to look has missed that nobody was there: somebody came just when it looked,
/// and another was faster.
const AWAY: u64 = 200_000_000;
/// More than another that it may have if it takes in several at once: else all of them would wait all the time.
pub const BATCH: u64 = 4;
/// Nanoseconds in which the next one belongs to the same batch.
pub const AT_ONCE: u64 = 1_000_000;
/// More than another that it may have in any case is one in so many of its own: nobody need wait for that.
pub const EVEN_PART: u64 = 16;

/// For all listeners of one process. Its clock is the test's, or the kernel's monotonic one, in nanoseconds.
#[derive(Debug)]
pub struct Balance {
    number: usize,
    load: u64,
    accepted_at: u64,
    waits_since: Option<u64>,
    accepted_by_others: u64,
    crowd_since: Option<u64>,
    next_look: u64,
    helps: bool,
    is_asked: bool,
    /// What it knows of others that do not come, by row.
    late: Vec<Late>,
}

/// Since when one is late that has not looked since then; another moment of its last look: it is not.
#[derive(Debug, Clone, Copy, Default)]
struct Late {
    looked_at: u64,
    since: u64,
}

impl Balance {
    /// Of the process that writes this row of so many.
    #[must_use]
    pub fn new(number: usize, count: usize) -> Self {
        Balance {
            number,
            load: 0,
            accepted_at: 0,
            waits_since: None,
            accepted_by_others: 0,
            crowd_since: None,
            next_look: 0,
            helps: false,
            is_asked: false,
            late: vec![Late::default(); count],
        }
    }

    /// What it has on its hands now; each that it accepts is one more until it is told anew.
    pub fn set_load(&mut self, load: u64) {
        self.load = load;
    }

    /// How long others have for the connection that is next; None: it is to be accepted here.
    pub fn wait_time(&mut self, rows: &[Row], now: u64) -> Option<Duration> {
        let time = self.time_of_others(rows, now);
        let left = if self.has_turn(time) { 0 } else { self.left(rows, now, time) };
        if left == 0 {
            self.waits_since = None;
            self.is_asked = true;
            return None;
        }
        let nanoseconds = STEP.max(left / STEPS);
        self.next_look = now + nanoseconds;
        Some(Duration::from_nanos(nanoseconds))
    }

    /// One was accepted here. How much it has with that.
    pub fn note_accepted(&mut self, now: u64) -> u64 {
        self.accepted_at = now;
        self.is_asked = false;
        self.load += WHOLE;
        self.load
    }

    /// Nobody waits any more at the end of a `wait_time`, however late this process looks: others keep up.
    pub fn note_nobody(&mut self) {
        self.crowd_since = None;
        self.helps = false;
    }

    fn others<'a>(&self, rows: &'a [Row]) -> impl Iterator<Item = (usize, &'a Row)> + use<'a> {
        let number = self.number;
        rows.iter().enumerate().filter(move |(place, _)| *place != number)
    }

    /// Nanoseconds that those have who have fewer, and may be expected to come; 0: there are none.
    fn time_of_others(&self, rows: &[Row], now: u64) -> u64 {
        let batch = if now.saturating_sub(self.accepted_at) < AT_ONCE { BATCH * WHOLE } else { 0 };
        let even = batch.max(self.load / EVEN_PART);
        let times = self.others(rows).map(|(place, row)| {
            let surplus = self.load.saturating_sub(row.load());
            let longest = self.longest_time(place, row.looked_at(), now);
            if surplus > even { (surplus * WAIT / WHOLE).min(longest) } else { 0 }
        });
        times.max().unwrap_or_default()
    }

    /// However many fewer it has.
    fn longest_time(&self, place: usize, looked_at: u64, now: u64) -> u64 {
        let late = self.late[place];
        match looked_at {
            0 => 0,
            same if same != late.looked_at => LONGEST_WAIT,
            _ if now.saturating_sub(late.since) < GONE => PACE,
            _ => 0,
        }
    }

    /// Whether nobody else has to go first.
    fn has_turn(&mut self, time: u64) -> bool {
        let has_turn = time == 0;
        if has_turn {
            self.note_nobody();
        }
        has_turn
    }

    /// Nanoseconds that others have still; all of their time anew with each that they have accepted, unless it helps.
    fn left(&mut self, rows: &[Row], now: u64, time: u64) -> u64 {
        let helps = self.is_needed(now);
        let accepted = self.others(rows).fold(0, |sum: u64, (_, row)| sum.wrapping_add(row.accepted()));
        let since = self.waits_since.filter(|_| helps || accepted == self.accepted_by_others).unwrap_or(now);
        self.waits_since = Some(since);
        self.accepted_by_others = accepted;
        let waited = now.saturating_sub(since);
        let left = if helps { time.min(PACE) } else { time }.saturating_sub(waited);
        if left == 0 && waited >= BLOCKED {
            self.note_late(rows, since);
        }
        left
    }

    /// Whether it helps. It ends where nobody was there to be accepted when it was asked last.
    fn is_needed(&mut self, now: u64) -> bool {
        self.helps = self.helps && !self.is_asked;
        if !self.helps {
            let was_away = now > self.next_look + AWAY;
            let since = self.crowd_since.filter(|_| !was_away).unwrap_or(now);
            self.crowd_since = Some(since);
            self.helps = now.saturating_sub(since) >= HELP;
        }
        if self.helps {
            self.crowd_since = None;
            self.is_asked = false;
        }
        self.helps
    }

    /// Those who have not looked since then.
    fn note_late(&mut self, rows: &[Row], since: u64) {
        for (place, row) in rows.iter().enumerate() {
            let looked_at = row.looked_at();
            if looked_at <= since && looked_at != self.late[place].looked_at {
                self.late[place] = Late { looked_at, since };
            }
        }
    }
}
