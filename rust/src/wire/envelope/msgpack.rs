//! A reader of msgpack that allocates nothing and trusts no length: just what an envelope is made of.

use rmp::Marker;

use crate::error::Reject;

/// Containers inside one value; far more than a channel layer's message has, far less than costs anything.
const MAX_DEPTH: usize = 64;

/// A whole msgpack value, as far as envelopes care.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Str(&'a [u8]),
    Array { count: usize, items: &'a [u8] },
    True,
    Other,
}

/// The start of a msgpack value; lengths in bytes, counts in elements (of a map: pairs).
enum Head {
    Str(usize),
    Array(usize),
    Map(usize),
    True,
    /// Anything else, with this many bytes to come.
    Plain(usize),
}

/// A cursor over msgpack; a declared length is believed only as far as there are bytes.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Enters a map; returns how many pairs of values follow.
    pub(super) fn map(&mut self) -> Result<usize, Reject> {
        match self.head()? {
            Head::Map(count) => Ok(count),
            _ => Err(Reject::Malformed),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Reject> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Reject::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A big-endian length of `width` bytes.
    fn length(&mut self, width: usize) -> Result<usize, Reject> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn head(&mut self) -> Result<Head, Reject> {
        let marker = Marker::from_u8(self.take(1)?[0]);
        Ok(match marker {
            Marker::FixStr(length) => Head::Str(length.into()),
            Marker::Str8 => Head::Str(self.length(1)?),
            Marker::Str16 => Head::Str(self.length(2)?),
            Marker::Str32 => Head::Str(self.length(4)?),
            Marker::FixArray(count) => Head::Array(count.into()),
            Marker::Array16 => Head::Array(self.length(2)?),
            Marker::Array32 => Head::Array(self.length(4)?),
            Marker::FixMap(count) => Head::Map(count.into()),
            Marker::Map16 => Head::Map(self.length(2)?),
            Marker::Map32 => Head::Map(self.length(4)?),
            Marker::True => Head::True,
            plain => Head::Plain(self.plain_length(plain)?),
        })
    }

    fn plain_length(&mut self, marker: Marker) -> Result<usize, Reject> {
        match marker {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::False => Ok(0),
            Marker::U8 | Marker::I8 => Ok(1),
            Marker::U16 | Marker::I16 | Marker::FixExt1 => Ok(2),
            Marker::FixExt2 => Ok(3),
            Marker::U32 | Marker::I32 | Marker::F32 => Ok(4),
            Marker::FixExt4 => Ok(5),
            Marker::U64 | Marker::I64 | Marker::F64 => Ok(8),
            Marker::FixExt8 => Ok(9),
            Marker::FixExt16 => Ok(17),
            Marker::Bin8 => self.length(1),
            Marker::Bin16 => self.length(2),
            Marker::Bin32 => self.length(4),
            Marker::Ext8 => Ok(self.length(1)? + 1),
            Marker::Ext16 => Ok(self.length(2)? + 1),
            Marker::Ext32 => Ok(self.length(4)?.saturating_add(1)),
            _ => Err(Reject::Malformed),
        }
    }

    /// Reads one value, whatever it contains.
    pub(super) fn value(&mut self) -> Result<Value<'a>, Reject> {
        match self.head()? {
            Head::Str(length) => Ok(Value::Str(self.take(length)?)),
            Head::Array(count) => {
                let start = self.rest;
                self.skip(count)?;
                Ok(Value::Array { count, items: &start[..start.len() - self.rest.len()] })
            }
            Head::Map(count) => self.skip(count.saturating_mul(2)).map(|()| Value::Other),
            Head::True => Ok(Value::True),
            Head::Plain(length) => self.take(length).map(|_| Value::Other),
        }
    }

    /// Passes over `count` values, without recursion: depth is what a hostile message has for nothing.
    fn skip(&mut self, count: usize) -> Result<(), Reject> {
        let mut left = [0; MAX_DEPTH];
        left[0] = count;
        let mut depth = 0;
        loop {
            while left[depth] == 0 {
                if depth == 0 {
                    return Ok(());
                }
                depth -= 1;
            }
            left[depth] -= 1;
            let inner = self.enter()?;
            if inner > 0 {
                depth += 1;
                *left.get_mut(depth).ok_or(Reject::Malformed)? = inner;
            }
        }
    }

    /// Passes over a value's own bytes; returns how many values it contains, which follow.
    fn enter(&mut self) -> Result<usize, Reject> {
        match self.head()? {
            Head::Str(length) | Head::Plain(length) => self.take(length).map(|_| 0),
            Head::Array(count) => Ok(count),
            Head::Map(count) => Ok(count.saturating_mul(2)),
            Head::True => Ok(0),
        }
    }
}
