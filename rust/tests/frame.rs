//! Websocket frames in the server's role: RFC 6455 and the limits.

use awxfast_core::wire::frame::{
    self, BINARY, Budget, CLOSE, CONTINUATION, Decoder, Failure, Message, PING, PONG, Pongs, Received, TEXT,
};
use proptest::prelude::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A client's frame; `first` is the opcode with FIN and reserved bits.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::push_frame(&mut bytes, 0, payload);
    bytes.truncate(bytes.len() - payload.len());
    bytes[0] = first;
    bytes[1] |= MASKED;
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn header_of(first: u8, length: u64) -> Vec<u8> {
    [&[first, MASKED | 0x7f][..], &length.to_be_bytes()].concat()
}

fn receive_all(decoder: &mut Decoder, mut data: &[u8]) -> Received {
    let mut received = Received::default();
    decoder.receive(&mut data, Budget::UNLIMITED, &mut received);
    assert!(data.is_empty());
    received
}

fn receive(decoder: &mut Decoder, data: &[u8]) -> Vec<(u8, Vec<u8>)> {
    receive_all(decoder, data).messages.into_iter().map(|Message { opcode, payload }| (opcode, payload)).collect()
}

/// What PINGs in `frames` are answered with.
fn answers(frames: &[Vec<u8>]) -> Vec<u8> {
    receive_all(&mut Decoder::new(0, 0), &frames.concat()).pongs.into_bytes()
}

fn pong(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::push_frame(&mut frame, PONG, payload);
    frame
}

/// What a decoder without limits makes of `frames`.
fn decode(frames: &[Vec<u8>]) -> (Vec<(u8, Vec<u8>)>, Option<Failure>) {
    let mut decoder = Decoder::new(0, 0);
    let messages = receive(&mut decoder, &frames.concat());
    (messages, decoder.failure())
}

