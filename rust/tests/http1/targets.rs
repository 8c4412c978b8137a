//! RFC 9112 section 3.2: what a request is for.

use super::*;

/// Path, decoded path, query.
fn parts(line: &str) -> (String, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    head(format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), |head| {
        (text(head.raw_path()), head.path().into_owned(), text(head.query()))
    })
}

fn owned(parts: (&str, &str, &str)) -> (String, String, String) {
    (parts.0.to_owned(), parts.1.to_owned(), parts.2.to_owned())
}

#[test]
fn target_is_split_at_its_first_question_mark() {
    assert_eq!(parts("GET /a/%C3%A9?x=%41?y"), owned(("/a/%C3%A9", "/a/é", "x=%41?y")));
    assert_eq!(parts("GET //a/b?"), owned(("//a/b", "//a/b", "")));
    assert_eq!(parts("GET /%zz%4%ff%"), owned(("/%zz%4%ff%", "/%zz%4\u{fffd}%", "")));
    assert_eq!(parts("GET /\"<>{}|^`\\[]"), owned(("/\"<>{}|^`\\[]", "/\"<>{}|^`\\[]", "")));
}

/// RFC 9112 section 3.2.2.
#[test]
fn whole_uri_gives_path_and_host() {
    assert_eq!(parts("GET http://host"), owned(("/", "/", "")));
    assert_eq!(parts("GET HTTP://host?x"), owned(("/", "/", "x")));
    assert_eq!(parts("GET https://[::1]:8013/a/b?x"), owned(("/a/b", "/a/b", "x")));
    let request = b"GET http://b:80/x HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n";
    let expected: [(&[u8], &[u8]); 2] = [(b"x", b"y"), (b"host", b"b:80")];
    assert!(head(request, |head| head.headers().eq(expected)));
}

/// RFC 9112 section 3.2.4.
#[test]
fn asterisk_is_for_options_alone() {
    assert_eq!(parts("OPTIONS *"), owned(("*", "*", "")));
    assert_eq!(fault(b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Fault::Target));
}

#[test]
fn other_forms_are_refused() {
    let targets = [
        "a",
        "a:80",
        "?a",
        "ftp://a/",
        "http:/a",
        "http://",
        "http:///a",
        "http://:80/",
        "http://u@a/",
        "http://a b/",
        "http://a:b/",
        "/a#b",
        "http://a/#b",
        "**",
        "ws://a/",
    ];
    for target in targets {
        let request = format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let expected = if target.contains(' ') { Fault::RequestLine } else { Fault::Target };
        assert_eq!(fault(request.as_bytes()), Some(expected), "{target}");
    }
}

#[test]
fn bytes_above_ascii_are_refused() {
    assert_eq!(fault("GET /é HTTP/1.1\r\nHost: a\r\n\r\n".as_bytes()), Some(Fault::Target));
    assert_eq!(fault(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Fault::RequestLine));
}

#[test]
fn long_target_arrives_whole() {
    let target = format!("/{}", "b".repeat(65_536));
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let outcome = read_with(Limits { head: 200_000, ..LIMITS }, request.as_bytes().chunks(1000));
    assert_eq!(outcome.requests[0].target, target.as_bytes());
    assert_eq!(read(request.as_bytes()).fault, Some(Fault::HeadSize));
}
