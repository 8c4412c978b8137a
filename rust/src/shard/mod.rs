//! One thread's clients: outbox, queues to other threads, members of groups, who is behind. It owns the writing side of their sockets.
//!
//! Commands come through an [`CommandQueue`], in order. A pass takes all of them, queues the frames, and writes once to every
//! client that has something and is not blocked; what is queued meanwhile goes out with the next pass, coalesced.
//! Blocked sockets wait in the shard's own epoll, edge-triggered and armed once.

mod bounds;
pub mod client;
mod clients;
pub mod command;
pub mod lag;
pub mod members;
pub mod outbox;
pub mod queues;

use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use crate::ledger::{Ages, Frames};
use crate::routing::registry::ClientId;
use crate::routing::slab::{Accounts, Range, Run, Slab};
use crate::shard::bounds::SLOW_CLIENT;
use crate::shard::client::{Client, Flushed, FrozenClient};
use crate::shard::command::{Backlog, Command};
use crate::shard::lag::{Lag, SharedLag};
use crate::shard::members::Members;
use crate::shard::queues::{Answers, CommandQueue, News, NewsQueue};

pub use bounds::Limits;

/// What a shard has counted; replaced as a whole after each pass.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// What became of the shard's frames.
    pub frames: Frames,
    /// System calls that wrote to sockets.
    pub writes: u64,
    /// Ages of events at their first write.
    pub ages: Ages,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.frames += other.frames;
        self.writes += other.writes;
        self.ages += other.ages;
    }
}

/// What a thread and its owner share.
#[derive(Debug)]
pub struct Shared {
    /// Commands for this shard.
    pub commands: CommandQueue<Command>,
    /// PONGs for this shard's clients.
    pub answers: Answers,
    /// News for Python, from all shards.
    pub news: Arc<NewsQueue>,
    /// What was counted up to the last pass.
    pub tally: Mutex<Tally>,
    /// Whether most readers of this shard are behind.
    pub readers: SharedLag,
    /// What waits in the process.
    pub accounts: Accounts,
}

/// epoll's data for its queue of commands; no client has this number.
const COMMANDS: u64 = ClientId::NOBODY.0;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The thread's own state.
pub struct Shard {
    shared: Arc<Shared>,
    limits: Limits,
    epoll: OwnedFd,
    clients: Vec<Option<Box<Client>>>,
    members: Members,
    dirty: Vec<usize>,
    tally: Tally,
    /// When the last slab was made.
    newest: Instant,
    /// How many places in queues are in the accounts.
    charged: [u64; 2],
    lag: Lag,
    /// Send times of events that are queued and not yet written for the first time.
    scores: Vec<f64>,
    stopping: bool,
}

