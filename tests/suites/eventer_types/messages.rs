use super::{bytes_from_hex, event_type, event_types, integer, list, text, timestamp, vectors};
use hat_core::eventer::message::{self, InitReq, InitRes, RegisterRes};
use hat_core::eventer::{
    Event, EventId, EventType, Json, LatestParams, Payload, QueryParams, QueryResult,
    RegisterEvent, ServerParams, TimeseriesParams, Timestamp,
};
use hat_core::sbs::{self, Decode, Encode};
use serde_json::{Value, json};

/// Decodes, compares with the model of the application, and encodes to the same bytes.
#[track_caller]
fn check<T: Decode + Encode>(case: &Value, model: impl FnOnce(&T) -> Value) {
    let bytes = bytes_from_hex(text(&case["hex"])).into();
    let message: T = sbs::decode(&bytes).unwrap_or_else(|error| panic!("{error}: {case}"));
    assert_eq!(model(&message), case["model"]);
    assert_eq!(sbs::encode(&message), bytes, "{case}");
}

#[test]
fn every_message_of_the_peers() {
    let vectors = vectors!("eventer");
    for case in list(&vectors["cases"]) {
        match text(&case["type"]) {
            message::INIT_REQ => check(case, init_req),
            message::INIT_RES => check(case, |message| match message {
                InitRes::Success(status) => json!({"success": status.as_str()}),
                InitRes::Error(text) => json!({"error": &**text}),
            }),
            message::STATUS_NOTIFY => {
                check(case, |status: &message::StatusNotify| status.as_str().into());
            }
            message::EVENTS_NOTIFY => check(case, |list: &message::EventsNotify| events(list)),
            message::EVENTS_ACK => check(case, |(): &message::EventsAck| Value::Null),
            message::REGISTER_REQ => {
                check(case, |list: &message::RegisterReq| {
                    list.iter().map(register_event).collect()
                });
            }
            message::REGISTER_RES => check(case, |message| match message {
                RegisterRes::Events(list) => json!({"events": events(list)}),
                RegisterRes::Failure => json!({"failure": null}),
            }),
            message::QUERY_REQ => check(case, query),
            message::QUERY_RES => check(
                case,
                |result: &QueryResult| json!({"events": events(&result.events), "more_follows": result.more_follows}),
            ),
            other => panic!("a message called {other}"),
        }
    }
}

/// The other way round, from the application's model to the peer's bytes, for what has no JSON
/// payload in it.
#[test]
fn messages_made_here() {
    let vectors = vectors!("eventer");
    let mut made = 0;
    for case in list(&vectors["cases"]) {
        let model = &case["model"];
        let encoded = match text(&case["type"]) {
            message::INIT_REQ => sbs::encode(&InitReq {
                client_name: text(&model["client_name"]).into(),
                client_token: model["client_token"].as_str().map(Into::into),
                subscriptions: event_types(&model["subscriptions"]),
                server_id: model["server_id"].as_i64(),
                persisted: model["persisted"] == true,
            }),
            message::STATUS_NOTIFY => {
                sbs::encode(&text(model).parse::<message::StatusNotify>().expect("a status"))
            }
            message::REGISTER_REQ => {
                let events: Vec<RegisterEvent> =
                    list(model).iter().map(made_register_event).collect();
                // the formatting of JSON is the encoder's choice
                if events.iter().any(|event| matches!(event.payload, Some(Payload::Json(_)))) {
                    continue;
                }
                sbs::encode(&events)
            }
            message::QUERY_REQ => sbs::encode(&made_query(model)),
            _ => continue,
        };
        assert_eq!(encoded, bytes_from_hex(text(&case["hex"])), "{case}");
        made += 1;
    }
    assert!(made > 90, "{made} messages");
}

fn init_req(message: &InitReq) -> Value {
    json!({
        "client_name": &*message.client_name,
        "client_token": message.client_token.as_deref(),
        "subscriptions": types(&message.subscriptions),
        "server_id": message.server_id,
        "persisted": message.persisted,
    })
}

fn types(types: &[EventType]) -> Value {
    types.iter().map(|one| one.segments().collect::<Value>()).collect()
}

