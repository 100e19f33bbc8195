//! What every machine has in common here: its receive buffer, how it ended, and the four numbers
//! that a handle asks for.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes};
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyMemoryView, PySlice};

use crate::chatter::bytes;

/// Ten years: a time limit of a machine where the deployed modules wait for ever.
pub(crate) const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Something waits to be written.
const WRITE: u8 = 1;
/// The connection is over.
const OVER: u8 = 2;
/// The deadline is earlier than the one that the handle has a timer for.
const ARM: u8 = 4;
/// Nothing more can be had from what is here before something else happens than that bytes arrive.
const HELD: u8 = 8;
/// The fewest bytes that are sent as they are: a view and a write of its own cost less than a copy.
const LENT: usize = 32 * 1024;

/// A machine with what a driver keeps beside it.
pub(crate) struct Link<P: Protocol> {
    pub(crate) machine: P,
    rx: RecvBuf,
    /// Bytes that the machine needs before it can go on.
    missing: usize,
    /// The last answer of the machine was that it is held up.
    held_up: bool,
    /// Until when its time has gone on, while the program takes nothing and so nothing is read.
    paused: Option<Instant>,
    /// Why it is over; empty where the peer ended it between two messages, or we did.
    over: Option<String>,
    /// The machine's own word for it.
    pub(crate) error: Option<P::Error>,
    /// Whether it is over because the peer ended the stream, at whatever place.
    ended: bool,
    /// When the handle's timer fires.
    armed: Instant,
    /// Python's bytes that are sent as they are, oldest first.
    lent: VecDeque<Py<PyBytes>>,
    is_quiet: fn(&str) -> bool,
}

impl<P: Protocol> Link<P> {
    pub(crate) fn new(machine: P) -> Self {
        let is_quiet = |text: &str| text.ends_with("the connection is closed");
        Self {
            machine,
            rx: RecvBuf::new(),
            missing: 0,
            held_up: false,
            paused: None,
            over: None,
            error: None,
            ended: false,
            armed: never(),
            lent: VecDeque::new(),
            is_quiet,
        }
    }

    /// Takes bytes, or a copy of a part of a buffer that is used again.
    pub(crate) fn feed(&mut self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        if self.over.is_some() {
            return Ok(());
        }
        if let Ok(data) = data.cast::<PyBytes>() {
            self.reserve(data.as_bytes().len());
            self.rx.feed(data.as_bytes());
            return Ok(());
        }
        let buffer = PyBuffer::<u8>::get(data)?;
        self.reserve(buffer.item_count());
        let start = self.rx.bytes.len();
        self.rx.bytes.resize(start + buffer.item_count(), 0);
        buffer.copy_to_slice(data.py(), &mut self.rx.bytes[start..])
    }

    /// Room for what came, `len` bytes. A large message grows in few steps, each at most as large
    /// as what is here.
    fn reserve(&mut self, len: usize) {
        let have = self.rx.bytes.len() + len;
        let ahead = self.missing.saturating_sub(len).min(have);
        self.rx.bytes.reserve(len + ahead);
        self.missing = self.missing.saturating_sub(len);
    }

    pub(crate) fn end_of_stream(&mut self) {
        self.rx.eof = true;
    }

    /// The next thing that came in; `None` when there is nothing more, or when it is over.
    pub(crate) fn next(&mut self, now: Instant) -> Option<P::Incoming> {
        if self.over.is_some() {
            return None;
        }
        match self.machine.poll(&mut self.rx, now) {
            Ok(polled) => {
                self.missing = polled.missing();
                self.held_up = matches!(polled, Polled::HeldUp);
                polled.incoming()
            }
            Err(error) => {
                let text = error.to_string();
                self.error = Some(error);
                self.ended = self.rx.eof;
                self.over = Some(if (self.is_quiet)(&text) { String::new() } else { text });
                None
            }
        }
    }

    /// Ends it from here, with the reason that an error of the application's values gave.
    pub(crate) fn fail(&mut self, reason: String) {
        self.machine.close();
        self.over.get_or_insert(reason);
    }

