use hat_core::json::Limits;

use super::*;

fn parse(text: &str) -> Value {
    Value::parse(text, &Limits::default()).expect("JSON")
}

fn registered(payload: Option<Payload>) -> Event {
    Event {
        id: EventId::new(1, 2, 3),
        event_type: EventType::from_segments(["a"]),
        timestamp: Timestamp::new(5, 250_000).expect("a timestamp"),
        source_timestamp: None,
        payload,
    }
}

/// What the state says of a payload: its text or data, and whether there is more.
#[track_caller]
fn cut(payload: Payload) -> (String, bool) {
    let shown = value(&registered(Some(payload)), Extent::Cut);
    let of = |path: &str| shown.get(&path.parse().expect("a pointer")).cloned();
    let text = of("/payload/json/text").or(of("/payload/binary/data")).expect("one of them");
    let truncated =
        of("/payload/json/truncated").or(of("/payload/binary/truncated")).map(|it| it.as_bool());
    assert_ne!(truncated, Some(Some(false)), "only where it is so");
    (text.as_str().expect("a text").to_owned(), truncated.is_some())
}

fn json(text: String) -> Payload {
    Json::from_text(text).expect("JSON").into()
}

#[test]
fn events_as_the_page_reads_them() {
    let event = registered(None);
    let expected =
        r#"{"id":[1,2,3],"payload":null,"source_timestamp":null,"timestamp":[5,250000]}"#;
    assert_eq!(value(&event, Extent::Cut), parse(expected));
    let event = Event {
        source_timestamp: Some(Timestamp::from_secs(-1)),
        ..registered(Some(json(r#"{"x": 1.50}"#.into())))
    };
    let expected = r#"{"id":[1,2,3],"payload":{"json":{"text":"{\"x\": 1.50}","size":11}},
        "source_timestamp":[-1,0],"timestamp":[5,250000]}"#;
    assert_eq!(value(&event, Extent::Cut), parse(expected));
    let event = registered(Some(Payload::binary("T", &b"\0\xff"[..])));
    let payload = value(&event, Extent::Whole).get(&"/payload".parse().expect("a path")).cloned();
    assert_eq!(payload, Some(parse(r#"{"binary":{"type":"T","data":"AP8=","size":2}}"#)));
}

#[test]
fn long_payloads_are_cut_between_characters() {
    // with the quotes, 4096 characters in 8190 bytes
    let fits = format!("\"{}\"", "č".repeat(4094));
    assert_eq!(cut(json(fits.clone())), (fits, false));
    let long = format!("\"{}\"", "č".repeat(4095));
    let (shown, truncated) = cut(json(long.clone()));
    assert_eq!((shown, truncated), (format!("\"{}", "č".repeat(4095)), true));
    let whole = value(&registered(Some(json(long.clone()))), Extent::Whole);
    let payload = format!(r#"{{"json":{{"text":"\"{}\"","size":8192}}}}"#, "č".repeat(4095));
    assert_eq!(whole.get(&"/payload".parse().expect("a path")), Some(&parse(&payload)));
}

#[test]
fn long_data_are_cut_after_whole_groups() {
    let (shown, truncated) = cut(Payload::binary("T", vec![0; 3072]));
    assert_eq!((shown, truncated), ("A".repeat(4096), false));
    let (shown, truncated) = cut(Payload::binary("T", vec![0; 3073]));
    assert_eq!((shown, truncated), ("A".repeat(4096), true));
}

#[test]
fn what_is_registered() {
    let read = |text: &str| to_register(&parse(text)).expect("a valid request").event;
    assert_eq!(read(r#"{"type":"a/b"}"#), RegisterEvent::new(EventType::from_segments(["a", "b"])));
    let event =
        read(r#"{"type":"a","source_timestamp":[1,5],"payload":{"json":{"text":"[1.50]"}}}"#);
    assert_eq!(event.source_timestamp, Timestamp::new(1, 5).ok());
    assert_eq!(event.payload, Some(json("[1.50]".into())));
    let event = read(r#"{"type":"","payload":{"binary":{"type":"T","data":"AP8="}}}"#);
    assert_eq!(event.payload, Some(Payload::binary("T", &b"\0\xff"[..])));
}

#[test]
fn what_a_user_saw_is_one_event() {
    let expected = |text: &str| to_register(&parse(text)).expect("a valid request").expected;
    assert_eq!(expected(r#"{"type":"a"}"#), None);
    let nothing = expected(r#"{"type":"a","expected":null}"#).expect("something");
    let one = r#"{"type":"a","expected":{"id":[1,2,3],"timestamp":[5,6]}}"#;
    let one = expected(one).expect("something");
    let event = |instance: i64, us: u32| Event {
        id: EventId::new(1, 2, instance),
        event_type: EventType::from_segments(["a"]),
        timestamp: Timestamp::new(5, us).expect("a time"),
        source_timestamp: None,
        payload: None,
    };
    assert!(nothing.is(None) && !nothing.is(Some(&event(3, 6))));
    assert!(one.is(Some(&event(3, 6))) && !one.is(None));
    // also the same id of a server that has forgotten what it gave it to
    assert!(!one.is(Some(&event(4, 6))) && !one.is(Some(&event(3, 7))));
}

#[track_caller]
fn refused(data: &str, expected: &str) {
    assert_eq!(to_register(&parse(data)).expect_err(data), expected);
}

#[test]
fn refusals() {
    refused("[]", "the data of `register` must be an object, not array");
    refused("{}", "an event needs a field `type`");
    refused(r#"{"type":1}"#, "`type` must be a string, not number");
    refused(r#"{"type":"a/*"}"#, "the type: `?` and `*` are not allowed in a segment: *");
    refused(
        r#"{"type":"a","time":1}"#,
        "the data of `register` has no field `time`: write type, source_timestamp, payload, deadline, expected",
    );
    let timestamp = "the source timestamp: write [seconds, microseconds] or null";
    for wrong in ["5", "[1]", "[1,2,3]", "[1.5,0]", "[1,-1]", "[1,4294967296]", "\"1\""] {
        refused(&format!(r#"{{"type":"a","source_timestamp":{wrong}}}"#), timestamp);
    }
    let error = to_register(&parse(r#"{"type":"a","source_timestamp":[1,1000000]}"#));
    assert!(error.expect_err("too many").starts_with("the source timestamp: "));
    let expected = |text: &str| format!(r#"{{"type":"a","expected":{text}}}"#);
    refused(&expected("[1,2,3]"), "`expected` must be an object, not array");
    refused(&expected("{}"), "`expected` needs a field `id`");
    refused(&expected(r#"{"id":[1,2,3]}"#), "`expected` needs a field `timestamp`");
    let payload = |text: &str| format!(r#"{{"type":"a","payload":{text}}}"#);
    let kinds = "the payload: write null, {\"json\": …} or {\"binary\": …}";
    refused(&payload("{}"), kinds);
    refused(&payload(r#"{"json":{},"binary":{}}"#), kinds);
    refused(&payload("1"), "the payload must be an object, not number");
    refused(&payload(r#"{"json":{}}"#), "the JSON payload needs a field `text`");
    refused(&payload(r#"{"binary":{"data":""}}"#), "the binary payload needs a field `type`");
    let error = to_register(&parse(&payload(r#"{"json":{"text":"{"}}"#))).expect_err("no JSON");
    assert!(error.starts_with("the payload is not JSON: "), "{error}");
    let error = to_register(&parse(&payload(r#"{"binary":{"type":"T","data":"A"}}"#)));
    assert!(error.expect_err("no base64").starts_with("the data is not base64: "));
}
