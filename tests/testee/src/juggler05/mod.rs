//! Layer `juggler05`: two peers with data, messages and calls both ways.

mod connection;

use std::sync::Arc;

use hat_aio::Runtime;
use hat_aio::juggler::peer::{self as library, CallError, ConnectOptions};
use hat_core::juggler::rpc::Actions;
use serde_json::{Value, json};

use self::connection::Connection;
use crate::answer::{Answer, Failure, Outcome};
use crate::juggler::form;
use crate::objects::Object;
use crate::params::{Params, required};
use crate::server::{Connection as _, Server};
use crate::session::Session;

/// Does what a request of the layer asks for.
pub(crate) async fn call<R: Runtime>(
    session: &Arc<Session>,
    method: &str,
    params: &Params,
) -> Outcome {
    let open = || session.open::<Connection>(params);
    match method {
        "connect" => connect::<R>(session, params).await,
        "listen" => listen::<R>(session, params).await,
        "set_local_data" => {
            let set = open()?.library.set_local_data(form::json(params, "data"));
            set.map_err(Failure::value).map(|()| Value::Null.into())
        }
        "flush_local_data" => {
            open()?.library.flush().await.map_err(Failure::connection)?;
            Ok(Value::Null.into())
        }
        "send" => send(&*open()?, params).await,
        "receive" => {
            let connection: Arc<Connection> = session.objects.find(params.handle()?)?;
            connection.receive().await.map(|data| json!({"data": Value::from(&data)}).into())
        }
        "rpc_wrap" => {
            let names = params.read("actions", "a list", Value::as_array)?;
            let names = required("actions", names)?.iter().filter_map(Value::as_str);
            let mut actions = names.fold(Actions::new(), |actions, name| actions.with(name, ()));
            if params.boolean_or("default_action", false)? {
                actions = actions.with_default(());
            }
            open()?.wrap::<R>(actions);
            Ok(Value::Null.into())
        }
        "rpc_call" => rpc_call(&*open()?, params).await,
        _ => Err(Failure::unsupported(method)),
    }
}

async fn connect<R: Runtime>(session: &Session, params: &Params) -> Outcome {
    let (address, ws) = form::target(params)?;
    let connected = library::connect::<R>(address, ConnectOptions { ws, ..options(params)? }).await;
    let connected = connected.map_err(Failure::connection)?;
    let connection = Connection::new(session, connected);
    session.objects.insert(connection.clone());
    let ok = json!({"obj": connection.report().handle});
    Ok(Answer::and_then(ok, move || connection.start::<R>()))
}

async fn listen<R: Runtime>(session: &Arc<Session>, params: &Params) -> Outcome {
    let (web, options) = (form::web(params)?, options(params)?);
    let server = web.accept;
    let options = library::ListenOptions {
        web,
        ws: form::ws_config(),
        config: options.config,
        inbox: options.inbox,
        every_change: options.every_change,
        ..Default::default()
    };
    let listening = library::listen::<R>(form::host(params)?, options).await;
    let library = listening.map_err(Failure::connection)?;
    let (server, accepting) = Server::new(&session.objects, library, server);
    let ok = json!({"obj": server.report().handle});
    session.objects.insert(server.clone());
    let session = session.clone();
    Ok(Answer::and_then(ok, move || {
        R::spawn(async move {
            while let Some(connection) = server.accept().await {
                let connection = Connection::new(&session, connection);
                server.introduce::<R>(&session.objects, connection, &Value::Null);
            }
            drop(accepting);
        });
    }))
}

fn options(params: &Params) -> Result<ConnectOptions, Failure> {
    let mut options = ConnectOptions { every_change: true, ..ConnectOptions::default() };
    // what is not taken waits without end, as with the deployed peer: the tester takes it when it
    // likes
    options.inbox.messages = usize::MAX;
    options.inbox.bytes = usize::MAX;
    options.config.peer.autoflush_delay = form::autoflush_delay(params)?;
    Ok(options)
}

async fn send(connection: &Connection, params: &Params) -> Outcome {
    match connection.library.send(&form::json(params, "data")).await {
        Ok(()) => Ok(Value::Null.into()),
        Err(error) => Err(Failure::connection(error)),
    }
}

async fn rpc_call(connection: &Connection, params: &Params) -> Outcome {
    let args = required("args", params.read("args", "a list", Value::as_array)?)?;
    let args: Vec<_> = args.iter().cloned().map(hat_core::json::Value::from).collect();
    let called = connection.call(params.text("action")?, &args).await;
    let unwrapped = || Failure::value("the connection makes no calls before rpc_wrap");
    match called.ok_or_else(unwrapped)? {
        Ok(result) => Ok(json!({"result": Value::from(&result)}).into()),
        Err(CallError::Failed(why)) => {
            Err(Failure::other(why.as_str().map_or_else(|| why.to_string(), str::to_owned)))
        }
        Err(error) => Err(Failure::connection(error)),
    }
}
