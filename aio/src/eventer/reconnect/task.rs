//! The task that connects, hands on what is told, and connects again.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytestring::ByteString;

use super::options::{ReconnectOptions, Stopped, Update};
use super::shared::Shared;
use crate::Address;
use crate::eventer::client::Ack;
use crate::eventer::{
    Client, ConnectError, ConnectOptions, Error, Events, Notification, RequestError, connect,
};
use crate::runtime::{Runtime, sleep, within};
use hat_core::eventer::Subscription;
use hat_core::eventer::reconnect::{CatchUp, CatchUpConfig, Failure, Retry, Wanted};

pub(super) struct Task {
    shared: Arc<Shared>,
    address: Address,
    name: ByteString,
    options: ConnectOptions,
    retry: Retry,
    missed: Option<Missed>,
    /// The server took the client of now.
    taken: bool,
}

/// Events that were missed are asked for.
struct Missed {
    catch_up: CatchUp<Option<Ack>>,
    config: CatchUpConfig,
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        address: Address,
        name: ByteString,
        subscription: Subscription,
        options: ReconnectOptions,
        seed: u64,
    ) -> Self {
        let ReconnectOptions { client, retry, catch_up, seen, from_nothing, .. } = options;
        let (server_id, persisted) = (client.server_id, client.persisted);
        let wanted = Wanted { subscription, server_id, persisted };
        let missed = catch_up.map(|config| {
            let catch_up = CatchUp::new(config.clone(), wanted, seen);
            let catch_up = if from_nothing { catch_up.from_nothing() } else { catch_up };
            Missed { catch_up, config }
        });
        let retry = Retry::new(retry, seed);
        Self { shared, address, name, options: client, retry, missed, taken: false }
    }

    /// Until the client is closed or gives up.
    pub(super) async fn run<R: Runtime>(mut self) {
        let shared = self.shared.clone();
        let work = self.work::<R>();
        let stopped = match first(shared.closing(), work).await {
            Either::One(()) => Stopped::Closed,
            Either::Other(error) => Stopped::GaveUp(error),
        };
        if let Some(client) = shared.set_client(None) {
            client.close().await;
        }
        shared.stop(stopped);
    }

    /// One connection after the other; ends with the last failure where no other try is to be made.
    async fn work<R: Runtime>(&mut self) -> ConnectError {
        loop {
            let start = R::now();
            let (failure, reason) = match self.one_connection::<R>().await {
                Err(ConnectError::Ended(error)) if self.taken => {
                    (Failure::Lost { up: R::now() - start }, ConnectError::Ended(error))
                }
                Err(error) if error.is_rejection() => (Failure::Rejected, error),
                Err(error) => (Failure::Unreachable, error),
            };
            self.shared.set_client(None);
            // a client that cannot say what it is will not learn it
            let hopeless = matches!(reason, ConnectError::Init(_));
            let retry_in = self.retry.after(failure).filter(|_| !hopeless);
            self.shared.tell(Update::Disconnected { reason: reason.clone(), retry_in });
            match retry_in {
                Some(delay) => sleep::<R>(delay).await,
                None => return reason,
            }
        }
    }

    /// Connects, and hands on what is told until the connection is over.
    async fn one_connection<R: Runtime>(&mut self) -> Result<Infallible, ConnectError> {
        self.taken = false;
        if self.missed.as_ref().is_some_and(|missed| missed.catch_up.needs_position()) {
            self.find_position::<R>().await?;
        }
        let (address, name) = (self.address.clone(), self.name.clone());
        let client = connect::<R>(address, name, self.options.clone()).await?;
        self.taken = true;
        Err(self.serve::<R>(&client).await.into())
    }

    /// Asks the server up to where it has registered events, on a connection that subscribes to
    /// none: what is told to nobody cannot be lost with the connection.
    async fn find_position<R: Runtime>(&mut self) -> Result<(), ConnectError> {
        let Some(missed) = &mut self.missed else { return Ok(()) };
        let mut options = self.options.clone();
        options.subscriptions = Vec::new();
        let client = connect::<R>(self.address.clone(), self.name.clone(), options).await?;
        self.taken = true;
        missed.catch_up.position();
        missed.ask_for_all::<R>(&client, None).await?;
        client.close().await;
        Ok(())
    }

    /// Hands on what one connection tells, until it is over.
    async fn serve<R: Runtime>(&mut self, client: &Client) -> Error {
        let status = client.status();
        self.shared.set_status(status);
        self.shared.set_client(Some(client.clone()));
        self.shared.tell(Update::Connected(status));
        let Err(error) = self.serve_to_the_end::<R>(client).await;
        error
    }

    async fn serve_to_the_end<R: Runtime>(&mut self, client: &Client) -> Result<Infallible, Error> {
        if let Some(missed) = &mut self.missed {
            missed.catch_up.connected();
            missed.ask_for_all::<R>(client, Some(&self.shared)).await?;
            let gap = missed.catch_up.finish();
            self.shared.hand_on(Update::CaughtUp { complete: gap.is_none(), gap }).await;
            while let Some((events, ack)) = missed.catch_up.release() {
                hand_on(&self.shared, Events { events, ack }).await;
            }
        }
        loop {
            match client.next().await? {
                Notification::Status(status) => tell_status(&self.shared, status),
                Notification::Events(mut told) => {
                    if let Some(missed) = &mut self.missed {
                        missed.note(&mut told);
                    }
                    hand_on(&self.shared, told).await;
                }
            }
        }
    }
}

