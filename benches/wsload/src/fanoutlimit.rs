//! What awxfast's fan-out moves when nothing else is in its way: no Redis, no Python.
//!
//! A thread publishes batches of ready queue entries, the fan-out's own thread writes them to all connections, and the
//! usual reader reads them, with the cores shared as in [`crate::rawlimit`], which it is held against.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use awxfast_core::fanout::{Config, Entry, Fanout, Rules};
use awxfast_core::shard::outbox::Bounds;
use awxfast_core::wire::entry_format::EntryFormat;
use rmp::encode;

use crate::arguments::Arguments;
use crate::rawlimit::{event_text, pairs, pin, read_all, summary};
use crate::report::{Object, process_cpu};

const GROUP: &str = "job_events-1";
const PREFIX: usize = 12;
/// Frames a client may have unwritten before the publisher waits: so that the fan-out never idles and never sheds.
const AHEAD: u64 = 256;
const WAIT: Duration = Duration::from_micros(50);
/// No run takes so long: a reader that is gone must not hold up the end.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Runs for `arguments.limit` and prints the reader's line, then one of the fan-out.
///
/// # Errors
///
/// One line: no sockets or threads to be had.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let (senders, readers) = pairs(arguments.clients).map_err(|error| error.to_string())?;
    pin(arguments.server_core)?;
    let fanout = start(senders).map_err(|error| error.to_string())?;
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| publish(&fanout, arguments));
        pin(arguments.load_core)?;
        let cpu_before = process_cpu();
        let read = read_all(readers, arguments)?;
        publisher.join().map_err(|_| "the publisher failed")?;
        let sender_cpu = process_cpu() - cpu_before - read.cpu;
        let counts = fanout.counts();
        println!("{}", read.line);
        let mut line = Object::default();
        line.number("shed", counts.tally.frames.shed.iter().sum()).number("writes", counts.tally.writes);
        println!("{}", summary("fanoutlimit", line, &read, sender_cpu));
        Ok(())
    })
}

fn config() -> Config {
    Config {
        threads: 1,
        bounds: Bounds { frames: 10_000, bytes: 64 << 20 },
        memory: 512 << 20,
        replies: None,
        send_buffer: 256 << 10,
        close_slow: false,
        status_groups: Vec::new(),
        rules: Rules {
            format: Arc::new(EntryFormat::plain(PREFIX)),
            max_event_size: 16 << 20,
            direct_types: vec!["internal.message".into()],
            consumers: false,
        },
    }
}

/// A fan-out that writes to `senders`: to duplicates; the sockets themselves are closed here.
///
/// # Errors
///
/// No threads or descriptors to be had.
pub fn start(senders: Vec<TcpStream>) -> std::io::Result<Fanout> {
    let fanout = Fanout::start(config())?;
    fanout.add_channel(&channel(), GROUP);
    for socket in senders {
        socket.set_nonblocking(true)?;
        let client = fanout.attach(socket.as_fd())?;
        fanout.subscribe(client, &[GROUP], &[], None);
    }
    Ok(fanout)
}

/// Publishes for `arguments.limit`, then ends the fan-out when all is written; returns the number of events.
pub fn publish(fanout: &Fanout, arguments: &Arguments) -> u64 {
    let (begin, mut number) = (Instant::now(), 0);
    while begin.elapsed() < arguments.limit {
        let frames = fanout.counts().tally.frames;
        if number * arguments.clients as u64 > frames.written + AHEAD * arguments.clients as u64 {
            std::thread::sleep(WAIT);
            continue;
        }
        let batch: Vec<Vec<u8>> =
            (number..number + arguments.batch as u64).map(|number| member(number, arguments.size)).collect();
        let entries: Vec<Entry<'_>> = batch.iter().map(|bytes| Entry { bytes, score: 0.0 }).collect();
        drop(fanout.publish(&entries));
        number += arguments.batch as u64;
    }
    while fanout.counts().tally.frames.written < number * arguments.clients as u64 && begin.elapsed() < GIVE_UP {
        std::thread::sleep(WAIT);
    }
    fanout.stop(); // with the last duplicate of each socket the reader sees its end
    number
}

fn channel() -> String {
    format!("bench.{GROUP}")
}

/// An entry as `group_send` of `channels_redis` writes it: 12 random bytes, then msgpack of type, text and channels.
fn member(number: u64, size: usize) -> Vec<u8> {
    let text = event_text(number, size);
    let text = std::str::from_utf8(&text).expect("ASCII");
    let mut member = vec![0; PREFIX];
    encode::write_map_len(&mut member, 3).expect("memory");
    for string in ["type", "internal.message", "text", text, "__asgi_channel__"] {
        encode::write_str(&mut member, string).expect("memory");
    }
    encode::write_array_len(&mut member, 1).expect("memory");
    encode::write_str(&mut member, &format!("p!{}", channel())).expect("memory");
    member
}
