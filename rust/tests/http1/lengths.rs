//! RFC 9112 section 6: where a body ends.

use super::*;

#[test]
fn body_is_as_long_as_said() {
    assert_eq!(bodies(&[post("Content-Length: 5\r\n", "hello"), get("")].concat()), ["hello", ""]);
    assert_eq!(bodies(&post("Content-Length: \t0005\t\r\n", "hello")), ["hello"]);
    assert_eq!(bodies(&post("Content-Length: 0\r\n", "")), [""]);
    assert_eq!(bodies(&post("", "")), [""]);
    assert_eq!(head(&post("Content-Length: 18446744073709551615\r\n", ""), Head::content_length), Some(u64::MAX));
}

/// RFC 9112 section 6.3, point 5.
#[test]
fn length_that_is_no_number_is_refused() {
    let values = [
        "",
        "a",
        "+5",
        "-5",
        "0x5",
        "5a",
        "5 5",
        "5,5",
        "5, 5",
        "5,",
        ",5",
        "5.0",
        "1e1",
        "\"5\"",
        "18446744073709551616",
        "99999999999999999999999999",
        "5;a",
        "٣",
        "5_0",
    ];
    for value in values {
        let request = post(&format!("Content-Length: {value}\r\n"), "hello");
        assert_eq!(fault(&request), Some(Fault::ContentLength), "{value:?}");
    }
}

#[test]
fn several_lengths_are_refused_even_if_equal() {
    for second in [5, 6] {
        let request = post(&format!("Content-Length: 5\r\nX: y\r\nContent-Length: {second}\r\n"), "hello");
        assert_eq!(fault(&request), Some(Fault::ContentLength));
    }
}

/// RFC 9112 section 6.1.
#[test]
fn both_lengths_are_refused() {
    for lines in
        ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"]
    {
        assert_eq!(fault(&post(lines, "0\r\n\r\n")), Some(Fault::BothLengths));
    }
}

/// Sections 6.1 and 6.3, point 4.
#[test]
fn coding_that_is_not_exactly_chunked_is_refused() {
    let values = [
        "",
        "identity",
        "xchunked",
        "chunkedx",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "chunked;a=b",
        "\"chunked\"",
        "chunk ed",
        "chunked\u{b}",
    ];
    for value in values {
        let request = post(&format!("Transfer-Encoding: {value}\r\n"), "0\r\n\r\n");
        let expected = if value.contains('\u{b}') { Fault::FieldValue } else { Fault::TransferEncoding };
        assert_eq!(fault(&request), Some(expected), "{value:?}");
    }
    let twice = post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n");
    assert_eq!(fault(&twice), Some(Fault::TransferEncoding));
}

#[test]
fn coding_has_no_case_and_blanks_do_not_count() {
    for value in ["chunked", "Chunked", "\tchunked\t", "  CHUNKED "] {
        assert_eq!(bodies(&post(&format!("Transfer-Encoding:{value}\r\n"), "2\r\nhi\r\n0\r\n\r\n")), ["hi"]);
    }
}

#[test]
fn chunks_in_http_1_0_are_refused() {
    assert_eq!(fault(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Some(Fault::TransferEncoding));
}
