//! One connection as asyncio's protocols know it (PEP 3156, `asyncio.Transport`).

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

use memchr::memmem;
use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::front::{Line, Ready, Received};
use crate::py::front::{Front, Welcome};
use crate::py::http1::{MAX_FIELDS, RequestHead};
use crate::wire::handshake::accept_key;
use crate::wire::http1::{Event, Limits, Reader};

/// Bytes that may wait before the protocol is told to pause; as asyncio.
const HIGH_WATER: usize = 65_536;

#[pyclass(module = "awxfast._rust", frozen)]
pub struct SocketTransport {
    front: Py<Front>,
    client: Option<SocketAddr>,
    state: Mutex<State>,
}

#[allow(clippy::struct_excessive_bools)] // Each a step of its own.
struct State {
    /// None: it is closed.
    line: Option<Line>,
    protocol: Option<Py<PyAny>>,
    /// Until the first bytes: what may be done with them.
    welcome: Option<Arc<Welcome>>,
    high: usize,
    low: usize,
    is_closing: bool,
    /// `connection_lost` will be called, or was.
    is_lost: bool,
    is_paused: bool,
    /// It is in the front's list of those that have something to write.
    is_listed: bool,
}

/// What a read has brought, for Python.
enum Incoming<'py> {
    Bytes(Bound<'py, PyBytes>),
    Nothing,
    End,
}

/// What came of a write.
enum Written {
    All,
    Some,
    Failed(io::Error),
}

#[pymethods]
impl SocketTransport {
    fn write(slf: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        let mut state = slf.get().state.lock();
        let high = state.high;
        let Some(line) = state.open_line() else { return Ok(()) };
        if line.ends() {
            return Err(PyRuntimeError::new_err("nothing can be written behind the end"));
        }
        line.queue(data);
        let waits = line.is_blocked();
        if line.unsent() > high && !waits {
            let written = slf.get().write_out(&mut state);
            drop(state);
            Self::follow(slf, written);
        } else if !waits && !mem::replace(&mut state.is_listed, true) {
            drop(state);
            Front::flush_later(slf.get().front.bind(slf.py()), slf.clone().unbind());
        } else {
            drop(state);
        }
        Self::pause_if_full(slf);
        Ok(())
    }

    fn write_eof(&self) {
        if let Some(line) = self.state.lock().open_line() {
            line.end();
        }
    }

    fn close(slf: &Bound<'_, Self>) {
        let mut state = slf.get().state.lock();
        let Some(line) = state.open_line() else { return };
        line.set_reads(false);
        let is_done = line.unsent() == 0;
        state.is_closing = true;
        drop(state);
        if is_done {
            Self::lose_soon(slf, slf.py().None());
        }
    }

    fn abort(slf: &Bound<'_, Self>) {
        Self::end(slf, slf.py().None());
    }

    fn is_closing(&self) -> bool {
        self.state.lock().is_closing
    }

    fn is_reading(&self) -> bool {
        self.state.lock().open_line().is_some_and(|line| line.reads())
    }

    fn pause_reading(&self) {
        if let Some(line) = self.state.lock().open_line() {
            line.set_reads(false);
        }
    }

    fn resume_reading(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut state = slf.get().state.lock();
        let Some(line) = state.open_line() else { return Ok(()) };
        line.set_reads(true);
        line.settle(&slf.get().front.get().watch)?;
        Ok(())
    }

    fn get_write_buffer_size(&self) -> usize {
        self.state.lock().line.as_ref().map_or(0, Line::unsent)
    }

    #[pyo3(signature = (high=None, low=None))]
    fn set_write_buffer_limits(&self, high: Option<usize>, low: Option<usize>) {
        let mut state = self.state.lock();
        state.high = high.unwrap_or_else(|| low.map_or(HIGH_WATER, |low| 4 * low));
        state.low = low.unwrap_or(state.high / 4);
    }

    fn set_protocol(&self, protocol: Py<PyAny>) {
        let former = self.state.lock().protocol.replace(protocol);
        drop(former); // not under the lock: it may be the last reference
    }

    fn get_protocol(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.lock().protocol.as_ref().map(|protocol| protocol.clone_ref(py))
    }

