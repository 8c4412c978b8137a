//! Where websocket frames begin in a stream of bytes (RFC 6455 section 5.2), without touching their payloads.

/// How many bytes of a payload a reader gets to see. Control frames are never longer (RFC 6455 section 5.5).
pub const LOOK: usize = 125;

/// The longest header of a frame that is not masked.
const LONGEST_HEADER: usize = 10;

/// Text, and the control frames of RFC 6455 section 11.8.
pub const TEXT: u8 = 1;
/// Opcode of a CLOSE frame.
pub const CLOSE: u8 = 8;
/// Opcode of a PING frame.
pub const PING: u8 = 9;
/// Opcode of a PONG frame.
pub const PONG: u8 = 10;

/// One frame, as far as a reader needs it.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The low four bits of the first byte.
    pub opcode: u8,
    /// False for a fragment that others follow, and for anything with reserved bits or a mask.
    pub plain: bool,
    /// The payload's length in bytes.
    pub length: u64,
    /// The payload's first bytes, at most [`LOOK`].
    pub start: &'a [u8],
}

/// Finds frames in what one socket receives. Holds at most one frame's first bytes between two reads.
pub struct Scanner {
    held: [u8; LONGEST_HEADER + LOOK],
    held_length: usize,
    to_skip: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { held: [0; LONGEST_HEADER + LOOK], held_length: 0, to_skip: 0 }
    }
}

impl Scanner {
    /// Hands each frame whose start is complete with `bytes` to `receive`, in order.
    pub fn scan(&mut self, bytes: &[u8], mut receive: impl FnMut(Frame<'_>)) {
        let mut rest = self.skip(bytes);
        while !rest.is_empty() {
            let taken = if self.held_length == 0 { self.take_whole(rest, &mut receive) } else { None };
            rest = match taken {
                Some(after) => after,
                None => self.take_split(rest, &mut receive),
            };
        }
    }

    fn skip<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let here = usize::try_from(self.to_skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
        self.to_skip -= here as u64;
        &bytes[here..]
    }

    /// The usual case: the frame's start lies in `bytes`. None when it does not.
    fn take_whole<'b>(&mut self, bytes: &'b [u8], receive: &mut impl FnMut(Frame<'_>)) -> Option<&'b [u8]> {
        let (frame, total) = first_frame(bytes)?;
        receive(frame);
        self.to_skip = total;
        Some(self.skip(bytes))
    }

    /// A frame's start that is split over reads: gathered in `held` until it is complete.
    fn take_split<'b>(&mut self, bytes: &'b [u8], receive: &mut impl FnMut(Frame<'_>)) -> &'b [u8] {
        let before = self.held_length;
        let room = bytes.len().min(self.held.len() - before);
        self.held[before..before + room].copy_from_slice(&bytes[..room]);
        let Some((frame, total)) = first_frame(&self.held[..before + room]) else {
            self.held_length = before + room;
            return &bytes[room..];
        };
        receive(frame);
        self.held_length = 0;
        self.to_skip = total - before as u64;
        self.skip(bytes)
    }
}

/// The frame at the beginning of `bytes` and its length with the header; None until its start is complete.
fn first_frame(bytes: &[u8]) -> Option<(Frame<'_>, u64)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, header) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let shown = usize::try_from(length).map_or(LOOK, |length| length.min(LOOK));
    let start = bytes.get(header..header + shown)?;
    let plain = first & 0xf0 == 0x80 && second & 0x80 == 0;
    Some((Frame { opcode: first & 0x0f, plain, length, start }, length.saturating_add(header as u64)))
}

/// A control or text frame as a client sends it: masked, with a mask of zeros (RFC 6455 section 5.3 allows any).
#[must_use]
pub fn frame_to_send(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0xfe);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0xff);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
