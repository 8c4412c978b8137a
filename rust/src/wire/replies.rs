//! How far Redis' replies (RESP2) have come, told by their lengths alone: nothing is made of one that is not whole.

/// Bytes of a line that announces a length, or has a number.
const HEADER: usize = 24;
/// Lists in lists: of a cluster's slots there are four, and hiredis once took nine.
const MOST_DEPTH: usize = 9;

/// Why a connection can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What came is nothing that a Redis sends.
    OutOfProtocol,
    /// A reply is longer than it may be, or announces that it will be.
    TooLong,
}

#[derive(Debug)]
enum State {
    /// A type and what follows it in its line, as far as it has come.
    Header,
    /// The rest of a line of text; whether a carriage return was the last of it.
    Text(bool),
    /// So many bytes more of a string and its end.
    String(usize),
}

/// Takes bytes as they come, and keeps none but those of a line that is not whole.
#[derive(Debug)]
pub struct ReplyBounds {
    most_bytes: usize,
    most_elements: usize,
    state: State,
    header: Vec<u8>,
    /// How many elements are still to come of each list that has begun.
    open: Vec<usize>,
    elements: usize,
    bytes: usize,
}

impl ReplyBounds {
    /// Both are of one reply; elements are those of all its lists.
    #[must_use]
    pub fn new(most_bytes: usize, most_elements: usize) -> Self {
        ReplyBounds {
            most_bytes,
            most_elements,
            state: State::Header,
            header: Vec::new(),
            open: Vec::new(),
            elements: 0,
            bytes: 0,
        }
    }

    /// At how many of these bytes the last reply ends that is whole by now; 0: none is.
    ///
    /// # Errors
    ///
    /// A fault, after which nothing more can be read.
    pub fn look(&mut self, data: &[u8]) -> Result<usize, Fault> {
        let (mut at, mut whole) = (0, 0);
        while at < data.len() {
            let (used, is_element) = self.step(&data[at..])?;
            at += used;
            if is_element && self.is_reply() {
                whole = at;
                self.bytes = 0;
                self.elements = 0;
            }
        }
        self.bytes += data.len() - whole;
        if self.bytes > self.most_bytes { Err(Fault::TooLong) } else { Ok(whole) }
    }

    /// How many bytes it has used, and whether an element ends with them.
    fn step(&mut self, data: &[u8]) -> Result<(usize, bool), Fault> {
        match self.state {
            State::String(left) => {
                let used = left.min(data.len());
                self.state = if used == left { State::Header } else { State::String(left - used) };
                Ok((used, used == left))
            }
            State::Text(is_return) => Ok(self.skip_text(data, is_return)),
            State::Header if self.header.is_empty() && matches!(data[0], b'+' | b'-') => {
                self.state = State::Text(false);
                Ok((1, false))
            }
            State::Header => self.read_header(data),
        }
    }

    fn skip_text(&mut self, data: &[u8], mut is_return: bool) -> (usize, bool) {
        for (at, &byte) in data.iter().enumerate() {
            if is_return && byte == b'\n' {
                self.state = State::Header;
                return (at + 1, true);
            }
            is_return = byte == b'\r';
        }
        self.state = State::Text(is_return);
        (data.len(), false)
    }

    fn read_header(&mut self, data: &[u8]) -> Result<(usize, bool), Fault> {
        let room = HEADER - self.header.len();
        let end = data.iter().take(room).position(|&byte| byte == b'\n');
        let used = end.map_or(data.len().min(room), |end| end + 1);
        self.header.extend_from_slice(&data[..used]);
        if !matches!(self.header[0], b':' | b'$' | b'*') || (end.is_none() && used == room) {
            return Err(Fault::OutOfProtocol);
        }
        let is_element = if end.is_some() { self.take_header()? } else { false };
        Ok((used, is_element))
    }

    /// Whether it is an element already.
    fn take_header(&mut self) -> Result<bool, Fault> {
        let line = self.header.strip_suffix(b"\r\n").ok_or(Fault::OutOfProtocol)?;
        let (kind, length) = (line[0], if line[0] == b':' { 0 } else { read_length(&line[1..])? });
        self.header.clear();
        match (kind, usize::try_from(length)) {
            (b'$', Ok(length)) if length > self.most_bytes => Err(Fault::TooLong),
            (b'$', Ok(length)) => {
                self.state = State::String(length + 2);
                Ok(false)
            }
            (b'*', Ok(length)) if length > 0 => self.open_list(length),
            _ => Ok(true),
        }
    }

    fn open_list(&mut self, length: usize) -> Result<bool, Fault> {
        if length > self.most_elements - self.elements {
            return Err(Fault::TooLong);
        }
        if self.open.len() == MOST_DEPTH {
            return Err(Fault::OutOfProtocol);
        }
        self.elements += length;
        self.open.push(length);
        Ok(false)
    }

    /// Whether the element that has just ended is the last one of a reply.
    fn is_reply(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

/// A length as Redis writes it: digits without zeroes before them, or -1 of nil.
fn read_length(digits: &[u8]) -> Result<i64, Fault> {
    let is_plain = matches!(digits, [b'0'] | [b'-', b'1'] | [b'1'..=b'9', ..]);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_plain);
    text.and_then(|text| text.parse().ok()).ok_or(Fault::OutOfProtocol)
}
