//! What Redis sends over a subscribed connection: every cut of it is read alike, all else is a fault.

use awxfast_core::wire::push::{Fault, Push, PushReader};
use proptest::prelude::*;

const LIMIT: usize = 10_000;

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Message(Vec<u8>, Vec<u8>),
    Answer(Vec<u8>),
    Error(Vec<u8>),
}

fn told(push: Push<'_>) -> Told {
    match push {
        Push::Message { channel, payload } => Told::Message(channel.to_vec(), payload.to_vec()),
        Push::Answer(kind) => Told::Answer(kind.to_vec()),
        Push::Error(text) => Told::Error(text.to_vec()),
    }
}

fn read(chunks: &[&[u8]]) -> Result<(Vec<Told>, Vec<u8>), Fault> {
    let mut reader = PushReader::new(LIMIT);
    let mut all = Vec::new();
    for chunk in chunks {
        reader.feed(chunk, |push| all.push(told(push)))?;
    }
    Ok((all, reader.rest().to_vec()))
}

fn message(channel: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"*3\r\n$7\r\nmessage\r\n".to_vec();
    for part in [channel, payload] {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Everything that a Redis sends there, as Redis 7.0 wrote it.
fn stream() -> (Vec<u8>, Vec<Told>) {
    let mut bytes = b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n".to_vec();
    bytes.extend_from_slice(&message(b"a", b"\r\n*3\r\n$7\r\nmessage\r\n\x00\xff"));
    bytes.extend_from_slice(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n+PONG\r\n");
    bytes.extend_from_slice(b"*4\r\n$8\r\npmessage\r\n$2\r\nb*\r\n$2\r\nb1\r\n$3\r\none\r\n");
    bytes.extend_from_slice(b"-NOPERM no permissions to access the channel\r\n");
    bytes.extend_from_slice(b"*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    let replies = vec![
        Told::Answer(b"subscribe".to_vec()),
        Told::Message(b"a".to_vec(), b"\r\n*3\r\n$7\r\nmessage\r\n\x00\xff".to_vec()),
        Told::Answer(b"pong".to_vec()),
        Told::Answer(b"PONG".to_vec()),
        Told::Message(b"b1".to_vec(), b"one".to_vec()),
        Told::Error(b"NOPERM no permissions to access the channel".to_vec()),
        Told::Answer(b"unsubscribe".to_vec()),
    ];
    (bytes, replies)
}

#[test]
fn every_reply_of_a_subscribed_connection_is_read() {
    let (bytes, replies) = stream();
    assert_eq!(read(&[&bytes]), Ok((replies, Vec::new())));
}

#[test]
fn every_cut_gives_the_same_and_what_is_not_whole_is_kept() {
    let (bytes, replies) = stream();
    for cut in 0..bytes.len() {
        let (mut first, rest) = read(&[&bytes[..cut]]).expect("good");
        assert!(bytes[..cut].ends_with(&rest));
        let (second, end) = read(&[&rest, &bytes[cut..]]).expect("good");
        first.extend(second);
        assert_eq!((first, end), (replies_of(&replies), Vec::new()));
    }
}

fn replies_of(replies: &[Told]) -> Vec<Told> {
    replies
        .iter()
        .map(|one| match one {
            Told::Message(channel, payload) => Told::Message(channel.clone(), payload.clone()),
            Told::Answer(kind) => Told::Answer(kind.clone()),
            Told::Error(text) => Told::Error(text.clone()),
        })
        .collect()
}

#[test]
fn byte_by_byte_it_is_the_same() {
    let (bytes, replies) = stream();
    let chunks: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&chunks), Ok((replies, Vec::new())));
}

#[test]
fn what_no_redis_sends_there_is_a_fault() {
    for bytes in [
        &b"$3\r\nabc\r\n"[..],
        b":1\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"*1\r\n$4\r\npong\r\n",
        b"*5\r\n",
        b"*-1\r\n",
        b"*3\r\n$5\r\nother\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*3\r\n$7\r\nmessage\r\n$1\r\nab\r\n",
        b"*3\r\n$-2\r\n",
        b"*3\r\n$x\r\n",
        b"*3\r\n*1\r\n",
        b"*3\rx",
        b"*99999999999999999999999999",
    ] {
        assert_eq!(read(&[bytes]), Err(Fault::OutOfProtocol), "{}", bytes.escape_ascii());
    }
}

#[test]
fn reply_past_the_limit_is_refused_as_soon_as_it_is_announced() {
    let head = format!("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n${}\r\n", LIMIT + 1);
    assert_eq!(read(&[head.as_bytes()]), Err(Fault::TooLong));
    let whole = message(b"a", &vec![b'x'; LIMIT - 100]);
    assert_eq!(read(&[&whole[..LIMIT - 100], &whole[LIMIT - 100..]]).expect("good").0.len(), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6)) {
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let _ = read(&chunks);
    }

    #[test]
    fn any_messages_come_through_any_cuts(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
        size in 1_usize..50,
    ) {
        let bytes: Vec<u8> = payloads.iter().flat_map(|payload| message(b"asgi__group__a", payload)).collect();
        let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
        let (all, rest) = read(&chunks).expect("good");
        let expected: Vec<Told> =
            payloads.into_iter().map(|payload| Told::Message(b"asgi__group__a".to_vec(), payload)).collect();
        prop_assert_eq!(all, expected);
        prop_assert!(rest.is_empty());
    }
}
