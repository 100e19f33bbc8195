//! Connections over real sockets, on every runtime.

mod chatter;
mod connecting;
mod cotp;
mod eventer;
mod floods;
mod forgetting;
#[cfg(unix)]
mod groups;
mod late;
mod longest;
mod reconnect;
mod servers;
mod slow;
#[cfg(unix)]
mod streams;
mod tcp;
mod too_large;
mod vanished;

use std::net::{Ipv4Addr, SocketAddr};

use hat_aio::chatter::{ConnectOptions, Connection, SendOptions, Server, connect, listen};
use hat_core::chatter::Data;
use hat_tests::runtimes::TestRuntime;

/// A free port of this machine.
fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn server<R: TestRuntime>(options: ConnectOptions) -> Server {
    listen::<R>(local(), options.into()).await.expect("a free port")
}

/// A client, and the server's end of its connection. The server must be kept.
async fn pair<R: TestRuntime>(options: ConnectOptions) -> (Server, Connection, Connection) {
    let server = server::<R>(options.clone()).await;
    let client = connect::<R>(server.addresses()[0], options).await.expect("a connection");
    let accepted = server.accept().await.expect("the other end");
    (server, client, accepted)
}

fn one() -> SendOptions {
    SendOptions::default()
}

fn data(bytes: impl Into<bytes::Bytes>) -> Data {
    Data::new("Test.Data", bytes)
}
