//! The load client of the relay benchmark.
//!
//! ```text
//! arguments -> load (epoll, phases) -> client (one socket) -> frames (where does the next one start?)
//!                                                          -> event (stream, number, time) -> sequence, histogram, series
//!                                                                                          -> report (one JSON line)
//! ```
//!
//! It must never be what limits a run: one buffer for all sockets, payloads are stepped over, and only the first
//! bytes of a frame are looked at. `rawlimit` proves that on the machine at hand, and `fanoutlimit` is the fan-out alone
//! against it. `echo` sends messages to an application that sends them back.

pub mod arguments;
pub mod client;
pub mod echo;
pub mod event;
pub mod fanoutlimit;
pub mod frames;
pub mod histogram;
pub mod load;
pub mod rawlimit;
pub mod report;
pub mod sequence;
pub mod series;
