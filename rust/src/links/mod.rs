//! Batches for the links to other nodes.

pub mod relay;
pub mod share;
