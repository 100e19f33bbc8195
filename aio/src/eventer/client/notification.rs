//! Notifications: what a server tells its clients.

use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Client;
use super::session::ClientSession;
use crate::handle::Handle;
use crate::shared::Wait;
use hat_core::eventer::client::AckId;
use hat_core::eventer::{Event, Status};

/// What the server tells.
#[derive(Debug)]
pub enum Notification {
    /// Its new status.
    Status(Status),
    /// Events that the client subscribed to, of one session, in order.
    Events(Events),
}

/// Events of one notification. Where the server waits for an ack, it is sent when this is dropped:
/// drop it once the events are handled, also where that failed, or take them with
/// [`into_vec_without_ack`](Self::into_vec_without_ack).
#[derive(Debug)]
pub struct Events {
    pub(in crate::eventer) events: Vec<Event>,
    pub(in crate::eventer) ack: Option<Ack>,
}

impl Events {
    /// The events. The ack is sent now.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Event> {
        self.ack = None;
        std::mem::take(&mut self.events)
    }

    /// The events, of which no ack is sent: they could not be handled. A server that waits for it
    /// does so until the connection ends, so closing that is the next thing to do.
    #[must_use]
    pub fn into_vec_without_ack(mut self) -> Vec<Event> {
        if let Some(ack) = &mut self.ack {
            ack.withheld = true;
        }
        std::mem::take(&mut self.events)
    }
}

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.iter()
    }
}

/// Sends the ack when it is dropped.
pub(in crate::eventer) struct Ack {
    handle: Handle<ClientSession>,
    id: AckId,
    /// The events were not handled: the server waits on.
    withheld: bool,
}

impl Ack {
    pub(super) fn new(handle: Handle<ClientSession>, id: AckId) -> Self {
        Self { handle, id, withheld: false }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !self.withheld {
            // a connection that is over needs no ack
            let _ = self.handle.queue(|session| session.machine.ack(self.id));
        }
    }
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ack").field(&self.id).finish()
    }
}

/// What a [`Client`] is told, as a stream.
#[derive(Debug)]
pub struct NotificationStream {
    pub(super) client: Client,
}

impl futures_core::Stream for NotificationStream {
    type Item = Notification;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notification>> {
        let handle = &self.client.handle;
        let told = ready!(handle.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop()));
        Poll::Ready(told.ok().map(|told| self.client.notification(told)))
    }
}
