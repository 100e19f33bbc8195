//! The lines themselves: requests read, responses and events written, each whole and one after the other.

use std::io::{Write, stdout};

use serde_json::{Value, json};

use crate::answer::{Failure, Outcome};
use crate::params::Params;

/// Name and version of the line protocol.
pub(crate) const PROTOCOL: &str = "hat-testee/1";

/// A line that asks for something.
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Params,
}

impl Request {
    /// Reads a line; `None` if it is no request. Nobody waits for an answer to such a line.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut line: Value = serde_json::from_slice(line).ok()?;
        if line["t"] != "req" || line.get("id").is_none() {
            return None;
        }
        let method = line["m"].as_str()?.to_owned();
        let params = Params::new(line.get_mut("p").map(Value::take).unwrap_or_default());
        Some(Self { id: line["id"].take(), method, params })
    }
}

/// Writes the answer to request `id`, and starts what follows from it.
pub(crate) fn respond(id: &Value, outcome: Outcome) {
    match outcome {
        Ok(answer) => {
            write(&json!({"t": "res", "id": id, "ok": answer.ok}));
            if let Some(then) = answer.then {
                then();
            }
        }
        Err(failure) => fail(id, &failure),
    }
}

fn fail(id: &Value, failure: &Failure) {
    write(&json!({"t": "res", "id": id, "err": failure.to_json()}));
}

/// Writes an event of `object`.
pub(crate) fn event(object: u64, name: &str, params: &Value) {
    write(&json!({"t": "evt", "m": name, "obj": object, "p": params}));
}

/// One line at a time, whoever writes it: standard output has a lock of its own.
fn write(line: &Value) {
    let mut line = line.to_string();
    line.push('\n');
    let mut output = stdout().lock();
    // the reader is gone: the end of standard input, which comes with it, ends the process
    let _ = output.write_all(line.as_bytes()).and_then(|()| output.flush());
}
