//! A copy of a server's events without a monitor: until everything is here that it has stored.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hat_aio::eventer::{Client, ConnectError, ConnectOptions, RequestError, connect};
use hat_aio::tls::Connector;
use hat_aio::{Address, Runtime, SocketOptions};
use hat_core::eventer::{EventId, LatestParams, QueryParams, ServerParams};

use super::mirror::{PageFault, check};
use crate::store::disk::Import;
use crate::store::{DiskStore, QueryError, Store as _, StoreError};

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
    /// Whose events are copied. None: those of all servers that a latest event is of, unless these
    /// are more than one answer holds.
    pub servers: Vec<i64>,
    /// The id under which whoever has the store registers, or will: where the other server has that
    /// too, its events must be those that are in the store.
    pub own_server: Option<i64>,
}

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopySummary {
    /// Events that the store has taken.
    pub events: u64,
    /// Events that came and that the store has passed over: it has later ones of their server, or
    /// its conditions say so.
    pub skipped: u64,
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
    /// The answer of latest events, by which servers are found, was cut: nothing is copied, for
    /// events of a server that is not among them would be left behind unseen.
    #[error(
        "the server has more latest events than one answer holds, so there may be events of more \
         servers than were found ({}): the ids of all servers to copy must be given",
        listed(.found)
    )]
    ServersUncertain {
        /// The servers in the answer.
        found: Vec<i64>,
    },
    /// The store has events of its own server's id, this one the last, and the other one does not
    /// have it: that has registered under the id, too, and what of that is missing cannot be told.
    #[error(
        "this store has events of server {}, the last of session {}, which are not those of that id \
         that the server to copy from has, or one of the two does not keep that event: give this \
         server another id, or copy into a store in which nothing was registered",
        .0.server, .0.session
    )]
    OwnEvents(EventId),
    /// The server makes no sense.
    #[error("the server {}", PageFault::NoProgress)]
    NoProgress,
    /// The server makes no sense: it sent the second event behind the first, and its id is lower.
    #[error("the server {}", PageFault::Disorder(*.0, *.1))]
    Disorder(EventId, EventId),
}

impl From<PageFault> for MirrorOnceError {
    fn from(fault: PageFault) -> Self {
        match fault {
            PageFault::NoProgress => Self::NoProgress,
            PageFault::Disorder(one, next) => Self::Disorder(one, next),
        }
    }
}

/// Ids that a message names: there may be any number of them.
const LISTED: usize = 16;

fn listed(ids: &[i64]) -> String {
    let shown: Vec<_> = ids.iter().take(LISTED).map(ToString::to_string).collect();
    let more = if ids.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
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
        if latest.more_follows {
            return Err(MirrorOnceError::ServersUncertain { found: servers.into_iter().collect() });
        }
    }
    let mut copied =
        CopySummary { servers: servers.iter().copied().collect(), ..CopySummary::default() };
    let mut into = Import::new(store);
    for server_id in servers {
        if options.own_server == Some(server_id) {
            check_own(&client, store, server_id).await?;
        }
        copy(&client, server_id, store, &mut into, &mut progress).await?;
    }
    let (given, taken) = into.finish()?;
    (copied.events, copied.skipped) = (taken, given.saturating_sub(taken));
    Ok(copied)
}

/// Whether what the store has of a server is a part of what the other one has.
async fn check_own(
    client: &Client,
    store: &DiskStore,
    server_id: i64,
) -> Result<(), MirrorOnceError> {
    let last = store.last(server_id)?;
    if last.id.session < 1 {
        return Ok(());
    }
    let before = EventId { instance: last.id.instance - 1, ..last.id };
    let params = ServerParams {
        server_id,
        max_results: Some(1),
        last_event_id: Some(before),
        ..ServerParams::default()
    };
    let params = QueryParams::Server(params);
    let ours = store.query(&params).map_err(unasked)?.into_result();
    let theirs = client.query(&params).await?;
    // all of it: where numbers go on from the last, both servers give the same ids
    match (ours.events.first(), theirs.events.first()) {
        (Some(ours), Some(theirs)) if ours == theirs => Ok(()),
        // also where one of them does not keep it: then nobody can tell
        _ => Err(MirrorOnceError::OwnEvents(last.id)),
    }
}

/// A query of one server has no types that could be wrong.
fn unasked(error: QueryError) -> MirrorOnceError {
    match error {
        QueryError::Store(error) => error.into(),
        error => StoreError::Failed(Arc::new(io::Error::other(error))).into(),
    }
}

