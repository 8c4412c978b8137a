//! The events of one publish call on their way into slabs.
//!
//! Slabs hold the events in the order in which they came, whatever their groups: a client that is in several groups gets
//! them in that order, and neighbours of one group still leave in one piece.

use std::borrow::Cow;
use std::ops::Range as Span;
use std::sync::Arc;

use crate::routing::registry::{GroupId, Registry};
use crate::routing::slab::Class;
use crate::routing::slab::Run;
use crate::routing::slab::{Account, SLAB_BYTES, Slab, SlabWriter};
use crate::wire::frame;

struct Event<'a> {
    text: Cow<'a, str>,
    score: f64,
    groups: Span<usize>,
}

/// Events that have takers, in order.
#[derive(Default)]
pub struct Batch<'a> {
    events: Vec<Event<'a>>,
    groups: Vec<GroupId>,
}

impl<'a> Batch<'a> {
    /// Adds an event for these groups, unless there are none.
    pub fn push(&mut self, text: impl Into<Cow<'a, str>>, score: f64, groups: impl Iterator<Item = GroupId>) -> bool {
        let first = self.groups.len();
        self.groups.extend(groups);
        let groups = first..self.groups.len();
        let wanted = !groups.is_empty();
        if wanted {
            self.events.push(Event { text: text.into(), score, groups });
        }
        wanted
    }

    /// The number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Writes the frames into slabs, each allocated once in its size, with the runs of each group.
    #[must_use]
    pub fn encode(&self, registry: &Registry, account: &Account) -> Vec<(Arc<Slab>, Arc<[Run]>)> {
        let mut slabs = Vec::new();
        let mut events = self.events.as_slice();
        while !events.is_empty() {
            let (count, bytes) = fill(events);
            let (these, rest) = events.split_at(count);
            let mut writer = SlabWriter::with_capacity(count, bytes, account);
            let mut runs = Vec::new();
            for (index, event) in (0u32..).zip(these) {
                writer.push_event(event.text.as_bytes(), event.score);
                for &group in &self.groups[event.groups.clone()] {
                    extend_runs(&mut runs, group, index, registry);
                }
            }
            slabs.push((writer.finish(), runs.into()));
            events = rest;
        }
        slabs
    }
}

/// How many events fit into one slab, and their bytes; at least one.
fn fill(events: &[Event<'_>]) -> (usize, usize) {
    let mut bytes = 0;
    for (count, event) in events.iter().enumerate() {
        let more = frame::text_frame_len(event.text.len());
        if count > 0 && bytes + more > SLAB_BYTES {
            return (count, bytes);
        }
        bytes += more;
    }
    (events.len(), bytes)
}

/// Adds frame `index` for a group: to the last run if that is the group's and adjoins, else as a run of its own.
fn extend_runs(runs: &mut Vec<Run>, group: GroupId, index: u32, registry: &Registry) {
    match runs.last_mut() {
        Some(run) if run.group == group && run.to == index => run.to += 1,
        _ => {
            let class = if registry.is_status(group) { Class::Status } else { Class::Event };
            runs.push(Run { group, class, from: index, to: index + 1 });
        }
    }
}
