//! Descriptors: never written to once they are somebody else's, and none left behind.

mod browser;

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use awxfast_core::fanout::Fanout;
use browser::{Browser, assert_books_balance, config, entry, publish, wait_until};
use parking_lot::Mutex;

/// These tests count and re-use descriptors of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

/// The number of a descriptor that Python closed belongs to the next connection at once; the fan-out, which writes to a
/// duplicate of its own, must never write a client's frames to whoever has the number now.
#[test]
fn descriptor_number_that_is_used_again_gets_nothing_of_the_client_before() {
    let _alone = ALONE.lock();
    let fanout = Fanout::start(config()).unwrap();
    fanout.add_channel("g.old", "old");
    for round in 0..300 {
        let mut old = Browser::in_group(&fanout, "old");
        publish(&fanout, &[entry(&["p!g.old"], "for the old client")]);
        // Python's number is closed and given to the next connection before the fan-out has heard of it.
        let (mut here, next) = UnixStream::pair().unwrap();
        rustix::io::dup2(&next, &mut old.there).unwrap();
        drop(next);
        here.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        publish(&fanout, &[entry(&["p!g.old"], "still for the old client")]);
        fanout.detach(old.client);
        let new = fanout.attach(old.there.as_fd()).unwrap();
        fanout.send_text(new, format!("{round}").as_bytes());
        fanout.close(new, 1005, b"", false);
        let mut received = Vec::new();
        here.read_to_end(&mut received).unwrap();
        let length = u8::try_from(round.to_string().len()).unwrap();
        assert_eq!(received, [&[0x81, length], round.to_string().as_bytes(), &[0x88, 0]].concat());
        fanout.detach(new);
        while let Some((_, payload)) = old.receive() {
            assert!(String::from_utf8(payload).unwrap().ends_with("old client"));
        }
    }
    assert_books_balance(&fanout);
}

#[test]
fn churn_leaves_no_client_group_or_descriptor() {
    let _alone = ALONE.lock();
    let fanout = Fanout::start(config()).unwrap();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    for _ in 0..20 {
        let browsers: Vec<Browser> = (0..20).map(|_| Browser::in_group(&fanout, "a")).collect();
        publish(&fanout, &[entry(&["p!g.a"], "x")]);
        for browser in &browsers {
            fanout.detach(browser.client);
        }
    }
    fanout.remove_channel("g.a");
    wait_until(|| fanout.counts().tally.frames.pending == 0 && descriptors() == before);
    let counts = fanout.counts();
    assert_eq!((counts.clients, counts.groups, counts.queued_bytes), (0, 0, 0));
    assert_books_balance(&fanout);
}
