//! What has been: events of types over a time, page by page, and the types that the state has no
//! room for.

use std::sync::Arc;

use hat_core::eventer::{EventType, Order, OrderBy, QueryParams, TimeseriesParams, Timestamp};
use hat_core::json::{Array, Object, Value};
use smol::future::yield_now;
use smol::lock::Semaphore;

use super::event::{self, Extent};
use super::fields;
use super::find::Search;
use super::live::Live;
use super::name;
use crate::engine_handle::EngineHandle;

/// Events of one answer, unless fewer are asked for; what a drawer shows at once.
const PAGE: usize = 200;

/// Events of one answer at the most: some hundred milliseconds of a server's work.
const MAX_PAGE: usize = 2_000;

/// Bytes of types and payloads in one answer, about. A page that shows more has no use for it, and
/// one behind a slow link must not wait for minutes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Types, or query types, of one question: lines of a plot that can still be told apart, and some
/// more.
const MAX_TYPES: usize = 32;

/// Seconds that a question by query types may go over: it may look at each event of them. One type
/// by its name has an index.
const MAX_SPAN: i64 = 366 * 24 * 3600;

/// Types that a search answers with at the most.
const MAX_FOUND: usize = 1_000;

/// Types that are looked at in one go: whoever registers waits meanwhile, some 0.1 ms.
const BATCH: usize = 1_000;

/// Questions of all pages that are answered at once. The others wait: clients of the server come
/// first.
static AT_ONCE: Semaphore = Semaphore::new(2);

/// `{"types": […], "from", "to", "by", "order", "limit", "after"}` into `{"events": […], "more":
/// bool}`.
pub(super) async fn history(handle: &EngineHandle, data: &Value) -> Result<Value, String> {
    let (params, limit) = read(data)?;
    let _turn = AT_ONCE.acquire().await;
    let found = handle.query(QueryParams::Timeseries(params)).await;
    let found = found.map_err(|error| error.to_string())?;
    let mut bytes = 0;
    let mut events = Array::default();
    for event in found.events.iter().take(limit) {
        events.push(event::named(event));
        bytes += event::weight(event);
        if bytes > MAX_BYTES {
            break;
        }
    }
    let more = found.more_follows || events.len() < found.events.len();
    Ok(Object::from([("events", Value::Array(events)), ("more", more.into())]).into())
}

fn read(data: &Value) -> Result<(TimeseriesParams, usize), String> {
    let what = "the data of `history`";
    let names = ["types", "from", "to", "by", "order", "limit", "after"];
    let fields = fields::object(data, what, &names)?;
    let types = fields::texts(fields, "types", MAX_TYPES)?;
    if types.is_empty() {
        return Err(format!("`types`: write 1 to {MAX_TYPES} types or query types"));
    }
    let types: Vec<EventType> = types.into_iter().map(name::event_type).collect();
    let (from, to) = (fields::timestamp(fields, "from")?, fields::timestamp(fields, "to")?);
    limit_span(&types, from, to)?;
    let order = match fields.get("order").and_then(Value::as_str).unwrap_or("descending") {
        "descending" => Order::Descending,
        "ascending" => Order::Ascending,
        _ => return Err("`order`: write `ascending` or `descending`".to_owned()),
    };
    let limit = fields::count(fields, "limit", PAGE, MAX_PAGE)?;
    let mut params = TimeseriesParams {
        event_types: Some(types),
        order,
        max_results: Some(limit as i64),
        last_event_id: fields::event_id(fields, "after")?,
        ..TimeseriesParams::default()
    };
    match fields.get("by").and_then(Value::as_str).unwrap_or("timestamp") {
        "timestamp" => (params.t_from, params.t_to) = (from, to),
        "source_timestamp" => {
            params.order_by = OrderBy::SourceTimestamp;
            (params.source_t_from, params.source_t_to) = (from, to);
        }
        _ => return Err("`by`: write `timestamp` or `source_timestamp`".to_owned()),
    }
    Ok((params, limit))
}

fn limit_span(
    types: &[EventType],
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(), String> {
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err("the requested time range ends before it begins".to_owned());
    }
    let is_query = |it: &EventType| it.segments().any(|segment| segment == "?" || segment == "*");
    if !types.iter().any(is_query) {
        return Ok(());
    }
    let span = from.map(|from| to.unwrap_or_else(Timestamp::now).s().saturating_sub(from.s()));
    match span {
        Some(span) if span <= MAX_SPAN => Ok(()),
        _ => Err(format!(
            "query types with `?` or `*` can span at most {} days: give a start time, or name the types",
            MAX_SPAN / 86_400
        )),
    }
}