async fn copy(
    client: &Client,
    server_id: i64,
    store: &DiskStore,
    into: &mut Import<'_>,
    progress: &mut impl FnMut(u64),
) -> Result<(), MirrorOnceError> {
    let mut last = store.last(server_id)?.id;
    loop {
        let params = ServerParams {
            server_id,
            persisted: true,
            last_event_id: (last.session > 0).then_some(last),
            ..ServerParams::default()
        };
        let page = client.query(&QueryParams::Server(params)).await?;
        check(&page.events, page.more_follows, last)?;
        last = page.events.last().map_or(last, |event| event.id);
        for event in page.events {
            into.add(event)?;
        }
        progress(into.taken);
        if !page.more_follows {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, listen};
    use hat_core::eventer::{Event, EventType, QueryResult, Subscription, Timestamp};
    use hat_tokio::Tokio;

    use super::*;
    use crate::store::DiskOptions;
    use crate::store::disk::{Condition, Test};

    /// Answers each kind of query with the same page.
    struct Answers {
        latest: QueryResult,
        page: QueryResult,
    }

    impl Handler for Answers {
        async fn query(&self, _: &ConnectionInfo, params: QueryParams) -> QueryResult {
            match params {
                QueryParams::Latest(_) => self.latest.clone(),
                _ => self.page.clone(),
            }
        }
    }

    fn event(session: i64, name: &str) -> Event {
        Event {
            id: EventId::new(2, session, 1),
            event_type: EventType::from_segments([name]),
            timestamp: Timestamp::from_secs(session),
            source_timestamp: None,
            payload: None,
        }
    }

    fn answer(events: impl IntoIterator<Item = Event>, more_follows: bool) -> QueryResult {
        QueryResult { events: events.into_iter().collect(), more_follows }
    }

    /// Copies from a server with these answers into a new store, which stores no type `left`.
    fn copied(
        name: &str,
        answers: Answers,
        servers: &[i64],
    ) -> Result<CopySummary, MirrorOnceError> {
        let folder = std::env::temp_dir().join(format!("hat-once-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        // nothing holds it
        let none = Condition {
            types: Subscription::new(&[EventType::from_segments(["left"])]).expect("a type"),
            test: Test::Any(Vec::new()),
        };
        let options = DiskOptions { conditions: vec![none], ..DiskOptions::default() };
        let store = DiskStore::open(&folder, options).expect("a store");
        let body = async {
            let server = listen::<Tokio>(("127.0.0.1", 0), answers, ListenOptions::default());
            let server = server.await.expect("a server");
            let options = MirrorOnce { servers: servers.to_vec(), ..MirrorOnce::default() };
            let from = Address::from(server.addresses()[0]);
            mirror_once::<Tokio>(from, options, &store, |_| ()).await
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let copied = runtime.expect("Tokio").block_on(body);
        drop(store);
        let _ = std::fs::remove_dir_all(&folder);
        copied
    }

    #[test]
    fn where_the_latest_events_are_cut_the_ids_are_asked_for() {
        let latest = answer([event(1, "a")], true);
        let page = answer([event(1, "a"), event(2, "b")], false);
        let answers = || Answers { latest: latest.clone(), page: page.clone() };
        let error = copied("cut", answers(), &[]).expect_err("uncertain");
        assert!(
            matches!(&error, MirrorOnceError::ServersUncertain { found } if found[..] == [2]),
            "{error}"
        );
        let given = copied("given", answers(), &[2]).expect("the ids are given");
        assert_eq!((given.events, given.skipped, given.servers), (2, 0, vec![2]));
    }

    #[test]
    fn what_the_store_passes_over_is_not_copied() {
        let page = answer([event(1, "a"), event(2, "left"), event(3, "b")], false);
        let answers = Answers { latest: page.clone(), page };
        let copied = copied("passed", answers, &[]).expect("a copy");
        assert_eq!((copied.events, copied.skipped), (2, 1));
    }

    #[test]
    fn a_page_that_is_out_of_order_is_not_copied() {
        let page = answer([event(1, "a"), event(3, "b"), event(2, "c")], false);
        let answers = Answers { latest: page.clone(), page };
        let error = copied("disorder", answers, &[]).expect_err("out of order");
        let (one, next) = (EventId::new(2, 3, 1), EventId::new(2, 2, 1));
        assert!(
            matches!(error, MirrorOnceError::Disorder(a, b) if (a, b) == (one, next)),
            "{error}"
        );
    }

    #[test]
    fn a_message_names_some_ids() {
        assert_eq!(listed(&[1, -2]), "1, -2");
        let many: Vec<i64> = (0..100_000).collect();
        assert!(listed(&many).ends_with("15, …"));
    }
}
