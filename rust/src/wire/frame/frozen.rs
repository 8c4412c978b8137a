//! What a connection has received and not yet served, as a record: the decoder of another process goes on with it.

use std::io;

use super::CONTINUATION;
use super::decoder::{Decoder, End, Frame};
use super::header;
use crate::wire::record::{RecordReader, RecordWriter, senseless};

impl Decoder {
    /// Whether nothing is held: most decoders, most of the time.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.frame.is_none()
            && self.header_size == 0
            && self.opcode == CONTINUATION
            && !self.closing
            && matches!(self.end, End::NotYet)
    }

    /// Its state; empty for one that is idle. Of a failure only the end is kept: whoever was to know it knows.
    #[must_use]
    pub fn freeze(&self) -> Vec<u8> {
        if self.is_idle() {
            return Vec::new();
        }
        // Memory takes all that is written: there is no error.
        self.write(RecordWriter::new(Vec::new())).unwrap_or_default()
    }

    fn write(&self, mut record: RecordWriter<Vec<u8>>) -> io::Result<Vec<u8>> {
        let is_over = !matches!(self.end, End::NotYet);
        record.numbers(&[self.opcode.into(), self.empty_fragments.into(), self.closing.into(), is_over.into()])?;
        record.piece(&self.message)?;
        record.count(self.checked)?;
        record.piece(&self.control)?;
        record.piece(&self.header[..self.header_size.into()])?;
        record.count(usize::from(self.frame.is_some()))?;
        if let Some(frame) = &self.frame {
            record.numbers(&[frame.left, u32::from_le_bytes(frame.mask).into()])?;
            record.numbers(&[frame.opcode.into(), frame.fin.into()])?;
        }
        Ok(record.into_inner())
    }

    /// Goes on where `freeze` was called. The limits stay its own.
    ///
    /// # Errors
    ///
    /// When `state` is not what `freeze` gave.
    pub fn thaw(&mut self, state: &[u8]) -> io::Result<()> {
        if state.is_empty() {
            return Ok(());
        }
        let mut record = RecordReader::new(state, state.len() as u64);
        self.opcode = record.small()?;
        self.empty_fragments = record.small()?;
        self.closing = record.number()? != 0;
        self.end = if record.number()? == 0 { End::NotYet } else { End::Closed };
        self.message = record.piece()?;
        self.checked = record.small()?;
        self.control = record.piece()?;
        let header = record.piece()?;
        if header.len() > header::MAX_SIZE || self.checked > self.message.len() {
            return Err(senseless("a frame of another kind"));
        }
        self.header[..header.len()].copy_from_slice(&header);
        self.header_size = u8::try_from(header.len()).unwrap_or_default();
        self.frame = if record.number()? == 0 { None } else { Some(read_frame(&mut record)?) };
        Ok(())
    }
}

fn read_frame(record: &mut RecordReader<&[u8]>) -> io::Result<Frame> {
    let left = record.number()?;
    let mask = record.small::<u32>()?.to_le_bytes();
    Ok(Frame { left, mask, opcode: record.small()?, fin: record.number()? != 0 })
}
