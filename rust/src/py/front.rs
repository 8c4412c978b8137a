//! Connections of a loop: accepted in batches, read when they have something, written to once a turn.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;

use crate::front::{Accepted, Line, Listener, Places, Ready, Watch};
use crate::py::balance::Balance;
use crate::py::descriptor::borrow;
use crate::py::transport::SocketTransport;

/// Connections of one listener that a turn of the loop takes in, as long as it has time and bytes left.
const TURN_ACCEPTS: usize = 32;
/// A turn takes in newcomers and serves who is ready until so long after its beginning, or until so much was read: whoever sends without an
/// end, and they are many, would keep the loop from everybody else. Who is left has the next turn first.
const TURN: Duration = Duration::from_millis(10);
const TURN_BYTES: usize = 4 * 1024 * 1024;
/// Plain connections that a turn serves, behind websockets: what comes in there is requests, and each is some work more
/// of an application's.
const TURN_PLAIN: usize = 16;
/// Events that one look brings.
const EVENTS: usize = 1024;
/// Until another try to accept where there is no room for more.
const REST_SECONDS: f64 = 0.1;
/// Bytes that a read brings at most; as uvloop.
const READ_BYTES: usize = 256 * 1024;
/// Numbers from here on are listeners'.
const LISTENERS: u64 = 1 << 63;
/// No connection has this number, and no listener: some of the plain ones are ready.
const PLAIN: u64 = u64::MAX;

/// Adds this part to the extension.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Front>()?;
    module.add_class::<SocketTransport>()
}

#[pyclass(module = "awxfast._rust", frozen)]
pub struct Front {
    first: Watched,
    /// Connections that are no websockets, or not yet: whatever they send, and they are many, others come first.
    plain: Watched,
    event_loop: Py<PyAny>,
    connections: Mutex<Places<Py<SocketTransport>>>,
    listeners: Mutex<Vec<Option<Door>>>,
    /// Bytes that this turn has read.
    read: AtomicUsize,
    buffer: Mutex<Vec<u8>>,
    unwritten: Mutex<Unwritten>,
    lost: Mutex<Lost>,
}

/// Those of one watch.
struct Watched {
    watch: Watch,
    /// Who was found ready, and waits to be served.
    ready: Mutex<VecDeque<Ready>>,
}

impl Watched {
    fn new() -> io::Result<Self> {
        Ok(Watched { watch: Watch::new()?, ready: Mutex::default() })
    }

    /// Asks for so many more, where nobody waits. Whether there may be others still.
    fn look(&self, most: usize) -> bool {
        let mut ready = self.ready.lock();
        !ready.is_empty() || self.watch.look(most, &mut ready)
    }

    fn next(&self) -> Option<Ready> {
        self.ready.lock().pop_front()
    }
}

/// A listener, and what is done with those who come there.
type Door = (Listener, Arc<Welcome>);

/// What is done with newcomers.
pub(super) struct Welcome {
    /// Makes the protocol of a connection.
    pub(super) make_protocol: Py<PyAny>,
    /// Takes an upgrade at once that nothing speaks against, or says that it does not.
    pub(super) open_at_once: Option<Py<PyAny>>,
    /// Bytes of a head, at most.
    pub(super) max_head: usize,
    /// Where other processes accept on the same socket: says how long they have before this one, and hears of each.
    pub(super) balance: Option<Py<Balance>>,
}

/// Who has something to write at the end of the turn.
#[derive(Default)]
struct Unwritten {
    transports: Vec<Py<SocketTransport>>,
    /// Somebody will flush them.
    is_due: bool,
}

/// Whose protocols are to hear of their end, and why. As many may be lost at once as there are.
#[derive(Default)]
struct Lost {
    transports: VecDeque<(Py<SocketTransport>, Py<PyAny>)>,
    /// They will hear of it.
    is_due: bool,
}

#[pymethods]
impl Front {
    #[new]
    fn new(event_loop: Py<PyAny>) -> PyResult<Self> {
        let (first, plain) = (Watched::new()?, Watched::new()?);
        first.watch.contain(&plain.watch, PLAIN)?;
        Ok(Front {
            first,
            plain,
            event_loop,
            connections: Mutex::default(),
            listeners: Mutex::default(),
            read: AtomicUsize::new(0),
            buffer: Mutex::new(vec![0; READ_BYTES]),
            unwritten: Mutex::default(),
            lost: Mutex::default(),
        })
    }

    fn fileno(&self) -> RawFd {
        self.first.watch.as_fd().as_raw_fd()
    }

    #[pyo3(signature = (fd, make_protocol, open_at_once=None, max_head=0, balance=None))]
    fn listen(
        &self,
        fd: RawFd,
        make_protocol: Py<PyAny>,
        open_at_once: Option<Py<PyAny>>,
        max_head: usize,
        balance: Option<Py<Balance>>,
    ) -> PyResult<usize> {
        let mut listeners = self.listeners.lock();
        let number = listeners.len();
        let mut listener = Listener::new(borrow(fd)?, LISTENERS | number as u64)?;
        listener.watch(&self.first.watch, true)?;
        listeners.push(Some((listener, Arc::new(Welcome { make_protocol, open_at_once, max_head, balance }))));
        Ok(number)
    }

