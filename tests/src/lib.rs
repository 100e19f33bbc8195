//! What the tests share: the pair harness, generated values, the vectors, the runtimes, and the real peers.

pub mod certificates;
pub mod eventer;
pub mod fuzzing;
pub mod generated;
pub mod pair;
pub mod peers;
pub mod runtimes;
pub mod vectors;

/// The README's examples compile.
#[doc = include_str!("../../README.md")]
#[cfg(doctest)]
pub struct Readme;
