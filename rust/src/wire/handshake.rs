//! The server's side of the opening handshake, RFC 6455 section 4.2, where nothing speaks against it.

use sha1::{Digest, Sha1};

use super::http1::Head;

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What `Sec-WebSocket-Accept` is to be. None: this offers no websocket, has a fault, or names subprotocols.
#[must_use]
pub fn accept_key(head: &Head) -> Option<[u8; 28]> {
    if !head.offers_websocket() || head.method() != "GET" || head.values(b"sec-websocket-protocol").next().is_some() {
        return None;
    }
    if head.values(b"content-length").any(|length| length != b"0") {
        return None; // a zero in some other form
    }
    match only(head, b"sec-websocket-version") {
        Some(b"13") => {}
        _ => return None,
    }
    let key = only(head, b"sec-websocket-key").filter(|key| is_key(key))?;
    Some(answer_key(key))
}

/// `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2, point 5.4).
#[must_use]
pub fn answer_key(key: &[u8]) -> [u8; 28] {
    let digest: [u8; 20] = Sha1::new().chain_update(key).chain_update(GUID).finalize().into();
    let mut text = [b'='; 28];
    for (group, place) in digest.chunks(3).zip(text.chunks_mut(4)) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for (index, digit) in place.iter_mut().enumerate().take(group.len() + 1) {
            *digit = DIGITS[(bits >> (18 - 6 * index) & 63) as usize];
        }
    }
    text
}

/// 16 bytes in base64 with its padding.
fn is_key(key: &[u8]) -> bool {
    matches!(key, [digits @ .., b'=', b'='] if digits.len() == 22 && digits.iter().all(|digit| DIGITS.contains(digit)))
}

fn only<'a>(head: &'a Head, name: &'a [u8]) -> Option<&'a [u8]> {
    let mut values = head.values(name);
    let value = values.next()?;
    values.next().is_none().then_some(value)
}
