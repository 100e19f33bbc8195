//! Layer `eventer`: clients and servers of events. What the server tells a client, and what clients
//! ask a server, are calls.

mod client;
mod form;
mod server;

use std::sync::Arc;

use hat_aio::Runtime;
use hat_aio::eventer::{
    self as library, ConnectError, ConnectOptions, ListenOptions, RequestError,
};
use hat_aio::server::AcceptOptions;
use hat_core::chatter::Dialect;
use hat_core::eventer::{Error, SendFault};
use hat_core::{chatter, eventer};
use serde_json::{Value, json};

use self::client::Client;
use self::server::{Callbacks, Has, Server};
use crate::answer::{Answer, Failure, Outcome};
use crate::chatter::{AT_ONCE, Form};
use crate::params::Params;
use crate::session::Session;
use crate::tls;

/// As Chatter connects.
const CHATTER: Form = Form(Dialect::HatChatter);

/// Does what a request of the layer asks for.
pub(crate) async fn call<R: Runtime>(
    session: &Arc<Session>,
    method: &str,
    params: &Params,
) -> Outcome {
    match method {
        "connect" => connect::<R>(session, params).await,
        "register" => register(&*session.open(params)?, params).await,
        "query" => query(&*session.open(params)?, params).await,
        "listen" => listen::<R>(session, params).await,
        "conn_infos" => {
            let connections = session.open::<Server>(params)?.library.connections();
            let infos: Value = connections.iter().map(|info| form::client_info(info)).collect();
            Ok(infos.into())
        }
        "set_status" => {
            let server: Arc<Server> = session.open(params)?;
            server.library.set_status(crate::params::required("status", params.named("status")?)?);
            Ok(Value::Null.into())
        }
        "notify_events" => notify_events(&*session.open(params)?, params).await,
        _ => Err(Failure::unsupported(method)),
    }
}

async fn connect<R: Runtime>(session: &Session, params: &Params) -> Outcome {
    let chatter = CHATTER.options(params)?;
    let options = ConnectOptions {
        token: params.optional_text("client_token")?.map(Into::into),
        subscriptions: form::read_types(params, "subscriptions")?.unwrap_or_default(),
        server_id: params.optional_integer("server_id")?,
        persisted: params.boolean_or("persisted", false)?,
        config: eventer::client::Config {
            // requests are sent in the order of their lines: one that waited for room could be
            // overtaken
            chatter: chatter::Config { max_queued: AT_ONCE, ..chatter.library.config },
            ..eventer::client::Config::default()
        },
        inbox: chatter.library.inbox,
        tls: tls::read_connector(params)?,
        ..ConnectOptions::default()
    };
    let (address, name) = (CHATTER.address(params)?, params.text("client_name")?);
    let library = library::connect::<R>(address, name, options).await.map_err(not_taken)?;
    let status = library.status();
    let client = Client::new(&session.objects, library);
    session.objects.insert(client.clone());
    let ok = json!({"obj": client.handle(), "status": status.as_str()});
    let calls = session.calls.clone();
    Ok(Answer::and_then(ok, move || client.start::<R>(calls)))
}

async fn register(client: &Client, params: &Params) -> Outcome {
    let events = form::read_register_events(params)?;
    let registered = if params.boolean_or("with_response", false)? {
        client.library.register_with_response(&events).await.map_err(not_done)?
    } else {
        client.library.register(&events).await.map_err(not_done)?;
        None
    };
    Ok(json!({"events": registered.as_deref().map(form::events)}).into())
}

async fn query(client: &Client, params: &Params) -> Outcome {
    let query = form::read_query(&params.object("params")?)?;
    let result = client.library.query(&query).await.map_err(not_done)?;
    Ok(form::result(&result).into())
}

async fn listen<R: Runtime>(session: &Session, params: &Params) -> Outcome {
    let chatter = CHATTER.options(params)?;
    let server_options: AcceptOptions = CHATTER.server_options(params)?;
    let mut config =
        eventer::server::Config { chatter: chatter.library.config, ..Default::default() };
    if let Some(timeout) = params.seconds("close_timeout")? {
        config.close_timeout = timeout;
    }
    let options = ListenOptions {
        status: params.named("status")?.unwrap_or_default(),
        config,
        inbox: chatter.library.inbox,
        tls: tls::read_acceptor(params)?,
        accept: server_options,
        ..ListenOptions::default()
    };
    let has = Has {
        connected: params.boolean_or("has_connected_cb", false)?,
        disconnected: params.boolean_or("has_disconnected_cb", false)?,
        register: params.boolean_or("has_register_cb", false)?,
        query: params.boolean_or("has_query_cb", false)?,
    };
    let report = session.objects.new_report();
    let (callbacks, signals) = Callbacks::new(has, session.calls.clone(), report.clone());
    let listening = library::listen::<R>(CHATTER.address(params)?, callbacks, options).await;
    let library = listening.map_err(Failure::connection)?;
    let server = Server::new(library, report, signals.closing, server_options.bind_connections);
    let ok = json!({"obj": server.handle()});
    session.objects.insert(server);
    Ok(Answer::and_then(ok, move || drop(signals.introduced)))
}

async fn notify_events(server: &Server, params: &Params) -> Outcome {
    let events = form::read_events(params)?;
    let with_ack = params.boolean_or("with_ack", false)?;
    server.library.notify_events(&events, params.boolean("persisted")?, with_ack).await;
    Ok(Value::Null.into())
}

fn not_taken(error: ConnectError) -> Failure {
    if let ConnectError::Ended(ended) = &error
        && let Some(Error::Rejected(text)) = ended.protocol()
    {
        return Failure::init(text);
    }
    match error {
        ConnectError::Init(_) => Failure::value(error),
        _ => Failure::connection(error),
    }
}

fn not_done(error: RequestError) -> Failure {
    match error {
        RequestError::Refused(SendFault::TooManyRequests { .. }) => Failure::other(error),
        RequestError::Refused(fault) if !fault.is_closed() => Failure::value(error),
        _ => Failure::connection(error),
    }
}
