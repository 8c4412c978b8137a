//! Messages that come back, against a server of a few lines.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

const GOOD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const MASKED_HEADER: usize = 6;
const SIZE: usize = 64;

/// Takes one client's handshake, then hands each of its messages to `answer`, until it is gone.
fn serve(mut stream: TcpStream, answer: impl Fn(&[u8]) -> Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    stream.write_all(GOOD).unwrap();
    let mut frame = [0; MASKED_HEADER + SIZE];
    while stream.read_exact(&mut frame).is_ok() {
        assert_eq!(frame[..MASKED_HEADER], [0x81, 0x80 | 64, 0, 0, 0, 0]);
        if stream.write_all(&answer(&frame[MASKED_HEADER..])).is_err() {
            break;
        }
    }
}

/// The lines that `wsload echo` printed, and whether it succeeded.
fn run(answer: impl Fn(&[u8]) -> Vec<u8> + Clone + Send + 'static) -> (String, bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || serve(stream, answer));
        }
    });
    let options = ["--clients", "3", "--size", "64", "--under-way", "8", "--seconds", "0.3"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsload"));
    command.args(["echo", &address]).args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let done = child.wait_with_output().unwrap();
    (String::from_utf8(done.stdout).unwrap(), done.status.success())
}

#[test]
fn messages_that_come_back_are_counted() {
    let (printed, succeeded) = run(|payload| [&[0x81, 64], payload].concat());
    assert!(succeeded);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].contains("\"connected\": 3"), "{}", lines[0]);
    assert!(lines[1].contains("\"odd_frames\": 0") && !lines[1].contains("\"frames\": 0"), "{}", lines[1]);
}

#[test]
fn message_that_comes_back_shorter_ends_the_run() {
    let (printed, succeeded) = run(|payload| [&[0x81, 63], &payload[1..]].concat());
    assert!(!succeeded);
    assert_eq!(printed.lines().count(), 1);
}
