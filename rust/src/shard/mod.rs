//! One thread's clients: outbox, mailbox, members of groups, who is behind. It owns the writing side of their sockets.
//!
//! Commands come through an [`Inbox`], in order. A pass takes all of them, queues the frames, and writes once to every
//! client that has something and is not blocked; what is queued meanwhile goes out with the next pass, coalesced.
//! Blocked sockets wait in the shard's own epoll, edge-triggered and armed once.

pub mod client;
pub mod command;
pub mod lag;
pub mod mailbox;
pub mod members;
pub mod outbox;

use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use crate::ledger::{Ages, Frames, LinkTally};
use crate::routing::registry::{ClientId, GroupId};
use crate::routing::slab::{Accounts, Class, Range, Run, Slab};
use crate::shard::client::{Client, Flushed};
use crate::shard::command::{Backlog, Closing, Command, Subscription};
use crate::shard::lag::{Pace, Standing};
use crate::shard::mailbox::{Answers, Inbox, Notice, Notices};
use crate::shard::members::Members;
use crate::shard::outbox::{Bounds, PLACE_BYTES};
use crate::wire::frame;

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
    pub inbox: Inbox<Command>,
    /// PONGs for this shard's clients.
    pub answers: Answers,
    /// Notices for Python, from all shards.
    pub notices: Arc<Notices>,
    /// What was counted up to the last pass.
    pub tally: Mutex<Tally>,
    /// Whether most readers of this shard are behind.
    pub readers: Standing,
    /// What waits in the process.
    pub accounts: Accounts,
}

/// What a shard must keep to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How much may wait for one client.
    pub bounds: Bounds,
    /// The process's bound of unique bytes.
    pub memory: usize,
    /// Bytes of replies that a client may leave unread before it is closed with 1008; None: they are an application's.
    pub replies: Option<usize>,
    /// Close clients that pass their bound, with 4008, instead of shedding on.
    pub close_slow: bool,
}

