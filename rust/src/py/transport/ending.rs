//! How a connection ends: by a fault, at once, or when all is written. Its protocol hears of it in a turn of its own.

use std::io;
use std::mem;

use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::SocketTransport;
use crate::py::front::Front;

impl SocketTransport {
    /// A protocol's fault costs its own connection.
    pub(super) fn fail(slf: &Bound<'_, Self>, method: &str, error: &PyErr) {
        Self::report(slf, method, error);
        Self::end(slf, error.value(slf.py()).clone().into_any().unbind());
    }

    fn report(slf: &Bound<'_, Self>, method: &str, error: &PyErr) {
        let py = slf.py();
        let context = PyDict::new(py);
        let described = context
            .set_item("message", format!("Fatal error: protocol.{method}() call failed."))
            .and_then(|()| context.set_item("exception", error.value(py)))
            .and_then(|()| context.set_item("transport", slf));
        if described.is_ok() {
            slf.get().front.get().call_loop(py, "call_exception_handler", (context,));
        }
    }

    /// At once, whatever is unsent.
    pub(super) fn end(slf: &Bound<'_, Self>, reason: Py<PyAny>) {
        let mut state = slf.get().state.lock();
        state.is_closing = true;
        if let Some(line) = state.line.as_mut() {
            line.set_reads(false);
            line.drop_unsent();
        }
        drop(state);
        Self::lose_soon(slf, reason);
    }

    pub(super) fn lose_soon(slf: &Bound<'_, Self>, reason: Py<PyAny>) {
        let mut state = slf.get().state.lock();
        if mem::replace(&mut state.is_lost, true) {
            return;
        }
        let front = slf.get().front.get();
        let watch = front.watch_of(state.is_plain);
        if let Some(line) = state.line.as_mut() {
            line.leave(watch);
        }
        drop(state);
        Front::lose_later(slf.get().front.bind(slf.py()), slf.clone().unbind(), reason);
    }

    /// The end of all: the protocol hears of it while the descriptor is still there.
    pub(in crate::py) fn lose(slf: &Bound<'_, Self>, reason: &Bound<'_, PyAny>) {
        let protocol = slf.get().state.lock().protocol.take();
        let told = protocol.map_or(Ok(()), |protocol| {
            protocol.bind(slf.py()).call_method1(intern!(slf.py(), "connection_lost"), (reason,)).map(drop)
        });
        let line = slf.get().state.lock().line.take();
        if let Some(mut line) = line {
            let front = slf.get().front.get();
            line.leave(front.watch_of(slf.get().state.lock().is_plain));
            front.forget(line.token());
        }
        if let Err(error) = told {
            Self::report(slf, "connection_lost", &error);
        }
    }

    /// Without a word to anybody: the loop is at its end.
    pub(in crate::py) fn drop_line(&self) {
        let (line, protocol, is_plain) = {
            let mut state = self.state.lock();
            state.is_closing = true;
            state.is_lost = true;
            (state.line.take(), state.protocol.take(), state.is_plain)
        };
        if let Some(mut line) = line {
            line.leave(self.front.get().watch_of(is_plain));
        }
        drop(protocol);
    }
}

/// With its number, by which Python chooses the class.
pub(super) fn os_error(py: Python<'_>, error: &io::Error) -> Py<PyAny> {
    let number = error.raw_os_error().unwrap_or_default();
    let text = py.import(intern!(py, "os")).and_then(|os| os.call_method1(intern!(py, "strerror"), (number,)));
    let error = text.map_or_else(|failed| failed, |text| PyOSError::new_err((number, text.unbind())));
    error.into_value(py).into_any()
}
