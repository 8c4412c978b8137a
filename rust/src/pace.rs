//! Whether the readers of a shard fall behind, which intake answers by holding back for a moment.
//!
//! Past the edge of overload goodput falls and stays down, so it must be noticed early. But a client that is slow by
//! itself must not slow the others: only when most of the clients that were written to lately have much waiting do they
//! count as behind.

use std::time::{Duration, Instant};

/// How long "lately" is.
const WINDOW: Duration = Duration::from_millis(10);

/// What a client carries for the count: so that it counts once a window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    window: u32,
    behind: bool,
}

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

    /// Notes that a client was written to and has `frames` left.
    pub fn note(&mut self, mark: &mut Mark, frames: usize) {
        if mark.window != self.window {
            *mark = Mark { window: self.window, behind: false };
            self.written += 1;
        }
        if frames > self.allowed && !mark.behind {
            mark.behind = true;
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
