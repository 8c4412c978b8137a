//! Whether the readers of a shard fall behind, which intake answers by holding back for a moment.
//!
//! Past the edge of overload goodput falls and stays down, so it must be noticed early. But a client that is slow by
//! itself must not slow the others: only when most of the clients that were written to lately have much waiting do they
//! count as behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::shard::outbox::Bounds;

/// How long "lately" is.
const WINDOW: Duration = Duration::from_millis(10);
/// Bytes that may wait for a client: more of them is out of the processor's cache by the time it is written, and to
/// write from memory costs twice the time, so that overload would feed itself.
const WARM: usize = 512 * 1024;
/// How long it stands that readers are behind.
const HOLDS: Duration = Duration::from_millis(100);

/// What a client carries for the count: so that it counts once a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    window: u32,
    behind: bool,
}

/// Counts clients written to, and those of them that are behind, a window at a time.
#[derive(Clone, Debug)]
pub struct Lag {
    window: u32,
    began: Instant,
    written: usize,
    behind: usize,
    /// How many were written to in the window before.
    written_before: usize,
    /// What was found last.
    held: bool,
    /// What may wait before a client is behind.
    allowed: Bounds,
}

impl Lag {
    /// `bounds` are a client's; a quarter of them may wait, and no more than stays warm.
    #[must_use]
    pub fn new(bounds: Bounds, now: Instant) -> Self {
        let allowed = Bounds { frames: bounds.frames / 4, bytes: (bounds.bytes / 4).min(WARM) };
        Lag { window: 1, began: now, written: 0, behind: 0, written_before: 0, held: false, allowed }
    }

    /// Notes that a client was written to and has so many frames and bytes left; its last note in a window counts.
    pub fn note(&mut self, mark: &mut Mark, frames: usize, bytes: usize) {
        if mark.window != self.window {
            *mark = Mark { window: self.window, behind: false };
            self.written += 1;
        }
        let behind = frames > self.allowed.frames || bytes > self.allowed.bytes;
        if behind && !mark.behind {
            self.behind += 1;
        } else if mark.behind && !behind {
            self.behind -= 1;
        }
        mark.behind = behind;
    }

    /// Whether most are behind, once a window is over; and that most are behind no longer, as soon as it is so.
    pub fn judge(&mut self, now: Instant) -> Option<bool> {
        let behind = self.behind * 2 > self.written;
        if now.duration_since(self.began) < WINDOW {
            let most_have_caught_up = self.held && !behind && self.written * 2 > self.written_before;
            self.held &= !most_have_caught_up;
            return most_have_caught_up.then_some(false);
        }
        self.began = now;
        self.window = self.window.wrapping_add(1);
        (self.written_before, self.written, self.behind) = (self.written, 0, 0);
        self.held = behind;
        Some(behind)
    }
}

/// Whether readers are behind, for other threads. That they are holds for a while and no longer: a shard whose clients
/// are all blocked has nothing to write and is not judged.
#[derive(Debug)]
pub struct SharedLag {
    base: Instant,
    /// Until when it stands, in microseconds after `base`.
    behind_until: AtomicU64,
}

impl SharedLag {
    /// At first nobody is behind.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        SharedLag { base: now, behind_until: AtomicU64::new(0) }
    }

    /// Readers are behind, or not any more. Whether they were, and are so no longer.
    pub fn set(&self, behind: bool, now: Instant) -> bool {
        let until = if behind { self.micros(now + HOLDS) } else { 0 };
        // Before the shard looks whether somebody waits for it (`NewsQueue::tell_caught_up`).
        self.behind_until.swap(until, Ordering::SeqCst) > 0 && !behind
    }

    /// How long readers count as behind, if nothing else is said; zero: they are not.
    #[must_use]
    pub fn behind_for(&self, now: Instant) -> Duration {
        Duration::from_micros(self.behind_until.load(Ordering::SeqCst).saturating_sub(self.micros(now)))
    }

    fn micros(&self, time: Instant) -> u64 {
        u64::try_from(time.duration_since(self.base).as_micros()).unwrap_or(u64::MAX)
    }
}
