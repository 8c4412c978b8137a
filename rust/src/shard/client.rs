//! One client as its shard knows it: the duplicate of its descriptor, its queue, and where it stands on the way out.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{SendFlags, Shutdown};

use crate::ledger::{Frames, LinkFrames, LinkTally};
use crate::routing::registry::ClientId;
use crate::routing::slab::{Class, Range};
use crate::shard::lag::Mark;
use crate::shard::outbox::{Bounds, Frozen, Outbox, Progress, Sink};
use crate::wire::frame::Pongs;

/// How far the end of a client has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// The client is there, nothing ends it.
    #[default]
    Open,
    /// A CLOSE frame is queued; nothing is queued after it.
    Closing,
    /// All is written and the sending side is shut down.
    Finished,
}

/// What `Client::flush` found the socket to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing waits any more.
    Empty,
    /// More waits, and the socket takes it.
    More,
    /// The socket takes nothing now.
    Blocked,
    /// The CLOSE frame is written, the sending side shut down.
    Finished,
    /// The socket failed: nothing more is written.
    Dead,
}

/// What Python wants to be told once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// That the replies are written.
    pub drained: bool,
    /// That the queue is below its bound.
    pub room: bool,
}

/// All of a client but its socket, for a shard of another process.
#[derive(Clone, Debug, Default)]
pub struct FrozenClient {
    /// What Python waits for.
    pub asked: Asked,
    /// Frames shed so far.
    pub shed: u64,
    /// How far its end has come.
    pub ending: Ending,
    /// What is counted besides for a node link.
    pub link: Option<LinkFrames>,
    /// What waits in its queue.
    pub queue: Frozen,
}

/// A client of a shard.
#[derive(Debug)]
pub struct Client {
    /// What it is called outside of the shard.
    pub id: ClientId,
    /// Waiting to be flushed in the next pass.
    pub dirty: bool,
    /// What Python waits for.
    pub asked: Asked,
    /// Frames shed so far.
    pub shed: u64,
    /// Whether it keeps up.
    pub mark: Mark,
    /// What is counted besides for a node link.
    link: Option<Arc<LinkTally>>,
    outbox: Outbox,
    blocked: bool,
    standing: Stand,
    ending: Ending,
    socket: Socket,
}

/// What shows that a client takes bytes, however slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stand {
    /// Since the last look its socket took bytes again, or there was something new.
    moved: bool,
    /// How many the kernel had for it at that time.
    unsent: usize,
}

/// How things stood before a queue changed.
struct Before {
    counts: Frames,
    frames: usize,
    bytes: usize,
    places: [usize; 2],
}

/// A connected socket's duplicate.
#[derive(Debug)]
struct Socket(OwnedFd);

impl Sink for Socket {
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        // Most writes are of one piece, and writev(2) asks more of the kernel for it: it is a call of files.
        match pieces {
            [piece] => Ok(rustix::net::send(&self.0, piece, SendFlags::NOSIGNAL)?),
            _ => Ok(rustix::io::writev(&self.0, pieces)?),
        }
    }
}

impl Client {
    /// A client that writes to `socket`, which is non-blocking. `link`: it is another node.
    #[must_use]
    pub fn new(id: ClientId, socket: OwnedFd, link: Option<Arc<LinkTally>>) -> Self {
        Client {
            id,
            dirty: false,
            asked: Asked::default(),
            shed: 0,
            mark: Mark::default(),
            link,
            outbox: Outbox::default(),
            blocked: false,
            standing: Stand::default(),
            ending: Ending::Open,
            socket: Socket(socket),
        }
    }

    /// All of it but the socket; nothing changes here.
    #[must_use]
    pub fn freeze(&self) -> FrozenClient {
        let link = self.link.as_ref().map(|tally| tally.read());
        let queue = self.outbox.freeze();
        FrozenClient { asked: self.asked, shed: self.shed, ending: self.ending, link, queue }
    }

    /// Goes on where another process stopped; what waits is pending here from now on.
    pub fn take_over(&mut self, frozen: FrozenClient, counts: &mut Frames) {
        let before = self.note(counts);
        self.asked = frozen.asked;
        self.shed = frozen.shed;
        self.ending = frozen.ending;
        self.outbox = Outbox::restore(frozen.queue);
        self.count_change(&before, counts);
    }

    /// Its descriptor, for epoll.
    #[must_use]
    pub fn descriptor(&self) -> &OwnedFd {
        &self.socket.0
    }

    /// What waits for the client.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Whether it is dirty only now: a flush could write something, and none is planned yet.
    pub fn becomes_dirty(&mut self) -> bool {
        let becomes = !self.dirty && !self.blocked && !self.outbox.is_empty();
        self.dirty |= becomes;
        becomes
    }

