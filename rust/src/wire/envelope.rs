//! What a producer puts on Redis: `channels_redis`' msgpack map, read in place.
//!
//! The shape is that of channel-layer messages written by `channels_redis` 2.4 to 4.3 with its msgpack serializer:
//! the message's own keys, plus `__asgi_channel__` with the names of all channels of this process that it is for.

mod msgpack;
mod notice;

use std::str;

use crate::error::Reject;
use msgpack::{Reader, Value};
pub use notice::{Notice, decode_notice, is_notice};

/// The key of a published message that a process has passed on from another node: its channel names begin so.
const PASSED_ON_BY: &str = "__awxfast_from__";

/// One entry of the queue; everything borrows from its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The message's `type`; what no handler is chosen for may do without.
    pub kind: Option<&'a str>,
    /// What subscribers get, byte for byte; or why there is nothing to deliver, which is normal for other types.
    pub text: Result<&'a str, Reject>,
    /// Set by producers of the relay era (AWX 22 on) on what other nodes want as well.
    pub needs_relay: bool,
    /// Which process has passed it on from another node, where that would get it back.
    pub passed_on_by: Option<&'a str>,
    /// Whom it is for.
    pub channels: Channels<'a>,
}

/// Decodes `body`, an entry less its random prefix. Which types are delivered is the caller's decision.
///
/// Keys come in any order, of equal ones the last counts (as in Python), unknown ones are skipped.
///
/// # Errors
///
/// `Malformed`, or, of an entry without channels, `NoType`, `NoText`, `NotUtf8` or `NoChannel`, in this precedence.
pub fn decode(body: &[u8]) -> Result<Envelope<'_>, Reject> {
    let fields = Fields::read_all(body)?;
    let channels = Channels::check(fields.channels)?;
    let kind = fields.kind()?;
    let text = fields.text();
    let Some(channels) = channels else {
        let faults = [kind.is_none().then_some(Reject::NoType), text.err()];
        return Err(faults.into_iter().flatten().next().unwrap_or(Reject::NoChannel));
    };
    Ok(Envelope { kind, text, needs_relay: fields.needs_relay, passed_on_by: None, channels })
}

/// The same of a message that was published: where it was says whom it is for, and nothing in it does.
///
/// # Errors
///
/// `Malformed`.
pub fn decode_published(body: &[u8]) -> Result<Envelope<'_>, Reject> {
    let fields = Fields::read_all(body)?;
    let (kind, text, passed_on_by) = (fields.kind()?, fields.text(), fields.passed_on_by()?);
    Ok(Envelope { kind, text, needs_relay: fields.needs_relay, passed_on_by, channels: Channels::NONE })
}

/// The names in `__asgi_channel__`, checked by [`decode`] and read again by each iteration, so that nothing is
/// allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channels<'a> {
    names: Names<'a>,
}

/// `group_send` writes a list even for one name, `send` writes the name itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names<'a> {
    One(&'a str),
    List { count: usize, items: &'a [u8] },
}

impl<'a> Channels<'a> {
    const NONE: Self = Channels { names: Names::List { count: 0, items: &[] } };

    fn check(value: Value<'a>) -> Result<Option<Self>, Reject> {
        let names = match value {
            Value::Str(bytes) => Names::One(utf8(bytes)?),
            Value::Array { count, items } if are_names(count, items)? => Names::List { count, items },
            _ => return Ok(None),
        };
        Ok(Some(Self { names }))
    }

    /// The names, in the producer's order.
    #[must_use]
    pub fn iter(&self) -> ChannelsIter<'a> {
        match self.names {
            Names::One(name) => ChannelsIter { one: Some(name), left: 0, list: Reader::new(&[]) },
            Names::List { count, items } => ChannelsIter { one: None, left: count, list: Reader::new(items) },
        }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.names {
            Names::One(_) => 1,
            Names::List { count, .. } => count,
        }
    }

    /// Whether it is for nobody: an empty list, which stock producers don't write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for &Channels<'a> {
    type Item = &'a str;
    type IntoIter = ChannelsIter<'a>;

    fn into_iter(self) -> ChannelsIter<'a> {
        self.iter()
    }
}

/// Iterates over [`Channels`].
#[derive(Clone, Debug)]
pub struct ChannelsIter<'a> {
    one: Option<&'a str>,
    left: usize,
    list: Reader<'a>,
}

impl<'a> Iterator for ChannelsIter<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.left == 0 {
            return self.one.take();
        }
        self.left -= 1;
        match self.list.value() {
            Ok(Value::Str(bytes)) => str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

fn are_names(count: usize, items: &[u8]) -> Result<bool, Reject> {
    let mut reader = Reader::new(items);
    let mut all = true;
    for _ in 0..count {
        // Goes on after a value that is no name: of two faults, bytes that are not UTF-8 are the graver.
        match reader.value()? {
            Value::Str(bytes) => {
                utf8(bytes)?;
            }
            _ => all = false,
        }
    }
    Ok(all)
}

/// The names in an array that has nothing else.
fn names_of(count: usize, items: &[u8]) -> Result<Vec<&str>, Reject> {
    let mut reader = Reader::new(items);
    let names = (0..count).map(|_| match reader.value()? {
        Value::Str(bytes) => utf8(bytes),
        _ => Err(Reject::Malformed),
    });
    names.collect()
}

fn utf8(bytes: &[u8]) -> Result<&str, Reject> {
    str::from_utf8(bytes).map_err(|_| Reject::Malformed)
}

fn utf8_of(value: Value<'_>) -> Result<Option<&str>, Reject> {
    match value {
        Value::Str(bytes) => utf8(bytes).map(Some),
        _ => Ok(None),
    }
}

/// The last value of each key that means something here.
struct Fields<'a> {
    kind: Value<'a>,
    text: Value<'a>,
    needs_relay: bool,
    passed_on_by: Value<'a>,
    channels: Value<'a>,
}

impl<'a> Fields<'a> {
    fn read_all(body: &'a [u8]) -> Result<Self, Reject> {
        let mut reader = Reader::new(body);
        let fields = Self::read(&mut reader)?;
        if reader.is_empty() { Ok(fields) } else { Err(Reject::Malformed) }
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, Reject> {
        let mut fields = Self {
            kind: Value::Other,
            text: Value::Other,
            needs_relay: false,
            passed_on_by: Value::Other,
            channels: Value::Other,
        };
        for _ in 0..reader.map()? {
            let Value::Str(key) = reader.value()? else {
                return Err(Reject::Malformed);
            };
            fields.set(utf8(key)?, reader.value()?);
        }
        Ok(fields)
    }

    fn set(&mut self, key: &str, value: Value<'a>) {
        match key {
            "type" => self.kind = value,
            "text" => self.text = value,
            "needs_relay" => self.needs_relay = matches!(value, Value::True),
            "__asgi_channel__" => self.channels = value,
            PASSED_ON_BY => self.passed_on_by = value,
            _ => {}
        }
    }

    fn kind(&self) -> Result<Option<&'a str>, Reject> {
        utf8_of(self.kind)
    }

    fn passed_on_by(&self) -> Result<Option<&'a str>, Reject> {
        utf8_of(self.passed_on_by)
    }

    fn text(&self) -> Result<&'a str, Reject> {
        match self.text {
            Value::Str(bytes) => str::from_utf8(bytes).map_err(|_| Reject::NotUtf8),
            _ => Err(Reject::NoText),
        }
    }
}
