//! One client at a time: taken over and let go, what it gets, and what it alone is sent.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::Fanout;
use crate::ledger::LinkTally;
use crate::routing::registry::{ClientId, NOTICES};
use crate::routing::slab::{self, Slab};
use crate::shard::command::{Closing, Command, Subscription};
use crate::wire::frame;

impl Fanout {
    /// Takes over writing to a connected, non-blocking socket: to a duplicate, since the number itself is the caller's.
    ///
    /// # Errors
    ///
    /// When no descriptor is left, or the descriptor is none.
    pub fn attach(&self, socket: BorrowedFd<'_>) -> io::Result<ClientId> {
        self.attach_as(socket, None)
    }

    /// Counts a frame that the caller has written before the attach, with the answer to a handshake.
    pub fn count_greeting(&self) {
        let frames = &mut self.state.lock().inherited.frames;
        frames.queued += 1;
        frames.written += 1;
    }

    /// The same for another node, which gets what comes in the backplane's group, and if `notices` who wants what.
    ///
    /// # Errors
    ///
    /// As `attach`.
    pub fn attach_link(&self, socket: BorrowedFd<'_>, notices: bool) -> io::Result<(ClientId, Arc<LinkTally>)> {
        let tally = Arc::new(LinkTally::default());
        let client = self.attach_as(socket, Some(Arc::clone(&tally)))?;
        let group = self.state.lock().registry.backplane_group().to_owned();
        let groups = [group.as_str(), NOTICES];
        self.subscribe(client, &groups[..=usize::from(notices)], &[], None);
        Ok((client, tally))
    }

    fn attach_as(&self, socket: BorrowedFd<'_>, link: Option<Arc<LinkTally>>) -> io::Result<ClientId> {
        let duplicate = self.duplicate(socket)?;
        let mut state = self.state.lock();
        let client = if link.is_some() { state.registry.add_link() } else { state.registry.add_client() };
        self.send(client.shard(), Command::Attach(client, duplicate, link));
        Ok(client)
    }

    pub(super) fn duplicate(&self, socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let duplicate: OwnedFd = rustix::io::fcntl_dupfd_cloexec(socket, 3)?;
        // The kernel's buffer is a queue too; left to itself it grows to megabytes for a client that does not read.
        rustix::net::sockopt::set_socket_send_buffer_size(&duplicate, self.config.send_buffer)?;
        // It fails for unix sockets, which don't delay.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&duplicate, true);
        Ok(duplicate)
    }

    /// Forgets a client; what it had queued is lost at close.
    pub fn detach(&self, client: ClientId) {
        let mut state = self.state.lock();
        if let Some(left) = state.registry.remove_client(client) {
            self.send(client.shard(), Command::Detach(client, left));
        }
    }

    /// Queues a CLOSE, after which the client gets nothing more.
    pub fn close(&self, client: ClientId, code: u16, reason: &[u8], drop: bool) {
        let mut frame = Vec::new();
        frame::push_frame(&mut frame, frame::CLOSE, &frame::close_payload(code, reason));
        let mut state = self.state.lock();
        if let Some(left) = state.registry.leave_all(client) {
            self.send(client.shard(), Command::Close(client, Closing { left, frame, drop }));
        }
    }

    /// Queues a PING for a client.
    pub fn send_ping(&self, client: ClientId, payload: &[u8]) {
        let mut frame = Vec::new();
        frame::push_frame(&mut frame, frame::PING, payload);
        self.send_ordered(client, Command::Ping(client, frame));
    }

    /// Queues PONGs, given as their frames.
    pub fn send_pongs(&self, client: ClientId, frames: &[u8]) {
        let shared = self.shards.get(client.shard());
        if shared.is_some_and(|shared| shared.answers.add(client, frames)) {
            self.send_ordered(client, Command::Answer(client));
        }
    }

    /// Queues a reply, or what an application sends: never shed.
    pub fn send_text(&self, client: ClientId, payload: &[u8]) {
        self.send_data(client, frame::TEXT, payload);
    }

    /// Queues what an application sends as bytes: never shed.
    pub fn send_binary(&self, client: ClientId, payload: &[u8]) {
        self.send_data(client, frame::BINARY, payload);
    }

    /// Queues replies that leave together.
    pub fn send_texts(&self, client: ClientId, payloads: &[&[u8]]) {
        self.send_slab(client, slab::several(frame::TEXT, payloads, &self.accounts.replies));
    }

    fn send_data(&self, client: ClientId, opcode: u8, payload: &[u8]) {
        self.send_slab(client, slab::single(opcode, payload, &self.accounts.replies));
    }

    fn send_slab(&self, client: ClientId, slab: Arc<Slab>) {
        let subscription = Subscription { reply: Some(slab), ..Subscription::default() };
        self.send_ordered(client, Command::Subscribe(client, subscription));
    }

    /// Asks for `News::Drained` when no reply waits.
    pub fn ask_drained(&self, client: ClientId) {
        self.send_ordered(client, Command::AskDrained(client));
    }

    /// Asks for `News::Room` when there is room.
    pub fn ask_room(&self, client: ClientId) {
        self.send_ordered(client, Command::AskRoom(client));
    }

    /// Closes it if its replies stand past their bound and it has taken nothing since the last time. `unsent`: bytes
    /// that the kernel has for it now.
    pub fn judge_replies(&self, client: ClientId, unsent: usize) {
        self.send_ordered(client, Command::JudgeReplies(client, unsent));
    }

    /// Changes what a client gets, then queues the reply.
    pub fn subscribe(&self, client: ClientId, joined: &[&str], left: &[&str], reply: Option<&[u8]>) {
        let reply = reply.map(|payload| slab::single(frame::TEXT, payload, &self.accounts.replies));
        let mut state = self.state.lock();
        if let Some(change) = state.registry.subscribe(client, joined, left) {
            let subscription = Subscription { joined: change.joined, left: change.left, reply };
            self.send(client.shard(), Command::Subscribe(client, subscription));
        }
    }

    /// A client's groups, sorted.
    pub fn groups_of(&self, client: ClientId) -> Vec<String> {
        self.state.lock().registry.groups_of(client).into_iter().map(str::to_owned).collect()
    }
}
