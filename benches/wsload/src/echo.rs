//! Messages to an application that sends each back: how many it takes, and how long one is under way.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::arguments::Arguments;
use crate::client::{receive_response, request_to_send};
use crate::frames::{Scanner, TEXT, frame_to_send};
use crate::load::resolve;
use crate::report::{Tally, ready_line, result_line, thread_cpu, wall_clock};

const BUFFER: usize = 256 * 1024;
const TURN: Duration = Duration::from_millis(50);

/// Prints the ready line once all are connected, waits for a line on stdin, and then keeps `under_way` messages of
/// `size` bytes on their way for each client, for `limit`. Each that comes back counts as a frame of the result line.
///
/// # Errors
///
/// One line: the server is not there, refuses, closes, or sends something else back.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let message = vec![b'e'; arguments.size];
    let mut load = Echo::new(frame_to_send(TEXT, &message), arguments.size as u64)?;
    let begin = Instant::now();
    load.connect_all(arguments)?;
    let rate = f64::from(u32::try_from(arguments.clients).unwrap_or(u32::MAX)) / begin.elapsed().as_secs_f64();
    println!("{}", ready_line(&load.tally, rate, 0.0));
    io::stdin().lock().read_line(&mut String::new()).map_err(|error| error.to_string())?;
    let cpu = thread_cpu();
    load.follow(arguments.under_way, arguments.limit)?;
    println!("{}", result_line(&load.tally, std::iter::empty(), thread_cpu() - cpu));
    Ok(())
}

/// One connection, whose messages come back in order.
struct Echoed {
    stream: TcpStream,
    response: Option<Vec<u8>>,
    scanner: Scanner,
    /// When the messages that are under way were sent.
    sent: VecDeque<u64>,
    to_send: Vec<u8>,
    waits_for_room: bool,
}

struct Echo {
    epoll: OwnedFd,
    clients: Vec<Echoed>,
    frame: Vec<u8>,
    size: u64,
    tally: Tally,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
}

impl Echo {
    fn new(frame: Vec<u8>, size: u64) -> Result<Self, String> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| format!("epoll: {error}"))?;
        Ok(Self {
            epoll,
            clients: Vec::new(),
            frame,
            size,
            tally: Tally::default(),
            buffer: vec![0; BUFFER],
            events: Vec::with_capacity(1024),
        })
    }

    /// One after the other: handshakes are not what is measured here.
    fn connect_all(&mut self, arguments: &Arguments) -> Result<(), String> {
        let address = resolve(&arguments.address)?;
        let request = request_to_send(&arguments.address, &arguments.path, None, None);
        let deadline = Instant::now() + arguments.limit + Duration::from_secs(30);
        for index in 0..arguments.clients {
            let client = Echoed::connect(address, &request).map_err(|error| format!("{address}: {error}"))?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&self.epoll, &client.stream, data, epoll::EventFlags::IN).map_err(|e| format!("epoll: {e}"))?;
            self.clients.push(client);
            while self.tally.handshakes <= index as u64 {
                self.turn(Instant::now() < deadline)?;
            }
            self.tally.accepted += 1;
            self.tally.subscribed += 1;
        }
        Ok(())
    }

    fn follow(&mut self, under_way: usize, limit: Duration) -> Result<(), String> {
        let end = Instant::now() + limit;
        for index in 0..self.clients.len() {
            self.send(index, under_way).map_err(|error| error.to_string())?;
        }
        while Instant::now() < end {
            self.turn(true)?;
        }
        Ok(())
    }

    fn turn(&mut self, in_time: bool) -> Result<(), String> {
        if !in_time {
            return Err("not all handshakes were answered in time".into());
        }
        self.events.clear();
        let timeout = Timespec::try_from(TURN).map_err(|error| error.to_string())?;
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(format!("epoll: {error}")),
        }
        for number in 0..self.events.len() {
            let event = self.events[number];
            let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            self.receive(index).map_err(|error| format!("client {index}: {error}"))?;
        }
        Ok(())
    }

    /// Reads once, and sends as many messages as have come back.
    fn receive(&mut self, index: usize) -> io::Result<()> {
        let Echoed { stream, response, scanner, sent, .. } = &mut self.clients[index];
        let length = match stream.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        let (now, size, tally) = (wall_clock(), self.size, &mut self.tally);
        let mut returned = 0;
        let frames = receive_response(response, &self.buffer[..length], tally)?;
        scanner.scan(frames, |frame| match sent.pop_front() {
            Some(sent) if frame.plain && (frame.opcode, frame.length) == (TEXT, size) => {
                tally.receive_event(size, sent, now, 0, 0);
                returned += 1;
            }
            _ => tally.odd_frames += 1,
        });
        if self.tally.odd_frames > 0 {
            return Err(io::Error::other("what came is not what was sent"));
        }
        self.send(index, returned)
    }

    /// So many messages, and what there was no room for before.
    fn send(&mut self, index: usize, count: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        let now = wall_clock();
        for _ in 0..count {
            client.to_send.extend_from_slice(&self.frame);
            client.sent.push_back(now);
        }
        client.flush()?;
        let waits = !client.to_send.is_empty();
        if waits != client.waits_for_room {
            client.waits_for_room = waits;
            let room = if waits { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let data = epoll::EventData::new_u64(index as u64);
            epoll::modify(&self.epoll, &client.stream, data, epoll::EventFlags::IN | room)?;
        }
        Ok(())
    }
}

impl Echoed {
    fn connect(address: SocketAddr, request: &[u8]) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(request)?;
        stream.set_nonblocking(true)?;
        let (scanner, response) = (Scanner::default(), Some(Vec::new()));
        Ok(Self { stream, response, scanner, sent: VecDeque::new(), to_send: Vec::new(), waits_for_room: false })
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut begin = 0;
        while begin < self.to_send.len() {
            match self.stream.write(&self.to_send[begin..]) {
                Ok(length) => begin += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.to_send.drain(..begin);
        Ok(())
    }
}
