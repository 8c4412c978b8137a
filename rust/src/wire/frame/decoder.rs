//! Bytes of a client in, whole messages and answers to PINGs out.
//!
//! One decoder for each connection, most of them idle: it is small, holds no memory between messages, and gets
//! memory for what has arrived, never for what a header announces. Each call has a budget, so that a flood of small
//! frames takes no more of a turn than others' commands.

use std::mem;
use std::str;

use super::fault::{Failure, Fault};
use super::header::{self, Header, is_control};
use super::pongs::Pongs;
use super::{CLOSE, CONTINUATION, PING, TEXT, mask};

/// The most empty frames of one message: they reach no limit of bytes.
const EMPTY_FRAGMENTS: u16 = 1024;

/// A whole message, its fragments joined, or a CLOSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `TEXT`, `BINARY` or `CLOSE`.
    pub opcode: u8,
    /// Unmasked. UTF-8 for `TEXT`; as received for `CLOSE`: nothing, or a valid code and a reason in UTF-8.
    pub payload: Vec<u8>,
}

/// What a call finds.
#[derive(Debug, Default)]
pub struct Received {
    /// What somebody has to look at, in order.
    pub messages: Vec<Message>,
    /// The answers to PINGs. An unasked PONG is nothing.
    pub pongs: Pongs,
}

/// What a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Frames of any kind.
    pub frames: usize,
    /// Messages, those included that are there already.
    pub messages: usize,
}

impl Budget {
    /// All that there is.
    pub const UNLIMITED: Self = Self { frames: usize::MAX, messages: usize::MAX };
}

/// What a client sends, RFC 6455 section 5, split anywhere.
pub struct Decoder {
    max_message: u64,
    max_frame: u64,
    /// The frame whose payload is arriving.
    pub(super) frame: Option<Frame>,
    /// The message so far, unmasked.
    pub(super) message: Vec<u8>,
    /// The message's length that is known to be UTF-8.
    pub(super) checked: usize,
    /// The control frame so far; it may come between fragments.
    pub(super) control: Vec<u8>,
    /// A header of which more is to come.
    pub(super) header: [u8; header::MAX_SIZE],
    pub(super) header_size: u8,
    /// The opcode that the message began with; `CONTINUATION`: there is none.
    pub(super) opcode: u8,
    /// Data frames of the message so far.
    pub(super) empty_fragments: u16,
    /// Nothing but a CLOSE is of interest.
    pub(super) closing: bool,
    pub(super) end: End,
}

#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: u64,
    /// Turned so that it begins with the byte for the next one.
    pub(super) mask: [u8; 4],
    pub(super) opcode: u8,
    pub(super) fin: bool,
}

/// After which everything is ignored.
pub(super) enum End {
    NotYet,
    Closed,
    Failed(Fault),
}

impl Decoder {
    /// Limits are in bytes of payload, exactly the limit is allowed, 0 means none; control frames have their own.
    #[must_use]
    pub fn new(max_message_size: usize, max_frame_size: usize) -> Self {
        Self {
            max_message: limit(max_message_size),
            max_frame: limit(max_frame_size),
            frame: None,
            message: Vec::new(),
            checked: 0,
            control: Vec::new(),
            header: [0; header::MAX_SIZE],
            header_size: 0,
            opcode: CONTINUATION,
            empty_fragments: 0,
            closing: false,
            end: End::NotYet,
        }
    }

    /// Takes off `data` what the budget allows, and appends what that completes. After a failure or a `CLOSE` all of it
    /// goes, and nothing comes of it, ever.
    pub fn receive(&mut self, data: &mut &[u8], budget: Budget, received: &mut Received) {
        let mut frames = 0;
        while !data.is_empty() && frames < budget.frames && received.messages.len() < budget.messages {
            if !matches!(self.end, End::NotYet) {
                *data = &[];
            } else if let Err(fault) = self.receive_some(data, received) {
                self.finish(End::Failed(fault));
            }
            frames += 1;
        }
        if self.control.is_empty() {
            self.control = Vec::new(); // what it had served a whole call
        }
    }

    /// The connection is being closed: from now on only the peer's `CLOSE` is looked for, nothing else is kept.
    pub fn expect_close(&mut self) {
        self.closing = true;
        self.message = Vec::new();
        self.checked = 0;
    }

    /// Bytes of memory that a message without its end takes.
    #[must_use]
    pub fn held(&self) -> usize {
        self.message.capacity()
    }

