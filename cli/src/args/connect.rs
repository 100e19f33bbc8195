//! The arguments of every command that connects to an event server.

use std::time::Duration;

use clap::Args;
use hat_aio::Address;

use super::{ADDRESS, ClientTlsArgs, seconds};

/// Which server, and who asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConnectArgs {
    /// The event server: host:port, or ssl+sbs://host:port for TLS.
    #[arg(long, value_name = "ADDRESS", default_value = ADDRESS)]
    pub(crate) connect: Address,
    /// The secret that the server asks for.
    #[arg(long, env = "HAT_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// What the server is told that this client is.
    #[arg(long, default_value = "hat")]
    pub(crate) name: String,
    /// How long connecting may take.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,
}
