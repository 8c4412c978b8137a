//! From a client's queue to its socket: as much as one write takes, and what of it is gone.

use std::io::{self, IoSlice};

use crate::ledger::Frames;
use crate::routing::slab::{Class, Range};
use crate::shard::outbox::Outbox;

/// The most bytes of one write: below it coalescing costs throughput, above it the cache.
pub const WRITE_BYTES: usize = 128 * 1024;
/// The most pieces of one write.
const WRITE_PIECES: usize = 64;

/// Where an outbox writes: a descriptor, or a test's buffer. Never blocks.
pub trait Sink {
    /// Takes some of the bytes, in order; how many, or why not.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing can be taken now; anything else ends the client.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The kernel took less than was offered: wait until it is writable again.
    Blocked,
    /// All that was offered is gone; more may wait.
    Wrote,
}

impl Outbox {
    /// Writes once, as much as one write takes, and counts the frames whose last byte is gone.
    ///
    /// # Errors
    ///
    /// The sink's, but for `WouldBlock`, which is `Progress::Blocked`.
    pub fn write(&mut self, sink: &mut impl Sink, counts: &mut Frames) -> io::Result<Progress> {
        if self.begun == 0 {
            self.control.begin(self.lines.is_empty());
        }
        let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
        let (used, offered) = self.gather(&mut pieces);
        if used == 0 {
            return Ok(Progress::Wrote);
        }
        match sink.write_vectored(&pieces[..used]) {
            Ok(taken) => {
                self.advance(taken, counts);
                Ok(if taken < offered { Progress::Blocked } else { Progress::Wrote })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Blocked),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Progress::Wrote),
            Err(error) => Err(error),
        }
    }

    fn gather<'a>(&'a self, pieces: &mut [IoSlice<'a>; WRITE_PIECES]) -> (usize, usize) {
        let mut gathered = Gathered { pieces, used: 0, bytes: 0 };
        if !self.control.begun().is_empty() {
            gathered.add(self.control.begun());
        }
        let mut begun = self.begun;
        for item in self.lines.in_order() {
            if begun > 0 && self.control.is_urgent() {
                // The rest of the frame alone, so that the control frame is next.
                gathered.add(&item.range.slab.slice(item.range.from, item.range.from + 1)[begun..]);
                break;
            }
            if gathered.is_full() {
                break;
            }
            gathered.add(&item.range.as_slice()[begun..]);
            begun = 0;
        }
        (gathered.used, gathered.bytes)
    }

    /// Forgets the first `taken` bytes of what `gather` offered.
    fn advance(&mut self, mut taken: usize, counts: &mut Frames) {
        taken -= self.control.advance(taken);
        while taken > 0 {
            let Some(class) = self.lines.head().map(|item| item.class) else { return };
            taken -= self.advance_item(class, taken, counts);
        }
    }

    fn advance_item(&mut self, class: Class, taken: usize, counts: &mut Frames) -> usize {
        let begun = self.begun;
        let line = self.lines.of(class);
        let Some(item) = line.front_mut() else { return taken };
        let start = item.range.slab.start(item.range.from);
        let left = item.range.bytes() - begun;
        let gone = taken.min(left);
        let whole = if gone == left {
            item.range.to - item.range.from
        } else {
            item.range.slab.whole_frames(item.range.from, start + begun + gone)
        };
        let written = Range { slab: item.range.slab.clone(), from: item.range.from, to: item.range.from + whole };
        item.range.from += whole;
        if item.range.from == item.range.to {
            line.pop_front();
            self.load[class as usize].places -= 1;
        }
        self.begun = begun + gone - written.bytes();
        self.unload(class, &written);
        counts.written += written.frames() as u64;
        gone
    }
}

struct Gathered<'p, 'a> {
    pieces: &'p mut [IoSlice<'a>; WRITE_PIECES],
    used: usize,
    bytes: usize,
}

impl<'a> Gathered<'_, 'a> {
    fn is_full(&self) -> bool {
        self.used == WRITE_PIECES || self.bytes >= WRITE_BYTES
    }

    fn add(&mut self, piece: &'a [u8]) {
        self.pieces[self.used] = IoSlice::new(piece);
        self.used += 1;
        self.bytes += piece.len();
    }
}
