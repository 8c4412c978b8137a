//! A fan-out as one process leaves it to the next: a record of all that is not Python's, and back.
//!
//! The frames that clients share stand in it once; what is counted goes on. Sockets are handed over beside it, by the
//! numbers that their clients had. Pure: the caller says what "now" is, and how old a slab is follows from it.

mod counts;
mod slabs;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::Instant;

use crate::ledger::{Events, Gaps, LinkFrames};
use crate::routing::registry::ClientId;
use crate::routing::slab::{Accounts, Class, Range};
use crate::shard::Tally;
use crate::shard::client::{Asked, Ending, FrozenClient};
use crate::shard::outbox::{Frozen, Waiting};
use crate::shard::queues::News;
use crate::wire::frame::Pongs;
use crate::wire::record::{RecordReader, RecordWriter, senseless};
use slabs::{Slabs, Table};

/// The version of the record. Another one is not read: whoever has it goes on as he is.
pub const FORMAT: u64 = 1;

/// What was counted; of the frames that wait each client says himself.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// What became of events.
    pub events: Events,
    /// Losses that are not counted in events.
    pub gaps: Gaps,
    /// Frames that were encoded.
    pub encodings: u64,
    /// Frames, writes and ages, of all shards; none is pending.
    pub tally: Tally,
}

/// A client as the registry and its shard knew it.
#[derive(Debug, Default)]
pub struct LeftClient {
    /// The groups that it is in.
    pub groups: Vec<Box<str>>,
    /// Of another node: what it got.
    pub link: Option<LinkFrames>,
    /// What Python has not been told.
    pub news: Vec<News>,
    /// None: its shard has given it up, of which news tells.
    pub client: Option<FrozenClient>,
}

/// All that a fan-out leaves.
#[derive(Debug, Default)]
pub struct Estate {
    /// What was counted up to now.
    pub counted: Counted,
    /// The clients, by the numbers that they had.
    pub clients: HashMap<ClientId, LeftClient>,
}

impl Estate {
    /// Writes the record.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn write<W: Write>(&self, sink: W, accounts: &Accounts, now: Instant) -> io::Result<W> {
        let mut record = RecordWriter::new(sink);
        record.number(FORMAT)?;
        counts::write(&self.counted, &mut record)?;
        let frozen = self.clients.values().filter_map(|left| left.client.as_ref());
        let slabs = Slabs::collect(frozen.flat_map(|client| &client.queue.items));
        slabs.write(&mut record, accounts, now)?;
        let names = self.number_groups();
        let mut listed: Vec<(&str, u64)> = names.iter().map(|(&name, &number)| (name, number)).collect();
        listed.sort_unstable_by_key(|&(_, number)| number);
        record.count(listed.len())?;
        listed.iter().try_for_each(|(name, _)| record.piece(name.as_bytes()))?;
        record.count(self.clients.len())?;
        for (id, left) in &self.clients {
            record.number(id.0)?;
            write_left(left, &names, &slabs, &mut record)?;
        }
        Ok(record.into_inner())
    }

    fn number_groups(&self) -> HashMap<&str, u64> {
        let mut numbers = HashMap::new();
        for group in self.clients.values().flat_map(|left| &left.groups) {
            let next = numbers.len() as u64;
            numbers.entry(&**group).or_insert(next);
        }
        numbers
    }

    /// Reads a record of `size` bytes; its slabs count in `accounts` from now on.
    ///
    /// # Errors
    ///
    /// When it can't be read, has another format or makes no sense.
    pub fn read(source: impl Read, size: u64, accounts: &Accounts, now: Instant) -> io::Result<Self> {
        let mut record = RecordReader::new(source, size);
        if record.number()? != FORMAT {
            return Err(senseless("another format"));
        }
        let counted = counts::read(&mut record)?;
        let slabs = Table::read(&mut record, accounts, now)?;
        let names = (0..record.count(8)?).map(|_| record.text()).collect::<io::Result<Vec<_>>>()?;
        let mut clients = HashMap::new();
        for _ in 0..record.count(8)? {
            let id = ClientId(record.number()?);
            clients.insert(id, read_left(&names, &slabs, &mut record)?);
        }
        Ok(Estate { counted, clients })
    }
}

