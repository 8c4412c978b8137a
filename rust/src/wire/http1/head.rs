//! A request's head as values.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::{Error, Status};

use super::Limits;
use super::fault::Fault;
use super::framing::{Body, Fields};
use super::target::{Target, decode_path};

/// Headers that are read without asking for memory; browsers send some 20.
const USUAL_FIELDS: usize = 64;

/// The versions of HTTP that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Connections end behind a response unless the client asks otherwise; no chunks, no upgrades, no 100.
    Http10,
    /// As RFC 9112 has it.
    Http11,
}

/// One request, up to its body. It has its own copy of the head, and its parts are ranges of that.
#[derive(Debug)]
pub struct Head {
    bytes: Vec<u8>,
    method: Range<usize>,
    target: Range<usize>,
    path: Range<usize>,
    query: Range<usize>,
    fields: Vec<Field>,
    version: Version,
    body: Body,
    keeps_alive: bool,
    expects_continue: bool,
    offers_websocket: bool,
}

#[derive(Debug)]
struct Field {
    name: Range<u32>,
    value: Range<u32>,
}

/// What `httparse` found, as ranges.
struct Lines {
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
    fields: Vec<Field>,
}

impl Head {
    /// `bytes` from the request line to the empty line, both included, without a bare line feed, below 4 GiB.
    pub(super) fn parse(mut bytes: Vec<u8>, limits: &Limits) -> Result<Self, Fault> {
        let Lines { method, target, version, mut fields } = find_lines(&bytes, limits)?;
        // All of a method is ASCII.
        let name = str::from_utf8(&bytes[method.clone()]).map_err(|_| Fault::RequestLine)?;
        let parts = Target::find(name, &bytes[target.clone()])?;
        let found = read_fields(&mut bytes, &fields)?;
        let body = found.finish(str::from_utf8(&bytes[method.clone()]).unwrap_or_default(), version)?;
        if let Some(authority) = &parts.authority {
            replace_host(&bytes, &mut fields, &shift(authority, target.start));
        }
        Ok(Self {
            method,
            path: shift(&parts.path, target.start),
            query: shift(&parts.query, target.start),
            target,
            fields,
            version,
            body,
            keeps_alive: found.keeps_alive(version),
            expects_continue: found.expects_continue(version, body),
            offers_websocket: found.offers_websocket(version),
            bytes,
        })
    }

    /// As sent: `get` is not `GET`.
    #[must_use]
    pub fn method(&self) -> &str {
        str::from_utf8(&self.bytes[self.method.clone()]).unwrap_or_default()
    }

    /// The request's target, as it was sent.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        &self.bytes[self.target.clone()]
    }

    /// As sent, without the query and without what stands before it in a whole URI.
    #[must_use]
    pub fn raw_path(&self) -> &[u8] {
        if self.path.is_empty() { b"/" } else { &self.bytes[self.path.clone()] }
    }

    /// The path of the target, percent-decoded.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        decode_path(self.raw_path())
    }

    /// As sent, without the question mark.
    #[must_use]
    pub fn query(&self) -> &[u8] {
        &self.bytes[self.query.clone()]
    }

    /// Which rules the response follows.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Names in lower case, values without blanks around them. Names with `_` are left out: an application can't tell
    /// them from those with `-`. The host of a whole URI stands in place of `Host`'s (RFC 9112 section 3.2.2).
    #[must_use]
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|field| (slice(&self.bytes, &field.name), slice(&self.bytes, &field.value)))
    }

    /// The values of all lines with this name, which is in lower case.
    pub fn values<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.headers().filter_map(move |(found, value)| (found == name).then_some(value))
    }

    /// Bytes of memory that it takes, without what is made of it.
    #[must_use]
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.fields.capacity() * size_of::<Field>()
    }

    /// In bytes; none: a body in chunks.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        match self.body {
            Body::Sized(length) => Some(length),
            Body::Chunked => None,
        }
    }

    /// Whether the client wants another request on this connection (RFC 9112 section 9.3).
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Whether the client waits for a 100 before it sends the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// Whether an upgrade to websocket is offered, by whatever method. With GET there is no body then.
    #[must_use]
    pub fn offers_websocket(&self) -> bool {
        self.offers_websocket
    }

    pub(super) fn body(&self) -> Body {
        self.body
    }
}

fn find_lines(bytes: &[u8], limits: &Limits) -> Result<Lines, Fault> {
    let mut usual = [const { MaybeUninit::uninit() }; USUAL_FIELDS];
    match parse(bytes, &mut usual[..limits.fields.min(USUAL_FIELDS)]) {
        Err(Fault::Fields) if limits.fields > USUAL_FIELDS => {
            parse(bytes, &mut vec![MaybeUninit::uninit(); limits.fields])
        }
        outcome => outcome,
    }
}

fn parse<'a>(bytes: &'a [u8], fields: &mut [MaybeUninit<httparse::Header<'a>>]) -> Result<Lines, Fault> {
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, fields) {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Fault::RequestLine),
        Err(error) => return Err(fault_of(error, bytes)),
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Fault::RequestLine);
    };
    let kept = request.headers.iter().filter(|field| !field.name.contains('_'));
    Ok(Lines {
        method: range(bytes, method.as_bytes()),
        target: range(bytes, target.as_bytes()),
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        fields: kept.map(|field| Field::of(bytes, field)).collect(),
    })
}

impl Field {
    fn of(bytes: &[u8], field: &httparse::Header<'_>) -> Self {
        Self { name: narrow(range(bytes, field.name.as_bytes())), value: narrow(range(bytes, field.value)) }
    }
}

fn fault_of(error: Error, bytes: &[u8]) -> Fault {
    match error {
        Error::TooManyHeaders => Fault::Fields,
        Error::HeaderName => Fault::FieldName,
        Error::HeaderValue => Fault::FieldValue,
        Error::Version if has_other_version(bytes) => Fault::Version,
        _ => Fault::RequestLine,
    }
}

/// Whether the request line is whole but for a version that is not spoken here (RFC 9112 section 2.3).
fn has_other_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    let (version, more) = (words.next().unwrap_or_default(), words.next());
    let is_version = matches!(version, [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']);
    is_version && more.is_none() && !matches!(version, b"HTTP/1.0" | b"HTTP/1.1")
}

/// Writes names in lower case, and reads what they say.
fn read_fields(bytes: &mut [u8], fields: &[Field]) -> Result<Fields, Fault> {
    let mut found = Fields::default();
    for field in fields {
        bytes[field.name.start as usize..field.name.end as usize].make_ascii_lowercase();
        let value = slice(bytes, &field.value);
        if value.contains(&0x85) {
            return Err(Fault::FieldValue);
        }
        found.receive(slice(bytes, &field.name), value)?;
    }
    Ok(found)
}

fn replace_host(bytes: &[u8], fields: &mut [Field], authority: &Range<usize>) {
    if let Some(host) = fields.iter_mut().find(|field| slice(bytes, &field.name) == b"host") {
        host.value = narrow(authority.clone());
    }
}

/// Where `part` is in `bytes`, of which it is a part.
fn range(bytes: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - bytes.as_ptr() as usize;
    start..start + part.len()
}

/// Half the size: a browser's head has 20 of them. The reader's limit is below 4 GiB.
fn narrow(range: Range<usize>) -> Range<u32> {
    u32::try_from(range.start).unwrap_or(u32::MAX)..u32::try_from(range.end).unwrap_or(u32::MAX)
}

fn slice<'a>(bytes: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    &bytes[range.start as usize..range.end as usize]
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}
