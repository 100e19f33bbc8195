//! Where events are kept.

pub mod memory;
