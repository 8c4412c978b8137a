//! The slabs of all queues, each once.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Item;
use crate::routing::slab::{Accounts, Range, Slab};
use crate::wire::record::{RecordReader, RecordWriter, senseless};

/// Those that are written, numbered in the order in which they were found.
pub(super) struct Slabs<'a> {
    listed: Vec<&'a Arc<Slab>>,
    numbers: HashMap<*const Slab, u64>,
}

impl<'a> Slabs<'a> {
    /// Those of all these ranges.
    pub(super) fn collect(items: impl Iterator<Item = &'a Item>) -> Self {
        let mut slabs = Slabs { listed: Vec::new(), numbers: HashMap::new() };
        for (_, range) in items {
            let next = slabs.listed.len() as u64;
            slabs.numbers.entry(Arc::as_ptr(&range.slab)).or_insert_with(|| {
                slabs.listed.push(&range.slab);
                next
            });
        }
        slabs
    }

    /// That of a range's.
    pub(super) fn number(&self, range: &Range) -> u64 {
        self.numbers.get(&Arc::as_ptr(&range.slab)).copied().unwrap_or(u64::MAX)
    }

    pub(super) fn write<W: Write>(
        &self,
        record: &mut RecordWriter<W>,
        accounts: &Accounts,
        now: Instant,
    ) -> io::Result<()> {
        record.count(self.listed.len())?;
        for slab in &self.listed {
            let age = now.saturating_duration_since(slab.born()).as_nanos();
            record.numbers(&[slab.is_in(&accounts.replies).into(), u64::try_from(age).unwrap_or(u64::MAX)])?;
            record.piece(slab.slice(0, slab.frames()))?;
            record.count(slab.ends().len())?;
            slab.ends().iter().try_for_each(|&end| record.count(end))?;
        }
        Ok(())
    }
}

/// Those that were read, by number.
pub(super) struct Table(Vec<Arc<Slab>>);

impl Table {
    pub(super) fn read<R: Read>(record: &mut RecordReader<R>, accounts: &Accounts, now: Instant) -> io::Result<Self> {
        let mut slabs = Vec::new();
        for _ in 0..record.count(32)? {
            let account = if record.number()? == 0 { &accounts.events } else { &accounts.replies };
            // A machine that has not been up for so long can't say when that was.
            let born = now.checked_sub(Duration::from_nanos(record.number()?)).unwrap_or(now);
            let bytes = record.piece()?;
            let count = record.count(8)?;
            let ends = (0..count).map(|_| record.small()).collect::<io::Result<Vec<usize>>>()?;
            slabs.push(Slab::restore(bytes, ends, born, account).ok_or_else(|| senseless("frames cut wrongly"))?);
        }
        Ok(Table(slabs))
    }

    /// The frames `from..to` of a slab.
    pub(super) fn range(&self, number: u64, from: u32, to: u32) -> io::Result<Range> {
        let slab = usize::try_from(number).ok().and_then(|number| self.0.get(number));
        match slab {
            Some(slab) if from < to && to <= slab.frames() => Ok(Range { slab: Arc::clone(slab), from, to }),
            _ => Err(senseless("frames that are not there")),
        }
    }
}
