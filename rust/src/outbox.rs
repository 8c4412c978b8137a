//! A client's queue: bounded, in arrival order, and what is shed when the client does not keep up.
//!
//! Event frames have one bound, status frames a smaller one; past it the oldest of that kind go. Replies are never shed.
//! A frame begun is never shed. The queue is kept as two lines, events and all else, that are merged by arrival when
//! written: the oldest event is then always at the head of its line, however many status frames stand before it.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Instant;

use crate::ledger::{Frames, Shed};
use crate::slab::{Range, Slab};

/// The most bytes of one write: below it coalescing costs throughput, above it the cache.
pub const WRITE_BYTES: usize = 128 * 1024;
/// The most pieces of one write.
const WRITE_PIECES: usize = 64;

/// Where an outbox writes: a descriptor, or a test's buffer. Never blocks.
pub trait Sink {
    /// Takes some of the bytes, in order; how many, or why not.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing can be taken now; anything else ends the client.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What a frame is, which decides how it is shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An event: shed first.
    Event,
    /// A change of state that pages rely on: a bound of its own, shed last.
    Status,
    /// An answer to a command: never shed.
    Reply,
}

/// The bounds of one client's queue.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Event frames; status frames get a quarter.
    pub frames: usize,
    /// Bytes of event frames; status frames get a quarter.
    pub bytes: usize,
}

impl Bounds {
    fn of(self, class: Class) -> Bounds {
        match class {
            Class::Event => self,
            Class::Status => Bounds { frames: (self.frames / 4).max(1), bytes: self.bytes / 4 },
            Class::Reply => Bounds { frames: usize::MAX, bytes: usize::MAX },
        }
    }
}

/// What came of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The kernel took less than was offered: wait until it is writable again.
    Blocked,
    /// All that was offered is gone; more may wait.
    Wrote,
}

#[derive(Debug)]
struct Item {
    range: Range,
    arrival: u64,
    class: Class,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    frames: usize,
    bytes: usize,
}

/// How much is to be shed; at least 1.
#[derive(Clone, Copy)]
enum Goal {
    Frames(usize),
    Bytes(usize),
}

/// Control frames, which go ahead of queued frames; kept apart since most clients have none.
#[derive(Debug, Default)]
struct Control {
    begun: Vec<u8>,
    ping: Option<Vec<u8>>,
    pong: Option<Vec<u8>>,
    close: Option<Vec<u8>>,
}

/// One client's queue.
#[derive(Debug, Default)]
pub struct Outbox {
    events: VecDeque<Item>,
    kept: VecDeque<Item>,
    arrivals: u64,
    /// Bytes already written of the frame at the head.
    begun: usize,
    load: [Load; 3],
    control: Option<Box<Control>>,
}

