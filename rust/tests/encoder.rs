//! Events for relay links: what becomes a frame, what does not, and the bytes, against a plain twin.

use awxfast_core::error::Reject;
use awxfast_core::links::encoder::LinkEncoder;
use awxfast_core::links::packets::Packets;
use awxfast_core::links::share::{Bundle, Share};
use awxfast_core::wire::entry_format::EntryFormat;
use awxfast_core::wire::frame::{Budget, Decoder, Received};
use std::sync::Arc;

use proptest::prelude::*;
use rmp::encode;

const MAX_FRAME: usize = 4 << 20;

fn entry(kind: &str, text: &str, needs_relay: bool, channels: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    encode::write_map_len(&mut bytes, 4).expect("written");
    for part in ["type", kind, "text", text, "needs_relay"] {
        encode::write_str(&mut bytes, part).expect("written");
    }
    encode::write_bool(&mut bytes, needs_relay).expect("written");
    encode::write_str(&mut bytes, "__asgi_channel__").expect("written");
    encode::write_array_len(&mut bytes, u32::try_from(channels.len()).expect("few")).expect("written");
    for channel in channels {
        encode::write_str(&mut bytes, channel).expect("written");
    }
    bytes
}

fn encoder() -> LinkEncoder {
    let mut encoder = LinkEncoder::new(Arc::new(EntryFormat::plain(12)), MAX_FRAME);
    encoder.add_channel("g.jobs-summary", "jobs-summary");
    encoder.add_channel("n.1", "job_events-42");
    encoder
}

fn encode_all(encoder: &mut LinkEncoder, entries: &[Vec<u8>]) -> Bundle {
    let mut bundle = encoder.begin();
    for entry in entries {
        encoder.encode(entry, 0, &mut bundle);
    }
    bundle
}

fn share_all(bundle: Bundle) -> Share {
    Share::of(&Arc::new(bundle), |_| true)
}

/// The server's decoder takes masked frames only.
fn texts(bundle: Bundle) -> Vec<String> {
    let mut received = Received::default();
    let mut decoder = Decoder::new(0, 0);
    decoder.receive(&mut share_all(bundle).to_vec().as_slice(), Budget::UNLIMITED, &mut received);
    assert!(decoder.failure().is_none());
    received.messages.iter().map(|message| String::from_utf8(message.payload.clone()).expect("text")).collect()
}

