//! The event path of awxfast.
//!
//! Bytes: [`hmac`] and [`nonce`] (the node secret), [`envelope`] (what producers put on Redis), [`frame`] (RFC 6455),
//! [`wire`] (HTTP/1.1).
//! Who gets what: [`registry`] -> [`route`] -> [`batch`] and [`slab`] (frames, written once) -> [`outbox`] (a client's bounded queue)
//! -> [`fanout`] and [`shard`] (threads that write), with [`ledger`] counting.
//! To other nodes: [`relay`] -> [`share`]. Only `py` knows Python.

pub mod error;
pub mod fanout;
pub mod hmac;
pub mod ledger;
pub mod links;
pub mod nonce;
pub mod routing;
pub mod shard;
pub mod wire;

#[cfg(feature = "python")]
mod py;
