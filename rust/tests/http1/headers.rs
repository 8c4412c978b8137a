//! RFC 9112 section 5.

use super::*;

#[test]
fn names_are_in_lower_case_and_blanks_around_values_do_not_count() {
    let request = get("X-Name: \t a  b\t \r\nempty:\r\nBlank: \t\r\nX-Name:again\r\n");
    let expected: [(&[u8], &[u8]); 5] =
        [(b"host", b"a"), (b"x-name", b"a  b"), (b"empty", b""), (b"blank", b""), (b"x-name", b"again")];
    assert!(head(&request, |head| head.headers().eq(expected)));
    let values: [&[u8]; 2] = [b"a  b", b"again"];
    assert!(head(&request, |head| head.values(b"x-name").eq(values)));
}

#[test]
fn names_with_an_underscore_are_left_out() {
    let request = post("Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX-Y: z\r\n", "");
    assert_eq!(head(&request, |head| head.headers().count()), 2);
    assert_eq!(bodies(&request), [""]);
}

/// Sections 5.1 and 5.2.
#[test]
fn name_that_is_no_token_is_refused() {
    let lines = ["X : y", "X\t: y", "Content-Length : 5", " X: y", ": y", "X", "X(: y", "X\u{0}: y", "é: y"];
    for line in lines.into_iter().chain(["X: y\r\n z: a", "X: y\r\n\tz", "X:\r\n y"]) {
        assert_eq!(fault(&get(&format!("{line}\r\n"))), Some(Fault::FieldName), "{line:?}");
    }
    assert_eq!(fault(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"), Some(Fault::FieldName));
}

/// RFC 9110 section 5.5.
#[test]
fn control_bytes_in_values_are_refused() {
    for byte in 0..=u8::MAX {
        let request = [b"GET / HTTP/1.1\r\nHost: a\r\nX: y", &[byte][..], b"z\r\n\r\n"].concat();
        let expected = match byte {
            b'\n' => Some(Fault::BareLineFeed),
            b'\t' | b' '..=b'~' | 0x80..=0x84 | 0x86.. => None,
            _ => Some(Fault::FieldValue),
        };
        assert_eq!(read(&request).fault, expected, "{byte:#x}");
    }
}

/// RFC 9112 section 2.2.
#[test]
fn bare_line_ends_are_refused() {
    assert_eq!(fault(b"GET / HTTP/1.1\nHost: a\r\n\r\n"), Some(Fault::BareLineFeed));
    assert_eq!(fault(b"GET / HTTP/1.1\r\nHost: a\n\r\n"), Some(Fault::BareLineFeed));
    assert_eq!(fault(b"GET / HTTP/1.1\r\nHost: a\r\n\n"), Some(Fault::BareLineFeed));
    assert_eq!(fault(b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"), Some(Fault::FieldValue));
    assert_eq!(fault(b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), Some(Fault::FieldValue));
}

#[test]
fn lines_have_a_limit() {
    for fields in [3, 70] {
        let limits = Limits { fields, ..LIMITS };
        assert_eq!(read_with(limits, [&get(&"X: y\r\n".repeat(fields - 1))[..]]).fault, None);
        assert_eq!(read_with(limits, [&get(&"X: y\r\n".repeat(fields))[..]]).fault, Some(Fault::Fields));
    }
}

#[test]
fn head_may_have_exactly_its_limit() {
    let request = get("X: y\r\n");
    for (head, expected) in [(request.len(), None), (request.len() - 1, Some(Fault::HeadSize))] {
        let limits = Limits { head, ..LIMITS };
        assert_eq!(read_with(limits, [&request[..]]).fault, expected);
        assert_eq!(read_with(limits, request.chunks(1)).fault, expected);
    }
}

#[test]
fn head_without_end_is_refused_at_the_limit() {
    let mut reader = Reader::new(Limits { head: 100, ..LIMITS });
    assert!(matches!(reader.read(&mut &[b'x'; 100][..]), Event::NeedMore));
    assert_eq!(reader.head_size(), 100);
    assert!(matches!(reader.read(&mut &b"x"[..]), Event::Refused(Fault::HeadSize)));
}
