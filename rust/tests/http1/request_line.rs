//! RFC 9112 section 3: method, version, and what stands before.

use super::*;

fn of(line: &str) -> Option<Fault> {
    fault(format!("{line}\r\nHost: a\r\n\r\n").as_bytes())
}

#[test]
fn any_token_is_a_method_as_sent() {
    for method in ["GET", "get", "FOO", "VERSION-CONTROL", "RPC_IN_DATA", "!#$%&'*+-.^_`|~09", "connect"] {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(head(request.as_bytes(), |head| head.method().to_owned()), method);
    }
}

#[test]
fn connect_is_refused() {
    assert_eq!(of("CONNECT a:80 HTTP/1.1"), Some(Fault::Connect));
    assert_eq!(of("CONNECT / HTTP/1.1"), Some(Fault::Connect));
}

/// RFC 9112 section 3: one space each, nothing else.
#[test]
fn line_of_another_form_is_refused() {
    let lines = [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / a HTTP/1.1",
        "GET /",
        "GET",
        "GET / HTTP/1.1\rX: y",
        "GET / http/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/11",
        "GET / HTTPS/1.1",
        "G(T / HTTP/1.1",
        "GET /\u{0} HTTP/1.1",
    ];
    for line in lines {
        assert_eq!(of(line), Some(Fault::RequestLine), "{line:?}");
    }
}

#[test]
fn first_byte_that_begins_no_method_is_refused_at_once() {
    assert_eq!(fault(b"\x16\x03\x01\x02\x00\x01\x00"), Some(Fault::RequestLine));
    assert_eq!(fault(b" GET / HTTP/1.1"), Some(Fault::RequestLine));
}

/// RFC 9110 section 15.6.6.
#[test]
fn other_version_is_505() {
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0"] {
        let fault = of(&format!("GET / {version}"));
        assert_eq!(fault.map(|fault| fault.refusal().status), Some(505), "{version}");
    }
    assert_eq!(fault(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Some(Fault::Version));
}

/// RFC 9112 section 2.2.
#[test]
fn empty_lines_before_a_request_are_skipped_and_count() {
    let request = [b"\r\n\r\n", &get("")[..]].concat();
    assert_eq!(bodies(&request), [""]);
    let limits = Limits { head: request.len(), ..LIMITS };
    assert_eq!(read_with(limits, [&request[..]]).fault, None);
    let limits = Limits { head: request.len() - 1, ..LIMITS };
    assert_eq!(read_with(limits, [&request[..]]).fault, Some(Fault::HeadSize));
    assert_eq!(read_with(limits, b"\r\n".repeat(1000).chunks(1)).fault, Some(Fault::HeadSize));
}

#[test]
fn empty_line_is_a_whole_one() {
    assert_eq!(fault(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Fault::BareLineFeed));
    assert_eq!(fault(b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Fault::RequestLine));
}
