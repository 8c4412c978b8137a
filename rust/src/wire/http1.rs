//! HTTP/1.1 in the server's role, RFC 9112: a client's bytes in; heads, parts of bodies, ends of requests, or a refusal out.
//!
//! Strict: whatever two readers may read in two ways is refused, and ends what is read of a connection. `httparse` reads
//! heads; what it lets through (bare line feeds, any target, any `Host`) and what stands around them is here.

mod chunks;
mod fault;
mod framing;
mod head;
mod host;
mod lines;
mod reader;
mod target;

pub use fault::{Fault, Refusal};
pub use head::{Head, Version};
pub use reader::{Event, Reader};

/// In bytes, line ends included where not said otherwise; exactly the limit is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a request line and its headers, with empty lines before and behind.
    pub head: usize,
    /// Lines, not bytes: the headers of a head, and those of trailers.
    pub fields: usize,
    /// Of the line before a chunk, extensions included, its end not.
    pub chunk_line: usize,
    /// Of all trailers of a request, with the empty line behind them.
    pub trailers: usize,
}

/// Whether a token may have it (RFC 9110 section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Blanks that count for nothing around values and list members (RFC 9110 section 5.6.3).
fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}
