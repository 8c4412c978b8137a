//! Who gets what: the registry, the route of each entry, batches, and slabs whose bytes all receivers share.

pub mod backplane;
pub mod batch;
mod client_table;
mod group;
mod name_set;
pub mod names;
pub mod registry;
pub mod route;
pub mod slab;
