//! TLS under every protocol, on every runtime: what goes through it, what is refused and why, and
//! the deployed peers.
#![allow(missing_docs, reason = "tests")]

mod certificates;
mod clients;
mod configs;
mod ends;
mod floods;
mod handshakes;
mod juggler;
mod options;
mod peers;
mod protocols;
mod records;
mod relay;
mod stream;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use bytes::Bytes;
use hat_aio::chatter::{
    ConnectOptions, Connection, ListenOptions, SendOptions, Server, connect, listen,
};
use hat_aio::tls::{self, Acceptor, Connector, Identity, Pem, Roots};
use hat_aio::{Address, ConnectError};
use hat_core::chatter::Data;
use hat_tests::certificates::{Authority, IssuedCertificate};
use hat_tests::runtimes::TestRuntime;

/// Whom the tests trust.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::new("The plant"));

/// The certificate of a server on this machine.
static SERVER: LazyLock<IssuedCertificate> =
    LazyLock::new(|| AUTHORITY.issue(&["localhost", "127.0.0.1"]));

/// A free port of this machine.
fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn text(pem: impl Into<String>) -> Pem {
    Pem::Text(Bytes::from(pem.into()))
}

fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::new(text(issued.pem()))
}

fn roots() -> Roots {
    text(AUTHORITY.pem()).into()
}

/// A server with that certificate.
fn server_options(issued: &IssuedCertificate) -> tls::AcceptorOptions {
    tls::AcceptorOptions::new(identity(issued))
}

/// A client that trusts the authority.
fn client_options() -> tls::ConnectorOptions {
    tls::ConnectorOptions { roots: roots(), ..tls::ConnectorOptions::default() }
}

fn acceptor() -> Option<Acceptor> {
    accepting(&server_options(&SERVER))
}

fn accepting(options: &tls::AcceptorOptions) -> Option<Acceptor> {
    Some(options.build().expect("a certificate with its key"))
}

fn connector() -> Option<Connector> {
    connecting(&client_options())
}

fn connecting(options: &tls::ConnectorOptions) -> Option<Connector> {
    Some(options.build().expect("roots"))
}

fn with(tls: Option<Connector>) -> ConnectOptions {
    ConnectOptions { tls, ..ConnectOptions::default() }
}

fn listening(tls: Option<Acceptor>) -> ListenOptions {
    ListenOptions { tls, ..ListenOptions::default() }
}

async fn server<R: TestRuntime>(tls: Option<Acceptor>) -> Server {
    listen::<R>(local(), listening(tls)).await.expect("a free port")
}

/// A client of `server`, which is at `localhost`.
async fn client<R: TestRuntime>(
    server: &Server,
    tls: Option<Connector>,
) -> Result<Connection, ConnectError> {
    connect::<R>(at(server.addresses()[0]), with(tls)).await
}

/// A server at that address, by name.
fn at(address: SocketAddr) -> Address {
    Address::new("localhost", address.port())
}

/// What was wrong with TLS.
#[track_caller]
fn refusal<T>(result: Result<T, ConnectError>) -> tls::Error {
    match result.map(|_| ()).expect_err("refused") {
        ConnectError::Tls { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

/// A message goes there, and one comes back.
async fn works(one: &Connection, other: &Connection) {
    for (from, to) in [(one, other), (other, one)] {
        from.send(data("works"), SendOptions::default()).await.expect("sent");
        assert_eq!(to.receive().await.expect("received").data.data, "works");
    }
}

fn data(bytes: impl Into<Bytes>) -> Data {
    Data::new("Test.Data", bytes)
}
