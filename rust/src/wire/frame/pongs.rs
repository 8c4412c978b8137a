//! Answers to PINGs, until they are written.

use super::{PONG, push_frame};

/// The most that wait; then the newest takes the place of the one before (RFC 6455 section 5.5.3 asks for no more).
const MOST: usize = 64;

/// PONG frames, in the order of the PINGs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pongs {
    frames: Vec<u8>,
    count: usize,
    /// Where the newest begins.
    newest: usize,
}

impl Pongs {
    /// Whether no PONG waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Their frames, as they go out.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.frames
    }

    /// The same, for good.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.frames
    }

    /// The answer to a PING with this payload.
    pub fn push(&mut self, payload: &[u8]) {
        if self.count == MOST {
            self.frames.truncate(self.newest);
        } else {
            self.count += 1;
        }
        self.newest = self.frames.len();
        push_frame(&mut self.frames, PONG, payload);
    }

    /// Newer ones, as `as_bytes` gave them.
    pub fn append(&mut self, mut frames: &[u8]) {
        while let &[_, length, ref rest @ ..] = frames {
            let (payload, behind) = rest.split_at(rest.len().min(length.into()));
            self.push(payload);
            frames = behind;
        }
    }
}
