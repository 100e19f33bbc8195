//! The arguments about the page of `hat serve --web`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hat_aio::Address;

use crate::conf::settings::WebSettings;

/// The page of a server, and who may see it.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Page")]
pub(crate) struct WebArgs {
    /// Show the server live on a page: host:port, as in 127.0.0.1:8080. Port 0 is any free one.
    ///
    /// Prints `page on http://HOST:PORT/` on standard error. The page shows status, clients, rate
    /// and the latest event of each type, and it registers events. It does not ask for the token:
    /// whoever reaches the address may do all of that, unless there is --web-htpasswd. With
    /// --tls-cert it is an https page; without, passwords can be read on the network.
    #[arg(long = "web", value_name = "ADDRESS")]
    address: Option<Address>,
    /// Ask for a user and password of this htpasswd file ($apr1$, bcrypt, {SHA}). It is read again
    /// when it changes.
    #[arg(long = "web-htpasswd", value_name = "FILE")]
    htpasswd: Option<PathBuf>,
    /// Pages of this site may connect: `https://plant.example`, or `any`. Default: this page only,
    /// and that only at IP addresses, localhost and the host of --web (other names get 421); with
    /// other sites, by another name or behind a proxy, name the one that this page is seen at, too.
    #[arg(long = "web-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// The page is for looking only: it registers nothing, for anybody.
    #[arg(long = "web-read-only")]
    read_only: bool,
    /// Who may register: a file with a line `user: operator` or `user: viewer` for each user of the
    /// htpasswd file. Whoever it does not name may only look. It is read again when it changes.
    #[arg(long = "web-roles", value_name = "FILE")]
    roles: Option<PathBuf>,
    /// The server can only be reached through a proxy: clients' addresses in logs are those of its
    /// `Forwarded` header.
    #[arg(long = "web-trust-proxy")]
    trust_proxy: bool,
    /// Send what the page is told as it is: by default it is compressed (permessage-deflate, RFC
    /// 7692), which takes a tenth of the network for a large state and some processor time.
    #[arg(long = "web-no-compression")]
    no_compression: bool,
}

impl WebArgs {
    /// What the arguments say.
    pub(crate) fn settings(&self) -> WebSettings {
        WebSettings {
            listen: self.address.clone(),
            htpasswd: self.htpasswd.clone(),
            origins: self.origins.clone(),
            read_only: self.read_only.then_some(true),
            roles: self.roles.clone(),
            trust_proxy: self.trust_proxy.then_some(true),
            compression: self.no_compression.then_some(false),
        }
    }
}
