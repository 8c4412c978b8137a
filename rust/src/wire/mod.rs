//! Bytes to values and back: envelopes, frames, peers' events, heads of requests. Pure: no sockets, no clocks, no logs.

pub mod envelope;
pub mod frame;
pub mod handshake;
pub mod http1;
pub mod json;
pub mod peer_event;
pub mod push;
pub mod record;
