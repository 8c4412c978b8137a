//! Who gets what: the registry, the route of each entry, batches, and slabs whose bytes all receivers share.

pub mod batch;
pub mod names;
pub mod registry;
pub mod route;
pub mod slab;
