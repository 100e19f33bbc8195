//! Layers `chatter` and `chatter05`: Chatter of dialects `HatChatter` and `Hat`. They differ in how
//! parameters and results are written, which is [`form`].

mod connection;
mod form;

use std::sync::Arc;

use hat_aio::{ConnectError, Runtime, chatter as library};
use hat_core::chatter::{Dialect, SendError, SendFault};
use serde_json::{Value, json};

use self::connection::Connection;
pub(crate) use self::form::{AT_ONCE, Form, addr};
use crate::answer::{Answer, Failure, Outcome};
use crate::objects::Object;
use crate::params::Params;
use crate::server::{Connection as _, Server};
use crate::session::Session;
use crate::tls;

/// Does what a request of one of the layers asks for.
pub(crate) async fn call<R: Runtime>(
    session: &Arc<Session>,
    dialect: Dialect,
    method: &str,
    params: &Params,
) -> Outcome {
    let form = Form(dialect);
    let find = || {
        let found: Result<Arc<Connection>, _> = session.objects.find(params.handle()?);
        found
    };
    match method {
        "connect" => connect::<R>(session, form, params).await,
        "listen" => listen::<R>(session, form, params).await,
        "send" => send(&*find()?, form, params).await,
        "receive" => find()?.receive().await.map(|message| form.message(&message).into()),
        "drain" => find()?.drain().await.map(|()| Value::Null.into()),
        _ => Err(Failure::unsupported(method)),
    }
}

async fn connect<R: Runtime>(session: &Session, form: Form, params: &Params) -> Outcome {
    let mut options = form.options(params)?;
    options.library.tls = form.tls(params, tls::read_connector, tls::connector)?;
    let is_tls = options.library.tls.is_some();
    let connected = library::connect::<R>(form.address(params)?, options.library).await;
    let connection = connected.map_err(refused)?;
    let info = form.connection(&connection, is_tls);
    let connection = Connection::new(&session.objects, connection, options.queue);
    let ok = json!({"obj": connection.report().handle, "info": info});
    session.objects.insert(connection.clone());
    Ok(Answer::and_then(ok, move || connection.start::<R>()))
}

async fn listen<R: Runtime>(session: &Arc<Session>, form: Form, params: &Params) -> Outcome {
    let options = form.options(params)?;
    let tls = form.tls(params, tls::read_acceptor, tls::acceptor)?;
    let is_tls = tls.is_some();
    let server_options = form.server_options(params)?;
    let library = library::ListenOptions { accept: server_options, tls, ..options.library.into() };
    let listening = library::listen::<R>(form.address(params)?, library).await;
    let server = listening.map_err(Failure::connection)?;
    let mut ok = form.server(&server, is_tls);
    let (server, accepting) = Server::new(&session.objects, server, server_options);
    ok["obj"] = server.report().handle.into();
    session.objects.insert(server.clone());
    let session = session.clone();
    Ok(Answer::and_then(ok, move || {
        R::spawn(async move {
            while let Some(connection) = server.accept().await {
                let info = form.connection(&connection, is_tls);
                let connection = Connection::new(&session.objects, connection, options.queue);
                server.introduce::<R>(&session.objects, connection, &info);
            }
            drop(accepting);
        });
    }))
}

async fn send(connection: &Connection, form: Form, params: &Params) -> Outcome {
    let data = form.data(params)?;
    let options = form.send_options(params)?;
    let sent = match form.0 {
        Dialect::HatChatter => connection.send(data, options).await,
        Dialect::Hat => connection.send_at_once(data, options),
    };
    Ok(form::conversation(sent.map_err(|error| not_sent(&error))?).into())
}

fn refused(error: ConnectError) -> Failure {
    Failure::connection(error)
}

fn not_sent(error: &SendError) -> Failure {
    match error.fault {
        SendFault::Closed => Failure::connection(error),
        SendFault::QueueFull { .. } => Failure::other(error),
        _ => Failure::value(error),
    }
}
