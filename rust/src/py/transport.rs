//! One connection as asyncio's protocols know it (PEP 3156, `asyncio.Transport`).

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::front::Line;
use crate::py::front::{Front, Welcome};

mod ending;
mod incoming;

use ending::os_error;

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
    /// It is no websocket, or not yet: such have a watch of their own.
    is_plain: bool,
    is_closing: bool,
    /// `connection_lost` will be called, or was.
    is_lost: bool,
    is_paused: bool,
    /// It is in the front's list of those that have something to write.
    is_listed: bool,
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

    /// Whether the socket has taken all of it.
    fn write_at_once(slf: &Bound<'_, Self>, data: &[u8]) -> bool {
        let mut state = slf.get().state.lock();
        let Some(line) = state.open_line().filter(|line| !line.ends()) else { return false };
        line.queue(data);
        let written = slf.get().write_out(&mut state);
        drop(state);
        if matches!(written, Written::All) {
            return true;
        }
        Self::follow(slf, written);
        Self::pause_if_full(slf);
        false
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
        let watch = slf.get().front.get().watch_of(state.is_plain);
        let Some(line) = state.open_line() else { return Ok(()) };
        line.set_reads(true);
        line.settle(watch)?;
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

    /// A connection's first protocol is the one for requests: it is a websocket from now on.
    fn set_protocol(slf: &Bound<'_, Self>, protocol: Py<PyAny>) {
        slf.get().replace_protocol(protocol);
        slf.get().leave_plain();
        Self::settle(slf);
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
}

impl SocketTransport {
    pub(super) fn new(front: Py<Front>, line: Line, client: Option<SocketAddr>) -> Self {
        let state = State {
            line: Some(line),
            protocol: None,
            welcome: None,
            high: HIGH_WATER,
            low: HIGH_WATER / 4,
            is_plain: true,
            is_closing: false,
            is_lost: false,
            is_paused: false,
            is_listed: false,
        };
        SocketTransport { front, client, state: Mutex::new(state) }
    }

    /// At the end of a turn.
    pub(super) fn flush(slf: &Bound<'_, Self>) {
        let mut state = slf.get().state.lock();
        state.is_listed = false;
        let written = slf.get().write_out(&mut state);
        drop(state);
        Self::follow(slf, written);
    }

    fn replace_protocol(&self, protocol: Py<PyAny>) {
        let former = self.state.lock().protocol.replace(protocol);
        drop(former); // not under the lock: it may be the last reference
    }

    /// It is looked at again with `settle`, among the websockets.
    fn leave_plain(&self) {
        let mut state = self.state.lock();
        if mem::take(&mut state.is_plain)
            && let Some(line) = state.line.as_mut()
        {
            line.leave(self.front.get().watch_of(true));
        }
    }

    fn write_out(&self, state: &mut State) -> Written {
        let watch = self.front.get().watch_of(state.is_plain);
        let Some(line) = state.line.as_mut() else { return Written::All };
        let outcome = line.flush().and_then(|()| line.settle(watch));
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
        let watch = slf.get().front.get().watch_of(state.is_plain);
        let failed = state.line.as_mut().and_then(|line| line.settle(watch).err());
        drop(state);
        if let Some(error) = failed {
            Self::end(slf, os_error(slf.py(), &error));
        }
    }
}

impl State {
    /// The line, unless its end has begun.
    fn open_line(&mut self) -> Option<&mut Line> {
        if self.is_closing { None } else { self.line.as_mut() }
    }
}

/// As Python's sockets name them.
fn address_tuple(py: Python<'_>, address: SocketAddr) -> PyResult<Bound<'_, PyAny>> {
    let host = address.ip().to_string();
    Ok(match address {
        SocketAddr::V4(_) => (host, address.port()).into_pyobject(py)?.into_any(),
        SocketAddr::V6(six) => (host, six.port(), six.flowinfo(), six.scope_id()).into_pyobject(py)?.into_any(),
    })
}
