//! One fan-out ends, another goes on with its clients: bytes, order, books, and all that can be wrong with the record.

mod browser;

use std::io::Read;
use std::mem;
use std::os::fd::AsFd;
use std::time::Instant;

use awxfast_core::fanout::{Config, Fanout};
use awxfast_core::handover::Estate;
use awxfast_core::routing::registry::ClientId;
use awxfast_core::routing::slab::Accounts;
use awxfast_core::shard::queues::News;
use browser::{Browser, assert_books_balance, config, entry, publish, wait_for_news, wait_until};
use rustix::fs::{SeekFrom, seek};

/// A number for each event, and enough behind it that sockets fill.
fn numbered(number: usize) -> Vec<u8> {
    entry(&["p!g.a"], &format!("{number} {}", "x".repeat(5000)))
}

fn take_over(old: &Fanout, browsers: &[Browser], config: Config) -> (Fanout, Vec<ClientId>) {
    let new = Fanout::start(config).unwrap();
    new.add_channel("g.a", "a");
    new.inherit(old.freeze().unwrap()).unwrap();
    let take = |browser: &Browser| new.take_client(browser.there.as_fd(), browser.client).unwrap().0;
    let clients = browsers.iter().map(take).collect();
    (new, clients)
}

/// As a process that leaves at once: its threads never go on, its descriptors are gone.
fn leave(old: Fanout) {
    mem::forget(old);
}

#[test]
fn every_frame_comes_once_and_in_order_whether_it_was_written_before_or_after() {
    let old = Fanout::start(config()).unwrap();
    old.add_channel("g.a", "a");
    let mut browsers: Vec<Browser> = (0..5).map(|_| Browser::in_group(&old, "a")).collect();
    let events: Vec<Vec<u8>> = (0..400).map(numbered).collect();
    publish(&old, &events[..300]);
    wait_until(|| old.counts().tally.frames.written > 0);
    let (new, _) = take_over(&old, &browsers, Config { threads: 3, ..config() });
    leave(old);
    assert_eq!(new.end_inheritance(), 0);
    publish(&new, &events[300..]);
    for browser in &mut browsers {
        for number in 0..400 {
            let text = browser.receive_text();
            assert_eq!(text.split(' ').next(), Some(&*number.to_string()));
            assert_eq!(text.len(), number.to_string().len() + 5001);
        }
    }
    wait_until(|| new.counts().tally.frames.pending == 0);
    let counts = new.counts();
    assert_eq!((counts.events.routed, counts.tally.frames.queued, counts.tally.frames.written), (400, 2000, 2000));
    assert_eq!((counts.clients, counts.queued_bytes), (5, 0));
    assert_books_balance(&new);
}

#[test]
fn frames_that_clients_share_are_written_down_once() {
    let old = Fanout::start(config()).unwrap();
    old.add_channel("g.a", "a");
    let browsers: Vec<Browser> = (0..20).map(|_| Browser::in_group(&old, "a")).collect();
    publish(&old, &(0..200).map(numbered).collect::<Vec<_>>());
    wait_until(|| old.counts().tally.frames.queued == 4000);
    let file = old.freeze().unwrap();
    let size = seek(&file, SeekFrom::End(0)).unwrap();
    assert!((500_000..1_200_000).contains(&size), "{size} bytes, of a million that were queued twenty times");
    drop(browsers);
}

#[test]
fn process_that_goes_on_after_all_has_lost_nothing() {
    let fanout = Fanout::start(config()).unwrap();
    fanout.add_channel("g.a", "a");
    let mut browsers: Vec<Browser> = (0..3).map(|_| Browser::in_group(&fanout, "a")).collect();
    publish(&fanout, &(0..300).map(numbered).collect::<Vec<_>>());
    for _ in 0..3 {
        drop(fanout.freeze().unwrap());
        fanout.thaw();
    }
    publish(&fanout, &(300..310).map(numbered).collect::<Vec<_>>());
    for browser in &mut browsers {
        for number in 0..310 {
            assert_eq!(browser.receive_text().split(' ').next(), Some(&*number.to_string()));
        }
    }
    assert_books_balance(&fanout);
}

