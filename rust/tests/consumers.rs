//! What an application's consumers need: messages handed out, direct events past them, room for what they send.

mod browser;

use awxfast_core::fanout::{Config, Fanout, HandedOut};
use awxfast_core::routing::registry::Consumers;
use awxfast_core::shard::outbox::Bounds;
use awxfast_core::shard::queues::News;
use browser::{Browser, assert_books_balance, config, entry, entry_of, hosting, publish, wait_for_news, wait_until};

const SITTING: Consumers = Consumers { all: 1, loose: 0 };
const LOOSE: Consumers = Consumers { all: 1, loose: 1 };

fn handed(entry: usize, direct: bool, groups: &[&str], channels: &[&str]) -> HandedOut {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    HandedOut { entry, direct, groups: owned(groups), channels: owned(channels) }
}

#[test]
fn direct_event_goes_to_the_socket_and_not_to_its_consumer() {
    let fanout = Fanout::start(hosting()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    fanout.set_consumers("a", SITTING);
    assert_eq!(publish(&fanout, &[entry(&["p!g.a"], "direct")]), []);
    assert_eq!(browser.receive_text(), "direct");
    assert_books_balance(&fanout);
}

#[test]
fn message_of_another_type_is_handed_out_and_no_socket_gets_it() {
    let fanout = Fanout::start(hosting()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    fanout.set_consumers("a", SITTING);
    let batch = [entry(&["p!g.a"], "1"), entry_of("chat.message", &["p!g.a"], "2"), entry(&["p!g.a"], "3")];
    assert_eq!(publish(&fanout, &batch), [handed(1, false, &["a"], &[])]);
    assert_eq!((browser.receive_text(), browser.receive_text()), ("1".into(), "3".into()));
    assert_eq!(fanout.counts().events.routed, 3);
    assert_books_balance(&fanout);
}

#[test]
fn consumer_without_a_socket_gets_direct_events_too_and_each_counts_once() {
    let fanout = Fanout::start(hosting()).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    fanout.set_consumers("a", LOOSE);
    assert_eq!(publish(&fanout, &[entry(&["p!g.a"], "both")]), [handed(0, true, &["a"], &[])]);
    assert_eq!(browser.receive_text(), "both");
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed), (1, 1));
}

#[test]
fn channel_of_its_own_is_handed_out_while_it_is_known() {
    let fanout = Fanout::start(hosting()).unwrap();
    fanout.add_own_channel("00ff");
    let batch = [entry(&["p!00ff"], "1"), entry_of("chat.message", &["p!00ff", "p!other"], "2")];
    assert_eq!(publish(&fanout, &batch), [handed(0, true, &[], &["00ff"]), handed(1, false, &[], &["00ff"])]);
    fanout.remove_own_channel("00ff");
    assert_eq!(publish(&fanout, &batch), []);
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed, events.no_subscriber), (4, 2, 2));
}

#[test]
fn group_is_forgotten_with_its_last_consumer() {
    let fanout = Fanout::start(hosting()).unwrap();
    fanout.add_channel("g.a", "a");
    fanout.set_consumers("a", SITTING);
    assert_eq!(fanout.counts().groups, 1);
    fanout.set_consumers("a", Consumers::default());
    assert_eq!(fanout.counts().groups, 0);
    assert_eq!(publish(&fanout, &[entry_of("chat.message", &["p!g.a"], "late")]), []);
    assert_eq!(fanout.counts().events.no_subscriber, 1);
}

#[test]
fn message_without_a_type_is_a_consumers_business() {
    let mut member = vec![0xff; 12];
    rmp::encode::write_map_len(&mut member, 1).unwrap();
    for text in ["__asgi_channel__", "p!00ff"] {
        rmp::encode::write_str(&mut member, text).unwrap();
    }
    for (config, taken, rejected) in [(hosting(), 1, 0), (config(), 0, 1)] {
        let fanout = Fanout::start(config).unwrap();
        fanout.add_own_channel("00ff");
        assert_eq!(publish(&fanout, std::slice::from_ref(&member)).len(), taken);
        assert_eq!(fanout.counts().events.rejected.iter().sum::<u64>(), rejected);
        assert_books_balance(&fanout);
    }
}

#[test]
fn without_consumers_a_type_that_is_not_direct_is_rejected() {
    let fanout = Fanout::start(config()).unwrap();
    fanout.set_consumers("a", SITTING);
    assert_eq!(publish(&fanout, &[entry_of("chat.message", &["p!g.a"], "x")]), []);
    assert_eq!(fanout.counts().events.rejected.iter().sum::<u64>(), 1);
}

#[test]
fn no_type_is_direct_unless_it_is_named() {
    let mut config = hosting();
    config.rules.direct_types = vec!["site.line".into()];
    let fanout = Fanout::start(config).unwrap();
    let mut browser = Browser::in_group(&fanout, "a");
    fanout.set_consumers("a", SITTING);
    let batch = [entry(&["p!g.a"], "by the consumer"), entry_of("site.line", &["p!g.a"], "direct")];
    assert_eq!(publish(&fanout, &batch), [handed(0, false, &["a"], &[])]);
    assert_eq!(browser.receive_text(), "direct");
}

#[test]
fn application_sends_bytes_and_text_in_order() {
    let fanout = Fanout::start(hosting()).unwrap();
    let mut browser = Browser::new(&fanout);
    fanout.send_text(browser.client, b"text");
    fanout.send_binary(browser.client, b"\x00\xff");
    assert_eq!(browser.receive(), Some((0x81, b"text".to_vec())));
    assert_eq!(browser.receive(), Some((0x82, b"\x00\xff".to_vec())));
    wait_until(|| fanout.counts().tally.frames.queued == 2);
}

#[test]
fn room_is_told_only_when_the_queue_is_below_its_bound() {
    let fanout = Fanout::start(Config { bounds: Bounds { frames: 10, bytes: 1 << 20 }, ..hosting() }).unwrap();
    let mut browser = Browser::new(&fanout);
    fanout.ask_room(browser.client);
    wait_for_news(&fanout, &[(browser.client, News::Room)]);
    let payload = vec![b'x'; 200_000];
    for _ in 0..30 {
        fanout.send_binary(browser.client, &payload);
    }
    fanout.ask_room(browser.client);
    wait_until(|| fanout.counts().tally.frames.queued == 30);
    assert_eq!(fanout.take_news(usize::MAX), [], "some 6 MB can't be on their way to a browser that reads nothing");
    for _ in 0..30 {
        assert_eq!(browser.receive().unwrap().1.len(), payload.len());
    }
    wait_for_news(&fanout, &[(browser.client, News::Room)]);
    assert_eq!(fanout.counts().tally.frames.shed.iter().sum::<u64>(), 0, "an application's own frames are never shed");
    assert_books_balance(&fanout);
}
