//! What the tests share: the pair harness, the simulated network, generated values, the vectors,
//! the runtimes, and the real peers.
// a test shows what it holds by what it says
#![allow(missing_debug_implementations)]

pub mod certificates;
pub mod counting;
mod delegating;
pub mod eventer;
pub mod fuzzing;
pub mod generated;
#[cfg(doctest)]
pub mod guide;
pub mod hurried;
pub mod logged;
pub mod machines;
pub mod monitor;
pub mod namespaces;
pub mod pair;
pub mod peers;
pub mod resolving;
pub mod runtimes;
pub mod shifted;
pub mod silent;
pub mod simulated;
pub mod simulation;
pub mod vectors;
pub mod websocket;

/// The README's examples compile.
#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
pub struct Readme;
