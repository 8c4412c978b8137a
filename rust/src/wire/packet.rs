//! The texts of a packet, in which an engine carries events of one group between nodes: each behind its length (u32,
//! big endian).

use std::str;

use crate::error::Reject;

/// The texts one by one; the last is an error where their lengths lead beyond the bytes.
pub fn texts(body: &[u8]) -> impl Iterator<Item = Result<&str, Reject>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((text, behind)) = split(rest) else {
            rest = &[];
            return Some(Err(Reject::Malformed));
        };
        rest = behind;
        Some(str::from_utf8(text).map_err(|_| Reject::NotUtf8))
    })
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, behind) = bytes.split_first_chunk::<4>()?;
    behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