    #[pyo3(signature = (name, default=None))]
    fn get_extra_info<'py>(
        slf: &Bound<'py, Self>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        match name {
            "socket" => Ok(Some(slf.clone().into_any())),
            "peername" => slf.get().client.map(|client| address_tuple(py, client)).transpose(),
            "sockname" => {
                let own = slf.get().state.lock().line.as_ref().and_then(Line::own_address);
                own.map(|own| address_tuple(py, own)).transpose()
            }
            _ => Ok(default),
        }
    }

    fn fileno(&self) -> RawFd {
        self.state.lock().line.as_ref().map_or(-1, |line| line.as_fd().as_raw_fd())
    }

    #[getter]
    fn family<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let name = match self.client {
            None => intern!(py, "AF_UNIX"),
            Some(SocketAddr::V4(_)) => intern!(py, "AF_INET"),
            Some(SocketAddr::V6(_)) => intern!(py, "AF_INET6"),
        };
        py.import(intern!(py, "socket"))?.getattr(name)
    }

    fn getsockopt<'py>(&self, py: Python<'py>, level: i32, option: i32, size: usize) -> PyResult<Bound<'py, PyAny>> {
        let known = PyDict::new(py);
        known.set_item("fileno", self.fileno())?;
        let socket = py.import(intern!(py, "socket"))?.getattr("socket")?.call((), Some(&known))?;
        let found = socket.call_method1("getsockopt", (level, option, size));
        socket.call_method0("detach")?;
        found
    }

    /// The end of all: the protocol hears of it while the descriptor is still there.
    fn _lose(slf: &Bound<'_, Self>, reason: &Bound<'_, PyAny>) -> PyResult<()> {
        let protocol = slf.get().state.lock().protocol.take();
        let told = protocol.map_or(Ok(()), |protocol| {
            protocol.bind(slf.py()).call_method1(intern!(slf.py(), "connection_lost"), (reason,)).map(drop)
        });
        let line = slf.get().state.lock().line.take();
        if let Some(mut line) = line {
            let front = slf.get().front.get();
            line.leave(&front.watch);
            front.forget(line.token());
        }
        told
    }
}

impl SocketTransport {
    pub(super) fn new(front: Py<Front>, line: Line, client: Option<SocketAddr>) -> Self {
        let state = State {
            line: Some(line),
            protocol: None,
            welcome: None,
            high: HIGH_WATER,
            low: HIGH_WATER / 4,
            is_closing: false,
            is_lost: false,
            is_paused: false,
            is_listed: false,
        };
        SocketTransport { front, client, state: Mutex::new(state) }
    }

