//! `host [":" port]`, RFC 3986 section 3.2.

use std::net::Ipv6Addr;
use std::str;

/// Whether this is what a `Host` line may say: nothing, a name or an address, and a port. No user information.
pub(super) fn is_host(value: &[u8]) -> bool {
    if let [b'[', rest @ ..] = value {
        let end = rest.iter().position(|byte| *byte == b']');
        return end.is_some_and(|end| is_ip_literal(&rest[..end]) && is_port_or_nothing(&rest[end + 1..]));
    }
    let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
    is_name(&value[..end]) && is_port_or_nothing(&value[end..])
}

/// What stands in brackets: IPv6, or what may come after it (`IPvFuture`).
fn is_ip_literal(literal: &[u8]) -> bool {
    match literal {
        [b'v' | b'V', version @ ..] => match version.iter().position(|byte| *byte == b'.') {
            Some(dot @ 1..) if version[..dot].iter().all(u8::is_ascii_hexdigit) => {
                let address = &version[dot + 1..];
                !address.is_empty() && address.iter().all(|byte| *byte == b':' || is_name_byte(*byte))
            }
            _ => false,
        },
        _ => str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok()),
    }
}

fn is_port_or_nothing(rest: &[u8]) -> bool {
    match rest {
        [] => true,
        [b':', port @ ..] => port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// `reg-name`, of which an IPv4 address is one.
fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let [byte, tail @ ..] = rest {
        rest = match (*byte, tail) {
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => tail,
            (byte, tail) if is_name_byte(byte) => tail,
            _ => return false,
        };
    }
    true
}

/// A byte of a name: `unreserved` or `sub-delims` (RFC 3986 section 2).
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
