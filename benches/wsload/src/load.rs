//! A whole run on one thread: connect all, subscribe all, read until it is over.

use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::arguments::Arguments;
use crate::client::{Client, command_to_send, request_to_send};
use crate::report::{Tally, ready_line, result_line, thread_cpu};
use crate::series::Series;

/// Large enough that a full socket is emptied in few reads, small enough to stay in a core's cache.
const BUFFER: usize = 256 * 1024;
const STDIN: u64 = u64::MAX;
const TURN: Duration = Duration::from_millis(50);

/// Prints the ready line, then the result line. Stdin steers it: `expect N` is the number of event frames after
/// which the run is over; at its end the run is over once nothing has come for `quiet`, at the latest after `drain`
/// (`idle`: at once).
///
/// # Errors
///
/// One line: the server is not there, or there is no epoll.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let mut load = Load::new(arguments.limit)?;
    load.tally.series = (!arguments.series.is_zero()).then(|| Series::new(nanoseconds(arguments.series)));
    let (handshakes, subscriptions) = load.prepare(arguments)?;
    println!("{}", ready_line(&load.tally, handshakes, subscriptions));
    load.listen_to_stdin();
    let drain = if arguments.mode == "idle" { Duration::ZERO } else { arguments.drain };
    load.follow(arguments.quiet, drain)?;
    println!("{}", load.result());
    Ok(())
}

/// All connections, and what they have seen.
pub struct Load {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    clients: Vec<Client>,
    /// Counters of all connections.
    pub tally: Tally,
    deadline: Instant,
    expected: Option<u64>,
    stdin_ended: Option<Instant>,
    cpu_before: f64,
}

