//! Events and queries between Rust's types and the deployed named tuples.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hat_core::eventer::{
    Event, EventId, EventType, Json, LatestParams, Order, OrderBy, Payload, QueryParams,
    QueryResult, RegisterEvent, ServerParams, Status, TimeseriesParams, Timestamp,
};
use hat_core::sbs;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};

use crate::chatter::bytes;
use crate::gc;
use crate::json;
use crate::values::NamedTuple;

/// Event types that are kept as Python tuples: an installation has some thousand, and each event
/// has one.
pub(crate) const MAX_TYPES: usize = 16_384;
/// The longest of them, in bytes.
const MAX_TYPE_LEN: usize = 1024;
/// Microseconds of a second.
const MICROS: i64 = 1_000_000;

/// The classes of events and of what belongs to them, and what Python is asked for.
#[pyclass(frozen, module = "hat_native._native")]
pub(crate) struct Events {
    event_id: NamedTuple,
    timestamp: NamedTuple,
    event: NamedTuple,
    register_event: NamedTuple,
    binary: NamedTuple,
    json: NamedTuple,
    latest: NamedTuple,
    timeseries: NamedTuple,
    server: NamedTuple,
    result: NamedTuple,
    /// `hat.json.encode` and `decode`.
    json_encode: Py<PyAny>,
    json_decode: Py<PyAny>,
    /// The enums, by the names of the schema.
    statuses: Vec<(Status, Py<PyAny>)>,
    orders: Vec<(Order, Py<PyAny>)>,
    orders_by: Vec<(OrderBy, Py<PyAny>)>,
    types: Mutex<HashMap<EventType, Py<PyTuple>>>,
    /// The other way: a [`KnownType`] for each of many tuples.
    known: Py<PyDict>,
    /// The last timestamp: events of one session share theirs.
    last: Mutex<Option<(Timestamp, Py<PyAny>)>>,
}

/// `common` is a module with the names of `hat.event.common`.
#[pymethods]
impl Events {
    #[new]
    fn new(
        common: &Bound<'_, PyAny>,
        json_encode: Bound<'_, PyAny>,
        json_decode: Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let class = |name: &str| NamedTuple::new(common.getattr(name)?.cast_into::<PyType>()?);
        let member = |class: &str, name: &str| -> PyResult<Py<PyAny>> {
            Ok(common.getattr(class)?.getattr(name)?.unbind())
        };
        Ok(Self {
            event_id: class("EventId")?,
            timestamp: class("Timestamp")?,
            event: class("Event")?,
            register_event: class("RegisterEvent")?,
            binary: class("EventPayloadBinary")?,
            json: class("EventPayloadJson")?,
            latest: class("QueryLatestParams")?,
            timeseries: class("QueryTimeseriesParams")?,
            server: class("QueryServerParams")?,
            result: class("QueryResult")?,
            json_encode: json_encode.unbind(),
            json_decode: json_decode.unbind(),
            statuses: vec![
                (Status::Standby, member("Status", "STANDBY")?),
                (Status::Starting, member("Status", "STARTING")?),
                (Status::Operational, member("Status", "OPERATIONAL")?),
                (Status::Stopping, member("Status", "STOPPING")?),
            ],
            orders: vec![
                (Order::Descending, member("Order", "DESCENDING")?),
                (Order::Ascending, member("Order", "ASCENDING")?),
            ],
            orders_by: vec![
                (OrderBy::Timestamp, member("OrderBy", "TIMESTAMP")?),
                (OrderBy::SourceTimestamp, member("OrderBy", "SOURCE_TIMESTAMP")?),
            ],
            types: Mutex::new(HashMap::new()),
            known: PyDict::new(common.py()).unbind(),
            last: Mutex::new(None),
        })
    }

