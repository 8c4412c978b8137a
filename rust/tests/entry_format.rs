//! What is taken off an entry before anybody looks at the message in it.
#![allow(missing_docs)]

use awxfast_core::error::Reject;
use awxfast_core::wire::entry_format::{EntryFormat, Random, Serializer};
use awxfast_core::wire::envelope;
use awxfast_core::wire::fernet::Keys;
use proptest::prelude::*;

const NOW: u64 = 1_795_561_314;

fn json() -> EntryFormat {
    EntryFormat::new(0, Serializer::Json, Keys::default(), None)
}

fn encrypted() -> EntryFormat {
    EntryFormat::new(12, Serializer::Msgpack, Keys::new(["key"]), Some(70))
}

fn text_of(entry: &str) -> Result<String, Reject> {
    let opened = json().open(entry.as_bytes(), NOW)?;
    envelope::decode(opened.packed())?.text.map(str::to_owned)
}

fn message(text: &str) -> String {
    format!(r#"{{"type": "internal.message", "text": {text}, "__asgi_channel__": ["a!b"]}}"#)
}

#[test]
fn prefix_of_any_length_is_taken_off() {
    for length in [0, 1, 12, 40] {
        let entry = [vec![0xff; length], b"body".to_vec()].concat();
        assert_eq!(EntryFormat::plain(length).open(&entry, NOW).unwrap().body(), b"body");
    }
    assert_eq!(EntryFormat::plain(12).open(b"short", NOW).unwrap_err(), Reject::Malformed);
}

#[test]
fn text_in_json_comes_out_as_it_was() {
    let cases =
        [(r#""""#, ""), (r#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"), (r#""h\u00e9 \ud83d\ude80""#, "hé 🚀")];
    for (written, text) in cases {
        assert_eq!(text_of(&message(written)).unwrap(), text);
    }
    assert_eq!(text_of(&message("\"hé\"")).unwrap(), "hé");
}

#[test]
fn half_of_a_surrogate_pair_is_no_utf8() {
    for half in [r#""\ud83d""#, r#""\ude80""#, r#""\ud83d\u0041""#, r#""\ud83dx""#] {
        assert_eq!(text_of(&message(half)), Err(Reject::NotUtf8), "{half}");
    }
}

#[test]
fn whatever_else_is_in_the_message_is_passed_over() {
    let entry = r#" {"n": [1, -2.5e+7, 0, {"deep": [[], {}]}, NaN, -Infinity, Infinity, null, false, 123456789012345678901234],
        "needs_relay": true, "__asgi_channel__": "x!y", "text": "old", "type": "t", "text": "new"} "#;
    let opened = json().open(entry.as_bytes(), NOW).unwrap();
    let envelope = envelope::decode(opened.packed()).unwrap();
    assert_eq!((envelope.kind, envelope.text, envelope.needs_relay), (Some("t"), Ok("new"), true));
    assert_eq!(envelope.channels.iter().collect::<Vec<_>>(), ["x!y"]);
    assert_eq!(opened.body(), entry.as_bytes());
}

#[test]
fn what_python_does_not_read_as_json_is_malformed() {
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let wrong =
        ["", "{", r#"{"a" 1}"#, r#"{"a": 1,}"#, "[1,]", "{a: 1}", "01", "1.", "-", ".5", "1e", "tru", "nul", "{} {}"];
    for entry in wrong.iter().copied().chain([deep.as_str(), "\"\u{1}\"", r#""\x""#, r#""\u12g4""#, r#""\u123"#, "\"a"])
    {
        assert_eq!(json().open(entry.as_bytes(), NOW).unwrap_err(), Reject::Malformed, "{entry}");
    }
    assert_eq!(json().open(b"\"\xff\"", NOW).unwrap_err(), Reject::Malformed);
}

#[test]
fn entry_that_no_key_reads_is_undecryptable_and_counted_by_its_reason() {
    let random = Random { prefix: &[1; 12], iv: [2; 16] };
    let entry = encrypted().seal(b"body", NOW, &random);
    let format = encrypted();
    assert_eq!(format.open(&entry, NOW).unwrap().body(), b"body");
    assert_eq!(format.open(&entry, NOW + 71).unwrap_err(), Reject::Undecryptable);
    assert_eq!(format.open(&[&entry[..12], b"\x80"].concat(), NOW).unwrap_err(), Reject::Undecryptable);
    format.accept_keys(Keys::new(["other"]));
    assert_eq!(format.open(&entry, NOW).unwrap_err(), Reject::Undecryptable);
    assert_eq!(format.refused(), [1, 1, 1, 0]);
    format.accept_keys(Keys::new(["other", "key"]));
    assert_eq!(format.open(&entry, NOW).unwrap().body(), b"body");
}

#[test]
fn what_is_printed_has_no_key() {
    assert_eq!(format!("{:?}", encrypted()), "EntryFormat { prefix_length: 12, serializer: Msgpack, .. }");
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(opened) = json().open(&bytes, NOW) {
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() || bytes.windows(3).any(|w| w == b"NaN"));
            let _ = envelope::decode(opened.packed());
        }
        let _ = encrypted().open(&bytes, NOW);
    }

    #[test]
    fn any_text_comes_out_of_json_as_it_went_in(text: String) {
        prop_assert_eq!(text_of(&message(&serde_json::to_string(&text).unwrap())).unwrap(), text);
    }
}
