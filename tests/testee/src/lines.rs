//! The lines themselves: requests and replies read, responses, events and calls written, each whole
//! and one after the other.

use std::io::{Write, stdout};

use serde_json::{Value, json};

use crate::answer::{Failure, Outcome};
use crate::calls::CallResult;
use crate::params::Params;

/// Name and version of the line protocol.
pub(crate) const PROTOCOL: &str = "hat-testee/1";

/// A line that asks for something.
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Params,
}

/// A line that answers a call.
pub(crate) struct Reply {
    pub(crate) id: u64,
    pub(crate) called: CallResult,
}

/// A line of the tester.
pub(crate) enum Line {
    Request(Request),
    Reply(Reply),
}

impl Line {
    /// Reads a line; `None` if it is neither. Nobody waits for an answer to such a line.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let line: Value = serde_json::from_slice(line).ok()?;
        match line["t"].as_str()? {
            "req" => Request::parse(line).map(Self::Request),
            "rep" => Reply::parse(line).map(Self::Reply),
            _ => None,
        }
    }
}

impl Request {
    fn parse(mut line: Value) -> Option<Self> {
        let method = line["m"].as_str()?.to_owned();
        let params = Params::new(line.get_mut("p").map(Value::take).unwrap_or_default());
        Some(Self { id: line.get_mut("id")?.take(), method, params })
    }
}

impl Reply {
    fn parse(mut line: Value) -> Option<Self> {
        let id = line["id"].as_u64()?;
        let called = match line.get("err").filter(|error| !error.is_null()) {
            Some(error) => Err(error["msg"].as_str().unwrap_or_default().to_owned()),
            None => Ok(line["ok"].take()),
        };
        Some(Self { id, called })
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

/// Writes a call of `object`.
pub(crate) fn call(id: u64, object: u64, name: &str, params: &Value) {
    write(&json!({"t": "call", "id": id, "m": name, "obj": object, "p": params}));
}

/// One line at a time, whoever writes it: standard output has a lock of its own.
fn write(line: &Value) {
    let mut line = line.to_string();
    line.push('\n');
    let mut output = stdout().lock();
    // the reader is gone: the end of standard input, which comes with it, ends the process
    let _ = output.write_all(line.as_bytes()).and_then(|()| output.flush());
}
