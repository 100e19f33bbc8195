//! What a client is told.

use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Client;
use super::session::ClientSession;
use crate::aio::link::{Link, Wait};
use crate::eventer::client::AckId;
use crate::eventer::{Event, Status};

/// What the server tells.
#[derive(Debug)]
pub enum Notification {
    /// Its new status.
    Status(Status),
    /// Events that the client subscribed to, of one session, in order.
    Events(Events),
}

/// Events of one notification. Where the server waits for an ack, it is sent when this is dropped: drop it once the events are
/// handled.
#[derive(Debug)]
pub struct Events {
    pub(super) events: Vec<Event>,
    pub(super) ack: Option<Ack>,
}

impl Events {
    /// The events. The ack is sent now.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Event> {
        self.ack = None;
        std::mem::take(&mut self.events)
    }
}

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}

pub(super) struct Ack {
    pub(super) link: Link<ClientSession>,
    pub(super) id: AckId,
}

impl Drop for Ack {
    fn drop(&mut self) {
        // a connection that is over needs no ack
        let _ = self.link.call(|session| session.machine.ack(self.id));
    }
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ack").field(&self.id).finish()
    }
}

/// What a [`Client`] is told, as a stream.
pub struct NotificationStream {
    pub(super) client: Client,
}

impl futures_core::Stream for NotificationStream {
    type Item = Notification;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notification>> {
        let link = &self.client.link;
        let told = ready!(link.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop()));
        Poll::Ready(told.ok().map(|told| self.client.notification(told)))
    }
}
