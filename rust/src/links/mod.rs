//! What goes to other nodes: bundles of frames for links, texts for an engine.

pub mod encoder;
pub mod packets;
pub mod share;
