use std::fmt::Debug;
use std::time::SystemTime;

use hat_core::eventer::message::{
    EventsNotify, InitReq, InitRes, QueryReq, QueryRes, RegisterReq, RegisterRes, StatusNotify,
};
use hat_core::eventer::{
    Binary, Event, EventId, EventType, Json, LatestParams, Order, OrderBy, Payload, QueryParams,
    QueryResult, RegisterEvent, ServerParams, Status, Subscription, TimeseriesParams, Timestamp,
    sort_natural,
};
use hat_core::sbs::{self, Decode, Encode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn timestamps() -> impl Strategy<Value = Timestamp> {
    let near = -100_000_000_000..100_000_000_000_i64;
    (prop_oneof![near, any::<i64>()], 0..1_000_000_u32)
        .prop_map(|(s, us)| Timestamp::new(s, us).expect("microseconds in range"))
}

fn types() -> impl Strategy<Value = EventType> {
    vec(prop_oneof!["[a-c?*/é]{0,3}", "\\PC{0,80}"], 0..6).prop_map(EventType::from_segments)
}

fn ids() -> impl Strategy<Value = EventId> {
    let number = || prop_oneof![0..4_i64, any::<i64>()];
    (number(), number(), number()).prop_map(|(a, b, c)| EventId::new(a, b, c))
}

fn payloads() -> impl Strategy<Value = Payload> {
    let json = "\\PC{0,20}".prop_map(|text| Json::from_value(&text.into()).into());
    let binary = ("\\PC{0,20}", vec(any::<u8>(), 0..200))
        .prop_map(|(name, data)| Binary { data_type: name.into(), data: data.into() }.into());
    prop_oneof![json, binary]
}

fn register_events() -> impl Strategy<Value = RegisterEvent> {
    (types(), option::of(timestamps()), option::of(payloads())).prop_map(
        |(event_type, source_timestamp, payload)| RegisterEvent {
            event_type,
            source_timestamp,
            payload,
        },
    )
}

fn events() -> impl Strategy<Value = Event> {
    (ids(), timestamps(), register_events()).prop_map(|(id, timestamp, event)| Event {
        id,
        event_type: event.event_type,
        timestamp,
        source_timestamp: event.source_timestamp,
        payload: event.payload,
    })
}

fn statuses() -> impl Strategy<Value = Status> {
    use Status::{Operational, Standby, Starting, Stopping};
    prop::sample::select(vec![Standby, Starting, Operational, Stopping])
}

fn queries() -> impl Strategy<Value = QueryParams> {
    let asked = || option::of(vec(types(), 0..3));
    let limits = || (option::of(any::<i64>()), option::of(ids()));
    let moment = || option::of(timestamps());
    let order = prop::sample::select(vec![Order::Ascending, Order::Descending]);
    let order_by = prop::sample::select(vec![OrderBy::Timestamp, OrderBy::SourceTimestamp]);
    let latest = asked().prop_map(|event_types| LatestParams { event_types }.into());
    let server = (any::<i64>(), any::<bool>(), limits()).prop_map(
        |(server_id, persisted, (max_results, last_event_id))| {
            ServerParams { server_id, persisted, max_results, last_event_id }.into()
        },
    );
    let times = (moment(), moment(), moment(), moment());
    let timeseries = (asked(), times, order, order_by, limits()).prop_map(
        |(event_types, times, order, order_by, (max_results, last_event_id))| {
            let (t_from, t_to, source_t_from, source_t_to) = times;
            TimeseriesParams {
                event_types,
                t_from,
                t_to,
                source_t_from,
                source_t_to,
                order,
                order_by,
                max_results,
                last_event_id,
            }
            .into()
        },
    );
    prop_oneof![latest, server, timeseries]
}

fn init_requests() -> impl Strategy<Value = InitReq> {
    let token = option::of("\\PC{0,10}");
    ("\\PC{0,10}", token, vec(types(), 0..4), option::of(any::<i64>()), any::<bool>()).prop_map(
        |(name, token, subscriptions, server_id, persisted)| InitReq {
            client_name: name.into(),
            client_token: token.map(Into::into),
            subscriptions,
            server_id,
            persisted,
        },
    )
}

/// Encodes to as many bytes as foretold, and back to the same; cut anywhere it is refused.
#[track_caller]
fn both_ways<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = sbs::encode(value);
    assert_eq!(bytes.len(), value.encoded_len());
    assert_eq!(sbs::decode::<T>(&bytes).as_ref(), Ok(value));
    for end in 0..bytes.len() {
        assert!(sbs::decode::<T>(&bytes.slice(..end)).is_err(), "cut at {end}");
    }
}