impl Missed {
    /// Requests until there is nothing left to ask, and hands on the answers: but not on a
    /// connection that only finds the position.
    async fn ask_for_all<R: Runtime>(
        &mut self,
        client: &Client,
        shared: Option<&Shared>,
    ) -> Result<(), Error> {
        let asked = self.ask::<R>(client, shared).await;
        if let Err(error) = &asked {
            // a smaller answer next time
            self.catch_up.failed(error.protocol().and_then(hat_core::eventer::Error::too_large));
        }
        asked
    }

    async fn ask<R: Runtime>(
        &mut self,
        client: &Client,
        shared: Option<&Shared>,
    ) -> Result<(), Error> {
        while let Some(params) = self.catch_up.query() {
            let mut query = pin!(within::<R, _>(self.config.timeout, client.query(&params)));
            let answer = loop {
                match first(query.as_mut(), client.next()).await {
                    Either::One(answer) => break answer,
                    Either::Other(told) => match told? {
                        Notification::Status(status) => {
                            shared.into_iter().for_each(|shared| tell_status(shared, status));
                        }
                        Notification::Events(Events { events, ack }) => {
                            // the servers were not all asked: it is held
                            let _held = self.catch_up.told(events, ack);
                            if self.catch_up.query().is_none() {
                                return Ok(());
                            }
                        }
                    },
                }
            };
            match answer {
                Some(Ok(result)) => {
                    let events = self.catch_up.answered(result);
                    if let Some(shared) = shared {
                        hand_on(shared, Events { events, ack: None }).await;
                    }
                }
                Some(Err(RequestError::Ended(error))) => return Err(error),
                // refused, or too late
                Some(Err(_)) | None => self.catch_up.give_up(),
            }
        }
        Ok(())
    }

    /// Events that are handed on as they come.
    fn note(&mut self, told: &mut Events) {
        let events = std::mem::take(&mut told.events);
        // nothing is asked, and nothing held any more
        if let Some((events, _)) = self.catch_up.told(events, None) {
            told.events = events;
        }
    }
}

fn tell_status(shared: &Shared, status: hat_core::eventer::Status) {
    shared.set_status(status);
    shared.tell(Update::Status(status));
}

/// Notifications of which nothing is new are acknowledged, and that is all.
async fn hand_on(shared: &Shared, events: Events) {
    if !events.is_empty() {
        shared.hand_on(Update::Events(events)).await;
    }
}

impl Drop for Task {
    /// Also when the runtime drops its tasks.
    fn drop(&mut self) {
        self.shared.stop(Stopped::Runtime);
    }
}

enum Either<A, B> {
    One(A),
    Other(B),
}

/// What comes first; the first of the two where both are there. The other is dropped.
async fn first<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> Either<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        if let Poll::Ready(value) = one.as_mut().poll(cx) {
            return Poll::Ready(Either::One(value));
        }
        other.as_mut().poll(cx).map(Either::Other)
    })
    .await
}
