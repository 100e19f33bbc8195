//! The arguments of `hat chatter`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use hat_aio::Address;
use hat_core::chatter::Dialect;

use super::cotp::hexadecimal;
use super::seconds;

#[derive(Debug, Subcommand)]
pub(crate) enum ChatterCommand {
    /// Send a message and print the response of the same conversation as a JSON line.
    ///
    /// The data is the encoded value of TYPE in hexadecimal digits, because hat does not know the
    /// schemas of other messages than those of events.
    Send(MessageArgs),
    /// Accept connections and print the messages that arrive as JSON lines, until Ctrl-C.
    Listen(ListenArgs),
    /// Run a proxy between a client and a server, and print the messages between them.
    ///
    /// Data is forwarded unchanged, even if it cannot be decoded. Frames of Chatter, Eventer,
    /// Juggler (HTTP and WebSocket), TPKT and COTP are decoded; data encrypted by TLS is only
    /// counted. Forwarding slows down if the output is read too slowly.
    Proxy(ProxyArgs),
}

/// A dialect of Chatter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectName {
    /// The current dialect, of hat-drivers and hat-event.
    HatChatter,
    /// The dialect of hat-chatter 0.5, in which messages name a module.
    Hat,
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::HatChatter => Self::HatChatter,
            DialectName::Hat => Self::Hat,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct MessageArgs {
    /// The peer: host:port.
    pub(crate) address: Address,
    /// The type of the message: Module.Type, or Type with --module.
    #[arg(value_name = "TYPE")]
    pub(crate) message_type: String,
    /// The encoded value as pairs of hexadecimal digits. Default: none.
    #[arg(value_name = "OCTETS", value_parser = encoded, default_value = "")]
    pub(crate) data: Octets,
    /// The module of the type; only in the dialect hat.
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Option<String>,
    /// The dialect.
    #[arg(long, value_enum, default_value_t = DialectName::HatChatter)]
    pub(crate) dialect: DialectName,
    /// End the conversation with the message, and do not wait for a response.
    #[arg(long)]
    pub(crate) last: bool,
    /// How long connecting and the response may take.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) tls: super::ClientTlsArgs,
}

/// Octets. A type of its own: `Vec` is many arguments to clap.
#[derive(Clone, Debug)]
pub(crate) struct Octets(pub(crate) Vec<u8>);

fn encoded(text: &str) -> Result<Octets, String> {
    let octets = hexadecimal(text).map(Octets);
    octets.ok_or_else(|| "write pairs of hexadecimal digits, such as 83616263".into())
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// The address to listen on: host:port. Port 0 selects a free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:23010")]
    pub(crate) listen: Address,
    /// The dialect.
    #[arg(long, value_enum, default_value_t = DialectName::HatChatter)]
    pub(crate) dialect: DialectName,
    /// Answer each message that does not end its conversation with the same data.
    #[arg(long)]
    pub(crate) echo: bool,
    #[command(flatten)]
    pub(crate) tls: super::TlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// The address to listen on for clients: host:port. Port 0 selects a free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: Address,
    /// The server: host:port.
    pub(crate) address: Address,
    /// The protocol. Default: recognized from the client's first octets.
    #[arg(long, value_enum)]
    pub(crate) speaks: Option<Speaks>,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
    /// The maximum number of octets of a message to print; of decoded messages, such as JSON,
    /// characters. `…` marks what was cut.
    #[arg(long, value_name = "OCTETS", default_value_t = 256)]
    pub(crate) most: usize,
}

/// The protocol of the peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speaks {
    /// Chatter, including Eventer.
    Chatter,
    /// Chatter of hat-chatter 0.5.
    Hat,
    /// HTTP, and Juggler in a WebSocket.
    Juggler,
    /// COTP over TPKT.
    Cotp,
    /// Any protocol; data is only counted.
    Raw,
}