/// What decodes at all encodes again, to bytes that mean the same.
fn decode_anything<T: Encode + Decode + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = sbs::decode::<T>(&bytes.to_vec().into()) {
        assert_eq!(sbs::decode::<T>(&sbs::encode(&value)).as_ref(), Ok(&value));
    }
}

proptest! {
    #[test]
    fn messages_both_ways(
        init in init_requests(),
        status in statuses(),
        text in "\\PC{0,20}",
        registered in vec(register_events(), 0..4),
        notified in vec(events(), 0..4),
        query in queries(),
        more_follows in any::<bool>(),
    ) {
        both_ways(&init);
        both_ways(&InitRes::Success(status));
        both_ways(&InitRes::Error(text.into()));
        both_ways::<StatusNotify>(&status);
        both_ways::<RegisterReq>(&registered);
        both_ways::<EventsNotify>(&notified);
        both_ways(&RegisterRes::Events(notified.clone()));
        both_ways(&RegisterRes::Failure);
        both_ways::<QueryReq>(&query);
        both_ways::<QueryRes>(&QueryResult { events: notified, more_follows });
    }

    #[test]
    fn any_bytes_never_panic(bytes in vec(prop_oneof![0x7e..0x86_u8, any::<u8>()], 0..60)) {
        decode_anything::<InitReq>(&bytes);
        decode_anything::<InitRes>(&bytes);
        decode_anything::<StatusNotify>(&bytes);
        decode_anything::<RegisterReq>(&bytes);
        decode_anything::<RegisterRes>(&bytes);
        decode_anything::<EventsNotify>(&bytes);
        decode_anything::<QueryReq>(&bytes);
        decode_anything::<QueryRes>(&bytes);
        if let Ok(init) = sbs::decode::<InitReq>(&bytes.into()) {
            let _ = Subscription::new(&init.subscriptions).map(|all| all.query_types());
        }
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,40}", near in "[-+]?[0-9]{1,13}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{0,20}[Z+-]?[0-9:]{0,5}") {
        let _ = text.parse::<Timestamp>();
        let _ = near.parse::<Timestamp>();
        let event_type: EventType = text.parse().expect("any text is a type");
        prop_assert_eq!(event_type.to_string(), text);
    }

    #[test]
    fn detached_is_equal(event in events()) {
        prop_assert_eq!(event.detached(), event);
    }

    #[test]
    fn types_order_as_their_segments(a in types(), b in types()) {
        let lists = (a.segments().collect::<Vec<_>>(), b.segments().collect::<Vec<_>>());
        prop_assert_eq!(a.cmp(&b), lists.0.cmp(&lists.1));
        prop_assert_eq!(a == b, lists.0 == lists.1);
        prop_assert_eq!(a.len(), lists.0.len());
    }

    #[test]
    fn timestamps_both_ways(timestamp in timestamps(), other in timestamps()) {
        prop_assert_eq!(Timestamp::from_bytes(timestamp.to_bytes()), Ok(timestamp));
        prop_assert_eq!(timestamp.to_bytes().cmp(&other.to_bytes()), timestamp.cmp(&other));
        prop_assert_eq!(timestamp.to_string().parse(), Ok(timestamp));
        if let Ok(time) = SystemTime::try_from(timestamp) {
            prop_assert_eq!(Timestamp::from(time), timestamp);
        }
    }

    #[test]
    fn doubles_both_ways_where_they_are_fine_enough(s in -4_000_000_000..4_000_000_000_i64, us in 0..1_000_000_u32) {
        let timestamp = Timestamp::new(s, us).expect("microseconds in range");
        prop_assert_eq!(Timestamp::try_from_secs_f64(timestamp.as_secs_f64()), Ok(timestamp));
    }

    #[test]
    fn any_double_never_panics(bits in any::<u64>(), timestamp in timestamps()) {
        let _ = Timestamp::try_from_secs_f64(f64::from_bits(bits));
        let _ = timestamp.add_secs_f64(f64::from_bits(bits));
    }

    #[test]
    fn the_natural_sort_never_panics_and_keeps_servers_in_order(mut all in vec(events(), 0..40)) {
        let count = all.len();
        sort_natural(&mut all);
        prop_assert_eq!(all.len(), count);
        for (index, event) in all.iter().enumerate() {
            for later in &all[index..] {
                prop_assert!(event.id.server != later.id.server || event.id <= later.id);
            }
        }
    }
}
