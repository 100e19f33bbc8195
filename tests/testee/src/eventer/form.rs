//! How values are written: those of the line protocol, and of this library, each as the other.

use hat_aio::eventer::ConnectionInfo;
use hat_core::eventer::{
    Event, EventId, EventType, Json, LatestParams, Payload, QueryParams, QueryResult,
    RegisterEvent, ServerParams, TimeseriesParams, Timestamp,
};
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::params::{Params, base64, required};

/// `[REG_EVENT]`
pub(super) fn read_register_events(params: &Params) -> Result<Vec<RegisterEvent>, Failure> {
    params.objects("events")?.iter().map(read_register_event).collect()
}

/// `[EVENT]`
pub(super) fn read_events(params: &Params) -> Result<Vec<Event>, Failure> {
    params.objects("events")?.iter().map(read_event).collect()
}

/// `[EVENT]` or null
pub(super) fn read_optional_events(params: &Params) -> Result<Option<Vec<Event>>, Failure> {
    params.any("events").map(|_| read_events(params)).transpose()
}

/// `RESULT`
pub(super) fn read_result(params: &Params) -> Result<QueryResult, Failure> {
    let more_follows = params.boolean("more_follows")?;
    Ok(QueryResult { events: read_events(params)?, more_follows })
}

/// `QUERY`
pub(super) fn read_query(params: &Params) -> Result<QueryParams, Failure> {
    match params.text("kind")? {
        "latest" => Ok(LatestParams { event_types: read_types(params, "event_types")? }.into()),
        "timeseries" => Ok(QueryParams::Timeseries(TimeseriesParams {
            event_types: read_types(params, "event_types")?,
            t_from: read_timestamp(params, "t_from")?,
            t_to: read_timestamp(params, "t_to")?,
            source_t_from: read_timestamp(params, "source_t_from")?,
            source_t_to: read_timestamp(params, "source_t_to")?,
            order: params.named("order")?.unwrap_or_default(),
            order_by: params.named("order_by")?.unwrap_or_default(),
            max_results: params.optional_integer("max_results")?,
            last_event_id: read_id(params, "last_event_id")?,
        })),
        "server" => Ok(QueryParams::Server(ServerParams {
            server_id: params.integer("server_id")?,
            persisted: params.boolean_or("persisted", false)?,
            max_results: params.optional_integer("max_results")?,
            last_event_id: read_id(params, "last_event_id")?,
        })),
        kind => Err(Failure::value(format_args!("{kind} is no kind of query"))),
    }
}

/// `[TYPE]`
pub(super) fn read_types(params: &Params, name: &str) -> Result<Option<Vec<EventType>>, Failure> {
    let types = |value: &Value| value.as_array()?.iter().map(event_type).collect();
    params.read(name, "a list of event types", types)
}

fn read_register_event(params: &Params) -> Result<RegisterEvent, Failure> {
    Ok(RegisterEvent {
        event_type: required("type", params.read("type", "an event type", event_type)?)?,
        source_timestamp: read_timestamp(params, "source_timestamp")?,
        payload: read_payload(params)?,
    })
}

fn read_event(params: &Params) -> Result<Event, Failure> {
    let RegisterEvent { event_type, source_timestamp, payload } = read_register_event(params)?;
    let id = required("id", read_id(params, "id")?)?;
    let timestamp = required("timestamp", read_timestamp(params, "timestamp")?)?;
    Ok(Event { id, event_type, timestamp, source_timestamp, payload })
}

fn read_id(params: &Params, name: &str) -> Result<Option<EventId>, Failure> {
    let id = |value: &Value| match &value.as_array()?[..] {
        [server, session, instance] => {
            Some(EventId::new(server.as_i64()?, session.as_i64()?, instance.as_i64()?))
        }
        _ => None,
    };
    params.read(name, "an event id", id)
}

fn read_timestamp(params: &Params, name: &str) -> Result<Option<Timestamp>, Failure> {
    let timestamp = |value: &Value| match &value.as_array()?[..] {
        [s, us] => Timestamp::new(s.as_i64()?, us.as_u64()?.try_into().ok()?).ok(),
        _ => None,
    };
    params.read(name, "a timestamp", timestamp)
}

