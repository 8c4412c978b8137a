//! What several serving processes tell each other, in memory that all of them see: `system/shares` in Python says why
//! nobody locks it.

use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{SealFlags, fcntl_get_seals, fstat};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// One process's words, at the places where Python has them; a line of the processor's cache.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Row {
    pid: AtomicU64,
    generation: AtomicU64,
    websockets: AtomicU64,
    load: AtomicU64,
    looked_at: AtomicU64,
    accepted: AtomicU64,
    admitted: AtomicU64,
    asks: AtomicU64,
}

impl Row {
    /// How much it has on its hands.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.load.load(Ordering::Relaxed)
    }

    /// When its loop last looked at the table, in nanoseconds; 0: it does not listen.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.looked_at.load(Ordering::Relaxed)
    }

    /// Connections ever, whoever had the row.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Its process, `pid`, looks now. Its number with all else: main may clear a row that another has just got.
    pub fn tell(&self, pid: u32, websockets: u64, load: u64, now: u64) {
        self.pid.store(pid.into(), Ordering::Relaxed);
        self.websockets.store(websockets, Ordering::Relaxed);
        self.load.store(load, Ordering::Relaxed);
        self.looked_at.store(now, Ordering::Relaxed);
    }

    /// One more was accepted now, with which it has so much.
    pub fn tell_accepted(&self, load: u64, now: u64) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.load.store(load, Ordering::Relaxed);
        self.tell_looked(now);
    }

    /// Others are not to take it for one that is held up: its loop has just run, however long its turn is.
    pub fn tell_looked(&self, now: u64) {
        self.looked_at.store(now, Ordering::Relaxed);
    }
}

/// All rows, for as long as this is there.
#[derive(Debug)]
pub struct Rows {
    first: NonNull<Row>,
    count: usize,
}

impl Rows {
    /// Those of a table that Python has made.
    ///
    /// # Errors
    ///
    /// The kernel's, and `InvalidInput` for what may become shorter, or is not made of rows.
    pub fn map(table: BorrowedFd<'_>) -> io::Result<Self> {
        let size = usize::try_from(fstat(table)?.st_size).unwrap_or_default();
        let is_table = size > 0 && size.is_multiple_of(size_of::<Row>());
        if !is_table || !fcntl_get_seals(table)?.contains(SealFlags::SHRINK) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: a new mapping, at an address of the kernel's choice: nothing that is there changes.
        let mapped =
            unsafe { mmap(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, table, 0)? };
        let first = NonNull::new(mapped.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Rows { first, count: size / size_of::<Row>() })
    }

    /// In the order of the workers.
    #[must_use]
    pub fn all(&self) -> &[Row] {
        // SAFETY: `count` rows are mapped at `first`, which is a page's beginning, until `drop`; the memory can't become
        // shorter. A row is nothing but atomics, so any bytes are one, and others may write them at any time.
        unsafe { slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: what `map` has mapped; whoever borrows of it does so no longer than this is there.
        let _ = unsafe { munmap(self.first.as_ptr().cast(), self.count * size_of::<Row>()) };
    }
}

// SAFETY: it owns its mapping, which has no thread of its own, and all of it is atomics.
unsafe impl Send for Rows {}
// SAFETY: the same.
unsafe impl Sync for Rows {}
