//! Queue entries: what `channels_redis` writes is read, all else is refused with its reason.

use awxfast_core::error::Reject;
use awxfast_core::wire::envelope::{self, Envelope};
use proptest::prelude::*;
use rmp::encode;

/// Written by `channels_redis` 4.3.0 with msgpack 1.2.4, less its random prefix.
const CAPTURED: &str = "\
83a474797065b0696e7465726e616c2e6d657373616765a474657874d9417b2267726f75705f6e616d65223a20226a6f\
6273222c2022756e69666965645f6a6f625f6964223a2034322c202266696e616c5f636f756e746572223a2031317db0\
5f5f617367695f6368616e6e656c5f5f91d92c73706563696669632e3366316330613962653264343463376638613662\
356434653363326231613030216131";

enum Value<'a> {
    Str(&'a [u8]),
    List(Vec<Value<'a>>),
    Bin(&'a [u8]),
    Bool(bool),
    Raw(Vec<u8>),
}

fn text(text: &str) -> Value<'_> {
    Value::Str(text.as_bytes())
}

fn names<'a>(names: &[&'a str]) -> Value<'a> {
    Value::List(names.iter().map(|name| text(name)).collect())
}

fn write(entry: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Str(bytes) => {
            encode::write_str_len(entry, length(bytes.len())).expect("written");
            entry.extend_from_slice(bytes);
        }
        Value::List(items) => {
            encode::write_array_len(entry, length(items.len())).expect("written");
            for item in items {
                write(entry, item);
            }
        }
        Value::Bin(bytes) => encode::write_bin(entry, bytes).expect("written"),
        Value::Bool(flag) => encode::write_bool(entry, *flag).expect("written"),
        Value::Raw(bytes) => entry.extend_from_slice(bytes),
    }
}

fn length(length: usize) -> u32 {
    length.try_into().expect("short")
}

fn entry(pairs: &[(&str, Value)]) -> Vec<u8> {
    let mut entry = Vec::new();
    encode::write_map_len(&mut entry, length(pairs.len())).expect("written");
    for (key, value) in pairs {
        write(&mut entry, &text(key));
        write(&mut entry, value);
    }
    entry
}

fn event<'a>() -> Vec<(&'a str, Value<'a>)> {
    vec![
        ("type", text("internal.message")),
        ("text", text("{}")),
        ("__asgi_channel__", names(&["specific.a!g.jobs-summary"])),
    ]
}

/// An event with one key more, or an existing one again.
fn event_with<'a>(key: &'a str, value: Value<'a>) -> Vec<u8> {
    let mut pairs = event();
    pairs.push((key, value));
    entry(&pairs)
}

/// An event in which one value is another.
fn event_but<'a>(key: &'a str, value: Value<'a>) -> Vec<u8> {
    let mut pairs = event_without(key);
    pairs.push((key, value));
    entry(&pairs)
}

fn event_without<'a>(key: &str) -> Vec<(&'a str, Value<'a>)> {
    event().into_iter().filter(|(name, _)| *name != key).collect()
}

fn reason(entry: &[u8]) -> Option<Reject> {
    match envelope::decode(entry) {
        Err(reason) => Some(reason),
        Ok(envelope) if envelope.kind.is_none() => Some(Reject::NoType),
        Ok(envelope) => envelope.text.err(),
    }
}

fn channels<'a>(envelope: &Envelope<'a>) -> Vec<&'a str> {
    envelope.channels.iter().collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    let digits = pairs.map(|pair| std::str::from_utf8(pair).expect("hex"));
    digits.map(|digits| u8::from_str_radix(digits, 16).expect("hex")).collect()
}

mod reading {
    use super::*;

