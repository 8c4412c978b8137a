//! What comes in: a connection's first bytes, which may be an upgrade that is taken at once, and all that follow.

use std::io;
use std::sync::Arc;

use memchr::memmem;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::SocketTransport;
use super::ending::os_error;
use crate::front::{Ready, Received};
use crate::py::front::Welcome;
use crate::py::http1::{MAX_FIELDS, RequestHead};
use crate::wire::handshake::accept_key;
use crate::wire::http1::{Event, Limits, Reader};

/// Bytes that a read of a plain connection brings at most: what is not due yet waits in memory, whoever sends it.
const PLAIN_BYTES: usize = 64 * 1024;

/// What a read has brought, for Python.
enum Incoming<'py> {
    Bytes(Bound<'py, PyBytes>),
    Nothing,
    End,
}

impl SocketTransport {
    /// Reads what is there, since most clients send at once. An upgrade that can be taken at once needs no protocol for
    /// requests; all else is one's.
    pub(in crate::py) fn begin(slf: &Bound<'_, Self>, welcome: Arc<Welcome>) {
        let received = slf.get().receive(slf.py());
        if let Ok(Incoming::Bytes(data)) = &received
            && Self::open_at_once(slf, &welcome, data.as_bytes())
        {
            return Self::settle(slf);
        }
        let begun = welcome.make_protocol.bind(slf.py()).call0().and_then(|protocol| Self::introduce(slf, &protocol));
        if let Err(error) = begun {
            return Self::fail(slf, "connection_made", &error);
        }
        if matches!(received, Ok(Incoming::Nothing)) && welcome.open_at_once.is_some() {
            slf.get().state.lock().welcome = Some(welcome);
        }
        let has_sent = matches!(received, Ok(Incoming::Bytes(_)));
        if !slf.get().is_closing() {
            Self::pass_on(slf, received);
        }
        if has_sent && slf.get().is_read() {
            Self::read(slf); // its end may be there already, and came before there is an answer
        }
        Self::settle(slf);
    }

    /// One that somebody else has accepted. What came already is read in the next turn.
    pub(in crate::py) fn begin_as(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>, is_plain: bool) {
        if !is_plain {
            slf.get().leave_plain();
        }
        match Self::introduce(slf, protocol) {
            Ok(()) => Self::settle(slf),
            Err(error) => Self::fail(slf, "connection_made", &error),
        }
    }

    fn introduce(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().replace_protocol(protocol.clone().unbind());
        protocol.call_method1(intern!(slf.py(), "connection_made"), (slf,)).map(drop)
    }

    /// Whether the first that came is an upgrade that was taken at once.
    fn open_at_once(slf: &Bound<'_, Self>, welcome: &Welcome, mut data: &[u8]) -> bool {
        let Some(open) = &welcome.open_at_once else { return false };
        if !data.starts_with(b"GET ") || memmem::find(data, b"ebsocket").is_none() {
            return false; // the reader need not see it twice
        }
        let limits = Limits { head: welcome.max_head, fields: MAX_FIELDS, chunk_line: 0, trailers: 0 };
        let mut reader = Reader::new(limits);
        let Event::Head(head) = reader.read(&mut data) else { return false };
        let Some(key) = accept_key(&head) else { return false };
        if !matches!(reader.read(&mut data), Event::End) {
            return false;
        }
        let py = slf.py();
        let (key, behind) = (PyBytes::new(py, &key), PyBytes::new(py, data));
        let taken = RequestHead::make(py, head)
            .and_then(|head| open.bind(py).call1((slf, head, key, behind)))
            .and_then(|taken| taken.is_truthy());
        taken.unwrap_or_else(|error| {
            Self::fail(slf, "open_at_once", &error);
            true
        })
    }

    /// Its socket is ready.
    pub(in crate::py) fn serve(slf: &Bound<'_, Self>, ready: Ready) {
        if ready.writes && slf.get().get_write_buffer_size() > 0 {
            let written = slf.get().write_out(&mut slf.get().state.lock());
            Self::follow(slf, written);
        }
        if !ready.reads {
            Self::settle(slf);
        } else if slf.get().is_read() {
            Self::read(slf);
            if ready.ends && slf.get().is_read() {
                Self::read(slf); // told with what came before it: an answer to that has not begun
            }
        } else {
            let mut state = slf.get().state.lock();
            let watch = slf.get().front.get().watch_of(state.is_plain);
            if let Some(line) = state.line.as_mut() {
                // It can only fail for a socket that is not watched, and this one is.
                let _ = line.look_away(watch);
            }
        }
    }

    fn is_read(&self) -> bool {
        self.state.lock().open_line().is_some_and(|line| line.reads())
    }

    fn read(slf: &Bound<'_, Self>) {
        let received = slf.get().receive(slf.py());
        let welcome = slf.get().state.lock().welcome.take();
        if let (Some(welcome), Ok(Incoming::Bytes(data))) = (welcome, &received)
            && Self::open_at_once(slf, &welcome, data.as_bytes())
        {
            return;
        }
        Self::pass_on(slf, received);
    }

    fn receive<'py>(&self, py: Python<'py>) -> io::Result<Incoming<'py>> {
        let front = self.front.get();
        let mut buffer = front.take_buffer();
        let state = self.state.lock();
        let most = if state.is_plain { PLAIN_BYTES } else { buffer.len() };
        let received = state.line.as_ref().map_or(Ok(Received::Nothing), |line| line.receive(&mut buffer[..most]));
        drop(state);
        let count = if let Ok(Received::Bytes(count)) = received { count } else { 0 };
        let incoming = received.map(|received| match received {
            Received::Bytes(count) => Incoming::Bytes(PyBytes::new(py, &buffer[..count])),
            Received::Nothing => Incoming::Nothing,
            Received::End => Incoming::End,
        });
        front.give_buffer(buffer, count);
        incoming
    }

    fn pass_on(slf: &Bound<'_, Self>, received: io::Result<Incoming<'_>>) {
        let py = slf.py();
        let Some(protocol) = slf.get().get_protocol(py) else { return };
        let protocol = protocol.bind(py);
        match received {
            Ok(Incoming::Bytes(data)) => {
                if let Err(error) = protocol.call_method1(intern!(py, "data_received"), (data,)) {
                    Self::fail(slf, "data_received", &error);
                }
            }
            Ok(Incoming::Nothing) => {}
            Ok(Incoming::End) => Self::receive_end(slf, protocol),
            Err(error) => Self::end(slf, os_error(py, &error)),
        }
    }

    /// The peer sends no more: the protocol says whether the connection is kept.
    fn receive_end(slf: &Bound<'_, Self>, protocol: &Bound<'_, PyAny>) {
        slf.get().pause_reading();
        let kept = protocol.call_method0(intern!(slf.py(), "eof_received")).and_then(|kept| kept.is_truthy());
        match kept {
            Ok(true) => {}
            Ok(false) => Self::close(slf),
            Err(error) => Self::fail(slf, "eof_received", &error),
        }
    }
}
