//! The requests of pages, and their answers.

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
    /// Users register one after the other: what one of them saw holds until it is done.
    pub(super) turn: Mutex<()>,
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
        let _turn = self.turn.lock().await;
        if let Some(expected) = expected {
            let latest = self.stored(&event.event_type).await?;
            if !expected.is(latest.as_ref()) {
                return Err(
                    "a newer event of this type has been registered meanwhile, so nothing \
                            was registered: review it again"
                        .to_owned(),
                );
            }
        }
        // as late as can be: all of the above may have taken time
        let late = deadline.is_some_and(|deadline| Timestamp::now().as_secs_f64() > deadline);
        if late {
            return Err(
                "the request arrived too late, so nothing was registered: the server or the \
                        connection was delayed"
                    .to_owned(),
            );
        }
        let event_type = event.event_type.to_string();
        let record = self.record(connection, &event);
        let registered = self.handle.register_together(vec![event, record]).await;
        let registered = registered.map_err(|error| error.to_string())?.into_iter().next();
        let registered = registered.ok_or("nothing was registered")?;
        let address = connection.remote();
        info!(user, address, event_type, id = ?registered.id, "registered from the page");
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
        // what pages are shown comes a moment later than the answer of who registered it
        let latest = match self.stored(&event_type).await? {
            Some(event) => Some(event),
            // one that rules have removed
            None => self.live.latest().of(&event_type).cloned(),
        };
        Ok(latest.map_or(Value::Null, |latest| event::value(&latest, Extent::Whole)))
    }

    /// The latest event of a type, from the store itself.
    async fn stored(&self, event_type: &EventType) -> Result<Option<Event>, String> {
        let event_types = Some(vec![event_type.clone()]);
        let found = self.handle.query(QueryParams::Latest(LatestParams { event_types }));
        let found = found.await.map_err(|error| error.to_string())?.events;
        Ok(found.into_iter().find(|event| event.event_type == *event_type))
    }
}
