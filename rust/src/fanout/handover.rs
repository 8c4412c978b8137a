//! The end of a fan-out in one process, and its beginning in the next.
//!
//! `freeze` stops the threads and leaves an estate; until the next process has taken that, `thaw` goes on as if nothing
//! had been. The next one reads it with `inherit`, then takes each client by the number that it had.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};

use super::{Fanout, State};
use crate::handover::{Counted, Estate, LeftClient, count_frames};
use crate::ledger::{Frames, LinkTally};
use crate::routing::registry::ClientId;
use crate::shard::client::FrozenClient;
use crate::shard::command::Command;
use crate::shard::queues::Load;

/// How long the threads may take to stop: each ends the pass that it is in.
const FREEZE_WAIT: Duration = Duration::from_secs(2);

impl Fanout {
    /// Stops the threads between two writes, and writes down all that there is into a memory file.
    ///
    /// Nobody may use the fan-out until `thaw`.
    ///
    /// # Errors
    ///
    /// When a thread does not stop in time, or the file can't be had or written. Then all goes on.
    pub fn freeze(&self) -> io::Result<OwnedFd> {
        let estate = self.stop_threads().and_then(|clients| self.write_estate(clients));
        if estate.is_err() {
            self.thaw();
        }
        estate
    }

    fn stop_threads(&self) -> io::Result<Vec<(ClientId, FrozenClient)>> {
        let (answer, answers) = mpsc::channel();
        for shared in &self.shards {
            let (thaw, thawed) = mpsc::channel();
            self.frozen.lock().push(thaw);
            shared.commands.send(Command::Freeze(answer.clone(), thawed), Load::default());
        }
        let mut clients = Vec::new();
        for _ in &self.shards {
            let more = answers.recv_timeout(FREEZE_WAIT);
            clients.extend(more.map_err(|_| io::Error::other("a thread of the fan-out does not stop"))?);
        }
        Ok(clients)
    }

    fn write_estate(&self, frozen: Vec<(ClientId, FrozenClient)>) -> io::Result<OwnedFd> {
        let state = self.state.lock();
        let mut estate = Estate { counted: self.count_all(&state), ..Estate::default() };
        for (id, is_link, groups) in state.registry.list_clients() {
            let groups = groups.into_iter().map(|group| state.registry.name(group).into()).collect();
            let left = LeftClient { groups, link: is_link.then(Default::default), ..LeftClient::default() };
            estate.clients.insert(id, left);
        }
        for (id, one) in self.news.list() {
            if let Some(left) = estate.clients.get_mut(&id) {
                left.news.push(one);
            }
        }
        for (id, client) in frozen {
            if let Some(left) = estate.clients.get_mut(&id) {
                left.link = client.link.or(left.link);
                left.client = Some(client);
            }
        }
        drop(state);
        let file = File::from(memfd_create("awxfast-hand-over", MemfdFlags::CLOEXEC)?);
        let mut writer = estate.write(BufWriter::new(file), &self.accounts, Instant::now())?;
        writer.flush()?;
        Ok(writer.into_inner().map_err(io::IntoInnerError::into_error)?.into())
    }

    /// What waits is left out: clients count it where they are.
    fn count_all(&self, state: &State) -> Counted {
        let mut tally = state.inherited;
        for shared in &self.shards {
            tally += *shared.tally.lock();
        }
        tally.frames = Frames { pending: 0, places: [0; 2], ..tally.frames };
        let (events, gaps) = (state.events.clone(), state.gaps.clone());
        Counted { events, gaps, encodings: state.encodings, tally }
    }

    /// Lets the threads go on.
    pub fn thaw(&self) {
        self.frozen.lock().clear();
    }

    /// Lets the threads go on without the clients, which the next process has taken. Nothing is written to them.
    pub fn discard(&self) {
        for thread in self.frozen.lock().drain(..) {
            // One that has given up waiting is at its end.
            let _ = thread.send(());
        }
    }

    /// Reads what `freeze` of another process has written. Its counts go on here; its clients are taken one by one.
    ///
    /// # Errors
    ///
    /// When it can't be read, or has another format. Nothing has changed then.
    pub fn inherit(&self, file: OwnedFd) -> io::Result<()> {
        let file = File::from(file);
        let size = file.metadata()?.len();
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0))?;
        let estate = Estate::read(BufReader::new(file), size, &self.accounts, Instant::now())?;
        let Counted { events, gaps, encodings, tally } = estate.counted;
        let mut state = self.state.lock();
        (state.events, state.gaps, state.encodings, state.inherited) = (events, gaps, encodings, tally);
        *self.estate.lock() = estate.clients;
        Ok(())
    }

    /// Takes over the client that the other process called `former`: `attach` for one in the middle of its life. What was
    /// counted for it if it is a node.
    ///
    /// # Errors
    ///
    /// When no descriptor is left, or there is no such client.
    pub fn take_client(
        &self,
        socket: BorrowedFd<'_>,
        former: ClientId,
    ) -> io::Result<(ClientId, Option<Arc<LinkTally>>)> {
        let duplicate = self.duplicate(socket)?;
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no client of this number was handed over");
        let left = self.estate.lock().remove(&former).ok_or_else(unknown)?;
        let link = left.link.map(|frames| Arc::new(LinkTally::restore(frames)));
        let mut state = self.state.lock();
        let client = if link.is_some() { state.registry.add_link() } else { state.registry.add_client() };
        let command = match left.client {
            Some(frozen) => Command::Adopt(client, duplicate, link.clone(), Box::new(frozen)),
            None => Command::Attach(client, duplicate, link.clone()),
        };
        self.send(client.shard(), command);
        drop(state);
        let groups: Vec<&str> = left.groups.iter().map(|group| &**group).collect();
        self.subscribe(client, &groups, &[], None);
        for one in left.news {
            self.news.send(client, one);
        }
        Ok((client, link))
    }

    /// What nobody has taken is lost at close; how many clients that were. Then every thread has those that were taken.
    pub fn end_inheritance(&self) -> usize {
        let rest = std::mem::take(&mut *self.estate.lock());
        let frames: u64 = rest.values().map(count_frames).sum();
        self.state.lock().inherited.frames.lost_at_close += frames;
        self.wake();
        self.backlogs();
        rest.len()
    }
}
