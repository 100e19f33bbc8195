//! `hat chatter`: messages, one by one, and a proxy that prints what goes through it.

mod frames;
mod proxy;

use anyhow::Result;
use hat_aio::chatter::{
    ConnectOptions, Connection, Error, ListenOptions, RequestError, SendOptions, connect, listen,
};
use hat_aio::{ListenError, Runtime, SocketOptions};
use hat_core::chatter::{Config, Data, Message};
use serde_json::json;

use crate::args::{ChatterCommand, ListenArgs, MessageArgs};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::listening;
use crate::output;
use crate::runtime::within;

pub(crate) async fn chatter<R: Runtime>(command: ChatterCommand) -> Result<()> {
    match command {
        ChatterCommand::Send(args) => send::<R>(args).await,
        ChatterCommand::Listen(args) => listen_for::<R>(args).await,
        ChatterCommand::Proxy(args) => proxy::proxy::<R>(args).await,
    }
}

async fn send<R: Runtime>(args: MessageArgs) -> Result<()> {
    let MessageArgs { address, message_type, data, module, dialect, last, timeout, tls } = args;
    let options = ConnectOptions {
        config: Config { dialect: dialect.into(), ..Config::default() },
        tls: tls.connector(&address, timeout)?,
        socket: SocketOptions { connect_timeout: timeout, ..SocketOptions::default() },
        ..ConnectOptions::default()
    };
    let connection = connect::<R>(address.clone(), options).await.map_err(Failure::of_connect)?;
    let data = Data { module: module.map(Into::into), ..Data::new(message_type, data.0) };
    let over = |error: &Error| Failure::of_end(address.clone(), error);
    if last {
        match connection.send(data, SendOptions::default()).await {
            Ok(_) => {}
            Err(error) if error.fault.is_closed() => {
                return Err(over(&connection.ended().await).into());
            }
            Err(error) => return Err(Failure::Input(error.to_string()).into()),
        }
        connection.drain().await.map_err(|error| over(&error))?;
    } else {
        match within::<R, _>(timeout, connection.request(data)).await {
            None => return Err(Failure::Silent { address, time: timeout }.into()),
            Some(Ok(message)) => output::print_json(&line(&message, None))?,
            Some(Err(RequestError::Ended(error))) => return Err(over(&error).into()),
            Some(Err(error)) => return Err(Failure::Input(error.to_string()).into()),
        }
    }
    connection.close().await;
    Ok(())
}

/// A message as a JSON line.
fn line(message: &Message, from: Option<String>) -> String {
    let Message { data, conversation, first, last, token } = message;
    let mut line = json!({
        "module": data.module.as_deref(),
        "type": &*data.r#type,
        "data": frames::hex(&data.data),
        "conversation": conversation.first_id,
        "owner": conversation.owner,
        "first": first,
        "last": last,
        "token": token,
    });
    if let Some(from) = from {
        line["from"] = from.into();
    }
    if let Some(value) = frames::eventer(&data.r#type, &data.data) {
        line["value"] = value.into();
    }
    line.to_string()
}

async fn listen_for<R: Runtime>(args: ListenArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let options = ListenOptions {
        config: Config { dialect: args.dialect.into(), ..Config::default() },
        tls: args.tls.acceptor(&args.listen)?,
        ..ListenOptions::default()
    };
    let at = args.listen.clone();
    let server = listen::<R>(args.listen, options).await;
    let server = server.map_err(|error: ListenError| Failure::CannotListen(error.to_string()))?;
    listening::say(&at, server.addresses());
    let (sender, failed) = smol::channel::bounded(1);
    let serve = async {
        while let Some(connection) = server.accept().await {
            let (echo, sender) = (args.echo, sender.clone());
            R::spawn(async move {
                if let Err(error) = receive(&connection, echo).await {
                    // the first says enough
                    let _ = sender.try_send(error);
                }
            });
        }
        Ok(())
    };
    let failed = async { failed.recv().await.map_or(Ok(()), Err) };
    let ended = interrupt.or(smol::future::or(failed, serve)).await;
    server.close().await;
    ended.unwrap_or(Ok(()))
}

/// Prints the messages of one connection. An error is one of the output.
async fn receive(connection: &Connection, echo: bool) -> Result<()> {
    let from = connection.remote_address().to_string();
    loop {
        match connection.receive().await {
            Ok(message) => {
                output::print_json(&line(&message, Some(from.clone())))?;
                if echo && !message.last && message.token {
                    let conversation = Some(message.conversation);
                    let options = SendOptions { conversation, ..SendOptions::default() };
                    // a connection that is over says so at the next message
                    let _ = connection.send(message.data, options).await;
                }
            }
            Err(error) => {
                say(&format!("{from} disconnected: {error}"));
                return Ok(());
            }
        }
    }
}
