//! What many sockets are looked at for.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A socket that has something, by the number that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The number that the socket was given.
    pub token: u64,
    /// It can be read, or has ended.
    pub reads: bool,
    /// It can be written to, or has ended.
    pub writes: bool,
    /// Its peer sends no more: that stands behind what can be read.
    pub ends: bool,
}

/// Says which of its sockets are ready, for as long as they are.
#[derive(Debug)]
pub struct Watch {
    epoll: OwnedFd,
}

impl Watch {
    /// One without sockets.
    ///
    /// # Errors
    ///
    /// When no descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Watch { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Its own readiness is `token`'s in this one.
    ///
    /// # Errors
    ///
    /// When the kernel has no room.
    pub fn contain(&self, other: &Watch, token: u64) -> io::Result<()> {
        self.set(other.as_fd(), token, EventFlags::empty(), EventFlags::IN)
    }

    /// So many that are ready now, those first that were not told of for the longest. Whether there may be more.
    pub fn look(&self, most: usize, ready: &mut VecDeque<Ready>) -> bool {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(most);
        // The only error is EINTR: the loop looks again.
        let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&AT_ONCE));
        let ended = EventFlags::HUP | EventFlags::ERR;
        ready.extend(events.iter().map(|event| {
            let flags = event.flags; // the kernel's struct is packed
            Ready {
                token: event.data.u64(),
                reads: flags.intersects(EventFlags::IN | ended),
                writes: flags.intersects(EventFlags::OUT | ended),
                ends: flags.intersects(EventFlags::RDHUP | ended),
            }
        }));
        events.len() == most
    }

    pub(super) fn set(
        &self,
        socket: BorrowedFd<'_>,
        token: u64,
        before: EventFlags,
        now: EventFlags,
    ) -> io::Result<()> {
        match (before.is_empty(), now.is_empty()) {
            _ if before == now => {}
            (true, _) => epoll::add(&self.epoll, socket, EventData::new_u64(token), now)?,
            (_, true) => epoll::delete(&self.epoll, socket)?,
            _ => epoll::modify(&self.epoll, socket, EventData::new_u64(token), now)?,
        }
        Ok(())
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
