//! What the benchmark's producers write at the front of an event's text.

use crate::report::NANOS;

/// One event's identity, from `{"stream": 3, "seq": 17, "t": 1795561314.123456789, ...`.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// One producer's events for one group; order is promised within it.
    pub stream: u64,
    /// Counts from 0 within the stream, without gaps.
    pub number: u64,
    /// When the producer wrote the text, in nanoseconds of Unix time.
    pub sent: u64,
}

/// Reads the front of an event's text; None for any other text. Spaces may pad the numbers to a fixed width.
#[must_use]
pub fn read(text: &[u8]) -> Option<Event> {
    let (stream, rest) = number_after(text, br#"{"stream": "#)?;
    let (number, rest) = number_after(rest, br#", "seq": "#)?;
    let (seconds, rest) = number_after(rest, br#", "t": "#)?;
    let sent = seconds.checked_mul(NANOS)?.checked_add(fraction(rest))?;
    Some(Event { stream, number, sent })
}

fn number_after<'a>(text: &'a [u8], key: &[u8]) -> Option<(u64, &'a [u8])> {
    let padded = text.strip_prefix(key)?;
    let spaces = padded.iter().take_while(|&&byte| byte == b' ').count();
    let digits = &padded[spaces..];
    let length = digits.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    Some((decimal(&digits[..length]), &digits[length..]))
}

/// `.25` as 250,000,000 nanoseconds; 0 when there is no fraction.
fn fraction(text: &[u8]) -> u64 {
    let Some(digits) = text.strip_prefix(b".") else {
        return 0;
    };
    let length = digits.iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    (length..9).fold(decimal(&digits[..length]), |value, _| value * 10)
}

fn decimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}
