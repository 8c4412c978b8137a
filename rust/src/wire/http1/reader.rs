//! A connection's requests, one behind the other.

use std::mem;

use super::chunks::{Chunks, Part};
use super::fault::Fault;
use super::framing::Body;
use super::head::Head;
use super::lines::SectionEnd;
use super::{Limits, is_token_byte};

/// What comes next in a connection's bytes.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request begins with this head.
    Head(Head),
    /// Some of its body, never empty.
    Body(&'a [u8]),
    /// It is whole. What follows is the next, or the bytes of another protocol if its head has offered one.
    End,
    /// All bytes are read, and nothing is due.
    NeedMore,
    /// Nothing more is read of this connection, ever.
    Refused(Fault),
}

/// Bytes of a connection in, events out, however the bytes are split. Each byte is looked at once.
pub struct Reader {
    limits: Limits,
    state: State,
    /// A head of which more is to come.
    held: Vec<u8>,
    /// Whether another request follows the one that is read.
    keeps_alive: bool,
}

enum State {
    /// Before a head: how many bytes of empty lines there were (RFC 9112 section 2.2), half of one perhaps.
    Between(usize),
    /// In a head behind so many bytes of empty lines.
    Head(usize, SectionEnd),
    Sized(u64),
    Chunked(Chunks),
    /// A request is whole, which is not said yet.
    Whole,
    /// The client has said that no request follows (RFC 9112 section 9.6).
    Finished,
    Refused(Fault),
}

impl Reader {
    /// A limit of heads above 4 GiB is none.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let limits = Limits { head: limits.head.min(u32::MAX as usize), ..limits };
        Self { limits, state: State::Between(0), held: Vec::new(), keeps_alive: true }
    }

    /// The next event; takes off `data` what it is about. To be called until it tells `NeedMore` or `Refused`, or for as
    /// long as the caller wants to know: what is left of `data` comes first next time.
    pub fn read<'a>(&mut self, data: &mut &'a [u8]) -> Event<'a> {
        self.read_strictly(data).unwrap_or_else(|fault| {
            self.held = Vec::new();
            self.state = State::Refused(fault);
            Event::Refused(fault)
        })
    }

    /// Bytes of a head that is not whole; 0: none has begun.
    #[must_use]
    pub fn head_size(&self) -> usize {
        match self.state {
            State::Between(skipped) => skipped,
            State::Head(skipped, _) => skipped + self.held.len(),
            _ => 0,
        }
    }

    /// Bytes of memory that it keeps of what came, whole or not.
    #[must_use]
    pub fn held(&self) -> usize {
        let trailers = if let State::Chunked(chunks) = &self.state { chunks.held() } else { 0 };
        self.held.capacity() + trailers
    }

    /// Forgets what it keeps, and reads nothing any more.
    pub fn finish(&mut self) {
        self.held = Vec::new();
        self.state = State::Finished;
    }

    /// Whether no request is read at the moment: the client may leave without a word.
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Between(0) | State::Finished)
    }

    fn read_strictly<'a>(&mut self, data: &mut &'a [u8]) -> Result<Event<'a>, Fault> {
        if let State::Between(skipped) = self.state {
            self.skip_empty_lines(skipped, data)?;
        }
        match &mut self.state {
            State::Between(_) => Ok(Event::NeedMore),
            State::Head(..) => self.read_head(data),
            State::Sized(left) => match take(data, left) {
                [] => Ok(Event::NeedMore),
                part => {
                    if *left == 0 {
                        self.state = State::Whole;
                    }
                    Ok(Event::Body(part))
                }
            },
            State::Chunked(chunks) => match chunks.read(data, &self.limits)? {
                Part::Data(part) => Ok(Event::Body(part)),
                Part::NeedMore => Ok(Event::NeedMore),
                Part::End => Ok(self.end_request()),
            },
            State::Whole => Ok(self.end_request()),
            State::Finished => {
                *data = &[];
                Ok(Event::NeedMore)
            }
            State::Refused(fault) => Err(*fault),
        }
    }

    /// Empty lines before a head count in its size, so that they are no way to keep a connection.
    fn skip_empty_lines(&mut self, mut skipped: usize, data: &mut &[u8]) -> Result<(), Fault> {
        while let Some((&byte, rest)) = data.split_first() {
            match (byte, skipped % 2) {
                (b'\r', 0) | (b'\n', 1) => skipped += 1,
                (b'\n', _) => return Err(Fault::BareLineFeed),
                (_, 0) if is_token_byte(byte) => {
                    self.state = State::Head(skipped, SectionEnd::default());
                    return Ok(());
                }
                _ => return Err(Fault::RequestLine),
            }
            if skipped > self.limits.head {
                return Err(Fault::HeadSize);
            }
            *data = rest;
        }
        self.state = State::Between(skipped);
        Ok(())
    }

    fn read_head<'a>(&mut self, data: &mut &'a [u8]) -> Result<Event<'a>, Fault> {
        let room = self.limits.head - self.head_size();
        let State::Head(_, end) = &mut self.state else {
            return Ok(Event::NeedMore);
        };
        let piece = &data[..data.len().min(room)];
        let found = end.find(piece)?;
        let taken = found.unwrap_or(piece.len());
        self.held.extend_from_slice(&piece[..taken]);
        *data = &data[taken..];
        match found {
            Some(_) => self.begin_request().map(Event::Head),
            None if data.is_empty() => Ok(Event::NeedMore),
            None => Err(Fault::HeadSize),
        }
    }

    fn begin_request(&mut self) -> Result<Head, Fault> {
        let head = Head::parse(mem::take(&mut self.held), &self.limits)?;
        self.keeps_alive = head.keeps_alive();
        self.state = match head.body() {
            Body::Sized(0) => State::Whole,
            Body::Sized(length) => State::Sized(length),
            Body::Chunked => State::Chunked(Chunks::new()),
        };
        Ok(head)
    }

    fn end_request(&mut self) -> Event<'static> {
        self.state = if self.keeps_alive { State::Between(0) } else { State::Finished };
        Event::End
    }
}

/// Takes at most `left` bytes off `data`, and off `left`.
fn take<'a>(data: &mut &'a [u8], left: &mut u64) -> &'a [u8] {
    let length = usize::try_from(*left).map_or(data.len(), |left| left.min(data.len()));
    let (taken, rest) = data.split_at(length);
    *data = rest;
    *left -= length as u64;
    taken
}
