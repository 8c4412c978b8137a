//! A client's queue: order, what a short write leaves, what is shed, and that nothing is counted twice or not at all.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use awxfast_core::ledger::{Frames, Shed};
use awxfast_core::routing::slab::{Account, Class, Range, Slab, SlabWriter, single};
use awxfast_core::shard::outbox::{Bounds, Outbox, Progress, Sink};
use awxfast_core::wire::frame::{self, Pongs};
use proptest::prelude::*;

const WIDE: Bounds = Bounds { frames: 10_000, bytes: 64 << 20 };

/// Takes at most `room` bytes of each write.
struct Narrow {
    taken: Vec<u8>,
    room: usize,
}

impl Sink for Narrow {
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let offered: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        let taken = offered.len().min(self.room);
        self.taken.extend_from_slice(&offered[..taken]);
        Ok(taken)
    }
}

fn slab(texts: &[&str]) -> Arc<Slab> {
    let mut writer = SlabWriter::with_capacity(texts.len(), 0, &Account::default());
    for text in texts {
        writer.push_event(text.as_bytes(), 0.0);
    }
    writer.finish()
}

fn range(slab: &Arc<Slab>, from: u32, to: u32) -> Range {
    Range { slab: Arc::clone(slab), from, to }
}

fn drain(outbox: &mut Outbox, counts: &mut Frames) -> Vec<u8> {
    let mut sink = Narrow { taken: Vec::new(), room: usize::MAX };
    while !outbox.is_empty() {
        assert_eq!(outbox.write(&mut sink, counts).unwrap(), Progress::Wrote);
    }
    sink.taken
}

fn texts(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [0x81, length, rest @ ..] = bytes {
        let (text, rest) = rest.split_at(usize::from(*length));
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        bytes = rest;
    }
    assert!(bytes.is_empty(), "only whole text frames: {bytes:?}");
    texts
}

#[test]
fn frames_leave_in_order_of_arrival_whatever_their_class() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    let events = slab(&["a", "b", "c"]);
    outbox.push(Class::Event, range(&events, 0, 1), WIDE, &mut counts);
    outbox.push(Class::Status, range(&slab(&["S"]), 0, 1), WIDE, &mut counts);
    outbox.push(Class::Event, range(&events, 1, 2), WIDE, &mut counts);
    outbox.push(Class::Reply, Range::whole(single(frame::TEXT, b"R", &Account::default())), WIDE, &mut counts);
    outbox.push(Class::Event, range(&events, 2, 3), WIDE, &mut counts);
    assert_eq!(texts(&drain(&mut outbox, &mut counts)), ["a", "S", "b", "R", "c"]);
    assert_eq!((counts.queued, counts.written), (5, 5));
}

#[test]
fn neighbours_of_a_slab_become_one_piece() {
    struct Pieces(usize);
    impl Sink for Pieces {
        fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
            self.0 = pieces.len();
            Ok(pieces.iter().map(|piece| piece.len()).sum())
        }
    }
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    let events = slab(&["a", "b", "c"]);
    outbox.push(Class::Event, range(&events, 0, 1), WIDE, &mut counts);
    outbox.push(Class::Event, range(&events, 1, 3), WIDE, &mut counts);
    let mut sink = Pieces(0);
    outbox.write(&mut sink, &mut counts).unwrap();
    assert_eq!((sink.0, counts.written), (1, 3));
}

#[test]
fn frame_counts_as_written_with_its_last_byte() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Event, Range::whole(slab(&["abc", "def"])), WIDE, &mut counts);
    let mut sink = Narrow { taken: Vec::new(), room: 4 };
    assert_eq!(outbox.write(&mut sink, &mut counts).unwrap(), Progress::Blocked);
    assert_eq!((counts.written, outbox.frames()), (0, 2));
    assert_eq!(outbox.write(&mut sink, &mut counts).unwrap(), Progress::Blocked);
    assert_eq!((counts.written, outbox.frames()), (1, 1));
    sink.room = usize::MAX;
    assert_eq!(outbox.write(&mut sink, &mut counts).unwrap(), Progress::Wrote);
    assert_eq!((counts.written, texts(&sink.taken)), (2, vec!["abc".into(), "def".into()]));
}

