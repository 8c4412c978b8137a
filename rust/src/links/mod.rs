//! Bundles of frames for the links to other nodes.

pub mod encoder;
pub mod share;
