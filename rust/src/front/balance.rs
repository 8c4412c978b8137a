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
/// So many more at once where it looks later than that. More, and those that the machine lets look less often than it
/// would be left behind.
pub const OVERDUE: u64 = 2;
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
        self.forget_past(now);
        self.note_late(rows, now);
        let turn = self.find_turn(rows, now);
        let left = self.find_left(rows, now, turn);
        let nanoseconds = if left == 0 { 0 } else { STEP.max(if turn.is_slow { left } else { left / STEPS }) };
        self.is_asked = left == 0;
        self.next_look = now + nanoseconds;
        (left > 0).then(|| Duration::from_nanos(nanoseconds))
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

    /// Who waited did so long ago, or there was nobody when it was to accept one.
    fn forget_past(&mut self, now: u64) {
        if self.is_asked || now > self.next_look + AWAY {
            self.note_nobody();
        }
        if self.is_asked {
            self.waits_since = None;
        }
    }

    /// Those who have not looked since somebody waits.
    fn note_late(&mut self, rows: &[Row], now: u64) {
        let Some(since) = self.waits_since.filter(|since| now.saturating_sub(*since) >= BLOCKED) else { return };
        for (late, row) in self.late.iter_mut().zip(rows) {
            let looked_at = row.looked_at();
            if looked_at <= since && looked_at != late.looked_at {
                *late = Late { looked_at, since };
            }
        }
    }

    /// How long those have who have fewer. It goes on slowly where all of them are late, or can't keep up.
    fn find_turn(&mut self, rows: &[Row], now: u64) -> Turn {
        let (present, late) = self.find_times(rows, now);
        if present == 0 {
            self.note_nobody();
            return Turn { time: late, is_slow: true };
        }
        let is_slow = self.is_needed(now);
        Turn { time: if is_slow { present.min(PACE) } else { present }, is_slow }
    }

    /// Nanoseconds that those have who may be expected to come, and those who are late. 0: there are none with fewer.
    fn find_times(&self, rows: &[Row], now: u64) -> (u64, u64) {
        let batch = if now.saturating_sub(self.accepted_at) < AT_ONCE { BATCH * WHOLE } else { 0 };
        let even = batch.max(self.load / EVEN_PART);
        let (mut present, mut late) = (0, 0);
        for (place, row) in self.others(rows) {
            let (surplus, looked_at, known) = (self.load.saturating_sub(row.load()), row.looked_at(), self.late[place]);
            if surplus <= even || looked_at == 0 {
                continue;
            }
            let time = surplus * WAIT / WHOLE;
            if looked_at != known.looked_at {
                present = time.min(LONGEST_WAIT).max(present);
            } else if now.saturating_sub(known.since) < GONE {
                late = time.min(PACE).max(late);
            }
        }
        (present, late)
    }

    /// Whether the others can't keep up: somebody has waited at each look for so long.
    fn is_needed(&mut self, now: u64) -> bool {
        let since = *self.crowd_since.get_or_insert(now);
        self.helps = self.helps || now.saturating_sub(since) >= HELP;
        self.helps
    }

    /// Nanoseconds that others have still: all of their time anew with each that they have accepted, unless it goes on
    /// slowly. Some of what this process has looked too late by is the next one's then.
    fn find_left(&mut self, rows: &[Row], now: u64, turn: Turn) -> u64 {
        let accepted = self.others(rows).fold(0, |sum: u64, (_, row)| sum.wrapping_add(row.accepted()));
        let is_anew = !turn.is_slow && accepted != self.accepted_by_others;
        self.accepted_by_others = accepted;
        let since = self.waits_since.filter(|_| !is_anew && turn.time > 0).unwrap_or(now);
        let left = turn.time.saturating_sub(now.saturating_sub(since));
        self.waits_since = match left {
            0 if turn.is_slow && turn.time > 0 => {
                Some((since + turn.time).max(now.saturating_sub(OVERDUE * turn.time)))
            }
            0 => None,
            _ => Some(since),
        };
        left
    }
}

/// What others have, in nanoseconds, before the next one is accepted here.
#[derive(Clone, Copy)]
struct Turn {
    time: u64,
    is_slow: bool,
}
