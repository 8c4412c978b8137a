//! Frames that many links get: a bundle as it was encoded, and shares of it, written to any number of sockets in one go.

use std::collections::BTreeSet;
use std::io::IoSlice;
use std::mem::take;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

/// A larger buffer than this is not kept for the next bundle.
const KEPT_BYTES: usize = 4 << 20;
/// What one call of the kernel takes (`IOV_MAX`).
const MOST_PIECES: usize = 1024;

/// A buffer that one bundle leaves to the next: fresh memory costs a page fault for every 4 KiB.
pub type Spare = Arc<Mutex<Vec<u8>>>;

/// Frames of one group that came one after another.
#[derive(Debug)]
struct Stretch {
    group: Arc<str>,
    frames: u64,
    bytes: Range<usize>,
}

/// Whole masked frames in order, ready for any link.
#[derive(Debug, Default)]
pub struct Bundle {
    runs: Vec<Stretch>,
    bytes: Vec<u8>,
    spare: Spare,
}

impl Bundle {
    /// An empty one, in the buffer that the last one left.
    #[must_use]
    pub fn new(spare: &Spare) -> Self {
        Self { runs: Vec::new(), bytes: take(&mut spare.lock()), spare: Arc::clone(spare) }
    }

    /// Appends one frame of `group`, which `write` appends to the bytes.
    pub fn push(&mut self, group: Arc<str>, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        match self.runs.last_mut() {
            Some(run) if run.group == group => {
                run.frames += 1;
                run.bytes.end = end;
            }
            _ => self.runs.push(Stretch { group, frames: 1, bytes: begin..end }),
        }
    }

    /// Whether nobody gets anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whose frames these are, each group once.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<&str> {
        self.runs.iter().map(|run| &*run.group).collect()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if self.bytes.capacity() <= KEPT_BYTES {
            self.bytes.clear();
            *self.spare.lock() = take(&mut self.bytes);
        }
    }
}

/// What links get that want the same groups.
#[derive(Debug)]
pub struct Share {
    bundle: Arc<Bundle>,
    pieces: Vec<Range<usize>>,
    /// How many frames the pieces have.
    pub frames: u64,
    /// How many bytes the frames have.
    pub size: usize,
}

impl Share {
    /// The frames of the groups that `wants` names.
    #[must_use]
    pub fn of(bundle: &Arc<Bundle>, wants: impl Fn(&str) -> bool) -> Self {
        let mut share = Self { bundle: Arc::clone(bundle), pieces: Vec::new(), frames: 0, size: 0 };
        for run in bundle.runs.iter().filter(|run| wants(&run.group)) {
            share.frames += run.frames;
            share.size += run.bytes.len();
            match share.pieces.last_mut() {
                Some(piece) if piece.end == run.bytes.start => piece.end = run.bytes.end,
                _ => share.pieces.push(run.bytes.clone()),
            }
        }
        share
    }

    /// All of it in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices().collect::<Vec<_>>().concat()
    }

    /// Writes to each socket as much as it takes at once; how many bytes.
    ///
    /// 0 also for one that failed: its owner finds that out by itself.
    #[must_use]
    pub fn write(&self, sockets: &[BorrowedFd<'_>]) -> Vec<usize> {
        let pieces: Vec<IoSlice<'_>> = self.slices().take(MOST_PIECES).map(IoSlice::new).collect();
        sockets.iter().map(|socket| send(*socket, &pieces)).collect()
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &self.bundle.bytes[piece.clone()])
    }
}

fn send(socket: BorrowedFd<'_>, pieces: &[IoSlice<'_>]) -> usize {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(socket, pieces, &mut SendAncillaryBuffer::default(), flags).unwrap_or(0)
}
