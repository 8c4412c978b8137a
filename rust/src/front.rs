//! Connections as the thread of Python's loop has them: accepted, read, and written to before the fan-out does.
//!
//! One descriptor is readable when any of them has something, so that a loop watches that instead of each.

pub mod balance;
mod line;
mod listener;
mod places;
mod rows;
mod watch;

pub use balance::Balance;
pub use line::{Line, Received};
pub use listener::{Accepted, Listener};
pub use places::Places;
pub use rows::{Row, Rows};
pub use watch::{Ready, Watch};
