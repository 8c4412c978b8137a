//! Control frames of a queue: PING and PONG go ahead of frames that wait, CLOSE after them; none inside a frame.

use std::mem;

use crate::wire::frame::Pongs;

/// What waits; most clients have nothing here.
#[derive(Clone, Debug, Default)]
pub struct Control {
    waiting: Option<Box<Waiting>>,
}

/// Frames that wait, each as it goes out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What is left of those that are being written.
    pub begun: Vec<u8>,
    /// A PING that goes next.
    pub ping: Option<Vec<u8>>,
    /// PONGs that go before it.
    pub pongs: Pongs,
    /// The last frame of all.
    pub close: Option<Vec<u8>>,
}

impl Control {
    /// All that waits, if something does.
    pub fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_deref()
    }

    /// Makes one of what `waiting` gave.
    pub fn restore(waiting: Option<Waiting>) -> Self {
        Control { waiting: waiting.map(Box::new) }
    }

    /// Whether no control frame waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// A PING; one that waits already is replaced.
    pub fn set_ping(&mut self, frame: Vec<u8>) {
        self.waiting.get_or_insert_default().ping = Some(frame);
    }

    /// PONGs, behind those that wait already.
    pub fn add_pongs(&mut self, pongs: &Pongs) {
        self.waiting.get_or_insert_default().pongs.append(pongs.as_bytes());
    }

    /// The CLOSE that goes out behind all else.
    pub fn set_close(&mut self, frame: Vec<u8>) {
        self.waiting.get_or_insert_default().close = Some(frame);
    }

    /// Between two frames: chooses what goes next. The CLOSE has its turn when nothing else is left (`idle`).
    pub fn begin(&mut self, idle: bool) {
        let Some(waiting) = self.waiting.as_mut() else { return };
        if waiting.begun.is_empty() {
            waiting.begun = mem::take(&mut waiting.pongs).into_bytes();
            waiting.begun.extend(waiting.ping.take().unwrap_or_default());
        }
        if waiting.begun.is_empty() && idle {
            waiting.begun = waiting.close.take().unwrap_or_default();
        }
    }

    /// The bytes that go next.
    pub fn begun(&self) -> &[u8] {
        self.waiting.as_ref().map_or(&[], |waiting| &waiting.begun)
    }

    /// Whether a PING or PONG waits for the end of a frame.
    pub fn is_urgent(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.ping.is_some() || !waiting.pongs.is_empty())
    }

    /// Forgets at most `taken` bytes of what was begun; how many.
    pub fn advance(&mut self, taken: usize) -> usize {
        let Some(waiting) = self.waiting.as_mut() else { return 0 };
        let gone = taken.min(waiting.begun.len());
        waiting.begun.drain(..gone);
        if waiting.begun.is_empty() && waiting.ping.is_none() && waiting.pongs.is_empty() && waiting.close.is_none() {
            self.waiting = None;
        }
        gone
    }
}
