//! TPKT and COTP against real peers: `hat-drivers` with MMS on top, `rusty-cotp`, `python-snap7`, `nodes7`, and frames
//! of ours as `tshark` reads them.
#![allow(missing_docs, reason = "tests")]

mod capture;
mod drivers;
mod mms;
mod negotiation;
mod nodes7;
mod relay;
mod rusty;
mod snap7;
mod tshark;

use std::net::SocketAddr;

use hat_aio::cotp::{Connection, Options, Server, SetupError, connect, listen};
use hat_aio::server::ServerOptions;
use hat_core::cotp::Config;
use hat_tests::runtimes::TestRuntime;

/// A free port of the loopback interface.
fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Our server. Its connections outlive it.
async fn server<R: TestRuntime>(config: Config) -> Server {
    let options = Options { config, ..Options::default() };
    let unbound = ServerOptions { bind_connections: false, ..ServerOptions::default() };
    listen::<R>(local(), options, unbound).await.expect("a free port")
}

/// Our client.
async fn client<R: TestRuntime>(
    address: SocketAddr,
    config: Config,
) -> Result<Connection, SetupError> {
    connect::<R>(address, Options { config, ..Options::default() }).await
}

/// Octets in which a part that is lost, doubled or moved is seen.
fn octets(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}
