//! The event path of awxfast.
//!
//! - [`hmac`], [`nonce`]: the secret of the nodes, and what was seen of it.
//! - [`wire`]: bytes to values and back: what producers put on Redis, frames (RFC 6455), heads of requests.
//! - [`routing`]: who gets what, and slabs: frames written once, whose bytes all receivers share.
//! - [`shard`]: a thread that writes to its clients' sockets, from a bounded queue for each.
//! - [`links`]: batches for the links to other nodes.
//! - [`handover`]: all of that as one process leaves it to the next.
//! - [`front`]: connections in the thread of Python's loop, until the fan-out writes to them.
//! - [`fanout`]: the owner of the shards, with [`ledger`] counting. Only `py` knows Python.

pub mod error;
pub mod fanout;
pub mod front;
pub mod handover;
pub mod hmac;
pub mod ledger;
pub mod links;
pub mod nonce;
pub mod routing;
pub mod shard;
pub mod wire;

#[cfg(feature = "python")]
mod py;
