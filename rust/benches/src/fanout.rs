//! Events to clients, and who gets what.

use std::hint::black_box;
use std::io::{self, IoSlice};

use awxfast_core::fanout::{Config, Entry, Fanout};
use awxfast_core::ledger::Frames;
use awxfast_core::routing::slab::{Account, Class, Range, SlabWriter};
use awxfast_core::shard::outbox::{Bounds, Outbox, Progress, Sink};
use awxfast_core::wire::frame;

use crate::Work;
use crate::audience::Audience;
use crate::browser::{config, entry};
use crate::bytes::{TEXT_BYTES, text};

/// Events of one batch: their frames go out in one write.
pub const EVENTS: usize = 16;
const FRAME_BYTES: usize = TEXT_BYTES + 4;
/// Of a batch's frames.
pub const BATCH_BYTES: usize = EVENTS * FRAME_BYTES;
const REPLY: &[u8; 124] = &[b'x'; 124];
const REPLY_FRAME_BYTES: usize = REPLY.len() + 2;
/// Of the frames of two replies.
pub const REPLY_BYTES: usize = 2 * REPLY_FRAME_BYTES;
/// What clients subscribe to.
pub const GROUP: &str = "job_events-4711";
const SCORE: f64 = 1_795_561_314.5;

/// A sink that is memory, or less: the bytes are counted.
struct Count(usize);

impl Sink for Count {
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let bytes = pieces.iter().map(|piece| black_box(piece).len()).sum();
        self.0 += bytes;
        Ok(bytes)
    }
}

/// A client's queue: a batch in, and out into memory.
#[must_use]
pub fn outbox() -> Work {
    let mut writer = SlabWriter::with_capacity(EVENTS, BATCH_BYTES, &Account::default());
    for _ in 0..EVENTS {
        writer.push_event(text().as_bytes(), SCORE);
    }
    let slab = writer.finish();
    let bounds = Bounds { frames: 10_000, bytes: 64 << 20 };
    let (mut outbox, mut counts) = (Outbox::default(), Frames::default());
    Box::new(move || {
        let mut sink = Count(0);
        outbox.push(Class::Event, Range::whole(slab.clone()), bounds, &mut counts);
        assert_eq!(outbox.write(&mut sink, &mut counts).ok(), Some(Progress::Wrote));
        assert_eq!(sink.0, BATCH_BYTES);
    })
}

/// A fan-out with a group, and so many threads.
#[must_use]
pub fn start(threads: usize) -> Fanout {
    let fanout = Fanout::start(Config { threads, ..config() }).expect("threads");
    fanout.add_channel(&format!("g.{GROUP}"), GROUP);
    fanout
}

/// The queue's entries of one batch.
#[must_use]
pub fn batch() -> Vec<Vec<u8>> {
    (0..EVENTS).map(|_| entry(&[&format!("asgi.benchmark!g.{GROUP}")], &text())).collect()
}

/// Hands a batch to the fan-out.
pub fn publish_batch(fanout: &Fanout, batch: &[Vec<u8>]) {
    let entries: Vec<Entry<'_>> = batch.iter().map(|bytes| Entry { bytes, score: SCORE }).collect();
    black_box(fanout.publish(&entries));
}

/// A batch to all of so many clients, through their sockets.
#[must_use]
pub fn publish(clients: usize) -> Work {
    assert_eq!(frame::text_frame_len(TEXT_BYTES), FRAME_BYTES);
    let fanout = start(1);
    let mut audience = Audience::new(&fanout, clients);
    for &client in &audience.clients {
        fanout.subscribe(client, &[GROUP], &[], None);
    }
    let members = batch();
    Box::new(move || {
        publish_batch(&fanout, &members);
        audience.read(BATCH_BYTES);
    })
}

/// A browser that goes from one page to another and back, each time with a reply.
#[must_use]
pub fn subscription_change() -> Work {
    const PAGES: [[&str; 2]; 2] = [["jobs-status_changed", "jobs-summary"], ["job_events-4711", "jobs-status_changed"]];
    let fanout = start(1);
    let mut audience = Audience::new(&fanout, 1);
    let client = audience.clients[0];
    Box::new(move || {
        for there in [0, 1] {
            fanout.subscribe(client, &PAGES[there], &PAGES[1 - there], Some(REPLY));
            // Each on its own: whether two replies leave in one write is up to how the threads meet.
            audience.read(REPLY_FRAME_BYTES);
        }
    })
}
