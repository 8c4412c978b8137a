//! Events for other nodes: queue entries in; out come client frames of the relay era, encoded and masked once for all
//! links, or the texts themselves for an engine, or both.
//!
//! A frame's text is `{"group": G, "message": {"type": "internal.message", "text": TEXT}}`, as AWX's wsrelay sends it.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::error::Reject;
use crate::links::packets::Packets;
use crate::links::share::{Bundle, Spare};
use crate::wire::entry_format::EntryFormat;
use crate::wire::envelope::{self, Envelope};
use crate::wire::frame;
use crate::wire::peer_event::{self, EVENT_TYPE};

const BEFORE_TEXT: &str = "\", \"message\": {\"type\": \"internal.message\", \"text\": \"";
const AFTER_TEXT: &str = "\"}}";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// What became of the entries so far, each counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries that were taken from the queue.
    pub received: u64,
    /// Entries that became frames or texts.
    pub encoded: u64,
    /// Entries without `needs_relay`: other nodes have them already, which is what stops loops. Notices are none, too.
    pub not_for_relay: u64,
    /// Entries for channels that nobody holds any more.
    pub no_group: u64,
    /// Entries that are no events, by `Reject::index`.
    pub rejected: [u64; Reject::ALL.len()],
}

/// Who gets the events.
pub trait Sink {
    /// Takes one event of `group`; whether it is not too long. `framer` makes frames.
    fn push(&mut self, framer: &mut Framer, group: &Arc<str>, text: &str) -> bool;

    /// Takes one that a producer of the broadcast era sent for all nodes. Links get these from the server dialled.
    fn push_copy(&mut self, _group: &str, _text: &str) {}
}

impl Sink for Bundle {
    fn push(&mut self, framer: &mut Framer, group: &Arc<str>, text: &str) -> bool {
        framer.push(group, text, self)
    }
}

/// An engine, and links if there are any. A frame that is too long is none of the engine's troubles.
impl Sink for (Option<Bundle>, Packets) {
    fn push(&mut self, framer: &mut Framer, group: &Arc<str>, text: &str) -> bool {
        self.1.add(group, text);
        self.0.as_mut().is_none_or(|bundle| framer.push(group, text, bundle))
    }

    fn push_copy(&mut self, group: &str, text: &str) {
        self.1.add(&group.into(), text);
    }
}

/// Turns entries of this process's queue into events for other nodes.
#[derive(Debug)]
pub struct LinkEncoder {
    format: Arc<EntryFormat>,
    groups: HashMap<Box<str>, Arc<str>>,
    backplane: Option<Box<str>>,
    framer: Framer,
    spare: Spare,
    counts: Counts,
}

impl LinkEncoder {
    /// `format`: how entries are written; `max_frame`: the longest text that peers take.
    #[must_use]
    pub fn new(format: Arc<EntryFormat>, max_frame: usize) -> Self {
        Self {
            format,
            groups: HashMap::new(),
            backplane: None,
            framer: Framer { max_frame, masks: Masks::default(), payload: Vec::new() },
            spare: Spare::default(),
            counts: Counts::default(),
        }
    }

    /// What comes in `group` are copies of events of the broadcast era, and notices.
    pub fn set_backplane(&mut self, group: &str) {
        self.backplane = Some(group.into());
    }

    /// Entries for the channel whose part after `!` is `local` are events of `group`.
    pub fn add_channel(&mut self, local: &str, group: &str) {
        self.groups.insert(local.into(), group.into());
    }

    /// They no longer are.
    pub fn remove_channel(&mut self, local: &str) {
        self.groups.remove(local);
    }

    /// What became of the entries so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// An empty bundle to encode entries into.
    #[must_use]
    pub fn begin(&self) -> Bundle {
        Bundle::new(&self.spare)
    }

    /// Gives the events of one entry to `sink`, or counts why there are none. `now` in Unix seconds.
    pub fn encode<S: Sink>(&mut self, entry: &[u8], now: u64, sink: &mut S) {
        self.counts.received += 1;
        let opened = self.format.open(entry, now);
        let decoded = opened.as_ref().map_err(|reason| *reason);
        match decoded.and_then(|opened| envelope::decode(opened.packed())) {
            Ok(envelope) if self.is_for_backplane(&envelope) => self.encode_copy(&envelope, sink),
            Ok(envelope) if self.is_for_relay(&envelope) => self.encode_event(&envelope, sink),
            Ok(_) => {}
            Err(reason) => self.reject(reason),
        }
    }

    /// The same for a message that was published for `group`.
    pub fn encode_published<S: Sink>(&mut self, group: &str, body: &[u8], sink: &mut S) {
        self.counts.received += 1;
        let opened = self.format.open(body, 0);
        let decoded = opened.as_ref().map_err(|reason| *reason);
        match decoded.and_then(|opened| envelope::decode_published(opened.packed())) {
            Ok(envelope) if self.backplane.as_deref() == Some(group) => self.encode_copy(&envelope, sink),
            Ok(envelope) if self.is_for_relay(&envelope) => self.encode_for(vec![group.into()], &envelope, sink),
            Ok(_) => {}
            Err(reason) => self.reject(reason),
        }
    }

