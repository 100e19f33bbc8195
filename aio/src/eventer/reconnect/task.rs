//! What the task of an event client does with each connection: it hands on what is told, and asks
//! for what was missed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytestring::ByteString;

use super::EventClient;
use super::options::{ReconnectOptions, Update};
use crate::Address;
use crate::eventer::client::Ack;
use crate::eventer::{
    Client, ConnectError, ConnectOptions, Error, Events, Notification, RequestError, connect,
};
use crate::reconnect::{Either, Outcome, Work, first};
use crate::runtime::{Runtime, within};
use hat_core::eventer::Subscription;
use hat_core::eventer::reconnect::{CatchUp, CatchUpConfig, Interest};

type Shared = crate::reconnect::Shared<EventClient>;

pub(super) struct EventerWork {
    /// The first is that of the next attempt.
    addresses: VecDeque<Address>,
    name: ByteString,
    options: ConnectOptions,
    missed: Option<MissedEvents>,
    /// When the server took the client of now.
    taken: Option<Instant>,
}

/// Events that were missed are asked for.
struct MissedEvents {
    catch_up: CatchUp<Option<Ack>>,
    config: CatchUpConfig,
}

impl Work<EventClient> for EventerWork {
    async fn one_connection<R: Runtime>(
        &mut self,
        shared: &Arc<Shared>,
    ) -> (Outcome, ConnectError) {
        let Err(error) = self.connect_and_serve::<R>(shared).await;
        self.addresses.rotate_left(1);
        let ended = match (&error, self.taken) {
            (error, _) if error.is_rejection() => Outcome::Rejected,
            (ConnectError::Ended(_), Some(since)) => Outcome::Lost { since },
            // a client that cannot say what it is will not learn it
            (ConnectError::Init(_), _) => Outcome::Hopeless,
            _ => Outcome::Unreachable,
        };
        (ended, error)
    }
}

impl EventerWork {
    pub(super) fn new(
        address: Address,
        name: ByteString,
        subscription: Subscription,
        options: ReconnectOptions,
    ) -> Self {
        let ReconnectOptions { client, catch_up, seen, from_nothing, alternatives, .. } = options;
        let addresses = std::iter::once(address).chain(alternatives).collect();
        let (server_id, persisted) = (client.server_id, client.persisted);
        let wanted = Interest { subscription, server_id, persisted };
        let missed = catch_up.map(|config| {
            let catch_up = CatchUp::new(config.clone(), wanted, seen);
            let catch_up = if from_nothing { catch_up.from_nothing() } else { catch_up };
            MissedEvents { catch_up, config }
        });
        Self { addresses, name, options: client, missed, taken: None }
    }

    async fn connect_and_serve<R: Runtime>(
        &mut self,
        shared: &Arc<Shared>,
    ) -> Result<Infallible, ConnectError> {
        self.taken = None;
        if self.missed.as_ref().is_some_and(|missed| missed.catch_up.needs_position()) {
            self.find_position::<R>().await?;
        }
        let (address, name) = (self.addresses[0].clone(), self.name.clone());
        let client = connect::<R>(address, name, self.options.clone()).await?;
        self.taken = Some(R::now());
        Err(self.serve::<R>(shared, &client).await.into())
    }

    /// Asks the server up to where it has registered events, on a connection that subscribes to
    /// none: what is told to nobody cannot be lost with the connection.
    async fn find_position<R: Runtime>(&mut self) -> Result<(), ConnectError> {
        let Some(missed) = &mut self.missed else { return Ok(()) };
        let mut options = self.options.clone();
        options.subscriptions = Vec::new();
        let client = connect::<R>(self.addresses[0].clone(), self.name.clone(), options).await?;
        self.taken = Some(R::now());
        missed.catch_up.position();
        missed.ask_for_all::<R>(&client, None).await?;
        client.close().await;
        // the next one may be refused
        self.taken = None;
        Ok(())
    }

    /// Hands on what one connection tells, until it is over.
    async fn serve<R: Runtime>(&mut self, shared: &Shared, client: &Client) -> Error {
        let status = client.status();
        shared.know(Some(status));
        shared.set_client(client.clone());
        shared.tell_connection(Update::Connected(status));
        let Err(error) = self.serve_to_the_end::<R>(shared, client).await;
        error
    }

    async fn serve_to_the_end<R: Runtime>(
        &mut self,
        shared: &Shared,
        client: &Client,
    ) -> Result<Infallible, Error> {
        if let Some(missed) = &mut self.missed {
            missed.catch_up.connected();
            missed.ask_for_all::<R>(client, Some(shared)).await?;
            let gap = missed.catch_up.finish();
            shared.hand_on(Update::CaughtUp { complete: gap.is_none(), gap }).await;
            while let Some((events, ack)) = missed.catch_up.release() {
                hand_on(shared, Events { events, ack }).await;
            }
        }
        loop {
            match client.next().await? {
                Notification::Status(status) => tell_status(shared, status),
                Notification::Events(mut told) => {
                    if let Some(missed) = &mut self.missed {
                        missed.note(&mut told);
                    }
                    hand_on(shared, told).await;
                }
            }
        }
    }
}

impl MissedEvents {
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
    shared.know(Some(status));
    shared.tell(Update::Status(status));
}

/// Notifications of which nothing is new are acknowledged, and that is all.
async fn hand_on(shared: &Shared, events: Events) {
    if !events.is_empty() {
        shared.hand_on(Update::Events(events)).await;
    }
}
