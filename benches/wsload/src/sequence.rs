//! Is anything missing? One client's view of one stream of numbered events.

use std::cmp::Ordering;

/// How far back a late number is still told from a repeated one.
const WINDOW: u64 = 64;

/// Follows numbers that should come as 0, 1, 2, ... .
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sequence {
    next: u64,
    /// Bit `n`: `next - 1 - n` has come.
    seen: u64,
    /// Numbers that were passed over and have not come since.
    pub lost: u64,
    /// Numbers that came after a higher one.
    pub reordered: u64,
    /// Numbers that came twice, or too late to tell.
    pub repeated: u64,
}

impl Sequence {
    /// Takes the next number as received.
    #[inline]
    pub fn receive(&mut self, number: u64) {
        match number.cmp(&self.next) {
            Ordering::Equal => {
                self.next += 1;
                self.seen = self.seen << 1 | 1;
            }
            Ordering::Greater => self.skip_to(number),
            Ordering::Less => self.receive_late(self.next - 1 - number),
        }
    }

    fn skip_to(&mut self, number: u64) {
        let gap = number - self.next;
        self.lost += gap;
        self.seen = if gap + 1 < WINDOW { self.seen << (gap + 1) | 1 } else { 1 };
        self.next = number + 1;
    }

    fn receive_late(&mut self, behind: u64) {
        if behind < WINDOW && self.seen & 1 << behind == 0 {
            self.seen |= 1 << behind;
            self.lost -= 1;
            self.reordered += 1;
        } else {
            self.repeated += 1;
        }
    }
}
