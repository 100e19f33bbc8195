//! The web server of the page.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use hat_aio::juggler::{ListenOptions, Server, listen};
use hat_aio::tls::Acceptor;
use hat_aio::web::{ListenError, Origins, WebOptions};
use hat_aio::{Address, Runtime};
use hat_core::ws::Deflate;
use smol::lock::Mutex;

use super::files;
use super::live::Live;
use super::probes;
use super::refresh::Refresh;
use super::requests::Requests;
use super::roles::Roles;
use crate::engine_handle::EngineHandle;

/// Who may see a page, and how it is sent.
#[derive(Clone, Debug)]
pub struct PageOptions {
    /// Asks for a user and a password of this file, which is read again when it changes.
    pub htpasswd: Option<PathBuf>,
    /// Sites whose pages may connect, or `any`. None: this page's own only, and that only at IP
    /// addresses, `localhost` and the host that it listens on: another name may be one that
    /// somebody else gave to our address.
    pub origins: Vec<String>,
    /// The page registers nothing, for anybody.
    pub read_only: bool,
    /// Who may register, where the page asks for passwords; the file is read again when it changes.
    /// Default: everybody.
    pub roles: Roles,
    /// The server can only be reached through a proxy, whose `Forwarded` header names the clients.
    pub trust_proxy: bool,
    /// Compresses what browsers are told, which all of them can read. Default: on, without a
    /// context: the state of 10 000 types is a tenth of its size, and costs memory only while it is
    /// sent.
    pub deflate: Option<Deflate>,
}

impl Default for PageOptions {
    fn default() -> Self {
        Self {
            htpasswd: None,
            origins: Vec::new(),
            read_only: false,
            roles: Roles::default(),
            trust_proxy: false,
            deflate: Some(Deflate::default()),
        }
    }
}

/// A page that is served.
pub struct Page {
    server: Server,
    live: Live,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Page {
    /// Serves the page of `handle`, whose clients are in `live`, on `address`, over the TLS of the
    /// event server if that has it.
    pub async fn open<R: Runtime>(
        address: Address,
        options: PageOptions,
        tls: Option<Acceptor>,
        handle: EngineHandle,
        live: Live,
    ) -> Result<Self, ListenError> {
        let (read_only, roles) = (options.read_only, options.roles);
        let server_id = live.server_id();
        live.set_read_only(read_only);
        // a list of sites says which pages may connect, by whatever name the proxy in front calls
        // us
        let hosts = options.origins.is_empty().then(|| vec![address.host().to_owned()]);
        let web = WebOptions {
            embedded: files::FILES,
            headers: files::headers(),
            tls,
            htpasswd_file: options.htpasswd,
            trust_proxy: options.trust_proxy,
            hosts,
            origins: origins(options.origins),
            routes: Some(probes::routes(handle.clone())),
            deflate: options.deflate,
            ..WebOptions::default()
        };
        let state = Some(live.state().clone());
        let options = ListenOptions { web, state, ..ListenOptions::default() };
        let handler = Requests {
            handle: handle.clone(),
            live: live.clone(),
            server_id,
            read_only,
            roles: roles.clone(),
            turn: Mutex::default(),
        };
        let server = listen::<R>(address, handler, options).await?;
        R::spawn(Refresh::new(handle, live.clone()).run::<R>());
        R::spawn(roles.follow::<R>(live.clone()));
        Ok(Self { server, live })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Closes the connections to pages, which come back when there is a server again.
    pub async fn close(&self) {
        self.live.close();
        self.server.close().await;
    }
}

fn origins(origins: Vec<String>) -> Origins {
    if origins.is_empty() {
        Origins::Same
    } else if origins.iter().any(|origin| origin == "any") {
        Origins::Any
    } else {
        Origins::List(origins)
    }
}
