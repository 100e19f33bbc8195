//! The requests of pages, and their answers.

use std::time::{Duration, Instant};

use hat_aio::juggler::{Connection, Handler};
use hat_core::eventer::{
    Event, EventType, Json, LatestParams, QueryParams, RegisterEvent, Timestamp,
};
use hat_core::json::Value;
use smol::lock::Mutex;
use tracing::info;

use super::event::{self, Extent, Registration};
use super::history;
use super::live::Live;
use super::roles::{Role, Roles};
use crate::engine_handle::EngineHandle;
use crate::store::is_later;

/// What can be asked for.
const NAMES: &str = "`register`, `event`, `history`, `types`, `stream`, `echo`";

/// Who registers where there are no passwords.
const ANONYMOUS: &str = "anonymous";

/// Answers to pages. What fails is told in a text for their users.
pub(super) struct Requests {
    pub(super) handle: EngineHandle,
    pub(super) live: Live,
    pub(super) server_id: i64,
    pub(super) read_only: bool,
    pub(super) roles: Roles,
    /// Users register one after the other: what one of them saw holds until it is done. What they
    /// registered is known here until it is shown.
    pub(super) turn: Mutex<Vec<Event>>,
}

impl Handler for Requests {
    async fn connected(&self, connection: &Connection) {
        let (id, address, user) = (connection.id(), connection.remote(), connection.user());
        info!(%id, address, user, "page opened");
        self.live.viewer_came();
    }

    async fn disconnected(&self, connection: &Connection) {
        info!(id = %connection.id(), "page closed");
        self.live.streams().gone(connection.id());
        self.live.viewer_went();
    }

    async fn request(
        &self,
        connection: &Connection,
        name: &str,
        data: Value,
    ) -> Result<Value, Value> {
        let answer = match name {
            "register" => self.register(connection, &data).await,
            "event" => self.event(&data).await,
            "history" => history::history(&self.handle, &data).await,
            "types" => history::types(&self.handle, &self.live, &data).await,
            "stream" => self.live.streams().follow(connection, &data),
            // how long a page's question takes, behind all that is queued to it
            "echo" if data.as_f64().is_some() => Ok(data),
            "echo" => Err("`echo` needs a number".to_owned()),
            _ => Err(format!("unknown request: use one of {NAMES}")),
        };
        answer.map_err(Value::from)
    }
}

impl Requests {
    /// As a client that registers one event. Who did it is an event of the same session. Between
    /// the look at the latest event and the registration no other user of a page comes; a client of
    /// the event server still may.
    async fn register(&self, connection: &Connection, data: &Value) -> Result<Value, String> {
        let user = connection.user();
        if self.read_only {
            return Err("this page is read-only: it registers nothing".to_owned());
        }
        if self.roles.of(user) != Role::Operator {
            let user = user.unwrap_or(ANONYMOUS);
            return Err(format!("{user} may only view: registering requires the role `operator`"));
        }
        let Registration { event, deadline, expected } = event::to_register(data)?;
        let mut registered_before = self.turn.lock().await;
        registered_before.retain(|event| !self.live.latest().has_taken(event.id));
        if let Some(expected) = expected {
            let latest = self.latest(&event.event_type).await?;
            let before = registered_before.iter().rfind(|it| it.event_type == event.event_type);
            let latest = later(latest, before.cloned());
            if !expected.is(latest.as_ref()) {
                return Err(
                    "a newer event of this type has been registered meanwhile, so nothing \
                            was registered: review it again"
                        .to_owned(),
                );
            }
        }
        // as late as can be: all of the above may have taken time
        let left = deadline.map(|deadline| deadline - Timestamp::now().as_secs_f64());
        if left.is_some_and(|left| left <= 0.0) {
            return Err(
                "the request arrived too late, so nothing was registered: the server or the \
                        connection was delayed"
                    .to_owned(),
            );
        }
        let left = left.and_then(|left| Duration::try_from_secs_f64(left).ok());
        let until = left.and_then(|left| Instant::now().checked_add(left));
        let event_type = event.event_type.to_string();
        let record = self.record(connection, &event);
        let registered = self.handle.register_together(vec![event, record], until).await;
        let registered = registered.map_err(|error| error.to_string())?.into_iter().next();
        let registered = registered.ok_or("nothing was registered")?;
        let address = connection.remote();
        info!(user, address, event_type, id = ?registered.id, "registered from the page");
        registered_before.push(registered.detached());
        Ok(event::value(&registered, Extent::Whole))
    }

    /// Who registers what, as `hat/<server>/page/<user>`.
    fn record(&self, connection: &Connection, event: &RegisterEvent) -> RegisterEvent {
        let server = self.server_id.to_string();
        let user = connection.user().unwrap_or(ANONYMOUS);
        let record = serde_json::json!({
            "address": connection.remote(),
            "registered": event.event_type.segments().collect::<Vec<_>>(),
        });
        RegisterEvent {
            payload: Some(Json::from_value(&record).into()),
            ..RegisterEvent::new(EventType::from_segments(["hat", &server, "page", user]))
        }
    }