impl Load {
    /// A run without connections that ends after `limit`.
    ///
    /// # Errors
    ///
    /// There is no epoll to be had.
    pub fn new(limit: Duration) -> Result<Self, String> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| format!("epoll: {error}"))?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(1024),
            buffer: vec![0; BUFFER],
            clients: Vec::new(),
            tally: Tally::default(),
            deadline: Instant::now() + limit,
            expected: None,
            stdin_ended: None,
            cpu_before: 0.0,
        })
    }

    /// Connects and subscribes; returns handshakes and subscriptions a second.
    fn prepare(&mut self, arguments: &Arguments) -> Result<(f64, f64), String> {
        let handshakes = self.connect_all(arguments)?;
        let subscriptions = self.subscribe_all(arguments)?;
        for client in &self.clients[arguments.clients.min(self.clients.len())..] {
            let _ = epoll::delete(&self.epoll, client.stream());
        }
        self.cpu_before = thread_cpu();
        Ok((handshakes, subscriptions))
    }

    fn connect_all(&mut self, arguments: &Arguments) -> Result<f64, String> {
        let address = resolve(&arguments.address)?;
        let request = request_to_send(
            &arguments.address,
            &arguments.path,
            arguments.token.as_deref(),
            arguments.cookie.as_deref(),
        );
        let warm_up = nanoseconds(arguments.warm_up);
        let total = arguments.clients + arguments.never_read;
        let begin = Instant::now();
        while self.answered() < total && !self.expired() {
            while self.clients.len() < total.min(self.answered() + arguments.connecting) {
                let client = Client::connect(address, &request, warm_up);
                let mut client = client.map_err(|error| format!("{address}: {error}"))?;
                client.set_bare(arguments.bare);
                self.add(client)?;
            }
            self.turn(TURN)?;
        }
        Ok(rate(self.tally.accepted, begin))
    }

    fn answered(&self) -> usize {
        usize::try_from(self.tally.accepted + self.tally.gone).unwrap_or(usize::MAX)
    }

    fn subscribe_all(&mut self, arguments: &Arguments) -> Result<f64, String> {
        let begin = Instant::now();
        if arguments.bare {
            self.tally.subscribed = self.tally.accepted;
        }
        let mut asked = 0;
        while self.settled() < self.clients.len() && !self.expired() {
            while asked < self.clients.len().min(self.settled() + arguments.connecting) {
                let command = command_to_send(&groups_of(asked, arguments));
                if let Err(error) = self.clients[asked].send_text(&command) {
                    self.tally.note_failure(&error.to_string());
                }
                asked += 1;
            }
            self.turn(TURN)?;
        }
        Ok(rate(self.tally.subscribed, begin))
    }

    fn settled(&self) -> usize {
        usize::try_from(self.tally.subscribed + self.tally.errors + self.tally.gone).unwrap_or(usize::MAX)
    }

    /// Takes a connection in.
    ///
    /// # Errors
    ///
    /// epoll refuses its socket.
    pub fn add(&mut self, client: Client) -> Result<(), String> {
        let data = epoll::EventData::new_u64(self.clients.len() as u64);
        epoll::add(&self.epoll, client.stream(), data, epoll::EventFlags::IN).map_err(|e| format!("epoll: {e}"))?;
        self.clients.push(client);
        Ok(())
    }

    /// A stdin that can't be waited for (a file, /dev/null) steers nothing.
    fn listen_to_stdin(&mut self) {
        let data = epoll::EventData::new_u64(STDIN);
        let _ = epoll::add(&self.epoll, std::io::stdin(), data, epoll::EventFlags::IN);
    }

    /// Reads until all is over, see [`run`].
    ///
    /// # Errors
    ///
    /// epoll fails.
    pub fn follow(&mut self, quiet: Duration, drain: Duration) -> Result<(), String> {
        let (mut frames, mut moved) = (0, Instant::now());
        while !self.expired() && self.tally.gone < self.clients.len() as u64 && !self.complete() {
            let ended = |ended: Instant| ended.elapsed() >= drain || ended.max(moved).elapsed() >= quiet;
            if self.stdin_ended.is_some_and(ended) {
                break;
            }
            self.turn(TURN)?;
            if frames != self.tally.frames {
                (frames, moved) = (self.tally.frames, Instant::now());
            }
        }
        Ok(())
    }

    fn expired(&self) -> bool {
        Instant::now() >= self.deadline
    }

    fn complete(&self) -> bool {
        self.expected.is_some_and(|expected| self.tally.frames >= expected)
    }

    /// The result line, with the CPU time spent since all had subscribed.
    #[must_use]
    pub fn result(&self) -> String {
        let sequences = self.clients.iter().flat_map(Client::sequences);
        result_line(&self.tally, sequences, thread_cpu() - self.cpu_before)
    }

    fn turn(&mut self, timeout: Duration) -> Result<(), String> {
        self.events.clear();
        let timeout = Timespec::try_from(timeout).map_err(|error| error.to_string())?;
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(format!("epoll: {error}")),
        }
        for index in 0..self.events.len() {
            match self.events[index].data.u64() {
                STDIN => self.receive_order(),
                client => self.receive(usize::try_from(client).unwrap_or(usize::MAX)),
            }
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if let Err(error) = client.receive(&mut self.buffer, &mut self.tally) {
            let _ = epoll::delete(&self.epoll, client.stream());
            self.tally.gone += 1;
            self.tally.note_failure(&error.to_string());
        }
    }

    fn receive_order(&mut self) {
        let mut words = [0; 256];
        let length = std::io::stdin().read(&mut words).unwrap_or(0);
        if length == 0 {
            let _ = epoll::delete(&self.epoll, std::io::stdin());
            self.stdin_ended = Some(Instant::now());
        }
        let text = String::from_utf8_lossy(&words[..length]);
        if let Some(number) = text.trim().strip_prefix("expect ") {
            self.expected = number.parse().ok();
        }
    }
}

/// The first address of `HOST:PORT`.
pub(crate) fn resolve(address: &str) -> Result<SocketAddr, String> {
    let found = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?;
    found.into_iter().next().ok_or_else(|| format!("{address}: no such address"))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn groups_of(client: usize, arguments: &Arguments) -> Vec<&str> {
    let count = arguments.groups_each.min(arguments.groups.len());
    (client..client + count).map(|number| arguments.groups[number % arguments.groups.len()].as_str()).collect()
}

#[allow(clippy::cast_precision_loss, reason = "a number of clients")]
fn rate(count: u64, begin: Instant) -> f64 {
    count as f64 / begin.elapsed().as_secs_f64()
}
