//! Whether the readers of a shard fall behind, which intake answers by holding back for a moment.
//!
//! Past the edge of overload goodput falls and stays down, so it must be noticed early. But a client that is slow by
//! itself must not slow the others: only when most of the clients that were written to lately have much waiting do they
//! count as behind.

use std::time::{Duration, Instant};

/// How long "lately" is.
const WINDOW: Duration = Duration::from_millis(10);

/// Counts clients written to, and those of them that are behind, a window at a time.
#[derive(Debug)]
pub struct Pace {
    window: u32,
    began: Instant,
    written: usize,
    behind: usize,
    /// Frames that may wait before a client is behind.
    allowed: usize,
}

impl Pace {
    /// `bound` is a client's bound of event frames; a quarter of it may wait.
    #[must_use]
    pub fn new(bound: usize, now: Instant) -> Self {
        Pace { window: 1, began: now, written: 0, behind: 0, allowed: bound / 4 }
    }

    /// Notes that a client was written to and has `frames` left; `seen` and `was_behind` are the client's own marks.
    pub fn note(&mut self, seen: &mut u32, was_behind: &mut bool, frames: usize) {
        if *seen != self.window {
            *seen = self.window;
            *was_behind = false;
            self.written += 1;
        }
        if frames > self.allowed && !*was_behind {
            *was_behind = true;
            self.behind += 1;
        }
    }

    /// The verdict, once a window is over.
    pub fn verdict(&mut self, now: Instant) -> Option<bool> {
        if now.duration_since(self.began) < WINDOW {
            return None;
        }
        let behind = self.behind * 2 > self.written;
        self.began = now;
        self.window = self.window.wrapping_add(1);
        (self.written, self.behind) = (0, 0);
        Some(behind)
    }
}
