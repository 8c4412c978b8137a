//! The owner of the shards: turns calls into commands, and queue entries into frames for whoever wants them.
//!
//! One lock covers the registry and the sending of commands, so that all shards see subscriptions and events in the
//! same order: an event published after a subscription's reply was queued comes after that reply.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::handover::LeftClient;
use crate::ledger::{Events, Gaps};
use crate::routing::backplane::Backplane;
use crate::routing::registry::{ClientId, Consumers, Registry};
pub use crate::routing::route::{Entry, HandedOut, Published, Received, Recipient, Relayed, Rules};
use crate::routing::slab::Accounts;
use crate::shard::command::{Backlog, Command};
use crate::shard::outbox::Bounds;
use crate::shard::queues::{Load, News, NewsQueue};
use crate::shard::{self, Limits, Shard, Shared, Tally};

mod clients;
mod events;
mod handover;
mod peers;

pub use peers::{PacketBatch, PeerBatch};

/// How long a report of what waits may take; a shard answers between two passes.
const REPORT_WAIT: Duration = Duration::from_secs(1);

/// How a fan-out is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Threads, 1 to 255.
    pub threads: usize,
    /// How much may wait for one client.
    pub bounds: Bounds,
    /// The process's bound of unique queued bytes.
    pub memory: usize,
    /// Bytes of replies that a client may leave unread; None: an application sends, and waits for room itself.
    pub replies: Option<usize>,
    /// `SO_SNDBUF` of each client's socket, in bytes.
    pub send_buffer: usize,
    /// Close clients that pass their bound.
    pub close_slow: bool,
    /// Globs of the groups that carry status frames.
    pub status_groups: Vec<String>,
    /// What is done with entries.
    pub rules: Rules,
}

/// Everything that was counted, taken together.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// What became of events.
    pub events: Events,
    /// Frames, writes and ages of all shards.
    pub tally: Tally,
    /// Losses that are not counted in events.
    pub gaps: Gaps,
    /// Frames that were encoded: one an event that has a taker.
    pub encodings: u64,
    /// Browsers that are attached now.
    pub clients: usize,
    /// Groups that somebody is in.
    pub groups: usize,
    /// What events that wait take, each slab counted once.
    pub queued_bytes: usize,
    /// What replies take, and frames of applications.
    pub reply_bytes: usize,
}

#[derive(Debug)]
struct State {
    registry: Registry,
    events: Events,
    gaps: Gaps,
    encodings: u64,
    /// What was counted apart from the shards: by the process before this one, and frames that left with the answers to
    /// handshakes.
    inherited: Tally,
    /// The longest that the last batch holds up the next.
    held_until: Instant,
}

/// Clients, groups and the threads that write to them.
pub struct Fanout {
    config: Config,
    state: Mutex<State>,
    shards: Vec<Arc<Shared>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    news: Arc<NewsQueue>,
    accounts: Accounts,
    /// Commands for one client wait for `wake`.
    deferring: AtomicBool,
    /// What lets threads go on that are frozen: as they were as soon as it is dropped, without clients by a word.
    frozen: Mutex<Vec<mpsc::Sender<()>>>,
    /// Clients of another process that nobody has taken yet.
    estate: Mutex<HashMap<ClientId, LeftClient>>,
}

impl Fanout {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// When no thread or descriptor is left.
    pub fn start(config: Config) -> io::Result<Self> {
        let accounts = Accounts::default();
        let news = Arc::new(NewsQueue::new()?);
        let shards = (0..config.threads).map(|_| shard::share(&news, &accounts)).collect::<io::Result<Vec<_>>>()?;
        let fanout = Fanout {
            state: Mutex::new(State {
                registry: Registry::new(config.threads, config.status_groups.clone()),
                events: Events::default(),
                gaps: Gaps::default(),
                encodings: 0,
                inherited: Tally::default(),
                held_until: Instant::now(),
            }),
            config,
            shards,
            threads: Mutex::new(Vec::new()),
            news,
            accounts,
            deferring: AtomicBool::new(false),
            frozen: Mutex::default(),
            estate: Mutex::default(),
        };
        fanout.start_threads()?;
        Ok(fanout)
    }

