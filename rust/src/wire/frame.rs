//! Websocket frames, RFC 6455 section 5, in the server's role: writes unmasked ones, reads masked ones. Masked ones are
//! written for nodes that are dialled.

mod decoder;
mod fault;
mod frozen;
mod header;
mod mask;
mod pongs;

pub use decoder::{Budget, Decoder, Message, Received};
pub use fault::Failure;
pub use pongs::Pongs;

/// A further fragment of a message.
pub const CONTINUATION: u8 = 0;
/// Opcode of a text, which is UTF-8.
pub const TEXT: u8 = 1;
/// Opcode of bytes without a meaning here.
pub const BINARY: u8 = 2;
/// The end of one direction, with a code and a reason.
pub const CLOSE: u8 = 8;
/// A question whether the peer is there.
pub const PING: u8 = 9;
/// The answer, with the question's payload.
pub const PONG: u8 = 10;

/// The close code that stands for "none was given" and is never on the wire (RFC 6455 section 7.4.1).
const NO_STATUS: u16 = 1005;

/// The longest payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL: usize = 125;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const TWO_BYTE_LENGTH: u8 = 126;
const EIGHT_BYTE_LENGTH: u8 = 127;

/// How long the unmasked frame for `payload` bytes is, header included.
#[must_use]
pub fn text_frame_len(payload: usize) -> usize {
    let header = match payload {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    header + payload
}

/// Appends a whole frame: not fragmented, not masked, its length in the shortest form.
pub fn push_frame(buffer: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    buffer.reserve(text_frame_len(payload.len()));
    push_header(buffer, opcode, payload.len(), 0);
    buffer.extend_from_slice(payload);
}

/// The same as a client must send it: masked with `mask` (RFC 6455 section 5.3).
pub fn push_masked_frame(buffer: &mut Vec<u8>, opcode: u8, payload: &[u8], mask: [u8; 4]) {
    buffer.reserve(text_frame_len(payload.len()) + mask.len());
    push_header(buffer, opcode, payload.len(), MASKED);
    buffer.extend_from_slice(&mask);
    let start = buffer.len();
    buffer.extend_from_slice(payload);
    mask::apply(&mut buffer[start..], mask);
}

fn push_header(buffer: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    buffer.push(FIN | opcode);
    if let Ok(length @ 0..=125) = u8::try_from(length) {
        buffer.push(masked | length);
    } else if let Ok(length) = u16::try_from(length) {
        buffer.push(masked | TWO_BYTE_LENGTH);
        buffer.extend_from_slice(&length.to_be_bytes());
    } else {
        buffer.push(masked | EIGHT_BYTE_LENGTH);
        buffer.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

/// The payload of a CLOSE frame: `code`, then as much of `reason` as fits and is UTF-8. Empty for 1005.
#[must_use]
pub fn close_payload(code: u16, reason: &[u8]) -> Vec<u8> {
    if code == NO_STATUS {
        return Vec::new();
    }
    let code = code.to_be_bytes();
    let reason = &reason[..reason.len().min(MAX_CONTROL - code.len())];
    let whole = std::str::from_utf8(reason).map_or_else(|error| error.valid_up_to(), str::len);
    [&code, &reason[..whole]].concat()
}
