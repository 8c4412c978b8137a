//! What needs no socket: the node secret, envelopes and frames.

use std::hint::black_box;

use awxfast_core::hmac::{self, Secrets};
use awxfast_core::nonce::Nonces;
use awxfast_core::wire::entry_format::{EntryFormat, Random, Serializer};
use awxfast_core::wire::envelope;
use awxfast_core::wire::fernet::Keys;
use awxfast_core::wire::frame::{self, Budget, Decoder, Received};
use awxfast_core::wire::push::{Push, PushReader};

use crate::Work;
use crate::browser::entry;

/// Of an event's text.
pub const TEXT_BYTES: usize = 1024;
/// Of what a browser sends.
pub const COMMAND_BYTES: usize = 200;
const PREFIX: usize = 12;
const SECRET: &str = "a secret that the nodes share";
const NOW: i64 = 1_795_561_314;
const REMEMBERED: usize = 256;

/// An event's text: JSON with AWX's keys.
#[must_use]
pub fn text() -> String {
    const HEAD: &str = r#"{"id": 4711, "job": 42, "created": "2026-11-24T23:08:19.680331+00:00", "event": "runner_on_ok",
        "event_data": {"host": "web-1.example.org", "task": "ping"}, "failed": false, "stdout": ""#;
    const TAIL: &str = r#""}"#;
    format!("{HEAD}{:.<1$}{TAIL}", "ok: [web-1.example.org]", TEXT_BYTES - HEAD.len() - TAIL.len())
}

/// A node's `secret` header, up to who has signed it.
#[must_use]
pub fn secret_verify() -> Work {
    let secrets = Secrets::new([SECRET]);
    let header = hmac::sign(SECRET, NOW.unsigned_abs());
    Box::new(move || {
        let parsed = hmac::parse(black_box(header.as_bytes())).expect("a header");
        assert_eq!(secrets.signer(&parsed), Some(0));
    })
}

/// A header that was not seen before, while the oldest is forgotten.
#[must_use]
pub fn nonce() -> Work {
    let mut nonces = Nonces::new(300, REMEMBERED);
    let mut number = 0u32;
    Box::new(move || {
        number += 1;
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        let nonce = i128::from(NOW) + i128::from(number % 300);
        assert!(nonces.admits(black_box(nonce), NOW));
        black_box(nonces.repeats(nonce, digest, NOW, NOW));
    })
}

/// A queue entry, up to its channels.
#[must_use]
pub fn envelope() -> Work {
    let member = entry(&["asgi.benchmark!g.job_events-4711"], &text());
    Box::new(move || {
        let envelope = envelope::decode(black_box(&member[PREFIX..])).expect("an entry");
        assert_eq!(envelope.text.map(str::len), Ok(TEXT_BYTES));
        black_box(envelope.channels.iter().count());
    })
}

/// An entry that is encrypted, up to its channels.
#[must_use]
pub fn encrypted_entry() -> Work {
    let format = EntryFormat::new(PREFIX, Serializer::Msgpack, Keys::new(["key"]), Some(70));
    let body = entry(&["asgi.benchmark!g.job_events-4711"], &text()).split_off(PREFIX);
    let random = Random { prefix: &[0xff; PREFIX], iv: [7; 16] };
    read_entry(format.seal(&body, NOW.unsigned_abs(), &random), format)
}

/// An entry in JSON, up to its channels.
#[must_use]
pub fn json_entry() -> Work {
    let escaped = text().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let message = format!(
        r#"{{"type": "internal.message", "text": "{escaped}", "__asgi_channel__": ["asgi.benchmark!g.job_events-4711"]}}"#
    );
    let format = EntryFormat::new(0, Serializer::Json, Keys::default(), None);
    read_entry(message.into_bytes(), format)
}

fn read_entry(member: Vec<u8>, format: EntryFormat) -> Work {
    Box::new(move || {
        let opened = format.open(black_box(&member), NOW.unsigned_abs()).expect("an entry");
        let envelope = envelope::decode(opened.packed()).expect("a message");
        assert_eq!(envelope.text.map(str::len), Ok(TEXT_BYTES));
        black_box(envelope.channels.iter().count());
    })
}

/// A message as Redis pushes it to who is subscribed, up to its text.
#[must_use]
pub fn pushed_message() -> Work {
    const CHANNEL: &str = "asgi__group__job_events-4711";
    let body = entry(&[], &text()).split_off(PREFIX);
    let mut reply =
        format!("*3\r\n$7\r\nmessage\r\n${}\r\n{CHANNEL}\r\n${}\r\n", CHANNEL.len(), body.len()).into_bytes();
    reply.extend_from_slice(&body);
    reply.extend_from_slice(b"\r\n");
    let mut reader = PushReader::new(reply.len());
    Box::new(move || {
        let read = reader.feed(black_box(&reply), |push| {
            let Push::Message { channel, payload } = push else { panic!("a message") };
            assert_eq!(channel, CHANNEL.as_bytes());
            let envelope = envelope::decode(payload).expect("a message");
            assert_eq!(envelope.text.map(str::len), Ok(TEXT_BYTES));
        });
        assert_eq!(read, Ok(()));
    })
}

/// An event's text as a frame of its own.
#[must_use]
pub fn frame_encode() -> Work {
    let text = text();
    Box::new(move || {
        let mut frame = Vec::with_capacity(frame::text_frame_len(TEXT_BYTES));
        frame::push_frame(&mut frame, frame::TEXT, black_box(text.as_bytes()));
        black_box(&frame);
    })
}

/// A browser's command, masked.
#[must_use]
pub fn frame_decode() -> Work {
    let mut sent = Vec::new();
    frame::push_masked_frame(&mut sent, frame::TEXT, &[b'x'; COMMAND_BYTES], [0x17, 0x2a, 0x99, 0xc4]);
    let mut decoder = Decoder::new(0, 0);
    Box::new(move || {
        let mut received = Received::default();
        decoder.receive(&mut black_box(sent.as_slice()), Budget::UNLIMITED, &mut received);
        assert_eq!(received.messages[0].payload.len(), COMMAND_BYTES);
    })
}
