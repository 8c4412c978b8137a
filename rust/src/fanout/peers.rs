//! Events that came from another node: over a link, or in the packets of an engine.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Fanout, State};
use crate::error::Reject;
use crate::routing::route::{Relayed, Routes};
use crate::wire::packet;
use crate::wire::peer_event::{self, METRICS_GROUP, PeerEvent};

/// What a peer sent.
#[derive(Debug, Default)]
pub struct PeerBatch<'a> {
    /// Its events, those that were rejected aside, in order.
    pub events: Vec<Relayed<'a>>,
    /// The texts of its metrics.
    pub metrics: Vec<Cow<'a, str>>,
    /// A frame was not the wire's: what came after it is left out.
    pub malformed: bool,
}

/// What the packets of an engine brought, besides what went to sockets.
#[derive(Debug, Default)]
pub struct PacketBatch<'a> {
    /// The texts of metrics.
    pub metrics: Vec<Cow<'a, str>>,
    /// Events for consumers, in order; those that only other processes could take are not among them.
    pub handed_out: Vec<Relayed<'a>>,
}

impl Fanout {
    /// Hands a peer's events to this process's subscribers: frames of the relay era.
    ///
    /// Those that nobody here takes are not counted before `count_relayed` says what others did.
    #[must_use]
    pub fn publish_relayed<'a>(&self, payloads: &[&'a [u8]]) -> PeerBatch<'a> {
        let backplane = self.state.lock().registry.backplane_group().to_owned();
        let (decoded, malformed) = peer_event::decode_all(payloads, &backplane);
        let (metrics, events) = self.take_relayed(decoded);
        PeerBatch { events, metrics, malformed }
    }

    /// Hands the events of packets to this process's subscribers: of each its group, and its texts as they stand there.
    ///
    /// Every process has packets of its own: what nobody takes here is no affair of others, and counted at once.
    #[must_use]
    pub fn publish_packets<'a>(&self, packets: &[(&'a str, &'a [u8])]) -> PacketBatch<'a> {
        let backplane = self.state.lock().registry.backplane_group().to_owned();
        let mut decoded = Vec::new();
        for &(group, body) in packets {
            let is_named = peer_event::may_be_named(group, &backplane);
            let read = |text: Result<&'a str, Reject>| {
                let event = PeerEvent { group: Cow::Borrowed(group), text: Cow::Borrowed(text?) };
                if is_named { Ok(event) } else { Err(Reject::Group) }
            };
            decoded.extend(packet::texts(body).map(read));
        }
        let (metrics, mut events) = self.take_relayed(decoded);
        let untaken = events.iter().filter(|relayed| !relayed.taken).count();
        self.count_relayed(0, untaken as u64);
        events.retain(|relayed| relayed.consumers.is_some());
        PacketBatch { metrics, handed_out: events }
    }

    /// The texts of metrics, and what became of events that are let through.
    fn take_relayed<'a>(&self, decoded: Vec<Result<PeerEvent<'a>, Reject>>) -> (Vec<Cow<'a, str>>, Vec<Relayed<'a>>) {
        let mut metrics = Vec::new();
        let mut events = Vec::with_capacity(decoded.len());
        for event in decoded {
            match event {
                Ok(event) if event.group == METRICS_GROUP => metrics.push(event.text),
                Ok(event) if event.text.len() > self.config.rules.max_event_size => events.push(Err(Reject::TooLarge)),
                event => events.push(event),
            }
        }
        let taken = self.route_relayed(&events);
        let relayed = events
            .into_iter()
            .zip(taken)
            .filter_map(|(event, (taken, consumers))| event.ok().map(|event| Relayed { event, taken, consumers }));
        (metrics, relayed.collect())
    }

    fn route_relayed(&self, peer_events: &[Result<PeerEvent<'_>, Reject>]) -> Vec<(bool, Option<bool>)> {
        // A peer's frames don't say when their producer sent them.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let mut state = self.state.lock();
        let State { registry, events, .. } = &mut *state;
        let mut routes = Routes::default();
        let mut results = Vec::with_capacity(peer_events.len());
        for event in peer_events {
            let result = match event {
                Ok(event) => routes.add_peer_event(event, now, &self.config.rules, registry),
                Err(_) => (false, None),
            };
            match event {
                Err(reason) => events.count(Err(*reason)),
                Ok(_) if result.0 => events.count(Ok(true)),
                Ok(_) => {}
            }
            results.push(result);
        }
        self.send_batch(&routes.batch, &mut state);
        results
    }

    /// Counts events of peers that only other processes could take.
    pub fn count_relayed(&self, routed: u64, no_subscriber: u64) {
        let mut state = self.state.lock();
        state.events.received += routed + no_subscriber;
        state.events.routed += routed;
        state.events.no_subscriber += no_subscriber;
    }
}
