//! The Hat communication protocols as pure state machines.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "aio")]
pub mod aio;
pub mod buffer;
pub mod chatter;
pub mod eventer;
mod keepalive;
pub mod protocol;
pub mod sbs;
pub mod tcp;
pub mod time;
