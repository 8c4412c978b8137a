//! Upgrades, taken or not.

use super::*;

const WEBSOCKET: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";

fn offers(request: &[u8]) -> bool {
    head(request, Head::offers_websocket)
}

/// RFC 9110 section 7.8.
#[test]
fn websocket_is_offered_by_both_headers_in_http_1_1() {
    assert!(offers(&get(WEBSOCKET)));
    assert!(offers(&get("connection: upgrade\r\nConnection: x\r\nUPGRADE: h2c, WebSocket\r\n")));
    assert!(!offers(&get("Connection: keep-alive\r\nUpgrade: websocket\r\n")));
    assert!(!offers(&get("Connection: upgrade\r\nUpgrade: websockets\r\n")));
    assert!(!offers(format!("GET / HTTP/1.0\r\n{WEBSOCKET}\r\n").as_bytes()));
    assert_eq!(head(&get(WEBSOCKET), Head::version), Version::Http11);
}

#[test]
fn websocket_with_a_body_is_refused() {
    assert_eq!(fault(&get(&format!("{WEBSOCKET}Content-Length: 1\r\n"))), Some(Fault::WebsocketBody));
    assert_eq!(fault(&get(&format!("{WEBSOCKET}Transfer-Encoding: chunked\r\n"))), Some(Fault::WebsocketBody));
    assert_eq!(fault(&get(&format!("{WEBSOCKET}Content-Length: 0\r\n"))), None);
}

#[test]
fn what_follows_a_handshake_is_left_to_the_caller() {
    let mut sent = get(WEBSOCKET);
    sent.extend_from_slice(b"\x81\x80\n\n\n\n");
    let mut reader = Reader::new(LIMITS);
    let mut data = &sent[..];
    assert!(matches!(reader.read(&mut data), Event::Head(_)));
    assert!(matches!(reader.read(&mut data), Event::End));
    assert_eq!(data, b"\x81\x80\n\n\n\n");
}

#[test]
fn body_of_any_other_offer_is_a_body() {
    let hidden = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n";
    for upgrade in ["x", "h2c", "TLS/1.2", "websocket"] {
        let lines = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n");
        let sized = post(&format!("{lines}Content-Length: {}\r\n", hidden.len()), hidden);
        assert_eq!(bodies(&sized), [hidden], "{upgrade}");
        let chunks = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        assert_eq!(bodies(&post(&format!("{lines}Transfer-Encoding: chunked\r\n"), &chunks)), [hidden], "{upgrade}");
    }
}
