//! The macros with which a runtime crate defines `connect` and `listen` of every protocol for its
//! runtime.

#[cfg(feature = "juggler")]
mod juggler;
mod protocols;
#[cfg(feature = "web")]
mod web;
#[cfg(feature = "websocket")]
mod websocket;
