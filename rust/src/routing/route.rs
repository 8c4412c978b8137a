//! Where an entry of the queue goes: straight to sockets, to Python for its consumers, or nowhere.

use std::sync::Arc;

use crate::error::Reject;
use crate::ledger::Events;
use crate::routing::backplane::Backplane;
use crate::routing::batch::Batch;
use crate::routing::registry::{Consumer, GroupId, NOTICES, Registry};
use crate::wire::entry_format::{EntryFormat, Opened, Serializer};
use crate::wire::envelope::{self, Envelope, decode_notice, is_notice};
use crate::wire::peer_event::{self, PeerEvent};

/// One entry of the process's queue.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// As it stood in the queue: a member of its sorted set.
    pub bytes: &'a [u8],
    /// Its score: when the producer sent it, in Unix seconds.
    pub score: f64,
}

/// A message as it was published: nothing in it says whom it is for, and nothing when it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Published<'a> {
    /// Whom it is for.
    pub to: Recipient<'a>,
    /// The message, which is all that was published.
    pub body: &'a [u8],
}

/// Whom a published message is for, by where it was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// All members of this group.
    Group(&'a str),
    /// A channel of this process: the part of its name that is its own.
    Channel(&'a str),
}

/// An entry that was taken from the queue, or a message that was published, as far as it can be read whatever it says.
#[derive(Debug)]
pub struct Received<'a> {
    opened: Result<Opened<'a>, Reject>,
    /// Where it was published; of an entry the envelope's channels say whom it is for.
    to: Option<&'a Recipient<'a>>,
    score: f64,
}

impl Received<'_> {
    /// The message as its serializer wrote it; empty if there is none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.opened.as_ref().map(Opened::body).unwrap_or_default()
    }
}

/// What entries look like, and which messages bypass consumers.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How they are written.
    pub format: Arc<EntryFormat>,
    /// The largest entry that is an event.
    pub max_event_size: usize,
    /// Types of messages whose `text` goes straight to the sockets in a group.
    pub direct_types: Vec<String>,
    /// Python has consumers: messages of other types are theirs, and no fault when nobody takes them.
    pub consumers: bool,
}

/// A message for consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// Its place among the entries.
    pub entry: usize,
    /// It went to sockets as well, or would have: only consumers without one want it.
    pub direct: bool,
    /// Groups whose consumers get it.
    pub groups: Vec<String>,
    /// Channels that get it: their names' parts after `!`.
    pub channels: Vec<String>,
}

/// An event of a peer, and who takes it in this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed<'a> {
    /// The event that a peer sent.
    pub event: PeerEvent<'a>,
    /// Somebody takes it. If not, other processes of the group may; then it is not counted yet.
    pub taken: bool,
    /// Consumers are among those; `Some(true)`: sockets as well, only consumers without one want it.
    pub consumers: Option<bool>,
}

/// What becomes of the entries of one publish call.
#[derive(Default)]
pub struct Routes<'a> {
    /// Frames that go to sockets.
    pub batch: Batch<'a>,
    /// Messages for consumers, in order.
    pub handed_out: Vec<HandedOut>,
    entries: usize,
}

impl<'a> Routes<'a> {
    /// Finds the takers of the next entry, and counts it.
    pub fn add(&mut self, entry: &'a Received<'_>, rules: &Rules, registry: &Registry, events: &mut Events) {
        let index = self.entries;
        self.entries += 1;
        let taken = match &entry.opened {
            Ok(opened) => self.add_opened(index, entry, opened, rules, registry),
            Err(reason) => Err(*reason),
        };
        if let Some(taken) = taken.transpose() {
            events.count(taken);
        }
    }

    /// Whether there is a taker; nothing for what is no event.
    fn add_opened(
        &mut self,
        index: usize,
        entry: &'a Received<'_>,
        opened: &'a Opened<'_>,
        rules: &Rules,
        registry: &Registry,
    ) -> Result<Option<bool>, Reject> {
        let letter = Letter { envelope: rules.decode(entry, opened)?, to: entry.to.copied(), score: entry.score };
        if letter.comes_back(registry) || self.tell_links(opened, &letter, registry) {
            return Ok(None);
        }
        self.route(index, &letter, rules, registry).map(Some)
    }

    /// Passes a notice on, which is no event, to links of the relay era. False: it is not that.
    fn tell_links(&mut self, opened: &Opened<'_>, letter: &Letter<'a>, registry: &Registry) -> bool {
        if !letter.envelope.kind.is_some_and(is_notice) {
            return false;
        }
        let Some(backplane) = letter.backplane(registry) else { return false };
        match decode_notice(opened.packed()) {
            Ok(notice) if backplane.hears(notice.origin) => {
                self.batch.push(notice.to_text(), letter.score, registry.find(NOTICES).into_iter());
                true
            }
            Ok(_) => true,
            Err(_) => false,
        }
    }

    /// Finds this process's takers of a peer's event: whether there are any, and what consumers are to be told.
    pub fn add_peer_event(
        &mut self,
        event: &'a PeerEvent<'a>,
        score: f64,
        rules: &Rules,
        registry: &Registry,
    ) -> (bool, Option<bool>) {
        let direct = rules.is_direct(peer_event::EVENT_TYPE);
        let group = if direct { registry.find(&event.group) } else { None };
        let sockets = self.batch.push(&*event.text, score, group.into_iter());
        let consumers = rules.consumers && registry.has_consumers(&event.group, direct);
        (sockets || consumers, consumers.then_some(direct))
    }