    pub(crate) fn state(&mut self) -> u8 {
        let write = if self.machine.tx().has_remaining() { WRITE } else { 0 };
        let over = if self.over.is_some() { OVER } else { 0 };
        let held = if self.held_up && self.over.is_none() { HELD } else { 0 };
        let arm = match self.machine.deadline() {
            Some(at) if at < self.armed && self.over.is_none() => ARM,
            _ => 0,
        };
        write | over | arm | held
    }

    /// Nothing is read until [`resume`](Self::resume): what the peer has to do by a deadline it may
    /// have done long ago, where nobody looks.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.paused.get_or_insert(now);
    }

    pub(crate) fn resume(&mut self, now: Instant) {
        self.stand_still(now);
        self.paused = None;
    }

    /// The time for which nothing was read is none of the peer's. The machine is polled meanwhile,
    /// by the real time: what the program set a time for goes on.
    pub(crate) fn stand_still(&mut self, now: Instant) {
        if let Some(since) = &mut self.paused {
            self.machine.stood_still(now - *since);
            *since = now.max(*since);
        }
    }

    /// A payload to be sent: large bytes as they are, anything else as a copy.
    pub(crate) fn payload(&mut self, data: &Bound<'_, PyAny>) -> PyResult<Bytes> {
        match data.cast_exact::<PyBytes>() {
            Ok(data) if data.as_bytes().len() >= LENT => {
                self.lent.push_back(data.clone().unbind());
                Ok(Bytes::from_owner(PyBackedBytes::from(data.clone())))
            }
            _ => bytes(data),
        }
    }

    /// What waits to be written, as one object with bytes, at most `most`: a view of what was lent,
    /// or a copy of what lies before that.
    pub(crate) fn take<'py>(
        &mut self,
        py: Python<'py>,
        most: usize,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let tx = self.machine.tx();
        let waits = tx.remaining().min(most);
        if waits == 0 {
            self.lent.clear();
            return Ok(None);
        }
        let mut len = waits;
        if !self.lent.is_empty() {
            len = len.min(tx.chunk().len());
            if let Some((index, start)) = lender_of(py, &self.lent, tx.chunk()) {
                // they are sent in their order: what was lent before this one has been written
                self.lent.drain(..index);
                let view = PyMemoryView::from(self.lent[0].bind(py))?;
                let end = start + len;
                let part = view.get_item(PySlice::new(py, start as isize, end as isize, 1))?;
                tx.advance(len);
                return Ok(Some(part));
            }
        }
        let copy = PyBytes::new_with(py, len, |place| {
            tx.copy_to_slice(place);
            Ok(())
        })?;
        Ok(Some(copy.into_any()))
    }

    /// When the handle must poll, in seconds of its loop's clock, and notes that it has a timer for
    /// it.
    pub(crate) fn arm(&mut self) -> Option<f64> {
        let deadline = if self.over.is_some() { None } else { self.machine.deadline() };
        self.armed = deadline.unwrap_or_else(never);
        deadline.map(|at| at.since_origin().as_secs_f64())
    }

    pub(crate) fn over(&self) -> Option<&str> {
        self.over.as_deref()
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn queued(&mut self) -> usize {
        self.machine.tx().remaining()
    }

    /// Bytes that have arrived and that the machine has not taken: it waits for the rest of a
    /// message, or for us.
    pub(crate) fn backlog(&self) -> usize {
        if self.over.is_some() { 0 } else { self.rx.bytes.len() }
    }
}

/// Which of the bytes `chunk` is a part of, and where that begins.
fn lender_of(py: Python<'_>, lent: &VecDeque<Py<PyBytes>>, chunk: &[u8]) -> Option<(usize, usize)> {
    let at = chunk.as_ptr().addr();
    lent.iter().enumerate().find_map(|(index, bytes)| {
        let bytes = bytes.bind(py).as_bytes();
        let start = at.checked_sub(bytes.as_ptr().addr())?;
        (start + chunk.len() <= bytes.len()).then_some((index, start))
    })
}

