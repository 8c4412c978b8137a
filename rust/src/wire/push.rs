//! What Redis sends over a connection that has subscribed (RESP2): messages unasked, and answers to what is asked there.
//!
//! The only replies on such a connection are small arrays of strings and numbers, a line of text, and errors; anything
//! else is out of protocol. Lengths are believed only as far as there are bytes.

pub use super::replies::Fault;
use super::replies::HEADER;

/// Strings or numbers in one reply: a message of a pattern has four.
const MOST_ITEMS: usize = 4;
/// Bytes of a line of text, such as an error.
const LINE: usize = 4096;
/// What is kept of memory that a large message has taken.
const KEPT: usize = 1_048_576;

/// One reply of a subscribed connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push<'a> {
    /// Somebody has published something.
    Message {
        /// Where it was published.
        channel: &'a [u8],
        /// What was published there.
        payload: &'a [u8],
    },
    /// The answer to a command: its kind, which is the command's name in small letters, or `pong`.
    Answer(&'a [u8]),
    /// Redis refuses a command, in its own words.
    Error(&'a [u8]),
}

/// Takes bytes as they come. What is left of the last reply is kept, and can be had for another process.
#[derive(Debug)]
pub struct PushReader {
    limit: usize,
    rest: Vec<u8>,
}

impl PushReader {
    /// `limit`: the most bytes of one reply.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        PushReader { limit, rest: Vec::new() }
    }

    /// Gives every reply that is whole to `take`, in order.
    ///
    /// # Errors
    ///
    /// A fault, after which nothing more can be read.
    pub fn feed(&mut self, data: &[u8], take: impl FnMut(Push<'_>)) -> Result<(), Fault> {
        if self.rest.is_empty() {
            let used = self.read_all(data, take)?;
            self.rest.extend_from_slice(&data[used..]);
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(data);
        let used = self.read_all(&bytes, take)?;
        if used > 0 {
            bytes.drain(..used);
            bytes.shrink_to(KEPT);
        }
        self.rest = bytes;
        Ok(())
    }

    /// What has come of a reply that is not whole yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.rest
    }

    fn read_all(&self, bytes: &[u8], mut take: impl FnMut(Push<'_>)) -> Result<usize, Fault> {
        let mut used = 0;
        while let Some((push, length)) = read(&bytes[used..], self.limit)? {
            take(push);
            used += length;
        }
        if bytes.len() - used > self.limit { Err(Fault::TooLong) } else { Ok(used) }
    }
}

/// The first reply and its length; `None`: it is not whole.
fn read(bytes: &[u8], limit: usize) -> Result<Option<(Push<'_>, usize)>, Fault> {
    let mut cursor = Cursor { bytes, at: 0, limit };
    let push = match bytes.first() {
        None => return Ok(None),
        Some(b'*') => cursor.array()?,
        Some(b'-') => cursor.line(LINE)?.map(|line| Push::Error(&line[1..])),
        Some(b'+') => cursor.line(LINE)?.map(|line| Push::Answer(&line[1..])),
        Some(_) => return Err(Fault::OutOfProtocol),
    };
    Ok(push.map(|push| (push, cursor.at)))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    limit: usize,
}

impl<'a> Cursor<'a> {
    fn array(&mut self) -> Result<Option<Push<'a>>, Fault> {
        let Some(count) = self.header()? else { return Ok(None) };
        let count = usize::try_from(count).ok().filter(|count| (2..=MOST_ITEMS).contains(count));
        let count = count.ok_or(Fault::OutOfProtocol)?;
        let mut items: [&[u8]; MOST_ITEMS] = [&[]; MOST_ITEMS];
        for item in &mut items[..count] {
            match self.item()? {
                Some(bytes) => *item = bytes,
                None => return Ok(None),
            }
        }
        match (items[0], count) {
            (b"message", 3) => Ok(Some(Push::Message { channel: items[1], payload: items[2] })),
            (b"pmessage", 4) => Ok(Some(Push::Message { channel: items[2], payload: items[3] })),
            (b"subscribe" | b"unsubscribe" | b"psubscribe" | b"punsubscribe", 3) | (b"pong", 2) => {
                Ok(Some(Push::Answer(items[0])))
            }
            _ => Err(Fault::OutOfProtocol),
        }
    }

    /// A string, nil as an empty one, or a number as its digits.
    fn item(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        match self.bytes.get(self.at) {
            None => Ok(None),
            Some(b':') => Ok(self.line(HEADER)?.map(|line| &line[1..])),
            Some(b'$') => self.string(),
            Some(_) => Err(Fault::OutOfProtocol),
        }
    }

    fn string(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        let length = match self.header()? {
            None => return Ok(None),
            Some(-1) => return Ok(Some(&[])),
            Some(length) => usize::try_from(length).map_err(|_| Fault::OutOfProtocol)?,
        };
        if length > self.limit {
            return Err(Fault::TooLong);
        }
        let Some(bytes) = self.bytes.get(self.at..self.at + length + 2) else { return Ok(None) };
        let (string, end) = bytes.split_at(length);
        self.at += bytes.len();
        if end == b"\r\n" { Ok(Some(string)) } else { Err(Fault::OutOfProtocol) }
    }

    /// The number in a line that announces a length.
    fn header(&mut self) -> Result<Option<i64>, Fault> {
        let Some(line) = self.line(HEADER)? else { return Ok(None) };
        let digits = std::str::from_utf8(&line[1..]).map_err(|_| Fault::OutOfProtocol)?;
        digits.parse().map(Some).map_err(|_| Fault::OutOfProtocol)
    }

    /// A line of at most so many bytes, without its end.
    fn line(&mut self, most: usize) -> Result<Option<&'a [u8]>, Fault> {
        let rest = &self.bytes[self.at..];
        match rest.iter().take(most).position(|&byte| byte == b'\r') {
            Some(end) => match rest.get(end + 1) {
                None => Ok(None),
                Some(b'\n') => {
                    self.at += end + 2;
                    Ok(Some(&rest[..end]))
                }
                Some(_) => Err(Fault::OutOfProtocol),
            },
            None if rest.len() >= most => Err(Fault::OutOfProtocol),
            None => Ok(None),
        }
    }
}