impl Shard {
    /// A shard without clients.
    ///
    /// # Errors
    ///
    /// When no descriptor is left for its epoll.
    pub fn new(shared: Arc<Shared>, limits: Limits) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &shared.commands, EventData::new_u64(COMMANDS), EventFlags::IN | EventFlags::ET)?;
        Ok(Shard {
            shared,
            limits,
            epoll,
            clients: Vec::new(),
            members: Members::default(),
            dirty: Vec::new(),
            tally: Tally::default(),
            newest: Instant::now(),
            charged: [0; 2],
            lag: Lag::new(limits.bounds, Instant::now()),
            scores: Vec::new(),
            stopping: false,
        })
    }

    /// Runs until it is told to stop.
    pub fn run(mut self) {
        let mut commands = Vec::new();
        let mut events = Vec::with_capacity(256);
        while !self.stopping {
            self.wait(&mut events);
            if self.shared.commands.take(&mut commands).is_full() {
                self.shared.news.tell_caught_up();
            }
            for command in commands.drain(..) {
                self.obey(command);
                if self.owes_much() {
                    self.settle();
                }
            }
            self.settle();
            self.close_crowd();
            self.commit();
        }
        for slot in 0..self.clients.len() {
            self.remove(slot);
        }
        self.charge();
        self.commit();
    }

    /// Waits for commands or sockets; with work at hand it only looks.
    fn wait(&mut self, events: &mut Vec<epoll::Event>) {
        let idle = self.dirty.is_empty() && self.shared.commands.fall_asleep();
        let timeout = if idle { None } else { Some(&AT_ONCE) };
        events.clear();
        // The only error is EINTR: then there is nothing to see, and the next pass looks again.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout);
        for event in events.iter() {
            match event.data.u64() {
                COMMANDS => self.shared.commands.wake_up(),
                client => self.socket_event(ClientId(client), event.flags),
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish(slab, runs) => self.publish(&slab, &runs),
            Command::Subscribe(id, subscription) => self.subscribe(id, subscription),
            Command::Attach(id, socket, link) => self.attach(id, socket, link),
            Command::Adopt(id, socket, link, frozen) => self.adopt(id, socket, link, *frozen),
            Command::Freeze(answer, thaw) => self.freeze(&answer, &thaw),
            Command::Detach(id, left) => self.detach(id, &left),
            Command::Ping(id, frame) => self.ping(id, frame),
            Command::Answer(id) => self.answer_pings(id),
            Command::Close(id, closing) => self.close(id, closing),
            Command::AskDrained(id) => self.ask_drained(id),
            Command::AskRoom(id) => self.ask_room(id),
            Command::JudgeReplies(id, unsent) => self.judge_replies(id, unsent),
            Command::Report(answer) => {
                self.commit(); // who has the answer may ask for the counts
                // Whoever asked may have given up waiting.
                let _ = answer.send(self.report());
            }
            Command::Stop => self.stopping = true,
        }
    }

    fn publish(&mut self, slab: &Arc<Slab>, runs: &[Run]) {
        self.scores.extend_from_slice(slab.scores());
        self.newest = slab.born();
        let mut slow = Vec::new();
        for run in runs {
            for &slot in self.members.of(run.group) {
                let Some(client) = self.clients[slot].as_mut() else { continue };
                let range = Range { slab: Arc::clone(slab), from: run.from, to: run.to };
                let shed = client.shed;
                client.push(run.class, range, self.limits.bounds, &mut self.tally.frames);
                if client.shed > shed && self.limits.close_slow {
                    slow.push(client.id);
                }
                if client.becomes_dirty() {
                    self.dirty.push(slot);
                }
            }
        }
        for id in slow {
            self.close_for(id, SLOW_CLIENT, b"slow client", News::Slow);
        }
    }

    /// Writes once to each client that has something and takes it.
    fn flush(&mut self) {
        let mut dirty = mem::take(&mut self.dirty);
        dirty.retain(|&slot| self.flush_client(slot));
        self.dirty = dirty;
        self.count_ages();
        let now = Instant::now();
        if let Some(behind) = self.lag.judge(now)
            && self.shared.readers.set(behind, now)
        {
            self.shared.news.tell_caught_up();
        }
    }

    /// Whether the client stays dirty.
    fn flush_client(&mut self, slot: usize) -> bool {
        let Some(client) = self.clients[slot].as_mut() else { return false };
        let flushed = client.flush(&mut self.tally.frames);
        client.dirty = flushed == Flushed::More;
        self.tally.writes += 1;
        let (frames, bytes) = (client.outbox().frames(), client.outbox().bytes());
        self.lag.note(&mut client.mark, frames, bytes);
        let id = client.id;
        match flushed {
            Flushed::Dead => self.kill(id),
            Flushed::Finished => self.shared.news.send(id, News::Finished),
            _ => {}
        }
        self.answer(slot);
        flushed == Flushed::More
    }

    fn count_ages(&mut self) {
        if self.scores.is_empty() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        for score in self.scores.drain(..) {
            self.tally.ages.add(score, now);
        }
    }

    fn report(&self) -> Vec<Backlog> {
        let waiting = self.clients.iter().flatten();
        let waiting = waiting.filter(|client| client.shed > 0 || client.outbox().frames() > 0);
        waiting
            .map(|client| Backlog {
                client: client.id,
                frames: client.outbox().frames(),
                bytes: client.outbox().bytes(),
                shed: client.shed,
                oldest: client.outbox().oldest().map_or(0.0, |born| born.elapsed().as_secs_f64()),
            })
            .collect()
    }

    /// Whoever asked has all that is to be known of the clients, and nobody writes to them meanwhile.
    fn freeze(&mut self, answer: &mpsc::Sender<Vec<(ClientId, FrozenClient)>>, thaw: &mpsc::Receiver<()>) {
        self.settle();
        self.commit();
        let clients = self.clients.iter().flatten().map(|client| (client.id, client.freeze())).collect();
        // Whoever asked may have given up waiting. An error is a word, too: nobody holds this any more.
        let _ = answer.send(clients);
        if thaw.recv().is_ok() {
            self.discard();
        }
    }

    /// Another process writes to all clients: a descriptor that stayed open here would keep their ends from them.
    fn discard(&mut self) {
        for slot in 0..self.clients.len() {
            self.remove(slot);
        }
        self.dirty.clear();
    }

    fn commit(&self) {
        *self.shared.tally.lock() = self.tally;
    }

    fn client(&mut self, id: ClientId) -> Option<&mut Client> {
        let client = self.clients.get_mut(id.slot())?.as_deref_mut()?;
        (client.id == id).then_some(client)
    }

    fn mark(&mut self, slot: usize) {
        if let Some(client) = self.clients[slot].as_mut()
            && client.becomes_dirty()
        {
            self.dirty.push(slot);
        }
    }
}

/// What a shard shares with its owner, at the start.
///
/// # Errors
///
/// When no descriptor is left.
pub fn share(news: &Arc<NewsQueue>, accounts: &Accounts) -> io::Result<Arc<Shared>> {
    Ok(Arc::new(Shared {
        commands: CommandQueue::new()?,
        answers: Answers::default(),
        news: Arc::clone(news),
        tally: Mutex::new(Tally::default()),
        readers: SharedLag::new(Instant::now()),
        accounts: accounts.clone(),
    }))
}
