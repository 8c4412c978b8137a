//! Entries of `channels_redis`' JSON serializer, written anew as the msgpack that an envelope is read from.
//!
//! It reads what Python's `json.loads` reads: NaN and infinities, numbers of any size, halves of surrogate pairs. Of
//! numbers nothing is kept, since nothing here looks at them.

use memchr::memchr2;

use crate::error::Reject;

/// Containers inside each other; more than any message has.
const MAX_DEPTH: usize = 64;

const NIL: u8 = 0xc0;
const FALSE: u8 = 0xc2;
const TRUE: u8 = 0xc3;
const STR32: u8 = 0xdb;
const ARRAY32: u8 = 0xdd;
const MAP32: u8 = 0xdf;

/// Words that are values, and what takes their place.
const WORDS: [(&[u8], u8); 6] =
    [(b"true", TRUE), (b"false", FALSE), (b"null", NIL), (b"NaN", NIL), (b"Infinity", NIL), (b"-Infinity", NIL)];

/// A message in JSON as one in msgpack.
///
/// # Errors
///
/// `Malformed` for what is not JSON, or nested too deeply.
pub fn to_msgpack(text: &[u8]) -> Result<Vec<u8>, Reject> {
    let mut reader = Reader { rest: text, packed: Vec::with_capacity(text.len()) };
    if std::str::from_utf8(text).is_err() {
        return Err(Reject::Malformed);
    }
    reader.value(0)?;
    reader.skip_blanks();
    if reader.rest.is_empty() { Ok(reader.packed) } else { Err(Reject::Malformed) }
}

struct Reader<'a> {
    rest: &'a [u8],
    packed: Vec<u8>,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<(), Reject> {
        self.skip_blanks();
        match self.rest.first() {
            Some(b'"') => self.string(),
            Some(b'{') => self.container(depth, MAP32, b'}', Self::pair),
            Some(b'[') => self.container(depth, ARRAY32, b']', Self::value),
            Some(_) => self.scalar(),
            None => Err(Reject::Malformed),
        }
    }

    fn scalar(&mut self) -> Result<(), Reject> {
        for (word, packed) in WORDS {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                self.packed.push(packed);
                return Ok(());
            }
        }
        self.number()
    }

    /// Whatever `read` reads, with commas between, up to `end`.
    fn container(
        &mut self,
        depth: usize,
        marker: u8,
        end: u8,
        read: fn(&mut Self, usize) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        if depth == MAX_DEPTH {
            return Err(Reject::Malformed);
        }
        self.rest = &self.rest[1..];
        let start = self.begin(marker);
        let mut count = 0usize;
        self.skip_blanks();
        if !self.take(end) {
            loop {
                read(self, depth + 1)?;
                count += 1;
                self.skip_blanks();
                if self.take(end) {
                    break;
                }
                self.expect(b',')?;
            }
        }
        self.set_length(start, count)
    }

    fn pair(&mut self, depth: usize) -> Result<(), Reject> {
        self.skip_blanks();
        if self.rest.first() != Some(&b'"') {
            return Err(Reject::Malformed);
        }
        self.string()?;
        self.skip_blanks();
        self.expect(b':')?;
        self.value(depth)
    }

    fn string(&mut self) -> Result<(), Reject> {
        self.rest = &self.rest[1..];
        let start = self.begin(STR32);
        let first = self.packed.len();
        loop {
            let at = memchr2(b'"', b'\\', self.rest).ok_or(Reject::Malformed)?;
            let (plain, rest) = self.rest.split_at(at);
            if plain.iter().any(|&byte| byte < b' ') {
                return Err(Reject::Malformed);
            }
            self.packed.extend_from_slice(plain);
            self.rest = &rest[1..];
            if rest[0] == b'"' {
                break;
            }
            self.escape()?;
        }
        self.set_length(start, self.packed.len() - first)
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Reject> {
        let (&letter, rest) = self.rest.split_first().ok_or(Reject::Malformed)?;
        self.rest = rest;
        let byte = match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(),
            _ => return Err(Reject::Malformed),
        };
        self.packed.push(byte);
        Ok(())
    }

    /// A character by its number; of the astral ones two halves. A half alone gives bytes that are not UTF-8.
    fn unicode(&mut self) -> Result<(), Reject> {
        let unit = self.unit()?;
        if let (0xd800..=0xdbff, Some(rest)) = (unit, self.rest.strip_prefix(b"\\u")) {
            let after_first = self.rest;
            self.rest = rest;
            let second = self.unit()?;
            if (0xdc00..=0xdfff).contains(&second) {
                self.push_character(0x10000 + ((unit - 0xd800) << 10 | (second - 0xdc00)));
                return Ok(());
            }
            self.rest = after_first;
        }
        self.push_character(unit);
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, Reject> {
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(Reject::Malformed)?;
        self.rest = rest;
        digits.iter().try_fold(0, |unit, &digit| {
            let value = char::from(digit).to_digit(16).ok_or(Reject::Malformed)?;
            Ok(unit << 4 | value)
        })
    }

    fn push_character(&mut self, number: u32) {
        if let Some(character) = char::from_u32(number) {
            self.packed.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            let [_, _, high, low] = number.to_be_bytes();
            self.packed.extend_from_slice(&[0xe0 | high >> 4, 0x80 | (high & 15) << 2 | low >> 6, 0x80 | low & 63]);
        }
    }

    fn number(&mut self) -> Result<(), Reject> {
        self.take(b'-');
        if !self.take(b'0') && self.digits() == 0 {
            return Err(Reject::Malformed);
        }
        if self.take(b'.') && self.digits() == 0 {
            return Err(Reject::Malformed);
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return Err(Reject::Malformed);
            }
        }
        self.packed.push(NIL);
        Ok(())
    }

    /// Passes over digits; how many there were.
    fn digits(&mut self) -> usize {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.rest = &self.rest[count..];
        count
    }

    fn skip_blanks(&mut self) {
        let count = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.rest = &self.rest[count..];
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Reject> {
        if self.take(byte) { Ok(()) } else { Err(Reject::Malformed) }
    }

    /// Writes a marker whose length is not known yet; where that goes.
    fn begin(&mut self, marker: u8) -> usize {
        self.packed.push(marker);
        self.packed.extend_from_slice(&[0; 4]);
        self.packed.len() - 4
    }

    fn set_length(&mut self, start: usize, length: usize) -> Result<(), Reject> {
        let length = u32::try_from(length).map_err(|_| Reject::Malformed)?;
        self.packed[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}
