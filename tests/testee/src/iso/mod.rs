//! Layers `tpkt` and `cotp`: messages over ISO transport. They differ in how connections are made,
//! and in selectors.

mod connection;

use std::sync::Arc;

use hat_aio::chatter::InboxLimits;
use hat_aio::server::AcceptOptions;
use hat_aio::{Address, Runtime, cotp, tpkt};
use hat_core::cotp::{Config, Selector};
use serde_json::{Value, json};

use self::connection::{Connection, Library};
use crate::answer::{Answer, Failure, Outcome};
use crate::chatter::addr;
use crate::objects::Object;
use crate::params::Params;
use crate::server::{Connection as _, Server};
use crate::session::Session;
use crate::tls;

/// Which layer.
#[derive(Clone, Copy)]
pub(crate) enum Layer {
    Tpkt,
    Cotp,
}

/// Does what a request of one of the layers asks for.
pub(crate) async fn call<R: Runtime>(
    session: &Arc<Session>,
    layer: Layer,
    method: &str,
    params: &Params,
) -> Outcome {
    let find = || {
        let found: Result<Arc<Connection>, _> = session.objects.find(params.handle()?);
        found
    };
    match (method, layer) {
        ("connect", _) => connect::<R>(session, layer, params).await,
        ("listen", Layer::Tpkt) => {
            let server = server_options(params)?;
            let listening = tpkt::listen::<R>(
                address(params)?,
                tpkt::ListenOptions {
                    accept: server,
                    tls: tls::read_acceptor(params)?,
                    ..tpkt_options(params)?.into()
                },
            );
            let listening = listening.await.map_err(Failure::connection)?;
            Ok(listen::<R, _>(session, params, listening, server)?)
        }
        ("listen", Layer::Cotp) => {
            let server = server_options(params)?;
            let listening = cotp::listen::<R>(
                address(params)?,
                cotp::ListenOptions {
                    accept: server,
                    tls: tls::read_acceptor(params)?,
                    ..cotp_options(params)?.into()
                },
            );
            let listening = listening.await.map_err(|error| match error {
                cotp::ListenError::Config(_) => Failure::value(error),
                _ => Failure::connection(error),
            })?;
            Ok(listen::<R, _>(session, params, listening, server)?)
        }
        ("send", _) => find()?.send(params.bytes("data")?).await.map(|()| Value::Null.into()),
        ("receive", _) => find()?.receive().await.map(|data| json!({"data": data}).into()),
        ("drain", _) => find()?.drain().await.map(|()| Value::Null.into()),
        _ => Err(Failure::unsupported(method)),
    }
}

async fn connect<R: Runtime>(session: &Session, layer: Layer, params: &Params) -> Outcome {
    let address = address(params)?;
    let library: Library = match layer {
        Layer::Tpkt => tpkt::connect::<R>(
            address,
            tpkt::ConnectOptions { tls: tls::read_connector(params)?, ..tpkt_options(params)? },
        )
        .await
        .map_err(Failure::connection)?
        .into(),
        Layer::Cotp => cotp::connect::<R>(
            address,
            cotp::ConnectOptions { tls: tls::read_connector(params)?, ..cotp_options(params)? },
        )
        .await
        .map_err(|error| not_made(&error))?
        .into(),
    };
    let info = info(&library, params.optional_text("name")?);
    let connection = Connection::new(&session.objects, library);
    let ok = json!({"obj": connection.report().handle, "info": info});
    session.objects.insert(connection.clone());
    Ok(Answer::and_then(ok, move || connection.start::<R>()))
}

fn listen<R: Runtime, L: Into<Library> + Send + Sync + 'static>(
    session: &Arc<Session>,
    params: &Params,
    library: hat_aio::server::Server<L>,
    options: AcceptOptions,
) -> Result<Answer, Failure> {
    let name = params.optional_text("name")?.map(str::to_owned);
    let addresses: Vec<_> = library.addresses().iter().copied().map(addr).collect();
    let (server, accepting) = Server::new(&session.objects, library, options);
    let ok = json!({"obj": server.report().handle, "name": name, "addresses": addresses});
    session.objects.insert(server.clone());
    let session = session.clone();
    Ok(Answer::and_then(ok, move || {
        R::spawn(async move {
            while let Some(connection) = server.accept().await {
                let library = connection.into();
                let info = info(&library, name.as_deref());
                let connection = Connection::new(&session.objects, library);
                server.introduce::<R>(&session.objects, connection, &info);
            }
            drop(accepting);
        });
    }))
}

/// `INFO` of a connection.
fn info(library: &Library, name: Option<&str>) -> Value {
    match library {
        Library::Tpkt(connection) => json!({
            "name": name,
            "local_addr": addr(connection.local_address()),
            "remote_addr": addr(connection.remote_address()),
        }),
        Library::Cotp(connection) => {
            let info = connection.info();
            let number = |selector: &Option<Selector>| selector.as_ref().and_then(Selector::number);
            json!({
                "name": name,
                "local_addr": addr(info.local_address),
                "local_tsel": number(&info.local_selector),
                "remote_addr": addr(info.remote_address),
                "remote_tsel": number(&info.remote_selector),
            })
        }
    }
}

fn address(params: &Params) -> Result<Address, Failure> {
    let addr = params.object("addr")?;
    Ok(Address::new(addr.text("host")?, addr.port()?))
}

fn server_options(params: &Params) -> Result<AcceptOptions, Failure> {
    // the deployed servers of these layers leave their connections alone
    let bind_connections = params.boolean_or("bind_connections", false)?;
    Ok(AcceptOptions { bind_connections, ..AcceptOptions::default() })
}

fn tpkt_options(params: &Params) -> Result<tpkt::ConnectOptions, Failure> {
    let inbox = inbox(params, "tpkt_receive_queue_size")?;
    Ok(tpkt::ConnectOptions { inbox, ..tpkt::ConnectOptions::default() })
}

fn cotp_options(params: &Params) -> Result<cotp::ConnectOptions, Failure> {
    let config = Config {
        local_selector: selector(params, "local_tsel")?,
        remote_selector: selector(params, "remote_tsel")?,
        // as the deployed peers: the end of one side is the end of both
        half_close: false,
        ..Config::default()
    };
    let inbox = inbox(params, "cotp_receive_queue_size")?;
    Ok(cotp::ConnectOptions { config, inbox, ..cotp::ConnectOptions::default() })
}

fn selector(params: &Params, name: &str) -> Result<Option<Selector>, Failure> {
    let number = params.optional_integer(name)?;
    let wrong = |_| Failure::value(format_args!("{name} is not from 0 to 65535"));
    number.map(|number| u16::try_from(number).map(Selector::from).map_err(wrong)).transpose()
}

fn inbox(params: &Params, name: &str) -> Result<InboxLimits, Failure> {
    let messages = params.size(name)?.filter(|&size| size > 0);
    let default = InboxLimits::default();
    Ok(InboxLimits { messages: messages.unwrap_or(default.messages), ..default })
}

fn not_made(error: &cotp::ConnectError) -> Failure {
    match error {
        cotp::ConnectError::Config(_) => Failure::value(error),
        _ => Failure::connection(error),
    }
}
