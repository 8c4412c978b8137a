//! The fan-out as Python sees it.

use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::fanout::{Config, Entry, Fanout, HandedOut, Received, Rules};
use crate::py::descriptor::borrow;
use crate::py::entry_format::{PyEntryFormat, core_format};
use crate::py::figures::{LinkFigures, ledger_dict, metrics_dict};
use crate::py::pairs::take_pair;
use crate::py::pushes::{Message as Pushed, take_messages};
use crate::routing::backplane::Backplane;
use crate::routing::registry::{ClientId, Consumers};
use crate::shard::outbox::Bounds;
use crate::shard::queues::News;

/// Adds the class and its constants.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("NEWS_DEAD", News::Dead as u8)?;
    module.add("NEWS_FINISHED", News::Finished as u8)?;
    module.add("NEWS_DRAINED", News::Drained as u8)?;
    module.add("NEWS_SLOW", News::Slow as u8)?;
    module.add("NEWS_ROOM", News::Room as u8)?;
    module.add("NEWS_UNREAD", News::Unread as u8)?;
    module.add("NEWS_CAUGHT_UP", News::CaughtUp as u8)?;
    module.add("HANDOVER_FORMAT", crate::handover::FORMAT)?;
    module.add_class::<LinkFigures>()?;
    module.add_class::<PyFanout>()
}

/// Who gets what, and every byte that browsers get after their 101.
#[pyclass(name = "Fanout", module = "awxfast._rust", frozen)]
struct PyFanout {
    core: Fanout,
    /// `call_soon` of the loop that wakes the threads.
    call_soon: OnceLock<Py<PyAny>>,
    /// The loop will call `wake`.
    wake_is_due: AtomicBool,
}

