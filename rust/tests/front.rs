//! Connections of the loop's thread: what they read and write, and what they are looked at for.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use awxfast_core::front::{Accepted, Line, Listener, Places, Ready, Received, Watch};

fn look(watch: &Watch) -> Vec<Ready> {
    let mut ready = VecDeque::new();
    assert!(!watch.look(64, &mut ready));
    ready.into()
}

/// A line that is watched as number 7, and its client.
fn line(watch: &Watch) -> (Line, TcpStream) {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let (socket, _) = listening.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut line = Line::new(OwnedFd::from(socket), 7);
    line.settle(watch).unwrap();
    (line, client)
}

#[test]
fn a_number_is_nobodys_once_its_thing_is_gone() {
    let mut places = Places::default();
    let first = places.next();
    places.add("first");
    assert_eq!(places.get(first), Some(&"first"));
    assert_eq!(places.remove(first), Some("first"));
    assert_eq!(places.remove(first), None);
    let second = places.next();
    places.add("second");
    assert_ne!(first, second);
    assert_eq!(places.get(first), None);
    assert_eq!(places.drain().collect::<Vec<_>>(), ["second"]);
    assert_eq!(places.get(second), None);
}

#[test]
fn a_listener_tells_who_waits_while_it_is_watched() {
    let watch = Watch::new().unwrap();
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    listening.set_nonblocking(true).unwrap();
    let mut listener = Listener::new(listening.as_fd(), 9).unwrap();
    listener.watch(&watch, true).unwrap();
    let client = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    assert_eq!(look(&watch), [Ready { token: 9, reads: true, writes: false, ends: false }]);
    let Accepted::Connection(_, address) = listener.accept() else { panic!("nobody waits") };
    assert_eq!(address, Some(client.local_addr().unwrap()));
    assert!(matches!(listener.accept(), Accepted::Nobody));
    let _second = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    listener.watch(&watch, false).unwrap();
    assert_eq!(look(&watch), []);
}

#[test]
fn a_line_reads_what_came_and_then_the_end() {
    let watch = Watch::new().unwrap();
    let (line, mut client) = line(&watch);
    let mut buffer = [0; 16];
    assert_eq!(line.receive(&mut buffer).unwrap(), Received::Nothing);
    client.write_all(b"hello").unwrap();
    assert_eq!(look(&watch), [Ready { token: 7, reads: true, writes: false, ends: false }]);
    assert_eq!(line.receive(&mut buffer).unwrap(), Received::Bytes(5));
    drop(client);
    assert!(look(&watch)[0].ends);
    assert_eq!(line.receive(&mut buffer).unwrap(), Received::End);
}

#[test]
fn a_line_that_is_not_read_is_looked_for_until_it_has_something() {
    let watch = Watch::new().unwrap();
    let (mut line, mut client) = line(&watch);
    line.set_reads(false);
    line.settle(&watch).unwrap();
    client.write_all(b"hello").unwrap();
    assert_eq!(look(&watch).len(), 1);
    line.look_away(&watch).unwrap();
    assert_eq!(look(&watch), []);
    line.set_reads(true);
    line.settle(&watch).unwrap();
    assert_eq!(look(&watch).len(), 1);
}

#[test]
fn a_full_socket_is_written_to_when_it_takes_more_and_ended_behind_that() {
    let watch = Watch::new().unwrap();
    let (mut line, mut client) = line(&watch);
    let whole = vec![7; 1 << 24];
    line.queue(&whole);
    line.end();
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        got
    });
    line.flush().unwrap();
    line.settle(&watch).unwrap();
    while line.unsent() > 0 {
        assert!(line.is_blocked());
        if look(&watch).iter().any(|ready| ready.writes) {
            line.flush().unwrap();
            line.settle(&watch).unwrap();
        }
    }
    assert!(!line.is_blocked());
    assert!(reader.join().unwrap() == whole);
}

#[test]
fn a_line_that_has_left_is_not_told_of_though_somebody_has_its_duplicate() {
    let watch = Watch::new().unwrap();
    let (mut line, mut client) = line(&watch);
    let _duplicate = line.as_fd().try_clone_to_owned().unwrap();
    line.leave(&watch);
    drop(line);
    client.write_all(b"hello").unwrap();
    assert_eq!(look(&watch), []);
}
