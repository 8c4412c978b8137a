//! Frames written once and shared: a slab holds the ready frames of one publish call, back to back.
//!
//! A client's queue holds [`Range`]s of slabs, so a slow client costs pointers, not copies. The ends of the frames
//! stand beside the bytes, so that shedding and counting never touch the (cold) frames themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::routing::registry::GroupId;
use crate::wire::frame;

/// The most bytes that the frames of one slab take together, unless a single frame is larger.
pub const SLAB_BYTES: usize = 64 * 1024;

/// How many bytes are alive in the process, each counted once however many clients share it.
pub type Account = Arc<AtomicUsize>;

/// What waits in the process: slabs as the allocator knows them, and the places of their frames in queues.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Of events, which are shed past the process's bound.
    pub events: Account,
    /// Of replies and what applications send: those are nobody's but their client's, and cost no one else an event.
    pub replies: Account,
}

/// What a slab costs besides its buffers: itself, the counts of its owners, and what the allocator adds to each piece.
const FIXED_BYTES: usize = size_of::<Slab>() + 2 * size_of::<usize>() + 4 * 16;

/// Immutable frames, one after the other.
#[derive(Debug)]
pub struct Slab {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    scores: Vec<f64>,
    largest: usize,
    born: Instant,
    account: Account,
    charged: usize,
}

impl Slab {
    /// The number of frames.
    #[must_use]
    pub fn frames(&self) -> u32 {
        count(self.ends.len())
    }

    /// The size of its largest frame.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// When it was made, for the age of what waits.
    #[must_use]
    pub fn born(&self) -> Instant {
        self.born
    }

    /// The producers' send times of its events (Unix seconds); empty for a reply.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Where frame `index` begins; one past the last frame: where the slab ends.
    #[must_use]
    pub fn start(&self, index: u32) -> usize {
        if index == 0 { 0 } else { self.ends[index as usize - 1] }
    }

    /// The bytes of the frames `from..to`.
    #[must_use]
    pub fn slice(&self, from: u32, to: u32) -> &[u8] {
        &self.bytes[self.start(from)..self.start(to)]
    }

    /// Where each frame ends.
    #[must_use]
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Whether it counts in this account.
    #[must_use]
    pub fn is_in(&self, account: &Account) -> bool {
        Arc::ptr_eq(&self.account, account)
    }

    /// A slab of frames that another process wrote, of which nobody measures the age any more; `None` for ends that
    /// can't be theirs.
    #[must_use]
    pub fn restore(bytes: Vec<u8>, ends: Vec<usize>, born: Instant, account: &Account) -> Option<Arc<Slab>> {
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let largest = starts.zip(&ends).map(|(start, &end)| end.checked_sub(start)).collect::<Option<Vec<_>>>()?;
        if ends.last() != Some(&bytes.len()) || u32::try_from(ends.len()).is_err() {
            return None;
        }
        let largest = largest.into_iter().max().unwrap_or_default();
        let account = Arc::clone(account);
        let slab = Slab { bytes, ends, scores: Vec::new(), largest, born, account, charged: 0 };
        Some(SlabWriter { slab }.finish())
    }

    /// The number of frames from `from` on that end at or before `position`.
    #[must_use]
    pub fn whole_frames(&self, from: u32, position: usize) -> u32 {
        count(self.ends[from as usize..].partition_point(|&end| end <= position))
    }
}

/// A slab of some 64 KiB holds few frames.
fn count(frames: usize) -> u32 {
    u32::try_from(frames).unwrap_or(u32::MAX)
}

impl Drop for Slab {
    fn drop(&mut self) {
        self.account.fetch_sub(self.charged, Ordering::Relaxed);
    }
}

/// Writes the frames of one slab.
pub struct SlabWriter {
    slab: Slab,
}

impl SlabWriter {
    /// A slab for `frames` frames of `bytes` bytes together (headers included): allocated once, in that size.
    #[must_use]
    pub fn with_capacity(frames: usize, bytes: usize, account: &Account) -> Self {
        let slab = Slab {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(frames),
            scores: Vec::new(),
            largest: 0,
            born: Instant::now(),
            account: Arc::clone(account),
            charged: 0,
        };
        SlabWriter { slab }
    }

