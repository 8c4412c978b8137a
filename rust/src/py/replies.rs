//! Replies' bounds, for Python: looked at in one call a read.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;

use crate::wire::replies::{self, Fault};

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ReplyBounds>()
}

#[pyclass(module = "awxfast._rust")]
struct ReplyBounds(replies::ReplyBounds);

#[pymethods]
impl ReplyBounds {
    #[new]
    fn new(most_bytes: usize, most_elements: usize) -> Self {
        ReplyBounds(replies::ReplyBounds::new(most_bytes, most_elements))
    }

    #[getter]
    fn elements(&self) -> usize {
        self.0.elements()
    }

    fn look(&mut self, data: &[u8]) -> PyResult<usize> {
        self.0.look(data).map_err(|fault| match fault {
            Fault::OutOfProtocol => PyValueError::new_err("out of protocol"),
            Fault::TooLong => PyOverflowError::new_err("too long"),
        })
    }
}
