//! The examples, which the guide shows, run against each other on Tokio.

/// What the names of this crate's examples begin with.
const PREFIX: &str = "";

#[path = "../../tests/src/examples.rs"]
mod examples;
