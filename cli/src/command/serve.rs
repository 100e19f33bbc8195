//! `hat serve`: an event server over the store in memory, and its page.

use std::net::SocketAddr;

use anyhow::Result;
use hat_core::aio::Runtime;

use crate::args::ServeArgs;
use crate::exit::say;
use crate::interrupt::Interrupt;
use crate::server::EventServer;
use crate::store::Config;
use crate::web::{Live, Page};

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
    let server = EventServer::start::<R>(listen, config, token, tls.clone(), live.clone()).await?;
    say(&format!("listening on {}", list("", server.addresses(), "")));
    let page = match (args.web.address.clone(), live) {
        (Some(address), Some(live)) => {
            let scheme = if tls.is_some() { "https://" } else { "http://" };
            let page = Page::open::<R>(address, args.web, tls, server.desk(), live).await?;
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
