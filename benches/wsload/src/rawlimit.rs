//! How fast can this machine move such frames at all, and does the reader keep up?
//!
//! A thread sends prepared frames round and round to all connections, a whole batch a write, and the usual reader
//! reads them. What a relay does can be held against this; the reader's own share is its price.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_congestion;

use crate::arguments::Arguments;
use crate::client::Client;
use crate::load::Load;
use crate::report::{NANOS, Object, thread_cpu, wall_clock};

/// Runs for `arguments.limit` and prints one line.
///
/// # Errors
///
/// One line: no sockets to be had.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let (senders, readers) = pairs(arguments.clients).map_err(|error| error.to_string())?;
    for (stream, name) in senders.iter().zip(arguments.congestion.iter().cycle()) {
        set_tcp_congestion(stream, name).map_err(|error| format!("--congestion {name}: {error}"))?;
    }
    let mut load = Load::new(arguments.limit + Duration::from_secs(10))?;
    for stream in readers {
        load.add(Client::adopt(stream).map_err(|error| error.to_string())?)?;
    }
    let (begin, cpu_before) = (Instant::now(), thread_cpu());
    let sender = send_in_background(senders, arguments.clone());
    load.follow(Duration::MAX, Duration::MAX)?;
    let took = begin.elapsed();
    let reader_cpu = thread_cpu() - cpu_before;
    let sender_cpu = sender.join().map_err(|_| "the sender failed")?;
    println!("{}", load.result());
    println!("{}", summary(load.tally.frames, took, sender_cpu, reader_cpu));
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "frames of a bounded run are far below 2^53")]
fn summary(frames: u64, took: Duration, sender_cpu: f64, reader_cpu: f64) -> String {
    let millions = frames as f64 / 1e6;
    let mut line = Object::default();
    line.decimal("frames_per_s", frames as f64 / took.as_secs_f64());
    line.decimal("sender_cpu_s_per_m", sender_cpu / millions).decimal("reader_cpu_s_per_m", reader_cpu / millions);
    line.decimal("reader_frames_per_cpu_s", frames as f64 / reader_cpu);
    format!("{{\"rawlimit\": {}}}", line.close())
}

fn pairs(count: usize) -> std::io::Result<(Vec<TcpStream>, Vec<TcpStream>)> {
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
    let now = wall_clock();
    let mut batch = Vec::with_capacity(arguments.batch * (arguments.size + 4));
    for number in number..number + arguments.batch as u64 {
        let front = format!(r#"{{"stream": 0, "seq": {number}, "t": {}.{:09}, "stdout": ""#, now / NANOS, now % NANOS);
        let size = u16::try_from(arguments.size.clamp(126, 65535)).expect("clamped");
        batch.extend([0x81, 126]);
        batch.extend(size.to_be_bytes());
        let begin = batch.len();
        batch.extend(front.as_bytes());
        batch.resize(begin + usize::from(size) - 2, b'x');
        batch.extend(br#""}"#);
    }
    batch
}