fn failure_code(frames: &[Vec<u8>]) -> u16 {
    decode(frames).1.map_or(0, |failure| failure.code)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

mod writing {
    use super::*;

    #[test]
    fn length_takes_its_shortest_form() {
        for (length, header) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (0xffff, &[0x81, 126, 0xff, 0xff]),
            (0x1_0000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let payload = vec![b'x'; length];
            let mut frame = Vec::new();
            frame::push_frame(&mut frame, TEXT, &payload);
            assert_eq!(frame, [header, &payload].concat());
            assert_eq!(frame.len(), frame::text_frame_len(length));
        }
    }

    #[test]
    fn frame_is_appended() {
        let mut buffer = b"before".to_vec();
        frame::push_frame(&mut buffer, PONG, b"x");
        assert_eq!(buffer, b"before\x8a\x01x");
    }

    #[test]
    fn close_has_code_and_reason() {
        assert_eq!(frame::close_payload(1001, b"going"), b"\x03\xe9going");
        assert_eq!(frame::close_payload(1000, b""), b"\x03\xe8");
    }

    #[test]
    fn close_1005_is_empty() {
        assert_eq!(frame::close_payload(1005, b"never sent"), b"");
    }

    #[test]
    fn long_reason_is_cut_between_characters() {
        assert_eq!(frame::close_payload(1000, &[b'x'; 200]).len(), 125);
        let reason = "é".repeat(100);
        assert_eq!(&frame::close_payload(1000, reason.as_bytes())[2..], &reason.as_bytes()[..122]);
    }

    #[test]
    fn reason_ends_where_it_is_not_utf8() {
        assert_eq!(frame::close_payload(1000, b"so\xff far"), b"\x03\xe8so");
    }
}

mod messages {
    use super::*;

    #[test]
    fn message_of_each_kind_is_received() {
        let frames = [
            masked(FIN | TEXT, "é".as_bytes()),
            masked(FIN | BINARY, b"\xff\0"),
            masked(FIN | PING, b"?"),
            masked(FIN | PONG, b""),
            close(1000, b"done"),
        ];
        let expected =
            vec![(TEXT, "é".as_bytes().to_vec()), (BINARY, b"\xff\0".to_vec()), (CLOSE, b"\x03\xe8done".to_vec())];
        assert_eq!(decode(&frames), (expected, None));
    }

    #[test]
    fn example_of_the_rfc_is_received() {
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec();
        assert_eq!(decode(&[hello]).0, [(TEXT, b"Hello".to_vec())]);
    }

    #[test]
    fn fragments_are_joined_around_control_frames() {
        let frames = [
            masked(TEXT, b"a"),
            masked(FIN | PING, b"1"),
            masked(CONTINUATION, b""),
            masked(FIN | PONG, b"2"),
            masked(FIN | CONTINUATION, b"b"),
        ];
        assert_eq!(decode(&frames).0, [(TEXT, b"ab".to_vec())]);
        assert_eq!(answers(&frames), pong(b"1"));
    }

    #[test]
    fn empty_fragments_make_an_empty_message() {
        let frames = [masked(BINARY, b""), masked(FIN | CONTINUATION, b"")];
        assert_eq!(decode(&frames).0, [(BINARY, Vec::new())]);
    }

    #[test]
    fn each_form_of_length_is_read() {
        for length in [125, 126, 0xffff, 0x1_0000] {
            let payload = vec![b'x'; length];
            assert_eq!(decode(&[masked(FIN | TEXT, &payload)]).0, [(TEXT, payload)]);
        }
    }

    #[test]
    fn nothing_is_received_after_a_close() {
        let frames = [close(1000, b""), masked(FIN | TEXT, b"late"), vec![0xff; 20]];
        let (messages, failure) = decode(&frames);
        assert_eq!((messages.len(), failure), (1, None));
    }

    #[test]
    fn nothing_is_received_after_a_failure() {
        let frames = [masked(FIN | TEXT, b"ok"), vec![FIN | TEXT, 0], masked(FIN | TEXT, b"late")];
        assert_eq!(decode(&frames).0, [(TEXT, b"ok".to_vec())]);
    }
}

mod protocol_errors {
    use super::*;

    #[test]
    fn unmasked_frame_fails_by_its_second_byte() {
        let mut decoder = Decoder::new(0, 0);
        receive(&mut decoder, &[FIN | TEXT]);
        assert_eq!(decoder.failure(), None);
        receive(&mut decoder, &[5]);
        let failure = decoder.failure().expect("a failure");
        assert_eq!((failure.code, failure.reason), (1002, "unmasked frame"));
    }

    #[test]
    fn reserved_bits_and_opcodes_fail() {
        for bit in [0x40, 0x20, 0x10] {
            assert_eq!(failure_code(&[masked(FIN | bit | TEXT, b"x")]), 1002);
        }
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            assert_eq!(failure_code(&[masked(FIN | opcode, b"x")]), 1002);
        }
    }

    #[test]
    fn control_frames_are_whole_and_short() {
        for opcode in [CLOSE, PING, PONG] {
            assert_eq!(failure_code(&[masked(opcode, b"")]), 1002);
            assert_eq!(failure_code(&[masked(FIN | opcode, &[0; 126])]), 1002);
        }
        assert_eq!(failure_code(&[masked(FIN | PING, &[0; 125])]), 0);
    }

    #[test]
    fn fragments_keep_their_order() {
        assert_eq!(failure_code(&[masked(FIN | CONTINUATION, b"x")]), 1002);
        assert_eq!(failure_code(&[masked(TEXT, b""), masked(FIN | TEXT, b"x")]), 1002);
        assert_eq!(failure_code(&[masked(TEXT, b""), masked(BINARY, b"x")]), 1002);
        let finished = [masked(FIN | TEXT, b"x"), masked(CONTINUATION, b"x")];
        assert_eq!(failure_code(&finished), 1002);
    }

    #[test]
    fn longer_form_than_needed_fails() {
        assert_eq!(failure_code(&[vec![FIN | TEXT, MASKED | 0x7e, 0, 125]]), 1002);
        assert_eq!(failure_code(&[header_of(FIN | TEXT, 0xffff)]), 1002);
    }

    #[test]
    fn length_of_64_bits_fails() {
        assert_eq!(failure_code(&[header_of(FIN | TEXT, 1 << 63)]), 1002);
    }
}

mod closing {
    use super::*;

