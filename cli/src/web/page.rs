//! The web server.

use std::net::SocketAddr;

use anyhow::Result;
use hat_core::aio::juggler::{ListenOptions, Server, listen};
use hat_core::aio::tls::Tls;
use hat_core::aio::web::{ListenError, Origins, WebOptions};
use hat_core::aio::{Address, Runtime};

use super::files;
use super::live::Live;
use super::refresh::Refresh;
use super::requests::Requests;
use crate::args::WebArgs;
use crate::exit::Failure;
use crate::server::Desk;

/// A page that is served.
pub(crate) struct Page {
    server: Server,
    live: Live,
}

impl Page {
    /// Serves the page of `desk`, whose clients are in `live`, on `address`, over the TLS of the event server if that has it.
    pub(crate) async fn open<R: Runtime>(
        address: Address,
        args: WebArgs,
        tls: Option<Tls>,
        desk: Desk,
        live: Live,
    ) -> Result<Self> {
        let web = WebOptions {
            embedded: files::FILES,
            headers: files::headers(),
            tls,
            htpasswd_file: args.htpasswd,
            trust_proxy: args.trust_proxy,
            origins: origins(args.origins),
            ..WebOptions::default()
        };
        let state = Some(live.state().clone());
        let options = ListenOptions { web, state, ..ListenOptions::default() };
        let handler = Requests { desk: desk.clone(), live: live.clone() };
        let server = listen::<R>(address, handler, options).await.map_err(failure)?;
        R::spawn(Refresh::new(desk, live.clone()).run::<R>());
        Ok(Self { server, live })
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Closes the connections to pages, which come back when there is a server again.
    pub(crate) async fn close(&self) {
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

fn failure(error: ListenError) -> Failure {
    match error {
        ListenError::Address(error) => error.into(),
        // a password file, in practice
        error => Failure::Input(error.to_string()),
    }
}
