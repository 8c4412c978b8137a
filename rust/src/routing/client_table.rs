//! Which clients there are, by numbers that are never used again, and the groups that each is in.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::routing::group::GroupId;

/// A client, as the outside names it: shard, generation and slot in one number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

impl ClientId {
    /// No client has this number.
    pub const NOBODY: ClientId = ClientId(u64::MAX);

    fn new(shard: usize, generation: u32, slot: usize) -> Self {
        ClientId((shard as u64) << 56 | u64::from(generation & 0x00ff_ffff) << 32 | slot as u64)
    }

    /// The shard that owns its socket.
    #[must_use]
    pub fn shard(self) -> usize {
        (self.0 >> 56) as usize
    }

    /// Its place in the shard's table.
    #[must_use]
    pub fn slot(self) -> usize {
        (self.0 & 0xffff_ffff) as usize
    }
}

/// For numbers that are given out here: nobody outside can choose them so that they collide.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Fibonacci hashing: neighbours end far apart, in the upper bits as well.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[derive(Debug, Default)]
pub(super) struct Slot {
    generation: u32,
    live: bool,
    pub(super) is_link: bool,
    pub(super) groups: HashSet<GroupId, BuildHasherDefault<NumberHasher>>,
}

/// The clients of all shards.
#[derive(Debug)]
pub(super) struct Clients {
    slots: Vec<Vec<Slot>>,
    free: Vec<Vec<usize>>,
    live: Vec<usize>,
    links: usize,
}

impl Clients {
    /// For so many shards, without clients.
    pub(super) fn new(shards: usize) -> Self {
        Clients {
            slots: (0..shards).map(|_| Vec::new()).collect(),
            free: vec![Vec::new(); shards],
            live: vec![0; shards],
            links: 0,
        }
    }

    /// A new one, in the shard that has the fewest.
    pub(super) fn add(&mut self, is_link: bool) -> ClientId {
        let shard = (0..self.live.len()).min_by_key(|&shard| self.live[shard]).unwrap_or(0);
        let slots = &mut self.slots[shard];
        let slot = self.free[shard].pop().unwrap_or_else(|| {
            slots.push(Slot::default());
            slots.len() - 1
        });
        slots[slot].live = true;
        slots[slot].is_link = is_link;
        self.links += usize::from(is_link);
        self.live[shard] += 1;
        ClientId::new(shard, slots[slot].generation, slot)
    }

    /// Forgets one that is there and in no group.
    pub(super) fn remove(&mut self, client: ClientId) {
        let slot = &mut self.slots[client.shard()][client.slot()];
        slot.live = false;
        let was_link = slot.is_link;
        slot.generation = slot.generation.wrapping_add(1);
        self.free[client.shard()].push(client.slot());
        self.live[client.shard()] -= 1;
        self.links -= usize::from(was_link);
    }

    /// What is kept of a client; `None` if it is gone.
    pub(super) fn get(&self, client: ClientId) -> Option<&Slot> {
        let slot = self.slots.get(client.shard())?.get(client.slot())?;
        (slot.live && ClientId::new(client.shard(), slot.generation, client.slot()) == client).then_some(slot)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, client: ClientId) -> Option<&mut Slot> {
        self.get(client)?;
        self.slots.get_mut(client.shard())?.get_mut(client.slot())
    }

    /// All of them with their numbers.
    pub(super) fn list(&self) -> impl Iterator<Item = (ClientId, &Slot)> {
        let shards = self.slots.iter().enumerate();
        shards.flat_map(|(shard, slots)| {
            let live = slots.iter().enumerate().filter(|(_, slot)| slot.live);
            live.map(move |(number, slot)| (ClientId::new(shard, slot.generation, number), slot))
        })
    }

    /// How many there are, node links aside.
    pub(super) fn browsers(&self) -> usize {
        self.live.iter().sum::<usize>() - self.links
    }

    /// Whether there is a node link.
    pub(super) fn has_links(&self) -> bool {
        self.links > 0
    }
}
