//! The arguments of every command that connects to an event server.

use std::time::Duration;

use clap::Args;
use hat_aio::Address;

use super::config::{Config, Server};
use super::{ADDRESS, ClientTlsArgs, seconds};

/// What the server is told that a client is, unless it is told otherwise.
const NAME: &str = "hat";

/// How long connecting may take, unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which server, and who asks.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectArgs {
    /// The event server: host:port, ssl+sbs://host:port for TLS, or unix:/path for a Unix socket.
    /// Default: the address of --server, or 127.0.0.1:23012.
    #[arg(long, value_name = "ADDRESS", env = "HAT_CONNECT")]
    connect: Option<Address>,
    /// The name of the event server in the configuration file (see `hat --help`). Default: the
    /// default server of the file.
    #[arg(long, value_name = "NAME", env = "HAT_SERVER")]
    server: Option<String>,
    /// The token that the server requires.
    #[arg(long, env = "HAT_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The name of this client, as reported to the server. Default: hat.
    #[arg(long)]
    name: Option<String>,
    /// How long connecting may take. Default: 10 s.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) tls: ClientTlsArgs,
}

/// What stands in the command line, where the rest comes from the environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExplicitArgs {
    pub(crate) connect: bool,
    pub(crate) server: bool,
    pub(crate) token: bool,
}

impl ConnectArgs {
    /// Without a command line.
    pub(crate) fn new(connect: Address, name: &str, timeout: Duration) -> Self {
        Self {
            connect: Some(connect),
            name: Some(name.into()),
            timeout: Some(timeout),
            ..Self::default()
        }
    }

    /// The same, at another address.
    pub(crate) fn at(self, address: Address) -> Self {
        Self { connect: Some(address), ..self }
    }

    /// The same, under another name.
    pub(crate) fn named(&self, name: &str) -> Self {
        Self { name: Some(name.into()), ..self.clone() }
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> Address {
        let usual = || ADDRESS.parse().unwrap_or_else(|_| Address::new("127.0.0.1", 23_012));
        self.connect.clone().unwrap_or_else(usual)
    }

    /// What the server is told that this client is.
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| NAME.into())
    }

    /// How long connecting may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT)
    }

    /// Completes what is not given by what the configuration file says of the server. What stands
    /// in the command line comes before the environment, and that before the file: a token is not
    /// sent to another server than it is meant for.
    pub(super) fn resolve(&mut self, given: &ExplicitArgs) -> Result<(), String> {
        if given.server && !given.connect {
            self.connect = None;
            self.token = self.token.take().filter(|_| given.token);
        }
        if given.connect && !given.server {
            self.server = None;
        }
        if self.connect.is_some() && self.server.is_some() {
            return Err("--connect and --server (or HAT_CONNECT and HAT_SERVER) both name a server: use one of them".into());
        }
        if self.connect.is_some() {
            return Ok(());
        }
        let Some((config, path)) = Config::read()? else {
            return match &self.server {
                Some(name) => Err(format!("no server `{name}`: {}", Config::missing())),
                None => Ok(()),
            };
        };
        let Some(name) = self.server.clone().or(config.default.clone()) else { return Ok(()) };
        let Some(server) = config.servers.get(&name) else {
            let names: Vec<_> = config.servers.keys().map(String::as_str).collect();
            let names = if names.is_empty() { "no server".into() } else { names.join(", ") };
            return Err(format!("no server `{name}` in {}, which has {names}", path.display()));
        };
        let of = |error: String| format!("server `{name}` in {}: {error}", path.display());
        self.complete(server).map_err(of)
    }

    fn complete(&mut self, server: &Server) -> Result<(), String> {
        let address = server.connect.parse::<Address>().map_err(|error| error.to_string())?;
        self.connect = Some(address);
        if self.token.is_none() {
            self.token = server.token()?;
        }
        self.name = self.name.take().or_else(|| server.name.clone());
        if self.timeout.is_none()
            && let Some(time) = server.timeout
        {
            self.timeout = Some(seconds(&time.to_string())?);
        }
        let (tls, of) = (&mut self.tls, server);
        tls.tls |= of.tls;
        tls.tls_name = tls.tls_name.take().or_else(|| of.tls_name.clone());
        if tls.files.tls_cert.is_none() {
            tls.files.tls_cert.clone_from(&of.tls_cert);
            tls.files.tls_key.clone_from(&of.tls_key);
        }
        tls.files.tls_ca = tls.files.tls_ca.take().or_else(|| of.tls_ca.clone());
        Ok(())
    }
}
