//! Descriptors that Python lends.

use std::os::fd::{BorrowedFd, RawFd};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// One that is not used beyond the call that it came with. Raises `OSError` for what is none.
pub fn borrow<'a>(fd: RawFd) -> PyResult<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(PyOSError::new_err("not a descriptor"));
    }
    // SAFETY: the caller keeps `fd` open during its call, beyond which nothing keeps it (the fan-out, its duplicate).
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}