    #[test]
    fn only_codes_that_may_be_sent_are_taken() {
        for code in [1000, 1003, 1007, 1011, 1014, 3000, 4008, 4999] {
            assert_eq!(failure_code(&[close(code, b"")]), 0, "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert_eq!(failure_code(&[close(code, b"")]), 1002, "{code}");
        }
    }

    #[test]
    fn close_without_a_code_is_taken_and_half_a_code_is_not() {
        assert_eq!(decode(&[masked(FIN | CLOSE, b"")]), (vec![(CLOSE, Vec::new())], None));
        assert_eq!(failure_code(&[masked(FIN | CLOSE, b"\x03")]), 1002);
    }

    #[test]
    fn reason_must_be_utf8() {
        assert_eq!(failure_code(&[close(1000, b"\xff")]), 1007);
        assert_eq!(failure_code(&[close(1000, b"\xc3")]), 1007);
    }

    #[test]
    fn failed_close_is_not_delivered() {
        assert_eq!(decode(&[close(1005, b"")]).0, []);
    }
}

mod text {
    use super::*;

    #[test]
    fn character_may_be_split_between_fragments() {
        let robot = "🤖".as_bytes();
        let mut frames: Vec<_> = robot.iter().map(|byte| masked(CONTINUATION, &[*byte])).collect();
        frames[0] = masked(TEXT, &robot[..1]);
        frames.push(masked(FIN | CONTINUATION, b""));
        assert_eq!(decode(&frames).0, [(TEXT, robot.to_vec())]);
    }

    #[test]
    fn first_bad_byte_fails_before_the_frame_is_whole() {
        let mut decoder = Decoder::new(0, 0);
        let frame = masked(TEXT, b"good\xffrest");
        let bad = frame.len() - b"\xffrest".len();
        receive(&mut decoder, &frame[..bad]);
        assert_eq!(decoder.failure(), None);
        receive(&mut decoder, &frame[bad..=bad]);
        assert_eq!(decoder.failure().map(|failure| failure.code), Some(1007));
    }

    #[test]
    fn character_cut_off_by_the_end_fails() {
        assert_eq!(failure_code(&[masked(FIN | TEXT, b"\xc3")]), 1007);
        assert_eq!(failure_code(&[masked(TEXT, b"\xc3"), masked(FIN | CONTINUATION, b"")]), 1007);
    }

    #[test]
    fn surrogates_and_overlong_forms_fail() {
        for text in [&b"\xed\xa0\x80"[..], b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
            assert_eq!(failure_code(&[masked(FIN | TEXT, text)]), 1007);
        }
    }

    #[test]
    fn bytes_need_not_be_text() {
        assert_eq!(failure_code(&[masked(FIN | BINARY, b"\xff")]), 0);
    }
}

mod pings {
    use super::*;

    fn numbered(numbers: impl IntoIterator<Item = u32>) -> Vec<Vec<u8>> {
        numbers.into_iter().map(|number| masked(FIN | PING, &number.to_be_bytes())).collect()
    }

    fn pongs(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
        numbers.into_iter().flat_map(|number| pong(&number.to_be_bytes())).collect()
    }

    #[test]
    fn each_is_answered_in_order_while_at_most_64_wait() {
        assert_eq!(answers(&numbered(0..10)), pongs(0..10));
        assert_eq!(answers(&numbered(0..64)), pongs(0..64));
    }

    #[test]
    fn past_64_the_newest_takes_the_last_place() {
        assert_eq!(answers(&numbered(0..65)), pongs((0..63).chain([64])));
        assert_eq!(answers(&numbered(0..20_000)), pongs((0..63).chain([19_999])));
    }

    #[test]
    fn newer_answers_are_kept_by_the_same_rule() {
        let mut waiting = Pongs::default();
        waiting.append(&pongs(0..60));
        waiting.append(&pongs(60..70));
        assert_eq!(waiting.as_bytes(), pongs((0..63).chain([69])));
    }

    #[test]
    fn longest_payload_is_answered_whole() {
        let payload = [7; 125];
        let mut waiting = Pongs::default();
        waiting.append(&answers(&[masked(FIN | PING, &payload)]));
        assert_eq!(waiting.as_bytes(), pong(&payload));
    }
}

mod budgets {
    use super::*;