    /// Why the connection must be failed, if so.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        match self.end {
            End::Failed(fault) => Some(fault.failure()),
            End::NotYet | End::Closed => None,
        }
    }

    fn receive_some(&mut self, data: &mut &[u8], received: &mut Received) -> Result<(), Fault> {
        let started = match self.frame.take() {
            None => self.receive_header(data)?,
            frame => frame,
        };
        let Some(mut frame) = started else {
            return Ok(());
        };
        self.receive_payload(&mut frame, data)?;
        if frame.left > 0 {
            self.frame = Some(frame);
        } else if is_control(frame.opcode) {
            self.finish_control(frame.opcode, received)?;
        } else if frame.fin {
            self.finish_message(received);
        }
        Ok(())
    }

    /// Takes a header, or what there is of it, off `data`.
    fn receive_header(&mut self, data: &mut &[u8]) -> Result<Option<Frame>, Fault> {
        let held = usize::from(self.header_size);
        let added = data.len().min(header::MAX_SIZE - held);
        self.header[held..held + added].copy_from_slice(&data[..added]);
        if let Some(header) = Header::parse(&self.header[..held + added])? {
            self.check_sequence(&header)?;
            self.check_size(&header)?;
            if let Some(mask) = header.mask {
                *data = &data[header.size - held..];
                self.header_size = 0;
                return Ok(Some(self.start_frame(&header, mask)));
            }
        }
        *data = &data[added..];
        self.header_size += u8::try_from(added).unwrap_or_default();
        Ok(None)
    }

    fn check_sequence(&self, header: &Header) -> Result<(), Fault> {
        let is_inside = self.opcode != CONTINUATION;
        match header.opcode {
            opcode if is_control(opcode) => Ok(()),
            CONTINUATION if !is_inside => Err(Fault::StrayContinuation),
            CONTINUATION if header.length == 0 && self.empty_fragments == EMPTY_FRAGMENTS => Err(Fault::Fragments),
            CONTINUATION => Ok(()),
            _ if is_inside => Err(Fault::UnfinishedMessage),
            _ => Ok(()),
        }
    }

    fn check_size(&self, header: &Header) -> Result<(), Fault> {
        if is_control(header.opcode) {
            return Ok(());
        }
        if header.length > self.max_frame {
            return Err(Fault::FrameSize);
        }
        if self.message.len() as u64 + header.length > self.max_message {
            return Err(Fault::MessageSize);
        }
        Ok(())
    }

    fn start_frame(&mut self, header: &Header, mask: [u8; 4]) -> Frame {
        if !is_control(header.opcode) {
            self.empty_fragments += u16::from(header.length == 0);
            if header.opcode != CONTINUATION {
                self.opcode = header.opcode;
            }
        }
        Frame { left: header.length, mask, opcode: header.opcode, fin: header.fin }
    }

    fn receive_payload(&mut self, frame: &mut Frame, data: &mut &[u8]) -> Result<(), Fault> {
        let length = usize::try_from(frame.left).map_or(data.len(), |left| left.min(data.len()));
        let (arrived, rest) = data.split_at(length);
        *data = rest;
        if self.closing && frame.opcode != CLOSE {
            frame.left -= length as u64;
            return Ok(());
        }
        let at_most = self.length_at_most(frame);
        let buffer = if is_control(frame.opcode) { &mut self.control } else { &mut self.message };
        append(buffer, arrived, at_most);
        let start = buffer.len() - length;
        mask::apply(&mut buffer[start..], frame.mask);
        frame.mask.rotate_left(length % 4);
        frame.left -= length as u64;
        if self.opcode == TEXT && !is_control(frame.opcode) {
            self.check_text(frame.fin && frame.left == 0)?;
        }
        Ok(())
    }

    /// What the buffer that `frame` goes to can grow to.
    fn length_at_most(&self, frame: &Frame) -> u64 {
        match frame.opcode {
            opcode if is_control(opcode) => self.control.len() as u64 + frame.left,
            _ if frame.fin => self.message.len() as u64 + frame.left,
            _ => self.max_message,
        }
    }

    /// Fails at the first byte that can't be UTF-8, wherever fragments end.
    fn check_text(&mut self, is_whole: bool) -> Result<(), Fault> {
        match str::from_utf8(&self.message[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_some() || is_whole => return Err(Fault::Text),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }

    fn finish_control(&mut self, opcode: u8, received: &mut Received) -> Result<(), Fault> {
        if opcode == CLOSE {
            check_close(&self.control)?;
            received.messages.push(Message { opcode, payload: mem::take(&mut self.control) });
            self.finish(End::Closed);
        } else if opcode == PING && !self.closing {
            received.pongs.push(&self.control);
        }
        self.control.clear();
        Ok(())
    }

    fn finish_message(&mut self, received: &mut Received) {
        self.checked = 0;
        self.empty_fragments = 0;
        let opcode = mem::replace(&mut self.opcode, CONTINUATION);
        if !self.closing {
            received.messages.push(Message { opcode, payload: mem::take(&mut self.message) });
        }
    }

    fn finish(&mut self, end: End) {
        self.end = end;
        self.message = Vec::new();
        self.control = Vec::new();
    }
}

fn limit(size: usize) -> u64 {
    if size == 0 { u64::MAX } else { size as u64 }
}

/// Appends, doubling the memory while there may be more, so that many small reads cost no more than one large.
fn append(buffer: &mut Vec<u8>, arrived: &[u8], at_most: u64) {
    let length = buffer.len() + arrived.len();
    if length > buffer.capacity() {
        let at_most = usize::try_from(at_most).unwrap_or(usize::MAX);
        let capacity = length.max(at_most.min(buffer.capacity() * 2));
        buffer.reserve_exact(capacity - buffer.len());
    }
    buffer.extend_from_slice(arrived);
}

/// RFC 6455 section 7.4: which codes may be on the wire.
fn check_close(payload: &[u8]) -> Result<(), Fault> {
    let (code, reason) = match payload {
        [] => return Ok(()),
        [_] => return Err(Fault::ShortClose),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    str::from_utf8(reason).map_err(|_| Fault::CloseReason)?;
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(()),
        _ => Err(Fault::CloseCode),
    }
}
