//! What a subscribed connection brings, for Python: read in one call a chunk, handed on in one call a batch.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyList, PyString, PyTuple};

use crate::fanout::{Published, Recipient};
use crate::wire::push::{self, Fault, Push};

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PushReader>()
}

/// Whether it is for a group (else for a channel), that one's name, the message.
type Parts<'py> = (bool, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pyclass(module = "awxfast._rust")]
struct PushReader {
    reader: push::PushReader,
    groups: String,
    channels: String,
}

#[pymethods]
impl PushReader {
    #[new]
    fn new(limit: usize, groups: String, channels: String) -> Self {
        PushReader { reader: push::PushReader::new(limit), groups, channels }
    }

    fn feed<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<(Vec<Parts<'py>>, Vec<Bound<'py, PyAny>>)> {
        let (mut messages, mut answers) = (Vec::new(), Vec::new());
        let PushReader { reader, groups, channels } = self;
        let fed = reader.feed(data, |push| match push {
            Push::Message { channel, payload } => {
                let (is_group, name) = match (channel.strip_prefix(groups.as_bytes()), channel) {
                    (Some(name), _) => (true, Some(name)),
                    (None, channel) => (false, channel.strip_prefix(channels.as_bytes())),
                };
                if let Some(name) = name.filter(|name| std::str::from_utf8(name).is_ok()) {
                    messages.push((is_group, PyBytes::new(py, name), PyBytes::new(py, payload)));
                }
            }
            Push::Answer(kind) => answers.push(PyBytes::new(py, kind).into_any()),
            Push::Error(text) => answers.push(PyString::new(py, &String::from_utf8_lossy(text)).into_any()),
        });
        match fed {
            Ok(()) => Ok((messages, answers)),
            Err(Fault::OutOfProtocol) => Err(PyValueError::new_err("out of protocol")),
            Err(Fault::TooLong) => Err(PyValueError::new_err("too long")),
        }
    }

    fn rest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.reader.rest())
    }
}

/// One of the messages that `feed` gave.
pub struct Message<'py> {
    is_group: bool,
    name: Bound<'py, PyBytes>,
    /// The message as it was published.
    pub body: Bound<'py, PyBytes>,
}

impl Message<'_> {
    /// Whom it is for, and what it is.
    pub fn read(&self) -> PyResult<Published<'_>> {
        let name = std::str::from_utf8(self.name.as_bytes()).map_err(|_| PyValueError::new_err("a name is text"))?;
        let to = if self.is_group { Recipient::Group(name) } else { Recipient::Channel(name) };
        Ok(Published { to, body: self.body.as_bytes() })
    }
}

/// The messages of a list.
pub fn take_messages<'py>(messages: &Bound<'py, PyList>) -> PyResult<Vec<Message<'py>>> {
    messages.iter().map(take_message).collect()
}

fn take_message(message: Bound<'_, PyAny>) -> PyResult<Message<'_>> {
    let parts = message.cast_into::<PyTuple>().map_err(|_| PyTypeError::new_err("a message is a tuple"))?;
    Ok(Message {
        is_group: parts.get_item(0)?.cast::<PyBool>()?.is_true(),
        name: parts.get_item(1)?.cast_into::<PyBytes>()?,
        body: parts.get_item(2)?.cast_into::<PyBytes>()?,
    })
}