    const SMALL: Budget = Budget { frames: 100, messages: 3 };

    /// How many bytes and messages one call takes.
    fn take(data: &[u8]) -> (usize, usize) {
        let (mut rest, mut received) = (data, Received::default());
        Decoder::new(0, 0).receive(&mut rest, SMALL, &mut received);
        (data.len() - rest.len(), received.messages.len())
    }

    #[test]
    fn messages_behind_the_budget_stay() {
        let frame = masked(FIN | TEXT, b"{}");
        assert_eq!(take(&frame.repeat(10)), (3 * frame.len(), 3));
    }

    #[test]
    fn frames_of_no_message_count_too() {
        for first in [FIN | PING, FIN | PONG] {
            let frame = masked(first, b"");
            assert_eq!(take(&frame.repeat(1000)), (100 * frame.len(), 0));
        }
        let fragments = [masked(TEXT, b""), masked(CONTINUATION, b"").repeat(1000)].concat();
        assert_eq!(take(&fragments), (100 * 6, 0));
    }

    #[test]
    fn what_stays_is_taken_by_further_calls() {
        let stream: Vec<u8> = (0..10_u8).flat_map(|number| masked(FIN | BINARY, &[number; 300])).collect();
        let mut decoder = Decoder::new(0, 0);
        let (mut rest, mut numbers) = (stream.as_slice(), Vec::new());
        while !rest.is_empty() {
            let mut received = Received::default();
            decoder.receive(&mut rest, SMALL, &mut received);
            numbers.extend(received.messages.iter().map(|message| message.payload[0]));
        }
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_stays_behind_a_close_or_a_failure() {
        for end in [close(1000, b""), masked(FIN | 3, b"")] {
            let (mut decoder, stream) = (Decoder::new(0, 0), [end, vec![0xff; 1000]].concat());
            let mut rest = stream.as_slice();
            decoder.receive(&mut rest, SMALL, &mut Received::default());
            assert!(rest.is_empty());
        }
    }
}

mod while_closing {
    use super::*;

    #[test]
    fn only_a_close_is_found() {
        let mut decoder = Decoder::new(0, 0);
        receive(&mut decoder, &masked(TEXT, b"\xc3")); // half a character
        decoder.expect_close();
        let frames = [
            masked(FIN | PING, b"1"),
            masked(FIN | CONTINUATION, b"not UTF-8: \xff"),
            masked(FIN | BINARY, &vec![0; 70_000]),
            close(1001, b"bye"),
        ];
        let received = receive_all(&mut decoder, &frames.concat());
        assert_eq!(received.messages, [Message { opcode: CLOSE, payload: b"\x03\xe9bye".to_vec() }]);
        assert!(received.pongs.is_empty());
    }

    #[test]
    fn frame_that_was_begun_is_passed_over() {
        for (first, payload) in [(FIN | PING, &b"12345678"[..]), (FIN | TEXT, &[b'x'; 300])] {
            let frame = masked(first, payload);
            let mut decoder = Decoder::new(0, 0);
            receive(&mut decoder, &frame[..9]);
            decoder.expect_close();
            let rest = [&frame[9..], &close(1000, b"")].concat();
            assert_eq!(receive(&mut decoder, &rest), [(CLOSE, b"\x03\xe8".to_vec())]);
        }
    }
}

mod limits {
    use super::*;

    /// A message of so many frames.
    fn in_fragments(count: usize) -> Vec<Vec<u8>> {
        let mut frames = vec![masked(CONTINUATION, b""); count];
        frames[0] = masked(TEXT, b"");
        frames[count - 1] = masked(FIN | CONTINUATION, b"");
        frames
    }

    #[test]
    fn message_may_have_1024_empty_fragments_and_not_one_more() {
        let mut twice = in_fragments(1024);
        twice.extend(in_fragments(1024));
        assert_eq!(failure_with((0, 0), &twice), None);
        assert_eq!(failure_with((0, 0), &in_fragments(1025)), Some((1009, "message in too many empty fragments")));
    }

