//! `hat cotp probe` and `hat cotp echo`: what an ISO transport peer confirms, and a peer to try one
//! with.

use std::time::Duration;

use anyhow::Result;
use hat_aio::cotp::{
    ConnectError, ConnectOptions, Connection, ListenError, ListenOptions, connect, listen,
};
use hat_aio::{Address, Runtime};
use hat_core::cotp::{Config, Error, Selector};

use crate::args::{CotpCommand, EchoArgs, ProbeArgs};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output;
use crate::runtime::within;

pub(crate) async fn cotp<R: Runtime>(command: CotpCommand) -> Result<()> {
    match command {
        CotpCommand::Probe(args) => probe::<R>(args).await,
        CotpCommand::Echo(args) => echo::<R>(args).await,
    }
}

/// One line on standard output where the peer confirms; a failure with a code of its own where it
/// does not.
async fn probe<R: Runtime>(args: ProbeArgs) -> Result<()> {
    let ProbeArgs { address, local_tsel, remote_tsel, timeout, tls } = args;
    let tls = tls.connector(&address, timeout)?;
    let config = Config {
        local_selector: local_tsel,
        remote_selector: remote_tsel,
        handshake_timeout: timeout,
        ..Config::default()
    };
    let options = ConnectOptions { config, tls, ..ConnectOptions::default() };
    let probed = connect::<R>(address.clone(), options);
    let connection = match within::<R, _>(timeout, probed).await {
        None => return Err(Failure::Silent { address, time: timeout }.into()),
        Some(Err(error)) => return Err(Failure::of_probe(address, error, timeout).into()),
        Some(Ok(connection)) => connection,
    };
    let info = connection.info();
    let selector = |selector: &Option<Selector>| match selector {
        Some(selector) => selector.to_string(),
        None => "none".to_owned(),
    };
    output::print(&format!(
        "{address} confirms: TPDU size {}, local TSEL {}, remote TSEL {}, reference {}",
        info.tpdu_size.octets(),
        selector(&info.local_selector),
        selector(&info.remote_selector),
        info.remote_reference,
    ))?;
    for diagnostic in connection.diagnostics() {
        say(&format!("note: {diagnostic}"));
    }
    connection.close().await;
    Ok(())
}

/// Sends every message back, until Ctrl-C.
async fn echo<R: Runtime>(args: EchoArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let tls = args.tls.acceptor(&args.listen)?;
    let config = Config { local_selector: args.local_tsel, ..Config::default() };
    let options = ListenOptions { config, tls, ..ListenOptions::default() };
    let server = listen::<R>(args.listen, options).await;
    let server = server.map_err(|error| match error {
        ListenError::Config(error) => Failure::Input(error.to_string()),
        error => Failure::CannotListen(error.to_string()),
    })?;
    for address in server.addresses() {
        say(&format!("listening on {address}"));
    }
    let serve = async {
        while let Some(connection) = server.accept().await {
            R::spawn(send_back(connection));
        }
        None::<()>
    };
    interrupt.or(serve).await;
    server.close().await;
    Ok(())
}

async fn send_back(connection: Connection) {
    // either way the connection is over
    while let Ok(message) = connection.receive().await {
        if connection.send(message).await.is_err() {
            return;
        }
    }
    connection.close().await;
}

impl Failure {
    /// Why a probe came to nothing.
    fn of_probe(address: Address, error: ConnectError, time: Duration) -> Self {
        if let ConnectError::Ended(error) = &error {
            match error.protocol() {
                Some(Error::HandshakeTimeout) => return Self::Silent { address, time },
                Some(Error::ClosedDuringHandshake) => return Self::CutAtRequest { address },
                // a reset
                None => return Self::CutAtRequest { address },
                _ => {}
            }
        }
        Self::of_setup(address, error)
    }

    /// Why there is no COTP connection.
    fn of_setup(address: Address, error: ConnectError) -> Self {
        match error {
            ConnectError::Connect(error) => Self::of_connect(error),
            ConnectError::Config(error) => Self::Input(error.to_string()),
            ConnectError::Ended(error) => match error.protocol() {
                Some(Error::Refused { .. } | Error::Rejected { .. }) => {
                    Self::Rejected { address, reason: error.to_string() }
                }
                _ => Self::NotCotp { address, error },
            },
            error => Self::Input(error.to_string()),
        }
    }
}
