//! Events in: each batch goes to every shard that has somebody for it, and holds up the next while readers are behind.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Fanout, State};
use crate::error::Reject;
use crate::routing::batch::Batch;
use crate::routing::registry::Registry;
use crate::routing::route::{Entry, HandedOut, Published, Received, Routes};
use crate::routing::slab::{Run, Slab};
use crate::shard::command::Command;
use crate::shard::queues::Load;

/// Frames a second that go on however far most readers are behind, for the sake of those that are not.
const ALWAYS: u32 = 200_000;
/// The longest that intake waits for a queue of commands to be taken, of which it hears.
const QUEUE_WAIT: Duration = Duration::from_millis(100);

impl Fanout {
    /// Reads entries, and decrypts them, while nobody waits for it.
    #[must_use]
    pub fn receive<'a>(&self, entries: &[Entry<'a>]) -> Vec<Received<'a>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        entries.iter().map(|entry| self.config.rules.receive(entry, now)).collect()
    }

    /// The same for messages that were published: nobody knows when they were sent, only that they are here now.
    #[must_use]
    pub fn receive_published<'a>(&self, messages: &'a [Published<'a>]) -> Vec<Received<'a>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        messages.iter().map(|message| self.config.rules.receive_published(message, now)).collect()
    }

    /// Reads entries and hands their frames to every shard that has a subscriber. Returns what consumers get.
    #[must_use]
    pub fn publish(&self, entries: &[Entry<'_>]) -> Vec<HandedOut> {
        self.publish_received(&self.receive(entries))
    }

    /// The same for entries that are read.
    #[must_use]
    pub fn publish_received(&self, entries: &[Received<'_>]) -> Vec<HandedOut> {
        let mut state = self.state.lock();
        let State { registry, events, .. } = &mut *state;
        let mut routes = Routes::default();
        for entry in entries {
            routes.add(entry, &self.config.rules, registry, events);
        }
        self.send_batch(&routes.batch, &mut state);
        routes.handed_out
    }

    pub(super) fn send_batch(&self, batch: &Batch<'_>, state: &mut State) {
        state.encodings += batch.len() as u64;
        let slabs = batch.encode(&state.registry, &self.accounts.events);
        let frames: usize = slabs.iter().map(|(slab, runs)| self.send_frames(slab, runs, &state.registry)).sum();
        let frames = u32::try_from(frames).unwrap_or(u32::MAX);
        state.held_until = Instant::now() + Duration::from_secs(1) * frames / ALWAYS;
    }

    /// How many frames that is to clients.
    fn send_frames(&self, slab: &Arc<Slab>, runs: &Arc<[Run]>, registry: &Registry) -> usize {
        let bytes = slab.slice(0, slab.frames()).len();
        let mut sum = 0;
        for (index, shared) in self.shards.iter().enumerate() {
            let frames = runs.iter().map(|run| run.frames() * registry.members(run.group, index)).sum();
            if frames > 0 {
                shared.commands.send(Command::Publish(Arc::clone(slab), Arc::clone(runs)), Load { bytes, frames });
            }
            sum += frames;
        }
        sum
    }

    /// Counts events that were taken from Redis and rejected unread, for their length.
    pub fn count_too_large(&self, count: u64) {
        self.state.lock().events.reject(Reject::TooLarge, count);
    }

    /// How long intake should wait at most: the threads are behind, or most readers are and the last batch is not long
    /// enough ago. When it may be less, [`News::CaughtUp`] tells; then it is to be asked again.
    #[must_use]
    pub fn wait_time(&self) -> Duration {
        if self.look_behind().is_zero() {
            return Duration::ZERO;
        }
        self.news.await_catching_up();
        self.look_behind()
    }

    fn look_behind(&self) -> Duration {
        if self.shards.iter().any(|shared| shared.commands.load().is_full()) {
            return QUEUE_WAIT;
        }
        let now = Instant::now();
        let behind = self.shards.iter().map(|shared| shared.readers.behind_for(now)).max().unwrap_or_default();
        if behind.is_zero() {
            return behind;
        }
        behind.min(self.state.lock().held_until.saturating_duration_since(now))
    }
}