#[pymethods]
impl PyFanout {
    #[new]
    #[pyo3(signature = (*, threads=1, queue_frames=10_000, queue_bytes=67_108_864, queue_memory=536_870_912,
        reply_bytes=None, send_buffer=262_144, slow_client="shed", keep_groups=vec![], entry_format=None, max_event_size=16_777_216,
        direct_types=vec!["internal.message".to_owned()], consumers=false))]
    #[allow(clippy::too_many_arguments)] // The keyword arguments of the constructor, one by one.
    fn new(
        threads: usize,
        queue_frames: usize,
        queue_bytes: usize,
        queue_memory: usize,
        reply_bytes: Option<usize>,
        send_buffer: usize,
        slow_client: &str,
        keep_groups: Vec<String>,
        entry_format: Option<&PyEntryFormat>,
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
            replies: reply_bytes,
            send_buffer,
            close_slow,
            status_groups: keep_groups,
            rules: Rules { format: core_format(entry_format), max_event_size, direct_types, consumers },
        };
        let core = Fanout::start(config)?;
        Ok(PyFanout { core, call_soon: OnceLock::new(), wake_is_due: AtomicBool::new(false) })
    }

    fn defer_wakes(&self, call_soon: Py<PyAny>) -> PyResult<()> {
        self.call_soon.set(call_soon).map_err(|_| PyValueError::new_err("wakes are deferred already"))?;
        self.core.defer_wakes();
        Ok(())
    }

    fn wake(&self) {
        self.wake_is_due.store(false, Ordering::Relaxed);
        self.core.wake();
    }

    #[pyo3(signature = (fd, greeted=false))]
    fn attach(slf: &Bound<'_, Self>, fd: RawFd, greeted: bool) -> PyResult<u64> {
        let client = slf.get().core.attach(borrow(fd)?)?;
        if greeted {
            slf.get().core.count_greeting();
        }
        Self::wake_later(slf);
        Ok(client.0)
    }

    fn attach_link(slf: &Bound<'_, Self>, fd: RawFd, notices: bool) -> PyResult<(u64, LinkFigures)> {
        let (client, tally) = slf.get().core.attach_link(borrow(fd)?, notices)?;
        Self::wake_later(slf);
        Ok((client.0, LinkFigures(tally)))
    }

    fn freeze(&self, py: Python<'_>) -> PyResult<RawFd> {
        Ok(py.detach(|| self.core.freeze())?.into_raw_fd())
    }

    fn thaw(&self) {
        self.core.thaw();
    }

    fn discard(&self) {
        self.core.discard();
    }

    fn inherit(&self, py: Python<'_>, fd: RawFd) -> PyResult<()> {
        let file = borrow(fd)?.try_clone_to_owned()?;
        Ok(py.detach(|| self.core.inherit(file))?)
    }

    fn take_client(&self, fd: RawFd, former: u64) -> PyResult<(u64, Option<LinkFigures>)> {
        let (client, link) = self.core.take_client(borrow(fd)?, ClientId(former))?;
        Ok((client.0, link.map(LinkFigures)))
    }

    fn end_inheritance(&self, py: Python<'_>) -> usize {
        py.detach(|| self.core.end_inheritance())
    }

    fn set_backplane(&self, group: &str, own: Vec<String>, speaker: &str) {
        let own = own.into_iter().map(String::into_boxed_str).collect();
        self.core.set_backplane(Backplane { group: group.into(), own, speaker: speaker.into() });
    }

    fn detach(slf: &Bound<'_, Self>, client: u64) {
        slf.get().core.detach(ClientId(client));
        Self::wake_later(slf);
    }

    #[pyo3(signature = (client, code, reason=b"".as_slice(), drop=false))]
    fn close(slf: &Bound<'_, Self>, client: u64, code: u16, reason: &[u8], drop: bool) {
        slf.get().core.close(ClientId(client), code, reason, drop);
        Self::wake_later(slf);
    }

    fn send_text(slf: &Bound<'_, Self>, client: u64, payload: &[u8]) {
        slf.get().core.send_text(ClientId(client), payload);
        Self::wake_later(slf);
    }

    fn send_str(slf: &Bound<'_, Self>, client: u64, text: &str) -> usize {
        slf.get().core.send_text(ClientId(client), text.as_bytes());
        Self::wake_later(slf);
        text.len()
    }

    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the vector for this call.
    fn send_texts(slf: &Bound<'_, Self>, client: u64, payloads: Vec<PyBackedBytes>) {
        let payloads: Vec<&[u8]> = payloads.iter().map(|payload| &**payload).collect();
        slf.get().core.send_texts(ClientId(client), &payloads);
        Self::wake_later(slf);
    }

    fn send_binary(slf: &Bound<'_, Self>, client: u64, payload: &[u8]) {
        slf.get().core.send_binary(ClientId(client), payload);
        Self::wake_later(slf);
    }

    fn send_ping(slf: &Bound<'_, Self>, client: u64, payload: &[u8]) {
        slf.get().core.send_ping(ClientId(client), payload);
        Self::wake_later(slf);
    }

    fn send_pongs(slf: &Bound<'_, Self>, client: u64, frames: &[u8]) {
        slf.get().core.send_pongs(ClientId(client), frames);
        Self::wake_later(slf);
    }

    fn ask_drained(slf: &Bound<'_, Self>, client: u64) {
        slf.get().core.ask_drained(ClientId(client));
        Self::wake_later(slf);
    }

    fn judge_replies(slf: &Bound<'_, Self>, client: u64, unsent: usize) {
        slf.get().core.judge_replies(ClientId(client), unsent);
        Self::wake_later(slf);
    }

    fn ask_room(slf: &Bound<'_, Self>, client: u64) {
        slf.get().core.ask_room(ClientId(client));
        Self::wake_later(slf);
    }

    fn set_consumers(&self, group: &str, all: u32, loose: u32) {
        self.core.set_consumers(group, Consumers { all, loose });
    }

    fn add_own_channel(&self, local: &str) {
        self.core.add_own_channel(local);
    }

    fn remove_own_channel(&self, local: &str) {
        self.core.remove_own_channel(local);
    }

    fn add_channel(&self, local: &str, group: &str) {
        self.core.add_channel(local, group);
    }

    fn remove_channel(&self, local: &str) {
        self.core.remove_channel(local);
    }

    #[pyo3(signature = (client, joined, left, reply=None))]
    #[allow(clippy::needless_pass_by_value)] // PyO3 makes the vectors for this call.
    fn subscribe(slf: &Bound<'_, Self>, client: u64, joined: Vec<String>, left: Vec<String>, reply: Option<&[u8]>) {
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        slf.get().core.subscribe(ClientId(client), &joined, &left, reply);
        Self::wake_later(slf);
    }

    fn groups_of(&self, client: u64) -> Vec<String> {
        self.core.groups_of(ClientId(client))
    }

    fn publish_batch<'py>(&self, py: Python<'py>, entries: &Bound<'py, PyList>) -> PyResult<Vec<Message<'py>>> {
        let pairs = entries.iter().map(take_pair).collect::<PyResult<Vec<_>>>()?;
        let entries: Vec<Entry<'_>> =
            pairs.iter().map(|(entry, score)| Entry { bytes: entry.as_bytes(), score: *score }).collect();
        Ok(self.publish(py, || self.core.receive(&entries)))
    }

    fn publish_pushed<'py>(&self, py: Python<'py>, messages: &Bound<'py, PyList>) -> PyResult<Vec<Message<'py>>> {
        let messages = take_messages(messages)?;
        let published = messages.iter().map(Pushed::read).collect::<PyResult<Vec<_>>>()?;
        Ok(self.publish(py, || self.core.receive_published(&published)))
    }

    fn publish_relayed<'py>(&self, py: Python<'py>, payloads: &Bound<'py, PyList>) -> PyResult<PeerAnswer<'py>> {
        let payloads =
            payloads.iter().map(|payload| Ok(payload.cast_into::<PyBytes>()?)).collect::<PyResult<Vec<_>>>()?;
        let frames: Vec<&[u8]> = payloads.iter().map(PyBytesMethods::as_bytes).collect();
        let batch = py.detach(|| self.core.publish_relayed(&frames));
        let metrics = batch.metrics.iter().map(|text| PyString::new(py, text)).collect();
        let events = batch.events.iter().map(|relayed| {
            let text = PyBytes::new(py, relayed.event.text.as_bytes());
            (PyString::new(py, &relayed.event.group), text, relayed.taken, relayed.consumers)
        });
        Ok((batch.malformed, metrics, events.collect()))
    }

    fn publish_packets<'py>(&self, py: Python<'py>, packets: &Bound<'py, PyList>) -> PyResult<PacketAnswer<'py>> {
        let packets =
            packets.iter().map(|packet| packet.extract()).collect::<PyResult<Vec<(String, Bound<'py, PyBytes>)>>>()?;
        let parts: Vec<(&str, &[u8])> = packets.iter().map(|(group, body)| (group.as_str(), body.as_bytes())).collect();
        let batch = py.detach(|| self.core.publish_packets(&parts));
        let metrics = batch.metrics.iter().map(|text| PyString::new(py, text)).collect();
        let handed_out = batch.handed_out.iter().map(|relayed| {
            let text = PyBytes::new(py, relayed.event.text.as_bytes());
            (PyString::new(py, &relayed.event.group), text, relayed.consumers == Some(true))
        });
        Ok((metrics, handed_out.collect()))
    }

    fn count_relayed(&self, routed: u64, no_subscriber: u64) {
        self.core.count_relayed(routed, no_subscriber);
    }

    fn count_too_large(&self, count: u64) {
        self.core.count_too_large(count);
    }

    #[pyo3(signature = (reason, at_most, times=1))]
    fn count_gap(&self, reason: &str, at_most: u64, times: u64) {
        self.core.count_gaps(reason, times, at_most);
    }

    fn wait_time(&self) -> f64 {
        self.core.wait_time().as_secs_f64()
    }

    #[getter]
    fn news_fd(&self) -> RawFd {
        self.core.news_fd().as_raw_fd()
    }

    fn take_news(&self, most: usize) -> Vec<(u64, u8)> {
        self.core.take_news(most).into_iter().map(|(client, news)| (client.0, news as u8)).collect()
    }

    fn ledger<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        ledger_dict(py, &py.detach(|| self.core.counts()))
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        metrics_dict(py, &py.detach(|| self.core.counts()))
    }

    fn clients(&self, py: Python<'_>) -> Vec<(u64, usize, usize, u64, f64)> {
        let backlogs = py.detach(|| self.core.backlogs());
        backlogs.iter().map(|one| (one.client.0, one.frames, one.bytes, one.shed, one.oldest)).collect()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.core.stop());
    }
}

