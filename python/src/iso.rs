//! TPKT and COTP.

use std::time::Duration;

use bytes::Bytes;
use hat_core::{cotp, tpkt};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::chatter::bytes;
use crate::error;
use crate::link::{Link, NEVER, instant, machine};

/// How long a handshake may take. The deployed module waits for ever, for a peer that may have gone
/// without a word.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// The largest message. The deployed module has no limit.
const MAX_TSDU: usize = 1 << 30;

/// The machine of a stream of packets. What comes in are their contents.
#[pyclass(module = "hat_native._native")]
pub(crate) struct Tpkt {
    link: Link<tpkt::Connection>,
}

machine!(Tpkt {
    #[new]
    fn new() -> Self {
        // the handle waits where more than its transport takes is queued
        let config = tpkt::Config { max_queued: usize::MAX / 2, ..tpkt::Config::default() };
        Self { link: Link::new(tpkt::Connection::new(config)) }
    }

    /// Queues one packet.
    fn send(&mut self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        self.link.machine.send(bytes(data)?).map_err(|refused| match refused.fault {
            tpkt::SendFault::Closed => error::connection(refused),
            _ => error::value(refused),
        })
    }
});

impl Tpkt {
    #[expect(clippy::unnecessary_wraps, reason = "as the other machines")]
    fn value<'py>(&mut self, py: Python<'py>, incoming: Bytes) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &incoming))
    }
}

/// The machine of a COTP connection. What comes in are messages as bytes, and once before them the
/// selectors that were agreed on, as a pair.
#[pyclass(module = "hat_native._native")]
pub(crate) struct Cotp {
    link: Link<cotp::Connection>,
}

machine!(Cotp {
    #[new]
    #[pyo3(signature = (now, reference, connect, local_tsel=None, remote_tsel=None))]
    fn new(
        now: f64,
        reference: u16,
        connect: bool,
        local_tsel: Option<u16>,
        remote_tsel: Option<u16>,
    ) -> PyResult<Self> {
        let config = cotp::Config {
            local_selector: local_tsel.map(Into::into),
            remote_selector: remote_tsel.map(Into::into),
            selectors_must_match: true,
            source_reference: reference,
            half_close: false,
            max_tsdu: MAX_TSDU,
            message_timeout: NEVER,
            max_queued: usize::MAX / 2,
            max_empty: u32::MAX,
            handshake_timeout: HANDSHAKE,
            ..cotp::Config::default()
        };
        let machine = if connect {
            cotp::Connection::connect(config, instant(now))
        } else {
            cotp::Connection::accept(config, instant(now))
        };
        Ok(Self { link: Link::new(machine.map_err(error::value)?) })
    }

    /// Queues one message.
    fn send(&mut self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        self.link.machine.send(bytes(data)?).map_err(|refused| match refused.fault {
            cotp::SendFault::Closed => error::connection(refused),
            _ => error::value(refused),
        })
    }
});

impl Cotp {
    fn value<'py>(
        &mut self,
        py: Python<'py>,
        incoming: cotp::Incoming,
    ) -> PyResult<Bound<'py, PyAny>> {
        match incoming {
            cotp::Incoming::Data { data, .. } => Ok(PyBytes::new(py, &data).into_any()),
            cotp::Incoming::Connected(info) => {
                let number = |selector: &Option<cotp::Selector>| {
                    selector.as_ref().map(|selector| number(py, selector)).transpose()
                };
                let local = number(&info.local_selector)?.into_pyobject(py)?;
                let remote = number(&info.remote_selector)?.into_pyobject(py)?;
                Ok(PyTuple::new(py, [local, remote])?.into_any())
            }
            // the deployed module says nothing of these
            _ => Ok(py.None().into_bound(py)),
        }
    }
}

/// A selector as the deployed module reads it: a big-endian number of any length.
fn number<'py>(py: Python<'py>, selector: &cotp::Selector) -> PyResult<Bound<'py, PyAny>> {
    let octets = PyBytes::new(py, selector.octets());
    py.get_type::<pyo3::types::PyInt>().call_method1("from_bytes", (octets, "big"))
}
