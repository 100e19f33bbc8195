//! Layer `juggler`, 0.7: a client with the server's state, and a server with one state for all
//! clients or one for each.

mod client;
pub(crate) mod form;
mod server;

use std::sync::Arc;

use hat_aio::Runtime;
use hat_aio::juggler::{self as library, ListenOptions, RequestError, SendError, SharedState};
use hat_core::juggler::State;
use serde_json::{Value, json};

use self::client::Client;
use self::server::{Callbacks, Connection, Server};
use crate::answer::{Answer, Failure, Outcome};
use crate::objects::Object;
use crate::params::Params;
use crate::session::Session;

/// Does what a request of the layer asks for.
pub(crate) async fn call<R: Runtime>(
    session: &Arc<Session>,
    method: &str,
    params: &Params,
) -> Outcome {
    match method {
        "connect" => connect::<R>(session, params).await,
        "send" => send(&*session.open(params)?, params).await,
        "listen" => listen::<R>(session, params).await,
        "state_set" => {
            let (path, value) = (form::path(params)?, form::json(params, "value"));
            let set = change(session, params, |state| state.set(&path, value))?;
            set.map_err(Failure::value).map(|()| Value::Null.into())
        }
        "state_remove" => {
            let path = form::path(params)?;
            change(session, params, |state| state.remove(&path))?;
            Ok(Value::Null.into())
        }
        "flush" => {
            let connection: Arc<Connection> = session.open(params)?;
            connection.library.flush().await.map_err(Failure::connection)?;
            Ok(Value::Null.into())
        }
        "notify" => {
            let connection: Arc<Connection> = session.open(params)?;
            let (name, data) = (params.text("name")?, form::json(params, "data"));
            connection.library.notify(name, &data).await.map_err(|error| not_sent(&error))?;
            Ok(Value::Null.into())
        }
        _ => Err(Failure::unsupported(method)),
    }
}

async fn connect<R: Runtime>(session: &Session, params: &Params) -> Outcome {
    let (address, ws) = form::target(params)?;
    let options = form::client(params, ws)?;
    let connected = library::connect::<R>(address, options).await;
    let client = Client::new(&session.objects, connected.map_err(Failure::connection)?);
    session.objects.insert(client.clone());
    let ok = json!({"obj": client.report().handle});
    let calls = session.calls.clone();
    Ok(Answer::and_then(ok, move || R::spawn(client.pass_on(calls))))
}

async fn send(client: &Client, params: &Params) -> Outcome {
    let sent = client.library.send(params.text("name")?, &form::json(params, "data")).await;
    // the state that came before the answer is told before it
    client.report_state().await;
    match sent {
        Ok(data) => Ok(json!({"data": Value::from(&data)}).into()),
        Err(RequestError::Failed(data)) => Err(Failure::juggler((&data).into())),
        Err(RequestError::Refused(fault)) if !fault.is_closed() => Err(Failure::other(fault)),
        Err(error) => Err(Failure::connection(error)),
    }
}

async fn listen<R: Runtime>(session: &Arc<Session>, params: &Params) -> Outcome {
    let config = form::server(params)?;
    let initial = form::json(params, "state");
    let shared = params.boolean_or("shared_state", false)?.then(|| {
        let mut state = State::default();
        let replaced = state.replace(initial.clone());
        replaced.map(|()| SharedState::new(state, config.autoflush_delay))
    });
    let shared = shared.transpose().map_err(Failure::value)?;
    let initial = if shared.is_some() { None } else { Some(initial) };
    let options = ListenOptions {
        web: form::web(params)?,
        config,
        ws: form::ws_config(),
        state: shared,
        ..ListenOptions::default()
    };
    let report = session.objects.new_report();
    let has_request = params.boolean_or("has_request_cb", false)?;
    let (callbacks, introduced) =
        Callbacks::new(session.clone(), report.clone(), has_request, initial);
    let listening = library::listen::<R>(form::host(params)?, callbacks, options).await;
    let library = listening.map_err(Failure::connection)?;
    let ok = json!({"obj": report.handle});
    session.objects.insert(Arc::new(Server { library, report }));
    Ok(Answer::and_then(ok, move || drop(introduced)))
}

/// Changes the state of a connection, or that of a server.
fn change<T>(
    session: &Session,
    params: &Params,
    change: impl FnOnce(&mut State) -> T,
) -> Result<T, Failure> {
    if session.objects.find::<Connection>(params.handle()?).is_ok() {
        return Ok(session.open::<Connection>(params)?.library.change(change));
    }
    let server: Arc<Server> = session.open(params)?;
    match server.library.state() {
        Some(state) => Ok(state.change(change)),
        None => Err(Failure::value("each connection of the server has a state of its own")),
    }
}

fn not_sent(error: &SendError) -> Failure {
    match error {
        SendError::Refused(fault) if !fault.is_closed() => Failure::other(error),
        _ => Failure::connection(error),
    }
}