fn write_left<W: Write>(
    left: &LeftClient,
    names: &HashMap<&str, u64>,
    slabs: &Slabs<'_>,
    record: &mut RecordWriter<W>,
) -> io::Result<()> {
    record.count(left.groups.len())?;
    left.groups.iter().try_for_each(|group| record.number(names.get(&**group).copied().unwrap_or_default()))?;
    record.count(usize::from(left.link.is_some()))?;
    if let Some(link) = &left.link {
        counts::write_link(link, record)?;
    }
    record.count(left.news.len())?;
    left.news.iter().try_for_each(|&one| record.number(one as u64))?;
    record.count(usize::from(left.client.is_some()))?;
    left.client.as_ref().map_or(Ok(()), |client| write_client(client, slabs, record))
}

fn read_left<R: Read>(names: &[String], slabs: &Table, record: &mut RecordReader<R>) -> io::Result<LeftClient> {
    let mut left = LeftClient::default();
    for _ in 0..record.count(8)? {
        let name = names.get(record.small::<usize>()?).ok_or_else(|| senseless("a group without a name"))?;
        left.groups.push(name.as_str().into());
    }
    left.link = if record.number()? == 0 { None } else { Some(counts::read_link(record)?) };
    for _ in 0..record.count(8)? {
        left.news.push(News::from_number(record.number()?).ok_or_else(|| senseless("unknown news"))?);
    }
    left.client = if record.number()? == 0 { None } else { Some(read_client(slabs, record)?) };
    Ok(left)
}

fn write_client<W: Write>(client: &FrozenClient, slabs: &Slabs<'_>, record: &mut RecordWriter<W>) -> io::Result<()> {
    let FrozenClient { asked, shed, ending, queue, link: _ } = client;
    record.numbers(&[asked.drained.into(), asked.room.into(), *shed, *ending as u64])?;
    record.count(queue.begun)?;
    record.count(queue.items.len())?;
    for (class, range) in &queue.items {
        record.numbers(&[*class as u64, slabs.number(range), range.from.into(), range.to.into()])?;
    }
    record.count(usize::from(queue.control.is_some()))?;
    let Some(waiting) = &queue.control else { return Ok(()) };
    record.piece(&waiting.begun)?;
    record.piece(waiting.ping.as_deref().unwrap_or_default())?;
    record.piece(waiting.pongs.as_bytes())?;
    record.piece(waiting.close.as_deref().unwrap_or_default())
}

fn read_client<R: Read>(slabs: &Table, record: &mut RecordReader<R>) -> io::Result<FrozenClient> {
    let asked = Asked { drained: record.number()? != 0, room: record.number()? != 0 };
    let shed = record.number()?;
    let ending = match record.number()? {
        0 => Ending::Open,
        1 => Ending::Closing,
        2 => Ending::Finished,
        _ => return Err(senseless("an unknown end of a client")),
    };
    let queue = read_queue(slabs, record)?;
    if !queue.is_whole() {
        return Err(senseless("a frame cut wrongly"));
    }
    Ok(FrozenClient { asked, shed, ending, queue, link: None })
}

fn read_queue<R: Read>(slabs: &Table, record: &mut RecordReader<R>) -> io::Result<Frozen> {
    let mut queue = Frozen { begun: record.small()?, ..Frozen::default() };
    for _ in 0..record.count(32)? {
        let class = match record.number()? {
            0 => Class::Event,
            1 => Class::Status,
            2 => Class::Reply,
            _ => return Err(senseless("an unknown class of frames")),
        };
        let (number, from, to) = (record.number()?, record.small()?, record.small()?);
        queue.items.push((class, slabs.range(number, from, to)?));
    }
    if record.number()? != 0 {
        let some = |piece: Vec<u8>| (!piece.is_empty()).then_some(piece);
        let (begun, ping) = (record.piece()?, some(record.piece()?));
        let mut pongs = Pongs::default();
        pongs.append(&record.piece()?);
        queue.control = Some(Waiting { begun, ping, pongs, close: some(record.piece()?) });
    }
    Ok(queue)
}

/// How many frames wait in ranges.
pub(crate) fn count_frames(left: &LeftClient) -> u64 {
    left.client.as_ref().map_or(0, |client| client.queue.frames() as u64)
}

/// Only `slabs` looks at a range's slab.
type Item = (Class, Range);