#[test]
fn full_queue_sheds_the_oldest_events_and_keeps_the_one_begun() {
    let bounds = Bounds { frames: 3, bytes: 1000 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Event, Range::whole(slab(&["one", "two"])), bounds, &mut counts);
    let mut sink = Narrow { taken: Vec::new(), room: 2 };
    outbox.write(&mut sink, &mut counts).unwrap();
    outbox.push(Class::Event, Range::whole(slab(&["three", "four"])), bounds, &mut counts);
    assert_eq!(counts.shed, [1, 0, 0, 0]);
    sink.taken.extend(drain(&mut outbox, &mut counts));
    assert_eq!(texts(&sink.taken), ["one", "three", "four"]);
}

#[test]
fn bound_of_bytes_sheds_just_enough() {
    let bounds = Bounds { frames: 100, bytes: 12 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    for text in ["aa", "bb", "cc"] {
        outbox.push(Class::Event, Range::whole(slab(&[text])), bounds, &mut counts);
    }
    assert_eq!((counts.shed, outbox.bytes()), ([0, 0, 0, 0], 12));
    outbox.push(Class::Event, Range::whole(slab(&["d"])), bounds, &mut counts);
    assert_eq!(counts.shed, [0, 1, 0, 0]);
    assert_eq!(texts(&drain(&mut outbox, &mut counts)), ["bb", "cc", "d"]);
}

#[test]
fn status_frames_outlive_events_and_have_a_quarter_of_the_bound() {
    let bounds = Bounds { frames: 8, bytes: 8000 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Status, Range::whole(slab(&["s1"])), bounds, &mut counts);
    for number in 0..20 {
        outbox.push(Class::Event, Range::whole(slab(&[&format!("e{number}")])), bounds, &mut counts);
    }
    outbox.push(Class::Status, Range::whole(slab(&["s2", "s3"])), bounds, &mut counts);
    let left = texts(&drain(&mut outbox, &mut counts));
    assert_eq!(left, ["e12", "e13", "e14", "e15", "e16", "e17", "e18", "e19", "s2", "s3"]);
    assert_eq!(counts.shed[Shed::Frames as usize], 13);
}

#[test]
fn replies_are_never_shed() {
    let bounds = Bounds { frames: 1, bytes: 1 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    for _ in 0..50 {
        outbox.push(
            Class::Reply,
            Range::whole(single(frame::TEXT, b"reply", &Account::default())),
            bounds,
            &mut counts,
        );
    }
    assert_eq!((outbox.replies(), counts.shed), (50, [0; 4]));
}

#[test]
fn frame_above_the_whole_bound_is_too_large_and_costs_the_others_nothing() {
    let bounds = Bounds { frames: 10, bytes: 10 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Event, Range::whole(slab(&["ok", "much too large", "too"])), bounds, &mut counts);
    assert_eq!(counts.shed, [0, 0, 0, 1]);
    assert_eq!(texts(&drain(&mut outbox, &mut counts)), ["ok", "too"]);
}

#[test]
fn control_frames_go_ahead_but_never_inside_a_frame() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Event, Range::whole(slab(&["first", "second"])), WIDE, &mut counts);
    let mut sink = Narrow { taken: Vec::new(), room: 3 };
    outbox.write(&mut sink, &mut counts).unwrap();
    outbox.control().add_pongs(&pongs([&b""[..]]));
    outbox.control().set_ping(vec![0x89, 0]);
    outbox.control().set_close(vec![0x88, 0]);
    sink.room = usize::MAX;
    while !outbox.is_empty() {
        outbox.write(&mut sink, &mut counts).unwrap();
    }
    let expected = [b"\x81\x05first".as_slice(), b"\x8a\x00\x89\x00", b"\x81\x06second", b"\x88\x00"].concat();
    assert_eq!(sink.taken, expected);
}

fn pongs<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Pongs {
    let mut pongs = Pongs::default();
    payloads.into_iter().for_each(|payload| pongs.push(payload));
    pongs
}

#[test]
fn newer_ping_replaces_a_waiting_one_and_pongs_join_theirs() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.control().set_ping(vec![0x89, 1, 1]);
    outbox.control().set_ping(vec![0x89, 1, 2]);
    outbox.control().add_pongs(&pongs([&b"\x01"[..], b"\x02"]));
    outbox.control().add_pongs(&pongs([&b"\x03"[..]]));
    assert_eq!(drain(&mut outbox, &mut counts), [0x8a, 1, 1, 0x8a, 1, 2, 0x8a, 1, 3, 0x89, 1, 2]);
}

