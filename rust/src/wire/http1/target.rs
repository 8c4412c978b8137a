//! What a request is for, RFC 9112 section 3.2.

use std::borrow::Cow;
use std::ops::Range;

use super::fault::Fault;
use super::host::is_host;

/// Where in the request target its parts are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Of a whole URI: what counts in place of `Host` (RFC 9112 section 3.2.2).
    pub authority: Option<Range<usize>>,
    /// Without the query. Empty: `/`.
    pub path: Range<usize>,
    /// Without the question mark.
    pub query: Range<usize>,
}

impl Target {
    pub(super) fn find(method: &str, target: &[u8]) -> Result<Self, Fault> {
        if method == "CONNECT" {
            return Err(Fault::Connect);
        }
        // A fragment is never sent; a reader that cuts it off and one that does not see different paths.
        if target.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'#') {
            return Err(Fault::Target);
        }
        match target {
            [b'/', ..] => Ok(Self::split(target, 0, None)),
            b"*" if method == "OPTIONS" => Ok(Self::split(target, 0, None)),
            _ => Self::find_in_uri(target),
        }
    }

    /// `http://authority[path][?query]`, RFC 9112 section 3.2.2.
    fn find_in_uri(target: &[u8]) -> Result<Self, Fault> {
        let start = ["http://", "https://"]
            .map(str::as_bytes)
            .iter()
            .find(|scheme| target.len() > scheme.len() && target[..scheme.len()].eq_ignore_ascii_case(scheme))
            .ok_or(Fault::Target)?
            .len();
        let length = target[start..].iter().position(|byte| matches!(byte, b'/' | b'?'));
        let end = length.map_or(target.len(), |length| start + length);
        let authority = &target[start..end];
        // An http URI has a host (RFC 9110 section 4.2.1).
        if matches!(authority, [] | [b':', ..]) || !is_host(authority) {
            return Err(Fault::Target);
        }
        Ok(Self::split(target, end, Some(start..end)))
    }

    fn split(target: &[u8], start: usize, authority: Option<Range<usize>>) -> Self {
        let mark = target[start..].iter().position(|byte| *byte == b'?').map(|length| start + length);
        let end = mark.unwrap_or(target.len());
        Self { authority, path: start..end, query: mark.map_or(end, |mark| mark + 1)..target.len() }
    }
}

/// A path as applications get it: percent-decoded, and what is no UTF-8 replaced, as Python's `unquote` does it.
pub(super) fn decode_path(path: &[u8]) -> Cow<'_, str> {
    if !path.contains(&b'%') {
        return String::from_utf8_lossy(path);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        let escaped = if *byte == b'%' { tail.first_chunk().copied().and_then(decode_escape) } else { None };
        decoded.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

fn decode_escape(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}
