//! Which clients of a shard are in a group: a list to walk, and where each of them stands in it.
//!
//! To leave costs the same however many are in a group: crowds that come and go would else cost their number squared.

use std::collections::HashMap;

use crate::registry::GroupId;

/// The members of all groups, by the clients' slots.
#[derive(Debug, Default)]
pub struct Members {
    lists: Vec<Vec<usize>>,
    places: HashMap<(GroupId, usize), usize>,
}

impl Members {
    /// Those of a group, in no order.
    #[must_use]
    pub fn of(&self, group: GroupId) -> &[usize] {
        self.lists.get(group as usize).map_or(&[], Vec::as_slice)
    }

    /// A client joins a group in which it is not.
    pub fn join(&mut self, group: GroupId, slot: usize) {
        if group as usize >= self.lists.len() {
            self.lists.resize_with(group as usize + 1, Vec::new);
        }
        let list = &mut self.lists[group as usize];
        self.places.insert((group, slot), list.len());
        list.push(slot);
    }

    /// A client leaves a group, if it is in it.
    pub fn leave(&mut self, group: GroupId, slot: usize) {
        let Some(place) = self.places.remove(&(group, slot)) else { return };
        let list = &mut self.lists[group as usize];
        list.swap_remove(place);
        if let Some(&moved) = list.get(place) {
            self.places.insert((group, moved), place);
        }
        if list.is_empty() {
            *list = Vec::new();
        }
    }
}
