//! One connection: what is to be written, and what its socket is looked at for.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::Watch;

/// What a read has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes of the peer.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// The peer sends no more.
    End,
}

/// A connected, non-blocking socket.
#[derive(Debug)]
pub struct Line {
    socket: OwnedFd,
    token: u64,
    watched: EventFlags,
    reads: bool,
    unsent: Vec<u8>,
    sent: usize,
    ends: bool,
}

impl Line {
    /// Reads from the start, but is not watched before `settle`.
    #[must_use]
    pub fn new(socket: OwnedFd, token: u64) -> Self {
        Line { socket, token, watched: EventFlags::empty(), reads: true, unsent: Vec::new(), sent: 0, ends: false }
    }

    /// What it has in the watch.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Whether it is to be read.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.reads
    }

    /// Says whether it is to be read. `settle` follows where it is.
    pub fn set_reads(&mut self, reads: bool) {
        self.reads = reads;
    }

    /// Reads once.
    ///
    /// # Errors
    ///
    /// The socket's, which is of no more use.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        match rustix::net::recv(&self.socket, buffer, RecvFlags::empty()) {
            Ok((0, _)) => Ok(Received::End),
            Ok((count, _)) => Ok(Received::Bytes(count)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(Received::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes that the socket has not taken.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.unsent.len() - self.sent
    }

    /// Whether the socket has been found full.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.watched.contains(EventFlags::OUT)
    }

    /// To be written by `flush`.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Whether nothing may be queued any more.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.ends
    }

    /// The peer is told that no more comes, behind what is queued.
    pub fn end(&mut self) {
        if !self.ends {
            self.ends = true;
            self.shut_down_when_sent();
        }
    }

    fn shut_down_when_sent(&self) {
        if self.ends && self.unsent() == 0 {
            // A socket that is gone says ENOTCONN: reading it tells the same.
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
        }
    }

    /// Forgets what was queued.
    pub fn drop_unsent(&mut self) {
        self.unsent = Vec::new();
        self.sent = 0;
    }

    /// Writes as much as the socket takes.
    ///
    /// # Errors
    ///
    /// The socket's, which is of no more use.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            match rustix::net::send(&self.socket, &self.unsent[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.unsent.drain(..self.sent);
                    self.sent = 0;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.drop_unsent();
        self.shut_down_when_sent();
        Ok(())
    }

    /// Has the watch look for what matters now. What is not read any more is still looked for: most are read again
    /// before they have something.
    ///
    /// # Errors
    ///
    /// When the kernel has no room for it.
    pub fn settle(&mut self, watch: &Watch) -> io::Result<()> {
        self.look_for(watch, self.reads || self.watched.contains(EventFlags::IN))
    }

    /// It has something though it is not read: that is not looked for any more.
    ///
    /// # Errors
    ///
    /// As `settle`.
    pub fn look_away(&mut self, watch: &Watch) -> io::Result<()> {
        self.look_for(watch, false)
    }

    fn look_for(&mut self, watch: &Watch, reads: bool) -> io::Result<()> {
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN | EventFlags::RDHUP, reads);
        wanted.set(EventFlags::OUT, self.unsent() > 0);
        self.set_watched(watch, wanted)
    }

    /// Nothing is looked for any more. To be called before the end: somebody else may have a duplicate.
    pub fn leave(&mut self, watch: &Watch) {
        // It can only fail for a socket that is not there, and that one is.
        let _ = self.set_watched(watch, EventFlags::empty());
    }

    fn set_watched(&mut self, watch: &Watch, wanted: EventFlags) -> io::Result<()> {
        watch.set(self.socket.as_fd(), self.token, self.watched, wanted)?;
        self.watched = wanted;
        Ok(())
    }

    /// Its own address; none: a unix socket's.
    #[must_use]
    pub fn own_address(&self) -> Option<SocketAddr> {
        rustix::net::getsockname(&self.socket).ok()?.try_into().ok()
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
