//! The process's bound holds for all memory that is asked for. Alone in its process, for it counts that.

mod browser;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use awxfast_core::fanout::{Config, Fanout};
use awxfast_core::shard::outbox::Bounds;
use browser::{Browser, assert_books_balance, config, entry, publish, wait_until};

const MIB: usize = 1 << 20;
const EVENTS: usize = 10_000;
const BROWSERS: usize = 100;

/// Bytes that were asked for and not given back. What the kernel counts depends on the machine's pages and pace.
static HELD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn many_small_events_for_clients_that_never_read_stay_within_the_bound() {
    let bounds = Bounds { frames: 1 << 20, bytes: 1 << 30 };
    let fanout = Fanout::start(Config { bounds, memory: 16 * MIB, ..config() }).unwrap();
    let browsers: Vec<Browser> = (0..BROWSERS).map(|_| Browser::in_group(&fanout, "a")).collect();
    let text = "x".repeat(64);
    let before = HELD.load(Ordering::Relaxed);
    // One at a time, so that no two share a slab.
    for _ in 0..EVENTS {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
    }
    wait_until(|| fanout.counts().tally.frames.queued == (EVENTS * BROWSERS) as u64);
    wait_until(|| fanout.counts().queued_bytes <= 16 * MIB);
    let grown = HELD.load(Ordering::Relaxed) - before;
    let counts = fanout.counts();
    assert!(counts.tally.frames.shed[2] > 0, "{counts:?}");
    assert!(counts.queued_bytes > 8 * MIB, "no more is shed than must be: {counts:?}");
    assert!(grown < 16 * MIB + 4 * MIB, "{} MiB: {counts:?}", grown / MIB);
    assert_books_balance(&fanout);
    for browser in &browsers {
        fanout.detach(browser.client);
    }
    wait_until(|| fanout.counts().queued_bytes == 0);
}
