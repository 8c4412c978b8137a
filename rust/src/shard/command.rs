//! What a shard can be told to do, and what it can tell.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc;

use crate::ledger::LinkTally;
use crate::routing::registry::{ClientId, GroupId};
use crate::routing::slab::{Run, Slab};
use crate::shard::client::FrozenClient;

/// What a shard is told to do.
#[derive(Debug)]
pub enum Command {
    /// A new client and the duplicate of its descriptor; what is counted for it if it is a node.
    Attach(ClientId, OwnedFd, Option<Arc<LinkTally>>),
    /// The same for one of another process, which has stopped in the middle of it.
    Adopt(ClientId, OwnedFd, Option<Arc<LinkTally>>, Box<FrozenClient>),
    /// Say how all clients stand, then do nothing at all until the receiver has something, or is left alone.
    Freeze(mpsc::Sender<Vec<(ClientId, FrozenClient)>>, mpsc::Receiver<()>),
    /// A client is gone; it was in these groups.
    Detach(ClientId, Vec<GroupId>),
    /// A client's groups change, then it gets the reply.
    Subscribe(ClientId, Subscription),
    /// Queue this PING frame.
    Ping(ClientId, Vec<u8>),
    /// PONGs wait in `Answers`.
    Answer(ClientId),
    /// Queue a CLOSE frame; nothing follows it.
    Close(ClientId, Closing),
    /// Give `News::Drained` when no reply waits.
    AskDrained(ClientId),
    /// Give `News::Room` when the queue is below its bound.
    AskRoom(ClientId),
    /// Close it if its replies stand past their bound and it has taken nothing since the last time this was asked.
    /// The number: bytes that the kernel still has for it.
    JudgeReplies(ClientId, usize),
    /// Queue frames for the members of groups.
    Publish(Arc<Slab>, Arc<[Run]>),
    /// Say what waits for each client.
    Report(mpsc::Sender<Vec<Backlog>>),
    /// End the thread of the shard.
    Stop,
}

/// A change of a client's groups.
#[derive(Debug, Default)]
pub struct Subscription {
    /// The groups that it joins.
    pub joined: Vec<GroupId>,
    /// The groups that it leaves.
    pub left: Vec<GroupId>,
    /// What it is told, after the change.
    pub reply: Option<Arc<Slab>>,
}

/// How a client is closed.
#[derive(Debug)]
pub struct Closing {
    /// The groups it was in.
    pub left: Vec<GroupId>,
    /// The bytes of the CLOSE frame.
    pub frame: Vec<u8>,
    /// What waits is lost, but for the frame begun.
    pub drop: bool,
}

/// The state of one client's queue.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// The client that it waits for.
    pub client: ClientId,
    /// Data frames that wait.
    pub frames: usize,
    /// Bytes of the frames that wait.
    pub bytes: usize,
    /// Frames shed so far.
    pub shed: u64,
    /// The age of the oldest frame that waits, in seconds.
    pub oldest: f64,
}
