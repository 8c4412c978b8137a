//! Browsers for tests: the far end of a socket whose near end the fan-out writes to.
#![allow(dead_code, missing_docs)] // Each test binary uses its part.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use awxfast_core::fanout::{Config, Entry, Fanout, HandedOut, Rules};
use awxfast_core::routing::registry::ClientId;
use awxfast_core::shard::outbox::Bounds;
use awxfast_core::shard::queues::News;
use awxfast_core::wire::entry_format::EntryFormat;

/// A small fan-out of two threads.
pub fn config() -> Config {
    Config {
        threads: 2,
        bounds: Bounds { frames: 10_000, bytes: 64 << 20 },
        memory: 512 << 20,
        replies: None,
        send_buffer: 64 << 10,
        close_slow: false,
        status_groups: vec!["jobs-*".into()],
        rules: Rules {
            format: Arc::new(EntryFormat::plain(12)),
            max_event_size: 1 << 20,
            direct_types: vec!["internal.message".into()],
            consumers: false,
        },
    }
}

/// The same for an application with consumers.
pub fn hosting() -> Config {
    let config = config();
    Config { rules: Rules { consumers: true, ..config.rules }, ..config }
}

/// An entry as `channels_redis` writes it: prefix, then a msgpack map of type, text and channels.
pub fn entry(channels: &[&str], text: &str) -> Vec<u8> {
    entry_of("internal.message", channels, text)
}

/// The same of any type.
pub fn entry_of(kind: &str, channels: &[&str], text: &str) -> Vec<u8> {
    let mut bytes = vec![0xff; 12];
    rmp::encode::write_map_len(&mut bytes, 3).unwrap();
    for (key, value) in [("type", kind), ("text", text)] {
        rmp::encode::write_str(&mut bytes, key).unwrap();
        rmp::encode::write_str(&mut bytes, value).unwrap();
    }
    rmp::encode::write_str(&mut bytes, "__asgi_channel__").unwrap();
    rmp::encode::write_array_len(&mut bytes, u32::try_from(channels.len()).unwrap()).unwrap();
    for channel in channels {
        rmp::encode::write_str(&mut bytes, channel).unwrap();
    }
    bytes
}

/// Publishes one batch; what consumers get of it.
pub fn publish(fanout: &Fanout, batch: &[Vec<u8>]) -> Vec<HandedOut> {
    let entries: Vec<Entry<'_>> = batch.iter().map(|bytes| Entry { bytes, score: 0.0 }).collect();
    fanout.publish(&entries)
}

/// A client of the fan-out and the browser's end of its socket.
pub struct Browser {
    pub client: ClientId,
    pub here: UnixStream,
    pub there: OwnedFd,
}

impl Browser {
    pub fn new(fanout: &Fanout) -> Self {
        let (here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        here.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let client = fanout.attach(there.as_fd()).unwrap();
        Browser { client, here, there: there.into() }
    }

    pub fn in_group(fanout: &Fanout, group: &str) -> Self {
        let browser = Browser::new(fanout);
        fanout.add_channel(&format!("g.{group}"), group);
        fanout.subscribe(browser.client, &[group], &[], None);
        browser
    }

    /// The next frame: opcode and payload; `None` at the end of the stream.
    pub fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut header = [0u8; 2];
        match self.here.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            result => result.unwrap(),
        }
        let length = match header[1] {
            126 => usize::from(u16::from_be_bytes(self.exactly::<2>())),
            127 => usize::try_from(u64::from_be_bytes(self.exactly::<8>())).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.here.read_exact(&mut payload).unwrap();
        Some((header[0], payload))
    }

    fn exactly<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.here.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn receive_text(&mut self) -> String {
        let (opcode, payload) = self.receive().expect("a frame, not the end");
        assert_eq!(opcode, 0x81);
        String::from_utf8(payload).unwrap()
    }
}

/// Waits for a condition that threads bring about; the limit only ends a hanging test.
pub fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "it never came true");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until this news has come, in any order.
pub fn wait_for_news(fanout: &Fanout, wanted: &[(ClientId, News)]) {
    let mut seen = Vec::new();
    wait_until(|| {
        seen.extend(fanout.take_news(usize::MAX));
        wanted.iter().all(|one| seen.contains(one))
    });
}

/// The ledger adds up.
pub fn assert_books_balance(fanout: &Fanout) {
    let counts = fanout.counts();
    assert_eq!((counts.events.balance(), counts.tally.frames.balance()), (0, 0), "{counts:?}");
}
