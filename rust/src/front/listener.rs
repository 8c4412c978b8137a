//! A socket that listens.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, acceptfrom_with};

use super::Watch;

/// What a try to accept has brought.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, and its client's address; none: a unix socket's.
    Connection(OwnedFd, Option<SocketAddr>),
    /// Nobody waits to be accepted.
    Nobody,
    /// There is no descriptor, or no memory, for more.
    NoRoom,
}

/// A duplicate of somebody's listening socket, which stays theirs.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    token: u64,
    is_unix: bool,
    watched: EventFlags,
}

impl Listener {
    /// Not watched yet. What it accepts does not delay what is written.
    ///
    /// # Errors
    ///
    /// When no descriptor is left, or it is no socket.
    pub fn new(socket: BorrowedFd<'_>, token: u64) -> io::Result<Self> {
        let socket = rustix::io::fcntl_dupfd_cloexec(socket, 3)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let is_unix = rustix::net::sockopt::socket_domain(&socket)? == rustix::net::AddressFamily::UNIX;
        if !is_unix {
            rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
        }
        Ok(Listener { socket, token, is_unix, watched: EventFlags::empty() })
    }

    /// Whether newcomers are told of.
    ///
    /// # Errors
    ///
    /// When the kernel has no room.
    pub fn watch(&mut self, watch: &Watch, listens: bool) -> io::Result<()> {
        let wanted = if listens { EventFlags::IN } else { EventFlags::empty() };
        watch.set(self.socket.as_fd(), self.token, self.watched, wanted)?;
        self.watched = wanted;
        Ok(())
    }

    /// Whether somebody waits to be accepted; yes where that can't be known.
    #[must_use]
    pub fn has_newcomers(&self) -> bool {
        let mut looked_at = [PollFd::new(&self.socket, PollFlags::IN)];
        !matches!(poll(&mut looked_at, Some(&Timespec::default())), Ok(0))
    }

    /// The next one that waits.
    #[must_use]
    pub fn accept(&self) -> Accepted {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accepted = if self.is_unix {
            accept_with(&self.socket, flags).map(|socket| (socket, None))
        } else {
            acceptfrom_with(&self.socket, flags)
                .map(|(socket, address)| (socket, address.and_then(|address| address.try_into().ok())))
        };
        match accepted {
            Ok((socket, address)) => Accepted::Connection(socket, address),
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Accepted::NoRoom,
            // Nobody, or somebody who is gone already: whoever else waits is told of again.
            Err(_) => Accepted::Nobody,
        }
    }
}