    /// Whether it is an event that other nodes have not got yet; why not is counted.
    fn is_for_relay(&mut self, envelope: &Envelope<'_>) -> bool {
        match check(envelope) {
            Ok(()) if envelope.needs_relay => return true,
            Ok(()) => self.counts.not_for_relay += 1,
            Err(reason) => self.reject(reason),
        }
        false
    }

    fn is_for_backplane(&self, envelope: &Envelope<'_>) -> bool {
        let Some(backplane) = self.backplane.as_deref() else { return false };
        let mut locals = envelope.channels.iter().filter_map(|name| name.split_once('!'));
        locals.any(|(_, local)| self.groups.get(local).is_some_and(|group| **group == *backplane))
    }

    fn encode_copy<S: Sink>(&mut self, envelope: &Envelope<'_>, sink: &mut S) {
        if envelope.kind != Some(EVENT_TYPE) {
            self.counts.not_for_relay += 1;
            return;
        }
        let backplane = self.backplane.as_deref().unwrap_or_default();
        match envelope.text.and_then(|text| peer_event::decode_copy(text, backplane)) {
            Ok(event) => {
                sink.push_copy(&event.group, &event.text);
                self.counts.encoded += 1;
            }
            Err(reason) => self.reject(reason),
        }
    }

    fn encode_event<S: Sink>(&mut self, envelope: &Envelope<'_>, sink: &mut S) {
        let locals = envelope.channels.iter().filter_map(|name| name.split_once('!'));
        let groups = locals.filter_map(|(_, local)| self.groups.get(local).cloned()).collect();
        self.encode_for(groups, envelope, sink);
    }

    fn encode_for<S: Sink>(&mut self, groups: Vec<Arc<str>>, envelope: &Envelope<'_>, sink: &mut S) {
        let text = match envelope.text {
            Ok(text) => text,
            Err(reason) => return self.reject(reason),
        };
        if groups.is_empty() {
            self.counts.no_group += 1;
            return;
        }
        for group in groups {
            if !sink.push(&mut self.framer, &group, text) {
                return self.reject(Reject::TooLarge);
            }
        }
        self.counts.encoded += 1;
    }

    fn reject(&mut self, reason: Reject) {
        self.counts.rejected[reason.index()] += 1;
    }
}

/// Makes frames of texts.
#[derive(Debug)]
pub struct Framer {
    max_frame: usize,
    masks: Masks,
    payload: Vec<u8>,
}

impl Framer {
    /// Whether the frame is one that peers take.
    fn push(&mut self, group: &Arc<str>, text: &str, bundle: &mut Bundle) -> bool {
        self.payload.clear();
        self.payload.extend_from_slice(b"{\"group\": \"");
        push_escaped(&mut self.payload, group);
        self.payload.extend_from_slice(BEFORE_TEXT.as_bytes());
        push_escaped(&mut self.payload, text);
        self.payload.extend_from_slice(AFTER_TEXT.as_bytes());
        if self.payload.len() > self.max_frame {
            return false;
        }
        let mask = self.masks.next();
        bundle.push(Arc::clone(group), |bytes| frame::push_masked_frame(bytes, frame::TEXT, &self.payload, mask));
        true
    }
}

/// Only events are passed on.
fn check(envelope: &Envelope<'_>) -> Result<(), Reject> {
    match envelope.kind {
        Some(EVENT_TYPE) => Ok(()),
        Some(_) => Err(Reject::UnknownType),
        None => Err(Reject::NoType),
    }
}

/// Masking keys that nobody who sees some of them can foretell (RFC 6455 section 5.3): a keyed hash of a counter.
#[derive(Debug, Default)]
struct Masks {
    key: RandomState,
    counter: u64,
}

impl Masks {
    fn next(&mut self) -> [u8; 4] {
        self.counter += 1;
        let [a, b, c, d, ..] = self.key.hash_one(self.counter).to_ne_bytes();
        [a, b, c, d]
    }
}

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7); only what must be escaped is.
fn push_escaped(buffer: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        buffer.extend_from_slice(&bytes[copied..index]);
        push_escape(buffer, byte);
        copied = index + 1;
    }
    buffer.extend_from_slice(&bytes[copied..]);
}

fn push_escape(buffer: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => buffer.extend_from_slice(&[b'\\', byte]),
        b'\n' => buffer.extend_from_slice(b"\\n"),
        b'\r' => buffer.extend_from_slice(b"\\r"),
        b'\t' => buffer.extend_from_slice(b"\\t"),
        _ => {
            buffer.extend_from_slice(b"\\u00");
            buffer.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}