/// The close code of a client that does not keep up (docs/troubleshooting.md, close codes).
const SLOW_CLIENT: u16 = 4008;
/// That of a client that asks and does not read the answers.
const UNREAD_REPLIES: u16 = 1008;
/// While the replies of all are past the process's bound, a client may have this part of what it else may.
const CROWDED: usize = 16;
/// What an application may have waiting for a client whatever waits for others.
const FREE_BYTES: usize = 256 * 1024;
/// Places in queues that a pass may fill before they are in the accounts: 4 MiB.
const MOST_OWED: u64 = 65_536;
/// epoll's data for the inbox; no client has this number.
const INBOX: u64 = ClientId::NOBODY.0;
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
    pace: Pace,
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
        epoll::add(&epoll, &shared.inbox, EventData::new_u64(INBOX), EventFlags::IN)?;
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
            pace: Pace::new(limits.bounds, Instant::now()),
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
            if self.shared.inbox.take(&mut commands).is_full() {
                self.shared.notices.tell_caught_up();
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

    /// Writes what can be written, then keeps to the process's bound.
    fn settle(&mut self) {
        self.flush();
        self.charge();
        self.shed_for_memory();
    }

    /// Whether so much was queued in this pass that the bound has to be looked at before its end.
    fn owes_much(&self) -> bool {
        let places: u64 = self.tally.frames.places.iter().sum();
        places.saturating_sub(self.charged.iter().sum()) > MOST_OWED
    }

    /// Waits for commands or sockets; with work at hand it only looks.
    fn wait(&mut self, events: &mut Vec<epoll::Event>) {
        let idle = self.dirty.is_empty() && self.shared.inbox.fall_asleep();
        let timeout = if idle { None } else { Some(&AT_ONCE) };
        events.clear();
        // The only error is EINTR: then there is nothing to see, and the next pass looks again.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout);
        for event in events.iter() {
            match event.data.u64() {
                INBOX => self.shared.inbox.wake_up(),
                client => self.socket_event(ClientId(client), event.flags),
            }
        }
    }

    fn socket_event(&mut self, id: ClientId, flags: EventFlags) {
        // The generation in the number tells a client that is gone from the one that has its slot now.
        let Some(client) = self.client(id) else { return };
        if flags.contains(EventFlags::ERR) {
            self.kill(id);
            return;
        }
        client.unblock();
        self.mark(id.slot());
        self.answer(id.slot()); // all that waited may have been shed: then nothing is left to flush
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish(slab, runs) => self.publish(&slab, &runs),
            Command::Subscribe(id, subscription) => self.subscribe(id, subscription),
            Command::Attach(id, socket, link) => self.attach(id, socket, link),
            Command::Detach(id, left) => self.detach(id, &left),
            Command::Ping(id, frame) => self.ping(id, frame),
            Command::Answer(id) => self.answer_pings(id),
            Command::Close(id, closing) => self.close(id, closing),
            Command::AskDrained(id) => self.ask_drained(id),
            Command::AskRoom(id) => self.ask_room(id),
            Command::Report(answer) => {
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
            self.close_for(id, SLOW_CLIENT, b"slow client", Notice::Slow);
        }
    }

    fn close_for(&mut self, id: ClientId, code: u16, reason: &[u8], notice: Notice) {
        let mut frame = Vec::new();
        frame::push_frame(&mut frame, frame::CLOSE, &frame::close_payload(code, reason));
        self.close(id, Closing { left: Vec::new(), frame, drop: true });
        self.shared.notices.send(id, notice);
    }

    /// A client that leaves more of its own replies unread pays for it itself.
    fn close_unread(&mut self, slot: usize, bound: usize) {
        let unread = self.clients[slot].as_ref().filter(|client| client.standing_replies() > bound);
        if let Some(id) = unread.map(|client| client.id) {
            self.close_for(id, UNREAD_REPLIES, b"replies are not read", Notice::Unread);
        }
    }

    /// Past the process's bound of replies nobody may have more than a few standing, the last one included.
    fn close_crowd(&mut self) {
        let Some(bound) = self.limits.replies else { return };
        if self.are_replies_crowded() {
            for slot in 0..self.clients.len() {
                self.close_unread(slot, bound / CROWDED);
            }
        }
    }

    fn are_replies_crowded(&self) -> bool {
        self.shared.accounts.replies.load(Ordering::Relaxed) > self.limits.memory
    }

    fn subscribe(&mut self, id: ClientId, subscription: Subscription) {
        self.leave(id.slot(), &subscription.left);
        if self.client(id).is_none() {
            return;
        }
        for group in subscription.joined {
            self.members.join(group, id.slot());
        }
        if let Some(slab) = subscription.reply {
            // Before this one: a reply may be larger than the bound, and its reader on the way to it.
            if let Some(bound) = self.limits.replies {
                self.close_unread(id.slot(), bound);
            }
            let bounds = self.limits.bounds;
            if let Some(client) = self.clients[id.slot()].as_mut() {
                client.push(Class::Reply, Range::whole(slab), bounds, &mut self.tally.frames);
            }
            self.mark(id.slot());
        }
    }

    fn leave(&mut self, slot: usize, groups: &[GroupId]) {
        for &group in groups {
            self.members.leave(group, slot);
        }
    }

    fn attach(&mut self, id: ClientId, socket: OwnedFd, link: Option<Arc<LinkTally>>) {
        // No RDHUP: reading, and so the peer's end, is Python's.
        let interest = EventFlags::OUT | EventFlags::ET;
        if epoll::add(&self.epoll, &socket, EventData::new_u64(id.0), interest).is_err() {
            self.shared.notices.send(id, Notice::Dead);
            return;
        }
        if id.slot() >= self.clients.len() {
            self.clients.resize_with(id.slot() + 1, || None);
        }
        self.clients[id.slot()] = Some(Box::new(Client::new(id, socket, link)));
    }

    fn detach(&mut self, id: ClientId, left: &[GroupId]) {
        self.leave(id.slot(), left);
        if self.client(id).is_some() {
            self.remove(id.slot());
        }
    }

    /// Drops a client: first out of epoll, then its descriptor, else the entry outlives the number.
    fn remove(&mut self, slot: usize) {
        let Some(mut client) = self.clients[slot].take() else { return };
        client.lose_queue(false, &mut self.tally.frames);
        // It can only fail for a descriptor that is not there, and that one is.
        let _ = epoll::delete(&self.epoll, client.descriptor());
    }

    fn kill(&mut self, id: ClientId) {
        self.remove(id.slot());
        self.shared.notices.send(id, Notice::Dead);
    }

    fn ping(&mut self, id: ClientId, frame: Vec<u8>) {
        if let Some(client) = self.client(id) {
            client.push_ping(frame);
            self.mark(id.slot());
        }
    }

    fn answer_pings(&mut self, id: ClientId) {
        let pongs = self.shared.answers.take(id);
        if let Some(client) = self.client(id) {
            client.push_pongs(&pongs);
            self.mark(id.slot());
        }
    }

    fn close(&mut self, id: ClientId, closing: Closing) {
        self.leave(id.slot(), &closing.left);
        if self.client(id).is_none() {
            return;
        }
        if let Some(client) = self.clients[id.slot()].as_mut() {
            client.close(closing.frame, closing.drop, &mut self.tally.frames);
        }
        self.mark(id.slot());
    }

    fn ask_drained(&mut self, id: ClientId) {
        let Some(client) = self.client(id) else { return };
        client.asked.drained = true;
        self.answer(id.slot());
    }

    fn ask_room(&mut self, id: ClientId) {
        let Some(client) = self.client(id) else { return };
        client.asked.room = true;
        self.answer(id.slot());
    }

    /// Tells what was asked for, as soon as it is so.
    fn answer(&mut self, slot: usize) {
        let crowded = self.limits.replies.is_none() && self.are_replies_crowded();
        let Some(client) = self.clients[slot].as_mut() else { return };
        if client.asked.drained && client.outbox().replies() == 0 {
            client.asked.drained = false;
            self.shared.notices.send(client.id, Notice::Drained);
        }
        let has_room = !crowded || client.outbox().reply_bytes() <= FREE_BYTES;
        if client.asked.room && has_room && client.outbox().has_room(self.limits.bounds) {
            client.asked.room = false;
            self.shared.notices.send(client.id, Notice::Room);
        }
    }

    /// Writes once to each client that has something and takes it.
    fn flush(&mut self) {
        let mut dirty = mem::take(&mut self.dirty);
        dirty.retain(|&slot| self.flush_client(slot));
        self.dirty = dirty;
        self.count_ages();
        let now = Instant::now();
        if let Some(behind) = self.pace.judge(now)
            && self.shared.readers.set(behind, now)
        {
            self.shared.notices.tell_caught_up();
        }
    }

    /// Whether the client stays dirty.
    fn flush_client(&mut self, slot: usize) -> bool {
        let Some(client) = self.clients[slot].as_mut() else { return false };
        let flushed = client.flush(&mut self.tally.frames);
        client.dirty = flushed == Flushed::More;
        self.tally.writes += 1;
        let (frames, bytes) = (client.outbox().frames(), client.outbox().bytes());
        self.pace.note(&mut client.mark, frames, bytes);
        let id = client.id;
        match flushed {
            Flushed::Dead => self.kill(id),
            Flushed::Finished => self.shared.notices.send(id, Notice::Finished),
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

    /// Brings the places that frames take in queues into the accounts: once a pass, since they change with each frame.
    fn charge(&mut self) {
        let accounts = [&self.shared.accounts.events, &self.shared.accounts.replies];
        let places = self.tally.frames.places;
        for (account, (places, charged)) in accounts.into_iter().zip(places.into_iter().zip(self.charged)) {
            let bytes = |places: u64| usize::try_from(places).unwrap_or(usize::MAX) * PLACE_BYTES;
            account.fetch_add(bytes(places.saturating_sub(charged)), Ordering::Relaxed);
            account.fetch_sub(bytes(charged.saturating_sub(places)), Ordering::Relaxed);
        }
        self.charged = places;
    }

    /// Past the process's bound of bytes, the clients furthest behind shed first: the oldest eighth of what waits, then
    /// that of what is left, and status frames only when no event frame is left to shed.
    fn shed_for_memory(&mut self) {
        for status in [false, true] {
            while self.is_over_memory()
                && let Some(oldest) = self.oldest_sheddable(status)
            {
                // Not up to now: to shed takes its time, and an eighth of that may be all that is left.
                let cutoff = oldest + self.newest.saturating_duration_since(oldest) / 8 + Duration::from_micros(1);
                for client in self.clients.iter_mut().flatten() {
                    client.shed_before(cutoff, status, &mut self.tally.frames);
                }
                self.charge();
            }
        }
    }

    fn oldest_sheddable(&self, status: bool) -> Option<Instant> {
        self.clients.iter().flatten().filter_map(|client| client.outbox().oldest_sheddable(status)).min()
    }

    fn is_over_memory(&self) -> bool {
        self.shared.accounts.events.load(Ordering::Relaxed) > self.limits.memory
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
pub fn share(notices: &Arc<Notices>, accounts: &Accounts) -> io::Result<Arc<Shared>> {
    Ok(Arc::new(Shared {
        inbox: Inbox::new()?,
        answers: Answers::default(),
        notices: Arc::clone(notices),
        tally: Mutex::new(Tally::default()),
        readers: Standing::new(Instant::now()),
        accounts: accounts.clone(),
    }))
}
