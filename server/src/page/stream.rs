//! All events as they come, for pages that ask for them: a notification a refresh, with as many as
//! somebody can look at, and how many more there were.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hat_aio::ConnectionId;
use hat_aio::juggler::Connection;
use hat_core::json::{Object, Value};
use smol::future::poll_once;

use super::event::Excerpt;
use super::fields;
use super::find::Search;
use super::name;
use crate::store::Session;

/// Events that wait for the next notification of a page: 500 in 0.2 s are more than anybody reads.
/// The oldest make room.
const MAX_EVENTS: usize = 500;

/// Bytes that they take, of which only what is sent is kept. One that is larger has no room at all.
const MAX_BYTES: usize = 1024 * 1024;

/// The pages that follow events.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// How many: who registers looks at this only, where nobody follows.
    count: AtomicUsize,
    followers: Mutex<BTreeMap<ConnectionId, Follower>>,
}

#[derive(Debug)]
struct Follower {
    connection: Connection,
    search: Search,
    waiting: Waiting,
}

/// What a page was not told yet.
#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Arc<Excerpt>>,
    bytes: usize,
    /// Events that it will never be told: there was no room.
    missed: u64,
}

impl Streams {
    /// Answers `{"any": [searches]}`: from now on the page is told of what they find, and of what
    /// an earlier search of it found and it was not told yet. Without it, it is told no more.
    pub(super) fn follow(&self, connection: &Connection, data: &Value) -> Result<Value, String> {
        let fields = fields::object(data, "the data of `stream`", &["any"])?;
        let Some(any) = fields::given(fields, "any") else {
            self.gone(connection.id());
            return Ok(Value::Null);
        };
        let search = Search::read(any)?;
        let mut followers = self.followers();
        let waiting = match followers.remove(&connection.id()) {
            Some(before) => before.waiting.that(&search),
            None => Waiting::default(),
        };
        let follower = Follower { connection: connection.clone(), search, waiting };
        followers.insert(connection.id(), follower);
        self.count.store(followers.len(), Ordering::Relaxed);
        Ok(Value::Null)
    }

    /// The page follows no longer.
    pub(super) fn gone(&self, id: ConnectionId) {
        let mut followers = self.followers();
        followers.remove(&id);
        self.count.store(followers.len(), Ordering::Relaxed);
    }

    /// Takes what was registered.
    pub(super) fn applied(&self, session: &Session) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut followers = self.followers();
        for event in session.events() {
            let name = name::name(&event.event_type);
            // one copy, of what is sent, for all of them
            let mut excerpt = None;
            for follower in followers.values_mut().filter(|it| it.search.finds(&name)) {
                let excerpt = excerpt.get_or_insert_with(|| Arc::new(Excerpt::of(event)));
                follower.waiting.push(excerpt.clone());
            }
        }
    }

    /// Tells each page what came since the last time. A page that takes nothing is waited for by
    /// nobody: what it has no room for is counted as missed.
    pub(super) async fn tell(&self) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let told: Vec<(Connection, Waiting)> = self
            .followers()
            .values_mut()
            .filter(|follower| !follower.waiting.is_empty())
            .map(|follower| (follower.connection.clone(), std::mem::take(&mut follower.waiting)))
            .collect();
        for (connection, waiting) in told {
            // the JSON is made while nobody waits
            let data = waiting.value();
            match poll_once(connection.notify("events", &data)).await {
                Some(Ok(())) => {}
                Some(Err(_)) => self.gone(connection.id()),
                None => self.not_told(connection.id(), waiting),
            }
        }
    }

    fn not_told(&self, id: ConnectionId, mut waiting: Waiting) {
        let mut followers = self.followers();
        let Some(follower) = followers.get_mut(&id) else { return };
        let newer = std::mem::take(&mut follower.waiting);
        waiting.missed += newer.missed;
        newer.events.into_iter().for_each(|event| waiting.push(event));
        // it may have another search by now
        follower.waiting = waiting.that(&follower.search);
    }

    fn followers(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Follower>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.missed == 0
    }

    fn push(&mut self, event: Arc<Excerpt>) {
        // it would take the room of all others, and have none in the end
        if event.weight() > MAX_BYTES {
            self.missed += 1;
            return;
        }
        self.bytes += event.weight();
        self.events.push_back(event);
        while (self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES)
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.weight();
            self.missed += 1;
        }
    }

    /// What `search` finds of it.
    fn that(mut self, search: &Search) -> Self {
        self.events.retain(|event| search.finds(&name::name(event.event_type())));
        self.bytes = self.events.iter().map(|event| event.weight()).sum();
        self
    }

    /// Oldest first.
    fn value(&self) -> Value {
        let events: Value = self.events.iter().map(|event| event.named()).collect();
        Object::from([("events", events), ("missed", self.missed.into())]).into()
    }
}

