//! Clients whose sockets are read to the last byte, so that a run ends when all is delivered, without polling.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use awxfast_core::fanout::Fanout;
use awxfast_core::routing::registry::ClientId;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The far ends; the near ends are the fan-out's alone.
pub struct Audience {
    /// Their numbers in the fan-out.
    pub clients: Vec<ClientId>,
    sockets: Vec<UnixStream>,
    buffer: Vec<u8>,
}

impl Audience {
    /// Connects so many clients to a fan-out.
    #[must_use]
    pub fn new(fanout: &Fanout, clients: usize) -> Self {
        allow_all_descriptors();
        let mut audience = Audience { clients: Vec::new(), sockets: Vec::new(), buffer: vec![0; 64 << 10] };
        for _ in 0..clients {
            let (here, there) = UnixStream::pair().expect("a descriptor");
            there.set_nonblocking(true).expect("a socket");
            here.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
            audience.clients.push(fanout.attach(there.as_fd()).expect("a descriptor"));
            audience.sockets.push(here);
        }
        audience
    }

    /// Takes so many bytes from each.
    pub fn read(&mut self, bytes: usize) {
        for socket in &mut self.sockets {
            socket.read_exact(&mut self.buffer[..bytes]).expect("frames");
        }
    }
}

/// 1,000 clients need more than the 1,024 descriptors that most shells give.
pub fn allow_all_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .expect("within the hard limit");
}
