//! A body in chunks, RFC 9112 section 7.1.
//!
//! Not `httparse`'s reader of chunk sizes, which takes no digits for 0, blanks behind a size, and a bare line feed among
//! extensions.

use std::mem;

use super::Limits;
use super::fault::Fault;
use super::lines::SectionEnd;

/// Where in a body the next byte stands.
pub(super) struct Chunks {
    place: Place,
    /// Of the chunk, then what is left of it.
    size: u64,
    /// Of the line before a chunk, so far.
    line: usize,
}

enum Place {
    /// Among the digits of a size.
    Size,
    /// Behind a size: more of it, then an extension.
    Blank,
    Extension,
    LineFeed,
    Data,
    DataEnd,
    DataLineFeed,
    Trailers(SectionEnd, Vec<u8>),
}

/// What a read of chunks gave.
pub(super) enum Part<'a> {
    Data(&'a [u8]),
    End,
    NeedMore,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { place: Place::Size, size: 0, line: 0 }
    }

    /// Bytes of trailers that are not whole.
    pub(super) fn held(&self) -> usize {
        if let Place::Trailers(_, section) = &self.place { section.capacity() } else { 0 }
    }

    /// Takes off `data` what it tells of.
    pub(super) fn read<'a>(&mut self, data: &mut &'a [u8], limits: &Limits) -> Result<Part<'a>, Fault> {
        loop {
            if let Place::Trailers(end, section) = &mut self.place {
                return skip_trailers(end, section, data, limits);
            }
            let Some((&byte, rest)) = data.split_first() else {
                return Ok(Part::NeedMore);
            };
            if matches!(self.place, Place::Data) {
                return Ok(Part::Data(self.take_data(data)));
            }
            self.place = self.receive(byte, limits)?;
            *data = rest;
        }
    }

    fn take_data<'a>(&mut self, data: &mut &'a [u8]) -> &'a [u8] {
        let length = usize::try_from(self.size).map_or(data.len(), |left| left.min(data.len()));
        let (taken, rest) = data.split_at(length);
        *data = rest;
        self.size -= length as u64;
        if self.size == 0 {
            self.place = Place::DataEnd;
        }
        taken
    }

    /// Takes a byte outside of data, and tells where the next one stands.
    fn receive(&mut self, byte: u8, limits: &Limits) -> Result<Place, Fault> {
        match (&self.place, byte) {
            (Place::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => self.receive_digit(byte, limits),
            (Place::Size, _) if self.line == 0 => Err(Fault::ChunkSize),
            (Place::Size | Place::Blank, b' ' | b'\t') => self.lengthen_line(Place::Blank, limits),
            (Place::Size | Place::Extension, b'\r') => Ok(Place::LineFeed),
            (Place::Size | Place::Blank, b';') | (Place::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.lengthen_line(Place::Extension, limits)
            }
            (Place::LineFeed, b'\n') => Ok(self.finish_line()),
            (Place::DataEnd, b'\r') => Ok(Place::DataLineFeed),
            (Place::DataLineFeed, b'\n') => Ok(Place::Size),
            (Place::DataEnd | Place::DataLineFeed, _) => Err(Fault::ChunkEnd),
            _ => Err(Fault::ChunkLine),
        }
    }

    fn receive_digit(&mut self, digit: u8, limits: &Limits) -> Result<Place, Fault> {
        let digit = char::from(digit).to_digit(16).ok_or(Fault::ChunkSize)?;
        self.size = self.size.checked_mul(16).ok_or(Fault::ChunkSize)? | u64::from(digit);
        self.lengthen_line(Place::Size, limits)
    }

    fn lengthen_line(&mut self, place: Place, limits: &Limits) -> Result<Place, Fault> {
        self.line += 1;
        if self.line > limits.chunk_line { Err(Fault::ChunkLineSize) } else { Ok(place) }
    }

    fn finish_line(&mut self) -> Place {
        self.line = 0;
        if self.size == 0 { Place::Trailers(SectionEnd::default(), Vec::new()) } else { Place::Data }
    }
}

/// Trailers are dropped: nobody asked for them, and none may pass for a header.
fn skip_trailers<'a>(
    end: &mut SectionEnd,
    section: &mut Vec<u8>,
    data: &mut &[u8],
    limits: &Limits,
) -> Result<Part<'a>, Fault> {
    let piece = &data[..data.len().min(limits.trailers.saturating_sub(section.len()))];
    let found = end.find(piece)?;
    let taken = found.unwrap_or(piece.len());
    section.extend_from_slice(&piece[..taken]);
    *data = &data[taken..];
    match found {
        Some(_) => check_trailers(&mem::take(section), limits).map(|()| Part::End),
        None if data.is_empty() => Ok(Part::NeedMore),
        None => Err(Fault::TrailerSize),
    }
}

fn check_trailers(section: &[u8], limits: &Limits) -> Result<(), Fault> {
    if section == b"\r\n" {
        return Ok(());
    }
    let mut fields = vec![httparse::EMPTY_HEADER; limits.fields];
    match httparse::parse_headers(section, &mut fields) {
        Ok(httparse::Status::Complete((length, _))) if length == section.len() => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(Fault::TrailerSize),
        _ => Err(Fault::Trailer),
    }
}
