//! How a command ends: one line on standard error and a code of its own for every kind of failure.

mod violation;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use hat_aio::eventer::{Error, RequestError};
use hat_aio::{Address, ConnectError, tls};

use violation::Violation;

/// Anything that has no code of its own.
const OTHER: u8 = 1;
/// Arguments, or input, that are not what they should be. The same as clap's own.
pub(crate) const USAGE: u8 = 2;
/// Nobody answers at the address, or it cannot be listened on.
const NO_CONNECTION: u8 = 3;
/// The server does not take the client: a wrong token, or a wrong transport selector, say.
const REJECTED: u8 = 4;
/// Who answers speaks something else, or breaks the protocol.
const PROTOCOL: u8 = 5;
/// The connection ended before the command did.
const LOST: u8 = 6;
/// The server did not register the events.
const NOT_REGISTERED: u8 = 7;

/// No TLS with the peer: its certificate, ours, or none spoken there.
const TLS: u8 = 8;

/// What was to come did not come in time.
const IDLE: u8 = 9;

/// The codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  success; also after Ctrl-C, and when the output is no longer read
  1  any other failure; also if Ctrl-C interrupts an export, import, replay or query
  2  bad arguments or bad input
  3  no connection: refused, no such host, no answer in time; or cannot listen
  4  rejected by the server, for example because of the token or the transport selector
  5  the peer speaks another protocol, or violated the protocol
  6  the connection was lost or closed by the server
  7  the server did not register the events, or a call failed
  8  TLS failed: a certificate was refused on either side, or the peer does not speak TLS
  9  fewer events arrived than requested (subscribe --count with --idle-timeout)";

/// A failure with a code of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What a person or a program wrote is wrong.
    #[error("{0}")]
    Input(String),
    /// The connection could not be established, or the server not started.
    #[error(transparent)]
    NoConnection(#[from] ConnectError),
    /// The same, where it was tried step by step.
    #[error("{0}")]
    Unreachable(String),
    /// There is a connection, but no TLS over it.
    #[error("cannot establish TLS with {address}: {error}")]
    Tls { address: Address, error: tls::Error },
    /// The connection did not come in time.
    #[error("no connection to {address} within {} s", time.as_secs_f64())]
    TimedOut { address: Address, time: Duration },
    /// The peer of a probe does not answer.
    #[error("no answer from {address} within {} s", time.as_secs_f64())]
    Silent { address: Address, time: Duration },
    /// The peer of a probe closes when it has read the connection request.
    #[error(
        "{address} closed the connection without answering the connection request: some devices, \
         S7 among them, do so for an unknown transport selector (--remote-tsel)"
    )]
    CutAtRequest { address: Address },
    /// The server says no.
    #[error("{address} rejected the connection: {reason}")]
    Rejected { address: Address, reason: String },
    /// The address cannot be listened on.
    #[error("{0}")]
    CannotListen(String),
    /// Whoever answers is not an ISO transport peer.
    #[error("{address} is not an ISO transport peer: {error}")]
    NotCotp { address: Address, error: Box<hat_aio::cotp::Error> },
    /// A connection with a peer that is no event server is over.
    #[error("the connection to {address} ended: {reason}")]
    Over { address: Address, reason: String, is_violation: bool },
    /// Whoever answers is not a Juggler server, or does not take the client.
    #[error("{address} is not a Juggler server: {reason}")]
    NotJuggler { address: Address, reason: String },
    /// A Juggler server answers that it failed.
    #[error("the request `{name}` to {address} failed: {text}")]
    CallFailed { address: Address, name: String, text: String },
    /// Whoever answers is not an event server.
    #[error("{address} is not an event server: {error}")]
    NotEventer { address: Address, error: Error },
    /// The connection is over.
    #[error("the connection to {address} ended: {error}")]
    Ended { address: Address, error: Error },
    /// The server answered that it did not register the events.
    #[error("the server did not register the events")]
    NotRegistered,
    /// Nothing came for as long as may be waited.
    #[error("{came} of {count} events arrived, and then none for {seconds} s")]
    Idle { came: usize, count: usize, seconds: f64 },
    /// Some lines of the input were not registered.
    #[error("{text}")]
    Lines { text: String, wrong: bool },
    /// Somebody asked for the end before all of something was done.
    #[error("interrupted: {0}")]
    Interrupted(String),
    /// Nobody reads the output any more: no failure at all.
    #[error("the output is no longer read")]
    OutputClosed,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Input(_) => USAGE,
            Self::NoConnection(_) | Self::CannotListen(_) | Self::Unreachable(_) => NO_CONNECTION,
            Self::TimedOut { .. } | Self::Silent { .. } => NO_CONNECTION,
            Self::Tls { .. } => TLS,
            Self::Rejected { .. } => REJECTED,
            Self::NotEventer { .. } | Self::NotCotp { .. } => PROTOCOL,
            Self::Ended { error, .. } if error.is_violation() => PROTOCOL,
            Self::Over { is_violation: true, .. } => PROTOCOL,
            Self::Ended { .. } | Self::CutAtRequest { .. } => LOST,
            Self::Over { .. } => LOST,
            Self::Idle { .. } => IDLE,
            Self::Lines { wrong: true, .. } => USAGE,
            Self::NotJuggler { .. } => PROTOCOL,
            Self::CallFailed { .. } | Self::NotRegistered | Self::Lines { .. } => NOT_REGISTERED,
            Self::Interrupted(_) => OTHER,
            Self::OutputClosed => 0,
        }
    }

    /// Why a connection could not be established.
    pub(crate) fn of_connect(error: ConnectError) -> Self {
        match error {
            ConnectError::Tls { address, error } => Self::Tls { address, error },
            error => Self::NoConnection(error),
        }
    }

    /// Why the connection to `address`, a peer that is no event server, is over.
    pub(crate) fn of_end<E>(address: Address, error: &hat_aio::Error<E>) -> Self
    where
        hat_aio::Error<E>: Violation + std::error::Error,
    {
        match error.tls().cloned() {
            // in TLS 1.3 a server refuses a client's certificate when the client thinks all is done
            Some(error) => Self::Tls { address, error },
            None => {
                let (reason, is_violation) = (error.to_string(), error.is_violation());
                Self::Over { address, reason, is_violation }
            }
        }
    }

    /// Why a request to `address` has no answer.
    pub(crate) fn of_request(address: &Address, error: RequestError) -> anyhow::Error {
        match error {
            RequestError::Ended(error) => Self::Ended { address: address.clone(), error }.into(),
            // too large, in practice: the rest is waited out
            error => Self::Input(error.to_string()).into(),
        }
    }
}

/// The exit code of `result`, whose error is told in one line.
pub(crate) fn code(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let code = error.downcast_ref().map_or(OTHER, Failure::code);
    if code != 0 {
        say(&format!("error: {error:#}"));
    }
    code.into()
}

/// One line on standard error. It may hold texts of a peer, so nothing in it controls the terminal.
pub(crate) fn say(line: &str) {
    let mut shown = shown(line);
    shown.push('\n');
    // nowhere to say that this failed
    let _ = io::stderr().write_all(shown.as_bytes());
}

/// `text` with control characters as Rust writes them.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            let _ = write!(shown, "{}", char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}
