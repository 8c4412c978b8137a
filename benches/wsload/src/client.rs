//! One connection: handshake, subscription, events, as AWX's pages speak.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::event;
use crate::frames::{CLOSE, Frame, PING, PONG, Scanner, TEXT, frame_to_send};
use crate::report::{Tally, wall_clock};
use crate::sequence::Sequence;

/// The key and the answer of RFC 6455 section 1.3: a load client has no use for a fresh one.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ANSWER: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const CSRF_TOKEN: &str = "relay-bench";
const LONGEST_RESPONSE: usize = 16 * 1024;

/// The upgrade request; `token` goes into the query, `cookie` (`NAME=VALUE`) beside the CSRF token's.
#[must_use]
pub fn request_to_send(host: &str, path: &str, token: Option<&str>, cookie: Option<&str>) -> Vec<u8> {
    let query = token.map_or(String::new(), |token| format!("?token={token}"));
    let more = cookie.map_or(String::new(), |cookie| format!("; {cookie}"));
    format!(
        "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nCookie: csrftoken={CSRF_TOKEN}{more}\r\n\r\n"
    )
    .into_bytes()
}

/// The subscription command for groups named `<key>-<value>`.
#[must_use]
pub fn command_to_send(groups: &[&str]) -> Vec<u8> {
    let mut keys: Vec<(&str, Vec<String>)> = Vec::new();
    for group in groups {
        let (key, value) = group.split_once('-').unwrap_or((group, ""));
        let value = if value.parse::<u64>().is_ok() { value.to_owned() } else { format!("\"{value}\"") };
        match keys.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => keys.push((key, vec![value])),
        }
    }
    let keys: Vec<String> = keys.iter().map(|(key, values)| format!("\"{key}\": [{}]", values.join(", "))).collect();
    format!("{{\"groups\": {{{}}}, \"xrftoken\": \"{CSRF_TOKEN}\"}}", keys.join(", ")).into_bytes()
}

/// What a connection has learned so far.
#[derive(Default)]
struct Session {
    sequences: Vec<Sequence>,
    to_send: Vec<u8>,
    warm_up: u64,
    /// When the last event was read, Unix time in nanoseconds; 0 before the first.
    heard: u64,
}

/// One websocket that subscribes and reads.
pub struct Client {
    stream: TcpStream,
    /// The response's head as far as it has come; None once it is complete.
    response: Option<Vec<u8>>,
    scanner: Scanner,
    session: Session,
    bare: bool,
}

impl Client {
    /// Connects and sends `request`. `warm_up` is in nanoseconds, see [`Tally::receive_event`].
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn connect(address: SocketAddr, request: &[u8], warm_up: u64) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(request)?;
        let mut client = Self::adopt(stream)?;
        client.response = Some(Vec::new());
        client.session.warm_up = warm_up;
        Ok(client)
    }

    /// Reads frames from a stream on which no handshake is needed.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn adopt(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, response: None, scanner: Scanner::default(), session: Session::default(), bare: false })
    }

    /// A bare client sends no commands and is told nothing: its handshake counts as the acceptance.
    pub fn set_bare(&mut self, bare: bool) {
        self.bare = bare;
    }

    /// The socket, for epoll.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What it knows about each of the producers' streams.
    #[must_use]
    pub fn sequences(&self) -> &[Sequence] {
        &self.session.sequences
    }

    /// Sends a text frame.
    ///
    /// # Errors
    ///
    /// What the operating system says; a full send buffer counts as one.
    pub fn send_text(&mut self, text: &[u8]) -> io::Result<()> {
        self.stream.write_all(&frame_to_send(TEXT, text))
    }

    /// Reads once and counts what came into `tally`.
    ///
    /// # Errors
    ///
    /// The connection is of no more use: it ended, or its handshake was refused.
    pub fn receive(&mut self, buffer: &mut [u8], tally: &mut Tally) -> io::Result<()> {
        let length = match self.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let now = wall_clock();
        let Self { response, scanner, session, .. } = self;
        let handshakes = tally.handshakes;
        let frames = receive_response(response, &buffer[..length], tally)?;
        if self.bare {
            tally.accepted += tally.handshakes - handshakes;
        }
        scanner.scan(frames, |frame| session.receive(&frame, now, tally));
        if !session.to_send.is_empty() {
            self.stream.write_all(&std::mem::take(&mut session.to_send))?;
        }
        Ok(())
    }
}

/// Returns what follows the response's head; nothing until that is complete.
pub(crate) fn receive_response<'b>(
    response: &mut Option<Vec<u8>>,
    bytes: &'b [u8],
    tally: &mut Tally,
) -> io::Result<&'b [u8]> {
    let Some(head) = response else { return Ok(bytes) };
    let before = head.len();
    head.extend(bytes);
    let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if head.len() > LONGEST_RESPONSE { Err(refusal(head)) } else { Ok(&[]) };
    };
    let accepted = head.windows(ANSWER.len()).any(|window| window == ANSWER);
    if !head.starts_with(b"HTTP/1.1 101 ") || !accepted {
        return Err(refusal(head));
    }
    *response = None;
    tally.handshakes += 1;
    Ok(&bytes[end + 4 - before..])
}

fn refusal(head: &[u8]) -> io::Error {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    io::Error::other(format!("handshake refused: {}", String::from_utf8_lossy(line)))
}

impl Session {
    fn receive(&mut self, frame: &Frame<'_>, now: u64, tally: &mut Tally) {
        match frame.opcode {
            _ if !frame.plain => tally.odd_frames += 1,
            TEXT => self.receive_text(frame, now, tally),
            PING => self.to_send.extend(frame_to_send(PONG, frame.start)),
            PONG => {}
            CLOSE => *tally.closes.entry(close_code(frame.start)).or_default() += 1,
            _ => tally.odd_frames += 1,
        }
    }

    #[inline]
    fn receive_text(&mut self, frame: &Frame<'_>, now: u64, tally: &mut Tally) {
        let Some(event) = event::read(frame.start) else {
            return receive_answer(frame.start, tally);
        };
        let silence = if self.heard == 0 { 0 } else { now.saturating_sub(self.heard) };
        self.heard = now;
        tally.receive_event(frame.length, event.sent, now, self.warm_up, silence);
        let stream = usize::try_from(event.stream).unwrap_or(usize::MAX).min(MOST_STREAMS);
        if self.sequences.len() <= stream {
            self.sequences.resize(stream + 1, Sequence::default());
        }
        self.sequences[stream].receive(event.number);
    }
}

/// Streams are numbered from 0 by the benchmark; anything higher would only cost memory.
const MOST_STREAMS: usize = 1024;

fn receive_answer(start: &[u8], tally: &mut Tally) {
    if start.starts_with(br#"{"accept""#) {
        tally.accepted += 1;
    } else if start.starts_with(br#"{"groups_current""#) {
        tally.subscribed += 1;
    } else if start.starts_with(br#"{"error""#) {
        tally.errors += 1;
        tally.note_failure(&String::from_utf8_lossy(start));
    } else {
        tally.odd_frames += 1;
    }
}

fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))
}
