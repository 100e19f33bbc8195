//! What the tests share: the pair harness, the vectors, and the real peers.

pub mod pair;
pub mod vectors;
