//! What pages ask for.

use hat_aio::juggler::{Connection, Handler};
use hat_core::json::Value;
use tracing::info;

use super::event::{self, Extent};
use super::live::Live;
use crate::server::Desk;

/// Answers to pages. What fails is told in a text for their users.
pub(super) struct Requests {
    pub(super) desk: Desk,
    pub(super) live: Live,
}

impl Handler for Requests {
    async fn connected(&self, connection: &Connection) {
        let (id, address, user) = (connection.id(), connection.remote(), connection.user());
        info!(%id, address, user, "page opened");
        self.live.viewer_came();
    }

    async fn disconnected(&self, connection: &Connection) {
        info!(id = %connection.id(), "page closed");
        self.live.viewer_went();
    }

    async fn request(&self, _: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        let answer = match name {
            "register" => self.register(&data).await,
            "event" => self.event(&data),
            _ => Err("there is no such request: ask for `register` or `event`".to_owned()),
        };
        answer.map_err(Value::from)
    }
}

impl Requests {
    /// As a client that registers one event.
    async fn register(&self, data: &Value) -> Result<Value, String> {
        let event = event::to_register(data)?;
        let registered = self.desk.register(vec![event]).await;
        let registered = registered.and_then(|mut events| events.pop());
        let registered = registered.ok_or("the server is stopping: nothing is registered now")?;
        Ok(event::value(&registered, Extent::Whole))
    }

    fn event(&self, data: &Value) -> Result<Value, String> {
        let event_type = event::asked(data)?;
        let latest = self.desk.store().latest_of(&event_type).cloned();
        let latest =
            latest.ok_or_else(|| format!("the server has no event of type {event_type}"))?;
        Ok(event::value(&latest, Extent::Whole))
    }
}