    #[pyo3(signature = (fd, protocol, *, is_plain=false))]
    fn adopt(slf: &Bound<'_, Self>, fd: RawFd, protocol: &Bound<'_, PyAny>, is_plain: bool) -> PyResult<()> {
        let socket = borrow(fd)?.try_clone_to_owned()?;
        rustix::io::ioctl_fionbio(&socket, true).map_err(io::Error::from)?;
        // One that is gone has none: reading it tells its end.
        let client = rustix::net::getpeername(&socket).ok().flatten().and_then(|address| address.try_into().ok());
        SocketTransport::begin_as(&Self::take_in(slf, socket, client)?, protocol, is_plain);
        Ok(())
    }

    fn listen_again(&self, number: usize) -> PyResult<()> {
        if let Some(Some((listener, _))) = self.listeners.lock().get_mut(number) {
            listener.watch(&self.first.watch, true)?;
        }
        let deserted =
            self.door(number, |(listener, welcome)| (!listener.has_newcomers()).then(|| Arc::clone(welcome)));
        if let Some(balance) = deserted.flatten().as_ref().and_then(|welcome| welcome.balance.as_ref()) {
            balance.get().note_nobody();
        }
        Ok(())
    }

    fn end_listening(&self, number: usize) -> PyResult<()> {
        let ended = self.listeners.lock().get_mut(number).and_then(Option::take);
        if let Some((mut listener, _)) = ended {
            listener.watch(&self.first.watch, false)?;
        }
        Ok(())
    }

    fn turn(slf: &Bound<'_, Self>) {
        slf.get().unwritten.lock().is_due = true;
        if Self::serve_ready(slf) {
            Self::serve_plain(slf);
        }
        Self::flush(slf);
    }

    fn flush(slf: &Bound<'_, Self>) {
        let transports = mem::take(&mut *slf.get().unwritten.lock()).transports;
        for transport in transports {
            SocketTransport::flush(transport.bind(slf.py()));
        }
    }

    /// As many as a turn has time for.
    fn _lose_some(slf: &Bound<'_, Self>) {
        let end = Instant::now() + TURN;
        loop {
            let next = slf.get().lost.lock().transports.pop_front();
            let Some((transport, reason)) = next else { break };
            SocketTransport::lose(transport.bind(slf.py()), reason.bind(slf.py()));
            if Instant::now() > end {
                return Self::go_on_losing(slf);
            }
        }
        slf.get().lost.lock().is_due = false;
    }

    fn close(&self) {
        let left: Vec<_> = self.connections.lock().drain().collect();
        for transport in left {
            transport.get().drop_line();
        }
        self.listeners.lock().clear();
    }
}

impl Front {
    /// Whether some of the plain ones are ready.
    fn serve_ready(slf: &Bound<'_, Self>) -> bool {
        let front = slf.get();
        let (budget, mut has_more, mut has_plain) = (front.begin_budget(), true, false);
        while has_more {
            has_more = front.first.look(EVENTS);
            while let Some(one) = front.first.next() {
                has_plain |= one.token == PLAIN;
                Self::serve(slf, one, budget);
                if front.is_spent(budget) {
                    return has_plain;
                }
            }
        }
        has_plain
    }

    /// Those who wait for the longest, which the kernel knows: who was told of goes behind all others. So who was told
    /// of and is not served in this turn is served in the next, before it is asked again.
    fn serve_plain(slf: &Bound<'_, Self>) {
        let front = slf.get();
        let budget = front.begin_budget();
        front.plain.look(TURN_PLAIN);
        while let Some(one) = front.plain.next() {
            Self::serve(slf, one, budget);
            if front.is_spent(budget) {
                return;
            }
        }
    }

    fn begin_budget(&self) -> Instant {
        self.read.store(0, Ordering::Relaxed);
        Instant::now() + TURN
    }

    fn is_spent(&self, end: Instant) -> bool {
        self.read.load(Ordering::Relaxed) >= TURN_BYTES || Instant::now() > end
    }

    /// Who looks at a connection.
    pub(super) fn watch_of(&self, is_plain: bool) -> &Watch {
        if is_plain { &self.plain.watch } else { &self.first.watch }
    }

    fn serve(slf: &Bound<'_, Self>, ready: Ready, budget: Instant) {
        if ready.token == PLAIN {
            return;
        }
        if ready.token >= LISTENERS {
            return Self::accept(slf, usize::try_from(ready.token - LISTENERS).unwrap_or(usize::MAX), budget);
        }
        let transport = slf.get().connections.lock().get(ready.token).map(|one| one.clone_ref(slf.py()));
        if let Some(transport) = transport {
            SocketTransport::serve(transport.bind(slf.py()), ready);
        }
    }

