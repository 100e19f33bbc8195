//! The arguments of `hat juggler`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use hat_aio::Address;
use hat_aio::address::AddressError;
use hat_core::json::Pointer;

use super::seconds;

#[derive(Debug, Subcommand)]
pub(crate) enum JugglerCommand {
    /// Print a server's state, initially and at every change, and its notifications, as JSON lines.
    ///
    /// Prints {"state": …} and {"notify": NAME, "data": …} until Ctrl-C.
    Watch(WatchArgs),
    /// Send a request to a server and print the result as JSON. The exit code of a failed request
    /// is 7.
    ///
    /// --timeout limits connecting, and then the response. If no response arrives in time, the exit
    /// code is 3, and the server may still carry out the request.
    Call(CallArgs),
    /// Run a server whose state is read as JSON lines from standard input, until its end or Ctrl-C.
    ///
    /// A line is the whole new state, or {"notify": NAME, "data": …} for a notification. Requests
    /// are printed as JSON lines, and answered with their own data. Prints `listening on
    /// HOST:PORT` on standard error.
    Serve(JugglerServeArgs),
}

/// Which server, and who asks.
#[derive(Clone, Debug, Args)]
pub(crate) struct PeerOfJuggler {
    /// The server: host:port, or a URL: ws://host:port/path or wss://host:port/path.
    #[arg(value_name = "ADDRESS")]
    pub(crate) url: JugglerUrl,
    /// The path of the WebSocket. Default: the path of the URL, or /ws.
    #[arg(long, value_name = "PATH")]
    pub(crate) ws_path: Option<String>,
    /// The user name and the password, if the server requires them: user:password.
    #[arg(long, value_name = "USER:PASSWORD", env = "HAT_JUGGLER_USER", hide_env_values = true)]
    pub(crate) user: Option<String>,
    /// How long connecting may take; in `call`, also the response.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) tls: super::ClientTlsArgs,
}

/// Where a Juggler server is, as a browser writes it.
#[derive(Clone, Debug)]
pub(crate) struct JugglerUrl {
    pub(crate) address: Address,
    /// What is behind the address, where that is more than `/`.
    pub(crate) path: Option<String>,
}

impl FromStr for JugglerUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let is_url = text.starts_with("ws://") || text.starts_with("wss://");
        let start = text.find("://").filter(|_| is_url).map_or(text.len(), |at| at + 3);
        let end = text[start..].find(['/', '?']).map_or(text.len(), |at| start + at);
        let path = (end < text.len() && &text[end..] != "/").then(|| text[end..].to_owned());
        Ok(Self { address: text[..end].parse()?, path })
    }
}

impl PeerOfJuggler {
    pub(crate) fn address(&self) -> &Address {
        &self.url.address
    }

    pub(crate) fn ws_path(&self) -> &str {
        self.ws_path.as_deref().or(self.url.path.as_deref()).unwrap_or("/ws")
    }
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) peer: PeerOfJuggler,
    /// Print only this part of the state, a JSON pointer such as /a/0, whenever it changes.
    #[arg(long, value_name = "POINTER", value_parser = super::output::pointer)]
    pub(crate) path: Option<Pointer>,
    /// End after this many lines.
    #[arg(long)]
    pub(crate) count: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    pub(crate) peer: PeerOfJuggler,
    /// The name of the request.
    pub(crate) name: String,
    /// The data of the request, as JSON.
    #[arg(default_value = "null")]
    pub(crate) data: String,
}

#[derive(Debug, Args)]
pub(crate) struct JugglerServeArgs {
    /// The address to listen on: host:port. Port 0 selects a free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: Address,
    /// A folder of files to serve as well.
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tls: super::TlsArgs,
}