impl PyFanout {
    /// Publishes what `receive` reads; what consumers get of it.
    fn publish<'py, 'a>(
        &self,
        py: Python<'py>,
        receive: impl FnOnce() -> Vec<Received<'a>> + Send,
    ) -> Vec<Message<'py>> {
        let (received, handed_out) = py.detach(|| {
            let received = receive();
            let handed_out = self.core.publish_received(&received);
            (received, handed_out)
        });
        let with_body = |message: HandedOut| {
            let body = PyBytes::new(py, received[message.entry].body());
            (message.direct, message.groups, message.channels, body)
        };
        handed_out.into_iter().map(with_body).collect()
    }

    /// Once for all commands of a turn of the loop; at once when the loop takes no more calls.
    fn wake_later(slf: &Bound<'_, Self>) {
        let fanout = slf.get();
        let Some(call_soon) = fanout.call_soon.get() else { return };
        if fanout.wake_is_due.swap(true, Ordering::Relaxed) {
            return;
        }
        if slf.getattr("wake").and_then(|wake| call_soon.call1(slf.py(), (wake,))).is_err() {
            fanout.wake();
        }
    }
}

/// Group, text, whether somebody takes it, whether consumers do (and then: only those without a socket).
type PeerEventParts<'py> = (Bound<'py, PyString>, Bound<'py, PyBytes>, bool, Option<bool>);

/// Whether a frame was malformed, the texts of metrics, the events.
type PeerAnswer<'py> = (bool, Vec<Bound<'py, PyString>>, Vec<PeerEventParts<'py>>);

/// The texts of metrics; for consumers group, text, and whether it went to sockets as well.
type PacketAnswer<'py> = (Vec<Bound<'py, PyString>>, Vec<(Bound<'py, PyString>, Bound<'py, PyBytes>, bool)>);

/// Whether it went to sockets as well, the groups and the channels whose consumers get it, its body.
type Message<'py> = (bool, Vec<String>, Vec<String>, Bound<'py, PyBytes>);
