//! The Hat communication protocols as pure state machines.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod buffer;
pub mod eventer;
pub mod protocol;
pub mod sbs;
pub mod tcp;
pub mod time;
