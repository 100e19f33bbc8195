//! `hat serve`: an event server over the store in memory, and its page.

use std::net::SocketAddr;

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::web::ListenError;

use crate::args::ServeArgs;
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use hat_server::page::{Live, Page, PageOptions, Roles};
use hat_server::server::EventServer;
use hat_server::store::memory::Config;

pub(crate) async fn serve<R: Runtime>(args: ServeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let config = Config {
        max_events: args.max_events,
        max_types: args.max_types,
        max_results: args.max_results,
        ..Config::new(args.server_id)
    };
    let tls = args.tls.acceptor(&args.listen)?;
    let live = args.web.address.is_some().then(|| Live::new(&config));
    let (listen, token) = (args.listen, args.token);
    let server = EventServer::start::<R>(listen, config, token, tls.clone(), live.clone()).await;
    let server = server.map_err(|error| Failure::CannotListen(error.to_string()))?;
    say(&format!("listening on {}", list("", server.addresses(), "")));
    let page = match (args.web.address.clone(), live) {
        (Some(address), Some(live)) => {
            let scheme = if tls.is_some() { "https://" } else { "http://" };
            let options = PageOptions {
                htpasswd: args.web.htpasswd,
                origins: args.web.origins,
                trust_proxy: args.web.trust_proxy,
                read_only: args.web.read_only,
                roles: match &args.web.roles {
                    Some(path) => {
                        let roles = Roles::read(path);
                        roles.map_err(|error| Failure::Input(error.to_string()))?
                    }
                    None => Roles::default(),
                },
            };
            let page = Page::open::<R>(address, options, tls, server.desk(), live);
            let page = page.await.map_err(failure)?;
            say(&format!("page on {}", list(scheme, page.addresses(), "/")));
            Some(page)
        }
        _ => None,
    };
    interrupt.wait().await;
    server.stop().await;
    if let Some(page) = page {
        page.close().await;
    }
    Ok(())
}

fn list(before: &str, addresses: &[SocketAddr], after: &str) -> String {
    let shown = addresses.iter().map(|address| format!("{before}{address}{after}"));
    shown.collect::<Vec<_>>().join(", ")
}

fn failure(error: ListenError) -> Failure {
    match error {
        ListenError::Listen(error) => Failure::CannotListen(error.to_string()),
        // a password file, in practice
        error => Failure::Input(error.to_string()),
    }
}