    /// The frame `index` of another slab, as old as that.
    fn copy(slab: &Slab, index: u32) -> Arc<Slab> {
        let frame = slab.slice(index, index + 1);
        let mut writer = SlabWriter::with_capacity(1, frame.len(), &slab.account);
        writer.slab.bytes.extend_from_slice(frame);
        writer.slab.ends.push(frame.len());
        writer.slab.largest = frame.len();
        writer.slab.born = slab.born;
        writer.finish()
    }

    /// Appends an event: one text frame, and the time at which its producer sent it.
    pub fn push_event(&mut self, payload: &[u8], score: f64) {
        self.push_frame(frame::TEXT, payload);
        if self.slab.scores.is_empty() {
            self.slab.scores.reserve_exact(self.slab.ends.capacity());
        }
        self.slab.scores.push(score);
    }

    fn push_frame(&mut self, opcode: u8, payload: &[u8]) {
        let slab = &mut self.slab;
        let start = slab.bytes.len();
        frame::push_frame(&mut slab.bytes, opcode, payload);
        slab.largest = slab.largest.max(slab.bytes.len() - start);
        slab.ends.push(slab.bytes.len());
    }

    /// The finished slab, which counts from now on.
    #[must_use]
    pub fn finish(mut self) -> Arc<Slab> {
        let slab = &mut self.slab;
        slab.charged = FIXED_BYTES
            + slab.bytes.capacity()
            + slab.ends.capacity() * size_of::<usize>()
            + slab.scores.capacity() * size_of::<f64>();
        slab.account.fetch_add(slab.charged, Ordering::Relaxed);
        Arc::new(self.slab)
    }
}

/// A slab with a single frame: a reply, or what an application sends.
#[must_use]
pub fn single(opcode: u8, payload: &[u8], account: &Account) -> Arc<Slab> {
    several(opcode, &[payload], account)
}

/// A slab of replies that leave together.
#[must_use]
pub fn several(opcode: u8, payloads: &[&[u8]], account: &Account) -> Arc<Slab> {
    let bytes = payloads.iter().map(|payload| frame::text_frame_len(payload.len())).sum();
    let mut writer = SlabWriter::with_capacity(payloads.len(), bytes, account);
    for payload in payloads {
        writer.push_frame(opcode, payload);
    }
    writer.finish()
}

/// The frames `from..to` of a slab.
#[derive(Clone, Debug)]
pub struct Range {
    /// The slab that holds the bytes.
    pub slab: Arc<Slab>,
    /// The first frame of the range.
    pub from: u32,
    /// One past its last frame.
    pub to: u32,
}

impl Range {
    /// All frames of a slab.
    #[must_use]
    pub fn whole(slab: Arc<Slab>) -> Self {
        let to = slab.frames();
        Range { slab, from: 0, to }
    }

    /// The first frame alone: a copy, if it would else hold a slab of much more.
    #[must_use]
    pub fn first(&self) -> Range {
        let first = Range { slab: Arc::clone(&self.slab), from: self.from, to: self.from + 1 };
        let is_most = first.bytes() >= self.slab.bytes.len() / 2;
        if is_most { first } else { Range::whole(SlabWriter::copy(&self.slab, self.from)) }
    }

    /// The number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        (self.to - self.from) as usize
    }

    /// The number of bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slab.start(self.to) - self.slab.start(self.from)
    }

    /// Whether `next` begins where this ends, in the same slab.
    #[must_use]
    pub fn adjoins(&self, next: &Range) -> bool {
        Arc::ptr_eq(&self.slab, &next.slab) && self.to == next.from
    }

    /// The bytes of all its frames.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.slab.slice(self.from, self.to)
    }
}

/// What a frame is, which decides how it is shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An event: shed first.
    Event,
    /// A change of state that pages rely on: a bound of its own, shed last.
    Status,
    /// An answer to a command, or what an application sends: never shed.
    Reply,
}

/// Consecutive frames of a slab that belong to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whose frames they are.
    pub group: GroupId,
    /// How they are shed.
    pub class: Class,
    /// The first frame of the run.
    pub from: u32,
    /// One past the last frame.
    pub to: u32,
}

impl Run {
    /// How many they are.
    #[must_use]
    pub fn frames(&self) -> usize {
        (self.to - self.from) as usize
    }
}
