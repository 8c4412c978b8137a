//! The fan-out over real sockets: bytes, order, groups left, overload and the books.

mod browser;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use awxfast_core::fanout::{Config, Fanout};
use awxfast_core::routing::registry::ClientId;
use awxfast_core::shard::outbox::Bounds;
use awxfast_core::shard::queues::News;
use browser::{Browser, assert_books_balance, config, entry, publish, wait_for_news, wait_until};

#[test]
fn every_member_gets_the_bytes_of_the_event_in_order() {
    let fanout = Fanout::start(config()).unwrap();
    let mut browsers: Vec<Browser> = (0..5).map(|_| Browser::in_group(&fanout, "job_events-1")).collect();
    let mut other = Browser::in_group(&fanout, "job_events-2");
    let events: Vec<Vec<u8>> =
        (0..300).map(|number| entry(&["p!g.job_events-1"], &format!("{number} {}", "é".repeat(number)))).collect();
    for batch in events.chunks(7) {
        publish(&fanout, batch);
    }
    publish(&fanout, &[entry(&["p!g.job_events-2"], "other")]);
    for browser in &mut browsers {
        for number in 0..300 {
            assert_eq!(browser.receive_text(), format!("{number} {}", "é".repeat(number)));
        }
    }
    assert_eq!(other.receive_text(), "other");
    let counts = fanout.counts();
    assert_eq!((counts.events.routed, counts.encodings, counts.tally.frames.queued), (301, 301, 1501));
    assert_books_balance(&fanout);
}

#[test]
fn event_is_encoded_once_however_many_clients_it_reaches() {
    let fanout = Fanout::start(config()).unwrap();
    let _browsers: Vec<Browser> = (0..40).map(|_| Browser::in_group(&fanout, "jobs-summary")).collect();
    publish(&fanout, &[entry(&["p!g.jobs-summary"], "x"), entry(&["p!g.nobody"], "y")]);
    assert_eq!(fanout.counts().encodings, 1);
    wait_until(|| fanout.counts().tally.frames.written == 40);
}

#[test]
fn event_for_several_groups_counts_once_and_reaches_each() {
    let fanout = Fanout::start(config()).unwrap();
    let (mut first, mut second) = (Browser::in_group(&fanout, "a"), Browser::in_group(&fanout, "b"));
    publish(&fanout, &[entry(&["p!g.a", "p!g.b", "p!g.c"], "both")]);
    assert_eq!((first.receive_text(), second.receive_text()), ("both".into(), "both".into()));
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed, events.no_subscriber), (1, 1, 0));
}

#[test]
fn bad_entries_are_counted_by_reason_and_cost_nobody_an_event() {
    let fanout = Fanout::start(config()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    let good = entry(&["p!g.a"], "good");
    let truncated = good[..good.len() - 3].to_vec();
    let mut other_type = good.clone();
    let position = other_type.windows(8).position(|window| window == b"internal").unwrap();
    other_type[position] = b'x';
    let too_large = entry(&["p!g.a"], &"x".repeat(1 << 20));
    let nobody = entry(&["p!g.b"], "nobody");
    publish(&fanout, &[truncated, other_type, too_large, nobody, Vec::new(), good]);
    assert_eq!(browser.receive_text(), "good");
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed, events.no_subscriber), (6, 1, 1));
    assert_eq!(events.rejected, [1, 2, 0, 1, 0, 0, 0, 0, 0], "in the order of Reject::ALL");
    assert_books_balance(&fanout);
}

