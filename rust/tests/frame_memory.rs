//! What a client costs while it is idle, or only announces much. Alone in its process, for it watches the memory.

use std::fs;

use awxfast_core::wire::frame::{self, BINARY, Budget, Decoder, Received};

const CLIENTS: usize = 1000;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const GIB: u64 = 1 << 30;

/// A line of `/proc/self/status`, in bytes.
fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a known name");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a size");
    kib << 10
}

fn decoders() -> Vec<Decoder> {
    (0..CLIENTS).map(|_| Decoder::new(0, 0)).collect()
}

/// How many messages `data` completes.
fn receive(decoder: &mut Decoder, data: &[u8]) -> usize {
    let (mut rest, mut received) = (data, Received::default());
    decoder.receive(&mut rest, Budget::UNLIMITED, &mut received);
    assert_eq!(decoder.failure(), None);
    received.messages.len()
}

/// A frame of zeros under a mask of zeros.
fn masked_frame(length: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::push_frame(&mut frame, BINARY, &vec![0; length]);
    frame[1] |= MASKED;
    frame.extend([0; 4]);
    frame
}

#[test]
fn decoder_is_small() {
    assert!(size_of::<Decoder>() < 120);
}

#[test]
fn announced_bytes_cost_nothing() {
    let start = [FIN | BINARY, MASKED | 0x7f];
    let length = (1_u64 << 62).to_be_bytes();
    let frame = [&start[..], &length, &[0; 14]].concat();
    let mut decoders = decoders();
    let before = memory("VmSize");
    for decoder in &mut decoders {
        assert_eq!(receive(decoder, &frame), 0);
    }
    assert!(memory("VmSize") < before + GIB);
}

#[test]
fn nothing_is_kept_between_messages() {
    let frame = masked_frame(1 << 16);
    let mut decoders = decoders();
    let before = memory("VmRSS");
    for decoder in &mut decoders {
        assert_eq!(receive(decoder, &frame), 1);
    }
    let kept_by_all = CLIENTS as u64 * (1 << 16);
    assert!(memory("VmRSS") < before + kept_by_all / 4);
}
