//! A decoder that stops anywhere, and another one that goes on.

use awxfast_core::wire::frame::{self, Budget, Decoder, Received};

const MASK: [u8; 4] = [7, 1, 200, 3];

fn stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::push_masked_frame(&mut bytes, frame::TEXT, "première".as_bytes(), MASK);
    let fragment = bytes.len();
    frame::push_masked_frame(&mut bytes, frame::TEXT, &[b'x'; 200], MASK);
    bytes[fragment] &= 0x7f; // more is to come
    frame::push_masked_frame(&mut bytes, frame::PING, b"are you there", MASK);
    frame::push_masked_frame(&mut bytes, frame::CONTINUATION, "é".as_bytes(), MASK);
    frame::push_masked_frame(&mut bytes, frame::CLOSE, &[3, 232], MASK);
    bytes
}

fn receive(decoder: &mut Decoder, mut bytes: &[u8], received: &mut Received) {
    while !bytes.is_empty() {
        decoder.receive(&mut bytes, Budget::UNLIMITED, received);
    }
}

#[test]
fn another_decoder_goes_on_wherever_one_stops() {
    let bytes = stream();
    let mut expected = Received::default();
    receive(&mut Decoder::new(1000, 0), &bytes, &mut expected);
    assert_eq!(expected.messages.len(), 3);
    for cut in 0..=bytes.len() {
        let mut received = Received::default();
        let mut first = Decoder::new(1000, 0);
        receive(&mut first, &bytes[..cut], &mut received);
        let mut second = Decoder::new(1000, 0);
        second.thaw(&first.freeze()).unwrap();
        receive(&mut second, &bytes[cut..], &mut received);
        assert_eq!(received.messages, expected.messages, "cut at {cut}");
        assert_eq!(received.pongs, expected.pongs, "cut at {cut}");
    }
}

#[test]
fn decoder_that_holds_nothing_leaves_nothing() {
    let mut decoder = Decoder::new(0, 0);
    let mut bytes = Vec::new();
    frame::push_masked_frame(&mut bytes, frame::TEXT, b"whole", MASK);
    receive(&mut decoder, &bytes, &mut Received::default());
    assert!(decoder.freeze().is_empty());
}

#[test]
fn decoder_that_expects_a_close_still_does() {
    let mut first = Decoder::new(0, 0);
    first.expect_close();
    let mut second = Decoder::new(0, 0);
    second.thaw(&first.freeze()).unwrap();
    let mut received = Received::default();
    receive(&mut second, &stream(), &mut received);
    assert_eq!(received.messages.len(), 1);
}

#[test]
fn state_that_is_cut_is_refused() {
    let mut first = Decoder::new(0, 0);
    receive(&mut first, &stream()[..40], &mut Received::default());
    let state = first.freeze();
    for end in 1..state.len() {
        assert!(Decoder::new(0, 0).thaw(&state[..end]).is_err(), "cut at {end}");
    }
}
