//! How fast can this machine move such frames at all, and does the reader keep up?
//!
//! A thread sends prepared frames round and round to all connections, a whole batch a write, and the usual reader
//! reads them. What a relay does can be held against this; the reader's own share is its price.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_congestion;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::arguments::Arguments;
use crate::client::Client;
use crate::load::Load;
use crate::report::{NANOS, Object, thread_cpu, wall_clock};

/// What the reader has to say.
pub struct Read {
    /// The line that it printed itself.
    pub line: String,
    /// How many event frames arrived.
    pub frames: u64,
    /// From the first to the last.
    pub took: Duration,
    /// CPU seconds of the reader.
    pub cpu: f64,
}

/// Runs for `arguments.limit` and prints the reader's line, then one of the limit.
///
/// # Errors
///
/// One line: no sockets to be had.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let (senders, readers) = pairs(arguments.clients).map_err(|error| error.to_string())?;
    for (stream, name) in senders.iter().zip(arguments.congestion.iter().cycle()) {
        set_tcp_congestion(stream, name).map_err(|error| format!("--congestion {name}: {error}"))?;
    }
    pin(arguments.server_core)?;
    let sender = send_in_background(senders, arguments.clone());
    pin(arguments.load_core)?;
    let read = read_all(readers, arguments)?;
    let sender_cpu = sender.join().map_err(|_| "the sender failed")?;
    println!("{}", read.line);
    println!("{}", summary("rawlimit", Object::default(), &read, sender_cpu));
    Ok(())
}

/// Keeps the calling thread, and those that it starts from now on, on one core.
///
/// # Errors
///
/// One line: there is no such core.
pub fn pin(core: Option<usize>) -> Result<(), String> {
    let Some(core) = core else { return Ok(()) };
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).map_err(|error| format!("core {core}: {error}"))
}

/// Reads until all connections have ended.
///
/// # Errors
///
/// One line: a socket or epoll fails.
pub fn read_all(readers: Vec<TcpStream>, arguments: &Arguments) -> Result<Read, String> {
    let mut load = Load::new(arguments.limit + Duration::from_secs(10))?;
    for stream in readers {
        load.add(Client::adopt(stream).map_err(|error| error.to_string())?)?;
    }
    let cpu_before = thread_cpu();
    load.follow(Duration::MAX, Duration::MAX)?;
    let took = Duration::from_nanos(load.tally.last_frame - load.tally.first_frame);
    Ok(Read { line: load.result(), frames: load.tally.frames, took, cpu: thread_cpu() - cpu_before })
}

/// Adds to `line` what sender and reader did.
#[allow(clippy::cast_precision_loss, reason = "frames of a bounded run are far below 2^53")]
#[must_use]
pub fn summary(name: &str, mut line: Object, read: &Read, sender_cpu: f64) -> String {
    let millions = read.frames as f64 / 1e6;
    line.decimal("frames_per_s", read.frames as f64 / read.took.as_secs_f64());
    line.decimal("sender_cpu_s_per_m", sender_cpu / millions).decimal("reader_cpu_s_per_m", read.cpu / millions);
    line.decimal("reader_frames_per_cpu_s", read.frames as f64 / read.cpu);
    format!("{{\"{name}\": {}}}", line.close())
}

/// Connected sockets, sender and reader.
///
/// # Errors
///
/// No sockets to be had.
pub fn pairs(count: usize) -> std::io::Result<(Vec<TcpStream>, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let pair = |_| Ok((TcpStream::connect(address)?, listener.accept()?.0));
    (0..count).map(pair).collect()
}

fn send_in_background(streams: Vec<TcpStream>, arguments: Arguments) -> JoinHandle<f64> {
    std::thread::spawn(move || {
        send(streams, &arguments);
        thread_cpu()
    })
}

fn send(mut streams: Vec<TcpStream>, arguments: &Arguments) {
    let begin = Instant::now();
    let mut number = 0;
    while begin.elapsed() < arguments.limit {
        let batch = batch_to_send(number, arguments);
        number += arguments.batch as u64;
        streams.retain_mut(|stream| stream.write_all(&batch).is_ok());
    }
}

fn batch_to_send(number: u64, arguments: &Arguments) -> Vec<u8> {
    let mut batch = Vec::with_capacity(arguments.batch * (arguments.size + 4));
    for number in number..number + arguments.batch as u64 {
        let text = event_text(number, arguments.size);
        batch.extend([0x81, 126]);
        batch.extend(u16::try_from(text.len()).expect("clamped").to_be_bytes());
        batch.extend(text);
    }
    batch
}

/// An event's text of `size` bytes, 126 to 65,535 of them, as the producers write it.
#[must_use]
pub fn event_text(number: u64, size: usize) -> Vec<u8> {
    let now = wall_clock();
    let front = format!(r#"{{"stream": 0, "seq": {number}, "t": {}.{:09}, "stdout": ""#, now / NANOS, now % NANOS);
    let mut text = front.into_bytes();
    text.resize(size.clamp(126, 65535) - 2, b'x');
    text.extend(br#""}"#);
    text
}
