//! What a peer has said so far, and waiting for what it says next.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Handle;

/// How long a peer may take for anything: far more than it needs, and not for ever. To start takes
/// a Python process a second of a processor, and on a machine that has ten times as much to do as
/// it can, more than 20 s.
pub const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Enough for a Python traceback or two.
const STDERR_LINES: usize = 60;

/// A peer's answer that a request failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct PeerError {
    /// What sort of failure it is.
    pub kind: ErrorKind,
    /// The text, for people.
    pub message: String,
    /// What else the failure holds, `null` for most kinds.
    pub data: Value,
}

/// Sorts of failed requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The connection was refused, closed or lost, or there is no such object.
    Connection,
    /// An argument is not valid.
    Value,
    /// Something took too long.
    Timeout,
    /// An Eventer server has rejected the client; the message is the server's text.
    Init,
    /// A Juggler request failed; the data is the server's.
    Juggler,
    /// The peer has no such method.
    Unsupported,
    /// Anything else.
    Other,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::Connection => "connection",
            ErrorKind::Value => "value",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Init => "init",
            ErrorKind::Juggler => "juggler",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Other => "other",
        })
    }
}

/// Lines from one peer, sorted by what waits for them.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) responses: HashMap<u64, Result<Value, PeerError>>,
    pub(super) events: VecDeque<Message>,
    pub(super) calls: VecDeque<Message>,
    stderr: VecDeque<String>,
    /// Why nothing more will come.
    ended: Option<String>,
}

/// An event, or a call with its id.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) method: String,
    pub(super) object: Handle,
    pub(super) params: Value,
}

impl Inbox {
    /// Waits until `take` finds what it looks for.
    ///
    /// The error says that the peer has ended or takes too long, and what it last wrote to standard
    /// error.
    pub(super) fn wait<T>(
        &self,
        mut take: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + TIME_LIMIT;
        let mut state = self.lock();
        loop {
            if let Some(found) = take(&mut state) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let reason = match &state.ended {
                Some(reason) => reason.clone(),
                None if left.is_zero() => format!("nothing came within {} s", TIME_LIMIT.as_secs()),
                None => {
                    state = self
                        .changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    continue;
                }
            };
            return Err(state.describe(&reason));
        }
    }

    /// What has come already, without waiting.
    pub(super) fn look<T>(&self, take: impl FnOnce(&mut State) -> Option<T>) -> Option<T> {
        take(&mut self.lock())
    }

    /// Takes in a line of the peer's standard output.
    pub(super) fn put_line(&self, line: &str) {
        let mut state = self.lock();
        if state.put(line).is_none() {
            state.ended = Some(format!("it wrote what is no line of the protocol: {line}"));
        }
        self.changed.notify_all();
    }

    /// Takes in a line of the peer's standard error.
    pub(super) fn put_stderr(&self, line: String) {
        let mut state = self.lock();
        state.stderr.push_back(line);
        if state.stderr.len() > STDERR_LINES {
            state.stderr.pop_front();
        }
    }

    /// Nothing more will come.
    pub(super) fn end(&self, reason: String) {
        self.lock().ended.get_or_insert(reason);
        self.changed.notify_all();
    }

    /// A test that panicked while it held the lock has failed already; the others must not fail for
    /// it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, line: &str) -> Option<()> {
        let mut line: Value = serde_json::from_str(line).ok()?;
        match line["t"].as_str()? {
            "res" => {
                let id = line["id"].as_u64()?;
                let result = match line.get_mut("err") {
                    Some(error) => Err(parse_error(error.take())?),
                    None => Ok(line.get_mut("ok")?.take()),
                };
                self.responses.insert(id, result);
            }
            "evt" => self.events.push_back(parse_message(line)?),
            "call" => self.calls.push_back(parse_message(line)?),
            _ => return None,
        }
        Some(())
    }

    fn describe(&self, reason: &str) -> String {
        let mut text = reason.to_owned();
        for event in &self.events {
            text += &format!(
                "\n  not taken: event {} of {}: {}",
                event.method, event.object, event.params
            );
        }
        for call in &self.calls {
            text +=
                &format!("\n  not taken: call {} of {}: {}", call.method, call.object, call.params);
        }
        for line in &self.stderr {
            text += &format!("\n  stderr: {line}");
        }
        text
    }
}

fn parse_message(mut line: Value) -> Option<Message> {
    Some(Message {
        id: line["id"].as_u64().unwrap_or_default(),
        method: line["m"].as_str()?.to_owned(),
        object: line["obj"].as_u64()?,
        params: line["p"].take(),
    })
}

fn parse_error(mut error: Value) -> Option<PeerError> {
    let kind = match error["kind"].as_str()? {
        "connection" => ErrorKind::Connection,
        "value" => ErrorKind::Value,
        "timeout" => ErrorKind::Timeout,
        "init" => ErrorKind::Init,
        "juggler" => ErrorKind::Juggler,
        "unsupported" => ErrorKind::Unsupported,
        "other" => ErrorKind::Other,
        _ => return None,
    };
    Some(PeerError { kind, message: error["msg"].as_str()?.to_owned(), data: error["data"].take() })
}
