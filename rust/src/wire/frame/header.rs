//! The first 6 to 14 bytes of a client's frame (RFC 6455 section 5.2), checked as far as they explain themselves.

use super::fault::Fault;
use super::{BINARY, CLOSE, CONTINUATION, EIGHT_BYTE_LENGTH, FIN, MAX_CONTROL, PING, PONG, TEXT, TWO_BYTE_LENGTH};

/// Two bytes, a length of eight, a mask of four.
pub(super) const MAX_SIZE: usize = 14;

const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;

/// All but the mask is known before the mask's bytes are there, so that a bad frame fails as early as it can.
pub(super) struct Header {
    pub fin: bool,
    pub opcode: u8,
    pub length: u64,
    /// `None`: its bytes are still to come.
    pub mask: Option<[u8; 4]>,
    /// Bytes of the header, mask included.
    pub size: usize,
}

impl Header {
    /// Reads what `bytes` begin with; `None` if even the length is not all there.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let &[first, second, ref rest @ ..] = bytes else {
            return Ok(None);
        };
        check_start(first, second)?;
        let Some((length, rest)) = parse_length(second & !MASKED, rest)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            fin: first & FIN != 0,
            opcode: first & OPCODE,
            length,
            mask: rest.first_chunk().copied(),
            size: bytes.len() - rest.len() + 4,
        }))
    }
}

pub(super) fn is_control(opcode: u8) -> bool {
    opcode >= CLOSE
}

fn check_start(first: u8, second: u8) -> Result<(), Fault> {
    let opcode = first & OPCODE;
    if first & RESERVED != 0 {
        return Err(Fault::ReservedBits);
    }
    if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
        return Err(Fault::ReservedOpcode);
    }
    if second & MASKED == 0 {
        return Err(Fault::Unmasked);
    }
    if is_control(opcode) && first & FIN == 0 {
        return Err(Fault::FragmentedControl);
    }
    if is_control(opcode) && usize::from(second & !MASKED) > MAX_CONTROL {
        return Err(Fault::LongControl);
    }
    Ok(())
}

/// The length and the bytes after it, `short` being the seven bits that give it or its form.
fn parse_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Fault> {
    let (length, rest) = match short {
        TWO_BYTE_LENGTH => match bytes.split_first_chunk() {
            Some((length, rest)) => (u16::from_be_bytes(*length).into(), rest),
            None => return Ok(None),
        },
        EIGHT_BYTE_LENGTH => match bytes.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        length => return Ok(Some((length.into(), bytes))),
    };
    let longest_of_shorter_form = if short == TWO_BYTE_LENGTH { 125 } else { 0xffff };
    if length <= longest_of_shorter_form {
        return Err(Fault::LongLengthForm);
    }
    if length >> 63 != 0 {
        return Err(Fault::HugeLength);
    }
    Ok(Some((length, rest)))
}
