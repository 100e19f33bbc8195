//! SBS through its public API: against the deployed peer's vectors, typed against dynamic, and
//! against hostile input.
#![allow(missing_docs, reason = "tests")]

mod files;
mod hostile;
mod properties;
mod refusals;
mod schemas;
mod typed;
mod vectors;

use bytes::Bytes;
use hat_core::sbs::{PreparedType, Repository};

#[track_caller]
fn repository(text: &str) -> Repository {
    Repository::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The type `T` of the module `M` that `definitions` make.
#[track_caller]
fn prepared(definitions: &str) -> PreparedType {
    let repository = repository(&format!("module M\n{definitions}"));
    repository.prepare("M.T").unwrap_or_else(|error| panic!("{definitions}: {error}"))
}

fn hex(text: &str) -> Bytes {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digit).collect()
}
