//! How far Redis' replies (RESP2) have come, told by their lengths alone, before anybody makes room for what they announce.

/// Bytes of a line that announces a length, or has a number.
pub(super) const HEADER: usize = 24;
/// Lists in lists: of a cluster's slots there are four, and hiredis once took nine.
const MOST_DEPTH: usize = 9;
/// Bytes of a line of text, which hiredis searches from its beginning at each read.
const MOST_TEXT: usize = 65_536;
/// In the lists of a reply: each is made in Python. Redis has them in what a transaction is answered, one a command.
const MOST_ERRORS: usize = 10_000;

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
    /// The rest of a line of text; whether a carriage return was the last of it, and how much has come.
    Text(bool, usize),
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
    errors: usize,
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
            errors: 0,
            bytes: 0,
        }
    }

    /// How many elements the lists of a reply have that is not whole.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// How many bytes have come of a reply that is not whole; 0: all are.
    ///
    /// # Errors
    ///
    /// A fault, after which nothing more can be read.
    pub fn look(&mut self, data: &[u8]) -> Result<usize, Fault> {
        let (mut at, mut begin) = (0, 0);
        while at < data.len() {
            let (used, is_element) = self.step(&data[at..])?;
            at += used;
            if is_element && self.is_reply() {
                begin = at;
                self.bytes = 0;
                self.elements = 0;
                self.errors = 0;
            }
        }
        self.bytes += data.len() - begin;
        if self.bytes > self.most_bytes { Err(Fault::TooLong) } else { Ok(self.bytes) }
    }

    /// How many bytes it has used, and whether an element ends with them.
    fn step(&mut self, data: &[u8]) -> Result<(usize, bool), Fault> {
        match self.state {
            State::String(left) => {
                let used = left.min(data.len());
                self.state = if used == left { State::Header } else { State::String(left - used) };
                Ok((used, used == left))
            }
            State::Text(is_return, length) => self.skip_text(data, is_return, length),
            State::Header if self.header.is_empty() && matches!(data[0], b'+' | b'-') => {
                self.state = State::Text(false, 0);
                self.errors += usize::from(data[0] == b'-' && !self.open.is_empty());
                if self.errors > MOST_ERRORS { Err(Fault::OutOfProtocol) } else { Ok((1, false)) }
            }
            State::Header => self.read_header(data),
        }
    }

    fn skip_text(&mut self, data: &[u8], mut is_return: bool, length: usize) -> Result<(usize, bool), Fault> {
        let seen = &data[..data.len().min(MOST_TEXT - length)];
        for (at, &byte) in seen.iter().enumerate() {
            if is_return && byte == b'\n' {
                self.state = State::Header;
                return Ok((at + 1, true));
            }
            is_return = byte == b'\r';
        }
        if seen.len() < data.len() {
            return Err(Fault::OutOfProtocol);
        }
        self.state = State::Text(is_return, length + data.len());
        Ok((data.len(), false))
    }

    fn read_header(&mut self, data: &[u8]) -> Result<(usize, bool), Fault> {
        let room = HEADER - self.header.len();
        let end = data.iter().take(room).position(|&byte| byte == b'\n');
        if let (Some(end), true) = (end, self.header.is_empty()) {
            return Ok((end + 1, self.take_header(&data[..=end])?));
        }
        let used = end.map_or(data.len().min(room), |end| end + 1);
        self.header.extend_from_slice(&data[..used]);
        if !matches!(self.header[0], b':' | b'$' | b'*') || (end.is_none() && used == room) {
            return Err(Fault::OutOfProtocol);
        }
        if end.is_none() {
            return Ok((used, false));
        }
        let header = std::mem::take(&mut self.header);
        Ok((used, self.take_header(&header)?))
    }

    /// Whether it is an element already.
    fn take_header(&mut self, line: &[u8]) -> Result<bool, Fault> {
        match line {
            [b':', .., b'\r', b'\n'] => Ok(true),
            [b'$', digits @ .., b'\r', b'\n'] => match read_length(digits)? {
                None => Ok(true),
                Some(length) if length > self.most_bytes => Err(Fault::TooLong),
                Some(length) => {
                    self.state = State::String(length + 2);
                    Ok(false)
                }
            },
            [b'*', digits @ .., b'\r', b'\n'] => match read_length(digits)? {
                None | Some(0) => Ok(true),
                Some(length) => self.open_list(length),
            },
            _ => Err(Fault::OutOfProtocol),
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

/// A length as Redis writes it, in digits without zeroes before them; `None`: -1, of nil.
fn read_length(digits: &[u8]) -> Result<Option<usize>, Fault> {
    match digits {
        b"-1" => return Ok(None),
        [] | [b'0', _, ..] => return Err(Fault::OutOfProtocol),
        _ => {}
    }
    let mut length = 0_usize;
    for &digit in digits {
        let more = length.checked_mul(10).filter(|_| digit.is_ascii_digit());
        length = more.and_then(|more| more.checked_add(usize::from(digit - b'0'))).ok_or(Fault::OutOfProtocol)?;
    }
    Ok(Some(length))
}