    /// Whether there is a taker.
    fn route(&mut self, index: usize, letter: &Letter<'a>, rules: &Rules, registry: &Registry) -> Result<bool, Reject> {
        let text = match rules.direct_text(&letter.envelope) {
            Ok(text) => Some(text),
            Err(_) if letter.is_for_links(registry) => letter.envelope.text.ok(),
            Err(_) if rules.consumers => None,
            Err(reason) => return Err(reason),
        };
        let mut taken = false;
        if let Some(text) = text {
            taken = self.batch.push(text, letter.score, letter.groups(registry));
        }
        if rules.consumers {
            taken |= self.hand_out(index, letter, text.is_some(), registry);
        }
        Ok(taken)
    }

    fn hand_out(&mut self, index: usize, letter: &Letter<'_>, direct: bool, registry: &Registry) -> bool {
        let mut message = HandedOut { entry: index, direct, groups: Vec::new(), channels: Vec::new() };
        for consumer in letter.consumers(direct, registry) {
            match consumer {
                Consumer::Group(group) => message.groups.push(group.to_owned()),
                Consumer::Channel(local) => message.channels.push(local.to_owned()),
            }
        }
        let wanted = !message.groups.is_empty() || !message.channels.is_empty();
        if wanted {
            self.handed_out.push(message);
        }
        wanted
    }
}

/// A decoded message, and all that says whom it is for.
struct Letter<'a> {
    envelope: Envelope<'a>,
    to: Option<Recipient<'a>>,
    score: f64,
}

impl Letter<'_> {
    /// Whether this process has published it itself, of what another node sent: it has it already.
    fn comes_back(&self, registry: &Registry) -> bool {
        self.envelope.passed_on_by.is_some_and(|process| registry.is_own(process))
    }

    /// The groups that it is for and that have members.
    fn groups(&self, registry: &Registry) -> impl Iterator<Item = GroupId> {
        let published = self.group().and_then(|group| registry.find(group));
        published.into_iter().chain(self.envelope.channels.iter().filter_map(|channel| registry.resolve(channel)))
    }

    /// Those whom Python serves.
    fn consumers<'s>(&'s self, direct: bool, registry: &'s Registry) -> impl Iterator<Item = Consumer<'s>> {
        let published = match self.to {
            Some(Recipient::Group(group)) => registry.has_consumers(group, direct).then_some(Consumer::Group(group)),
            Some(Recipient::Channel(local)) => registry.own_channel(local),
            None => None,
        };
        let named = self.envelope.channels.iter().filter_map(move |channel| registry.consumer(channel, direct));
        published.into_iter().chain(named)
    }

    /// The backplane, if it is for its group.
    fn backplane<'r>(&self, registry: &'r Registry) -> Option<&'r Backplane> {
        let published = self.group().and_then(|group| registry.backplane_in(group));
        published.or_else(|| self.envelope.channels.iter().find_map(|channel| registry.backplane_of(channel)))
    }

    /// Whether links get it although the application's sockets would not.
    fn is_for_links(&self, registry: &Registry) -> bool {
        self.envelope.kind == Some(peer_event::EVENT_TYPE) && self.backplane(registry).is_some()
    }

    fn group(&self) -> Option<&str> {
        match self.to {
            Some(Recipient::Group(group)) => Some(group),
            _ => None,
        }
    }
}

impl Rules {
    /// Reads an entry as far as that needs no knowledge of who wants it. `now` in Unix seconds.
    #[must_use]
    pub fn receive<'a>(&self, entry: &Entry<'a>, now: u64) -> Received<'a> {
        Received { opened: self.open(entry.bytes, now), to: None, score: entry.score }
    }

    /// The same for a published message, which came at `now`: nobody knows when it was sent.
    #[must_use]
    pub fn receive_published<'a>(&self, message: &'a Published<'a>, now: f64) -> Received<'a> {
        // No layer lets such messages get too old.
        Received { opened: self.open(message.body, 0), to: Some(&message.to), score: now }
    }

    fn open<'a>(&self, bytes: &'a [u8], now: u64) -> Result<Opened<'a>, Reject> {
        if bytes.len() > self.max_event_size { Err(Reject::TooLarge) } else { self.format.open(bytes, now) }
    }

    fn decode<'a>(&self, entry: &Received<'_>, opened: &'a Opened<'_>) -> Result<Envelope<'a>, Reject> {
        let envelope = match entry.to {
            Some(_) => envelope::decode_published(opened.packed())?,
            None => envelope::decode(opened.packed())?,
        };
        match envelope.text {
            // Python could not read it either; of JSON it can.
            Err(Reject::NotUtf8) if self.consumers && self.format.serializer() == Serializer::Msgpack => {
                Err(Reject::NotUtf8)
            }
            _ => Ok(envelope),
        }
    }

    /// What sockets get; or why it is not for them.
    fn direct_text<'a>(&self, envelope: &Envelope<'a>) -> Result<&'a str, Reject> {
        let kind = envelope.kind.ok_or(Reject::NoType)?;
        if self.is_direct(kind) { envelope.text } else { Err(Reject::UnknownType) }
    }

    fn is_direct(&self, kind: &str) -> bool {
        self.direct_types.iter().any(|direct| direct == kind)
    }
}
