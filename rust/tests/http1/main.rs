//! Requests in the server's role: RFC 9112, section by section, and the limits.

mod chunks;
mod connections;
mod headers;
mod hosts;
mod lengths;
mod random;
mod request_line;
mod targets;
mod upgrades;

use awxfast_core::wire::http1::{Event, Fault, Head, Limits, Reader, Version};
use proptest::prelude::*;

const LIMITS: Limits = Limits { head: 65_536, fields: 500, chunk_line: 256, trailers: 4096 };

/// What a reader made of bytes, told so that neither pieces nor the sizes of parts show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    requests: Vec<Request>,
    fault: Option<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Request {
    method: String,
    target: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    is_whole: bool,
}

impl Outcome {
    fn receive(&mut self, event: Event<'_>) -> bool {
        match event {
            Event::Head(head) => self.requests.push(Request {
                method: head.method().to_owned(),
                target: head.target().to_vec(),
                headers: head.headers().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
                body: Vec::new(),
                is_whole: false,
            }),
            Event::Body(part) => {
                assert!(!part.is_empty());
                self.last().body.extend_from_slice(part);
            }
            Event::End => self.last().is_whole = true,
            Event::Refused(fault) => self.fault = Some(fault),
            Event::NeedMore => return false,
        }
        self.fault.is_none()
    }

    fn last(&mut self) -> &mut Request {
        let request = self.requests.last_mut().expect("a head comes first");
        assert!(!request.is_whole);
        request
    }
}

fn read_with<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = Reader::new(limits);
    let mut outcome = Outcome::default();
    for mut piece in pieces {
        while outcome.receive(reader.read(&mut piece)) {}
        assert!(piece.is_empty() || outcome.fault.is_some());
    }
    outcome
}

fn read(data: &[u8]) -> Outcome {
    read_with(LIMITS, [data])
}

/// A whole request of HTTP/1.1 by its header lines.
fn get(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    post("Transfer-Encoding: chunked\r\n", body)
}

fn fault(data: &[u8]) -> Option<Fault> {
    let faults: Vec<_> = every_split(data).map(|outcome| outcome.fault).collect();
    assert!(faults.iter().all(|fault| *fault == faults[0]), "pieces make a difference: {}", data.escape_ascii());
    faults[0]
}

fn bodies(data: &[u8]) -> Vec<String> {
    let outcome = read(data);
    assert_eq!(outcome.fault, None, "{}", data.escape_ascii());
    assert!(every_split(data).all(|split| split == outcome));
    assert!(outcome.requests.iter().all(|request| request.is_whole));
    outcome.requests.into_iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

/// All at once, in two pieces at every place, and byte by byte.
fn every_split(data: &[u8]) -> impl Iterator<Item = Outcome> {
    let halves = (0..=data.len()).map(|at| read_with(LIMITS, [&data[..at], &data[at..]]));
    halves.chain([read(data), read_with(LIMITS, data.chunks(1))])
}

/// What the first head says.
fn head<T>(data: &[u8], ask: impl FnOnce(&Head) -> T) -> T {
    match Reader::new(LIMITS).read(&mut &*data) {
        Event::Head(head) => ask(&head),
        event => panic!("{event:?} of {}", data.escape_ascii()),
    }
}
