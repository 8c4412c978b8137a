//! Names to numbers, in many small tables: one large one takes tens of milliseconds to move when it grows.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::routing::registry::GroupId;

/// How many tables: each grows in about a millisecond where all together have 100,000 names.
const TABLES: usize = 64;
/// Bits of a hash that a table itself makes no use of: its places come from the lowest, its tags from the highest.
const TABLE_BITS: u32 = 40;

type Table = HashTable<(Box<str>, GroupId)>;

/// The numbers of groups by a name.
#[derive(Debug)]
pub struct NumbersByName {
    tables: Box<[Table]>,
    /// Keyed, so that nobody outside can choose names that collide.
    hasher: RandomState,
}

impl Default for NumbersByName {
    fn default() -> Self {
        NumbersByName { tables: (0..TABLES).map(|_| Table::new()).collect(), hasher: RandomState::new() }
    }
}

impl NumbersByName {
    /// The number that a name has.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&GroupId> {
        let hash = self.hasher.hash_one(name);
        self.tables[table_of(hash)].find(hash, |(known, _)| **known == *name).map(|(_, number)| number)
    }

    /// The number that a name has, or else gets now.
    pub fn get_or_insert_with(&mut self, name: &str, new: impl FnOnce() -> GroupId) -> GroupId {
        let NumbersByName { tables, hasher } = self;
        let hash = hasher.hash_one(name);
        let table = &mut tables[table_of(hash)];
        if let Some((_, number)) = table.find(hash, |(known, _)| **known == *name) {
            return *number;
        }
        let number = new();
        table.insert_unique(hash, (name.into(), number), |(known, _)| hasher.hash_one(&**known));
        number
    }

    /// Sets a name's number; what it was before.
    pub fn insert(&mut self, name: &str, number: GroupId) -> Option<GroupId> {
        let NumbersByName { tables, hasher } = self;
        let hash = hasher.hash_one(name);
        let table = &mut tables[table_of(hash)];
        if let Some((_, known)) = table.find_mut(hash, |(known, _)| **known == *name) {
            return Some(std::mem::replace(known, number));
        }
        table.insert_unique(hash, (name.into(), number), |(known, _)| hasher.hash_one(&**known));
        None
    }

    /// Forgets a name; its number.
    pub fn remove(&mut self, name: &str) -> Option<GroupId> {
        let hash = self.hasher.hash_one(name);
        let found = self.tables[table_of(hash)].find_entry(hash, |(known, _)| **known == *name).ok()?;
        Some(found.remove().0.1)
    }
}

/// Which table a name is in, by its hash.
fn table_of(hash: u64) -> usize {
    (hash >> TABLE_BITS) as usize % TABLES
}
