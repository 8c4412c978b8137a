//! RFC 9112 section 7.1.

use super::*;

#[test]
fn chunks_are_one_body() {
    let body = "5\r\nhello\r\n0000A\r\n, the rest\r\n1;a=b\r\n.\r\n1 ;c\r\n.\r\n2\t ; d=\"e f\"\r\n..\r\n000\r\n\r\n";
    assert_eq!(bodies(&[chunked(body), get("")].concat()), ["hello, the rest....", ""]);
    assert_eq!(head(&chunked(""), Head::content_length), None);
}

#[test]
fn data_of_chunks_may_look_like_anything() {
    assert_eq!(bodies(&chunked("7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n")), ["\r\n0\r\n\r\n"]);
}

/// RFC 9112 section 7.1.
#[test]
fn size_that_is_no_number_is_refused() {
    for size in ["", "ZZ", "-5", "+5", " 5", "\t5", ";a", "10000000000000000", "fffffffffffffffff"] {
        assert_eq!(fault(&chunked(&format!("{size}\r\nhello\r\n0\r\n\r\n"))), Some(Fault::ChunkSize), "{size:?}");
    }
}

/// RFC 9112 section 7.1.1.
#[test]
fn other_things_behind_a_size_are_refused() {
    let lines = ["0x5", "5 ", "5\t", "5 5", "5,", "5g", "5\r", "5\r\r", "5;a\u{0}", "5;a\rb", "5;\u{7f}", "5 a;b"];
    for line in lines {
        assert_eq!(fault(&chunked(&format!("{line}\r\nhello\r\n0\r\n\r\n"))), Some(Fault::ChunkLine), "{line:?}");
    }
    for line in ["5\n", "5;a\n", "5 \n"] {
        assert_eq!(fault(&chunked(&format!("{line}hello\r\n0\r\n\r\n"))), Some(Fault::ChunkLine), "{line:?}");
    }
}

#[test]
fn data_longer_than_its_chunk_is_refused() {
    for end in ["x\r\n", "\n", "\rx", "\r\r\n", "0\r\n\r\n"] {
        assert_eq!(fault(&chunked(&format!("5\r\nhello{end}"))), Some(Fault::ChunkEnd), "{end:?}");
    }
}

#[test]
fn bad_chunk_is_refused_behind_what_was_good() {
    let outcome = read(&chunked("5\r\nhello\r\nZZ\r\n"));
    assert_eq!(outcome.requests[0].body, b"hello");
    assert!(!outcome.requests[0].is_whole);
    assert_eq!(outcome.fault, Some(Fault::ChunkSize));
}

#[test]
fn lines_have_a_limit() {
    for (length, expected) in [(256, None), (257, Some(Fault::ChunkLineSize))] {
        let body = format!("0;{}\r\n\r\n", "a".repeat(length - 2));
        assert_eq!(fault(&chunked(&body)), expected);
        let body = format!("{}\r\n\r\n", "0".repeat(length));
        assert_eq!(fault(&chunked(&body)), expected);
    }
}

/// RFC 9112 section 7.1.2.
#[test]
fn trailers_are_dropped() {
    let body = "2\r\nhi\r\n0\r\nAuthorization: x\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\n";
    let outcome = read(&[chunked(body), get("")].concat());
    assert_eq!(outcome.fault, None);
    assert_eq!(outcome.requests.len(), 2);
    assert_eq!(outcome.requests[0].headers.len(), 2);
    assert_eq!(bodies(&chunked(body)), ["hi"]);
}

#[test]
fn trailer_that_is_no_header_is_refused() {
    for line in ["a", " a: b", "a : b", ": b", "a: \u{0}", "a: b\r\n c", "GET / HTTP/1.1"] {
        assert_eq!(fault(&chunked(&format!("0\r\n{line}\r\n\r\n"))), Some(Fault::Trailer), "{line:?}");
    }
    assert_eq!(fault(&chunked("0\r\na: b\n\r\n")), Some(Fault::BareLineFeed));
    assert_eq!(fault(&chunked("0\r\n\n")), Some(Fault::BareLineFeed));
}

#[test]
fn trailers_have_limits() {
    let of = |limits, trailers: &str| read_with(limits, [&chunked(&format!("0\r\n{trailers}\r\n"))[..]]).fault;
    let limits = Limits { trailers: 14, fields: 2, ..LIMITS };
    assert_eq!(of(limits, "a: b\r\nc: d\r\n"), None);
    assert_eq!(of(limits, "a: b\r\nc: de\r\n"), Some(Fault::TrailerSize));
    assert_eq!(of(Limits { trailers: 99, ..limits }, "a: b\r\nc: d\r\ne:\r\n"), Some(Fault::TrailerSize));
}

#[test]
fn endless_trailers_are_refused_at_the_limit() {
    let mut reader = Reader::new(LIMITS);
    let mut outcome = Outcome::default();
    let mut request = &chunked("0\r\n")[..];
    while outcome.receive(reader.read(&mut request)) {}
    let mut sent = 0;
    while outcome.fault.is_none() {
        let mut line = &b"X-Trailer: 0123456789\r\n"[..];
        sent += line.len();
        outcome.receive(reader.read(&mut line));
    }
    assert_eq!(outcome.fault, Some(Fault::TrailerSize));
    assert!(sent <= LIMITS.trailers + 23, "{sent}");
}
