//! Other nodes: what they get, what they send, and how they are counted.

mod browser;

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use awxfast_core::fanout::{Config, Fanout, PeerBatch};
use awxfast_core::ledger::{LinkFrames, LinkTally};
use awxfast_core::routing::backplane::Backplane;
use awxfast_core::routing::registry::{ClientId, Consumers};
use awxfast_core::shard::outbox::Bounds;
use browser::{Browser, assert_books_balance, config, entry, entry_of, hosting, publish, wait_until};

const GROUP: &str = "broadcast-group_send";

fn start(config: Config) -> Fanout {
    let fanout = Fanout::start(config).unwrap();
    fanout.set_backplane(Backplane {
        group: GROUP.into(),
        own: vec!["specific.a!".into(), "specific.other-redis!".into()],
        speaker: "awxfast".into(),
    });
    fanout.add_channel(&format!("g.{GROUP}"), GROUP);
    fanout
}

/// A link and the node's end of its socket.
struct Link {
    client: ClientId,
    tally: Arc<LinkTally>,
    node: Browser,
}

impl Link {
    fn new(fanout: &Fanout, notices: bool) -> Self {
        let (here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        here.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (client, tally) = fanout.attach_link(there.as_fd(), notices).unwrap();
        let there: OwnedFd = there.into();
        Link { client, tally, node: Browser { client, here, there } }
    }
}

fn notice(kind: &str, groups: &[&str], origin: &str) -> Vec<u8> {
    let mut bytes = vec![0xff; 12];
    rmp::encode::write_map_len(&mut bytes, 4).unwrap();
    for (key, value) in [("origin_channel", origin), ("type", kind)] {
        rmp::encode::write_str(&mut bytes, key).unwrap();
        rmp::encode::write_str(&mut bytes, value).unwrap();
    }
    for (key, names) in [("groups", groups), ("__asgi_channel__", &["p!g.broadcast-group_send"])] {
        rmp::encode::write_str(&mut bytes, key).unwrap();
        rmp::encode::write_array_len(&mut bytes, u32::try_from(names.len()).unwrap()).unwrap();
        for name in names {
            rmp::encode::write_str(&mut bytes, name).unwrap();
        }
    }
    bytes
}

fn texts(texts: &[&str]) -> Vec<u8> {
    let length = |text: &str| u32::try_from(text.len()).unwrap().to_be_bytes();
    texts.iter().flat_map(|text| [&length(text), text.as_bytes()].concat()).collect()
}

fn relay<'a>(fanout: &Fanout, frames: &[&'a str]) -> PeerBatch<'a> {
    let payloads: Vec<&[u8]> = frames.iter().map(|frame| frame.as_bytes()).collect();
    fanout.publish_relayed(&payloads)
}

#[test]
fn every_link_gets_the_backplanes_messages_and_is_no_client() {
    let fanout = start(config());
    let mut links = [Link::new(&fanout, false), Link::new(&fanout, true)];
    publish(&fanout, &[entry(&["p!g.broadcast-group_send"], "a copy")]);
    for link in &mut links {
        assert_eq!(link.node.receive_text(), "a copy");
    }
    let counts = fanout.counts();
    assert_eq!((counts.clients, counts.groups, counts.encodings), (0, 1, 1));
    assert_eq!((counts.events.received, counts.events.routed), (1, 1));
    assert_books_balance(&fanout);
}

#[test]
fn application_without_direct_types_has_links_all_the_same() {
    let hosting = hosting();
    let fanout = start(Config {
        rules: awxfast_core::fanout::Rules { direct_types: vec![], ..hosting.rules.clone() },
        ..hosting
    });
    let mut link = Link::new(&fanout, false);
    publish(&fanout, &[entry(&["p!g.broadcast-group_send"], "a copy")]);
    assert_eq!(link.node.receive_text(), "a copy");
}

#[test]
fn notices_are_for_links_of_the_relay_era_and_no_events() {
    let fanout = start(config());
    let (mut broadcast, mut relay) = (Link::new(&fanout, false), Link::new(&fanout, true));
    publish(
        &fanout,
        &[
            notice("consumer.unsubscribe", &["job_events-1", "é"], "specific.b!c"),
            notice("consumer.subscribe", &[], "specific.b!c"),
            entry(&["p!g.broadcast-group_send"], "after"),
        ],
    );
    assert_eq!(
        relay.node.receive_text(),
        r#"{"type": "consumer.unsubscribe", "groups": ["job_events-1", "\u00e9"], "origin_channel": "specific.b!c"}"#
    );
    assert_eq!(
        relay.node.receive_text(),
        r#"{"type": "consumer.subscribe", "groups": [], "origin_channel": "specific.b!c"}"#
    );
    assert_eq!((broadcast.node.receive_text(), relay.node.receive_text()), ("after".into(), "after".into()));
    assert_eq!(fanout.counts().events.received, 1);
    assert_books_balance(&fanout);
}

