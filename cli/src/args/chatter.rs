//! The arguments of `hat chatter`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use hat_aio::Address;
use hat_core::chatter::Dialect;

use super::cotp::hexadecimal;
use super::seconds;

#[derive(Debug, Subcommand)]
pub(crate) enum ChatterCommand {
    /// Send a message and print the answer of the same conversation, as a JSON line.
    ///
    /// The data is the encoded value of TYPE, in hexadecimal digits: a message of another kind than
    /// events needs its schema to be read, which is not known here.
    Send(MessageArgs),
    /// Take connections and print the messages that come, as JSON lines, until Ctrl-C.
    Listen(ListenArgs),
    /// Stand between a client and a server, and print what they say to each other.
    ///
    /// What goes through is not changed, and goes through also where it cannot be read. Frames of
    /// Chatter, Eventer, Juggler (HTTP and WebSocket), TPKT and COTP are taken apart; what is
    /// encrypted by TLS is counted. Printing slows what goes through where nobody reads fast
    /// enough.
    Proxy(ProxyArgs),
}

/// Of Chatter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DialectName {
    /// Of today: hat-drivers, hat-event.
    HatChatter,
    /// Of hat-chatter 0.5: messages name a module.
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
    /// The encoded value: pairs of hexadecimal digits. Default: none.
    #[arg(value_name = "OCTETS", value_parser = encoded, default_value = "")]
    pub(crate) data: Octets,
    /// The module of the type, in the dialect hat.
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Option<String>,
    /// The dialect.
    #[arg(long, value_enum, default_value_t = DialectName::HatChatter)]
    pub(crate) dialect: DialectName,
    /// The message ends its conversation: wait for no answer.
    #[arg(long)]
    pub(crate) last: bool,
    /// How long connecting and the answer may take.
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
    octets.ok_or_else(|| "write pairs of hexadecimal digits, as 83616263".into())
}

#[derive(Debug, Args)]
pub(crate) struct ListenArgs {
    /// Where to listen: host:port. Port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:23010")]
    pub(crate) listen: Address,
    /// The dialect.
    #[arg(long, value_enum, default_value_t = DialectName::HatChatter)]
    pub(crate) dialect: DialectName,
    /// Answer messages that do not end their conversation with the same data.
    #[arg(long)]
    pub(crate) echo: bool,
    #[command(flatten)]
    pub(crate) tls: super::TlsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Where to listen for clients: host:port. Port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: Address,
    /// The server: host:port.
    pub(crate) address: Address,
    /// What they speak. Default: what the client's first octets look like.
    #[arg(long, value_enum)]
    pub(crate) speaks: Option<Speaks>,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
    /// Octets of a message that are printed, at most; of JSON, characters.
    #[arg(long, value_name = "OCTETS", default_value_t = 256)]
    pub(crate) most: usize,
}

/// What peers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speaks {
    /// Chatter, with Eventer in it.
    Chatter,
    /// Chatter of hat-chatter 0.5.
    Hat,
    /// HTTP, and Juggler in its WebSocket.
    Juggler,
    /// COTP in TPKT.
    Cotp,
    /// Anything: only counted.
    Raw,
}
