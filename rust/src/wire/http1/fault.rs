//! What a client can do wrong, and the status for it.

/// How a connection's last request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 431 or 505.
    pub status: u16,
    /// One lower-case phrase for the log.
    pub reason: &'static str,
}

/// Why nothing more is read of a connection. Sections are RFC 9112's where no other is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not `method SP target SP version` (section 3).
    RequestLine,
    /// Of HTTP, but not 1.0 or 1.1 (RFC 9110 section 15.6.6).
    Version,
    /// `CONNECT`: this is no proxy (section 3.2.3).
    Connect,
    /// Neither a path nor a whole http URI, nor `*` for OPTIONS; a fragment, user information, bytes above 0x7f (section 3.2).
    Target,
    /// A line feed without its carriage return (section 2.2 lets a recipient take it; others do not).
    BareLineFeed,
    /// No token, blanks before the colon, no colon, or a folded line (sections 5, 5.1 and 5.2).
    FieldName,
    /// Control bytes, a bare carriage return among them (RFC 9110 section 5.5); also 0x85, which is a line end to Python.
    FieldValue,
    /// Over the limit of heads (RFC 6585 section 5).
    HeadSize,
    /// Over the limit of lines (RFC 6585 section 5).
    Fields,
    /// HTTP/1.1 without `Host` (section 3.2).
    NoHost,
    /// More than one `Host` (section 3.2).
    SeveralHosts,
    /// No host and port (section 3.2).
    Host,
    /// `Transfer-Encoding` beside `Content-Length` (section 6.1).
    BothLengths,
    /// No number, a list, or more than one line (section 6.3, point 5).
    ContentLength,
    /// Not exactly `chunked`, more than one line, or in HTTP/1.0 (sections 6.1 and 6.3, point 4).
    TransferEncoding,
    /// A websocket's handshake with a body, which could be taken for frames (RFC 6455 section 4.1 has none).
    WebsocketBody,
    /// No hexadecimal digits, or more than 64 bits (section 7.1).
    ChunkSize,
    /// Something else behind a chunk's size than extensions and a line end (section 7.1.1).
    ChunkLine,
    /// Over the limit of chunk lines (section 7.1.1).
    ChunkLineSize,
    /// More data than its chunk says, or no line end behind it (section 7.1).
    ChunkEnd,
    /// A trailer that could not be a header either (section 7.1.2).
    Trailer,
    /// Over the limit of trailers (RFC 6585 section 5).
    TrailerSize,
}

impl Fault {
    /// What the client gets, and the log.
    #[must_use]
    pub fn refusal(self) -> Refusal {
        let (status, reason) = match self {
            Fault::RequestLine => (400, "request line"),
            Fault::Version => (505, "version"),
            Fault::Connect => (400, "connect"),
            Fault::Target => (400, "target"),
            Fault::BareLineFeed => (400, "bare line feed"),
            Fault::FieldName => (400, "header name"),
            Fault::FieldValue => (400, "header value"),
            Fault::HeadSize => (431, "head size"),
            Fault::Fields => (431, "header lines"),
            Fault::NoHost => (400, "no host"),
            Fault::SeveralHosts => (400, "several hosts"),
            Fault::Host => (400, "host"),
            Fault::BothLengths => (400, "both lengths"),
            Fault::ContentLength => (400, "content length"),
            Fault::TransferEncoding => (400, "transfer encoding"),
            Fault::WebsocketBody => (400, "websocket body"),
            Fault::ChunkSize => (400, "chunk size"),
            Fault::ChunkLine => (400, "chunk line"),
            Fault::ChunkLineSize => (400, "chunk line size"),
            Fault::ChunkEnd => (400, "chunk end"),
            Fault::Trailer => (400, "trailer"),
            Fault::TrailerSize => (431, "trailer size"),
        };
        Refusal { status, reason }
    }
}
