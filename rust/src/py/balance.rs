//! Which of several processes accepts next: asked by the front, and by Python where TLS is spoken.

use std::os::fd::RawFd;
use std::process;

use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rustix::time::{ClockId, clock_gettime};

use crate::front::{self, Row, Rows};
use crate::py::descriptor::borrow;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Balance>()
}

#[pyclass(module = "awxfast._rust", frozen)]
pub struct Balance {
    rows: Rows,
    number: usize,
    core: Mutex<front::Balance>,
    /// Tells how many websockets there are, and how much load. None: this process does not listen.
    measure: Mutex<Option<Py<PyAny>>>,
}

#[pymethods]
impl Balance {
    #[new]
    fn new(descriptor: RawFd, number: usize) -> PyResult<Self> {
        let rows = Rows::map(borrow(descriptor)?)?;
        let count = rows.all().len();
        if number >= count {
            return Err(PyValueError::new_err("no such row"));
        }
        let core = Mutex::new(front::Balance::new(number, count));
        Ok(Balance { rows, number, core, measure: Mutex::default() })
    }

    fn begin(&self, py: Python<'_>, measure: Py<PyAny>) -> PyResult<()> {
        let former = self.measure.lock().replace(measure);
        drop(former); // not under the lock: it may be the last reference
        self.publish(py)
    }

    fn end(&self) {
        let former = self.measure.lock().take();
        drop(former); // as above
    }

    fn publish(&self, py: Python<'_>) -> PyResult<()> {
        let Some(measure) = self.measure.lock().as_ref().map(|measure| measure.clone_ref(py)) else { return Ok(()) };
        let (websockets, load) = measure.call0(py)?.extract(py)?;
        self.core.lock().set_load(load);
        self.row().tell(process::id(), websockets, load, monotonic());
        Ok(())
    }

    pub(super) fn wait_time(&self) -> f64 {
        self.core.lock().wait_time(self.rows.all(), monotonic()).map_or(0.0, |time| time.as_secs_f64())
    }

    pub(super) fn note_accepted(&self) {
        let now = monotonic();
        let load = self.core.lock().note_accepted(now);
        if self.measure.lock().is_some() {
            self.row().tell_accepted(load, now);
        }
    }

    fn look(&self) {
        if self.measure.lock().is_some() {
            self.row().tell_looked(monotonic());
        }
    }

    pub(super) fn note_nobody(&self) {
        self.core.lock().note_nobody();
    }
}

impl Balance {
    /// `publish` where nobody can be told what it raises.
    pub(super) fn publish_at_once(slf: &Bound<'_, Self>) {
        if let Err(error) = slf.get().publish(slf.py()) {
            error.write_unraisable(slf.py(), Some(slf));
        }
    }

    fn row(&self) -> &Row {
        &self.rows.all()[self.number]
    }
}

/// Nanoseconds, as `time.monotonic_ns` in Python.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000_000 + nanoseconds.unwrap_or_default()
}