    /// Events, as SBS of `Array(HatEventer.Event)`.
    fn encode_events<'py>(
        &self,
        py: Python<'py>,
        events: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let events = self.events_of(events)?;
        Ok(PyBytes::new(py, &sbs::encode(&events)))
    }

    /// SBS of `Array(HatEventer.Event)`, as events.
    fn decode_events<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let data = bytes(data)?;
        let events: Vec<Event> = sbs::decode(&data).map_err(crate::error::value)?;
        self.events(py, &events)
    }

    /// Events to register, as SBS of `Array(HatEventer.RegisterEvent)`.
    fn encode_register_events<'py>(
        &self,
        py: Python<'py>,
        events: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let events = self.register_events_of(events)?;
        Ok(PyBytes::new(py, &sbs::encode(&events)))
    }

    /// SBS of `Array(HatEventer.RegisterEvent)`, as events to register.
    fn decode_register_events<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let data = bytes(data)?;
        let events: Vec<RegisterEvent> = sbs::decode(&data).map_err(crate::error::value)?;
        self.register_events(py, &events)
    }
}

fn lock<'a, T>(py: Python<'_>, of: &'a Mutex<T>) -> MutexGuard<'a, T> {
    of.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
}

impl Events {
    pub(crate) fn events<'py>(
        &self,
        py: Python<'py>,
        events: &[Event],
    ) -> PyResult<Bound<'py, PyList>> {
        let _paused = gc::pause(py, events.len() >= gc::MANY_EVENTS)?;
        let list = PyList::empty(py);
        for event in events {
            list.append(self.event(py, event)?)?;
        }
        Ok(list)
    }

    fn event<'py>(&self, py: Python<'py>, event: &Event) -> PyResult<Bound<'py, PyAny>> {
        self.event.of(PyTuple::new(
            py,
            [
                self.event_id(py, event.id)?,
                self.event_type(py, &event.event_type)?,
                self.shared_timestamp(py, event.timestamp)?,
                self.optional_timestamp(py, event.source_timestamp)?,
                self.payload(py, event.payload.as_ref())?,
            ],
        )?)
    }

    pub(crate) fn register_events<'py>(
        &self,
        py: Python<'py>,
        events: &[RegisterEvent],
    ) -> PyResult<Bound<'py, PyList>> {
        let _paused = gc::pause(py, events.len() >= gc::MANY_EVENTS)?;
        let list = PyList::empty(py);
        for event in events {
            list.append(self.register_event.of(PyTuple::new(
                py,
                [
                    self.event_type(py, &event.event_type)?,
                    self.optional_timestamp(py, event.source_timestamp)?,
                    self.payload(py, event.payload.as_ref())?,
                ],
            )?)?)?;
        }
        Ok(list)
    }

    fn event_id<'py>(&self, py: Python<'py>, id: EventId) -> PyResult<Bound<'py, PyAny>> {
        self.event_id.of((id.server, id.session, id.instance).into_pyobject(py)?)
    }

    /// The tuple of an event type, which is the same object for most events of one.
    pub(crate) fn event_type<'py>(
        &self,
        py: Python<'py>,
        of: &EventType,
    ) -> PyResult<Bound<'py, PyAny>> {
        // no lock is held while Python makes something: its collector may run a program's
        // finalizers, which may read events
        if let Some(known) = lock(py, &self.types).get(of) {
            return Ok(known.bind(py).clone().into_any());
        }
        let tuple = PyTuple::new(py, of.segments().map(|segment| PyString::new(py, segment)))?;
        if is_kept(of) {
            let kept = tuple.clone().unbind();
            let mut types = lock(py, &self.types);
            let full =
                if types.len() >= MAX_TYPES { std::mem::take(&mut *types) } else { HashMap::new() };
            types.insert(of.detached(), kept);
            drop(types);
            drop(full);
        }
        Ok(tuple.into_any())
    }

    /// As [`timestamp`](Self::timestamp), the same object for many events.
    fn shared_timestamp<'py>(&self, py: Python<'py>, of: Timestamp) -> PyResult<Bound<'py, PyAny>> {
        if let Some((known, timestamp)) = &*lock(py, &self.last)
            && *known == of
        {
            return Ok(timestamp.bind(py).clone());
        }
        let timestamp = self.timestamp(py, of)?;
        let replaced = lock(py, &self.last).replace((of, timestamp.clone().unbind()));
        drop(replaced);
        Ok(timestamp)
    }

    fn timestamp<'py>(&self, py: Python<'py>, of: Timestamp) -> PyResult<Bound<'py, PyAny>> {
        self.timestamp.of((of.s(), of.us()).into_pyobject(py)?)
    }

    fn optional_timestamp<'py>(
        &self,
        py: Python<'py>,
        of: Option<Timestamp>,
    ) -> PyResult<Bound<'py, PyAny>> {
        of.map_or_else(|| Ok(py.None().into_bound(py)), |of| self.timestamp(py, of))
    }

    fn payload<'py>(&self, py: Python<'py>, of: Option<&Payload>) -> PyResult<Bound<'py, PyAny>> {
        match of {
            None => Ok(py.None().into_bound(py)),
            Some(Payload::Binary(binary)) => {
                let data = PyBytes::new(py, &binary.data);
                self.binary.of((&binary.data_type[..], data).into_pyobject(py)?)
            }
            Some(Payload::Json(of)) => {
                let value = match json::read(py, of.text())? {
                    Some(value) => value,
                    None => self.json_decode.bind(py).call1((of.text(),))?,
                };
                self.json.of(PyTuple::new(py, [value])?)
            }
        }
    }

    pub(crate) fn status<'py>(&self, py: Python<'py>, of: Status) -> Bound<'py, PyAny> {
        member(&self.statuses, of).bind(py).clone()
    }

    pub(crate) fn result<'py>(
        &self,
        py: Python<'py>,
        result: &QueryResult,
    ) -> PyResult<Bound<'py, PyAny>> {
        let events = self.events(py, &result.events)?;
        self.result.of((events, result.more_follows).into_pyobject(py)?)
    }

    pub(crate) fn params<'py>(
        &self,
        py: Python<'py>,
        params: &QueryParams,
    ) -> PyResult<Bound<'py, PyAny>> {
        let id = |id: Option<EventId>| match id {
            Some(id) => self.event_id(py, id),
            None => Ok(py.None().into_bound(py)),
        };
        match params {
            QueryParams::Latest(of) => {
                self.latest.of(PyTuple::new(py, [self.types(py, of.event_types.as_deref())?])?)
            }
            QueryParams::Timeseries(of) => self.timeseries.of(PyTuple::new(
                py,
                [
                    self.types(py, of.event_types.as_deref())?,
                    self.optional_timestamp(py, of.t_from)?,
                    self.optional_timestamp(py, of.t_to)?,
                    self.optional_timestamp(py, of.source_t_from)?,
                    self.optional_timestamp(py, of.source_t_to)?,
                    member(&self.orders, of.order).bind(py).clone(),
                    member(&self.orders_by, of.order_by).bind(py).clone(),
                    of.max_results.into_pyobject(py)?,
                    id(of.last_event_id)?,
                ],
            )?),
            QueryParams::Server(of) => {
                self.server.of((of.server_id, of.persisted, of.max_results, id(of.last_event_id)?)
                    .into_pyobject(py)?)
            }
        }
    }

    fn types<'py>(
        &self,
        py: Python<'py>,
        types: Option<&[EventType]>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(types) = types else { return Ok(py.None().into_bound(py)) };
        let list = PyList::empty(py);
        for one in types {
            list.append(self.event_type(py, one)?)?;
        }
        Ok(list.into_any())
    }

    pub(crate) fn status_of(&self, status: &Bound<'_, PyAny>) -> PyResult<Status> {
        of_member(&self.statuses, status, "status")
    }

    /// As [`event_type`], which is found and not made for most events.
    fn event_type_of(&self, of: &Bound<'_, PyAny>) -> PyResult<EventType> {
        let Ok(tuple) = of.cast_exact::<PyTuple>() else { return event_type(of) };
        let known = self.known.bind(of.py());
        // what has no hash is not an event type either, and refused below
        if let Ok(Some(found)) = known.get_item(tuple) {
            return Ok(found.cast::<KnownType>()?.get().0.clone());
        }
        let made = event_type(of)?;
        if is_kept(&made) {
            if known.len() >= MAX_TYPES {
                known.clear();
            }
            known.set_item(tuple, Bound::new(of.py(), KnownType(made.clone()))?)?;
        }
        Ok(made)
    }

    pub(crate) fn events_of(&self, events: &Bound<'_, PyAny>) -> PyResult<Vec<Event>> {
        each(events, |event| self.event_of(event))
    }

    fn event_of(&self, event: &Bound<'_, PyAny>) -> PyResult<Event> {
        let [id, event_type, timestamp, source_timestamp, payload] =
            fields(&self.event, event, ["id", "type", "timestamp", "source_timestamp", "payload"])?;
        Ok(Event {
            id: self.event_id_of(&id?)?,
            event_type: self.event_type_of(&event_type?)?,
            timestamp: self.timestamp_of(&timestamp?)?,
            source_timestamp: optional(&source_timestamp?, |of| self.timestamp_of(of))?,
            payload: optional(&payload?, |of| self.payload_of(of))?,
        })
    }

    pub(crate) fn register_events_of(
        &self,
        events: &Bound<'_, PyAny>,
    ) -> PyResult<Vec<RegisterEvent>> {
        each(events, |event| {
            let [event_type, source_timestamp, payload] =
                fields(&self.register_event, event, ["type", "source_timestamp", "payload"])?;
            Ok(RegisterEvent {
                event_type: self.event_type_of(&event_type?)?,
                source_timestamp: optional(&source_timestamp?, |of| self.timestamp_of(of))?,
                payload: optional(&payload?, |of| self.payload_of(of))?,
            })
        })
    }

    fn event_id_of(&self, id: &Bound<'_, PyAny>) -> PyResult<EventId> {
        let [server, session, instance] =
            fields(&self.event_id, id, ["server", "session", "instance"])?;
        Ok(EventId::new(server?.extract()?, session?.extract()?, instance?.extract()?))
    }

    fn timestamp_of(&self, timestamp: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
        let [s, us] = fields(&self.timestamp, timestamp, ["s", "us"])?;
        let (s, us): (i64, i64) = (s?.extract()?, us?.extract()?);
        let rest = u32::try_from(us.rem_euclid(MICROS)).unwrap_or_default();
        s.checked_add(us.div_euclid(MICROS))
            .and_then(|s| Timestamp::new(s, rest).ok())
            .ok_or_else(|| PyValueError::new_err("a timestamp further from 1970 than 2^63 seconds"))
    }

    fn payload_of(&self, payload: &Bound<'_, PyAny>) -> PyResult<Payload> {
        if self.json.has(payload)? {
            let value = payload.get_item(0)?;
            let written = SCRATCH.with_borrow_mut(|text| {
                text.clear();
                let is_written = json::write(&value, text, 32)?;
                PyResult::Ok(is_written.then(|| Json::from_text_as_is(&text[..])))
            })?;
            if let Some(json) = written {
                return Ok(Payload::Json(json));
            }
            // what a program's own classes do when they are asked may be to encode something else
            let text = self.json_encode.bind(payload.py()).call1((value,))?;
            return Ok(Payload::Json(Json::from_text_as_is(&*text.cast::<PyString>()?.to_cow()?)));
        }
        if self.binary.has(payload)? {
            let data_type = payload.get_item(0)?;
            let data_type = data_type.cast::<PyString>()?.to_cow()?;
            return Ok(Payload::binary(&*data_type, bytes(&payload.get_item(1)?)?));
        }
        Err(PyValueError::new_err("unsupported payload type"))
    }

    pub(crate) fn params_of(&self, params: &Bound<'_, PyAny>) -> PyResult<QueryParams> {
        let id = |id: &Bound<'_, PyAny>| optional(id, |id| self.event_id_of(id));
        let timestamp = |of: &Bound<'_, PyAny>| optional(of, |of| self.timestamp_of(of));
        let types = |types: &Bound<'_, PyAny>| optional(types, |types| each(types, event_type));
        if self.latest.has(params)? {
            let event_types = types(&params.get_item(0)?)?;
            return Ok(LatestParams { event_types }.into());
        }
        if self.timeseries.has(params)? {
            let at = |index: usize| params.get_item(index);
            return Ok(TimeseriesParams {
                event_types: types(&at(0)?)?,
                t_from: timestamp(&at(1)?)?,
                t_to: timestamp(&at(2)?)?,
                source_t_from: timestamp(&at(3)?)?,
                source_t_to: timestamp(&at(4)?)?,
                order: of_member(&self.orders, &at(5)?, "order")?,
                order_by: of_member(&self.orders_by, &at(6)?, "order_by")?,
                max_results: at(7)?.extract()?,
                last_event_id: id(&at(8)?)?,
            }
            .into());
        }
        if self.server.has(params)? {
            return Ok(ServerParams {
                server_id: params.get_item(0)?.extract()?,
                persisted: params.get_item(1)?.is_truthy()?,
                max_results: params.get_item(2)?.extract()?,
                last_event_id: id(&params.get_item(3)?)?,
            }
            .into());
        }
        Err(PyValueError::new_err("unsupported params type"))
    }

    pub(crate) fn result_of(&self, result: &Bound<'_, PyAny>) -> PyResult<QueryResult> {
        let [events, more_follows] = fields(&self.result, result, ["events", "more_follows"])?;
        Ok(QueryResult {
            events: self.events_of(&events?)?,
            more_follows: more_follows?.is_truthy()?,
        })
    }
}

