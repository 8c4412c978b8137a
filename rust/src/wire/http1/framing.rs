//! What the headers say about the message and the connection: RFC 9112 sections 3.2, 6 and 9.

use super::fault::Fault;
use super::head::Version;
use super::host::is_host;
use super::trim;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// In bytes. 0: there is none, said or not.
    Sized(u64),
    Chunked,
}

/// Collected line by line.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Each an answer of its own.
pub(super) struct Fields {
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    keeps_alive: bool,
    upgrades: bool,
    to_websocket: bool,
    expects_continue: bool,
}

impl Fields {
    /// Takes one header; `name` in lower case, `value` without blanks around it.
    pub(super) fn receive(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        match name {
            b"host" => self.receive_host(value)?,
            b"content-length" => self.receive_length(value)?,
            b"transfer-encoding" => self.receive_coding(value)?,
            b"connection" => {
                self.closes |= has_member(value, b"close");
                self.keeps_alive |= has_member(value, b"keep-alive");
                self.upgrades |= has_member(value, b"upgrade");
            }
            b"upgrade" => self.to_websocket |= has_member(value, b"websocket"),
            b"expect" => self.expects_continue |= has_member(value, b"100-continue"),
            _ => {}
        }
        Ok(())
    }

    fn receive_host(&mut self, value: &[u8]) -> Result<(), Fault> {
        self.hosts += 1;
        match self.hosts {
            1 if is_host(value) => Ok(()),
            1 => Err(Fault::Host),
            _ => Err(Fault::SeveralHosts),
        }
    }

    fn receive_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let length = read_length(value).ok_or(Fault::ContentLength)?;
        match self.length.replace(length) {
            None => Ok(()),
            Some(_) => Err(Fault::ContentLength),
        }
    }

    fn receive_coding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::TransferEncoding);
        }
        self.is_chunked = true;
        Ok(())
    }

    /// What holds when all headers are there.
    pub(super) fn finish(&self, method: &str, version: Version) -> Result<Body, Fault> {
        if self.hosts == 0 && version == Version::Http11 {
            return Err(Fault::NoHost);
        }
        if self.is_chunked && version == Version::Http10 {
            return Err(Fault::TransferEncoding);
        }
        let body = match (self.is_chunked, self.length) {
            (true, Some(_)) => return Err(Fault::BothLengths),
            (true, None) => Body::Chunked,
            (false, length) => Body::Sized(length.unwrap_or(0)),
        };
        if body != Body::Sized(0) && method == "GET" && self.offers_websocket(version) {
            return Err(Fault::WebsocketBody);
        }
        Ok(body)
    }

    /// RFC 9110 section 7.8: not in HTTP/1.0, and only where `Connection` names it.
    pub(super) fn offers_websocket(&self, version: Version) -> bool {
        version == Version::Http11 && self.upgrades && self.to_websocket
    }

    /// RFC 9112 section 9.3.
    pub(super) fn keeps_alive(&self, version: Version) -> bool {
        !self.closes && (version == Version::Http11 || self.keeps_alive)
    }

    /// RFC 9110 section 10.1.1: not in HTTP/1.0, and not without a body.
    pub(super) fn expects_continue(&self, version: Version, body: Body) -> bool {
        self.expects_continue && version == Version::Http11 && body != Body::Sized(0)
    }
}

/// `1*DIGIT` (RFC 9110 section 8.6), without a sign.
fn read_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |length, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether a list (RFC 9110 section 5.6.1) has this member, whatever its case.
fn has_member(list: &[u8], member: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|found| trim(found).eq_ignore_ascii_case(member))
}