fn events(events: &[Event]) -> Value {
    let event = |event: &Event| {
        let registered = RegisterEvent {
            event_type: event.event_type.clone(),
            source_timestamp: event.source_timestamp,
            payload: event.payload.clone(),
        };
        let mut model = register_event(&registered);
        model["id"] = id(event.id);
        model["timestamp"] = moment(event.timestamp);
        model
    };
    events.iter().map(event).collect()
}

fn register_event(event: &RegisterEvent) -> Value {
    json!({
        "type": event.event_type.segments().collect::<Value>(),
        "source_timestamp": event.source_timestamp.map(moment),
        "payload": event.payload.as_ref().map(payload),
    })
}

fn payload(payload: &Payload) -> Value {
    match payload {
        Payload::Json(json) => {
            json!({"kind": "json", "data": json.parse::<Value>().expect("JSON")})
        }
        Payload::Binary(binary) => json!({
            "kind": "binary", "type": &*binary.data_type, "data": base64(&binary.data),
        }),
    }
}

fn query(params: &QueryParams) -> Value {
    match params {
        QueryParams::Latest(LatestParams { event_types }) => {
            json!({"kind": "latest", "event_types": event_types.as_deref().map(types)})
        }
        QueryParams::Timeseries(params) => json!({
            "kind": "timeseries",
            "event_types": params.event_types.as_deref().map(types),
            "t_from": params.t_from.map(moment),
            "t_to": params.t_to.map(moment),
            "source_t_from": params.source_t_from.map(moment),
            "source_t_to": params.source_t_to.map(moment),
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

fn made_query(model: &Value) -> QueryParams {
    let event_types = present(&model["event_types"]).map(event_types);
    let moment = |name: &str| present(&model[name]).map(timestamp);
    let max_results = model["max_results"].as_i64();
    let last_event_id = present(&model["last_event_id"]).map(made_id);
    match text(&model["kind"]) {
        "latest" => LatestParams { event_types }.into(),
        "timeseries" => TimeseriesParams {
            event_types,
            t_from: moment("t_from"),
            t_to: moment("t_to"),
            source_t_from: moment("source_t_from"),
            source_t_to: moment("source_t_to"),
            order: text(&model["order"]).parse().expect("an order"),
            order_by: text(&model["order_by"]).parse().expect("an order"),
            max_results,
            last_event_id,
        }
        .into(),
        _ => ServerParams {
            server_id: integer(&model["server_id"]),
            persisted: model["persisted"] == true,
            max_results,
            last_event_id,
        }
        .into(),
    }
}

fn made_register_event(model: &Value) -> RegisterEvent {
    let payload = present(&model["payload"]).map(|payload| match text(&payload["kind"]) {
        "json" => Json::from_value(&payload["data"]).into(),
        _ => Payload::binary(text(&payload["type"]), bytes_from_base64(text(&payload["data"]))),
    });
    RegisterEvent {
        event_type: event_type(&model["type"]),
        source_timestamp: present(&model["source_timestamp"]).map(timestamp),
        payload,
    }
}

fn present(value: &Value) -> Option<&Value> {
    (!value.is_null()).then_some(value)
}

fn made_id(value: &Value) -> EventId {
    EventId::new(integer(&value[0]), integer(&value[1]), integer(&value[2]))
}

fn id(id: EventId) -> Value {
    json!([id.server, id.session, id.instance])
}

fn moment(timestamp: Timestamp) -> Value {
    json!([timestamp.s(), timestamp.us()])
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let group = |bytes: &[u8]| {
        let all = (0..3).fold(0, |all, at| all << 8 | usize::from(*bytes.get(at).unwrap_or(&0)));
        let digit = |place: usize| char::from(ALPHABET[all >> (18 - 6 * place) & 63]);
        (0..4)
            .map(|place| if place <= bytes.len() { digit(place) } else { '=' })
            .collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}

fn bytes_from_base64(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| ALPHABET.iter().position(|digit| digit == byte).expect("base64");
    let group = |digits: &[u8]| {
        let known: Vec<usize> = digits.iter().filter(|byte| **byte != b'=').map(digit).collect();
        let all = (0..4).fold(0, |all, at| all << 6 | known.get(at).unwrap_or(&0));
        all.to_be_bytes()[size_of::<usize>() - 3..][..known.len() - 1].to_vec()
    };
    text.as_bytes().chunks(4).flat_map(group).collect()
}
