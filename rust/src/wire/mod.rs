//! Bytes to values and back: envelopes, frames, peers' events, heads of requests. Pure: no sockets, no clocks, no logs.

pub mod entry_format;
pub mod envelope;
pub mod fernet;
pub mod frame;
pub mod handshake;
pub mod http1;
pub mod json;
mod json_entry;
pub mod packet;
pub mod peer_event;
pub mod push;
pub mod record;
pub mod replies;
