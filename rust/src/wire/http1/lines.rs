//! Where lines end, and where a section of lines does: with an empty one.

use memchr::memchr_iter;

use super::fault::Fault;

/// Looks at each byte once, however a section is split. A new one stands before a line.
#[derive(Default)]
pub(super) struct SectionEnd {
    /// Of the unfinished line, its carriage return included.
    length: usize,
    /// Whether the last byte was a carriage return.
    is_returned: bool,
}

impl SectionEnd {
    /// Where in `piece`, which follows the pieces before, the section is over.
    pub(super) fn find(&mut self, piece: &[u8]) -> Result<Option<usize>, Fault> {
        let mut start = 0;
        for end in memchr_iter(b'\n', piece) {
            let is_returned = end.checked_sub(1).map_or(self.is_returned, |before| piece[before] == b'\r');
            if !is_returned {
                return Err(Fault::BareLineFeed);
            }
            let length = self.length + end - start;
            *self = Self::default();
            start = end + 1;
            if length == 1 {
                return Ok(Some(start));
            }
        }
        self.length += piece.len() - start;
        self.is_returned = piece.last().map_or(self.is_returned, |last| *last == b'\r');
        Ok(None)
    }
}
