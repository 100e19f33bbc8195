//! `hat serve`: an event server over a store on a disk or in memory, and its page.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::web::ListenError;

use crate::args::{self, ServeArgs};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use hat_server::page::{Live, Page, PageOptions, Roles};
use hat_server::store::memory::Config;
use hat_server::store::{DiskOptions, DiskStore, LogOptions, MemoryStore, Numbering, Store};
use hat_server::{EventServer, Options, StartError};

pub(crate) async fn serve<R: Runtime>(args: ServeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let config = Config {
        max_events: args.max_events,
        max_types: args.max_types,
        max_results: args.max_results,
        ..Config::new(args.server_id)
    };
    let tls = args.tls.acceptor(&args.listen)?;
    let live = args.web.address.is_some().then(|| Live::new(args.server_id, args.max_types));
    let numbering = match args.numbering {
        args::Numbering::Clock => Numbering::Clock,
        args::Numbering::Stored => Numbering::Stored,
    };
    let options = Options {
        token: args.token,
        tls: tls.clone(),
        live: live.clone(),
        name: args.redundancy.name.clone(),
        monitor: args.redundancy.options(),
        own_events: !args.no_own_events,
        log: LogOptions {
            numbering,
            durability: args.keep.durability,
            ..LogOptions::new(args.server_id)
        },
        ..Options::new(args.listen, args.server_id)
    };
    let store: Arc<dyn Store> = match &args.keep.store {
        Some(folder) => {
            let options = DiskOptions { max_results: args.max_results, ..DiskOptions::default() };
            Arc::new(DiskStore::open(folder, options)?)
        }
        None => Arc::new(MemoryStore::new(config)),
    };
    let in_memory = store.is_in_memory();
    let server = EventServer::start::<R>(options, store).await.map_err(start_failure)?;
    let kept = if in_memory { " (events are in memory only)" } else { "" };
    say(&format!("listening on {}{kept}", list("", server.addresses(), "")));
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
    let ended = interrupt.or(server.ended()).await;
    let stopped = server.stop().await;
    if let Some(page) = page {
        page.close().await;
    }
    stopped?;
    ended.map_or(Ok(()), |why| Err(why.into()))
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

fn start_failure(error: StartError) -> anyhow::Error {
    match error {
        StartError::Listen(error) => Failure::CannotListen(error.to_string()).into(),
        error => error.into(),
    }
}