    /// Reads what is there, since most clients send at once. An upgrade that can be taken at once needs no protocol for
    /// requests; all else is one's.
    pub(super) fn begin(slf: &Bound<'_, Self>, welcome: Arc<Welcome>) {
        let received = slf.get().receive(slf.py());
        if let Ok(Incoming::Bytes(data)) = &received
            && Self::open_at_once(slf, &welcome, data.as_bytes())
        {
            return Self::settle(slf);
        }
        let begun = welcome.make_protocol.bind(slf.py()).call0().and_then(|protocol| {
            slf.get().set_protocol(protocol.clone().unbind());
            protocol.call_method1(intern!(slf.py(), "connection_made"), (slf,))
        });
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
    pub(super) fn serve(slf: &Bound<'_, Self>, ready: Ready) {
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
        } else if let Some(line) = slf.get().state.lock().line.as_mut() {
            // It can only fail for a socket that is not watched, and this one is.
            let _ = line.look_away(&slf.get().front.get().watch);
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
        let received = self.state.lock().line.as_ref().map_or(Ok(Received::Nothing), |line| line.receive(&mut buffer));
        let incoming = received.map(|received| match received {
            Received::Bytes(count) => Incoming::Bytes(PyBytes::new(py, &buffer[..count])),
            Received::Nothing => Incoming::Nothing,
            Received::End => Incoming::End,
        });
        front.give_buffer(buffer);
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

    /// At the end of a turn.
    pub(super) fn flush(slf: &Bound<'_, Self>) {
        let mut state = slf.get().state.lock();
        state.is_listed = false;
        let written = slf.get().write_out(&mut state);
        drop(state);
        Self::follow(slf, written);
    }

    fn write_out(&self, state: &mut State) -> Written {
        let Some(line) = state.line.as_mut() else { return Written::All };
        let outcome = line.flush().and_then(|()| line.settle(&self.front.get().watch));
        match outcome {
            Err(error) => Written::Failed(error),
            Ok(()) if line.unsent() == 0 => Written::All,
            Ok(()) => Written::Some,
        }
    }

    fn follow(slf: &Bound<'_, Self>, written: Written) {
        match written {
            Written::Failed(error) => return Self::end(slf, os_error(slf.py(), &error)),
            Written::All if slf.get().is_closing() => Self::lose_soon(slf, slf.py().None()),
            _ => {}
        }
        let mut state = slf.get().state.lock();
        let is_low = state.line.as_ref().map_or(0, Line::unsent) <= state.low;
        if is_low && mem::take(&mut state.is_paused) {
            drop(state);
            Self::tell(slf, "resume_writing");
        }
    }

    fn pause_if_full(slf: &Bound<'_, Self>) {
        let mut state = slf.get().state.lock();
        let is_full = state.line.as_ref().map_or(0, Line::unsent) > state.high;
        if is_full && !mem::replace(&mut state.is_paused, true) {
            drop(state);
            Self::tell(slf, "pause_writing");
        }
    }

    fn tell(slf: &Bound<'_, Self>, method: &str) {
        let Some(protocol) = slf.get().get_protocol(slf.py()) else { return };
        if let Err(error) = protocol.bind(slf.py()).call_method0(method) {
            Self::fail(slf, method, &error);
        }
    }

    fn settle(slf: &Bound<'_, Self>) {
        let mut state = slf.get().state.lock();
        let failed = state.line.as_mut().and_then(|line| line.settle(&slf.get().front.get().watch).err());
        drop(state);
        if let Some(error) = failed {
            Self::end(slf, os_error(slf.py(), &error));
        }
    }

    /// A protocol's fault costs its own connection.
    fn fail(slf: &Bound<'_, Self>, method: &str, error: &PyErr) {
        let py = slf.py();
        let context = PyDict::new(py);
        let described = context
            .set_item("message", format!("Fatal error: protocol.{method}() call failed."))
            .and_then(|()| context.set_item("exception", error.value(py)))
            .and_then(|()| context.set_item("transport", slf));
        if described.is_ok() {
            slf.get().front.get().call_loop(py, "call_exception_handler", (context,));
        }
        Self::end(slf, error.value(py).clone().into_any().unbind());
    }

    /// At once, whatever is unsent.
    fn end(slf: &Bound<'_, Self>, reason: Py<PyAny>) {
        let mut state = slf.get().state.lock();
        state.is_closing = true;
        if let Some(line) = state.line.as_mut() {
            line.set_reads(false);
            line.drop_unsent();
        }
        drop(state);
        Self::lose_soon(slf, reason);
    }

    fn lose_soon(slf: &Bound<'_, Self>, reason: Py<PyAny>) {
        let mut state = slf.get().state.lock();
        if mem::replace(&mut state.is_lost, true) {
            return;
        }
        let front = slf.get().front.get();
        if let Some(line) = state.line.as_mut() {
            line.leave(&front.watch);
        }
        drop(state);
        if let Ok(lose) = slf.getattr(intern!(slf.py(), "_lose")) {
            front.call_loop(slf.py(), "call_soon", (lose, reason));
        }
    }

    /// Without a word to anybody: the loop is at its end.
    pub(super) fn drop_line(&self) {
        let (line, protocol) = {
            let mut state = self.state.lock();
            state.is_closing = true;
            state.is_lost = true;
            (state.line.take(), state.protocol.take())
        };
        if let Some(mut line) = line {
            line.leave(&self.front.get().watch);
        }
        drop(protocol);
    }
}

impl State {
    /// The line, unless its end has begun.
    fn open_line(&mut self) -> Option<&mut Line> {
        if self.is_closing { None } else { self.line.as_mut() }
    }
}

/// With its number, by which Python chooses the class.
fn os_error(py: Python<'_>, error: &io::Error) -> Py<PyAny> {
    let number = error.raw_os_error().unwrap_or_default();
    let text = py.import(intern!(py, "os")).and_then(|os| os.call_method1(intern!(py, "strerror"), (number,)));
    let error = text.map_or_else(|failed| failed, |text| PyOSError::new_err((number, text.unbind())));
    error.into_value(py).into_any()
}

/// As Python's sockets name them.
fn address_tuple(py: Python<'_>, address: SocketAddr) -> PyResult<Bound<'_, PyAny>> {
    let host = address.ip().to_string();
    Ok(match address {
        SocketAddr::V4(_) => (host, address.port()).into_pyobject(py)?.into_any(),
        SocketAddr::V6(six) => (host, six.port(), six.flowinfo(), six.scope_id()).into_pyobject(py)?.into_any(),
    })
}
