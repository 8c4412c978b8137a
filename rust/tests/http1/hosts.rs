//! RFC 9112 section 3.2: `Host`.

use super::*;

fn of(lines: &str, version: &str) -> Option<Fault> {
    fault(format!("GET / HTTP/{version}\r\n{lines}\r\n").as_bytes())
}

/// RFC 9112 section 3.2.
#[test]
fn host_is_there_once() {
    assert_eq!(of("", "1.1"), Some(Fault::NoHost));
    assert_eq!(of("", "1.0"), None);
    for version in ["1.0", "1.1"] {
        assert_eq!(of("Host: a\r\nhost: a\r\n", version), Some(Fault::SeveralHosts));
        assert_eq!(of("Host: a\r\n", version), None);
        assert_eq!(of("Host: a b\r\n", version), Some(Fault::Host));
    }
}

#[test]
fn host_is_a_name_or_an_address_and_a_port() {
    let valid = [
        "",
        "a",
        "a.",
        "site.example ",
        "site.example:8013",
        "a:",
        "10.0.0.1:80",
        "[::1]",
        "[::1]:80",
        "[v1.a:b]:1",
        "a_b-c~",
        "%41b",
        "xn--e1afmkfd",
        "a,b",
    ];
    for host in valid {
        assert_eq!(of(&format!("Host: {host}\r\n"), "1.1"), None, "{host:?}");
    }
    let invalid = [
        "a b",
        "a/b",
        "u@a",
        "a:b",
        "a:80:80",
        "::1",
        "[::1",
        "[::1]a",
        "[a]",
        "[]",
        "[::1%25eth0]",
        "[v.a]",
        "[v1.]",
        "[vg.a]",
        "a, b",
        "a?b",
        "a#b",
        "%4",
        "%zz",
        "é",
        "a\tb",
        "http://a",
        "a\\b",
        "<a>",
        "\"a\"",
    ];
    for host in invalid {
        assert_eq!(of(&format!("Host: {host}\r\n"), "1.1"), Some(Fault::Host), "{host:?}");
    }
}
