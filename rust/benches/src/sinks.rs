//! Clients whose sockets swallow all that is written: the kernel copies a write, then drops it, and nobody reads.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use awxfast_core::fanout::Fanout;
use awxfast_core::routing::registry::ClientId;

use crate::audience::allow_all_descriptors;

/// How often it is looked whether all is written: seldom enough to cost nothing beside milliseconds of work.
const LOOK: Duration = Duration::from_micros(200);

/// Datagram sockets, each towards a receiver of its own that never reads. A write of more than 64 KiB would fail, so
/// nothing may be published while that much waits for a client.
pub struct Sinks {
    /// Their numbers in the fan-out.
    pub clients: Vec<ClientId>,
    receivers: Vec<UdpSocket>,
}

impl Sinks {
    /// Connects so many clients to a fan-out.
    #[must_use]
    pub fn new(fanout: &Fanout, clients: usize) -> Self {
        allow_all_descriptors();
        let mut sinks = Sinks { clients: Vec::new(), receivers: Vec::new() };
        for _ in 0..clients {
            let receiver = UdpSocket::bind("127.0.0.1:0").expect("a descriptor");
            let sender = UdpSocket::bind("127.0.0.1:0").expect("a descriptor");
            sender.connect(receiver.local_addr().expect("a socket")).expect("the loopback");
            sender.set_nonblocking(true).expect("a socket");
            sinks.clients.push(fanout.attach(sender.as_fd()).expect("a descriptor"));
            sinks.receivers.push(receiver);
        }
        sinks
    }
}

/// Returns when so many frames are written.
pub fn wait_until_written(fanout: &Fanout, frames: u64) {
    while fanout.counts().tally.frames.written < frames {
        std::thread::sleep(LOOK);
    }
}
