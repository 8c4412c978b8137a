//! Queue entries and websocket frames for Python.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::envelope;
use crate::error::Reject;
use crate::frame::{self, Decoder};

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(decode_envelope, module)?)?;
    module.add_function(wrap_pyfunction!(encode_text_frame, module)?)?;
    module.add_class::<FrameDecoder>()
}

/// Type, text, channels, whether other nodes want it.
type Decoded<'py> = (String, Bound<'py, PyBytes>, Vec<String>, bool);

#[pyfunction]
fn decode_envelope<'py>(py: Python<'py>, member: &[u8], prefix_length: usize) -> PyResult<Decoded<'py>> {
    let body = member.get(prefix_length..).ok_or(Reject::Malformed);
    let envelope = body.and_then(envelope::decode).map_err(to_value_error)?;
    let kind = envelope.kind.ok_or(Reject::NoType).map_err(to_value_error)?;
    let text = envelope.text.map_err(to_value_error)?;
    Ok((
        kind.to_owned(),
        PyBytes::new(py, text.as_bytes()),
        envelope.channels.iter().map(str::to_owned).collect(),
        envelope.needs_relay,
    ))
}

fn to_value_error(reject: Reject) -> PyErr {
    PyValueError::new_err(reject.name())
}

#[pyfunction]
fn encode_text_frame<'py>(py: Python<'py>, payload: &[u8]) -> Bound<'py, PyBytes> {
    let mut buffer = Vec::new();
    frame::push_frame(&mut buffer, frame::TEXT, payload);
    PyBytes::new(py, &buffer)
}

#[pyclass(module = "awxfast._rust")]
struct FrameDecoder {
    decoder: Decoder,
}

#[pymethods]
impl FrameDecoder {
    #[new]
    fn new(max_message_size: usize, max_frame_size: usize) -> Self {
        Self { decoder: Decoder::new(max_message_size, max_frame_size) }
    }

    fn receive<'py>(&mut self, py: Python<'py>, data: &[u8]) -> Vec<(u8, Bound<'py, PyBytes>)> {
        let mut messages = Vec::new();
        self.decoder.receive(data, &mut messages);
        messages.iter().map(|message| (message.opcode, PyBytes::new(py, &message.payload))).collect()
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
