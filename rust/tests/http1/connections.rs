//! RFC 9112 section 9, `Expect`, and what a caller may ask of a reader.

use super::*;

/// RFC 9112 section 9.3.
#[test]
fn keep_alive_is_the_rule_of_http_1_1_alone() {
    let cases = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE ,y\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, line, keeps_alive) in cases {
        let request = format!("GET / HTTP/{version}\r\nHost: a\r\n{line}\r\n");
        assert_eq!(head(request.as_bytes(), Head::keeps_alive), keeps_alive, "{version} {line}");
        let requests = read(&[request.as_bytes(), request.as_bytes()].concat()).requests.len();
        assert_eq!(requests, if keeps_alive { 2 } else { 1 });
    }
}

/// RFC 9112 section 9.6.
#[test]
fn nothing_is_read_behind_the_last_request() {
    let request = post("Connection: close\r\nContent-Length: 2\r\n", "hi\0 this is no request\n");
    assert_eq!(bodies(&request), ["hi"]);
}

/// RFC 9110 section 10.1.1.
#[test]
fn continue_is_expected_with_a_body_in_http_1_1() {
    let asks = |request: &[u8]| head(request, Head::expects_continue);
    assert!(asks(&post("Expect: 100-continue \r\nContent-Length: 1\r\n", "")));
    assert!(asks(&post("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", "")));
    assert!(!asks(&post("Expect: 100-continue\r\n", "")));
    assert!(!asks(&post("Expect: 200-ok\r\nContent-Length: 1\r\n", "")));
    assert!(!asks(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
}

#[test]
fn nothing_is_read_behind_a_refusal() {
    let mut reader = Reader::new(LIMITS);
    for _ in 0..3 {
        assert!(matches!(reader.read(&mut &b"\n"[..]), Event::Refused(Fault::BareLineFeed)));
        assert!(matches!(reader.read(&mut &get("")[..]), Event::Refused(Fault::BareLineFeed)));
    }
}

#[test]
fn reader_knows_whether_a_request_is_being_read() {
    let mut reader = Reader::new(LIMITS);
    assert!(reader.is_between());
    let request = post("Content-Length: 2\r\n", "hi");
    for (at, byte) in request.iter().enumerate() {
        let mut byte = std::slice::from_ref(byte);
        while !matches!(reader.read(&mut byte), Event::NeedMore) {}
        assert_eq!(reader.is_between(), at + 1 == request.len());
    }
}

#[test]
fn events_end_with_a_request_as_long_as_the_caller_wants() {
    let requests = [get(""), get("")].concat();
    let mut reader = Reader::new(LIMITS);
    let mut data = &requests[..];
    assert!(matches!(reader.read(&mut data), Event::Head(_)));
    assert!(matches!(reader.read(&mut data), Event::End));
    assert_eq!(data, get(""));
}
