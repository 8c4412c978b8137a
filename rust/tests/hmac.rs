//! The node secret: headers as AWX signs them, and nothing else, are accepted.

use awxfast_core::hmac::{self, Secrets};
use proptest::prelude::*;

const PLAIN: &str = "HMAC-SHA256 1700000000:3acee634b48c0ee517834b17bf349032336cbba6358701b29c0949839eb2df2c";
const ROBOTS: &str = "HMAC-SHA256 1700000000:1b03ddd654031dc9a0eb63b393f415ff41e012c081a65f69e10b750789d33857";
const ESCAPES: &str = "HMAC-SHA256 1599999999:a7d32685cf7c4d8c5c6a404f71e6002f9550f5b3a7c1a47f44c905a4c55b21c4";
const CONTROLS: &str = "HMAC-SHA256 1700000301:1b134e9500fff39099f7a4e58a497c588073a01bc664e8e2324b0159ca0d9581";

fn signer(secrets: &[&str], header: &str) -> Option<usize> {
    Secrets::new(secrets).signer(&hmac::parse(header.as_bytes())?)
}

mod signing {
    use super::*;

    #[test]
    fn awx_gets_what_it_would_send_itself() {
        assert_eq!(hmac::sign("awxsecret", 1_700_000_000), PLAIN);
    }

    #[test]
    fn secret_outside_ascii_is_escaped_in_the_message_but_not_in_the_key() {
        assert_eq!(hmac::sign("🤖starscream🤖", 1_700_000_000), ROBOTS);
    }

    #[test]
    fn each_kind_of_escape_is_that_of_json_dumps() {
        let secret = "he said \"hi\" \\ / \t\u{7f} é \u{2028}";
        assert_eq!(hmac::sign(secret, 1_599_999_999), ESCAPES);
        assert_eq!(hmac::sign("\0\x1f\x08\x0c\n\r", 1_700_000_301), CONTROLS);
    }
}

mod parsing {
    use super::*;

    const DIGEST: &str = "3acee634b48c0ee517834b17bf349032336cbba6358701b29c0949839eb2df2c";

    fn is_header(header: &str) -> bool {
        hmac::parse(header.as_bytes()).is_some()
    }

    #[test]
    fn both_forms_give_nonce_and_digest() {
        for header in [PLAIN, &PLAIN["HMAC-SHA256 ".len()..]] {
            let parsed = hmac::parse(header.as_bytes()).expect("a header");
            assert_eq!(parsed.nonce, "1700000000");
            assert_eq!(parsed.seconds(), 1_700_000_000);
            assert_eq!(parsed.digest[..3], [0x3a, 0xce, 0xe6]);
        }
    }

    #[test]
    fn nonce_of_20_digits_passes_and_of_21_does_not() {
        let longest = format!("99999999999999999999:{DIGEST}");
        let parsed = hmac::parse(longest.as_bytes()).expect("a header");
        assert_eq!(parsed.seconds(), 99_999_999_999_999_999_999);
        assert!(!is_header(&format!("0{longest}")));
    }

    #[test]
    fn nonce_that_is_not_plain_digits_is_refused() {
        for nonce in ["", "+17", "-17", "1_7", "17.0", " 17", "17 ", "१७", "0x17"] {
            assert!(!is_header(&format!("{nonce}:{DIGEST}")), "{nonce}");
            assert!(!is_header(&format!("HMAC-SHA256 {nonce}:{DIGEST}")), "{nonce}");
        }
    }

    #[test]
    fn anything_around_the_two_parts_is_refused() {
        for header in [
            format!("HMAC-SHA256  1:{DIGEST}"),
            format!("HMAC-SHA256\t1:{DIGEST}"),
            format!(" HMAC-SHA256 1:{DIGEST}"),
            format!("HMAC-SHA256 1:{DIGEST} "),
            format!("HMAC-SHA256 1:{DIGEST}\n"),
            format!("HMAC-SHA256 1:{DIGEST}:"),
            format!("HMAC-SHA256 1::{DIGEST}"),
            format!("HMAC-SHA256 1: {DIGEST}"),
            format!("hmac-sha256 1:{DIGEST}"),
            format!("HMAC-SHA256 HMAC-SHA256 1:{DIGEST}"),
            format!("HMAC-SHA256 1:{DIGEST},HMAC-SHA256 1:{DIGEST}"),
            "HMAC-SHA256 1".into(),
            "HMAC-SHA256".into(),
            String::new(),
        ] {
            assert!(!is_header(&header), "{header}");
        }
    }

    #[test]
    fn digest_must_be_64_lower_case_digits() {
        assert!(!is_header(&format!("1:{}", DIGEST.to_uppercase())));
        assert!(!is_header(&format!("1:{}", &DIGEST[1..])));
        assert!(!is_header(&format!("1:{DIGEST}0")));
        assert!(!is_header(&format!("1:{}g", &DIGEST[1..])));
        assert!(!is_header(&format!("1:{}é", &DIGEST[2..])));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let header = [PLAIN.as_bytes(), b"\xff"].concat();
        assert!(hmac::parse(&header).is_none());
    }
}

mod checking {
    use super::*;

    #[test]
    fn digest_covers_the_nonce_as_received() {
        let with_zero = PLAIN.replace("1700000000", "01700000000");
        assert_eq!(signer(&["awxsecret"], PLAIN), Some(0));
        assert_eq!(signer(&["awxsecret"], &with_zero), None);
    }

    #[test]
    fn any_secret_is_accepted_and_named_by_its_place() {
        assert_eq!(signer(&["awxsecret", "new"], PLAIN), Some(0));
        assert_eq!(signer(&["new", "awxsecret"], PLAIN), Some(1));
        assert_eq!(signer(&["new", "newer"], PLAIN), None);
    }

    #[test]
    fn first_of_equal_secrets_is_named() {
        assert_eq!(signer(&["x", "awxsecret", "awxsecret"], PLAIN), Some(1));
    }

    #[test]
    fn empty_secret_accepts_nobody_but_keeps_its_place() {
        let signed_with_nothing = hmac::sign("", 1_700_000_000);
        assert_eq!(signer(&[""], &signed_with_nothing), None);
        assert_eq!(signer(&["", "awxsecret"], &signed_with_nothing), None);
        assert_eq!(signer(&["", "awxsecret"], PLAIN), Some(1));
    }

    #[test]
    fn no_secret_accepts_nobody() {
        assert_eq!(signer(&[], PLAIN), None);
    }
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted(secret in "\\PC{1,80}", nonce: u64) {
        let header = hmac::sign(&secret, nonce);
        prop_assert_eq!(signer(&[&secret], &header), Some(0));
        prop_assert_eq!(signer(&[&secret], &header["HMAC-SHA256 ".len()..]), Some(0));
    }

    #[test]
    fn one_changed_byte_is_refused(secret in "\\PC{1,80}", nonce: u64, at: prop::sample::Index, byte: u8) {
        let mut header = hmac::sign(&secret, nonce).into_bytes();
        let at = at.index(header.len());
        prop_assume!(header[at] != byte);
        header[at] = byte;
        let signer = hmac::parse(&header).and_then(|parsed| Secrets::new([&secret]).signer(&parsed));
        prop_assert_eq!(signer, None);
    }

    #[test]
    fn any_bytes_are_survived(header: Vec<u8>) {
        let _ = hmac::parse(&header);
    }
}