    /// What a newcomer has sent is served with it. Who is left waits in the kernel, and is told of again.
    fn accept(slf: &Bound<'_, Self>, number: usize, budget: Instant) {
        let Some(welcome) = slf.get().door(number, |(_, welcome)| Arc::clone(welcome)) else { return };
        let balance = welcome.balance.as_ref().map(|balance| balance.bind(slf.py()));
        if let Some(balance) = balance {
            Balance::publish_at_once(balance); // once for all of them: what comes to it is counted here
        }
        for _ in 0..TURN_ACCEPTS {
            let seconds = balance.map_or(0.0, |balance| balance.get().wait_time());
            if seconds > 0.0 {
                return Self::rest(slf, number, seconds);
            }
            match slf.get().door(number, |(listener, _)| listener.accept()) {
                Some(Accepted::Connection(socket, client)) => {
                    let Ok(transport) = Self::take_in(slf, socket, client) else { return };
                    if let Some(balance) = balance {
                        balance.get().note_accepted();
                    }
                    SocketTransport::begin(&transport, Arc::clone(&welcome));
                    if slf.get().is_spent(budget) {
                        return;
                    }
                }
                Some(Accepted::NoRoom) => return Self::rest(slf, number, REST_SECONDS),
                _ => return,
            }
        }
    }

    /// Looks at one that has not ended.
    fn door<T>(&self, number: usize, look: impl FnOnce(&Door) -> T) -> Option<T> {
        self.listeners.lock().get(number).and_then(Option::as_ref).map(look)
    }

    fn take_in<'py>(
        slf: &Bound<'py, Self>,
        socket: OwnedFd,
        client: Option<SocketAddr>,
    ) -> PyResult<Bound<'py, SocketTransport>> {
        let front = slf.get();
        let line = Line::new(socket, front.connections.lock().next());
        let transport = Bound::new(slf.py(), SocketTransport::new(slf.clone().unbind(), line, client))?;
        front.connections.lock().add(transport.clone().unbind());
        Ok(transport)
    }

    /// Others wait in the backlog: what is ready and can't be had, or is another process's, would keep the loop busy.
    fn rest(slf: &Bound<'_, Self>, number: usize, seconds: f64) {
        if let Some(Some((listener, _))) = slf.get().listeners.lock().get_mut(number) {
            let _ = listener.watch(&slf.get().first.watch, false);
        }
        let again = slf.getattr(intern!(slf.py(), "listen_again"));
        let event_loop = slf.get().event_loop.bind(slf.py());
        let planned =
            again.and_then(|again| event_loop.call_method1(intern!(slf.py(), "call_later"), (seconds, again, number)));
        if let Err(error) = planned {
            error.write_unraisable(slf.py(), Some(slf));
        }
    }

    pub(super) fn forget(&self, token: u64) {
        let gone = self.connections.lock().remove(token);
        drop(gone); // not under the lock: it may be the last reference
    }

    /// Its protocol hears of its end, in one of the next turns.
    pub(super) fn lose_later(slf: &Bound<'_, Self>, transport: Py<SocketTransport>, reason: Py<PyAny>) {
        let mut lost = slf.get().lost.lock();
        lost.transports.push_back((transport, reason));
        if mem::replace(&mut lost.is_due, true) {
            return;
        }
        drop(lost);
        Self::go_on_losing(slf);
    }

    fn go_on_losing(slf: &Bound<'_, Self>) {
        if let Ok(lose) = slf.getattr(intern!(slf.py(), "_lose_some")) {
            slf.get().call_loop(slf.py(), "call_soon", (lose,));
        }
    }

    /// Calls a method of the event loop's; what it raises can't be told to anybody.
    pub(super) fn call_loop<'py, A>(&self, py: Python<'py>, method: &str, arguments: A)
    where
        A: pyo3::call::PyCallArgs<'py>,
    {
        if let Err(error) = self.event_loop.bind(py).call_method1(method, arguments) {
            error.write_unraisable(py, None);
        }
    }

    /// Borrowed for one read.
    pub(super) fn take_buffer(&self) -> Vec<u8> {
        let buffer = mem::take(&mut *self.buffer.lock());
        if buffer.is_empty() { vec![0; READ_BYTES] } else { buffer }
    }

    /// After one that brought so many bytes.
    pub(super) fn give_buffer(&self, buffer: Vec<u8>, count: usize) {
        *self.buffer.lock() = buffer;
        self.read.fetch_add(count, Ordering::Relaxed);
    }

    /// It is flushed at the end of the turn.
    pub(super) fn flush_later(slf: &Bound<'_, Self>, transport: Py<SocketTransport>) {
        let mut unwritten = slf.get().unwritten.lock();
        unwritten.transports.push(transport);
        if mem::replace(&mut unwritten.is_due, true) {
            return;
        }
        drop(unwritten);
        if let Ok(flush) = slf.getattr(intern!(slf.py(), "flush")) {
            slf.get().call_loop(slf.py(), "call_soon", (flush,));
        }
    }
}
