//! The frames of a queue: two lines, events and all else, merged by arrival.

use std::collections::VecDeque;
use std::iter;

use crate::routing::slab::{Class, Range};

/// Neighbouring frames of one slab and one class.
#[derive(Debug)]
pub struct Item {
    /// Which frames of which slab.
    pub range: Range,
    /// How they are shed.
    pub class: Class,
    arrival: u64,
}

/// What an item counts for: a line grows by doubling.
pub const PLACE_BYTES: usize = 2 * size_of::<Item>();

/// The two lines of a queue: events, and what is shed last.
#[derive(Debug, Default)]
pub struct Lines {
    events: VecDeque<Item>,
    kept: VecDeque<Item>,
    arrivals: u64,
}

impl Lines {
    /// Whether nothing waits in either line.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.kept.is_empty()
    }

    /// The line of a class, to look at.
    pub fn line(&self, class: Class) -> &VecDeque<Item> {
        match class {
            Class::Event => &self.events,
            Class::Status | Class::Reply => &self.kept,
        }
    }

    /// The line of a class.
    pub fn of(&mut self, class: Class) -> &mut VecDeque<Item> {
        match class {
            Class::Event => &mut self.events,
            Class::Status | Class::Reply => &mut self.kept,
        }
    }

    /// Adds frames at the end; to the last item, if they are its neighbours. Whether they took a new one.
    pub fn append(&mut self, class: Class, range: Range) -> bool {
        let (line, other) = match class {
            Class::Event => (&mut self.events, &self.kept),
            Class::Status | Class::Reply => (&mut self.kept, &self.events),
        };
        if let Some(last) = line.back_mut()
            && last.class == class
            && last.range.adjoins(&range)
            // Nothing overtakes: a frame of the other line that came in between keeps its place.
            && other.back().is_none_or(|item| item.arrival < last.arrival)
        {
            last.range.to = range.to;
            return false;
        }
        self.arrivals += 1;
        line.push_back(Item { range, class, arrival: self.arrivals });
        true
    }

    /// The item that is written next.
    pub fn head(&self) -> Option<&Item> {
        match (self.events.front(), self.kept.front()) {
            (Some(event), Some(other)) if other.arrival < event.arrival => Some(other),
            (Some(event), _) => Some(event),
            (None, other) => other,
        }
    }

    /// All items in order of arrival.
    pub fn in_order(&self) -> impl Iterator<Item = &Item> {
        let mut events = self.events.iter().peekable();
        let mut kept = self.kept.iter().peekable();
        iter::from_fn(move || match (events.peek(), kept.peek()) {
            (Some(event), Some(other)) if other.arrival < event.arrival => kept.next(),
            (Some(_), _) => events.next(),
            (None, _) => kept.next(),
        })
    }

    /// Makes the first frame of a line an item of its own. Whether that is a new one.
    pub fn split_first_frame(&mut self, class: Class) -> bool {
        let line = self.of(class);
        let Some(first) = line.front_mut() else { return false };
        if first.range.frames() == 1 {
            return false;
        }
        let single = first.range.first();
        let (class, arrival) = (first.class, first.arrival);
        first.range.from += 1;
        line.push_front(Item { range: single, class, arrival });
        true
    }

    /// Forgets all that waits in both lines.
    pub fn clear(&mut self) {
        self.events.clear();
        self.kept.clear();
    }

    /// Returns the memory that a burst left behind, so that no place takes more than `PLACE_BYTES`.
    pub fn shrink(&mut self) {
        for line in [&mut self.events, &mut self.kept] {
            if line.capacity() > 4 && line.len() < line.capacity() / 2 {
                line.shrink_to(line.len() * 4 / 3);
            }
        }
    }
}
