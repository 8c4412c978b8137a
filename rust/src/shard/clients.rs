//! What a shard does for one client: the commands that name it, what its socket says, what it asked to be told.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::epoll::{self, EventData, EventFlags};

use crate::ledger::LinkTally;
use crate::routing::registry::{ClientId, GroupId};
use crate::routing::slab::{Class, Range};
use crate::shard::Shard;
use crate::shard::client::{Client, FrozenClient};
use crate::shard::command::{Closing, Subscription};
use crate::shard::queues::News;

/// What an application may have waiting for a client whatever waits for others.
const FREE_BYTES: usize = 256 * 1024;

impl Shard {
    pub(super) fn socket_event(&mut self, id: ClientId, flags: EventFlags) {
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

    pub(super) fn subscribe(&mut self, id: ClientId, subscription: Subscription) {
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

    pub(super) fn leave(&mut self, slot: usize, groups: &[GroupId]) {
        for &group in groups {
            self.members.leave(group, slot);
        }
    }

    pub(super) fn attach(&mut self, id: ClientId, socket: OwnedFd, link: Option<Arc<LinkTally>>) {
        // No RDHUP: reading, and so the peer's end, is Python's.
        let interest = EventFlags::OUT | EventFlags::ET;
        if epoll::add(&self.epoll, &socket, EventData::new_u64(id.0), interest).is_err() {
            self.shared.news.send(id, News::Dead);
            return;
        }
        if id.slot() >= self.clients.len() {
            self.clients.resize_with(id.slot() + 1, || None);
        }
        self.clients[id.slot()] = Some(Box::new(Client::new(id, socket, link)));
    }

    pub(super) fn adopt(&mut self, id: ClientId, socket: OwnedFd, link: Option<Arc<LinkTally>>, frozen: FrozenClient) {
        self.attach(id, socket, link);
        let Some(client) = self.clients.get_mut(id.slot()).and_then(Option::as_mut) else {
            self.tally.frames.lost_at_close += frozen.queue.frames() as u64;
            return;
        };
        client.take_over(frozen, &mut self.tally.frames);
        self.mark(id.slot());
    }

    pub(super) fn detach(&mut self, id: ClientId, left: &[GroupId]) {
        self.leave(id.slot(), left);
        if self.client(id).is_some() {
            self.remove(id.slot());
        }
    }

    /// Drops a client: first out of epoll, then its descriptor, else the entry outlives the number.
    pub(super) fn remove(&mut self, slot: usize) {
        let Some(mut client) = self.clients[slot].take() else { return };
        client.lose_queue(false, &mut self.tally.frames);
        // It can only fail for a descriptor that is not there, and that one is.
        let _ = epoll::delete(&self.epoll, client.descriptor());
    }

    pub(super) fn kill(&mut self, id: ClientId) {
        self.remove(id.slot());
        self.shared.news.send(id, News::Dead);
    }

    pub(super) fn ping(&mut self, id: ClientId, frame: Vec<u8>) {
        if let Some(client) = self.client(id) {
            client.push_ping(frame);
            self.mark(id.slot());
        }
    }

    pub(super) fn answer_pings(&mut self, id: ClientId) {
        let pongs = self.shared.answers.take(id);
        if let Some(client) = self.client(id) {
            client.push_pongs(&pongs);
            self.mark(id.slot());
        }
    }

    pub(super) fn close(&mut self, id: ClientId, closing: Closing) {
        self.leave(id.slot(), &closing.left);
        if self.client(id).is_none() {
            return;
        }
        if let Some(client) = self.clients[id.slot()].as_mut() {
            client.close(closing.frame, closing.drop, &mut self.tally.frames);
        }
        self.mark(id.slot());
    }

    pub(super) fn ask_drained(&mut self, id: ClientId) {
        let Some(client) = self.client(id) else { return };
        client.asked.drained = true;
        self.answer(id.slot());
    }

    pub(super) fn ask_room(&mut self, id: ClientId) {
        let Some(client) = self.client(id) else { return };
        client.asked.room = true;
        self.answer(id.slot());
    }

    /// Tells what was asked for, as soon as it is so.
    pub(super) fn answer(&mut self, slot: usize) {
        let crowded = self.limits.replies.is_none() && self.are_replies_crowded();
        let Some(client) = self.clients[slot].as_mut() else { return };
        if client.asked.drained && client.outbox().replies() == 0 {
            client.asked.drained = false;
            self.shared.news.send(client.id, News::Drained);
        }
        let has_room = !crowded || client.outbox().reply_bytes() <= FREE_BYTES;
        if client.asked.room && has_room && client.outbox().has_room(self.limits.bounds) {
            client.asked.room = false;
            self.shared.news.send(client.id, News::Room);
        }
    }
}
