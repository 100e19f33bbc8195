//! An event server as an application would write it: a registry of connections, events in memory,
//! and who is told what.

use std::collections::{BTreeMap, BTreeSet};

use hat_core::eventer::server::{NotifyId, RequestId};
use hat_core::eventer::{
    Event, EventId, QueryParams, QueryResult, RegisterEvent, Status, Timestamp,
};
use hat_tests::simulation::EndId;

/// Events that went to clients that must acknowledge them, and what is done once all have.
#[derive(Debug, Default)]
pub(super) struct Notification {
    pub(super) waiting: BTreeSet<(EndId, NotifyId)>,
    pub(super) then: Option<(EndId, RequestId, PendingAnswer)>,
}

/// What a request waits for.
#[derive(Clone, Debug)]
pub(super) enum PendingAnswer {
    Register(Option<Vec<Event>>),
    Query(QueryParams),
}

#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) status: Status,
    session: i64,
    store: Vec<Event>,
    /// The clients that were taken.
    pub(super) registry: BTreeSet<EndId>,
    pub(super) notifications: Vec<Notification>,
}

impl Server {
    /// Registers events as one session of one of two servers.
    pub(super) fn register(&mut self, events: Vec<RegisterEvent>, second: i64) -> Vec<Event> {
        self.session += 1;
        let id = EventId::new(1 + self.session % 2, self.session, 0);
        let timestamp = Timestamp::from_secs(second);
        let event = |(event, instance): (RegisterEvent, i64)| Event {
            id: EventId { instance, ..id },
            event_type: event.event_type.detached(),
            timestamp,
            source_timestamp: event.source_timestamp,
            payload: event.payload.map(|payload| payload.detached()),
        };
        let events: Vec<_> = events.into_iter().zip(1..).map(event).collect();
        self.store.extend(events.iter().cloned());
        events
    }

    pub(super) fn query(&self, params: &QueryParams) -> QueryResult {
        let (events, most): (Vec<&Event>, usize) = match params {
            QueryParams::Server(params) => {
                let of = self.store.iter().filter(|event| event.id.server == params.server_id);
                (of.collect(), params.max_results.unwrap_or(0) as usize)
            }
            _ => {
                let latest = self.store.iter().map(|event| (&event.event_type, event));
                (latest.collect::<BTreeMap<_, _>>().into_values().collect(), usize::MAX)
            }
        };
        QueryResult {
            more_follows: events.len() > most,
            events: events.into_iter().take(most).cloned().collect(),
        }
    }

    /// A client acknowledged events. Gives what is to be done if it was the last.
    pub(super) fn acked(&mut self, end: EndId, id: NotifyId) -> Vec<Notification> {
        let waits = |it: &&mut Notification| it.waiting.contains(&(end, id));
        let notification = self.notifications.iter_mut().find(waits);
        notification.expect("an ack that nobody waits for").waiting.remove(&(end, id));
        self.take_complete()
    }

    /// A client is gone: nobody waits for its acks any more.
    pub(super) fn gone(&mut self, end: EndId) -> Vec<Notification> {
        self.registry.remove(&end);
        for notification in &mut self.notifications {
            notification.waiting.retain(|&(of, _)| of != end);
        }
        self.take_complete()
    }

    pub(super) fn take_complete(&mut self) -> Vec<Notification> {
        self.notifications.extract_if(.., |it| it.waiting.is_empty()).collect()
    }

    /// The acks of a client that are waited for.
    pub(super) fn waits_for(&self, end: EndId) -> BTreeSet<NotifyId> {
        let all = self.notifications.iter().flat_map(|it| &it.waiting);
        all.filter(|&&(of, _)| of == end).map(|&(_, id)| id).collect()
    }
}