#[test]
fn nothing_is_written_while_it_is_frozen() {
    let fanout = Fanout::start(config()).unwrap();
    fanout.add_channel("g.a", "a");
    let mut browser = Browser::in_group(&fanout, "a");
    fanout.freeze().unwrap();
    publish(&fanout, &[entry(&["p!g.a"], "x")]);
    browser.here.set_nonblocking(true).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(browser.here.read(&mut [0; 1]).is_err());
    browser.here.set_nonblocking(false).unwrap();
    fanout.thaw();
    assert_eq!(browser.receive_text(), "x");
}

#[test]
fn control_frames_and_the_close_that_waits_come_too() {
    let old = Fanout::start(config()).unwrap();
    old.add_channel("g.a", "a");
    let browsers = vec![Browser::in_group(&old, "a")];
    publish(&old, &(0..100).map(numbered).collect::<Vec<_>>());
    old.send_ping(browsers[0].client, b"ping");
    old.close(browsers[0].client, 1001, b"bye", false);
    let (new, clients) = take_over(&old, &browsers, config());
    leave(old);
    new.end_inheritance();
    let mut bytes = Vec::new();
    let mut here = &browsers[0].here;
    here.read_to_end(&mut bytes).unwrap();
    assert!(bytes.ends_with(b"\x88\x05\x03\xe9bye"));
    assert_eq!(bytes.windows(6).filter(|window| *window == b"\x89\x04ping").count(), 1);
    wait_for_news(&new, &[(clients[0], News::Finished)]);
}

#[test]
fn news_that_python_has_not_taken_comes_from_the_new_one() {
    let old = Fanout::start(config()).unwrap();
    let browsers = vec![Browser::in_group(&old, "a")];
    old.ask_drained(browsers[0].client);
    let (new, clients) = take_over(&old, &browsers, config());
    leave(old);
    new.end_inheritance();
    wait_for_news(&new, &[(clients[0], News::Drained)]);
}

#[test]
fn client_that_nobody_takes_is_lost_with_its_frames() {
    let old = Fanout::start(config()).unwrap();
    old.add_channel("g.a", "a");
    let browsers: Vec<Browser> = (0..2).map(|_| Browser::in_group(&old, "a")).collect();
    publish(&old, &(0..300).map(numbered).collect::<Vec<_>>());
    let (new, _) = take_over(&old, &browsers[..1], config());
    leave(old);
    assert!(new.take_client(browsers[0].there.as_fd(), ClientId(77)).is_err());
    assert_eq!(new.end_inheritance(), 1);
    let counts = new.counts();
    assert!(counts.tally.frames.lost_at_close > 0);
    assert_eq!(counts.clients, 1);
    assert_books_balance(&new);
}

#[test]
fn record_that_is_cut_or_of_another_format_is_refused() {
    let old = Fanout::start(config()).unwrap();
    old.add_channel("g.a", "a");
    let _browsers: Vec<Browser> = (0..2).map(|_| Browser::in_group(&old, "a")).collect();
    publish(&old, &(0..100).map(numbered).collect::<Vec<_>>());
    let file = old.freeze().unwrap();
    let mut record = Vec::new();
    seek(&file, SeekFrom::Start(0)).unwrap();
    std::fs::File::from(file).read_to_end(&mut record).unwrap();
    let read = |bytes: &[u8]| Estate::read(bytes, bytes.len() as u64, &Accounts::default(), Instant::now());
    assert_eq!(read(&record).unwrap().clients.len(), 2);
    for end in (0..record.len()).step_by(97) {
        assert!(read(&record[..end]).is_err());
    }
    for at in 0..record.len().min(4000) {
        let mut bent = record.clone();
        bent[at] ^= 0xff;
        let _ = read(&bent); // whatever it says, it says it
    }
    record[0] ^= 1;
    assert!(read(&record).unwrap_err().to_string().contains("another format"));
}