#[test]
fn nothing_of_a_group_follows_the_reply_that_says_it_was_left() {
    let fanout = Fanout::start(config()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    std::thread::scope(|scope| {
        let producer = scope.spawn(|| {
            for number in 0..5_000 {
                publish(&fanout, &[entry(&["p!g.a"], &format!("event {number}"))]);
            }
        });
        for round in 0..200 {
            fanout.subscribe(browser.client, &[], &["a"], Some(format!("left {round}").as_bytes()));
            std::thread::sleep(Duration::from_micros(50));
            fanout.subscribe(browser.client, &["a"], &[], Some(format!("joined {round}").as_bytes()));
        }
        producer.join().unwrap();
    });
    fanout.subscribe(browser.client, &[], &["a"], Some(b"end"));
    let (mut inside, mut last) = (true, String::new());
    while last != "end" {
        last = browser.receive_text();
        match last.split(' ').next() {
            Some("left") => inside = false,
            Some("joined") => inside = true,
            Some("event") => assert!(inside, "{last} came between the replies 'left' and 'joined'"),
            _ => {}
        }
    }
    assert_books_balance(&fanout);
}

#[test]
fn client_that_never_reads_is_shed_and_slows_nobody() {
    let fanout = Fanout::start(Config { bounds: Bounds { frames: 100, bytes: 1 << 20 }, ..config() }).unwrap();
    let stuck = Browser::in_group(&fanout, "a");
    let mut reader = Browser::in_group(&fanout, "a");
    let text = "x".repeat(4000);
    for _ in 0..1000 {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
        assert_eq!(reader.receive_text().len(), 4000);
    }
    wait_until(|| fanout.counts().tally.frames.queued == 2000);
    let frames = fanout.counts().tally.frames;
    assert_eq!(frames.pending, 100, "the bound");
    assert_eq!(frames.shed[0], 2000 - frames.written - 100);
    let backlogs = fanout.backlogs();
    assert_eq!((backlogs.len(), backlogs[0].client, backlogs[0].frames), (1, stuck.client, 100));
    assert_eq!(backlogs[0].shed, frames.shed[0]);
    fanout.detach(stuck.client);
    wait_until(|| fanout.counts().tally.frames.lost_at_close == 100);
    assert_books_balance(&fanout);
}

#[test]
fn slow_client_is_closed_with_4008_where_that_is_asked_for() {
    let bounds = Bounds { frames: 50, bytes: 1 << 20 };
    let fanout = Fanout::start(Config { bounds, close_slow: true, ..config() }).unwrap();
    let mut slow = Browser::in_group(&fanout, "a");
    let text = "x".repeat(4000);
    for _ in 0..500 {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
    }
    let mut last = None;
    while let Some(frame) = slow.receive() {
        last = Some(frame);
    }
    let (opcode, payload) = last.unwrap();
    assert_eq!((opcode, &payload[..2]), (0x88, 4008u16.to_be_bytes().as_slice()));
    wait_for_news(&fanout, &[(slow.client, News::Slow), (slow.client, News::Finished)]);
    assert_books_balance(&fanout);
}

#[test]
fn process_bound_sheds_the_client_that_is_furthest_behind() {
    let fanout = Fanout::start(Config { memory: 1 << 20, threads: 1, ..config() }).unwrap();
    let _stuck = Browser::in_group(&fanout, "a");
    let mut reader = Browser::in_group(&fanout, "a");
    let text = "x".repeat(4000);
    for _ in 0..1000 {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
        reader.receive_text();
    }
    wait_until(|| fanout.counts().tally.frames.queued == 2000);
    let counts = fanout.counts();
    assert!(counts.tally.frames.shed[2] > 0, "queue_memory: {counts:?}");
    assert!(counts.queued_bytes <= (1 << 20) + 5000, "{counts:?}");
    assert_books_balance(&fanout);
}

#[test]
fn client_that_does_not_read_its_replies_is_closed_with_1008() {
    let fanout = Fanout::start(Config { replies: Some(256 << 10), ..config() }).unwrap();
    let mut reader = Browser::in_group(&fanout, "a");
    let mut mute = Browser::new(&fanout);
    let reply = vec![b'r'; 4000];
    for _ in 0..200 {
        fanout.send_texts(reader.client, &[&reply, b"end"]);
        assert_eq!((reader.receive_text().len(), reader.receive_text().as_str()), (4000, "end"));
        fanout.send_text(mute.client, &reply);
    }
    wait_for_news(&fanout, &[(mute.client, News::Unread)]);
    let frames = fanout.counts().tally.frames;
    // One that is half written is still under way.
    assert!(frames.lost_at_close + frames.pending > (256 << 10) / 4004, "{frames:?}");
    let mut last = None;
    while let Some(frame) = mute.receive() {
        last = Some(frame);
    }
    let (opcode, payload) = last.unwrap();
    assert_eq!((opcode, &payload[..2]), (0x88, 1008u16.to_be_bytes().as_slice()));
    assert_books_balance(&fanout);
}

#[test]
fn one_reply_larger_than_the_bound_reaches_a_client_that_reads_it_late() {
    let fanout = Fanout::start(Config { replies: Some(256 << 10), ..config() }).unwrap();
    let mut reader = Browser::new(&fanout);
    let errors = vec![b'e'; 64_000];
    let reply = vec![b'r'; 2_000_000];
    for _ in 0..3 {
        fanout.send_text(reader.client, &errors);
        fanout.send_text(reader.client, &reply);
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!((reader.receive_text().len(), reader.receive_text().len()), (64_000, 2_000_000));
    }
    assert_eq!(fanout.take_news(usize::MAX), []);
    assert_books_balance(&fanout);
}

#[test]
fn one_large_reply_that_nobody_takes_closes_its_client_once_it_is_judged() {
    let fanout = Fanout::start(Config { replies: Some(256 << 10), ..config() }).unwrap();
    let mute = Browser::new(&fanout);
    fanout.send_text(mute.client, &vec![b'r'; 2_000_000]);
    std::thread::sleep(Duration::from_millis(50));
    fanout.judge_replies(mute.client, 1000);
    fanout.judge_replies(mute.client, 900); // its kernel still took some
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(fanout.take_news(usize::MAX), []);
    fanout.judge_replies(mute.client, 900);
    wait_for_news(&fanout, &[(mute.client, News::Unread)]);
    assert_books_balance(&fanout);
}

#[test]
fn one_large_reply_whose_client_reads_slowly_is_waited_for() {
    let fanout = Fanout::start(Config { replies: Some(256 << 10), ..config() }).unwrap();
    let mut reader = Browser::new(&fanout);
    let reply = vec![b'r'; 4_000_000];
    for _ in 0..2 {
        fanout.send_text(reader.client, &reply);
        std::thread::sleep(Duration::from_millis(50));
        fanout.judge_replies(reader.client, 1000);
        reader.here.read_exact(&mut vec![0; 1_000_000]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        fanout.judge_replies(reader.client, 1000);
        reader.here.read_exact(&mut vec![0; 10 + 3_000_000]).unwrap();
        fanout.judge_replies(reader.client, 1000);
        fanout.judge_replies(reader.client, 1000); // nothing stands
    }
    assert_eq!(fanout.take_news(usize::MAX), []);
    assert_books_balance(&fanout);
}

#[test]
fn replies_that_nobody_reads_cost_others_no_event() {
    let fanout = Fanout::start(Config { memory: 1 << 20, threads: 1, ..config() }).unwrap();
    let mute: Vec<Browser> = (0..10).map(|_| Browser::new(&fanout)).collect();
    for browser in &mute {
        fanout.send_texts(browser.client, &vec![[b'r'; 4000].as_slice(); 200]);
    }
    wait_until(|| fanout.counts().tally.frames.pending > 1000);
    let mut reader = Browser::in_group(&fanout, "a");
    let text = "x".repeat(4000);
    for _ in 0..100 {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
    }
    for _ in 0..100 {
        assert_eq!(reader.receive_text().len(), 4000);
    }
    let counts = fanout.counts();
    assert_eq!(counts.tally.frames.shed, [0; 4]);
    assert!(counts.reply_bytes > 4 << 20, "{counts:?}");
    drop(mute);
    assert_books_balance(&fanout);
}

#[test]
fn past_the_process_bound_of_replies_a_client_may_leave_less_of_them_unread() {
    let fanout = Fanout::start(Config { memory: 1 << 20, replies: Some(256 << 10), ..config() }).unwrap();
    let mute: Vec<Browser> = (0..20).map(|_| Browser::new(&fanout)).collect();
    for browser in &mute {
        fanout.send_texts(browser.client, &vec![[b'r'; 4000].as_slice(); 80]);
    }
    wait_until(|| !fanout.take_news(usize::MAX).is_empty());
    wait_until(|| fanout.counts().reply_bytes < 2 << 20);
    assert_books_balance(&fanout);
}

#[test]
fn old_frame_begun_does_not_cost_a_reader_its_newest_events() {
    let fanout = Fanout::start(Config { memory: 1 << 20, threads: 1, ..config() }).unwrap();
    let _stuck = Browser::in_group(&fanout, "a");
    let text = "x".repeat(4000);
    for _ in 0..200 {
        publish(&fanout, &[entry(&["p!g.a"], &text)]);
    }
    std::thread::sleep(Duration::from_millis(500));
    let mut reader = Browser::in_group(&fanout, "b");
    let _other = Browser::in_group(&fanout, "b");
    for _ in 0..400 {
        publish(&fanout, &[entry(&["p!g.b"], &text)]);
        assert_eq!(reader.receive_text().len(), 4000);
    }
    // Both that do not read have lost some; what the reader has not taken yet is the newest of all.
    for _ in 0..20 {
        publish(&fanout, &[entry(&["p!g.b"], &text)]);
    }
    for _ in 0..20 {
        assert_eq!(reader.receive_text().len(), 4000);
    }
    assert!(fanout.counts().tally.frames.shed[2] > 0);
    assert_books_balance(&fanout);
}

#[test]
fn intake_is_told_to_wait_while_most_readers_are_behind_but_not_for_long() {
    let fanout = Fanout::start(Config { threads: 1, ..config() }).unwrap();
    let _browsers: Vec<Browser> = (0..100).map(|_| Browser::in_group(&fanout, "a")).collect();
    let batch: Vec<Vec<u8>> = (0..100).map(|_| entry(&["p!g.a"], &"x".repeat(10_000))).collect();
    assert!(fanout.wait_time().is_zero());
    wait_until(|| {
        publish(&fanout, &batch);
        !fanout.wait_time().is_zero()
    });
    wait_until(|| fanout.wait_time().is_zero());
}

#[test]
fn intake_that_waits_hears_when_the_thread_has_caught_up() {
    let fanout = Fanout::start(Config { threads: 1, ..config() }).unwrap();
    let _browsers: Vec<Browser> = (0..50).map(|_| Browser::in_group(&fanout, "a")).collect();
    let batch: Vec<Vec<u8>> = (0..5000).map(|_| entry(&["p!g.a"], "x")).collect();
    wait_until(|| {
        if fanout.wait_time().is_zero() {
            publish(&fanout, &batch);
            let _ = fanout.wait_time(); // asks to be told, unless the thread has taken them already
        }
        fanout.take_news(usize::MAX).contains(&(ClientId::NOBODY, News::CaughtUp))
    });
}

#[test]
fn close_comes_after_all_that_is_queued_and_ends_the_stream() {
    let fanout = Fanout::start(config()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    publish(&fanout, &[entry(&["p!g.a"], "before")]);
    fanout.close(browser.client, 1001, b"bye", false);
    publish(&fanout, &[entry(&["p!g.a"], "after")]);
    assert_eq!(browser.receive_text(), "before");
    assert_eq!(browser.receive(), Some((0x88, [1001u16.to_be_bytes().as_slice(), b"bye"].concat())));
    assert_eq!(browser.receive(), None, "the sending side is shut down though Python's descriptor is open");
    wait_for_news(&fanout, &[(browser.client, News::Finished)]);
    assert_eq!(fanout.counts().events.no_subscriber, 1);
}

#[test]
fn failed_socket_is_reported_and_forgotten() {
    let fanout = Fanout::start(config()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    let (spare, _) = UnixStream::pair().unwrap();
    drop(std::mem::replace(&mut browser.here, spare));
    for _ in 0..2 {
        publish(&fanout, &[entry(&["p!g.a"], "into the void")]);
        std::thread::sleep(Duration::from_millis(5));
    }
    wait_for_news(&fanout, &[(browser.client, News::Dead)]);
    fanout.detach(browser.client);
    assert_eq!(fanout.counts().clients, 0);
    assert_books_balance(&fanout);
}

#[test]
fn drained_is_told_when_no_reply_waits() {
    let fanout = Fanout::start(config()).unwrap();
    let mut browser = Browser::new(&fanout);
    fanout.send_text(browser.client, b"reply");
    fanout.ask_drained(browser.client);
    wait_for_news(&fanout, &[(browser.client, News::Drained)]);
    assert_eq!(browser.receive_text(), "reply");
}
