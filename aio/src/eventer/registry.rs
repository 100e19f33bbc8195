//! The clients of a server that were taken, and the status that they are told.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use super::acks::{Acks, Ticket};
use super::handler::ConnectionInfo;
use super::patience::Patience;
use crate::ConnectionId;
use crate::handle::Handle;
use crate::inbox::Inbox;
use crate::shared::{Delivered, Session};
use crate::trace;
use hat_core::eventer::server::{Connection as Machine, Incoming, NotifyId, NotifyOutcome};
use hat_core::eventer::{EncodedEvents, Event, RegisterEvent, Routes, SendFault, Status};
use hat_core::protocol::Protocol;

pub(super) struct ServerSession {
    pub(super) machine: Machine,
    pub(super) inbox: Inbox<Incoming>,
    pub(super) acks: BTreeMap<NotifyId, Ticket>,
    /// How long notifications may still wait for this client to read.
    pub(super) patience: Patience,
    pub(super) progress: Progress,
}

/// Up to where a client has taken what it was told, and since when no further.
#[derive(Debug, Default)]
pub(super) struct Progress(Option<(u64, Instant)>);

impl Progress {
    /// Since when nothing was taken, where `sent` is what was taken up to `now`.
    pub(super) fn at(&mut self, sent: u64, now: Instant) -> Instant {
        match self.0 {
            Some((before, since)) if before == sent => since,
            _ => self.0.insert((sent, now)).1,
        }
    }
}

impl Session for ServerSession {
    type Protocol = Machine;

    const NAME: &'static str = "eventer server";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        self.inbox.has_room()
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, memory: usize) -> Delivered {
        let weight = match &incoming {
            Incoming::Acked(id) => {
                self.acks.remove(id);
                return Delivered::Nothing;
            }
            Incoming::Register { events, size, .. } => {
                // what they are, room that is left included, and what they become
                let them = events.capacity() * size_of::<RegisterEvent>();
                size + them + events.len() * size_of::<Event>()
            }
            Incoming::Query { params, .. } => size_of::<Incoming>() + params.weight(),
            Incoming::Init(_) => size_of::<Incoming>(),
        };
        self.inbox.push(incoming, weight.max(memory));
        Delivered::Inbox
    }

    fn ended(&mut self, _wake: &mut Vec<Waker>) {
        self.acks.clear();
    }
}

/// Bytes that wait for a client before a notification waits for it: what a socket takes in a
/// millisecond or so.
pub(super) const HIGH_WATER: usize = 1024 * 1024;

pub(super) struct Registry {
    clients: Mutex<Clients>,
    /// Requests that the handler has in hand, or whose answers are not queued yet.
    in_hand: Acks,
    /// Clients that were closed because they could not be told something.
    cut: AtomicU64,
}

struct Clients {
    status: Status,
    taken: BTreeMap<ConnectionId, Client>,
    /// Who wants which events, of those that are `routed`: as soon as they are registered, and once
    /// they are persisted.
    routes: [Routes<ConnectionId>; 2],
    /// Clients that are not among the routes.
    unrouted: usize,
    /// Memory for who wants which events of a notification, used again.
    wanted: Vec<(ConnectionId, Range<usize>)>,
}

struct Client {
    info: Arc<ConnectionInfo>,
    handle: Handle<ServerSession>,
    /// Its subscription is among the routes, for it is not too large.
    routed: bool,
}

