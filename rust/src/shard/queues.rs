//! How threads reach each other: commands for a shard, news for Python, each with an eventfd as its bell.
//!
//! A bell is rung only when the other side may be asleep, so a busy shard costs its callers no system call.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, mem};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use crate::routing::registry::ClientId;
use crate::wire::frame::Pongs;

/// What a shard may have in its queue before intake must wait: bytes, and frames as often as they are to be queued.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;
const QUEUE_FRAMES: usize = 200_000;

/// An eventfd: rung by one side, waited for by the other.
#[derive(Debug)]
struct Bell(OwnedFd);

impl Bell {
    fn new() -> io::Result<Self> {
        Ok(Bell(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    fn ring(&self) {
        // It can only fail when its count is full: then it is rung already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    fn silence(&self) {
        // It can only fail when it was not rung.
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

/// The work that commands bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes of the frames, as often as each is queued.
    pub bytes: usize,
    /// Frames, as often as each is to be queued.
    pub frames: usize,
}

impl Load {
    /// Whether no more should come.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.bytes > QUEUE_BYTES || self.frames > QUEUE_FRAMES
    }
}

/// A shard's commands, in order.
#[derive(Debug)]
pub struct CommandQueue<C> {
    waiting: Mutex<(Vec<C>, Load)>,
    asleep: AtomicBool,
    bell: Bell,
}

impl<C> CommandQueue<C> {
    /// An empty queue.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(CommandQueue {
            waiting: Mutex::new((Vec::new(), Load::default())),
            asleep: AtomicBool::new(false),
            bell: Bell::new()?,
        })
    }

    /// Adds a command, and wakes the shard if it sleeps.
    pub fn send(&self, command: C, load: Load) {
        self.post(command, load);
        self.ring();
    }

    /// Adds a command that the shard may find when it wakes anyway.
    pub fn post(&self, command: C, load: Load) {
        let mut waiting = self.waiting.lock();
        waiting.0.push(command);
        waiting.1.bytes += load.bytes;
        waiting.1.frames += load.frames;
    }

    /// Wakes the shard if it sleeps on commands that were posted.
    pub fn ring_if_waiting(&self) {
        if !self.waiting.lock().0.is_empty() {
            self.ring();
        }
    }

    fn ring(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.bell.ring();
        }
    }

    /// What the shard has not taken yet.
    pub fn load(&self) -> Load {
        self.waiting.lock().1
    }

    /// Takes all commands into `commands`, which is empty; what they bring.
    pub fn take(&self, commands: &mut Vec<C>) -> Load {
        let mut waiting = self.waiting.lock();
        mem::swap(&mut waiting.0, commands);
        mem::take(&mut waiting.1)
    }

    /// Says that the shard is about to wait for the bell; `false`: commands came in, don't.
    pub fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let empty = self.waiting.lock().0.is_empty();
        if !empty {
            self.asleep.store(false, Ordering::SeqCst);
        }
        empty
    }

    /// The bell was heard. It is not silenced: whoever waits for it hears each ringing once (edge-triggered).
    pub fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl<C> AsFd for CommandQueue<C> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.0.as_fd()
    }
}

/// PONGs on their way to a shard: one command a client stands for all that came before it is obeyed, so that a flood of
/// PINGs fills no queue.
#[derive(Debug, Default)]
pub struct Answers(Mutex<HashMap<ClientId, Pongs>>);

impl Answers {
    /// Adds frames; whether they are the first, so that the shard has to be told.
    pub fn add(&self, client: ClientId, frames: &[u8]) -> bool {
        let mut waiting = self.0.lock();
        let pongs = waiting.entry(client).or_default();
        let first = pongs.is_empty();
        pongs.append(frames);
        first
    }

    /// Takes the PONGs that wait for a client.
    pub fn take(&self, client: ClientId) -> Pongs {
        self.0.lock().remove(&client).unwrap_or_default()
    }
}

/// What Python must know about a client; the last is about all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The socket failed: the connection is over.
    Dead = 1,
    /// The CLOSE frame is on the wire and the sending side shut down.
    Finished = 2,
    /// No reply waits any more.
    Drained = 3,
    /// It passed its bound and is being closed for it.
    Slow = 4,
    /// Its queue is below the bound.
    Room = 5,
    /// It does not read the replies to its commands and is being closed for it.
    Unread = 6,
    /// Of nobody: a shard has caught up, which somebody waits for.
    CaughtUp = 7,
}

impl News {
    /// The piece of news with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        use News::{CaughtUp, Dead, Drained, Finished, Room, Slow, Unread};
        [Dead, Finished, Drained, Slow, Room, Unread, CaughtUp].into_iter().find(|&news| news as u64 == number)
    }
}

/// News of all shards, for Python's loop.
#[derive(Debug)]
pub struct NewsQueue {
    waiting: Mutex<VecDeque<(ClientId, News)>>,
    bell: Bell,
    /// Somebody waits for shards that are behind.
    awaited: AtomicBool,
}

impl NewsQueue {
    /// No news.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(NewsQueue { waiting: Mutex::new(VecDeque::new()), bell: Bell::new()?, awaited: AtomicBool::new(false) })
    }

    /// Adds one piece of news, and wakes Python's loop.
    pub fn send(&self, client: ClientId, news: News) {
        let mut waiting = self.waiting.lock();
        waiting.push_back((client, news));
        if waiting.len() == 1 {
            self.bell.ring();
        }
    }

    /// The next shard that catches up gives [`News::CaughtUp`]. Whoever asks for it looks afterwards, not before, how
    /// the shards stand: one that catches up in between would have told nobody.
    pub fn await_catching_up(&self) {
        self.awaited.store(true, Ordering::SeqCst);
    }

    /// A shard that was behind is so no longer, which others can see already.
    pub fn tell_caught_up(&self) {
        if self.awaited.swap(false, Ordering::SeqCst) {
            self.send(ClientId::NOBODY, News::CaughtUp);
        }
    }

    /// All news, in order; they stay.
    pub fn list(&self) -> Vec<(ClientId, News)> {
        self.waiting.lock().iter().copied().collect()
    }

    /// Takes so many, the oldest, in order. The bell goes on ringing for the others.
    pub fn take(&self, most: usize) -> Vec<(ClientId, News)> {
        let mut waiting = self.waiting.lock();
        if waiting.len() > most {
            return waiting.drain(..most).collect();
        }
        self.bell.silence();
        mem::take(&mut *waiting).into()
    }
}

impl AsFd for NewsQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.0.as_fd()
    }
}
