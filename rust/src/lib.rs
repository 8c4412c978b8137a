//! The event path of awxfast.
//!
//! Bytes: [`hmac`] and [`nonce`] (the node secret), [`envelope`] (what producers put on Redis), [`frame`] (RFC 6455),
//! [`wire`] (HTTP/1.1).
//! Who gets what: [`registry`] -> [`route`] -> [`batch`] and [`slab`] (frames, written once) -> [`outbox`] (a client's bounded queue)
//! -> [`fanout`] and [`shard`] (threads that write), with [`ledger`] counting.
//! To other nodes: [`relay`] -> [`share`]. Only `py` knows Python.

pub mod batch;
pub mod client;
pub mod command;
pub mod envelope;
pub mod error;
pub mod fanout;
pub mod frame;
pub mod hmac;
pub mod json;
pub mod ledger;
pub mod mailbox;
pub mod members;
pub mod nonce;
pub mod outbox;
pub mod pace;
pub mod peer;
pub mod registry;
pub mod relay;
pub mod route;
pub mod shard;
pub mod share;
pub mod slab;
pub mod wire;

#[cfg(feature = "python")]
mod py;
