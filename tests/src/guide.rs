//! The code of the guide, `docs/src/`, run as documentation tests. Longer programs of the guide are
//! examples of the runtime crates, which the guide includes.

/// The chapter on limits: its table holds what the defaults are.
#[doc = include_str!("../../docs/src/limits.md")]
pub struct Limits;
