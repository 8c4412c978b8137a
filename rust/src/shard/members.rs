//! Which clients of a shard are in a group: a list to walk, and in a crowd also where each of them stands in it.
//!
//! To leave a crowd costs the same however large it is: crowds that come and go would else cost their number squared.
//! Among few a look at each is cheaper than a table.

use std::collections::HashMap;

use crate::routing::registry::GroupId;

/// From so many members on there is a table.
const CROWD: usize = 64;

/// The members of all groups, by the clients' slots.
#[derive(Debug, Default)]
pub struct Members {
    lists: Vec<List>,
}

#[derive(Debug, Default)]
struct List {
    slots: Vec<usize>,
    places: Option<HashMap<usize, usize>>,
}

impl Members {
    /// Those of a group, in no order.
    #[must_use]
    pub fn of(&self, group: GroupId) -> &[usize] {
        self.lists.get(group as usize).map_or(&[], |list| &list.slots)
    }

    /// A client joins a group in which it is not.
    pub fn join(&mut self, group: GroupId, slot: usize) {
        if group as usize >= self.lists.len() {
            self.lists.resize_with(group as usize + 1, List::default);
        }
        self.lists[group as usize].push(slot);
    }

    /// A client leaves a group, if it is in it.
    pub fn leave(&mut self, group: GroupId, slot: usize) {
        if let Some(list) = self.lists.get_mut(group as usize) {
            list.remove(slot);
        }
    }
}

impl List {
    fn push(&mut self, slot: usize) {
        if let Some(places) = &mut self.places {
            places.insert(slot, self.slots.len());
        }
        self.slots.push(slot);
        if self.slots.len() == CROWD && self.places.is_none() {
            let places = self.slots.iter().enumerate().map(|(place, &slot)| (slot, place));
            self.places = Some(places.collect());
        }
    }

    fn remove(&mut self, slot: usize) {
        let place = match &mut self.places {
            Some(places) => places.remove(&slot),
            None => self.slots.iter().position(|&member| member == slot),
        };
        let Some(place) = place else { return };
        self.slots.swap_remove(place);
        if self.slots.is_empty() {
            *self = List::default();
        } else if let (Some(places), Some(&moved)) = (&mut self.places, self.slots.get(place)) {
            places.insert(moved, place);
        }
    }
}
