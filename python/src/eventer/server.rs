//! The server's end of one connection.

use std::collections::HashMap;

use hat_core::chatter::Dialect;
use hat_core::eventer::EncodedEvents;
use hat_core::eventer::server::{Config, Connection, Incoming, NotifyId, NotifyOutcome, RequestId};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::{Of, WaitingEvents, refused};
use crate::chatter::{config, when_idle};
use crate::events::Events;
use crate::link::{Link, NEVER, duration, instant, machine};
use crate::values::Truth;

/// Events that were encoded once, for any number of connections.
#[pyclass(frozen, module = "hat_native._native")]
pub(crate) struct Notification(EncodedEvents);

#[pymethods]
impl Notification {
    #[new]
    fn new(events: &Bound<'_, Events>, of: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(EncodedEvents::new(&events.get().events_of(of)?)))
    }
}

/// The machine of a server's connection. What comes in are tuples of a kind and its values:
///
/// | kind | values |
/// |---|---|
/// | 0 init | name, token, query types, server id, persisted |
/// | 1 register | the events, waiting, and the number of the request or None |
/// | 2 query | the parameters, and the number of the request |
/// | 3 acked | the number of the notification |
#[pyclass(module = "hat_native._native")]
pub(crate) struct EventerServer {
    link: Link<Connection>,
    events: Py<Events>,
    requests: HashMap<u64, RequestId>,
    acks: HashMap<NotifyId, u64>,
    last: u64,
}

machine!(EventerServer {
    #[new]
    #[pyo3(signature = (events, now, close_timeout, delay, timeout, max_requests))]
    fn new(
        events: Bound<'_, Events>,
        now: f64,
        close_timeout: f64,
        delay: Option<f64>,
        timeout: Option<f64>,
        max_requests: usize,
    ) -> Self {
        let config = Config {
            chatter: config(Dialect::HatChatter, when_idle(delay, timeout)),
            init_timeout: NEVER,
            close_timeout: duration(close_timeout),
            max_requests: if max_requests == 0 { usize::MAX } else { max_requests },
            max_decoded: usize::MAX,
            max_init: usize::MAX,
            max_segments: usize::MAX,
            ..Config::default()
        };
        Self {
            link: Link::new(Connection::new(config, instant(now))),
            events: events.unbind(),
            requests: HashMap::new(),
            acks: HashMap::new(),
            last: 0,
        }
    }

    /// Takes the client.
    fn accept(&mut self, py: Python<'_>, status: &Bound<'_, PyAny>) -> PyResult<()> {
        let status = self.events.bind(py).get().status_of(status)?;
        self.link.machine.accept(status).map_err(refused)
    }

    /// Refuses the client, with the text that it raises.
    fn reject(&mut self, text: &str) -> PyResult<()> {
        self.link.machine.reject(text).map_err(refused)
    }

    /// Queues the status, if the client was told another one.
    fn set_status(&mut self, py: Python<'_>, status: &Bound<'_, PyAny>) -> PyResult<()> {
        let status = self.events.bind(py).get().status_of(status)?;
        self.link.machine.set_status(status).map_err(refused)
    }

    /// Queues those events that the client wants. Returns None if it wants none, 0 without an ack,
    /// or the number of the notification.
    fn notify(
        &mut self,
        events: &Notification,
        persisted: Truth,
        with_ack: Truth,
    ) -> PyResult<Option<u64>> {
        let notified = self.link.machine.notify(&events.0, persisted.0, with_ack.0).map_err(refused)?;
        Ok(match notified {
            NotifyOutcome::Nothing => None,
            NotifyOutcome::Sent => Some(0),
            NotifyOutcome::AwaitsAck(id) => {
                self.last += 1;
                self.acks.insert(id, self.last);
                Some(self.last)
            }
        })
    }

    /// Queues the answer of a registration: the events, or None.
    fn register_response(
        &mut self,
        py: Python<'_>,
        request: u64,
        events: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let events = events.map(|of| self.events.bind(py).get().events_of(&of)).transpose()?;
        match self.requests.remove(&request) {
            None => Ok(()),
            Some(id) => {
                self.link.machine.register_response(id, events.as_deref()).map_err(refused)
            }
        }
    }

    /// Queues the answer of a query.
    fn query_response(&mut self, py: Python<'_>, request: u64, result: &Bound<'_, PyAny>) -> PyResult<()> {
        let result = self.events.bind(py).get().result_of(result)?;
        match self.requests.remove(&request) {
            None => Ok(()),
            Some(id) => self.link.machine.query_response(id, &result).map_err(refused),
        }
    }
});

impl EventerServer {
    fn asked(&mut self, request: RequestId) -> u64 {
        self.last += 1;
        self.requests.insert(self.last, request);
        self.last
    }

    fn value<'py>(&mut self, py: Python<'py>, incoming: Incoming) -> PyResult<Bound<'py, PyTuple>> {
        match incoming {
            Incoming::Init(info) => {
                let types = info.subscription.query_types();
                let types = types.iter().map(|one| PyTuple::new(py, one.segments()));
                let types = PyList::new(py, types.collect::<PyResult<Vec<_>>>()?)?;
                let (name, token) = (&info.client_name[..], info.client_token.as_deref());
                (0, name, token, types, info.server_id, info.persisted).into_pyobject(py)
            }
            Incoming::Register { events, request, .. } => {
                let waiting = WaitingEvents::new(py, &self.events, Of::ToRegister(events))?;
                let request = request.map(|request| self.asked(request));
                (1, waiting, request).into_pyobject(py)
            }
            Incoming::Query { params, request } => {
                let params = self.events.bind(py).get().params(py, &params)?;
                (2, params, self.asked(request)).into_pyobject(py)
            }
            Incoming::Acked(id) => (3, self.acks.remove(&id)).into_pyobject(py),
        }
    }
}