#[test]
fn event_becomes_awxs_frame() {
    let bundle =
        encode_all(&mut encoder(), &[entry("internal.message", "{\"a\": \"\\n\"}", true, &["s.a!g.jobs-summary"])]);
    assert_eq!(
        texts(bundle),
        [r#"{"group": "jobs-summary", "message": {"type": "internal.message", "text": "{\"a\": \"\\n\"}"}}"#]
    );
}

#[test]
fn batch_names_each_group_once() {
    let (first, second) = ("s.a!g.jobs-summary", "s.a!n.1");
    let entries = [first, first, second, first].map(|name| entry("internal.message", "x", true, &[name]));
    let bundle = encode_all(&mut encoder(), &entries);
    assert_eq!(bundle.groups().into_iter().collect::<Vec<_>>(), ["job_events-42", "jobs-summary"]);
}

#[test]
fn entry_for_two_groups_goes_to_both() {
    let bundle =
        encode_all(&mut encoder(), &[entry("internal.message", "x", true, &["s.a!g.jobs-summary", "s.a!n.1"])]);
    assert_eq!(share_all(bundle).frames, 2);
}

#[test]
fn everything_else_is_counted() {
    let mut encoder = encoder();
    encoder.remove_channel("n.1");
    let entries = [
        entry("internal.message", "x", false, &["s.a!g.jobs-summary"]),
        entry("internal.message", "x", true, &["s.a!n.1"]),
        entry("websocket.close", "x", true, &["s.a!g.jobs-summary"]),
        vec![0; 13],
        vec![0; 5],
        entry("internal.message", &"x".repeat(MAX_FRAME), true, &["s.a!g.jobs-summary"]),
    ];
    assert!(encode_all(&mut encoder, &entries).is_empty());
    let counts = encoder.counts();
    assert_eq!((counts.received, counts.encoded, counts.not_for_relay, counts.no_group), (6, 0, 1, 1));
    assert_eq!(counts.rejected[Reject::UnknownType.index()], 1);
    assert_eq!(counts.rejected[Reject::Malformed.index()], 2);
    assert_eq!(counts.rejected[Reject::TooLarge.index()], 1);
}

#[test]
fn masks_differ() {
    let same = entry("internal.message", "x", true, &["s.a!g.jobs-summary"]);
    let bytes = share_all(encode_all(&mut encoder(), &[same.clone(), same])).to_vec();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_ne!(first, second);
}

/// A plain twin of the escaping: RFC 8259 section 7, the short forms that Python has too.
fn escape(text: &str) -> String {
    let one = |letter: char| match letter {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        control if control < ' ' => format!("\\u{:04x}", control as u32),
        other => other.to_string(),
    };
    text.chars().map(one).collect()
}

proptest! {
    #[test]
    fn any_text_arrives(text in "\\PC*|[\u{0}-\u{ff}]{0,200}") {
        let bundle = encode_all(&mut encoder(), &[entry("internal.message", &text, true, &["s.a!g.jobs-summary"])]);
        let expected = format!(
            "{{\"group\": \"jobs-summary\", \"message\": {{\"type\": \"internal.message\", \"text\": \"{}\"}}}}",
            escape(&text)
        );
        prop_assert_eq!(texts(bundle), [expected]);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut encoder = encoder();
        prop_assert!(encode_all(&mut encoder, &[bytes]).is_empty());
        prop_assert_eq!(encoder.counts().received, 1);
    }
}

fn packets(entries: &[Vec<u8>], most_bytes: usize) -> Vec<(String, u32, Vec<u8>)> {
    let (mut encoder, mut packets) = (encoder(), (None, Packets::new(most_bytes)));
    for entry in entries {
        encoder.encode(entry, 0, &mut packets);
    }
    packets.1.into_texts().into_iter().map(|one| (one.group.to_string(), one.count, one.bytes)).collect()
}

#[test]
fn engine_gets_the_texts_of_each_group_in_one() {
    let entries = [("a", "s.a!n.1"), ("b", "s.a!g.jobs-summary"), ("\"", "s.a!n.1")]
        .map(|(text, name)| entry("internal.message", text, true, &[name]));
    let expected = [
        ("job_events-42".into(), 2, b"\0\0\0\x01a\0\0\0\x01\"".to_vec()),
        ("jobs-summary".into(), 1, b"\0\0\0\x01b".to_vec()),
    ];
    assert_eq!(packets(&entries, 100), expected);
}

#[test]
fn texts_that_are_too_many_for_one_packet_go_into_two() {
    let entries = ["aaa", "bbb", "c"].map(|text| entry("internal.message", text, true, &["s.a!n.1"]));
    let sizes: Vec<(u32, usize)> = packets(&entries, 14).iter().map(|one| (one.1, one.2.len())).collect();
    assert_eq!(sizes, [(2, 14), (1, 5)]);
}

#[test]
fn text_longer_than_a_packet_stands_alone() {
    let entries = ["a", "bbbbbbbb", "c"].map(|text| entry("internal.message", text, true, &["s.a!n.1"]));
    assert_eq!(packets(&entries, 6).iter().map(|one| one.1).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn engine_gets_nothing_that_other_nodes_have() {
    let entries = [entry("internal.message", "a", false, &["s.a!n.1"]), entry("other", "b", true, &["s.a!n.1"])];
    assert_eq!(packets(&entries, 100), []);
}

#[test]
fn links_and_engine_get_the_same_events_and_each_is_counted_once() {
    let mut encoder = encoder();
    let mut both = (Some(encoder.begin()), Packets::new(100));
    encoder.encode(&entry("internal.message", "x", true, &["s.a!n.1"]), 0, &mut both);
    let (bundle, packets) = both;
    assert_eq!((texts(bundle.expect("links")).len(), packets.into_texts().len()), (1, 1));
    assert_eq!((encoder.counts().received, encoder.counts().encoded), (1, 1));
}

#[test]
fn frame_that_is_too_long_for_links_is_counted_and_goes_to_the_engine() {
    let mut encoder = LinkEncoder::new(Arc::new(EntryFormat::plain(12)), 80);
    encoder.add_channel("n.1", "job_events-42");
    let mut both = (Some(encoder.begin()), Packets::new(1000));
    encoder.encode(&entry("internal.message", &"x".repeat(80), true, &["s.a!n.1"]), 0, &mut both);
    assert!(both.0.is_some_and(|bundle| bundle.is_empty()));
    assert_eq!(both.1.into_texts().len(), 1);
    assert_eq!(encoder.counts().rejected[Reject::TooLarge.index()], 1);
}

fn copies(texts: &[&str]) -> (Vec<(String, u32, Vec<u8>)>, LinkEncoder) {
    let (mut encoder, mut packets) = (encoder(), (None, Packets::new(100)));
    encoder.add_channel("g.backplane", "broadcast-group_send");
    encoder.set_backplane("broadcast-group_send");
    for text in texts {
        encoder.encode(&entry("internal.message", text, false, &["s.a!g.backplane"]), 0, &mut packets);
    }
    let texts = packets.1.into_texts();
    (texts.into_iter().map(|one| (one.group.to_string(), one.count, one.bytes)).collect(), encoder)
}

#[test]
fn copy_for_all_nodes_becomes_an_event_of_its_group_for_the_engine() {
    let (packets, encoder) = copies(&[r#"{"group": "job_events-1", "message": "{\"a\": 1}"}"#]);
    assert_eq!(packets, [("job_events-1".into(), 1, b"\0\0\0\x08{\"a\": 1}".to_vec())]);
    assert_eq!((encoder.counts().encoded, encoder.counts().received), (1, 1));
}

#[test]
fn copy_that_is_none_is_counted() {
    let wrong =
        ["x", "{}", r#"{"group": "broadcast-group_send", "message": "x"}"#, r#"{"group": "é", "message": "x"}"#];
    let (packets, encoder) = copies(&wrong);
    assert_eq!(packets, []);
    assert_eq!(encoder.counts().rejected[Reject::Malformed.index()], 2);
    assert_eq!(encoder.counts().rejected[Reject::Group.index()], 2);
}

#[test]
fn notice_on_the_backplane_is_no_fault() {
    let (mut encoder, mut packets) = (encoder(), (None, Packets::new(100)));
    encoder.add_channel("g.backplane", "broadcast-group_send");
    encoder.set_backplane("broadcast-group_send");
    encoder.encode(&entry("consumer.subscribe", "", false, &["s.a!g.backplane"]), 0, &mut packets);
    assert_eq!(encoder.counts().not_for_relay, 1);
}

#[test]
fn published_copy_becomes_an_event_too() {
    let (mut encoder, mut packets) = (encoder(), (None, Packets::new(100)));
    encoder.set_backplane("broadcast-group_send");
    let body = entry("internal.message", r#"{"group": "g", "message": "x"}"#, false, &[]);
    encoder.encode_published("broadcast-group_send", &body, &mut packets);
    assert_eq!(packets.1.into_texts().len(), 1);
}
