//! The encoder of links to other nodes for Python.

use std::collections::HashSet;
use std::os::fd::RawFd;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList};

/// Groups, each with the number of its texts and those as they stand in a packet.
type PyTexts = Vec<(String, u32, Py<PyBytes>)>;

use crate::error::Reject;
use crate::fanout::{Published, Recipient};
use crate::links::encoder::{self, Sink};
use crate::links::packets::Packets;
use crate::links::share::{self, Bundle};
use crate::py::descriptor::borrow;
use crate::py::entry_format::{PyEntryFormat, core_format, unix_seconds};
use crate::py::pairs::take_entry;
use crate::py::pushes::take_messages;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<LinkEncoder>()?;
    module.add_class::<LinkBundle>()?;
    module.add_class::<LinkShare>()
}

#[pyclass(module = "awxfast._rust")]
struct LinkEncoder(encoder::LinkEncoder);

#[pymethods]
impl LinkEncoder {
    #[new]
    #[pyo3(signature = (entry_format = None, max_frame = 4_194_304))]
    fn new(entry_format: Option<&PyEntryFormat>, max_frame: usize) -> Self {
        Self(encoder::LinkEncoder::new(core_format(entry_format), max_frame))
    }

    fn set_backplane(&mut self, group: &str) {
        self.0.set_backplane(group);
    }

    fn add_channel(&mut self, local: &str, group: &str) {
        self.0.add_channel(local, group);
    }

    fn remove_channel(&mut self, local: &str) {
        self.0.remove_channel(local);
    }

    fn encode_batch(&mut self, entries: &Bound<'_, PyList>) -> PyResult<Option<LinkBundle>> {
        let bundle = self.0.begin();
        Ok(wrap(self.encode_entries(entries, bundle)?))
    }

    fn encode_pushed(&mut self, messages: &Bound<'_, PyList>) -> PyResult<Option<LinkBundle>> {
        let bundle = self.0.begin();
        Ok(wrap(self.encode_messages(messages, bundle)?))
    }

    #[pyo3(signature = (entries, most_bytes, with_frames))]
    fn encode_texts(
        &mut self,
        py: Python<'_>,
        entries: &Bound<'_, PyList>,
        most_bytes: usize,
        with_frames: bool,
    ) -> PyResult<(Option<LinkBundle>, PyTexts)> {
        let sink = self.begin(most_bytes, with_frames);
        Ok(show(py, self.encode_entries(entries, sink)?))
    }

    #[pyo3(signature = (messages, most_bytes, with_frames))]
    fn encode_pushed_texts(
        &mut self,
        py: Python<'_>,
        messages: &Bound<'_, PyList>,
        most_bytes: usize,
        with_frames: bool,
    ) -> PyResult<(Option<LinkBundle>, PyTexts)> {
        let sink = self.begin(most_bytes, with_frames);
        Ok(show(py, self.encode_messages(messages, sink)?))
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

impl LinkEncoder {
    fn begin(&self, most_bytes: usize, with_frames: bool) -> (Option<Bundle>, Packets) {
        (with_frames.then(|| self.0.begin()), Packets::new(most_bytes))
    }

    fn encode_entries<S: Sink>(&mut self, entries: &Bound<'_, PyList>, mut sink: S) -> PyResult<S> {
        let now = unix_seconds();
        for pair in entries {
            let entry = take_entry(pair)?;
            self.0.encode(entry.as_bytes(), now, &mut sink);
        }
        Ok(sink)
    }

    fn encode_messages<S: Sink>(&mut self, messages: &Bound<'_, PyList>, mut sink: S) -> PyResult<S> {
        for message in take_messages(messages)? {
            let Published { to: Recipient::Group(group), body } = message.read()? else { continue };
            self.0.encode_published(group, body, &mut sink);
        }
        Ok(sink)
    }
}

fn wrap(bundle: Bundle) -> Option<LinkBundle> {
    (!bundle.is_empty()).then(|| LinkBundle(Arc::new(bundle)))
}

fn show(py: Python<'_>, (bundle, packets): (Option<Bundle>, Packets)) -> (Option<LinkBundle>, PyTexts) {
    let texts = packets.into_texts().into_iter();
    let texts = texts.map(|one| (one.group.to_string(), one.count, PyBytes::new(py, &one.bytes).unbind()));
    (bundle.and_then(wrap), texts.collect())
}

/// Frames for whoever wants them.
#[pyclass(module = "awxfast._rust", frozen)]
struct LinkBundle(Arc<share::Bundle>);

#[pymethods]
impl LinkBundle {
    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        PyFrozenSet::new(py, self.0.groups())
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the set for this call.
    fn share(&self, groups: HashSet<String>) -> LinkShare {
        LinkShare { share: share::Share::of(&self.0, |group| groups.contains(group)), data: PyOnceLock::new() }
    }
}

/// What links get that want the same.
#[pyclass(module = "awxfast._rust", frozen)]
struct LinkShare {
    share: share::Share,
    data: PyOnceLock<Py<PyBytes>>,
}

#[pymethods]
impl LinkShare {
    #[getter]
    fn frames(&self) -> u64 {
        self.share.frames
    }

    #[getter]
    fn size(&self) -> usize {
        self.share.size
    }

    #[getter]
    fn data(&self, py: Python<'_>) -> Py<PyBytes> {
        self.data.get_or_init(py, || PyBytes::new(py, &self.share.to_vec()).unbind()).clone_ref(py)
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the vector for this call.
    fn write(&self, py: Python<'_>, sockets: Vec<RawFd>) -> PyResult<Vec<usize>> {
        let sockets = sockets.into_iter().map(borrow).collect::<PyResult<Vec<_>>>()?;
        Ok(py.detach(|| self.share.write(&sockets)))
    }
}
