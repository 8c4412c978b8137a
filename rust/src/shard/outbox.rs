//! A client's queue: bounded, in arrival order, and what is shed when the client does not keep up.
//!
//! Event frames have one bound, status frames a smaller one; past it the oldest of that kind go. Replies are never shed.
//! A frame begun is never shed. The queue is kept as two lines, events and all else, that are merged by arrival when
//! written: the oldest event is then always at the head of its line, however many status frames stand before it.

mod control;
mod lines;
mod shedding;
mod writing;

use std::time::Instant;

use crate::ledger::{Frames, Shed};
use crate::routing::slab::{Class, Range};
use control::Control;
use lines::{Item, Lines};

pub use control::Waiting;
pub use lines::PLACE_BYTES;
pub use writing::{Progress, Sink, WRITE_BYTES};

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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    frames: usize,
    bytes: usize,
    places: usize,
}

/// What waits in a queue, for one like it in another process.
#[derive(Clone, Debug, Default)]
pub struct Frozen {
    /// Bytes already written of the first frame.
    pub begun: usize,
    /// Ranges of frames, in order.
    pub items: Vec<(Class, Range)>,
    /// Control frames, if some wait.
    pub control: Option<Waiting>,
}

impl Frozen {
    /// Whether `begun` is a part of the first frame.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let first = self.items.first().map_or(1, |(_, range)| range.slab.slice(range.from, range.from + 1).len());
        self.begun < first
    }

    /// Data frames that wait.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.items.iter().map(|(_, range)| range.frames()).sum()
    }
}

/// What waits for one client, in order, within its bounds.
#[derive(Debug, Default)]
pub struct Outbox {
    lines: Lines,
    /// Bytes already written of the frame at the head.
    begun: usize,
    load: [Held; 3],
    control: Control,
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

    /// Whether an application may send on: less waits, of all classes together, than events alone may.
    #[must_use]
    pub fn has_room(&self, bounds: Bounds) -> bool {
        self.frames() < bounds.frames && self.bytes() < bounds.bytes
    }

    /// How many replies wait in it.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.load[Class::Reply as usize].frames
    }

    /// Bytes of the replies that wait.
    #[must_use]
    pub fn reply_bytes(&self) -> usize {
        self.load[Class::Reply as usize].bytes
    }

    /// Places in the queue that events and status frames take, and those that replies take.
    #[must_use]
    pub fn places(&self) -> [usize; 2] {
        let [events, status, replies] = self.load.map(|load| load.places);
        [events + status, replies]
    }

    /// Nothing waits, no control frame either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.control.is_empty()
    }

    /// When the oldest waiting frame was made.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.lines.head().map(|item| item.range.slab.born())
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
        load.places += usize::from(self.lines.append(class, range));
    }

    /// Gives up all that waits but the frame begun (`keep_begun`); how many frames that were.
    pub fn clear(&mut self, keep_begun: bool) -> usize {
        let before = self.frames();
        let kept = if keep_begun && self.begun > 0 { self.take_begun() } else { None };
        self.lines.clear();
        self.load = [Held::default(); 3];
        match kept {
            Some(item) => self.append(item.class, item.range),
            None => self.begun = 0,
        }
        before - self.frames()
    }

    fn take_begun(&mut self) -> Option<Item> {
        let class = self.lines.head()?.class;
        self.lines.split_first_frame(class);
        self.lines.of(class).pop_front()
    }

    /// All that waits: ranges in order, and control frames.
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        let items = self.lines.in_order().map(|item| (item.class, item.range.clone())).collect();
        Frozen { begun: self.begun, items, control: self.control.waiting().cloned() }
    }

    /// A queue in which the same waits.
    #[must_use]
    pub fn restore(frozen: Frozen) -> Self {
        let control = Control::restore(frozen.control);
        let mut outbox = Outbox { begun: frozen.begun, control, ..Outbox::default() };
        for (class, range) in frozen.items {
            outbox.append(class, range);
        }
        outbox
    }

    /// Control frames: PING and PONG go next, CLOSE last.
    pub fn control(&mut self) -> &mut Control {
        &mut self.control
    }

    fn unload(&mut self, class: Class, range: &Range) {
        let load = &mut self.load[class as usize];
        load.frames -= range.frames();
        load.bytes -= range.bytes();
    }

    /// Returns memory that a burst left behind.
    pub fn shrink(&mut self) {
        self.lines.shrink();
    }
}
