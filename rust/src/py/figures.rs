//! What was counted, as dictionaries for `/ledger` and `/metrics`.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::Reject;
use crate::fanout::Counts;
use crate::ledger::{AGE_BOUNDS, LinkTally, Shed};

/// What was written to a node link.
#[pyclass(module = "awxfast._rust", frozen)]
pub struct LinkFigures(pub(super) Arc<LinkTally>);

#[pymethods]
impl LinkFigures {
    fn read<'py>(&self, py: Python<'py>) -> PyResult<(u64, u64, Bound<'py, PyDict>, u64)> {
        let frames = self.0.read();
        let lost = PyDict::new(py);
        for (reason, count) in Shed::ALL.map(Shed::name).into_iter().zip(frames.shed) {
            lost.set_item(reason, count)?;
        }
        lost.set_item("lost_at_close", frames.lost_at_close)?;
        Ok((frames.written, frames.bytes, lost, frames.pending))
    }
}

/// As `Fanout.ledger` gives it.
pub fn ledger_dict<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let ledger = PyDict::new(py);
    ledger.set_item("events", events_dict(py, counts)?)?;
    ledger.set_item("frames", frames_dict(py, counts)?)?;
    let balance = PyDict::new(py);
    balance.set_item("events", counts.events.balance())?;
    balance.set_item("frames", counts.tally.frames.balance())?;
    ledger.set_item("balance", balance)?;
    ledger.set_item("gaps", gaps_dict(py, counts)?)?;
    ledger.set_item("clients", counts.clients)?;
    ledger.set_item("groups", counts.groups)?;
    Ok(ledger)
}

/// As `Fanout.metrics` gives it.
pub fn metrics_dict<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let ages = PyDict::new(py);
    ages.set_item("bounds", AGE_BOUNDS.to_vec())?;
    ages.set_item("counts", counts.tally.ages.counts.to_vec())?;
    ages.set_item("sum", counts.tally.ages.sum)?;
    ages.set_item("odd", counts.tally.ages.odd)?;
    let metrics = PyDict::new(py);
    metrics.set_item("encodings", counts.encodings)?;
    metrics.set_item("writes", counts.tally.writes)?;
    metrics.set_item("queued_bytes", counts.queued_bytes)?;
    metrics.set_item("reply_bytes", counts.reply_bytes)?;
    metrics.set_item("event_age", ages)?;
    Ok(metrics)
}

fn events_dict<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let rejected = PyDict::new(py);
    for reason in Reject::ALL {
        let count = counts.events.rejected[reason.index()];
        if count > 0 {
            rejected.set_item(reason.name(), count)?;
        }
    }
    let events = PyDict::new(py);
    events.set_item("in", counts.events.received)?;
    events.set_item("routed", counts.events.routed)?;
    events.set_item("no_subscriber", counts.events.no_subscriber)?;
    events.set_item("rejected", rejected)?;
    Ok(events)
}

fn frames_dict<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let shed = PyDict::new(py);
    for reason in Shed::ALL {
        let count = counts.tally.frames.shed[reason as usize];
        if count > 0 {
            shed.set_item(reason.name(), count)?;
        }
    }
    let frames = PyDict::new(py);
    frames.set_item("queued", counts.tally.frames.queued)?;
    frames.set_item("written", counts.tally.frames.written)?;
    frames.set_item("shed", shed)?;
    frames.set_item("lost_at_close", counts.tally.frames.lost_at_close)?;
    frames.set_item("pending", counts.tally.frames.pending)?;
    Ok(frames)
}

fn gaps_dict<'py>(py: Python<'py>, counts: &Counts) -> PyResult<Bound<'py, PyDict>> {
    let gaps = PyDict::new(py);
    for (reason, times, at_most) in counts.gaps.iter() {
        let gap = PyDict::new(py);
        gap.set_item("times", times)?;
        gap.set_item("at_most", at_most)?;
        gaps.set_item(reason, gap)?;
    }
    Ok(gaps)
}
