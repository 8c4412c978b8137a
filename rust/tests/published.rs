//! Messages that were published: who gets them is known by where they were, and not by what they say.

mod browser;

use awxfast_core::fanout::{Config, Fanout, HandedOut, Published, Recipient};
use awxfast_core::routing::backplane::Backplane;
use awxfast_core::routing::registry::Consumers;
use browser::{Browser, assert_books_balance, config, hosting};

const GROUP: &str = "job_events-1";
const OWN: &str = "specific.a!";

fn body(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmp::encode::write_map_len(&mut bytes, u32::try_from(pairs.len()).unwrap()).unwrap();
    for (key, value) in pairs {
        rmp::encode::write_str(&mut bytes, key).unwrap();
        rmp::encode::write_str(&mut bytes, value).unwrap();
    }
    bytes
}

fn event(text: &str) -> Vec<u8> {
    body(&[("type", "internal.message"), ("text", text)])
}

fn start(config: Config) -> Fanout {
    let fanout = Fanout::start(config).unwrap();
    fanout.set_backplane(Backplane { group: "backplane".into(), own: vec![OWN.into()], speaker: "awxfast".into() });
    fanout
}

fn publish(fanout: &Fanout, to: Recipient<'_>, body: &[u8]) -> Vec<HandedOut> {
    fanout.publish_received(&fanout.receive_published(&[Published { to, body }]))
}

fn unprefixed(config: Config) -> Config {
    let mut config = config;
    config.rules.format = std::sync::Arc::new(awxfast_core::wire::entry_format::EntryFormat::plain(0));
    config
}

#[test]
fn members_of_the_group_get_it_whatever_channels_it_names() {
    let fanout = start(unprefixed(config()));
    let mut member = Browser::in_group(&fanout, GROUP);
    publish(&fanout, Recipient::Group("job_events-2"), &event("not theirs"));
    publish(&fanout, Recipient::Group(GROUP), &event("theirs"));
    assert_eq!(member.receive_text(), "theirs");
    let counts = fanout.counts();
    assert_eq!((counts.events.received, counts.events.routed, counts.events.no_subscriber), (2, 1, 1));
    assert_books_balance(&fanout);
}

#[test]
fn what_this_process_passed_on_itself_is_neither_sent_nor_counted() {
    let fanout = start(unprefixed(config()));
    let mut member = Browser::in_group(&fanout, GROUP);
    for (process, text) in [(OWN, "own"), ("specific.b!", "another's")] {
        let passed_on = body(&[("type", "internal.message"), ("text", text), ("__awxfast_from__", process)]);
        publish(&fanout, Recipient::Group(GROUP), &passed_on);
    }
    assert_eq!(member.receive_text(), "another's");
    assert_eq!(fanout.counts().events.received, 1);
    assert_books_balance(&fanout);
}

#[test]
fn consumers_of_the_group_and_of_a_channel_are_handed_theirs() {
    let fanout = start(unprefixed(hosting()));
    fanout.set_consumers(GROUP, Consumers { all: 1, loose: 1 });
    fanout.add_own_channel("7");
    let message = body(&[("type", "chat.message")]);
    let to_group = publish(&fanout, Recipient::Group(GROUP), &message);
    assert_eq!((to_group[0].groups.as_slice(), to_group[0].direct), ([GROUP.to_owned()].as_slice(), false));
    assert_eq!(publish(&fanout, Recipient::Channel("7"), &message)[0].channels, ["7"]);
    assert!(publish(&fanout, Recipient::Channel("8"), &message).is_empty());
    assert_eq!(fanout.counts().events.no_subscriber, 1);
}

#[test]
fn what_is_no_message_is_rejected_by_reason() {
    let fanout = start(unprefixed(config()));
    for bytes in [&b"\xc1"[..], b"", &body(&[("type", "other")]), &body(&[("type", "internal.message")])] {
        publish(&fanout, Recipient::Group(GROUP), bytes);
    }
    let counts = fanout.counts();
    assert_eq!((counts.events.received, counts.events.rejected.iter().sum::<u64>()), (4, 4));
    assert_books_balance(&fanout);
}