#[test]
fn at_most_64_pongs_wait() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    for number in 0..200_u8 {
        outbox.control().add_pongs(&pongs([&[number][..]]));
    }
    let payloads: Vec<u8> = drain(&mut outbox, &mut counts).chunks(3).map(|frame| frame[2]).collect();
    assert_eq!(payloads, (0..63).chain([199]).collect::<Vec<u8>>());
}

#[test]
fn cleared_queue_finishes_the_frame_begun() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Event, Range::whole(slab(&["whole", "gone", "gone too"])), WIDE, &mut counts);
    let mut sink = Narrow { taken: Vec::new(), room: 1 };
    outbox.write(&mut sink, &mut counts).unwrap();
    assert_eq!(outbox.clear(true), 2);
    sink.taken.extend(drain(&mut outbox, &mut counts));
    assert_eq!(texts(&sink.taken), ["whole"]);
}

#[test]
fn bytes_of_a_shared_slab_count_once_and_go_with_its_last_holder() {
    let account = Account::default();
    let mut writer = SlabWriter::with_capacity(1, 100, &account);
    writer.push_event(&[b'x'; 98], 0.0);
    let slab = writer.finish();
    let mut counts = Frames::default();
    let mut clients = [Outbox::default(), Outbox::default()];
    for outbox in &mut clients {
        outbox.push(Class::Event, Range::whole(Arc::clone(&slab)), WIDE, &mut counts);
    }
    drop(slab);
    let charged = account.load(std::sync::atomic::Ordering::Relaxed);
    assert!((100..100 + 300).contains(&charged), "the bytes, and what the slab itself costs: {charged}");
    for outbox in &mut clients {
        drain(outbox, &mut counts);
    }
    assert_eq!(account.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn neither_a_reply_nor_the_frame_begun_is_the_oldest_that_can_be_shed() {
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Reply, Range::whole(single(frame::TEXT, b"R", &Account::default())), WIDE, &mut counts);
    assert_eq!(outbox.oldest_sheddable(true), None);
    drain(&mut outbox, &mut counts);
    outbox.push(Class::Event, Range::whole(slab(&["begun"])), WIDE, &mut counts);
    outbox.write(&mut Narrow { taken: Vec::new(), room: 1 }, &mut counts).unwrap();
    assert_eq!(outbox.oldest_sheddable(true), None);
    let (status, event) = (slab(&["status"]), slab(&["event"]));
    outbox.push(Class::Status, Range::whole(Arc::clone(&status)), WIDE, &mut counts);
    assert_eq!(outbox.oldest_sheddable(false), None);
    outbox.push(Class::Event, Range::whole(Arc::clone(&event)), WIDE, &mut counts);
    assert_eq!(outbox.oldest_sheddable(false), Some(event.born()));
    assert_eq!(outbox.oldest_sheddable(true), Some(status.born()));
}

#[test]
fn frame_begun_does_not_hold_the_slab_of_those_that_were_shed() {
    let account = Account::default();
    let mut writer = SlabWriter::with_capacity(100, 0, &account);
    for number in 0..100 {
        writer.push_event(format!("{number:0100}").as_bytes(), 0.0);
    }
    let slab = writer.finish();
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    outbox.push(Class::Event, Range::whole(Arc::clone(&slab)), WIDE, &mut counts);
    let born = slab.born();
    drop(slab);
    let mut sink = Narrow { taken: Vec::new(), room: 50 };
    outbox.write(&mut sink, &mut counts).unwrap();
    outbox.shed_before(born + std::time::Duration::from_secs(1), false, &mut counts);
    assert_eq!((outbox.frames(), counts.shed[2]), (1, 99));
    assert!(account.load(std::sync::atomic::Ordering::Relaxed) < 1000);
    sink.taken.extend(drain(&mut outbox, &mut counts));
    assert_eq!(texts(&sink.taken), [format!("{:0100}", 0)]);
}

#[test]
fn neighbours_take_one_place_and_what_is_gone_takes_none() {
    let bounds = Bounds { frames: 4, bytes: 1000 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    let events = slab(&["a", "b", "c"]);
    outbox.push(Class::Event, range(&events, 0, 1), bounds, &mut counts);
    outbox.push(Class::Event, range(&events, 1, 3), bounds, &mut counts);
    outbox.push(Class::Reply, Range::whole(single(frame::TEXT, b"R", &Account::default())), bounds, &mut counts);
    assert_eq!(outbox.places(), [1, 1]);
    outbox.push(Class::Event, Range::whole(slab(&["d", "e"])), bounds, &mut counts);
    outbox.push(Class::Status, Range::whole(slab(&["S"])), bounds, &mut counts);
    assert_eq!((outbox.places(), counts.shed[0]), ([3, 1], 1));
    outbox.write(&mut Narrow { taken: Vec::new(), room: 1 }, &mut counts).unwrap();
    outbox.push(Class::Event, Range::whole(slab(&["f"])), bounds, &mut counts);
    assert_eq!(outbox.places(), [4, 1], "the frame begun stands alone now");
    assert_eq!(outbox.clear(true), 5);
    assert_eq!(outbox.places(), [1, 0]);
    drain(&mut outbox, &mut counts);
    assert_eq!(outbox.places(), [0, 0]);
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize, usize, usize),
    Write(usize),
    Ping,
    Clear(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3usize, 1..6usize, 0..40usize).prop_map(|(class, frames, size)| Step::Push(class, frames, size)),
        4 => (0..120usize).prop_map(Step::Write),
        1 => Just(Step::Ping),
        1 => any::<bool>().prop_map(Step::Clear),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Splits unmasked frames; an incomplete one at the end is left out.
fn split(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut frames = Vec::new();
    while bytes.len() >= 2 && bytes.len() >= 2 + usize::from(bytes[1]) {
        let (one, rest) = bytes.split_at(2 + usize::from(bytes[1]));
        frames.push(one.to_vec());
        bytes = rest;
    }
    (frames, bytes.to_vec())
}

proptest! {
    /// For any order of push, write, shed and close: the books balance after each step, and what is written is a
    /// sequence of whole frames that were pushed, in order.
    #[test]
    fn books_balance_and_the_stream_stays_whole(steps in steps()) {
        let bounds = Bounds { frames: 8, bytes: 150 };
        let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
        let mut sink = Narrow { taken: Vec::new(), room: 0 };
        let mut pushed: VecDeque<Vec<u8>> = VecDeque::new();
        let mut number = 0u32;
        for step in steps {
            match step {
                Step::Push(class, frames, size) => {
                    let class = [Class::Event, Class::Status, Class::Reply][class];
                    let texts: Vec<String> = (0..frames)
                        .map(|_| { number += 1; format!("{number:06}{}", "x".repeat(size)) })
                        .collect();
                    for text in &texts {
                        let mut frame = Vec::new();
                        frame::push_frame(&mut frame, frame::TEXT, text.as_bytes());
                        pushed.push_back(frame);
                    }
                    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                    outbox.push(class, Range::whole(slab(&texts)), bounds, &mut counts);
                }
                Step::Write(room) => {
                    sink.room = room;
                    outbox.write(&mut sink, &mut counts).unwrap();
                }
                Step::Ping => outbox.control().set_ping(vec![0x89, 1, 7]),
                Step::Clear(keep) => {
                    // Without the frame begun only a socket that is closed is left: the stream ends there.
                    if keep || split(&sink.taken).1.is_empty() {
                        counts.lost_at_close += outbox.clear(keep) as u64;
                    }
                }
            }
            counts.pending = outbox.frames() as u64;
            prop_assert_eq!(counts.balance(), 0);
        }
        sink.room = usize::MAX;
        while !outbox.is_empty() {
            outbox.write(&mut sink, &mut counts).unwrap();
        }
        counts.pending = 0;
        prop_assert_eq!(counts.balance(), 0);
        prop_assert_eq!((outbox.frames(), outbox.bytes(), outbox.places()), (0, 0, [0, 0]));
        let (frames, rest) = split(&sink.taken);
        prop_assert!(rest.is_empty());
        for frame in frames.into_iter().filter(|frame| frame[0] == 0x81) {
            while pushed.pop_front().expect("written frames are pushed ones, in order") != frame {}
        }
    }
}
