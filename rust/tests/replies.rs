//! How far Redis' replies have come: every cut of them is read alike; what is announced costs nothing, nor what is no RESP2.

use awxfast_core::wire::replies::{Fault, ReplyBounds};
use proptest::prelude::*;

const MOST_BYTES: usize = 1_000;
const MOST_ELEMENTS: usize = 100;

/// What a Redis may answer, each reply for itself.
const REPLIES: [&[u8]; 10] = [
    b"+OK\r\n",
    b"-ERR no\rsuch\r\r\n",
    b":-12\r\n",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    b"$25\r\n\r\n*2000000000\r\n$-1\r\n+x\r\n:\r\n",
    b"*0\r\n",
    b"*-1\r\n",
    b"*3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$3\r\n\r\n*\r\n",
    b"*2\r\n*3\r\n:0\r\n:5460\r\n*2\r\n$9\r\n127.0.0.1\r\n*0\r\n*1\r\n-ERR\r\n",
];

fn look(chunks: &[&[u8]]) -> Result<Vec<usize>, Fault> {
    look_within(MOST_BYTES, MOST_ELEMENTS, chunks)
}

fn look_within(most_bytes: usize, most_elements: usize, chunks: &[&[u8]]) -> Result<Vec<usize>, Fault> {
    let mut bounds = ReplyBounds::new(most_bytes, most_elements);
    chunks.iter().map(|chunk| bounds.look(chunk)).collect()
}

fn assert_each_is(fault: Fault, all: &[&[u8]]) {
    for bytes in all {
        assert_eq!(look(&[bytes]), Err(fault), "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_not_whole_is_told() {
    for reply in REPLIES {
        let twice = [reply, reply, &reply[..reply.len() - 1]].concat();
        assert_eq!(look(&[&twice, &reply[reply.len() - 1..]]), Ok(vec![reply.len() - 1, 0]));
    }
}

proptest! {
    #[test]
    fn every_cut_is_read_alike(order in prop::collection::vec(0..REPLIES.len(), 1..30), cuts in prop::collection::vec(1usize..40, 0..200)) {
        let bytes: Vec<u8> = order.iter().flat_map(|&at| REPLIES[at]).copied().collect();
        let mut ends: Vec<usize> = vec![0];
        for &at in &order {
            ends.push(ends[ends.len() - 1] + REPLIES[at].len());
        }
        let mut bounds = ReplyBounds::new(MOST_BYTES, MOST_ELEMENTS);
        let mut at = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            let to = bytes.len().min(at + cut);
            let last = *ends.iter().filter(|&&end| end <= to).max().expect("0 is there");
            prop_assert_eq!(bounds.look(&bytes[at..to]), Ok(to - last));
            at = to;
        }
    }

    #[test]
    fn no_bytes_are_a_panic(chunks in prop::collection::vec(prop::collection::vec(prop::sample::select(b"*$:+-019\r\nx".to_vec()), 0..20), 0..20)) {
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let _ = look(&chunks);
    }
}

#[test]
fn what_announces_too_much_is_a_fault_at_once() {
    let announced: [&[u8]; 7] = [
        b"*2000000000\r\n",
        b"+OK\r\n*101\r\n",
        b"*60\r\n*60\r\n",
        b"*60\r\n:1\r\n*60\r\n",
        b"*1\r\n*101\r\n",
        b"$2000000000\r\n",
        b"*1\r\n$1001\r\n",
    ];
    assert_each_is(Fault::TooLong, &announced);
    assert_eq!(look(&[b"*100\r\n", &b":1\r\n".repeat(99), b":1\r\n*100\r\n"]), Ok(vec![6, 402, 6]));
}

#[test]
fn no_redis_sends_so_long_a_line_or_so_many_errors_in_a_list() {
    let look = |chunks: &[&[u8]]| look_within(1_000_000, 20_000, chunks);
    for chunk in [65_537, 1_000] {
        let line = vec![b'\r'; 65_537];
        let chunks: Vec<&[u8]> = [&b"*1\r\n-"[..]].into_iter().chain(line.chunks(chunk)).collect();
        assert_eq!(look(&chunks), Err(Fault::OutOfProtocol));
    }
    let text = [&vec![b'+'; 65_535][..], b"\r\n"].concat();
    assert_eq!(look(&[&text, &text, b"*20000\r\n", &b"+\r\n".repeat(20_000)]), Ok(vec![0, 0, 8, 0]));
    let errors = b"-\r\n".repeat(10_000);
    assert_eq!(look(&[&errors, b"*10000\r\n", &errors, b"*10000\r\n", &errors]), Ok(vec![0, 8, 0, 8, 0]));
    assert_eq!(look(&[b"*20000\r\n", &errors, b"-"]), Err(Fault::OutOfProtocol));
}

#[test]
fn what_sends_too_much_is_a_fault() {
    assert_eq!(look(&[&[b'+'; 600], &[b'x'; 401]]), Err(Fault::TooLong));
    assert_eq!(look(&[&b"+OK\r\n".repeat(1_000)]), Ok(vec![0]));
}

#[test]
fn what_is_no_resp2_is_a_fault() {
    let deep = b"*1\r\n".repeat(10);
    let foreign: [&[u8]; 15] = [
        b"%1\r\n",
        b"~1\r\n",
        b">1\r\n",
        b"|1\r\n",
        b"_\r\n",
        b"HTTP/1.1 400\r\n",
        b"*1\r\n%1\r\n",
        b"*01\r\n",
        b"*+1\r\n",
        b"$-2\r\n",
        b"$\r\n",
        b"$1\n",
        b"$99999999999999999999\r\n",
        b":1234567890123456789012345678\r\n",
        &deep,
    ];
    assert_each_is(Fault::OutOfProtocol, &foreign);
    assert_eq!(look(&[&deep[..36]]), Ok(vec![36]));
}
