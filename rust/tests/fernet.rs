//! Tokens of encrypted entries: which are read, and why others are refused. `cryptography` is their oracle in tests/rust.
#![allow(missing_docs)]

use awxfast_core::wire::fernet::{Keys, Refusal};
use proptest::prelude::*;

const NOW: u64 = 1_795_561_314;
const IV: [u8; 16] = [7; 16];

fn keys(texts: &[&str]) -> Keys {
    Keys::new(texts)
}

#[test]
fn first_key_encrypts_and_each_is_tried() {
    let token = keys(&["new", "old"]).seal(b"body", NOW, IV);
    assert_eq!(keys(&["other", "new"]).open(&token, NOW, None).unwrap(), b"body");
    assert_eq!(keys(&["old"]).open(&token, NOW, None), Err(Refusal::WrongKey));
    assert_eq!(keys(&[]).open(&token, NOW, None), Err(Refusal::WrongKey));
}

#[test]
fn token_lasts_to_its_last_second_and_may_be_a_minute_ahead() {
    let keys = keys(&["a"]);
    let token = keys.seal(b"body", NOW, IV);
    assert!(keys.open(&token, NOW + 70, Some(70)).is_ok());
    assert_eq!(keys.open(&token, NOW + 71, Some(70)), Err(Refusal::TooOld));
    assert!(keys.open(&token, NOW - 60, Some(70)).is_ok());
    assert_eq!(keys.open(&token, NOW - 61, Some(70)), Err(Refusal::TooEarly));
    assert!(keys.open(&token, NOW + 1_000_000, None).is_ok());
    assert!(keys.open(&token, 0, None).is_ok());
}

#[test]
fn what_is_no_token_is_told_from_a_wrong_key() {
    let keys = keys(&["a"]);
    let token = keys.seal(b"body", NOW, IV);
    for wrong in [&b""[..], b"gAAAAA", b"\x84\xa4type", &token[..token.len() - 4], &token[1..]] {
        assert_eq!(keys.open(wrong, NOW, None), Err(Refusal::NoToken), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn any_body_comes_back(body in proptest::collection::vec(any::<u8>(), 0..200), iv: [u8; 16]) {
        let keys = keys(&["a", "b"]);
        prop_assert_eq!(keys.open(&keys.seal(&body, NOW, iv), NOW, Some(70)).unwrap(), body);
    }

    #[test]
    fn no_changed_letter_passes(at in 0usize..140, letter in proptest::sample::select(b"AZaz09-_".to_vec())) {
        let keys = keys(&["a"]);
        let mut token = keys.seal(b"sixteen bytes of it", NOW, IV);
        let at = at % (token.len() - 2);
        prop_assume!(token[at] != letter);
        token[at] = letter;
        prop_assert!(keys.open(&token, NOW, None).is_err());
    }

    #[test]
    fn any_bytes_are_refused(token in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(keys(&["a"]).open(&token, NOW, Some(70)).is_err());
    }
}