fn never() -> Instant {
    Instant::from_origin(Duration::MAX)
}

/// A time of the event loop's clock.
pub(crate) fn instant(seconds: f64) -> Instant {
    Instant::from_origin(duration(seconds))
}

/// Seconds as a Python program gives them; less than none is none.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// The methods that every machine's class has; PyO3 wants them in one block with those of its own.
macro_rules! machine {
    ($class:ident { $($own:item)* }) => {
        #[pyo3::pymethods]
        impl $class {
            $($own)*

            /// Takes what the transport received, as anything that has bytes. Returns what came of
            /// it, and the state.
            fn feed<'py>(
                &mut self,
                py: pyo3::Python<'py>,
                data: &pyo3::Bound<'py, pyo3::PyAny>,
                now: f64,
            ) -> pyo3::PyResult<(pyo3::Bound<'py, pyo3::types::PyList>, u8)> {
                self.link.feed(data)?;
                self.poll(py, now)
            }

            /// The stream has ended. Returns as `feed`.
            fn eof<'py>(
                &mut self,
                py: pyo3::Python<'py>,
                now: f64,
            ) -> pyo3::PyResult<(pyo3::Bound<'py, pyo3::types::PyList>, u8)> {
                self.link.end_of_stream();
                self.poll(py, now)
            }

            /// Does what is due. Returns as `feed`.
            fn poll<'py>(
                &mut self,
                py: pyo3::Python<'py>,
                now: f64,
            ) -> pyo3::PyResult<(pyo3::Bound<'py, pyo3::types::PyList>, u8)> {
                let list = pyo3::types::PyList::empty(py);
                let now = crate::link::instant(now);
                let many = self.link.backlog() >= crate::gc::MANY_BYTES;
                let _paused = crate::gc::pause(py, many)?;
                self.link.stand_still(now);
                while let Some(incoming) = self.link.next(now) {
                    match self.value(py, incoming) {
                        Ok(value) => pyo3::types::PyListMethods::append(&list, value)?,
                        Err(error) => {
                            self.link.fail(error.to_string());
                            crate::error::unless_meant_for_the_program(py, error)?;
                        }
                    }
                }
                let state = self.link.state();
                Ok((list, state))
            }

            /// What waits to be written, `most` bytes of it if that is given, or None.
            #[pyo3(signature = (most=None))]
            fn take<'py>(
                &mut self,
                py: pyo3::Python<'py>,
                most: Option<usize>,
            ) -> pyo3::PyResult<Option<pyo3::Bound<'py, pyo3::PyAny>>> {
                self.link.take(py, most.unwrap_or(usize::MAX))
            }

            /// When poll must be called, in seconds of the clock of `now`, or None.
            fn arm(&mut self) -> Option<f64> {
                self.link.arm()
            }

            /// The program takes nothing, and nothing is read before `resume`: the peer is not
            /// taken for silent.
            fn pause(&mut self, now: f64) {
                self.link.pause(crate::link::instant(now));
            }

            /// Reading goes on.
            fn resume(&mut self, now: f64) {
                self.link.resume(crate::link::instant(now));
            }

            /// Refuses new messages; what is queued can still be taken.
            fn close(&mut self) {
                hat_core::protocol::Protocol::close(&mut self.link.machine);
            }

            /// Why it is over: empty after an orderly end, None before any.
            #[getter]
            fn over(&self) -> Option<&str> {
                self.link.over()
            }

            /// Whether it is over because the peer ended the stream, be it inside a message.
            #[getter]
            fn ended(&self) -> bool {
                self.link.ended()
            }

            /// Bytes that wait to be written.
            #[getter]
            fn queued(&mut self) -> usize {
                self.link.queued()
            }

            /// Bytes that have arrived and wait for the rest of a message, or for `take`.
            #[getter]
            fn backlog(&self) -> usize {
                self.link.backlog()
            }
        }
    };
}
pub(crate) use machine;