/// `{"any": […], "limit"}` into the types that a search finds, also those that pages are not
/// shown: `{"events": {name: event}, "found": how many there are, "searched": among how many}`.
pub(super) async fn types(
    handle: &EngineHandle,
    live: &Live,
    data: &Value,
) -> Result<Value, String> {
    let fields = fields::object(data, "the data of `types`", &["any", "limit"])?;
    let search = Search::read(fields.get("any").unwrap_or(&Value::Null))?;
    let limit = fields::count(fields, "limit", PAGE, MAX_FOUND)?;
    let _turn = AT_ONCE.acquire().await;
    // what pages are shown is in memory, and a store on a disk knows more types where it is full
    let is_full = live.latest().types() as u64 >= live.max_types();
    let search = Arc::new(search);
    if is_full {
        let by_name = search.clone();
        let finds = Box::new(move |event_type: &EventType| by_name.finds(&name::name(event_type)));
        if let Some(found) = handle.search(finds, limit, MAX_BYTES).await {
            let found = found.map_err(|error| error.to_string())?;
            let mut events = Object::default();
            for event in &found.events {
                events.insert(name::name(&event.event_type), event::value(event, Extent::Cut));
            }
            return Ok(answer(events, found.found, found.searched));
        }
    }
    let (mut found, mut searched, mut bytes) = (0usize, 0usize, 0);
    let mut events = Object::default();
    let mut last = 0;
    // each once: what changes meanwhile comes again, or the search might never end
    let mut left = live.latest().types();
    while left > 0 {
        let batch = live.latest().after(last, BATCH.min(left));
        let Some((change, _)) = batch.last() else { break };
        last = *change;
        left -= batch.len();
        searched += batch.len();
        for (_, event) in &batch {
            let name = name::name(&event.event_type);
            if !search.finds(&name) {
                continue;
            }
            found += 1;
            if events.len() < limit && bytes <= MAX_BYTES {
                bytes += event::weight(event);
                events.insert(name, event::value(event, Extent::Cut));
            }
        }
        yield_now().await;
    }
    Ok(answer(events, found, searched))
}

fn answer(events: Object, found: usize, searched: usize) -> Value {
    let events = Value::Object(events);
    let answer = [("events", events), ("found", found.into()), ("searched", searched.into())];
    Object::from(answer).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(data: serde_json::Value) -> String {
        read(&data.into()).expect_err("refused")
    }

    #[test]
    fn a_question_is_one_of_the_store() {
        let data = json!({"types": ["a/b"], "from": [10, 0], "to": [20, 5], "limit": 7, "after": [1, 2, 3]});
        let (params, limit) = read(&data.into()).expect("a question");
        assert_eq!((limit, params.max_results), (7, Some(7)));
        assert_eq!(params.t_from, Some(Timestamp::from_secs(10)));
        assert_eq!(params.t_to, Timestamp::new(20, 5).ok());
        assert_eq!(params.last_event_id, Some(hat_core::eventer::EventId::new(1, 2, 3)));
        let data = json!({"types": ["a"], "by": "source_timestamp", "from": [10, 0], "order": "ascending"});
        let (params, _) = read(&data.into()).expect("a question");
        assert_eq!((params.t_from, params.source_t_from), (None, Some(Timestamp::from_secs(10))));
        assert_eq!((params.order, params.order_by), (Order::Ascending, OrderBy::SourceTimestamp));
    }

    #[test]
    fn limits_are_said_in_words() {
        assert_eq!(refused(json!({"types": []})), "`types`: write 1 to 32 types or query types");
        assert_eq!(
            refused(json!({"types": ["a"], "limit": 2001})),
            "`limit`: write a number from 1 to 2000"
        );
        assert_eq!(
            refused(json!({"types": ["a"], "from": [2, 0], "to": [1, 0]})),
            "the requested time range ends before it begins"
        );
        let days = "query types with `?` or `*` can span at most 366 days: give a start time, or name the types";
        assert_eq!(refused(json!({"types": ["a/*"]})), days);
        assert_eq!(refused(json!({"types": ["?"], "from": [0, 0], "to": [40_000_000, 0]})), days);
        assert_eq!(
            refused(json!({"types": ["a"], "order": "up"})),
            "`order`: write `ascending` or `descending`"
        );
        assert_eq!(
            refused(json!({"types": ["a"], "after": [1]})),
            "`after`: write [server, session, instance] or null"
        );
    }
}
