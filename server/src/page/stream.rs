//! All events as they come, for pages that ask for them: a notification a refresh, with as many as
//! somebody can look at, and how many more there were.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hat_aio::ConnectionId;
use hat_aio::juggler::Connection;
use hat_core::eventer::Event;
use hat_core::json::{Object, Value};
use smol::future::poll_once;

use super::event;
use super::fields;
use super::find::Search;
use super::history::named;
use super::name;
use crate::store::Session;

/// Events that wait for the next notification of a page: 500 in 0.2 s are more than anybody reads.
/// The oldest make room.
const MAX_EVENTS: usize = 500;

/// Bytes of their payloads.
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
    events: VecDeque<Event>,
    bytes: usize,
    /// Events that it will never be told: there was no room.
    missed: u64,
}

impl Streams {
    /// Answers `{"any": [searches]}`: from now on the page is told of what they find. Without it,
    /// it is told no more.
    pub(super) fn follow(&self, connection: &Connection, data: &Value) -> Result<Value, String> {
        let fields = fields::object(data, "the data of `stream`", &["any"])?;
        let Some(any) = fields::given(fields, "any") else {
            self.gone(connection.id());
            return Ok(Value::Null);
        };
        let search = Search::read(any)?;
        let follower =
            Follower { connection: connection.clone(), search, waiting: Waiting::default() };
        let mut followers = self.followers();
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
        for follower in self.followers().values_mut() {
            for event in session.events() {
                if follower.search.finds(&name::name(&event.event_type)) {
                    follower.waiting.push(event.detached());
                }
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
        follower.waiting = waiting;
    }

    fn followers(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Follower>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.missed == 0
    }

    fn push(&mut self, event: Event) {
        self.bytes += weight(&event);
        self.events.push_back(event);
        while self.events.len() > MAX_EVENTS || (self.bytes > MAX_BYTES && self.events.len() > 1) {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= weight(&oldest);
                self.missed += 1;
            }
        }
    }

    /// Oldest first.
    fn value(&self) -> Value {
        let events: Value = self.events.iter().map(named).collect();
        Object::from([("events", events), ("missed", self.missed.into())]).into()
    }
}

fn weight(event: &Event) -> usize {
    event.payload.as_ref().map_or(0, event::size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventId, EventType, Payload, Timestamp};

    fn event(instance: i64, size: usize) -> Event {
        Event {
            id: EventId::new(1, 1, instance),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: (size > 0).then(|| Payload::binary("", vec![0; size])),
        }
    }

    #[test]
    fn the_oldest_make_room_and_are_counted() {
        let mut waiting = Waiting::default();
        (1..=MAX_EVENTS as i64 + 3).for_each(|n| waiting.push(event(n, 0)));
        assert_eq!((waiting.events.len(), waiting.missed), (MAX_EVENTS, 3));
        assert_eq!(waiting.events[0].id.instance, 4);
        let mut waiting = Waiting::default();
        (1..=400).for_each(|n| waiting.push(event(n, 10_000)));
        let size = weight(&event(1, 10_000));
        assert_eq!(waiting.events.len(), MAX_BYTES / size);
        assert_eq!(waiting.missed as usize, 400 - MAX_BYTES / size);
        assert_eq!(waiting.bytes, MAX_BYTES / size * size);
    }
}
