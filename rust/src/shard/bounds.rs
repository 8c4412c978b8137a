//! What keeps a shard within the process's bounds: frames are shed, and clients closed that leave too much unread.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::routing::registry::ClientId;
use crate::shard::Shard;
use crate::shard::command::Closing;
use crate::shard::outbox::{Bounds, PLACE_BYTES};
use crate::shard::queues::News;
use crate::wire::frame;

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
pub(super) const SLOW_CLIENT: u16 = 4008;
/// That of a client that asks and does not read the answers.
const UNREAD_REPLIES: u16 = 1008;
/// While the replies of all are past the process's bound, a client may have this part of what it else may.
const CROWDED: usize = 16;
/// Places in queues that a pass may fill before they are in the accounts: 4 MiB.
const MOST_OWED: u64 = 65_536;

impl Shard {
    /// Writes what can be written, then keeps to the process's bound.
    pub(super) fn settle(&mut self) {
        self.flush();
        self.charge();
        self.shed_for_memory();
    }

    /// Whether so much was queued in this pass that the bound has to be looked at before its end.
    pub(super) fn owes_much(&self) -> bool {
        let places: u64 = self.tally.frames.places.iter().sum();
        places.saturating_sub(self.charged.iter().sum()) > MOST_OWED
    }

    pub(super) fn close_for(&mut self, id: ClientId, code: u16, reason: &[u8], news: News) {
        let mut frame = Vec::new();
        frame::push_frame(&mut frame, frame::CLOSE, &frame::close_payload(code, reason));
        self.close(id, Closing { left: Vec::new(), frame, drop: true });
        self.shared.news.send(id, news);
    }

    /// A client that leaves more of its own replies unread pays for it itself.
    pub(super) fn close_unread(&mut self, slot: usize, bound: usize) {
        let unread = self.clients[slot].as_ref().filter(|client| client.standing_replies() > bound);
        if let Some(id) = unread.map(|client| client.id) {
            self.close_for(id, UNREAD_REPLIES, b"replies are not read", News::Unread);
        }
    }

    pub(super) fn judge_replies(&mut self, id: ClientId, unsent: usize) {
        let Some(bound) = self.limits.replies else { return };
        if self.client(id).is_some_and(|client| client.stands_still(unsent)) {
            self.close_unread(id.slot(), bound);
        }
    }

    /// Past the process's bound of replies nobody may have more than a few standing, the last one included.
    pub(super) fn close_crowd(&mut self) {
        let Some(bound) = self.limits.replies else { return };
        if self.are_replies_crowded() {
            for slot in 0..self.clients.len() {
                self.close_unread(slot, bound / CROWDED);
            }
        }
    }

    pub(super) fn are_replies_crowded(&self) -> bool {
        self.shared.accounts.replies.load(Ordering::Relaxed) > self.limits.memory
    }

    /// Brings the places that frames take in queues into the accounts: once a pass, since they change with each frame.
    pub(super) fn charge(&mut self) {
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
    pub(super) fn shed_for_memory(&mut self) {
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

    pub(super) fn oldest_sheddable(&self, status: bool) -> Option<Instant> {
        self.clients.iter().flatten().filter_map(|client| client.outbox().oldest_sheddable(status)).min()
    }

    pub(super) fn is_over_memory(&self) -> bool {
        self.shared.accounts.events.load(Ordering::Relaxed) > self.limits.memory
    }
}