thread_local! {
    /// Memory for texts of JSON, used again.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// An event type, as Python's dictionaries hold it.
#[pyclass(frozen, module = "hat_native._native")]
struct KnownType(EventType);

/// Whether a type is short enough to be kept.
pub(crate) fn is_kept(of: &EventType) -> bool {
    of.segments().map(str::len).sum::<usize>() <= MAX_TYPE_LEN
}

/// An event type out of any iterable of text.
pub(crate) fn event_type(of: &Bound<'_, PyAny>) -> PyResult<EventType> {
    let text = |segment: Bound<'_, PyAny>| -> PyResult<String> {
        Ok(segment.cast::<PyString>()?.to_cow()?.into_owned())
    };
    let segments = match of.cast::<PyTuple>() {
        Ok(tuple) => tuple.iter().map(text).collect::<PyResult<Vec<_>>>()?,
        Err(_) => of.try_iter()?.map(|one| text(one?)).collect::<PyResult<Vec<_>>>()?,
    };
    Ok(EventType::from_segments(segments))
}

fn each<T>(
    values: &Bound<'_, PyAny>,
    mut of: impl FnMut(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Vec<T>> {
    if let Ok(list) = values.cast::<PyList>() {
        return list.iter().map(|one| of(&one)).collect();
    }
    values.try_iter()?.map(|one| of(&one?)).collect()
}

fn optional<T>(
    value: &Bound<'_, PyAny>,
    of: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>,
) -> PyResult<Option<T>> {
    if value.is_none() { Ok(None) } else { of(value).map(Some) }
}

/// The fields of a named tuple, or the attributes of what stands in for one.
fn fields<'py, const N: usize>(
    class: &NamedTuple,
    value: &Bound<'py, PyAny>,
    names: [&str; N],
) -> PyResult<[PyResult<Bound<'py, PyAny>>; N]> {
    let tuple = if class.has(value)? { value.cast::<PyTuple>().ok() } else { None };
    Ok(std::array::from_fn(|index| match tuple {
        Some(tuple) => tuple.get_item(index),
        None => value.getattr(names[index]),
    }))
}

fn member<T: PartialEq>(members: &[(T, Py<PyAny>)], of: T) -> &Py<PyAny> {
    let found = members.iter().find(|(one, _)| *one == of);
    &found.unwrap_or(&members[0]).1
}

fn of_member<T: Copy>(
    members: &[(T, Py<PyAny>)],
    value: &Bound<'_, PyAny>,
    what: &str,
) -> PyResult<T> {
    for (one, member) in members {
        if value.is(member.bind(value.py())) {
            return Ok(*one);
        }
    }
    Err(PyValueError::new_err(format!("{} is not a valid {what}", value.repr()?)))
}
