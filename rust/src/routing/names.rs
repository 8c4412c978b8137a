//! Names to numbers, in many small tables: one large one takes tens of milliseconds to move when it grows.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::routing::registry::GroupId;

/// How many tables: each grows in about a millisecond where all together have 100,000 names.
const TABLES: usize = 64;
const MIX: u64 = 0x517c_c1b7_2722_0a95;

/// The numbers of groups by a name.
#[derive(Debug)]
pub struct NumbersByName {
    tables: Box<[HashMap<Box<str>, GroupId>]>,
    /// Nobody outside can choose names that all come into one table.
    seed: u64,
}

impl Default for NumbersByName {
    fn default() -> Self {
        NumbersByName {
            tables: (0..TABLES).map(|_| HashMap::new()).collect(),
            seed: RandomState::new().build_hasher().finish(),
        }
    }
}

impl NumbersByName {
    /// The number that a name has.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&GroupId> {
        self.tables[self.table_of(name)].get(name)
    }

    /// Sets a name's number; what it was before.
    pub fn insert(&mut self, name: &str, number: GroupId) -> Option<GroupId> {
        self.tables[self.table_of(name)].insert(name.into(), number)
    }

    /// Forgets a name; its number.
    pub fn remove(&mut self, name: &str) -> Option<GroupId> {
        self.tables[self.table_of(name)].remove(name)
    }

    /// Which table a name is in: it only has to spread, and be cheap, since each event's name comes by.
    fn table_of(&self, name: &str) -> usize {
        let mut mixed = self.seed;
        for piece in name.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..piece.len()].copy_from_slice(piece);
            mixed = (mixed.rotate_left(5) ^ u64::from_le_bytes(bytes)).wrapping_mul(MIX);
        }
        (mixed >> 32) as usize % TABLES
    }
}
