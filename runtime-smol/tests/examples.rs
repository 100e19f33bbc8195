//! The examples, which the guide shows, run against each other on smol.

/// What the names of this crate's examples begin with.
const PREFIX: &str = "smol_";

#[path = "../../tests/src/examples.rs"]
mod examples;
