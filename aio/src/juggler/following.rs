//! Following the peer's value: the newest, or each change.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use super::changes::Changes;
use crate::handle::Handle;
use crate::reconnect::{ClientKind, Shared};
use crate::shared::{Session, Wait};
use hat_core::json::Value;
use hat_core::protocol::Protocol;

/// A session whose other side has a value.
pub(super) trait ValueSession:
    Session<Protocol: Protocol<Error = hat_core::juggler::Error>>
{
    fn changes(&mut self) -> &mut Changes;

    /// The other side's value, as far as we were told.
    fn value(&self) -> &Value;
}

/// Changes of the other side's value that one handle has seen. A clone has seen as many.
#[derive(Debug, Default)]
pub(super) struct SeenChanges(AtomicU64);

impl Clone for SeenChanges {
    fn clone(&self) -> Self {
        Self(self.0.load(Ordering::Relaxed).into())
    }
}

/// The value, and what else came.
type News<T> = (Option<Value>, Option<T>);

/// Each change, and what else came, in an order that no value is older in than what came behind it.
struct InOrder<T> {
    /// Changes that were given.
    given: u64,
    /// What came with or behind so many changes, and waits for them.
    held: Option<(u64, T)>,
}

impl<T> InOrder<T> {
    /// What is next. Changes that come while something waits go behind it: it waits for no others.
    fn next<S: ValueSession>(
        &mut self,
        session: &mut S,
        take: &mut impl FnMut(&mut S) -> Option<T>,
    ) -> Option<News<T>> {
        if self.held.is_none() {
            self.held = take(session).map(|it| (session.changes().count(), it));
        }
        if let Some((_, it)) = self.held.take_if(|(behind, _)| *behind <= self.given) {
            return Some((None, Some(it)));
        }
        let Some(value) = session.changes().pop() else {
            // who has a handle of this connection may have taken the others
            return self.held.take().map(|(_, it)| (None, Some(it)));
        };
        self.given += 1;
        Some((Some(value), None))
    }
}

impl SeenChanges {
    /// Waits for a change that was not seen, and gives the newest value.
    pub(super) async fn changed<S: ValueSession>(
        &self,
        handle: &Handle<S>,
    ) -> Result<Value, Error> {
        handle.wait(Wait::Incoming, |session| self.newest(session)).await
    }

    /// A change that was not seen, and what `take` gives. What came together is given together: the
    /// value is never older than what came with it.
    fn news<S: ValueSession, T>(
        &self,
        session: &mut S,
        take: &mut impl FnMut(&mut S) -> Option<T>,
    ) -> Option<News<T>> {
        let (value, other) = (self.newest(session), take(session));
        (value.is_some() || other.is_some()).then_some((value, other))
    }

    fn newest<S: ValueSession>(&self, session: &mut S) -> Option<Value> {
        let count = session.changes().count();
        let unseen = count > self.0.swap(count, Ordering::Relaxed);
        unseen.then(|| session.value().clone())
    }
}

/// The other side's value after its next change: each change once, in order.
pub(super) async fn next_change<S: ValueSession>(handle: &Handle<S>) -> Result<Value, Error> {
    handle.wait(Wait::Incoming, |session| session.changes().pop()).await
}

/// A kind of client that comes back, and follows a value across its connections: what is known is
/// the value, as last told by a connection that is over.
pub(super) trait ValueClient: ClientKind<Known = Value> {
    type Session: ValueSession;

    fn handle(client: &Self::Client) -> &Handle<Self::Session>;

    /// The update that tells a new value.
    fn changed(value: Value) -> Self::Update;

    fn is_changed(update: &Self::Update) -> bool;

    /// The update that there is a connection: what stands before it is no newer value than what
    /// comes behind.
    fn is_connected(update: &Self::Update) -> bool;
}

/// The value, as last told on whichever connection.
pub(super) fn last_told<K: ValueClient>(shared: &Shared<K>) -> Value {
    let told = shared.client().and_then(|client| told_value(K::handle(&client)));
    told.unwrap_or_else(|| shared.known(Value::clone))
}

/// Whether that is what the other side says on the connection of now.
pub(super) fn is_current<K: ValueClient>(shared: &Shared<K>) -> bool {
    shared.client().is_some_and(|client| {
        let handle = K::handle(&client);
        handle.end().is_none() && told_value(handle).is_some()
    })
}

/// Hands on what one connection tells, with `other` what else came, until it is over: says why.
pub(super) async fn hand_on<K: ValueClient, T>(
    shared: &Shared<K>,
    client: &K::Client,
    every_change: bool,
    mut take: impl FnMut(&mut K::Session) -> Option<T>,
    other: impl Fn(T) -> K::Update,
) -> Error {
    let (seen, handle) = (SeenChanges::default(), K::handle(client));
    let mut in_order = InOrder { given: 0, held: None };
    loop {
        let news = |session: &mut K::Session| match every_change {
            true => in_order.next(session, &mut take),
            false => seen.news(session, &mut take),
        };
        let (value, more) = match handle.wait(Wait::Incoming, news).await {
            Ok(told) => told,
            Err(error) => return error,
        };
        match value.map(K::changed) {
            Some(update) if every_change => shared.hand_on(update).await,
            Some(update) => shared.tell_newest(update, K::is_changed, K::is_connected),
            None => {}
        }
        if let Some(more) = more {
            shared.hand_on(other(more)).await;
        }
    }
}

/// The other side's value, if it has told any.
pub(super) fn told_value<S: ValueSession>(handle: &Handle<S>) -> Option<Value> {
    handle.look(|session| (session.changes().count() > 0).then(|| session.value().clone()))
}
