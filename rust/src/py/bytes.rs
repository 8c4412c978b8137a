//! Queue entries and websocket frames for Python.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::Reject;
use crate::py::entry_format::{PyEntryFormat, core_format, unix_seconds};
use crate::wire::envelope;
use crate::wire::frame::{self, Budget, Decoder, Message, Pongs, Received};

/// Frames of any kind that one call takes: what decoding them costs is far below a millisecond.
const FRAMES: usize = 4096;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(decode_envelope, module)?)?;
    module.add_function(wrap_pyfunction!(encode_text_frame, module)?)?;
    module.add_class::<UnservedBytes>()?;
    module.add_class::<FrameDecoder>()
}

/// Type, text, channels, whether other nodes want it.
type Decoded<'py> = (String, Bound<'py, PyBytes>, Vec<String>, bool);

#[pyfunction]
#[pyo3(signature = (entry, entry_format=None))]
fn decode_envelope<'py>(py: Python<'py>, entry: &[u8], entry_format: Option<&PyEntryFormat>) -> PyResult<Decoded<'py>> {
    let opened = core_format(entry_format).open(entry, unix_seconds()).map_err(to_value_error)?;
    let envelope = envelope::decode(opened.packed()).map_err(to_value_error)?;
    let kind = envelope.kind.ok_or(Reject::NoType).map_err(to_value_error)?;
    let text = envelope.text.map_err(to_value_error)?;
    Ok((
        kind.to_owned(),
        PyBytes::new(py, text.as_bytes()),
        envelope.channels.iter().map(str::to_owned).collect(),
        envelope.needs_relay,
    ))
}

pub(super) fn to_value_error(reject: Reject) -> PyErr {
    PyValueError::new_err(reject.name())
}

#[pyfunction]
fn encode_text_frame<'py>(py: Python<'py>, payload: &[u8]) -> Bound<'py, PyBytes> {
    let mut buffer = Vec::new();
    frame::push_frame(&mut buffer, frame::TEXT, payload);
    PyBytes::new(py, &buffer)
}

/// What all decoders that share it hold.
#[pyclass(module = "awxfast._rust", frozen)]
struct UnservedBytes {
    bytes: AtomicUsize,
    most: usize,
}

#[pymethods]
impl UnservedBytes {
    #[new]
    fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most }
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    #[getter]
    fn most(&self) -> usize {
        self.most
    }
}

#[pyclass(module = "awxfast._rust")]
struct FrameDecoder {
    decoder: Decoder,
    budget: Budget,
    pongs: Pongs,
    unread: Option<Unread>,
    /// What it holds, as `all` has it.
    held: usize,
    all: Option<Py<UnservedBytes>>,
    /// Text messages become `str`.
    as_str: bool,
}

/// What the budget left for the next call.
struct Unread {
    data: Py<PyBytes>,
    at: usize,
}

impl FrameDecoder {
    /// What there is to read now, and where that begins.
    fn join_unread<'py>(&mut self, data: Bound<'py, PyBytes>) -> (Bound<'py, PyBytes>, usize) {
        let Some(Unread { data: unread, at }) = self.unread.take() else { return (data, 0) };
        let unread = unread.into_bound(data.py());
        if data.as_bytes().is_empty() {
            return (unread, at);
        }
        let joined = [&unread.as_bytes()[at..], data.as_bytes()].concat();
        (PyBytes::new(data.py(), &joined), 0)
    }

    /// What Python gets of a message; a text is checked already, so it never fails.
    fn payload<'py>(&self, py: Python<'py>, message: &Message) -> PyResult<Bound<'py, PyAny>> {
        if self.as_str && message.opcode == frame::TEXT {
            return Ok(PyString::from_bytes(py, &message.payload)?.into_any());
        }
        Ok(PyBytes::new(py, &message.payload).into_any())
    }

    fn count(&mut self, py: Python<'_>) {
        let unread = self.unread.as_ref().map_or(0, |unread| unread.data.as_bytes(py).len());
        self.count_as(self.decoder.held() + unread);
    }

    fn count_as(&mut self, held: usize) {
        if held != self.held
            && let Some(all) = &self.all
        {
            // What wraps around on the way is right at the end.
            all.get().bytes.fetch_add(held.wrapping_sub(self.held), Ordering::Relaxed);
        }
        self.held = held;
    }
}

impl Drop for FrameDecoder {
    fn drop(&mut self) {
        self.count_as(0);
    }
}

#[pymethods]
impl FrameDecoder {
    #[new]
    #[pyo3(signature = (max_message_size, max_frame_size, turn_messages=64, all=None, as_str=false))]
    fn new(
        max_message_size: usize,
        max_frame_size: usize,
        turn_messages: usize,
        all: Option<Py<UnservedBytes>>,
        as_str: bool,
    ) -> Self {
        Self {
            decoder: Decoder::new(max_message_size, max_frame_size),
            budget: Budget { frames: FRAMES, messages: turn_messages },
            pongs: Pongs::default(),
            unread: None,
            held: 0,
            all,
            as_str,
        }
    }

    fn receive<'py>(&mut self, data: Bound<'py, PyBytes>) -> PyResult<Vec<(u8, Bound<'py, PyAny>)>> {
        let py = data.py();
        let (data, at) = self.join_unread(data);
        let mut rest = &data.as_bytes()[at..];
        let mut received = Received { messages: Vec::new(), pongs: mem::take(&mut self.pongs) };
        self.decoder.receive(&mut rest, self.budget, &mut received);
        let at = data.as_bytes().len() - rest.len();
        self.unread = (!rest.is_empty()).then(|| Unread { data: data.unbind(), at });
        self.pongs = received.pongs;
        self.count(py);
        received.messages.iter().map(|message| Ok((message.opcode, self.payload(py, message)?))).collect()
    }

    fn take_pongs<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, mem::take(&mut self.pongs).as_bytes())
    }

    fn expect_close(&mut self, py: Python<'_>) {
        self.decoder.expect_close();
        self.count(py);
    }

    fn freeze<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
        let unread = self.unread.as_ref().map_or(&[][..], |unread| &unread.data.as_bytes(py)[unread.at..]);
        (PyBytes::new(py, &self.decoder.freeze()), PyBytes::new(py, unread))
    }

    fn thaw(&mut self, state: &[u8], unread: Bound<'_, PyBytes>) -> PyResult<()> {
        let py = unread.py();
        self.decoder.thaw(state).map_err(|error| PyValueError::new_err(error.to_string()))?;
        self.unread = (!unread.as_bytes().is_empty()).then(|| Unread { data: unread.unbind(), at: 0 });
        self.count(py);
        Ok(())
    }

    #[getter]
    fn held(&self) -> usize {
        self.held
    }

    #[getter]
    fn has_only_messages(&self) -> bool {
        self.pongs.is_empty() && self.unread.is_none() && self.decoder.failure().is_none() && !self.is_too_much()
    }

    #[getter]
    fn is_too_much(&self) -> bool {
        self.all.as_ref().is_some_and(|all| all.get().bytes() > all.get().most)
    }

    #[getter]
    fn has_unread(&self) -> bool {
        self.unread.is_some()
    }

    #[getter]
    fn failure(&self) -> u16 {
        self.decoder.failure().map_or(0, |failure| failure.code)
    }

    #[getter]
    fn failure_reason(&self) -> &'static str {
        self.decoder.failure().map_or("", |failure| failure.reason)
    }
}
