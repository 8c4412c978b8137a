//! `Fanout` for Python.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::error::Reject;
use crate::fanout::{Config, Counts, Entry, Fanout, HandedOut, Rules};
use crate::ledger::{AGE_BOUNDS, LinkTally, Shed};
use crate::mailbox::Notice;
use crate::outbox::Bounds;
use crate::py::descriptor::borrow;
use crate::registry::{Backplane, ClientId, Consumers};

/// Adds the class and its constants.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("NOTICE_DEAD", Notice::Dead as u8)?;
    module.add("NOTICE_FINISHED", Notice::Finished as u8)?;
    module.add("NOTICE_DRAINED", Notice::Drained as u8)?;
    module.add("NOTICE_SLOW", Notice::Slow as u8)?;
    module.add("NOTICE_ROOM", Notice::Room as u8)?;
    module.add_class::<LinkFigures>()?;
    module.add_class::<PyFanout>()
}

/// Who gets what, and every byte that browsers get after their 101.
#[pyclass(name = "Fanout", module = "awxfast._rust", frozen)]
struct PyFanout(Fanout);

#[pymethods]
impl PyFanout {
    #[new]
    #[pyo3(signature = (*, threads=1, queue_frames=10_000, queue_bytes=67_108_864, queue_memory=536_870_912,
        send_buffer=262_144, slow_client="shed", keep_groups=vec![], prefix_length=12, max_event_size=16_777_216,
        direct_types=vec!["internal.message".to_owned()], consumers=false))]
    #[allow(clippy::too_many_arguments)] // The keyword arguments of the constructor, one by one.
    fn new(
        threads: usize,
        queue_frames: usize,
        queue_bytes: usize,
        queue_memory: usize,
        send_buffer: usize,
        slow_client: &str,
        keep_groups: Vec<String>,
        prefix_length: usize,
        max_event_size: usize,
        direct_types: Vec<String>,
        consumers: bool,
    ) -> PyResult<Self> {
        if !(1..=255).contains(&threads) {
            return Err(PyValueError::new_err(format!("threads must be 1 to 255, not {threads}")));
        }
        let close_slow = match slow_client {
            "shed" => false,
            "close" => true,
            other => return Err(PyValueError::new_err(format!("slow_client must be shed or close, not {other}"))),
        };
        let config = Config {
            threads,
            bounds: Bounds { frames: queue_frames, bytes: queue_bytes },
            memory: queue_memory,
            send_buffer,
            close_slow,
            status_groups: keep_groups,
            rules: Rules { prefix_length, max_event_size, direct_types, consumers },
        };
        Ok(PyFanout(Fanout::start(config)?))
    }

    fn attach(&self, fd: RawFd) -> PyResult<u64> {
        Ok(self.0.attach(borrow(fd)?)?.0)
    }

    fn attach_link(&self, fd: RawFd, notices: bool) -> PyResult<(u64, LinkFigures)> {
        let (client, tally) = self.0.attach_link(borrow(fd)?, notices)?;
        Ok((client.0, LinkFigures(tally)))
    }

    fn set_backplane(&self, group: &str, own: &str, speaker: &str) {
        self.0.set_backplane(Backplane { group: group.into(), own: own.into(), speaker: speaker.into() });
    }

    fn detach(&self, client: u64) {
        self.0.detach(ClientId(client));
    }

    #[pyo3(signature = (client, code, reason=b"".as_slice(), drop=false))]
    fn close(&self, client: u64, code: u16, reason: &[u8], drop: bool) {
        self.0.close(ClientId(client), code, reason, drop);
    }

    fn send_text(&self, client: u64, payload: &[u8]) {
        self.0.send_text(ClientId(client), payload);
    }

    fn send_binary(&self, client: u64, payload: &[u8]) {
        self.0.send_binary(ClientId(client), payload);
    }

    fn send_ping(&self, client: u64, payload: &[u8]) {
        self.0.send_control(ClientId(client), payload, true);
    }

    fn send_pong(&self, client: u64, payload: &[u8]) {
        self.0.send_control(ClientId(client), payload, false);
    }

    fn ask_drained(&self, client: u64) {
        self.0.ask_drained(ClientId(client));
    }

    fn ask_room(&self, client: u64) {
        self.0.ask_room(ClientId(client));
    }

    fn set_consumers(&self, group: &str, all: u32, loose: u32) {
        self.0.set_consumers(group, Consumers { all, loose });
    }

    fn add_own_channel(&self, local: &str) {
        self.0.add_own_channel(local);
    }

    fn remove_own_channel(&self, local: &str) {
        self.0.remove_own_channel(local);
    }

    fn add_channel(&self, local: &str, group: &str) {
        self.0.add_channel(local, group);
    }

    fn remove_channel(&self, local: &str) {
        self.0.remove_channel(local);
    }

    #[pyo3(signature = (client, joined, left, reply=None))]
    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the vectors for this call.
    fn subscribe(&self, client: u64, joined: Vec<String>, left: Vec<String>, reply: Option<&[u8]>) {
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        self.0.subscribe(ClientId(client), &joined, &left, reply);
    }

    fn groups_of(&self, client: u64) -> Vec<String> {
        self.0.groups_of(ClientId(client))
    }

    fn publish_batch<'py>(&self, py: Python<'py>, members: &Bound<'py, PyList>) -> PyResult<Vec<Message<'py>>> {
        let pairs = members.iter().map(take_pair).collect::<PyResult<Vec<_>>>()?;
        let entries: Vec<Entry<'_>> =
            pairs.iter().map(|(member, score)| Entry { member: member.as_bytes(), score: *score }).collect();
        let handed_out = py.detach(|| self.0.publish(&entries));
        let with_member =
            |message: HandedOut| (message.direct, message.groups, message.channels, pairs[message.entry].0.clone());
        Ok(handed_out.into_iter().map(with_member).collect())
    }

    fn publish_relayed<'py>(&self, py: Python<'py>, payloads: &Bound<'py, PyList>) -> PyResult<PeerAnswer<'py>> {
        let payloads =
            payloads.iter().map(|payload| Ok(payload.cast_into::<PyBytes>()?)).collect::<PyResult<Vec<_>>>()?;
        let frames: Vec<&[u8]> = payloads.iter().map(PyBytesMethods::as_bytes).collect();
        let batch = py.detach(|| self.0.publish_relayed(&frames));
        let metrics = batch.metrics.iter().map(|text| PyString::new(py, text)).collect();
        let events = batch.events.iter().map(|relayed| {
            let text = PyBytes::new(py, relayed.event.text.as_bytes());
            (PyString::new(py, &relayed.event.group), text, relayed.taken, relayed.consumers)
        });
        Ok((batch.malformed, metrics, events.collect()))
    }

    fn count_relayed(&self, routed: u64, no_subscriber: u64) {
        self.0.count_relayed(routed, no_subscriber);
    }

    fn count_gap(&self, reason: &str, at_most: u64) {
        self.0.count_gap(reason, at_most);
    }

    fn busy(&self) -> u8 {
        self.0.busy()
    }

    #[getter]
    fn notice_fd(&self) -> RawFd {
        self.0.notice_fd().as_raw_fd()
    }

    fn take_notices(&self) -> Vec<(u64, u8)> {
        self.0.take_notices().into_iter().map(|(client, notice)| (client.0, notice as u8)).collect()
    }

    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = py.detach(|| self.0.counts());
        let ledger = PyDict::new(py);
        ledger.set_item("events", events_dict(py, &counts)?)?;
        ledger.set_item("frames", frames_dict(py, &counts)?)?;
        let balance = PyDict::new(py);
        balance.set_item("events", counts.events.balance())?;
        balance.set_item("frames", counts.tally.frames.balance())?;
        ledger.set_item("balance", balance)?;
        ledger.set_item("gaps", gaps_dict(py, &counts)?)?;
        ledger.set_item("clients", counts.clients)?;
        ledger.set_item("groups", counts.groups)?;
        Ok(ledger)
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = py.detach(|| self.0.counts());
        let ages = PyDict::new(py);
        ages.set_item("bounds", AGE_BOUNDS.to_vec())?;
        ages.set_item("counts", counts.tally.ages.counts.to_vec())?;
        ages.set_item("sum", counts.tally.ages.sum)?;
        let metrics = PyDict::new(py);
        metrics.set_item("encodings", counts.encodings)?;
        metrics.set_item("writes", counts.tally.writes)?;
        metrics.set_item("queued_bytes", counts.queued_bytes)?;
        metrics.set_item("event_age", ages)?;
        Ok(metrics)
    }

    fn clients(&self, py: Python<'_>) -> Vec<(u64, usize, usize, u64, f64)> {
        let backlogs = py.detach(|| self.0.backlogs());
        backlogs.iter().map(|one| (one.client.0, one.frames, one.bytes, one.shed, one.oldest)).collect()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.0.stop());
    }
}