    /// Queues frames, unless a CLOSE is queued already.
    pub fn push(&mut self, class: Class, range: Range, bounds: Bounds, counts: &mut Frames) {
        if self.ending != Ending::Open {
            return;
        }
        self.standing.moved |= class == Class::Reply;
        let before = self.note(counts);
        self.outbox.push(class, range, bounds, counts);
        self.count_change(&before, counts);
    }

    /// Sheds what was made before `cutoff` (see `Outbox::shed_before`).
    pub fn shed_before(&mut self, cutoff: std::time::Instant, status: bool, counts: &mut Frames) {
        let before = self.note(counts);
        self.outbox.shed_before(cutoff, status, counts);
        self.count_change(&before, counts);
    }

    fn note(&self, counts: &Frames) -> Before {
        let outbox = &self.outbox;
        Before { counts: *counts, frames: outbox.frames(), bytes: outbox.bytes(), places: outbox.places() }
    }

    /// Keeps `pending` and this client's own figures in step with what its queue did.
    fn count_change(&mut self, before: &Before, counts: &mut Frames) {
        self.shed += counts.shed.iter().sum::<u64>() - before.counts.shed.iter().sum::<u64>();
        counts.pending = counts.pending + self.outbox.frames() as u64 - before.frames as u64;
        self.count_places(before.places, counts);
        if let Some(link) = &self.link {
            let written = if counts.written > before.counts.written { before.bytes - self.outbox.bytes() } else { 0 };
            link.add(&before.counts, counts, written, self.outbox.frames());
        }
    }

    fn count_places(&self, before: [usize; 2], counts: &mut Frames) {
        for (sum, (after, before)) in counts.places.iter_mut().zip(self.outbox.places().into_iter().zip(before)) {
            *sum = *sum + after as u64 - before as u64;
        }
    }

    /// Bytes of replies that its socket does not take; of a node they are notices, which its link paces itself.
    #[must_use]
    pub fn standing_replies(&self) -> usize {
        let stands = self.blocked && self.ending == Ending::Open && self.link.is_none();
        if stands { self.outbox.reply_bytes() } else { 0 }
    }

    /// Whether it has taken nothing since the last look; the kernel has `unsent` bytes for it now.
    pub fn stands_still(&mut self, unsent: usize) -> bool {
        let now = Stand { moved: false, unsent };
        std::mem::replace(&mut self.standing, now) == now
    }

    /// A PING that goes next.
    pub fn push_ping(&mut self, frame: Vec<u8>) {
        if self.ending == Ending::Open {
            self.outbox.control().set_ping(frame);
        }
    }

    /// PONGs that go next.
    pub fn push_pongs(&mut self, pongs: &Pongs) {
        if self.ending == Ending::Open {
            self.outbox.control().add_pongs(pongs);
        }
    }

    /// Queues a CLOSE; with `drop` all that waits but the frame begun is lost. Later calls only drop.
    pub fn close(&mut self, frame: Vec<u8>, drop: bool, counts: &mut Frames) {
        if drop {
            self.lose_queue(true, counts);
        }
        if self.ending == Ending::Open {
            self.ending = Ending::Closing;
            self.outbox.control().set_close(frame);
        }
    }

    /// Counts what waits as lost.
    pub fn lose_queue(&mut self, keep_begun: bool, counts: &mut Frames) {
        let before = self.note(counts);
        counts.lost_at_close += self.outbox.clear(keep_begun) as u64;
        self.count_change(&before, counts);
    }

    /// The socket takes bytes again.
    pub fn unblock(&mut self) {
        self.blocked = false;
        self.standing.moved = true;
    }

    /// Writes what waits, with one system call.
    pub fn flush(&mut self, counts: &mut Frames) -> Flushed {
        if self.blocked {
            return Flushed::Blocked;
        }
        let before = self.note(counts);
        let written = self.outbox.write(&mut self.socket, counts);
        self.count_change(&before, counts);
        self.outbox.shrink();
        match written {
            Err(_) => Flushed::Dead,
            Ok(Progress::Blocked) => {
                self.blocked = true;
                Flushed::Blocked
            }
            Ok(Progress::Wrote) if !self.outbox.is_empty() => Flushed::More,
            Ok(Progress::Wrote) => self.run_empty(),
        }
    }

    fn run_empty(&mut self) -> Flushed {
        if self.ending != Ending::Closing {
            return Flushed::Empty;
        }
        self.ending = Ending::Finished;
        // After the last byte, so that the CLOSE frame is not lost in a reset. A socket that is gone says ENOTCONN.
        match rustix::net::shutdown(&self.socket.0, Shutdown::Write) {
            Ok(()) => Flushed::Finished,
            Err(_) => Flushed::Dead,
        }
    }
}
