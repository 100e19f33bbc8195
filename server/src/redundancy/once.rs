//! A copy of a server's events without a monitor: until everything is here that it has stored.

use std::collections::BTreeSet;
use std::time::Duration;

use hat_aio::eventer::{Client, ConnectError, ConnectOptions, RequestError, connect};
use hat_aio::tls::Connector;
use hat_aio::{Address, Runtime, SocketOptions};
use hat_core::eventer::{LatestParams, QueryParams, ServerParams};

use crate::store::disk::Import;
use crate::store::{DiskStore, Store as _, StoreError};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Which events are copied, and who asks for them.
#[derive(Clone, Debug, Default)]
pub struct MirrorOnce {
    /// What the server is told that this client is.
    pub name: String,
    /// The secret that the server asks for.
    pub token: Option<String>,
    /// TLS, where the server is to be asked over that.
    pub tls: Option<Connector>,
    /// Whose events are copied. None: those of all servers that a latest event is of.
    pub servers: Vec<i64>,
}

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopySummary {
    /// Events that came.
    pub events: u64,
    /// The servers that they are of.
    pub servers: Vec<i64>,
}

/// Why there is no whole copy. What is in the store is a part of it, and the next attempt goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorOnceError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server does not answer.
    #[error("the server does not answer: {0}")]
    Request(#[from] RequestError),
    /// The store takes no more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server makes no sense.
    #[error("the server says that more events follow, but sends only known ones")]
    NoProgress,
}

/// Copies what the server at `from` has stored into `store`, with ids and times: what is there
/// already is not asked for again. `progress` is told how many events came so far.
///
/// What the server answered and has not stored yet is not part of it, and neither is what it
/// registers meanwhile and after its last page: stop it, and copy again, or stand by beside it.
///
/// # Errors
///
/// [`MirrorOnceError`].
pub async fn mirror_once<R: Runtime>(
    from: Address,
    options: MirrorOnce,
    store: &DiskStore,
    mut progress: impl FnMut(u64),
) -> Result<CopySummary, MirrorOnceError> {
    let connect_options = ConnectOptions {
        token: options.token.map(Into::into),
        tls: options.tls,
        socket: SocketOptions { connect_timeout: CONNECT, ..SocketOptions::default() },
        ..ConnectOptions::default()
    };
    let client = connect::<R>(from, options.name, connect_options).await?;
    let mut servers: BTreeSet<i64> = options.servers.into_iter().collect();
    if servers.is_empty() {
        let latest = client.query(&QueryParams::Latest(LatestParams::default())).await?;
        servers.extend(latest.events.iter().map(|event| event.id.server));
    }
    let mut copied =
        CopySummary { servers: servers.iter().copied().collect(), ..CopySummary::default() };
    let mut into = Import::new(store);
    for server_id in servers {
        copy(&client, server_id, store, &mut into, &mut progress).await?;
    }
    copied.events = into.finish()?.0;
    Ok(copied)
}

async fn copy(
    client: &Client,
    server_id: i64,
    store: &DiskStore,
    into: &mut Import<'_>,
    progress: &mut impl FnMut(u64),
) -> Result<(), MirrorOnceError> {
    let mut last = Some(store.last(server_id)?.id).filter(|id| id.session > 0);
    loop {
        let params = ServerParams {
            server_id,
            persisted: true,
            last_event_id: last,
            ..ServerParams::default()
        };
        let page = client.query(&QueryParams::Server(params)).await?;
        let end = page.events.last().map(|event| event.id);
        // the same page again would be asked for without an end
        if page.more_follows && (end.is_none() || end <= last) {
            return Err(MirrorOnceError::NoProgress);
        }
        last = end.or(last);
        for event in page.events {
            into.add(event)?;
        }
        progress(into.taken);
        if !page.more_follows {
            return Ok(());
        }
    }
}
