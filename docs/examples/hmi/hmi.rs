//! Events of an event server as the state of a page, and calls of the page as events.
//!
//! ```text
//! hat serve ──events──> follow ──> state ──> every page        hmi/feeder 1/breaker/position …
//!     ▲                                        │
//!     └─────────── an event <── Operate <──call┘               hmi/feeder 1/breaker/command
//! ```

use std::error::Error;
use std::time::Duration;

use hat_tokio::eventer::{
    CatchUpConfig, Event, EventType, Json, LatestParams, Payload, QueryParams, ReconnectOptions,
    ReconnectingClient, RegisterEvent, Update, keep_connected,
};
use hat_tokio::json::{Limits, Object, Pointer};
use hat_tokio::juggler::{
    Connection, Handler, ListenOptions, Server, SharedState, Value, WebOptions, listen,
};
use hat_tokio::web::EmbeddedFile;

/// What the page shows, and what it asks the field to do.
const POINTS: &str = "hmi/feeder 1/*";
const COMMAND: &str = "hmi/feeder 1/breaker/command";

/// How long a command may take until its user is told that it is not confirmed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves the page on `page`, with the events of the server at `events`.
pub(crate) async fn start(events: &str, page: &str) -> Result<Server, Box<dyn Error>> {
    let state = SharedState::default();
    let nothing = || Value::Object(Object::default());
    let begin = Object::from([("connected", false.into()), ("points", nothing())]);
    state.change(|state| state.replace(begin))?;

    let mut options = ReconnectOptions::default();
    options.client.subscriptions = vec![POINTS.parse()?];
    // what was missed in an outage is asked for
    options.catch_up = Some(CatchUpConfig::default());
    let client = keep_connected(events, "hmi", options).await?;
    tokio::spawn(follow(client.clone(), state.clone()));

    let index = EmbeddedFile {
        path: "/index.html",
        content_type: "text/html; charset=utf-8",
        bytes: include_bytes!("index.html"),
    };
    let embedded: &'static [EmbeddedFile] = Box::leak(Box::new([index]));
    let web = WebOptions { embedded, ..WebOptions::default() };
    let options = ListenOptions { web, state: Some(state), ..ListenOptions::default() };
    Ok(listen(page, Operate(client), options).await?)
}

/// Brings what the event server tells into the state, until the client is over.
async fn follow(client: ReconnectingClient, state: SharedState) {
    while let Ok(update) = client.next().await {
        match update {
            Update::Connected(_) => {
                // the latest of each point: the page may be newer than they are
                let types = POINTS.parse().map(|points: EventType| vec![points]).ok();
                let latest = QueryParams::Latest(LatestParams { event_types: types });
                if let Ok(latest) = client.query(&latest).await {
                    latest.events.iter().for_each(|event| show(&state, event));
                }
                connected(&state, true);
            }
            Update::Events(events) => events.iter().for_each(|event| show(&state, event)),
            // what is shown may be old from now on, and the page says so
            Update::Disconnected { .. } => connected(&state, false),
            _ => {}
        }
    }
}

fn connected(state: &SharedState, connected: bool) {
    set(state, &Pointer::new(["connected"]), connected.into());
}

/// The value of a point, with its time: `points` by the last segments of the type.
fn show(state: &SharedState, event: &Event) {
    let Some(Payload::Json(json)) = &event.payload else { return };
    let Ok(value) = Value::parse(json.text(), &Limits::default()) else { return };
    let name = event.event_type.segments().skip(2).collect::<Vec<_>>().join("/");
    let time = event.timestamp.as_secs_f64();
    // an answer to the query may come after a newer event
    let at = Pointer::new(["points".to_owned(), name]);
    let known = state.value().get(&at.clone().child("time")).and_then(Value::as_f64);
    if known.is_none_or(|known| known <= time) {
        set(state, &at, Object::from([("value", value), ("time", time.into())]).into());
    }
}

fn set(state: &SharedState, path: &Pointer, value: Value) {
    if let Err(error) = state.change(|state| state.set(path, value)) {
        eprintln!("the page cannot show it: {error}");
    }
}

/// Calls of the page. An error is a text for its user.
struct Operate(ReconnectingClient);

impl Handler for Operate {
    async fn request(&self, page: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        match (name, data.as_str()) {
            ("operate", Some(to @ ("open" | "closed"))) => Ok(self.operate(page, to).await?),
            ("operate", _) => Err("a breaker can be `open` or `closed`".into()),
            _ => Err(format!("there is no call `{name}`").into()),
        }
    }
}

impl Operate {
    async fn operate(&self, page: &Connection, to: &str) -> Result<Value, String> {
        if !self.0.is_connected() {
            return Err("there is no event server: nothing was sent".into());
        }
        let command = Object::from([("to", to), ("by", page.remote())]);
        let payload = Json::from_text(Value::Object(command).to_string());
        let event = RegisterEvent {
            payload: Some(payload.map_err(|error| error.to_string())?.into()),
            ..RegisterEvent::new(COMMAND.parse::<EventType>().unwrap_or_default())
        };
        let registered = [event];
        let answer = self.0.register_with_response(&registered);
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Some(_))) => Ok("sent".into()),
            Ok(Ok(None)) => Err("the event server refused the command".into()),
            Ok(Err(error)) => Err(format!("not confirmed: {error}")),
            Err(_) => Err("not confirmed: the event server did not answer".into()),
        }
    }
}
