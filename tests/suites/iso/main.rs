//! TPKT and COTP against real peers: `hat-drivers` with MMS on top, `rusty-cotp`, `python-snap7`,
//! `nodes7`, and frames of ours as `tshark` reads them.
#![allow(missing_docs, reason = "tests")]

mod capture;
mod drivers;
mod mms;
mod negotiation;
mod nodes7;
mod raw;
mod relay;
mod rusty;
mod snap7;
mod tshark;

use std::net::SocketAddr;

use hat_aio::cotp::{
    ConnectError, ConnectOptions, Connection, ListenOptions, Server, connect, listen,
};
use hat_aio::server::AcceptOptions;
use hat_core::cotp::Config;
use hat_tests::runtimes::TestRuntime;

/// A free port of the loopback interface.
fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Our server. Its connections outlive it.
async fn server<R: TestRuntime>(config: Config) -> Server {
    let accept = AcceptOptions { bind_connections: false, ..AcceptOptions::default() };
    let options = ListenOptions { config, accept, ..ListenOptions::default() };
    listen::<R>(local(), options).await.expect("a free port")
}

/// Our client.
async fn client<R: TestRuntime>(
    address: SocketAddr,
    config: Config,
) -> Result<Connection, ConnectError> {
    connect::<R>(address, ConnectOptions { config, ..ConnectOptions::default() }).await
}

/// Octets in which a part that is lost, doubled or moved is seen.
fn octets(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}