#[cfg(test)]
mod tests {
    use hat_aio::Address;
    use hat_aio::juggler::{ConnectOptions, Handler, ListenOptions, connect, listen};
    use hat_tokio::Tokio;

    use hat_core::eventer::{Event, EventId, EventType, Payload, Timestamp};

    use super::*;

    fn event(instance: i64, name: &str, size: usize) -> Event {
        Event {
            id: EventId::new(1, 1, instance),
            event_type: EventType::from_segments([name]),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: (size > 0).then(|| Payload::binary("", vec![0; size])),
        }
    }

    fn waiting(events: impl IntoIterator<Item = Event>) -> Waiting {
        let mut waiting = Waiting::default();
        events.into_iter().for_each(|event| waiting.push(Arc::new(Excerpt::of(&event))));
        waiting
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let many = waiting((1..=MAX_EVENTS as i64 + 3).map(|n| event(n, "a", 0)));
        assert_eq!((many.events.len(), many.missed), (MAX_EVENTS, 3));
        assert_eq!(many.events[0].named().get(&"/id/2".parse().expect("a path")), Some(&4.into()));
        let large = waiting((5001..=5400).map(|n| event(n, "a", 10_000)));
        let size = Excerpt::of(&event(5001, "a", 10_000)).weight();
        assert_eq!(large.events.len(), MAX_BYTES / size);
        assert_eq!(large.missed as usize, 400 - MAX_BYTES / size);
        assert_eq!(large.bytes, MAX_BYTES / size * size);
    }

    #[test]
    fn no_more_is_kept_than_is_sent() {
        let kept = |waiting: &Waiting| -> usize {
            waiting.value().to_string().len()
                + waiting.events.iter().map(|it| it.weight()).sum::<usize>()
        };
        let payloads = waiting((1..=8).map(|n| event(n, "a", 4 << 20)));
        assert_eq!((payloads.events.len(), payloads.missed), (8, 0));
        assert!(kept(&payloads) < 100_000, "{}", kept(&payloads));
        let name = "x".repeat(MAX_BYTES);
        let names = waiting((1..=3).map(|n| event(n, &name, 0)));
        assert_eq!((names.events.len(), names.bytes, names.missed), (0, 0, 3));
        // nor does it take the room of those that have some
        let among = [event(1, "a", 0), event(2, &name, 0), event(3, "b", 0)];
        let small = waiting(among);
        assert_eq!((small.events.len(), small.missed), (2, 1));
    }

    struct Followed(Arc<Streams>);

    impl Handler for Followed {
        async fn request(&self, page: &Connection, _: &str, data: Value) -> Result<Value, Value> {
            self.0.follow(page, &data).map_err(Value::from)
        }
    }

    #[test]
    fn another_search_takes_over_what_it_finds_and_what_was_missed() {
        let body = async {
            let streams = Arc::new(Streams::default());
            let (handler, options) = (Followed(streams.clone()), ListenOptions::default());
            let server = listen::<Tokio>(("127.0.0.1", 0), handler, options).await?;
            let address = Address::from(server.addresses()[0]);
            let page = connect::<Tokio>(address, ConnectOptions::default()).await?;
            let follow = async |word: &str| {
                let data = serde_json::json!({"any": [{"words": [word], "patterns": []}]});
                page.send("stream", &data.into()).await
            };
            follow("p").await?;
            let mut events: Vec<Event> =
                (1..=MAX_EVENTS as i64).map(|n| event(n, "pump", 0)).collect();
            events.extend([event(1001, "pipe", 10), event(1002, "pumps", 10)]);
            streams.applied(&Session::new(events)?);
            follow("pump").await?;
            streams.applied(&Session::new(vec![event(1003, "pipe", 0)])?);
            streams.tell().await;
            let told = page.notification().await?.data;
            let of = |path: &str| told.get(&path.parse().expect("a path")).cloned();
            let events = of("/events").expect("events");
            assert_eq!(events.as_array().map(hat_core::json::Array::len), Some(MAX_EVENTS - 1));
            assert_eq!(of("/events/498/type"), Some("pumps".into()));
            assert_eq!(of("/missed"), Some(2.into()));
            anyhow::Ok(())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("Tokio").block_on(body).expect("told");
    }
}