    #[test]
    fn fragments_with_bytes_have_the_messages_limit_alone() {
        let mut streamed = vec![masked(CONTINUATION, b"x"); 10_000];
        streamed[0] = masked(TEXT, b"x");
        streamed.push(masked(FIN | CONTINUATION, b""));
        assert_eq!(failure_with((10_000, 0), &streamed), None);
        assert_eq!(failure_with((9_999, 0), &streamed), Some((1009, "message too big")));
    }

    #[test]
    fn control_frames_are_no_fragments() {
        let mut frames = in_fragments(1024);
        frames.splice(1..1, vec![masked(FIN | PING, b""); 3000]);
        assert_eq!(failure_with((0, 0), &frames), None);
    }

    fn failure_with(limits: (usize, usize), frames: &[Vec<u8>]) -> Option<(u16, &'static str)> {
        let mut decoder = Decoder::new(limits.0, limits.1);
        receive(&mut decoder, &frames.concat());
        decoder.failure().map(|failure| (failure.code, failure.reason))
    }

    #[test]
    fn frame_of_exactly_the_limit_is_taken() {
        assert_eq!(failure_with((0, 200), &[masked(FIN | TEXT, &[b'x'; 200])]), None);
        let longer = masked(FIN | TEXT, &[b'x'; 201]);
        assert_eq!(failure_with((0, 200), &[longer]), Some((1009, "frame too big")));
    }

    #[test]
    fn message_of_exactly_the_limit_is_taken() {
        let frames = |last| [masked(TEXT, b"1234"), masked(FIN | CONTINUATION, last)];
        assert_eq!(failure_with((6, 0), &frames(b"56")), None);
        assert_eq!(failure_with((6, 0), &frames(b"567")), Some((1009, "message too big")));
    }

    #[test]
    fn each_message_has_the_whole_limit() {
        let frames = [masked(FIN | TEXT, b"123456"), masked(FIN | TEXT, b"123456")];
        assert_eq!(failure_with((6, 6), &frames), None);
    }

    #[test]
    fn control_frames_do_not_count() {
        let frames = [masked(TEXT, b"12"), masked(FIN | PING, b"long"), masked(FIN | CONTINUATION, b"3")];
        assert_eq!(failure_with((3, 3), &frames), None);
    }

    #[test]
    fn header_alone_is_enough_to_fail() {
        let header = header_of(FIN | BINARY, 1 << 62);
        assert_eq!(failure_with((0, 1 << 20), &[header]), Some((1009, "frame too big")));
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    (first, prop::collection::vec(0x20_u8..0x7f, 0..300)).prop_map(|(first, payload)| masked(first, &payload))
}

proptest! {
    #[test]
    fn splitting_changes_nothing(
        frames in prop::collection::vec(any_frame(), 0..8),
        pieces in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let stream = frames.concat();
        let whole = decode(&frames);
        let mut decoder = Decoder::new(0, 0);
        let mut messages = Vec::new();
        let mut rest = stream.as_slice();
        for size in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.len().min(*size));
            messages.extend(receive(&mut decoder, piece));
            rest = after;
        }
        prop_assert_eq!((messages, decoder.failure()), whole);
    }

    #[test]
    fn one_byte_at_a_time_changes_nothing(frames in prop::collection::vec(any_frame(), 0..4)) {
        let mut decoder = Decoder::new(0, 0);
        let stream = frames.concat();
        let messages: Vec<_> = stream.iter().flat_map(|byte| receive(&mut decoder, &[*byte])).collect();
        prop_assert_eq!((messages, decoder.failure()), decode(&frames));
    }

    #[test]
    fn every_mask_is_taken_off(mask: [u8; 4], payload: Vec<u8>, at: prop::sample::Index) {
        let mut stream = masked(FIN | BINARY, &payload);
        let start = stream.len() - payload.len();
        stream.truncate(start - 4);
        stream.extend_from_slice(&mask);
        stream.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        let (first, second) = stream.split_at(at.index(stream.len()));
        let mut decoder = Decoder::new(0, 0);
        let mut messages = receive(&mut decoder, first);
        messages.extend(receive(&mut decoder, second));
        prop_assert_eq!(messages, [(BINARY, payload)]);
    }

    #[test]
    fn any_bytes_are_survived(data: Vec<u8>) {
        let _ = decode(&[data]);
    }
}
