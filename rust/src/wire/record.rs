//! Numbers and pieces of bytes, one after the other: what a process leaves to the one that takes its place.
//!
//! Numbers are 8 bytes, little-endian; a piece is its length and its bytes. Who reads gets an error for a record that
//! is cut or makes no sense, never memory for what a length only announces.

use std::io::{self, Read, Write};

/// Writes a record, piece by piece.
pub struct RecordWriter<W> {
    sink: W,
}

impl<W: Write> RecordWriter<W> {
    /// One that appends to `sink`.
    pub fn new(sink: W) -> Self {
        Self { sink }
    }

    /// Appends a number.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn number(&mut self, number: u64) -> io::Result<()> {
        self.sink.write_all(&number.to_le_bytes())
    }

    /// Appends the length of what follows.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn count(&mut self, count: usize) -> io::Result<()> {
        self.number(count as u64)
    }

    /// Appends several numbers.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn numbers(&mut self, numbers: &[u64]) -> io::Result<()> {
        numbers.iter().try_for_each(|&number| self.number(number))
    }

    /// Appends a piece.
    ///
    /// # Errors
    ///
    /// The sink's.
    pub fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.count(bytes.len())?;
        self.sink.write_all(bytes)
    }

    /// The sink, with all that was written.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

/// Reads a record, piece by piece.
pub struct RecordReader<R> {
    source: R,
    /// Bytes that are still to come, at most.
    left: u64,
}

impl<R: Read> RecordReader<R> {
    /// One that reads `left` bytes of `source`.
    pub fn new(source: R, left: u64) -> Self {
        Self { source, left }
    }

    /// The next number.
    ///
    /// # Errors
    ///
    /// When the record is cut.
    pub fn number(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.take(8)?;
        self.source.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The same as a `usize`, `u32` or whatever fits.
    ///
    /// # Errors
    ///
    /// When the record is cut, or the number is larger.
    pub fn small<N: TryFrom<u64>>(&mut self) -> io::Result<N> {
        N::try_from(self.number()?).map_err(|_| senseless("a number that is too large"))
    }

    /// How many things follow, of `size` bytes each at least.
    ///
    /// # Errors
    ///
    /// When so many can't be there.
    pub fn count(&mut self, size: u64) -> io::Result<usize> {
        let count = self.number()?;
        if count.saturating_mul(size) > self.left {
            return Err(senseless("a count of more than there is"));
        }
        usize::try_from(count).map_err(|_| senseless("a count of more than there is"))
    }

    /// So many numbers.
    ///
    /// # Errors
    ///
    /// When the record is cut.
    pub fn numbers<const N: usize>(&mut self) -> io::Result<[u64; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Ok(numbers)
    }

    /// The next piece.
    ///
    /// # Errors
    ///
    /// When the record is cut.
    pub fn piece(&mut self) -> io::Result<Vec<u8>> {
        let length = self.count(1)?;
        let mut bytes = vec![0; length];
        self.take(length as u64)?;
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next piece, which is a text.
    ///
    /// # Errors
    ///
    /// When the record is cut, or the piece is not UTF-8.
    pub fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.piece()?).map_err(|_| senseless("a text that is not utf-8"))
    }

    fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| senseless("an end too early"))?;
        Ok(())
    }
}

/// What is wrong with a record.
#[must_use]
pub fn senseless(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the hand-over has {what}"))
}
