//! What the events are about, who may want which, and which of them match: by the rules alone, one
//! by one.

use hat_core::eventer::message::InitReq;
use hat_core::eventer::{
    Event, EventType, LatestParams, Payload, QueryParams, RegisterEvent, ServerParams,
};
use hat_tests::simulation::Random;

const TYPES: [&str; 6] = ["a", "a/b", "a/b/c", "b", "b/c", "c/d"];

const QUERIES: [&str; 9] = ["*", "a/*", "a/?", "b/c", "?/b", "?/?", "c/d", "a/b/*", "none"];

/// What a client says that the server refuses: a `*` that is not the last.
const NO_QUERY: &str = "a/*/b";

/// The token that the server does not like.
pub(super) const BAD_TOKEN: &str = "bad";

fn event_type(text: &str) -> EventType {
    match text.parse() {
        Ok(event_type) => event_type,
    }
}

/// Who a client is and what it wants.
pub(super) fn init(random: &mut Random) -> InitReq {
    let count = random.below(4);
    let mut subscriptions: Vec<_> = (0..count).map(|_| event_type(random.pick(&QUERIES))).collect();
    if random.chance(2) {
        subscriptions.push(event_type(NO_QUERY));
    }
    InitReq {
        client_name: format!("client {}", random.below(1000)).into(),
        client_token: random.pick(&[None, None, Some("good")]).map(Into::into),
        subscriptions,
        server_id: random.pick(&[None, None, Some(1), Some(2)]),
        persisted: random.chance(25),
    }
}

/// Whether the server takes a client that says this.
pub(super) fn is_welcome(init: &InitReq) -> bool {
    let is_query = |query: &EventType| *query != event_type(NO_QUERY);
    init.subscriptions.iter().all(is_query) && init.client_token.as_deref() != Some(BAD_TOKEN)
}

/// Whether a client that said `init` wants to be told of `event`.
pub(super) fn wants(init: &InitReq, event: &Event) -> bool {
    let of_server = init.server_id.is_none_or(|server| server == event.id.server);
    let segments: Vec<_> = event.event_type.segments().collect();
    let matches = |query: &EventType| matches(&query.segments().collect::<Vec<_>>(), &segments);
    of_server && init.subscriptions.iter().any(matches)
}

fn matches(query: &[&str], segments: &[&str]) -> bool {
    match (query, segments) {
        (["*"], _) => true,
        ([one, query @ ..], [segment, segments @ ..]) => {
            (*one == "?" || one == segment) && matches(query, segments)
        }
        (query, segments) => query.is_empty() && segments.is_empty(),
    }
}

/// Events to register.
pub(super) fn events(random: &mut Random) -> Vec<RegisterEvent> {
    let count = random.within(1..=4);
    let event = |_| RegisterEvent {
        payload: random.chance(50).then(|| {
            let most = random.pick(&[10, 10, 100, 3000]);
            Payload::binary("", vec![7; random.size(most)])
        }),
        ..RegisterEvent::new(event_type(random.pick(&TYPES)))
    };
    (0..count).map(event).collect()
}

/// A question.
pub(super) fn query(random: &mut Random) -> QueryParams {
    if random.chance(30) {
        let event_types = Some(vec![event_type(random.pick(&QUERIES))]);
        return LatestParams { event_types }.into();
    }
    let max_results = Some(random.below(10) as i64);
    ServerParams { server_id: random.within(1..=2) as i64, max_results, ..ServerParams::default() }
        .into()
}