#[test]
fn own_consumers_are_spoken_for_by_the_process() {
    let fanout = start(hosting());
    let mut link = Link::new(&fanout, true);
    publish(
        &fanout,
        &[
            notice("consumer.subscribe", &["a"], "specific.a!consumer"),
            notice("consumer.subscribe", &["a"], "specific.other-redis!consumer"),
            notice("consumer.subscribe", &["b"], "specific.a!awxfast"),
            notice("consumer.subscribe", &["c"], "specific.other-redis!awxfast"),
        ],
    );
    assert!(link.node.receive_text().contains(r#"["b"]"#));
    assert!(link.node.receive_text().contains(r#"["c"]"#));
}

#[test]
fn notice_without_its_parts_is_rejected_like_any_other_type() {
    let fanout = start(config());
    let _link = Link::new(&fanout, true);
    publish(&fanout, &[entry_of("consumer.subscribe", &["p!g.broadcast-group_send"], "no groups")]);
    let events = fanout.counts().events;
    assert_eq!((events.received, events.rejected.iter().sum::<u64>()), (1, 1));
}

#[test]
fn what_a_link_was_sent_stays_readable_when_it_is_gone() {
    let fanout = start(config());
    let mut link = Link::new(&fanout, false);
    publish(&fanout, &[entry(&["p!g.broadcast-group_send"], "12345"), entry(&["p!g.broadcast-group_send"], "67890")]);
    assert_eq!((link.node.receive_text(), link.node.receive_text()), ("12345".into(), "67890".into()));
    let sent = LinkFrames { written: 2, bytes: 14, ..LinkFrames::default() };
    wait_until(|| link.tally.read() == sent);
    fanout.detach(link.client);
    assert_eq!(link.tally.read(), sent);
    assert_eq!(fanout.counts().clients, 0);
}

#[test]
fn link_that_does_not_read_sheds_and_is_counted() {
    let bounds = Bounds { frames: 10, bytes: 64 << 20 };
    let fanout = start(Config { bounds, ..config() });
    let link = Link::new(&fanout, false);
    let large = "x".repeat(100_000);
    let events: Vec<Vec<u8>> = (0..40).map(|_| entry(&["p!g.broadcast-group_send"], &large)).collect();
    publish(&fanout, &events);
    wait_until(|| {
        let LinkFrames { written, shed, pending, .. } = link.tally.read();
        let [frames, others @ ..] = shed;
        frames > 0 && others == [0; 3] && written + frames + pending == 40
    });
    assert_books_balance(&fanout);
}

#[test]
fn what_a_link_loses_at_its_close_is_counted() {
    for drop in [false, true] {
        let fanout = start(config());
        let link = Link::new(&fanout, false);
        let large = "x".repeat(100_000);
        let events: Vec<Vec<u8>> = (0..40).map(|_| entry(&["p!g.broadcast-group_send"], &large)).collect();
        publish(&fanout, &events);
        wait_until(|| link.tally.read().pending > 0);
        if drop {
            fanout.close(link.client, 1011, b"", true);
        } else {
            fanout.detach(link.client);
        }
        wait_until(|| {
            let LinkFrames { written, lost_at_close, pending, .. } = link.tally.read();
            lost_at_close > 0 && written + lost_at_close + pending == 40
        });
        assert_eq!(link.tally.read().lost_at_close, fanout.counts().tally.frames.lost_at_close);
        assert_books_balance(&fanout);
    }
}

#[test]
fn relayed_events_reach_sockets_and_the_rest_waits_to_be_counted() {
    let fanout = start(config());
    let mut browser = Browser::in_group(&fanout, "job_events-1");
    let batch = relay(
        &fanout,
        &[
            r#"{"group": "job_events-1", "message": {"type": "internal.message", "text": "{\"id\": 1}"}}"#,
            r#"{"message": {"text": "\u001b\u00e9\ud83e\udd16", "type": "internal.message", "x": [1]}, "group": "job_events-1"}"#,
            r#"{"group": "job_events-2", "message": {"type": "internal.message", "text": "elsewhere"}}"#,
        ],
    );
    assert!(!batch.malformed);
    let events: Vec<(&str, &str, bool)> =
        batch.events.iter().map(|one| (&*one.event.group, &*one.event.text, one.taken)).collect();
    assert_eq!(events[0], ("job_events-1", r#"{"id": 1}"#, true));
    assert_eq!(events[2], ("job_events-2", "elsewhere", false));
    assert_eq!((browser.receive_text(), browser.receive_text()), (r#"{"id": 1}"#.into(), "\u{1b}é🤖".into()));
    assert_eq!((fanout.counts().events.received, fanout.counts().events.routed), (2, 2));
    fanout.count_relayed(0, 1);
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed, events.no_subscriber), (3, 2, 1));
    assert_books_balance(&fanout);
}

#[test]
fn what_peers_may_not_send_is_rejected_and_metrics_are_no_events() {
    let fanout = start(config());
    let long =
        format!(r#"{{"group": "a", "message": {{"type": "internal.message", "text": "{}"}}}}"#, "x".repeat(2 << 20));
    let batch = relay(
        &fanout,
        &[
            r#"{"group": "broadcast-group_send", "message": {"type": "internal.message", "text": "a loop"}}"#,
            r#"{"group": "no group", "message": {"type": "internal.message", "text": ""}}"#,
            r#"{"group": "a", "message": {"type": "websocket.close"}}"#,
            r#"{"group": "metrics", "message": {"type": "internal.message", "text": "{}"}}"#,
            &long,
        ],
    );
    assert_eq!((batch.malformed, batch.events.len(), batch.metrics.len()), (false, 0, 1));
    let events = fanout.counts().events;
    assert_eq!(events.rejected, [1, 0, 0, 1, 0, 0, 0, 2, 0], "in the order of Reject::ALL");
    assert_eq!(events.received, 4);
}

#[test]
fn frames_behind_a_malformed_one_are_left_out() {
    let fanout = start(config());
    let good = r#"{"group": "a", "message": {"type": "internal.message", "text": "x"}}"#;
    for bad in [
        "",
        "[]",
        "1",
        r#"{"group": "a"}"#,
        r#"{"group": "a", "message": "text"}"#,
        r#"{"group": 1, "message": {"type": "internal.message", "text": "x"}}"#,
        r#"{"group": "a", "message": {"type": "internal.message"}}"#,
        r#"{"group": "a", "message": {"type": "internal.message", "text": "\ud800"}}"#,
        r#"{"group": "a", "message": {"type": "internal.message", "text": "x"}} "#.trim_end_matches("} "),
    ] {
        let batch = relay(&fanout, &[good, bad, good]);
        assert_eq!((batch.malformed, batch.events.len()), (true, 1), "{bad}");
    }
}

#[test]
fn consumers_are_told_what_sockets_did_not_get() {
    let frame = r#"{"group": "a", "message": {"type": "internal.message", "text": "x"}}"#;
    let fanout = start(hosting());
    fanout.add_channel("g.a", "a");
    fanout.set_consumers("a", Consumers { all: 1, loose: 0 });
    assert_eq!(relay(&fanout, &[frame]).events[0].consumers, None);
    fanout.set_consumers("a", Consumers { all: 2, loose: 1 });
    let batch = relay(&fanout, &[frame]);
    assert_eq!((batch.events[0].consumers, batch.events[0].taken), (Some(true), true));
}

#[test]
fn packets_reach_sockets_in_order_and_are_counted_at_once() {
    let fanout = start(config());
    let mut browser = Browser::in_group(&fanout, "job_events-1");
    let (two, one, other) = (texts(&["first", "é"]), texts(&[""]), texts(&["a", "b", "c"]));
    let batch = fanout.publish_packets(&[("job_events-1", &two), ("job_events-2", &other), ("job_events-1", &one)]);
    assert_eq!((batch.metrics.len(), batch.handed_out.len()), (0, 0));
    let received = [browser.receive_text(), browser.receive_text(), browser.receive_text()];
    assert_eq!(received, ["first", "é", ""]);
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed, events.no_subscriber), (6, 3, 3));
    assert_books_balance(&fanout);
}

#[test]
fn what_no_packet_may_bring_is_rejected_and_metrics_are_no_events() {
    let fanout = start(config());
    let mut browser = Browser::in_group(&fanout, "a");
    let (good, metrics, long) = (texts(&["good"]), texts(&["{}"]), texts(&[&"x".repeat(2 << 20)]));
    let (cut_off, no_text) = ([&good[..], &[0, 0, 0, 9, b'x']].concat(), [&[0, 0, 0, 1, 0xff][..], &good].concat());
    let batch = fanout.publish_packets(&[
        (GROUP, &good),
        ("no group", &good),
        ("metrics", &metrics),
        ("a", &long),
        ("a", &cut_off),
        ("a", &no_text),
    ]);
    assert_eq!(batch.metrics, ["{}"]);
    assert_eq!([browser.receive_text(), browser.receive_text()], ["good", "good"]);
    let events = fanout.counts().events;
    assert_eq!(events.rejected, [1, 1, 0, 0, 0, 1, 0, 2, 0], "in the order of Reject::ALL");
    assert_books_balance(&fanout);
}

#[test]
fn consumers_are_handed_what_packets_bring_for_them() {
    let fanout = start(hosting());
    fanout.add_channel("g.a", "a");
    let body = texts(&["x"]);
    fanout.set_consumers("a", Consumers { all: 2, loose: 1 });
    let batch = fanout.publish_packets(&[("a", &body), ("b", &body)]);
    let handed_out: Vec<(&str, &str, Option<bool>)> =
        batch.handed_out.iter().map(|one| (&*one.event.group, &*one.event.text, one.consumers)).collect();
    assert_eq!(handed_out, [("a", "x", Some(true))]);
    let events = fanout.counts().events;
    assert_eq!((events.received, events.routed, events.no_subscriber), (2, 1, 1));
}
