//! Juggler's transports: JSON values over WebSocket, in the segments of 0.7 or as the plain
//! messages of 0.5. The states themselves are Python's objects: see [`diff`](crate::diff).

use std::collections::VecDeque;
use std::time::Duration;

use bytestring::ByteString;
use hat_core::buffer::{RecvBuf, SendQueue};
use hat_core::juggler::{self, texts};
use hat_core::protocol::{Polled, Protocol, TooLarge};
use hat_core::time::Instant;
use hat_core::ws::{self, Role, code};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::chatter::{MAX_MESSAGE, when_idle};
use crate::error;
use crate::json::{read, write};
use crate::link::{Link, NEVER, instant, machine};

/// Levels that are written here.
const MAX_DEPTH: u32 = 64;

fn web_socket(client: bool, seed: u64, now: f64) -> ws::Connection {
    let config = ws::Config {
        max_frame: MAX_MESSAGE,
        max_message: MAX_MESSAGE,
        message_timeout: NEVER,
        max_queued: usize::MAX / 2,
        mask_seed: seed,
        ..ws::Config::default()
    };
    let role = if client { Role::Client } else { Role::Server };
    ws::Connection::established(role, config, instant(now))
}

/// JSON by Python, for what has something rare in it.
struct Json {
    encode: Py<PyAny>,
    decode: Py<PyAny>,
}

impl Json {
    fn text(&self, value: &Bound<'_, PyAny>) -> PyResult<ByteString> {
        let mut text = String::new();
        if write(value, &mut text, MAX_DEPTH)? {
            return Ok(text.into());
        }
        let text = self.encode.bind(value.py()).call1((value,))?;
        Ok(text.cast::<PyString>()?.to_cow()?.as_ref().into())
    }

    fn value<'py>(&self, py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
        match read(py, text)? {
            Some(value) => Ok(value),
            None => self.decode.bind(py).call1((text,)),
        }
    }
}

/// The machine of one end of 0.7, from the end of the handshake on. What comes in are messages, as
/// `json.loads` gives them.
#[pyclass(module = "hat_native._native")]
pub(crate) struct JugglerTexts {
    link: Link<texts::Connection>,
    json: Json,
}

machine!(JugglerTexts {
    #[new]
    #[pyo3(signature = (json, now, client, seed, max_segment_size, delay, timeout))]
    fn new(
        json: (Bound<'_, PyAny>, Bound<'_, PyAny>),
        now: f64,
        client: bool,
        seed: u64,
        max_segment_size: usize,
        delay: Option<f64>,
        timeout: Option<f64>,
    ) -> Self {
        let config = juggler::Config {
            ping: when_idle(delay, timeout),
            max_segment_size,
            max_message: MAX_MESSAGE,
            ..juggler::Config::default()
        };
        Self {
            link: Link::new(texts::Connection::new(web_socket(client, seed, now), config)),
            json: Json { encode: json.0.unbind(), decode: json.1.unbind() },
        }
    }

    /// Queues a message.
    fn send(&mut self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let text = self.json.text(message)?;
        self.link.machine.send(text).map_err(error::connection)
    }
});

impl JugglerTexts {
    fn value<'py>(
        &mut self,
        py: Python<'py>,
        incoming: texts::Incoming,
    ) -> PyResult<Bound<'py, PyAny>> {
        match incoming {
            texts::Incoming::Message(text) => self.json.value(py, &text),
            // the handshake was done before
            _ => Ok(py.None().into_bound(py)),
        }
    }
}

/// Answers to pings of 0.5 that may wait to be written before nothing more is read, as many as
/// the machine of the other version lets wait: a peer that asks and never reads must be stopped.
const MAX_UNSENT_REPLIES: usize = 16;

/// A WebSocket that reads no further while too many of its user's replies wait to be written.
struct Replying {
    ws: ws::Connection,
    /// Where in the send queue those end that are not written yet.
    unsent: VecDeque<u64>,
    /// Since when they have held it up.
    since: Option<Instant>,
}

impl Replying {
    fn reply(&mut self, text: &ByteString) -> Result<(), ws::SendError> {
        self.ws.send_text(text)?;
        self.unsent.push_back(self.ws.tx().end());
        Ok(())
    }

    /// One that is closing is polled to its end.
    fn is_held_up(&mut self) -> bool {
        let sent = self.ws.tx().sent();
        while self.unsent.pop_front_if(|end| *end <= sent).is_some() {}
        self.unsent.len() >= MAX_UNSENT_REPLIES && self.ws.is_open()
    }
}

impl Protocol for Replying {
    type Incoming = ws::Incoming;
    type Error = ws::Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<ws::Incoming>, ws::Error> {
        if self.is_held_up() {
            self.since.get_or_insert(now);
            return Ok(Polled::HeldUp);
        }
        if let Some(since) = self.since.take() {
            // a message that had begun was not read on
            self.ws.stood_still(now - since);
        }
        self.ws.poll(rx, now)
    }

    fn deadline(&self) -> Option<Instant> {
        if self.since.is_some() { None } else { self.ws.deadline() }
    }

    fn stood_still(&mut self, time: Duration) {
        // the time for which it is held up is told once that is over, all of it
        if self.since.is_none() {
            self.ws.stood_still(time);
        }
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.ws.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.ws.tx()
    }

    fn close(&mut self) {
        self.ws.close();
    }

    fn is_closed(&self) -> bool {
        self.ws.is_closed()
    }
}

/// The machine of one end of 0.5, as [`JugglerTexts`]. None also comes in, and means nothing.
#[pyclass(module = "hat_native._native")]
pub(crate) struct PeerTexts {
    link: Link<Replying>,
    json: Json,
}

machine!(PeerTexts {
    #[new]
    fn new(
        json: (Bound<'_, PyAny>, Bound<'_, PyAny>),
        now: f64,
        client: bool,
        seed: u64,
    ) -> Self {
        let ws = web_socket(client, seed, now);
        Self {
            link: Link::new(Replying { ws, unsent: VecDeque::new(), since: None }),
            json: Json { encode: json.0.unbind(), decode: json.1.unbind() },
        }
    }

    /// Queues a message.
    fn send(&mut self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let text = self.json.text(message)?;
        self.link.machine.ws.send_text(&text).map_err(error::connection)
    }

    /// Queues the answer to a message that asks for nothing else.
    fn reply(&mut self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let text = self.json.text(message)?;
        self.link.machine.reply(&text).map_err(error::connection)
    }
});

impl PeerTexts {
    fn value<'py>(
        &mut self,
        py: Python<'py>,
        incoming: ws::Incoming,
    ) -> PyResult<Bound<'py, PyAny>> {
        match incoming {
            ws::Incoming::Text(text) => self.json.value(py, &text),
            ws::Incoming::Binary(_) => Err(PyValueError::new_err("unsupported message type")),
            // not an orderly end: the peer cut us off, or found a fault
            ws::Incoming::Closed { code: Some(code), reason }
                if !matches!(code, code::NORMAL | code::GOING_AWAY) =>
            {
                Err(error::connection(juggler::Error::ClosedByPeer { code, reason }))
            }
            _ => Ok(py.None().into_bound(py)),
        }
    }
}