impl Outbox {
    /// Data frames that wait, the one begun included.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.load.iter().map(|load| load.frames).sum()
    }

    /// Bytes of those frames.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.load.iter().map(|load| load.bytes).sum()
    }

    /// Replies that wait.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.load[Class::Reply as usize].frames
    }

    /// Nothing waits, no control frame either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.kept.is_empty() && self.control.is_none()
    }

    /// When the oldest waiting frame was made.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.head().map(|item| item.range.slab.born())
    }

    /// Queues frames, and sheds the oldest of their class past its bound. Counts both.
    pub fn push(&mut self, class: Class, range: Range, bounds: Bounds, counts: &mut Frames) {
        counts.queued += range.frames() as u64;
        let bounds = bounds.of(class);
        if range.slab.largest() <= bounds.bytes {
            self.append(class, range);
        } else {
            self.append_those_within(class, &range, bounds.bytes, counts);
        }
        self.shed_past(class, bounds, counts);
    }

    fn append_those_within(&mut self, class: Class, range: &Range, bytes: usize, counts: &mut Frames) {
        for from in range.from..range.to {
            let single = Range { slab: range.slab.clone(), from, to: from + 1 };
            if single.bytes() <= bytes {
                self.append(class, single);
            } else {
                counts.count_shed(Shed::TooLarge, 1);
            }
        }
    }

    fn append(&mut self, class: Class, range: Range) {
        let load = &mut self.load[class as usize];
        load.frames += range.frames();
        load.bytes += range.bytes();
        let (line, other) = match class {
            Class::Event => (&mut self.events, &self.kept),
            Class::Status | Class::Reply => (&mut self.kept, &self.events),
        };
        if let Some(last) = line.back_mut() {
            let adjoins = std::ptr::eq(&raw const *last.range.slab, &raw const *range.slab)
                && last.range.to == range.from
                && last.class == class;
            // Nothing overtakes: a frame of the other line that came in between keeps its place.
            if adjoins && other.back().is_none_or(|item| item.arrival < last.arrival) {
                last.range.to = range.to;
                return;
            }
        }
        self.arrivals += 1;
        line.push_back(Item { range, arrival: self.arrivals, class });
    }

    fn shed_past(&mut self, class: Class, bounds: Bounds, counts: &mut Frames) {
        loop {
            let load = self.load[class as usize];
            let (reason, goal) = if load.frames > bounds.frames {
                (Shed::Frames, Goal::Frames(load.frames - bounds.frames))
            } else if load.bytes > bounds.bytes {
                (Shed::Bytes, Goal::Bytes(load.bytes - bounds.bytes))
            } else {
                return;
            };
            let shed = self.shed_oldest(class, goal);
            if shed == 0 {
                return;
            }
            counts.count_shed(reason, shed);
        }
    }

    /// Sheds from the oldest item of a class until the goal is reached or the item is gone; how many frames.
    fn shed_oldest(&mut self, class: Class, goal: Goal) -> usize {
        let Some(position) = self.oldest_sheddable(class) else { return 0 };
        let line = self.line(class);
        let range = &mut line[position].range;
        let wanted = match goal {
            Goal::Frames(frames) => u32::try_from(frames).unwrap_or(u32::MAX),
            // The frame that crosses the goal goes too.
            Goal::Bytes(bytes) => range.slab.whole_frames(range.from, range.slab.start(range.from) + bytes - 1) + 1,
        };
        let shed = wanted.min(range.to - range.from);
        let gone = Range { slab: range.slab.clone(), from: range.from, to: range.from + shed };
        range.from += shed;
        if range.from == range.to {
            line.remove(position);
        }
        self.unload(class, &gone);
        gone.frames()
    }

    /// Where the oldest item of a class stands in its line; a frame begun is split off first, and stays.
    fn oldest_sheddable(&mut self, class: Class) -> Option<usize> {
        let begun_here = self.begun > 0 && self.head().is_some_and(|item| item.class == class);
        let line = self.line(class);
        if begun_here {
            split_first_frame(line);
        }
        let skip = usize::from(begun_here);
        line.iter().skip(skip).position(|item| item.class == class).map(|position| position + skip)
    }

    /// Sheds every event frame that was made before `cutoff` (with `status`, status frames too): the process's bound.
    pub fn shed_before(&mut self, cutoff: Instant, status: bool, counts: &mut Frames) {
        let classes: &[Class] = if status { &[Class::Event, Class::Status] } else { &[Class::Event] };
        for &class in classes {
            while let Some(position) = self.oldest_sheddable(class) {
                if self.line(class)[position].range.slab.born() >= cutoff {
                    break;
                }
                let shed = self.shed_oldest(class, Goal::Frames(usize::MAX));
                counts.count_shed(Shed::Memory, shed);
            }
        }
    }

    /// Gives up all that waits but the frame begun (`keep_begun`); how many frames that were.
    pub fn clear(&mut self, keep_begun: bool) -> usize {
        let before = self.frames();
        let kept = if keep_begun && self.begun > 0 { self.take_begun() } else { None };
        self.events.clear();
        self.kept.clear();
        self.load = [Load::default(); 3];
        match kept {
            Some(item) => self.append(item.class, item.range),
            None => self.begun = 0,
        }
        before - self.frames()
    }

    fn take_begun(&mut self) -> Option<Item> {
        let class = self.head()?.class;
        let line = self.line(class);
        split_first_frame(line);
        line.pop_front()
    }

    /// A PING that goes next; one that waits already is replaced.
    pub fn set_ping(&mut self, frame: Vec<u8>) {
        self.control.get_or_insert_default().ping = Some(frame);
    }

    /// A PONG that goes next; one that waits already is replaced.
    pub fn set_pong(&mut self, frame: Vec<u8>) {
        self.control.get_or_insert_default().pong = Some(frame);
    }

    /// A CLOSE that goes after everything else.
    pub fn set_close(&mut self, frame: Vec<u8>) {
        self.control.get_or_insert_default().close = Some(frame);
    }

    /// Writes once, as much as one write takes, and counts the frames whose last byte is gone.
    ///
    /// # Errors
    ///
    /// The sink's, but for `WouldBlock`, which is `Progress::Blocked`.
    pub fn write(&mut self, sink: &mut impl Sink, counts: &mut Frames) -> io::Result<Progress> {
        self.begin_control();
        let mut pieces = [IoSlice::new(&[]); WRITE_PIECES];
        let (used, offered) = self.gather(&mut pieces);
        if used == 0 {
            return Ok(Progress::Wrote);
        }
        match sink.write_vectored(&pieces[..used]) {
            Ok(taken) => {
                self.advance(taken, counts);
                Ok(if taken < offered { Progress::Blocked } else { Progress::Wrote })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Blocked),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Progress::Wrote),
            Err(error) => Err(error),
        }
    }

    /// Chooses the control frames that go next, which may not stand inside a frame begun.
    fn begin_control(&mut self) {
        let idle = self.events.is_empty() && self.kept.is_empty();
        let between_frames = self.begun == 0;
        let Some(control) = self.control.as_mut() else { return };
        if control.begun.is_empty() && between_frames {
            control.begun = control.pong.take().unwrap_or_default();
            control.begun.extend(control.ping.take().unwrap_or_default());
            if control.begun.is_empty() && idle {
                control.begun = control.close.take().unwrap_or_default();
            }
        }
    }

    fn gather<'a>(&'a self, pieces: &mut [IoSlice<'a>; WRITE_PIECES]) -> (usize, usize) {
        let mut gathered = Gathered { pieces, used: 0, bytes: 0 };
        if let Some(control) = &self.control {
            if !control.begun.is_empty() {
                gathered.add(&control.begun);
            } else if self.begun > 0 && (control.ping.is_some() || control.pong.is_some()) {
                if let Some(item) = self.head() {
                    gathered.add(&item.range.slab.slice(item.range.from, item.range.from + 1)[self.begun..]);
                }
                return (gathered.used, gathered.bytes);
            }
        }
        let mut begun = self.begun;
        for item in self.in_order() {
            if gathered.is_full() {
                break;
            }
            gathered.add(&item.range.as_slice()[begun..]);
            begun = 0;
        }
        (gathered.used, gathered.bytes)
    }

    fn in_order(&self) -> impl Iterator<Item = &Item> {
        let mut events = self.events.iter().peekable();
        let mut kept = self.kept.iter().peekable();
        std::iter::from_fn(move || match (events.peek(), kept.peek()) {
            (Some(event), Some(other)) if other.arrival < event.arrival => kept.next(),
            (Some(_), _) => events.next(),
            (None, _) => kept.next(),
        })
    }

    fn head(&self) -> Option<&Item> {
        match (self.events.front(), self.kept.front()) {
            (Some(event), Some(other)) if other.arrival < event.arrival => Some(other),
            (Some(event), _) => Some(event),
            (None, other) => other,
        }
    }

    fn line(&mut self, class: Class) -> &mut VecDeque<Item> {
        match class {
            Class::Event => &mut self.events,
            Class::Status | Class::Reply => &mut self.kept,
        }
    }

    fn unload(&mut self, class: Class, range: &Range) {
        let load = &mut self.load[class as usize];
        load.frames -= range.frames();
        load.bytes -= range.bytes();
    }

    /// Forgets the first `taken` bytes of what `gather` offered.
    fn advance(&mut self, mut taken: usize, counts: &mut Frames) {
        taken -= self.advance_control(taken);
        while taken > 0 {
            let Some(class) = self.head().map(|item| item.class) else { return };
            taken -= self.advance_item(class, taken, counts);
        }
    }

    fn advance_control(&mut self, taken: usize) -> usize {
        let Some(control) = self.control.as_mut() else { return 0 };
        let gone = taken.min(control.begun.len());
        control.begun.drain(..gone);
        if control.begun.is_empty() && control.ping.is_none() && control.pong.is_none() && control.close.is_none() {
            self.control = None;
        }
        gone
    }

    fn advance_item(&mut self, class: Class, taken: usize, counts: &mut Frames) -> usize {
        let begun = self.begun;
        let line = self.line(class);
        let Some(item) = line.front_mut() else { return taken };
        let start = item.range.slab.start(item.range.from);
        let left = item.range.bytes() - begun;
        let gone = taken.min(left);
        let whole = if gone == left {
            item.range.to - item.range.from
        } else {
            item.range.slab.whole_frames(item.range.from, start + begun + gone)
        };
        let written = Range { slab: item.range.slab.clone(), from: item.range.from, to: item.range.from + whole };
        item.range.from += whole;
        if item.range.from == item.range.to {
            line.pop_front();
        }
        self.begun = begun + gone - written.bytes();
        self.unload(class, &written);
        counts.written += written.frames() as u64;
        gone
    }

    /// Returns memory that a burst left behind; called when the queue has run empty.
    pub fn shrink(&mut self) {
        if self.events.is_empty() && self.events.capacity() > 16 {
            self.events = VecDeque::new();
        }
        if self.kept.is_empty() && self.kept.capacity() > 4 {
            self.kept = VecDeque::new();
        }
    }
}

fn split_first_frame(line: &mut VecDeque<Item>) {
    let Some(first) = line.front_mut() else { return };
    if first.range.frames() > 1 {
        let (slab, from) = (first.range.slab.clone(), first.range.from);
        let (arrival, class) = (first.arrival, first.class);
        first.range.from += 1;
        line.push_front(Item { range: Range { slab, from, to: from + 1 }, arrival, class });
    }
}

struct Gathered<'p, 'a> {
    pieces: &'p mut [IoSlice<'a>; WRITE_PIECES],
    used: usize,
    bytes: usize,
}

impl<'a> Gathered<'_, 'a> {
    fn is_full(&self) -> bool {
        self.used == WRITE_PIECES || self.bytes >= WRITE_BYTES
    }

    fn add(&mut self, piece: &'a [u8]) {
        self.pieces[self.used] = IoSlice::new(piece);
        self.used += 1;
        self.bytes += piece.len();
    }
}

/// So that a test can ask which slabs a queue still holds.
impl Outbox {
    /// Whether any of the slab's frames wait here.
    #[must_use]
    pub fn holds(&self, slab: &Slab) -> bool {
        self.in_order().any(|item| std::ptr::eq(&raw const *item.range.slab, slab))
    }
}