impl Registry {
    pub(super) fn new(status: Status) -> Self {
        let clients = Mutex::new(Clients {
            status,
            taken: BTreeMap::new(),
            routes: Default::default(),
            unrouted: 0,
            wanted: Vec::new(),
        });
        Self { clients, in_hand: Acks::default(), cut: AtomicU64::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn in_hand(&self) -> &Acks {
        &self.in_hand
    }

    /// Takes a client. No status or event comes between its answer and its place among the others.
    pub(super) fn accept(
        &self,
        info: &Arc<ConnectionInfo>,
        handle: &Handle<ServerSession>,
    ) -> Result<(), SendFault> {
        let mut clients = self.lock();
        let status = clients.status;
        handle.call(|session| session.machine.accept(status))?;
        let routes = &mut clients.routes[usize::from(info.persisted)];
        let routed = routes.insert(info.id, &info.subscription);
        clients.unrouted += usize::from(!routed);
        clients
            .taken
            .insert(info.id, Client { info: info.clone(), handle: handle.clone(), routed });
        Ok(())
    }

    pub(super) fn remove(&self, id: ConnectionId) {
        let mut clients = self.lock();
        let removed = clients.taken.remove(&id);
        if let Some(client) = &removed {
            let routes = &mut clients.routes[usize::from(client.info.persisted)];
            routes.remove(id, &client.info.subscription);
            clients.unrouted -= usize::from(!client.routed);
        }
        drop(clients);
        // outside of the lock: dropping a handle may close its connection
        drop(removed);
    }

    /// Closes the connection of a client that was taken; whether there is one of this number.
    pub(super) fn disconnect(&self, id: ConnectionId) -> bool {
        let handle = self.lock().taken.get(&id).map(|client| client.handle.clone());
        handle.inspect(Handle::close).is_some()
    }

    pub(super) fn infos(&self) -> Vec<Arc<ConnectionInfo>> {
        self.lock().taken.values().map(|client| client.info.clone()).collect()
    }

    /// The connections of all clients.
    pub(super) fn handles(&self) -> Vec<Handle<ServerSession>> {
        self.lock().taken.values().map(|client| client.handle.clone()).collect()
    }

    pub(super) fn status(&self) -> Status {
        self.lock().status
    }

    /// Clients that were closed because they could not be told something.
    pub(super) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    pub(super) fn set_status(&self, status: Status) {
        let mut clients = self.lock();
        clients.status = status;
        for Client { info, handle, .. } in clients.taken.values() {
            close_if_refused(
                &self.cut,
                info,
                handle,
                handle.call(|session| session.machine.set_status(status)),
            );
        }
    }

    /// Whether any client wants events at all: without one, they need not be encoded.
    pub(super) fn has_listeners(&self, persisted: bool) -> bool {
        let clients = self.lock();
        clients.unrouted > 0 || !clients.routes[usize::from(persisted)].is_empty()
    }

    /// Queues events to every client that wants them; gives those that have a lot to read.
    pub(super) fn notify(
        &self,
        events: &EncodedEvents,
        persisted: bool,
        acks: Option<&Acks>,
    ) -> Vec<Handle<ServerSession>> {
        let mut clients = self.lock();
        let Clients { taken, routes, wanted, .. } = &mut *clients;
        find(&routes[usize::from(persisted)], events, wanted);
        let mut wanted = wanted.chunk_by(|(one, _), (other, _)| one == other).peekable();
        let mut behind = Vec::new();
        for (id, Client { info, handle, routed }) in taken {
            let matching = wanted.next_if(|matching| matching[0].0 == *id);
            if *routed && matching.is_none() {
                continue;
            }
            let (notified, waits) = handle.call(|session| {
                let machine = &mut session.machine;
                let notified = match matching {
                    Some(matching) => {
                        let matching = matching.iter().map(|(_, range)| range.clone());
                        machine.notify_matching(events, matching, persisted, acks.is_some())
                    }
                    None => machine.notify(events, persisted, acks.is_some()),
                };
                if let (Ok(NotifyOutcome::AwaitsAck(id)), Some(acks)) = (&notified, acks) {
                    session.acks.insert(*id, acks.ticket());
                }
                let queued = session.machine.tx().len();
                (notified, queued > HIGH_WATER)
            });
            if waits {
                behind.push(handle.clone());
            }
            close_if_refused(&self.cut, info, handle, notified);
        }
        behind
    }
}

/// Who wants which of the events, by client.
fn find(
    routes: &Routes<ConnectionId>,
    events: &EncodedEvents,
    wanted: &mut Vec<(ConnectionId, Range<usize>)>,
) {
    wanted.clear();
    let (mut first, mut clients, mut same) = (Vec::new(), Vec::new(), true);
    for (index, event_type) in events.event_types().enumerate() {
        routes.find(event_type, &mut clients);
        if index == 0 {
            first.clone_from(&clients);
        }
        if same && clients != first {
            same = false;
            wanted.extend(first.iter().map(|&client| (client, 0..index)));
        }
        if !same {
            wanted.extend(clients.iter().map(|&client| (client, index..index + 1)));
        }
    }
    if same {
        // events of one session are of a kind: who wants one mostly wants all
        wanted.extend(first.into_iter().map(|client| (client, 0..events.len())));
    } else {
        // it is made of runs in order, which a stable sort only merges
        wanted.sort_by_key(|(client, range)| (*client, range.start));
    }
}

/// A client that cannot be told something is closed: it must not go on as if there had been nothing
/// to tell. It does not read, or the message is over its limit.
fn close_if_refused<T>(
    cut: &AtomicU64,
    info: &ConnectionInfo,
    handle: &Handle<ServerSession>,
    told: Result<T, SendFault>,
) {
    // one that is closing or over has been told of
    if let Err(fault) = told
        && !fault.is_closed()
    {
        let what = match fault.is_queue_full() {
            true => "a client reads more slowly than it is notified: its connection is closed",
            false => "a client cannot be notified: its connection is closed",
        };
        trace::refused(info, what, &fault);
        cut.fetch_add(1, Ordering::Relaxed);
        handle.close();
    }
}

#[cfg(test)]
mod tests {
    use hat_core::eventer::{EventId, Subscription, Timestamp};

    use super::*;

    #[track_caller]
    fn finds(types: &[&str], expected: &[(u64, Range<usize>)]) {
        let mut routes = Routes::default();
        for (id, query_type) in [(1, "a/*"), (2, "a/b"), (3, "*")] {
            let subscription = Subscription::new([query_type]).expect("a query type");
            assert!(routes.insert(ConnectionId(id), &subscription));
        }
        let event = |(instance, event_type): (i64, &&str)| Event {
            id: EventId::new(1, 1, instance),
            event_type: (*event_type).into(),
            timestamp: Timestamp::from_secs(0),
            source_timestamp: None,
            payload: None,
        };
        let events: Vec<Event> = (0..).zip(types).map(event).collect();
        let mut wanted = vec![(ConnectionId(9), 7..8)];
        find(&routes, &EncodedEvents::new(&events), &mut wanted);
        let wanted: Vec<_> = wanted.into_iter().map(|(id, range)| (id.0, range)).collect();
        assert_eq!(wanted, expected);
    }

    #[test]
    fn who_wants_all_of_a_notification_is_found_once() {
        finds(&["a/b", "a/b", "a/b"], &[(1, 0..3), (2, 0..3), (3, 0..3)]);
        finds(&["x", "y"], &[(3, 0..2)]);
        finds(&[], &[]);
    }

    #[test]
    fn who_wants_some_of_it_is_found_in_order() {
        let expected = [
            (1, 0..2),
            (1, 2..3),
            (1, 4..5),
            (2, 0..2),
            (2, 4..5),
            (3, 0..2),
            (3, 2..3),
            (3, 3..4),
            (3, 4..5),
        ];
        finds(&["a/b", "a/b", "a/c", "x", "a/b"], &expected);
    }
}