/// What was written to a node link.
#[pyclass(module = "awxfast._rust", frozen)]
struct LinkFigures(Arc<LinkTally>);

#[pymethods]
impl LinkFigures {
    fn read(&self) -> (u64, u64, u64, u64) {
        self.0.read()
    }
}

/// Group, text, whether somebody takes it, whether consumers do (and then: only those without a socket).
type PeerEventParts<'py> = (Bound<'py, PyString>, Bound<'py, PyBytes>, bool, Option<bool>);

/// Whether a frame was malformed, the texts of metrics, the events.
type PeerAnswer<'py> = (bool, Vec<Bound<'py, PyString>>, Vec<PeerEventParts<'py>>);

/// Whether it went to sockets as well, the groups and the channels whose consumers get it, the entry.
type Message<'py> = (bool, Vec<String>, Vec<String>, Bound<'py, PyBytes>);

/// One `[member, score]` pair of a pop's answer.
fn take_pair(pair: Bound<'_, PyAny>) -> PyResult<(Bound<'_, PyBytes>, f64)> {
    let pair = pair.cast_into::<PyList>().map_err(|_| PyTypeError::new_err("a pair must be a list"))?;
    let member = pair.get_item(0)?.cast_into::<PyBytes>()?;
    Ok((member, take_score(&pair.get_item(1)?)?))
}

/// A score as Redis writes it: text in RESP2, a double in RESP3.
fn take_score(score: &Bound<'_, PyAny>) -> PyResult<f64> {
    if let Ok(text) = score.cast::<PyBytes>() {
        let text = std::str::from_utf8(text.as_bytes()).unwrap_or_default();
        return text.parse().map_err(|_| PyValueError::new_err("a score must be a number"));
    }
    if let Ok(text) = score.cast::<PyString>() {
        return text.extract::<String>()?.parse().map_err(|_| PyValueError::new_err("a score must be a number"));
    }
    score.extract()
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
