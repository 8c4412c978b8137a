//! The process's bound holds for memory as the kernel counts it. Alone in its process, for it watches that.

mod browser;

use std::fs;

use awxfast_core::fanout::{Config, Fanout};
use awxfast_core::outbox::Bounds;
use browser::{Browser, assert_books_balance, config, entry, publish, wait_until};

const MIB: usize = 1 << 20;
const EVENTS: usize = 10_000;
const BROWSERS: usize = 100;

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a known name");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a size") << 10
}

#[test]
fn many_small_events_for_clients_that_never_read_stay_within_the_bound() {
    let bounds = Bounds { frames: 1 << 20, bytes: 1 << 30 };
    let fanout = Fanout::start(Config { bounds, memory: 16 * MIB, ..config() }).unwrap();
    let browsers: Vec<Browser> = (0..BROWSERS).map(|_| Browser::in_group(&fanout, "a")).collect();
    let text = "x".repeat(64);
    let before = resident();
    // One at a time, so that no two share a slab.
    for _ in 0..EVENTS {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
    }
    wait_until(|| fanout.counts().tally.frames.queued == (EVENTS * BROWSERS) as u64);
    wait_until(|| fanout.counts().queued_bytes <= 16 * MIB);
    let grown = resident() - before;
    let counts = fanout.counts();
    assert!(counts.tally.frames.shed[2] > 0, "{counts:?}");
    assert!(counts.queued_bytes > 8 * MIB, "no more is shed than must be: {counts:?}");
    assert!(grown < 16 * MIB + 8 * MIB, "{} MiB: {counts:?}", grown / MIB);
    assert_books_balance(&fanout);
    for browser in &browsers {
        fanout.detach(browser.client);
    }
    wait_until(|| fanout.counts().queued_bytes == 0);
}
