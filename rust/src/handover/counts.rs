//! Counters. A later version may have more reasons than this one: they stand in a fixed order, behind their number.

use std::io::{self, Read, Write};

use super::Counted;
use crate::ledger::{Ages, Events, Frames, Gaps, LinkFrames};
use crate::shard::Tally;
use crate::wire::record::{RecordReader, RecordWriter, senseless};

pub(super) fn write<W: Write>(counted: &Counted, record: &mut RecordWriter<W>) -> io::Result<()> {
    let Counted { events, gaps, encodings, tally } = counted;
    record.numbers(&[events.received, events.routed, events.no_subscriber, *encodings, tally.writes])?;
    write_list(&events.rejected, record)?;
    record.count(gaps.iter().count())?;
    for (reason, times, at_most) in gaps.iter() {
        record.piece(reason.as_bytes())?;
        record.numbers(&[times, at_most])?;
    }
    let frames = &tally.frames;
    record.numbers(&[frames.queued, frames.written, frames.lost_at_close])?;
    write_list(&frames.shed, record)?;
    write_list(&tally.ages.counts, record)?;
    record.numbers(&[tally.ages.sum.to_bits(), tally.ages.odd])
}

pub(super) fn read<R: Read>(record: &mut RecordReader<R>) -> io::Result<Counted> {
    let [received, routed, no_subscriber, encodings, writes] = record.numbers()?;
    let events = Events { received, routed, no_subscriber, rejected: read_list(record)? };
    let mut gaps = Gaps::default();
    for _ in 0..record.count(24)? {
        let reason = record.text()?;
        gaps.restore(reason, record.number()?, record.number()?);
    }
    let [queued, written, lost_at_close] = record.numbers()?;
    let frames = Frames { queued, written, lost_at_close, shed: read_list(record)?, ..Frames::default() };
    let counts = read_list(record)?;
    let [sum, odd] = record.numbers()?;
    let ages = Ages { counts, sum: f64::from_bits(sum), odd };
    Ok(Counted { events, gaps, encodings, tally: Tally { frames, writes, ages } })
}

pub(super) fn write_link<W: Write>(link: &LinkFrames, record: &mut RecordWriter<W>) -> io::Result<()> {
    record.numbers(&[link.written, link.bytes, link.lost_at_close])?;
    write_list(&link.shed, record)
}

pub(super) fn read_link<R: Read>(record: &mut RecordReader<R>) -> io::Result<LinkFrames> {
    let [written, bytes, lost_at_close] = record.numbers()?;
    Ok(LinkFrames { written, bytes, lost_at_close, shed: read_list(record)?, pending: 0 })
}

fn write_list<W: Write>(counts: &[u64], record: &mut RecordWriter<W>) -> io::Result<()> {
    record.count(counts.len())?;
    record.numbers(counts)
}

fn read_list<R: Read, const N: usize>(record: &mut RecordReader<R>) -> io::Result<[u64; N]> {
    let mut counts = [0; N];
    let there = record.count(8)?;
    let places = counts.get_mut(..there).ok_or_else(|| senseless("counters that are not known"))?;
    for place in places {
        *place = record.number()?;
    }
    Ok(counts)
}