    #[test]
    fn captured_bytes_of_a_stock_producer_are_read() {
        let body = unhex(CAPTURED);
        let envelope = envelope::decode(&body).expect("an event");
        assert_eq!(envelope.kind, Some("internal.message"));
        assert_eq!(envelope.text, Ok(r#"{"group_name": "jobs", "unified_job_id": 42, "final_counter": 11}"#));
        assert!(!envelope.needs_relay);
        assert_eq!(channels(&envelope), ["specific.3f1c0a9be2d44c7f8a6b5d4e3c2b1a00!a1"]);
    }

    #[test]
    fn keys_come_in_any_order() {
        let mut pairs = event();
        pairs.push(("needs_relay", Value::Bool(true)));
        pairs.reverse();
        let body = entry(&pairs);
        let envelope = envelope::decode(&body).expect("an event");
        assert_eq!((envelope.kind, envelope.text), (Some("internal.message"), Ok("{}")));
        assert!(envelope.needs_relay);
    }

    #[test]
    fn last_of_equal_keys_counts() {
        let body = event_with("text", text("last"));
        assert_eq!(envelope::decode(&body).expect("an event").text, Ok("last"));
        assert_eq!(reason(&event_with("text", Value::Bool(true))), Some(Reject::NoText));
        assert_eq!(reason(&event_with("type", Value::Bool(true))), Some(Reject::NoType));
        assert_eq!(reason(&event_with("__asgi_channel__", Value::Bool(true))), Some(Reject::NoChannel));
    }

    #[test]
    fn only_true_needs_relay() {
        for value in [Value::Bool(false), text("true"), Value::Raw(vec![1]), Value::Raw(vec![0xc0])] {
            let body = event_with("needs_relay", value);
            assert!(!envelope::decode(&body).expect("an event").needs_relay);
        }
    }

    #[test]
    fn text_of_any_length_is_borrowed_as_it_is() {
        for size in [0, 31, 32, 255, 256, 0xffff, 0x1_0000] {
            let long = "é".repeat(size / 2) + &"x".repeat(size % 2);
            let body = event_but("text", text(&long));
            let borrowed = envelope::decode(&body).expect("an event").text.expect("text");
            assert_eq!(borrowed, long);
            assert!(size == 0 || body.as_ptr_range().contains(&borrowed.as_ptr()));
        }
    }

    #[test]
    fn unknown_keys_of_every_fixed_size_are_skipped() {
        let markers_by_size: [(usize, &[u8]); 9] = [
            (0, b"\x07\xe0\xc0\xc2"),
            (1, b"\xcc\xd0"),
            (2, b"\xcd\xd1\xd4"),
            (3, b"\xd5"),
            (4, b"\xce\xd2\xca"),
            (5, b"\xd6"),
            (8, b"\xcf\xd3\xcb"),
            (9, b"\xd7"),
            (17, b"\xd8"),
        ];
        for (size, markers) in markers_by_size {
            for marker in markers {
                assert_skipped(&[&[*marker][..], &vec![0xff; size]].concat());
            }
        }
    }

    #[test]
    fn unknown_keys_of_every_form_of_length_are_skipped() {
        let samples: [&[u8]; 13] = [
            b"\xc4\x01\xff",
            b"\xc5\0\x01\xff",
            b"\xc6\0\0\0\x01\xff",
            b"\xc7\x01\x05\xff",
            b"\xc8\0\x01\x05\xff",
            b"\xc9\0\0\0\x01\x05\xff",
            b"\xd9\x01x",
            b"\xda\0\x01x",
            b"\xdb\0\0\0\x01x",
            b"\x92\x01\x81\x01\x02",
            b"\xdc\0\x01\x01",
            b"\xde\0\x01\x01\x02",
            b"\xdf\0\0\0\x01\x01\x02",
        ];
        for sample in samples {
            assert_skipped(sample);
        }
    }

    fn assert_skipped(value: &[u8]) {
        let body = event_with("other", Value::Raw(value.to_vec()));
        assert_eq!(reason(&body), None, "{value:02x?}");
    }
}

mod channels {
    use super::*;

    #[test]
    fn list_gives_its_names_in_order() {
        let body = event_but("__asgi_channel__", names(&["a!1", "b!2", "plain"]));
        let envelope = envelope::decode(&body).expect("an event");
        assert_eq!(super::channels(&envelope), ["a!1", "b!2", "plain"]);
        assert_eq!(envelope.channels.len(), 3);
    }

    #[test]
    fn single_name_is_one_channel() {
        let body = event_but("__asgi_channel__", text("a!1"));
        let envelope = envelope::decode(&body).expect("an event");
        assert_eq!(super::channels(&envelope), ["a!1"]);
        assert_eq!(envelope.channels.len(), 1);
    }

    #[test]
    fn empty_list_is_for_nobody() {
        let body = event_but("__asgi_channel__", names(&[]));
        assert!(envelope::decode(&body).expect("an event").channels.is_empty());
    }

    #[test]
    fn anything_but_names_is_no_channel() {
        let mixed = Value::List(vec![text("a!1"), Value::Bool(true)]);
        for value in [Value::Bool(true), Value::Bin(b"a!1"), Value::Raw(vec![0x80]), mixed] {
            assert_eq!(reason(&event_but("__asgi_channel__", value)), Some(Reject::NoChannel));
        }
    }
}

mod refusing {
    use super::*;

    #[test]
    fn missing_keys_have_their_own_reasons() {
        assert_eq!(reason(&entry(&event_without("type"))), Some(Reject::NoType));
        assert_eq!(reason(&entry(&event_without("text"))), Some(Reject::NoText));
        assert_eq!(reason(&entry(&event_without("__asgi_channel__"))), Some(Reject::NoChannel));
    }

    #[test]
    fn values_of_other_types_are_as_good_as_missing() {
        assert_eq!(reason(&event_but("type", Value::Bin(b"internal.message"))), Some(Reject::NoType));
        assert_eq!(reason(&event_but("text", Value::Bin(b"{}"))), Some(Reject::NoText));
    }

    #[test]
    fn type_is_known_even_when_there_is_no_text() {
        let mut pairs = event_without("text");
        pairs[0].1 = text("consumer.subscribe");
        let body = entry(&pairs);
        let envelope = envelope::decode(&body).expect("an envelope");
        assert_eq!((envelope.kind, envelope.text), (Some("consumer.subscribe"), Err(Reject::NoText)));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_told_apart_by_place() {
        let bad = || Value::Str(b"\xff");
        assert_eq!(reason(&event_but("text", bad())), Some(Reject::NotUtf8));
        assert_eq!(reason(&event_but("type", bad())), Some(Reject::Malformed));
        assert_eq!(reason(&event_but("__asgi_channel__", bad())), Some(Reject::Malformed));
        let list = Value::List(vec![Value::Bool(true), bad()]);
        assert_eq!(reason(&event_but("__asgi_channel__", list)), Some(Reject::Malformed));
    }

    #[test]
    fn graver_reason_is_given_first() {
        assert_eq!(reason(&entry(&[])), Some(Reject::NoType));
        assert_eq!(reason(&entry(&[("type", text("x"))])), Some(Reject::NoText));
        assert_eq!(reason(&entry(&[("type", text("x")), ("text", Value::Str(b"\xff"))])), Some(Reject::NotUtf8));
        assert_eq!(reason(&entry(&[("__asgi_channel__", Value::Str(b"\xff"))])), Some(Reject::Malformed));
    }

    #[test]
    fn what_is_not_one_map_with_text_keys_is_malformed() {
        let mut trailing = entry(&event());
        trailing.push(0xc0);
        let bodies: [&[u8]; 8] = [
            b"",
            b"\xc0",
            b"\x91\xa1x",
            b"\xc1",
            b"\x81\x01\x02",
            b"\x81\xc4\x01x\x02",
            b"\x81\xa1\xff\x02",
            &trailing,
        ];
        for body in bodies {
            assert_eq!(reason(body), Some(Reject::Malformed), "{body:02x?}");
        }
    }

    #[test]
    fn every_truncation_is_malformed() {
        let body = entry(&event());
        for end in 0..body.len() {
            assert_eq!(reason(&body[..end]), Some(Reject::Malformed), "{end}");
        }
    }
}

mod hostile_lengths {
    use super::*;

    #[test]
    fn lengths_beyond_the_entry_are_malformed() {
        for head in [0xdb, 0xc6, 0xc9, 0xdd, 0xdf] {
            let body = event_with("other", Value::Raw(vec![head, 0xff, 0xff, 0xff, 0xff]));
            assert_eq!(reason(&body), Some(Reject::Malformed), "{head:02x}");
        }
        assert_eq!(reason(b"\xdf\xff\xff\xff\xff"), Some(Reject::Malformed));
    }

    #[test]
    fn nesting_is_followed_to_64_levels() {
        let nested = |depth| event_with("other", Value::Raw([vec![0x91; depth], vec![0xc0]].concat()));
        assert_eq!(reason(&nested(64)), None);
        assert_eq!(reason(&nested(65)), Some(Reject::Malformed));
        assert_eq!(reason(&nested(1_000_000)), Some(Reject::Malformed));
    }

    #[test]
    fn siblings_do_not_count_as_levels() {
        let wide = [vec![0xdc, 0x10, 0], [0x91, 0x80].repeat(0x1000)].concat();
        assert_eq!(reason(&event_with("other", Value::Raw(wide))), None);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(body: Vec<u8>) {
        let _ = envelope::decode(&body);
    }

    #[test]
    fn damaged_event_is_survived_and_its_channels_stay_readable(at: prop::sample::Index, byte: u8) {
        let mut body = entry(&event());
        let at = at.index(body.len());
        body[at] = byte;
        if let Ok(envelope) = envelope::decode(&body) {
            prop_assert_eq!(envelope.channels.iter().count(), envelope.channels.len());
        }
    }

    #[test]
    fn what_is_written_is_read(kind: String, event_text: String, list in prop::collection::vec(".{0,40}", 0..20)) {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        let body = entry(&[("__asgi_channel__", names(&list)), ("text", text(&event_text)), ("type", text(&kind))]);
        let envelope = envelope::decode(&body).expect("an event");
        prop_assert_eq!((envelope.kind, envelope.text), (Some(kind.as_str()), Ok(event_text.as_str())));
        prop_assert_eq!(channels(&envelope), list);
    }
}