fn read_payload(params: &Params) -> Result<Option<Payload>, Failure> {
    if params.any("payload").is_none() {
        return Ok(None);
    }
    let payload = params.object("payload")?;
    match payload.text("kind")? {
        // null is a value here
        "json" => Ok(Some(Json::from_value(payload.any("data").unwrap_or(&Value::Null)).into())),
        "binary" => Ok(Some(Payload::binary(payload.text("type")?, payload.bytes("data")?))),
        kind => Err(Failure::value(format_args!("{kind} is no kind of payload"))),
    }
}

fn event_type(value: &Value) -> Option<EventType> {
    let segments: Option<Vec<&str>> = value.as_array()?.iter().map(Value::as_str).collect();
    segments.map(EventType::from_segments)
}

/// `[REG_EVENT]`
pub(super) fn register_events(events: &[RegisterEvent]) -> Value {
    let event = |event: &RegisterEvent| {
        json!({
            "type": segments(&event.event_type),
            "source_timestamp": event.source_timestamp.map(timestamp),
            "payload": event.payload.as_ref().map(payload),
        })
    };
    events.iter().map(event).collect()
}

/// `[EVENT]`
pub(super) fn events(events: &[Event]) -> Value {
    let event = |event: &Event| {
        json!({
            "id": id(event.id),
            "type": segments(&event.event_type),
            "timestamp": timestamp(event.timestamp),
            "source_timestamp": event.source_timestamp.map(timestamp),
            "payload": event.payload.as_ref().map(payload),
        })
    };
    events.iter().map(event).collect()
}

/// `RESULT`
pub(super) fn result(result: &QueryResult) -> Value {
    json!({"events": events(&result.events), "more_follows": result.more_follows})
}

/// `QUERY`
pub(super) fn query(params: &QueryParams) -> Value {
    match params {
        QueryParams::Latest(params) => {
            json!({"kind": "latest", "event_types": params.event_types.as_deref().map(types)})
        }
        QueryParams::Timeseries(params) => json!({
            "kind": "timeseries",
            "event_types": params.event_types.as_deref().map(types),
            "t_from": params.t_from.map(timestamp),
            "t_to": params.t_to.map(timestamp),
            "source_t_from": params.source_t_from.map(timestamp),
            "source_t_to": params.source_t_to.map(timestamp),
            "order": params.order.as_str(),
            "order_by": params.order_by.as_str(),
            "max_results": params.max_results,
            "last_event_id": params.last_event_id.map(id),
        }),
        QueryParams::Server(params) => json!({
            "kind": "server",
            "server_id": params.server_id,
            "persisted": params.persisted,
            "max_results": params.max_results,
            "last_event_id": params.last_event_id.map(id),
        }),
    }
}

/// `CLIENT_INFO`. Subscriptions are in the reduced form that the library keeps them in, and sorted,
/// as the deployed peer gives them.
pub(super) fn client_info(info: &ConnectionInfo) -> Value {
    let mut subscriptions = info.subscription.query_types();
    subscriptions.sort();
    json!({
        "id": info.id.get(),
        "client_name": &*info.client_name,
        "client_token": info.client_token.as_deref(),
        "subscriptions": types(&subscriptions),
        "server_id": info.server_id,
        "persisted": info.persisted,
    })
}

fn types(types: &[EventType]) -> Value {
    types.iter().map(segments).collect()
}

fn segments(event_type: &EventType) -> Value {
    event_type.segments().collect()
}

fn id(id: EventId) -> Value {
    json!([id.server, id.session, id.instance])
}

fn timestamp(timestamp: Timestamp) -> Value {
    json!([timestamp.s(), timestamp.us()])
}

fn payload(payload: &Payload) -> Value {
    match payload {
        Payload::Json(json) => parsed(json),
        Payload::Binary(binary) => {
            json!({"kind": "binary", "type": &*binary.data_type, "data": base64(&binary.data)})
        }
    }
}

/// What is no JSON for this library (`NaN`, which Python writes) has no data: a tester that looks
/// for it finds out.
fn parsed(json: &Json) -> Value {
    match json.parse::<Value>() {
        Ok(data) => json!({"kind": "json", "data": data}),
        Err(error) => json!({"kind": "json", "text": json.text(), "error": error.to_string()}),
    }
}
