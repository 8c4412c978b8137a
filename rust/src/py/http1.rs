//! The reader of requests for Python.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::wire::http1::{Event, Head, Limits, Reader, Refusal, Version};

/// Lines of a head, at most.
pub(super) const MAX_FIELDS: usize = 500;

/// What two bytes objects and a tuple, in a list, take besides their bytes.
const LINE_OVERHEAD: usize = 176;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<RequestReader>()?;
    module.add_class::<RequestHead>()?;
    module.add_class::<RequestRefusal>()
}

#[pyclass(module = "awxfast._rust")]
struct RequestReader {
    reader: Reader,
    /// What came behind the end of a request, from `read` on.
    unread: Vec<u8>,
    read: usize,
    is_refused: bool,
}

#[pymethods]
impl RequestReader {
    #[new]
    #[pyo3(signature = (max_head, *, max_fields = MAX_FIELDS, max_chunk_line = 4096, max_trailers = 16_384))]
    fn new(max_head: usize, max_fields: usize, max_chunk_line: usize, max_trailers: usize) -> Self {
        let limits = Limits { head: max_head, fields: max_fields, chunk_line: max_chunk_line, trailers: max_trailers };
        Self { reader: Reader::new(limits), unread: Vec::new(), read: 0, is_refused: false }
    }

    fn receive<'py>(&mut self, py: Python<'py>, data: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        if self.is_refused {
            return Ok(Vec::new());
        }
        let waits = self.read < self.unread.len();
        if waits {
            self.unread.extend_from_slice(data);
        }
        let mut rest = if waits { &self.unread[self.read..] } else { data };
        let (events, is_refused) = read_request(py, &mut self.reader, &mut rest)?;
        self.is_refused = is_refused;
        let left = rest.len();
        if waits {
            self.read = self.unread.len() - left;
        } else {
            self.unread = rest.to_vec();
            self.read = 0;
        }
        if left == 0 || is_refused {
            (self.unread, self.read) = (Vec::new(), 0);
        }
        Ok(events)
    }

    fn take_unread<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let unread = PyBytes::new(py, &self.unread[self.read..]);
        (self.unread, self.read) = (Vec::new(), 0);
        unread
    }

    #[getter]
    fn unread(&self) -> usize {
        self.unread.len() - self.read
    }

    #[getter]
    fn held(&self) -> usize {
        self.reader.held() + self.unread.capacity()
    }

    fn discard(&mut self) {
        self.reader.finish();
        (self.unread, self.read) = (Vec::new(), 0);
    }

    #[getter]
    fn head_size(&self) -> usize {
        self.reader.head_size()
    }

    #[getter]
    fn is_between(&self) -> bool {
        self.reader.is_between()
    }
}

/// Up to the end of one request; whether that was the last.
fn read_request<'py>(
    py: Python<'py>,
    reader: &mut Reader,
    data: &mut &[u8],
) -> PyResult<(Vec<Bound<'py, PyAny>>, bool)> {
    let (mut events, mut body) = (Vec::new(), Vec::new());
    let last = loop {
        match reader.read(data) {
            Event::Head(head) => {
                events.push(RequestHead::make(py, head)?.into_any());
            }
            Event::Body(part) => body.push(part),
            last => break last,
        }
    };
    // Small chunks that came together are one part.
    match body[..] {
        [] => {}
        [part] => events.push(PyBytes::new(py, part).into_any()),
        _ => events.push(PyBytes::new(py, &body.concat()).into_any()),
    }
    let is_refused = match last {
        Event::Refused(fault) => {
            events.push(Bound::new(py, RequestRefusal(fault.refusal()))?.into_any());
            true
        }
        Event::End => {
            events.push(py.None().into_bound(py));
            false
        }
        _ => false,
    };
    Ok((events, is_refused))
}

#[pyclass(module = "awxfast._rust", frozen)]
pub(super) struct RequestHead {
    head: Head,
    headers: PyOnceLock<Py<PyList>>,
}

#[pymethods]
impl RequestHead {
    #[getter]
    fn method(&self) -> &str {
        self.head.method()
    }

    #[getter]
    fn version<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        match self.head.version() {
            Version::Http10 => intern!(py, "1.0").clone(),
            Version::Http11 => intern!(py, "1.1").clone(),
        }
    }

    #[getter]
    fn target<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.head.target())
    }

    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &self.head.path())
    }

    #[getter]
    fn raw_path<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.head.raw_path())
    }

    #[getter]
    fn query<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.head.query())
    }

    #[getter]
    fn headers(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        let make = || {
            let headers = self.head.headers().map(|(name, value)| (PyBytes::new(py, name), PyBytes::new(py, value)));
            PyList::new(py, headers).map(Bound::unbind)
        };
        self.headers.get_or_try_init(py, make).map(|headers| headers.clone_ref(py))
    }

    fn values<'py>(&self, py: Python<'py>, name: &[u8]) -> Vec<Bound<'py, PyBytes>> {
        self.head.values(name).map(|value| PyBytes::new(py, value)).collect()
    }

    #[getter]
    fn memory(&self) -> usize {
        let headers = self.head.headers();
        let lines = headers.len() * LINE_OVERHEAD;
        self.head.held() + lines + headers.map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }

    #[getter]
    fn content_length(&self) -> Option<u64> {
        self.head.content_length()
    }

    #[getter]
    fn keeps_alive(&self) -> bool {
        self.head.keeps_alive()
    }

    #[getter]
    fn expects_continue(&self) -> bool {
        self.head.expects_continue()
    }

    #[getter]
    fn offers_websocket(&self) -> bool {
        self.head.offers_websocket()
    }
}

impl RequestHead {
    pub(super) fn make(py: Python<'_>, head: Head) -> PyResult<Bound<'_, Self>> {
        Bound::new(py, RequestHead { head, headers: PyOnceLock::new() })
    }
}

#[pyclass(module = "awxfast._rust", frozen)]
struct RequestRefusal(Refusal);

#[pymethods]
impl RequestRefusal {
    #[getter]
    fn status(&self) -> u16 {
        self.0.status
    }

    #[getter]
    fn reason(&self) -> &'static str {
        self.0.reason
    }
}
