//! The connection that most commands start with.

use std::time::Duration;

use anyhow::Result;
use hat_aio::eventer::{
    Client, ConnectError, ConnectOptions, Error, Notification, RequestError, connect,
};
use hat_aio::{Address, Runtime, SocketOptions};
use hat_core::eventer::Error as EventerError;
use hat_core::eventer::{Event, EventType, Pages, QueryParams, QueryResult};
use tracing::info;

use crate::args::ConnectArgs;
use crate::exit::Failure;
use crate::runtime::within;

/// Why events may be missing where pages have lost their place: see `Pages::place_lost`.
pub(crate) const PLACE_LOST: &str =
    "the server removed events during the query, or did not send what it said would follow";

/// The library limits how long a connection takes to come, and how long the server takes to answer
/// then. The whole is given so much more than one of them that a peer that takes the connection and
/// says nothing is told from nobody at all, on a busy machine too.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// Which events a client is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    pub(crate) types: Vec<EventType>,
    pub(crate) server_id: Option<i64>,
    pub(crate) persisted: bool,
}

/// A client, and where its server is: for what there is to say of a failure.
pub(crate) struct ServerClient {
    pub(crate) client: Client,
    pub(crate) address: Address,
}

impl ServerClient {
    /// Connects, and waits until the server takes the client.
    pub(crate) async fn new<R: Runtime>(args: &ConnectArgs, wanted: Interest) -> Result<Self> {
        let address = args.address();
        let options = client_options(args, wanted)?;
        let connecting = connect::<R>(address.clone(), args.name(), options);
        match within::<R, _>(limit(args), connecting).await {
            None => Err(Failure::TimedOut { address, time: args.timeout() }.into()),
            Some(Ok(client)) => Ok(Self { client, address }),
            Some(Err(error)) => Err(refusal(address, error)),
        }
    }

    /// What the server tells next.
    pub(crate) async fn next(&self) -> Result<Notification> {
        let next = self.client.next().await;
        Ok(next.map_err(|error| Failure::Ended { address: self.address.clone(), error })?)
    }

    /// The server's answer to `params`.
    pub(crate) async fn query(&self, params: &QueryParams) -> Result<QueryResult> {
        let result = self.client.query(params).await;
        result.map_err(|error| Failure::of_request(&self.address, error))
    }
}

/// What a query came to.
pub(crate) enum QueryOutcome {
    Answer(QueryResult),
    /// The connection ended instead, maybe because of what the answer is; there is another one now.
    Ended(Error),
}

impl ServerClient {
    /// As [`query`](Self::query), on another connection if this one ends.
    pub(crate) async fn ask<R: Runtime>(
        &mut self,
        args: &ConnectArgs,
        params: &QueryParams,
    ) -> Result<QueryOutcome> {
        match self.client.query(params).await {
            Ok(result) => Ok(QueryOutcome::Answer(result)),
            Err(RequestError::Ended(error)) => {
                let address = self.address.clone();
                match Self::new::<R>(args, Interest::default()).await {
                    Ok(again) => *self = again,
                    // the first is what happened
                    Err(_) => return Err(Failure::Ended { address, error }.into()),
                }
                Ok(QueryOutcome::Ended(error))
            }
            Err(error) => Err(Failure::of_request(&self.address, error)),
        }
    }
}

/// A part of an answer.
pub(crate) struct Page {
    pub(crate) events: Vec<Event>,
    /// The server has more behind it.
    pub(crate) more_follows: bool,
}

impl ServerClient {
    /// The next of `pages`; `None` once nothing follows.
    ///
    /// A server that cannot send so many events at once, or sends more than we take, ends the
    /// connection; fewer are asked for then, on another one.
    pub(crate) async fn next_page<R: Runtime>(
        &mut self,
        args: &ConnectArgs,
        pages: &mut Pages,
    ) -> Result<Option<Page>> {
        while let Some(params) = pages.query() {
            match self.ask::<R>(args, &params).await? {
                QueryOutcome::Answer(result) => {
                    let more_follows = result.more_follows;
                    return Ok(Some(Page { events: pages.answered(result), more_follows }));
                }
                QueryOutcome::Ended(error) if pages.failed(too_large(&error)) => {
                    info!(%error, "the answer ended the connection: querying fewer events at a time");
                }
                QueryOutcome::Ended(error) => {
                    return Err(Failure::Ended { address: self.address.clone(), error }.into());
                }
            }
        }
        Ok(None)
    }
}

/// How large an answer was that ended a connection, and how large it may be, where that is why.
pub(crate) fn too_large(error: &Error) -> Option<(u64, usize)> {
    error.protocol().and_then(EventerError::too_large)
}

/// How long it may take until there is a client.
fn limit(args: &ConnectArgs) -> Duration {
    args.timeout().saturating_add(GRACE)
}

/// What the client says of itself, and how long it waits.
pub(crate) fn client_options(args: &ConnectArgs, wanted: Interest) -> Result<ConnectOptions> {
    let mut options = ConnectOptions {
        token: args.token.clone().map(Into::into),
        subscriptions: wanted.types,
        server_id: wanted.server_id,
        persisted: wanted.persisted,
        // the whole is limited where it is awaited
        socket: SocketOptions { connect_timeout: limit(args), ..SocketOptions::default() },
        tls: args.tls.connector(&args.address(), args.timeout())?,
        ..ConnectOptions::default()
    };
    options.config.init_timeout = args.timeout();
    Ok(options)
}

/// Why a client could not connect.
pub(crate) fn refusal(address: Address, error: ConnectError) -> anyhow::Error {
    match error {
        ConnectError::Connect(error) => Failure::of_connect(error).into(),
        ConnectError::Ended(error) => match (error.protocol(), error.tls().cloned()) {
            (Some(EventerError::Rejected(reason)), _) => {
                Failure::Rejected { address, reason: reason.to_string() }.into()
            }
            // in TLS 1.3 a server refuses a client's certificate when the client thinks all is done
            (_, Some(error)) => Failure::Tls { address, error }.into(),
            _ => Failure::NotEventer { address, error }.into(),
        },
        error => Failure::Input(error.to_string()).into(),
    }
}
