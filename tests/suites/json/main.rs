//! JSON values, patches and the state of Juggler, through the public API: against the public suite,
//! the deployed peers' vectors, another implementation, and hostile input.
#![allow(missing_docs, reason = "tests")]

mod documents;
mod hostile;
mod oracle;
mod peer;
mod properties;
mod standard;
mod state;
mod text;
mod vectors;

use hat_core::json::{Limits, Patch, Pointer, Value};

/// The value that a text is, within the default limits.
#[track_caller]
fn value(text: &str) -> Value {
    Value::parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn patch(text: &str) -> Patch {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn path(text: &str) -> Pointer {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// `before` with the patch applied.
#[track_caller]
fn patched(before: &Value, patch: &Patch) -> Value {
    let mut value = before.clone();
    let applied = patch.apply(&mut value, &Limits::default());
    applied.unwrap_or_else(|error| panic!("{patch} to {before}: {error}"));
    value
}
