//! The arguments about the page of `hat serve --web`.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use hat_aio::Address;

use crate::conf::settings::WebSettings;

/// The page of a server, and who may see it.
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Page")]
pub(crate) struct WebArgs {
    /// Show the server live on a web page at this address: host:port, such as 127.0.0.1:8080. Port
    /// 0 selects a free port.
    ///
    /// Prints `page on http://HOST:PORT/` on standard error. The page shows the status, clients,
    /// rate and the latest event of each type, and can register events. It does not ask for the
    /// token: everyone who can reach the address can do all of this, unless --web-htpasswd is used.
    /// With --tls-cert, the page uses https; without it, passwords can be read on the network.
    #[arg(long = "web", value_name = "ADDRESS")]
    address: Option<Address>,
    /// Require a user name and a password from this htpasswd file ($apr1$, bcrypt, {SHA}). The file
    /// is read again when it changes.
    #[arg(long = "web-htpasswd", value_name = "FILE")]
    htpasswd: Option<PathBuf>,
    /// Allow pages of this origin to connect: `https://plant.example`, or `any`. By default only
    /// this page may, and only at IP addresses, localhost and the host of --web (other names are
    /// answered with 421). If this page has another name, or is behind a proxy, allow its own
    /// origin, too.
    #[arg(long = "web-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// The page is read-only: nobody can register events.
    #[arg(long = "web-read-only")]
    read_only: bool,
    /// Who may register events: a file with a line `user: operator` or `user: viewer` for each user
    /// of the htpasswd file. Users that it does not name can only view. The file is read again when
    /// it changes.
    #[arg(long = "web-roles", value_name = "FILE")]
    roles: Option<PathBuf>,
    /// The server can be reached only through a proxy: take clients' addresses in logs from its
    /// `Forwarded` header.
    #[arg(long = "web-trust-proxy")]
    trust_proxy: bool,
    /// Do not compress the data sent to the page. By default it is compressed (permessage-deflate,
    /// RFC 7692), which reduces a large state to a tenth and takes some processor time.
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
