//! What bytes mean and back. Pure: no sockets, no clocks, no logs.

pub mod http1;
