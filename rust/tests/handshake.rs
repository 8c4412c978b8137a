//! The opening handshake, RFC 6455 section 4.2.

use awxfast_core::wire::handshake::{accept_key, answer_key};
use awxfast_core::wire::http1::{Event, Head, Limits, Reader};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// RFC 6455 section 1.3.
const ANSWER: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn read(method: &str, lines: &[&str]) -> Option<Head> {
    let head = format!("{method} /websocket/ HTTP/1.1\r\nHost: here\r\n{}\r\n\r\n", lines.join("\r\n"));
    let limits = Limits { head: 10_000, fields: 100, chunk_line: 100, trailers: 100 };
    match Reader::new(limits).read(&mut head.as_bytes()) {
        Event::Head(head) => Some(head),
        _ => None,
    }
}

/// With these lines in place of those that begin alike.
fn answer(method: &str, others: &[&str]) -> Option<[u8; 28]> {
    let key = format!("Sec-WebSocket-Key: {KEY}");
    let usual = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", &key];
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let mut lines: Vec<&str> =
        usual.into_iter().filter(|line| !others.iter().any(|other| name(other) == name(line))).collect();
    lines.extend(others.iter().filter(|line| line.contains(": ")));
    read(method, &lines).and_then(|head| accept_key(&head))
}

#[test]
fn a_key_is_answered_as_the_rfc_has_it() {
    assert_eq!(answer_key(KEY.as_bytes()), *ANSWER);
    assert_eq!(answer("GET", &[]).as_ref().map(|key| &key[..]), Some(ANSWER));
    assert!(answer("GET", &["Content-Length: 0"]).is_some());
    assert!(answer("GET", &["Connection: keep-alive, Upgrade"]).is_some());
    assert!(answer("GET", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== "]).is_some());
}

#[test]
fn nothing_is_answered_that_has_a_fault_or_asks_for_more() {
    for others in [
        vec!["Upgrade"],
        vec!["Upgrade: h2c"],
        vec!["Connection: close"],
        vec!["Sec-WebSocket-Version"],
        vec!["Sec-WebSocket-Version: 12"],
        vec!["Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"],
        vec!["Sec-WebSocket-Key"],
        vec!["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="],
        vec!["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
        vec!["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA"],
        vec!["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ==="],
        vec!["Sec-WebSocket-Key: dGhlIHNhbXBs-SBub25jZQ=="],
        vec!["Sec-WebSocket-Protocol: chat"],
        vec!["Content-Length: 00"],
    ] {
        assert_eq!(answer("GET", &others), None, "{others:?}");
    }
    assert_eq!(answer("POST", &[]), None);
    assert_eq!(answer("get", &[]), None);
}
