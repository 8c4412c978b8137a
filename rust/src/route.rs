//! Where an entry of the queue goes: straight to sockets, to Python for its consumers, or nowhere.

use crate::batch::Batch;
use crate::envelope::{self, Envelope};
use crate::error::Reject;
use crate::ledger::Events;
use crate::registry::{Consumer, Registry};

/// One entry of the process's queue.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The member of the sorted set.
    pub member: &'a [u8],
    /// Its score: when the producer sent it, in Unix seconds.
    pub score: f64,
}

/// What entries look like, and which messages bypass consumers.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Random bytes before each entry.
    pub prefix_length: usize,
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

/// What becomes of the entries of one publish call.
#[derive(Default)]
pub struct Routes<'a> {
    /// Frames for sockets.
    pub batch: Batch<'a>,
    /// Messages for consumers, in order.
    pub handed_out: Vec<HandedOut>,
    entries: usize,
}

impl<'a> Routes<'a> {
    /// Finds the takers of the next entry, and counts it.
    pub fn add(&mut self, entry: &Entry<'a>, rules: &Rules, registry: &Registry, events: &mut Events) {
        let index = self.entries;
        self.entries += 1;
        events.received += 1;
        match rules.decode(entry.member).and_then(|envelope| self.route(index, &envelope, entry.score, rules, registry))
        {
            Ok(true) => events.routed += 1,
            Ok(false) => events.no_subscriber += 1,
            Err(reason) => events.rejected[reason.index()] += 1,
        }
    }

    /// Whether there is a taker.
    fn route(
        &mut self,
        index: usize,
        envelope: &Envelope<'a>,
        score: f64,
        rules: &Rules,
        registry: &Registry,
    ) -> Result<bool, Reject> {
        let text = match rules.direct_text(envelope) {
            Ok(text) => Some(text),
            Err(_) if rules.consumers => None,
            Err(reason) => return Err(reason),
        };
        let mut taken = false;
        if let Some(text) = text {
            let groups = envelope.channels.iter().filter_map(|channel| registry.resolve(channel));
            taken = self.batch.push(text, score, groups);
        }
        if rules.consumers {
            taken |= self.hand_out(index, envelope, text.is_some(), registry);
        }
        Ok(taken)
    }

    fn hand_out(&mut self, index: usize, envelope: &Envelope<'_>, direct: bool, registry: &Registry) -> bool {
        let mut message = HandedOut { entry: index, direct, groups: Vec::new(), channels: Vec::new() };
        for channel in &envelope.channels {
            match registry.consumer(channel, direct) {
                Some(Consumer::Group(group)) => message.groups.push(group.to_owned()),
                Some(Consumer::Channel(local)) => message.channels.push(local.to_owned()),
                None => {}
            }
        }
        let wanted = !message.groups.is_empty() || !message.channels.is_empty();
        if wanted {
            self.handed_out.push(message);
        }
        wanted
    }
}

impl Rules {
    fn decode<'a>(&self, member: &'a [u8]) -> Result<Envelope<'a>, Reject> {
        if member.len() > self.max_event_size {
            return Err(Reject::TooLarge);
        }
        let envelope = envelope::decode(member.get(self.prefix_length..).ok_or(Reject::Malformed)?)?;
        match envelope.text {
            // Python could not read it either.
            Err(Reject::NotUtf8) if self.consumers => Err(Reject::NotUtf8),
            _ => Ok(envelope),
        }
    }

    /// What sockets get; or why it is not for them.
    fn direct_text<'a>(&self, envelope: &Envelope<'a>) -> Result<&'a str, Reject> {
        let kind = envelope.kind.ok_or(Reject::NoType)?;
        if self.direct_types.iter().any(|direct| direct == kind) { envelope.text } else { Err(Reject::UnknownType) }
    }
}