    async fn event(&self, data: &Value) -> Result<Value, String> {
        let event_type = event::asked(data)?;
        let latest = self.latest(&event_type).await?;
        Ok(latest.map_or(Value::Null, |latest| event::value(&latest, Extent::Whole)))
    }

    /// The latest event of a type. The store may not have it: rules have removed it, or a condition
    /// kept it out. What pages are shown comes a moment later than the answer of who registered it.
    async fn latest(&self, event_type: &EventType) -> Result<Option<Event>, String> {
        let stored = self.stored(event_type).await?;
        Ok(later(stored, self.live.latest().of(event_type).cloned()))
    }

    /// The latest event of a type that the store has.
    async fn stored(&self, event_type: &EventType) -> Result<Option<Event>, String> {
        let event_types = Some(vec![event_type.clone()]);
        let found = self.handle.query(QueryParams::Latest(LatestParams { event_types }));
        let found = found.await.map_err(|error| error.to_string())?.events;
        Ok(found.into_iter().find(|event| event.event_type == *event_type))
    }
}

/// The later one of two events of a type.
fn later(one: Option<Event>, other: Option<Event>) -> Option<Event> {
    match (one, other) {
        (Some(one), Some(other)) => {
            let is_later = is_later((one.timestamp, one.id), (other.timestamp, other.id));
            Some(if is_later { other } else { one })
        }
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use hat_aio::Address;
    use hat_aio::juggler::{Client, ConnectOptions, connect};
    use hat_core::eventer::Subscription;
    use hat_core::json::Object;
    use hat_tokio::Tokio;

    use super::*;
    use crate::page::{Page, PageOptions};
    use crate::store::disk::{Condition, Test};
    use crate::store::{DiskOptions, DiskStore};
    use crate::{EventServer, Options};

    /// A server whose store takes no event of the type `unstored`, and a page of it.
    async fn served(folder: &Path) -> anyhow::Result<(EventServer, Page, Client)> {
        let none = Condition {
            types: Subscription::new(&[EventType::from_segments(["unstored"])])?,
            test: Test::Any(Vec::new()),
        };
        let store = DiskOptions { conditions: vec![none], ..DiskOptions::default() };
        let store = Arc::new(DiskStore::open(folder, store)?);
        let live = Live::new(1, 100);
        let address = Address::from(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
        let mut options = Options::new(address.clone(), 1);
        options.live = Some(live.clone());
        let server = EventServer::start::<Tokio>(options, store).await?;
        let (options, handle) = (PageOptions::default(), server.handle());
        let page = Page::open::<Tokio>(address, options, None, handle, live).await?;
        let at = Address::from(page.addresses()[0]);
        let client = connect::<Tokio>(at, ConnectOptions::default()).await?;
        Ok((server, page, client))
    }

    /// What a page says that its user saw.
    fn seen(event: &Value) -> Value {
        let of = |path: &str| event.get(&path.parse().expect("a path")).cloned();
        match (of("/id"), of("/timestamp")) {
            (Some(id), Some(timestamp)) => {
                Object::from([("id", id), ("timestamp", timestamp)]).into()
            }
            _ => Value::Null,
        }
    }

    #[test]
    fn what_is_not_stored_is_the_latest_all_the_same() {
        let folder = std::env::temp_dir().join(format!("hat-page-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let body = async {
            let (server, page, client) = served(&folder).await?;
            let register = |seen: Value| {
                let payload: Value = serde_json::json!({"json": {"text": "1"}}).into();
                let data = [("type", "unstored".into()), ("payload", payload), ("expected", seen)];
                Value::from(Object::from(data))
            };
            // at once, one after the other, each as its user saw it
            let mut last = Value::Null;
            for _ in 0..20 {
                let request = register(seen(&last));
                last = client.send("register", &request).await.expect("what its user saw");
                let refused = client.send("register", &request).await.expect_err("another by now");
                assert!(refused.to_string().contains("a newer event"), "{refused}");
            }
            // what a page is shown before somebody confirms is what the server compares with
            let asked = serde_json::json!({"type": "unstored"}).into();
            while client.send("event", &asked).await? != last {
                tokio::task::yield_now().await;
            }
            client.send("register", &register(seen(&last))).await.expect("the same");
            page.close().await;
            server.stop().await?;
            anyhow::Ok(())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let done = runtime.expect("Tokio").block_on(body);
        let _ = std::fs::remove_dir_all(&folder);
        done.expect("no fault on the way");
    }

    #[test]
    fn of_two_events_the_later_one_by_its_server_or_by_its_time() {
        let event = |server, session, seconds| Event {
            id: hat_core::eventer::EventId::new(server, session, 1),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(seconds),
            source_timestamp: None,
            payload: None,
        };
        for (one, other) in [
            (event(1, 1, 5), event(1, 2, 5)),
            (event(2, 9, 5), event(1, 1, 6)),
            // a clock that was set back
            (event(1, 1, 9), event(1, 2, 5)),
        ] {
            let [first, second] = [(&one, &other), (&other, &one)]
                .map(|(one, other)| later(Some(one.clone()), Some(other.clone())));
            assert_eq!((first.as_ref(), second.as_ref()), (Some(&other), Some(&other)));
            assert_eq!(later(Some(one.clone()), None), later(None, Some(one)));
        }
    }
}
