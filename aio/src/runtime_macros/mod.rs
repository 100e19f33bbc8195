//! What a runtime crate writes to name `connect` and `listen` of every protocol for its runtime.

mod protocols;
#[cfg(feature = "web")]
mod web;
