//! Requests: no panic, pieces make no difference, limits hold, and heads are what the rules allow.
#![no_main]

use awxfast_core::wire::http1::{Event, Fault, Head, Limits, Reader};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { head: 512, fields: 8, chunk_line: 16, trailers: 64 };

/// What was read, told so that neither pieces nor the sizes of parts show.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Head(Vec<u8>),
    Body(Vec<u8>),
    End,
    Refused(Fault),
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Step> {
    let mut reader = Reader::new(LIMITS);
    let mut steps = Vec::new();
    for mut piece in pieces {
        loop {
            match reader.read(&mut piece) {
                Event::Head(head) => steps.push(Step::Head(check(&head))),
                Event::Body(part) => match steps.last_mut() {
                    Some(Step::Body(body)) => body.extend_from_slice(part),
                    _ => steps.push(Step::Body(part.to_vec())),
                },
                Event::End => steps.push(Step::End),
                Event::Refused(fault) => {
                    steps.push(Step::Refused(fault));
                    return steps;
                }
                Event::NeedMore => break,
            }
        }
        assert!(piece.is_empty());
        assert!(reader.head_size() <= LIMITS.head);
    }
    steps
}

/// All that an application gets, for a comparison.
fn check(head: &Head) -> Vec<u8> {
    assert!(head.method() != "CONNECT" && head.raw_path().first().is_some_and(|byte| b"/*".contains(byte)));
    assert!(head.headers().len() <= LIMITS.fields);
    assert!(head.values(b"host").count() <= 1);
    let mut told = [head.method().as_bytes(), head.target(), head.path().as_bytes(), head.query()].join(&b' ');
    for (name, value) in head.headers() {
        assert!(!name.is_empty() && !value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'));
        told.extend_from_slice(&[name, value].join(&b':'));
    }
    told.extend_from_slice(format!("{:?}{}", head.content_length(), head.keeps_alive()).as_bytes());
    told
}

fuzz_target!(|input: &[u8]| {
    let [size, data @ ..] = input else { return };
    let whole = read(std::iter::once(data));
    assert_eq!(read(data.chunks(usize::from(*size).max(1))), whole);
    assert_eq!(read(data.chunks(1)), whole);
});