    fn start_threads(&self) -> io::Result<()> {
        let Config { bounds, memory, replies, close_slow, .. } = self.config;
        let limits = Limits { bounds, memory, replies, close_slow };
        for (index, shared) in self.shards.iter().enumerate() {
            let shard = Shard::new(Arc::clone(shared), limits)?;
            let thread = std::thread::Builder::new().name(format!("fanout-{index}"));
            self.threads.lock().push(thread.spawn(move || shard.run())?);
        }
        Ok(())
    }

    /// From now on commands for one client don't wake its thread: the caller does, once for many, with `wake`.
    ///
    /// A wake-up costs a system call and, on a busy core, two switches of threads: more than most commands.
    pub fn defer_wakes(&self) {
        self.deferring.store(true, Ordering::Relaxed);
    }

    /// Wakes the threads that have commands waiting.
    pub fn wake(&self) {
        for shared in &self.shards {
            shared.commands.ring_if_waiting();
        }
    }

    /// Entries for a channel are events of a group (`Registry::add_channel`).
    pub fn add_channel(&self, local: &str, group: &str) {
        self.state.lock().registry.add_channel(local, group);
    }

    /// A channel is no more (`Registry::remove_channel`).
    pub fn remove_channel(&self, local: &str) {
        self.state.lock().registry.remove_channel(local);
    }

    /// How many consumers a group has (`Registry::set_consumers`).
    pub fn set_consumers(&self, group: &str, consumers: Consumers) {
        self.state.lock().registry.set_consumers(group, consumers);
    }

    /// A consumer has opened a channel (`Registry::add_own_channel`).
    pub fn add_own_channel(&self, local: &str) {
        self.state.lock().registry.add_own_channel(local);
    }

    /// A consumer's channel is no more (`Registry::remove_own_channel`).
    pub fn remove_own_channel(&self, local: &str) {
        self.state.lock().registry.remove_own_channel(local);
    }

    /// Which group the links between nodes hear (`Registry::set_backplane`).
    pub fn set_backplane(&self, backplane: Backplane) {
        self.state.lock().registry.set_backplane(backplane);
    }

    /// Counts losses of at most `at_most` events together.
    pub fn count_gaps(&self, reason: &str, times: u64, at_most: u64) {
        self.state.lock().gaps.count(reason, times, at_most);
    }

    /// Readable when there is news.
    #[must_use]
    pub fn news_fd(&self) -> BorrowedFd<'_> {
        self.news.as_fd()
    }

    /// What happened to clients, so many pieces at most; the others are for the next call.
    pub fn take_news(&self, most: usize) -> Vec<(ClientId, News)> {
        self.news.take(most)
    }

    /// Everything that was counted.
    pub fn counts(&self) -> Counts {
        let state = self.state.lock();
        let mut counts = Counts {
            events: state.events.clone(),
            gaps: state.gaps.clone(),
            encodings: state.encodings,
            clients: state.registry.clients(),
            groups: state.registry.groups(),
            queued_bytes: self.accounts.events.load(Ordering::Relaxed),
            reply_bytes: self.accounts.replies.load(Ordering::Relaxed),
            tally: state.inherited,
        };
        for shared in &self.shards {
            counts.tally += *shared.tally.lock();
        }
        counts
    }

    /// The clients that have something queued or shed.
    pub fn backlogs(&self) -> Vec<Backlog> {
        let (answer, answers) = mpsc::channel();
        for shared in &self.shards {
            shared.commands.send(Command::Report(answer.clone()), Load::default());
        }
        drop(answer);
        let mut backlogs = Vec::new();
        while let Ok(more) = answers.recv_timeout(REPORT_WAIT) {
            backlogs.extend(more);
        }
        backlogs
    }

    /// Ends the threads; what clients had queued is lost at close.
    pub fn stop(&self) {
        self.thaw();
        for shared in &self.shards {
            shared.commands.send(Command::Stop, Load::default());
        }
        for thread in self.threads.lock().drain(..) {
            // A panic of the thread was printed when it happened; there is nothing to add at the end.
            let _ = thread.join();
        }
    }

    fn send(&self, index: usize, command: Command) {
        let Some(shared) = self.shards.get(index) else { return };
        if self.deferring.load(Ordering::Relaxed) {
            shared.commands.post(command, Load::default());
        } else {
            shared.commands.send(command, Load::default());
        }
    }

    fn send_ordered(&self, client: ClientId, command: Command) {
        let _state = self.state.lock();
        self.send(client.shard(), command);
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        self.stop();
    }
}
