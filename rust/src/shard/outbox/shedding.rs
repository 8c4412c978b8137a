//! What is shed of a queue: the oldest frames of a class past its bound, or of the whole process past its own.

use std::time::Instant;

use super::lines::Item;
use super::{Bounds, Outbox};
use crate::ledger::{Frames, Shed};
use crate::routing::slab::{Class, Range};

/// How much is to be shed; at least 1.
#[derive(Clone, Copy)]
enum Goal {
    Frames(usize),
    Bytes(usize),
}

impl Outbox {
    /// When the oldest event frame was made that can be shed; with `status`, status frames count too.
    #[must_use]
    pub fn oldest_sheddable(&self, status: bool) -> Option<Instant> {
        let event = self.oldest_of(Class::Event);
        if status { event.into_iter().chain(self.oldest_of(Class::Status)).min() } else { event }
    }

    /// A frame begun can't be shed: it may be the oldest of all for hours.
    fn oldest_of(&self, class: Class) -> Option<Instant> {
        let begun_alone = |item: &Item| self.begun > 0 && item.class == class && item.range.frames() == 1;
        let skip = usize::from(self.lines.head().is_some_and(begun_alone));
        let mut those = self.lines.line(class).iter().skip(skip);
        those.find(|item| item.class == class).map(|item| item.range.slab.born())
    }

    /// Sheds every event frame that was made before `cutoff` (with `status`, status frames too): the process's bound.
    pub fn shed_before(&mut self, cutoff: Instant, status: bool, counts: &mut Frames) {
        let classes: &[Class] = if status { &[Class::Event, Class::Status] } else { &[Class::Event] };
        for &class in classes {
            while let Some(position) = self.find_oldest(class) {
                if self.lines.of(class)[position].range.slab.born() >= cutoff {
                    break;
                }
                let shed = self.shed_oldest(class, Goal::Frames(usize::MAX));
                counts.count_shed(Shed::Memory, shed);
            }
        }
        self.shrink();
    }

    pub(super) fn shed_past(&mut self, class: Class, bounds: Bounds, counts: &mut Frames) {
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
        let Some(position) = self.find_oldest(class) else { return 0 };
        let line = self.lines.of(class);
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
            self.load[class as usize].places -= 1;
        }
        self.unload(class, &gone);
        gone.frames()
    }

    /// Where the oldest item of a class stands in its line; a frame begun is split off first, and stays.
    fn find_oldest(&mut self, class: Class) -> Option<usize> {
        let begun_here = self.begun > 0 && self.lines.head().is_some_and(|item| item.class == class);
        if begun_here && self.lines.split_first_frame(class) {
            self.load[class as usize].places += 1;
        }
        let skip = usize::from(begun_here);
        let line = self.lines.of(class);
        line.iter().skip(skip).position(|item| item.class == class).map(|position| position + skip)
    }
}
