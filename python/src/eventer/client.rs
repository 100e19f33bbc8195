//! The client's end.

use std::collections::HashMap;

use hat_core::chatter::Dialect;
use hat_core::eventer::Error;
use hat_core::eventer::client::{AckId, Client, Config, Incoming, RequestId};
use hat_core::eventer::message::InitReq;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::{Of, WaitingEvents, refused};
use crate::chatter::{config, when_idle};
use crate::events::{Events, event_type};
use crate::link::{Link, NEVER, instant, machine};
use crate::values::Truth;

/// The machine of a client. What comes in are pairs of a kind and its value:
///
/// | kind | value |
/// |---|---|
/// | 0 ready | the status |
/// | 1 status | the status |
/// | 2 events | the events, waiting, and the number of their ack or None |
/// | 3 registered | the request, and the events or None |
/// | 4 queried | the request, and the result |
#[pyclass(module = "hat_native._native")]
pub(crate) struct EventerClient {
    link: Link<Client>,
    events: Py<Events>,
    requests: HashMap<RequestId, u64>,
    acks: HashMap<u64, AckId>,
    last: u64,
}

machine!(EventerClient {
    #[new]
    #[pyo3(signature = (events, now, client_name, client_token, subscriptions, server_id, persisted, delay, timeout))]
    #[expect(clippy::too_many_arguments, reason = "one crossing")]
    fn new(
        events: Bound<'_, Events>,
        now: f64,
        client_name: &str,
        client_token: Option<&str>,
        subscriptions: &Bound<'_, PyAny>,
        server_id: Option<i64>,
        persisted: Truth,
        delay: Option<f64>,
        timeout: Option<f64>,
    ) -> PyResult<Self> {
        let init = InitReq {
            client_name: client_name.into(),
            client_token: client_token.map(Into::into),
            subscriptions: subscriptions.try_iter()?.map(|one| event_type(&one?)).collect::<PyResult<_>>()?,
            server_id,
            persisted: persisted.0,
        };
        let config = Config {
            chatter: config(Dialect::HatChatter, when_idle(delay, timeout)),
            init_timeout: NEVER,
            max_requests: usize::MAX,
            max_decoded: usize::MAX,
            ..Config::default()
        };
        let machine = Client::new(config, &init, instant(now)).map_err(refused)?;
        Ok(Self {
            link: Link::new(machine),
            events: events.unbind(),
            requests: HashMap::new(),
            acks: HashMap::new(),
            last: 0,
        })
    }

    /// Queues events to register. Returns the number of the request where an answer is wanted.
    fn register(
        &mut self,
        py: Python<'_>,
        events: &Bound<'_, PyAny>,
        with_response: Truth,
    ) -> PyResult<Option<u64>> {
        let events = self.events.bind(py).get().register_events_of(events)?;
        if !with_response.0 {
            self.link.machine.register(&events).map_err(refused)?;
            return Ok(None);
        }
        let request = self.link.machine.register_with_response(&events).map_err(refused)?;
        Ok(Some(self.asked(request)))
    }

    /// Queues a query. Returns the number of the request.
    fn query(&mut self, py: Python<'_>, params: &Bound<'_, PyAny>) -> PyResult<u64> {
        let params = self.events.bind(py).get().params_of(params)?;
        let request = self.link.machine.query(&params).map_err(refused)?;
        Ok(self.asked(request))
    }

    /// The text of a server that refused the client.
    #[getter]
    fn refusal(&self) -> Option<String> {
        match &self.link.error {
            Some(Error::Rejected(text)) => Some(text.to_string()),
            _ => None,
        }
    }

    /// Queues the ack of events.
    fn ack(&mut self, number: u64) -> PyResult<()> {
        match self.acks.remove(&number) {
            Some(ack) => self.link.machine.ack(ack).map_err(refused),
            None => Ok(()),
        }
    }
});

impl EventerClient {
    fn asked(&mut self, request: RequestId) -> u64 {
        self.last += 1;
        self.requests.insert(request, self.last);
        self.last
    }

    fn value<'py>(&mut self, py: Python<'py>, incoming: Incoming) -> PyResult<Bound<'py, PyTuple>> {
        let events = self.events.bind(py).get();
        match incoming {
            Incoming::Ready(status) => (0, events.status(py, status)).into_pyobject(py),
            Incoming::Status(status) => (1, events.status(py, status)).into_pyobject(py),
            Incoming::Events { events: of, ack, .. } => {
                let waiting = WaitingEvents::new(py, &self.events, Of::Events(of))?;
                let ack = ack.map(|ack| {
                    self.last += 1;
                    self.acks.insert(self.last, ack);
                    self.last
                });
                (2, waiting, ack).into_pyobject(py)
            }
            Incoming::Registered { request, events: of } => {
                let of = of.map(|of| events.events(py, &of)).transpose()?;
                (3, self.requests.remove(&request), of).into_pyobject(py)
            }
            Incoming::Queried { request, result } => {
                let result = events.result(py, &result)?;
                (4, self.requests.remove(&request), result).into_pyobject(py)
            }
        }
    }
}
