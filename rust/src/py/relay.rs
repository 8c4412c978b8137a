//! The encoder of relay links for Python.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::error::Reject;
use crate::relay;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RelayEncoder>()
}

/// Group, number of frames, the frames.
type Run<'py> = (String, u64, Bound<'py, PyBytes>);

#[pyclass(module = "awxfast._rust")]
struct RelayEncoder(relay::RelayEncoder);

#[pymethods]
impl RelayEncoder {
    #[new]
    #[pyo3(signature = (prefix_length = 12, max_frame = 4_194_304))]
    fn new(prefix_length: usize, max_frame: usize) -> Self {
        Self(relay::RelayEncoder::new(prefix_length, max_frame))
    }

    fn add_channel(&mut self, local: &str, group: &str) {
        self.0.add_channel(local, group);
    }

    fn remove_channel(&mut self, local: &str) {
        self.0.remove_channel(local);
    }

    fn encode_batch<'py>(&mut self, py: Python<'py>, members: &Bound<'py, PyList>) -> PyResult<Vec<Run<'py>>> {
        let mut runs = Vec::new();
        for pair in members {
            let member = pair.get_item(0)?.cast_into::<PyBytes>()?;
            self.0.encode(member.as_bytes(), &mut runs);
        }
        let to_python = |run: relay::Run| (run.group.to_string(), run.frames, PyBytes::new(py, &run.bytes));
        Ok(runs.into_iter().map(to_python).collect())
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.0.counts();
        let rejected = PyDict::new(py);
        for reason in Reject::ALL {
            rejected.set_item(reason.name(), counts.rejected[reason.index()])?;
        }
        let all = PyDict::new(py);
        all.set_item("received", counts.received)?;
        all.set_item("encoded", counts.encoded)?;
        all.set_item("not_for_relay", counts.not_for_relay)?;
        all.set_item("no_group", counts.no_group)?;
        all.set_item("rejected", rejected)?;
        Ok(all)
    }
}
