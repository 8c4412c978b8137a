//! How a channel layer's entries are written, for Python.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};
use rustix::rand::{GetRandomFlags, getrandom};

use crate::py::bytes::to_value_error;
use crate::wire::entry_format::{EntryFormat, Random, Serializer};
use crate::wire::fernet::{Keys, Refusal};

/// Bytes of the encryption's IV.
const IV: usize = 16;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyEntryFormat>()
}

/// What both ends of a channel layer agree on; whoever reads or writes entries shares it.
#[pyclass(name = "EntryFormat", module = "awxfast._rust", frozen)]
pub struct PyEntryFormat(Arc<EntryFormat>);

/// `None`: that of stock `channels_redis`.
pub fn core_format(format: Option<&PyEntryFormat>) -> Arc<EntryFormat> {
    format.map_or_else(|| Arc::new(EntryFormat::plain(12)), |format| Arc::clone(&format.0))
}

/// What time it is for entries that expire.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[pymethods]
impl PyEntryFormat {
    #[new]
    #[pyo3(signature = (*, prefix_length=12, serializer="msgpack", keys=vec![], ttl=None))]
    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the vector for this call.
    fn new(prefix_length: usize, serializer: &str, keys: Vec<PyBackedBytes>, ttl: Option<u64>) -> PyResult<Self> {
        let serializer = match serializer {
            "msgpack" => Serializer::Msgpack,
            "json" => Serializer::Json,
            other => return Err(PyValueError::new_err(format!("serializer must be msgpack or json, not {other}"))),
        };
        Ok(Self(Arc::new(EntryFormat::new(prefix_length, serializer, Keys::new(keys), ttl))))
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the vector for this call.
    fn accept_keys(&self, keys: Vec<PyBackedBytes>) {
        self.0.accept_keys(Keys::new(keys));
    }

    #[getter]
    fn is_encrypted(&self) -> bool {
        self.0.is_encrypted()
    }

    #[getter]
    fn serializer(&self) -> &'static str {
        match self.0.serializer() {
            Serializer::Msgpack => "msgpack",
            Serializer::Json => "json",
        }
    }

    fn refused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = PyDict::new(py);
        for (reason, count) in Refusal::ALL.iter().zip(self.0.refused()) {
            counts.set_item(reason.name(), count)?;
        }
        Ok(counts)
    }

    #[pyo3(signature = (entry, now=None))]
    fn open<'py>(&self, py: Python<'py>, entry: &[u8], now: Option<u64>) -> PyResult<Bound<'py, PyBytes>> {
        let opened = self.0.open(entry, now.unwrap_or_else(unix_seconds)).map_err(to_value_error)?;
        Ok(PyBytes::new(py, opened.body()))
    }

    fn seal<'py>(&self, py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let mut bytes = vec![0; IV + self.0.prefix_length()];
        fill_random(&mut bytes).map_err(|error| PyOSError::new_err(error.to_string()))?;
        let (iv, prefix) = bytes.split_at(IV);
        let iv = iv.try_into().map_err(|_| PyValueError::new_err("an IV of another length"))?;
        Ok(PyBytes::new(py, &self.0.seal(body, unix_seconds(), &Random { prefix, iv })))
    }
}

fn fill_random(bytes: &mut [u8]) -> rustix::io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(())
}
