//! The latest event of each type, in step with the store.
//!
//! ```text
//! store   … 4 a   5 b   7 a   8 c        the latest of types, by the number of their change
//!              shown ┘     └───────┴──── registered after what was shown: to be set
//! ```
//!
//! Changes are counted, so one number says what pages have been told. The store forgets the oldest
//! first, so one number says what it has forgotten.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hat_core::eventer::Event;

use super::latest::Latest;
use super::name;

/// Types that are taken from the store at once: clients wait meanwhile, some 0.1 ms.
const BATCH: usize = 1_000;

/// What pages have been told.
#[derive(Debug)]
pub(super) struct Events {
    last: u64,
    by_name: HashMap<Arc<str>, u64>,
    by_change: BTreeMap<u64, Arc<str>>,
}

/// What is new. Types are named as in the state.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) set: Vec<(Arc<str>, Event)>,
    pub(super) gone: Vec<Arc<str>>,
    /// There is more to take.
    pub(super) more: bool,
}

impl Events {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { last: 0, by_name: HashMap::new(), by_change: BTreeMap::new() }
    }

    /// What has changed in `latest` since the last time, or the first part of it. From then on it
    /// counts as told.
    pub(super) fn changes(&mut self, latest: &mut Latest) -> Changes {
        let events = latest.after(self.last, BATCH);
        let more = events.len() == BATCH;
        let set =
            events.into_iter().map(|(change, event)| (self.told(change, &event), event)).collect();
        // only with the last part: until then, older changes stand for types that are still to come
        let gone = if more { Vec::new() } else { self.forget_before(latest.oldest()) };
        Changes { set, gone, more }
    }

    fn told(&mut self, change: u64, event: &Event) -> Arc<str> {
        self.last = change;
        let name: Arc<str> = name::name(&event.event_type).into();
        if let Some(previous) = self.by_name.insert(name.clone(), change) {
            self.by_change.remove(&previous);
        }
        self.by_change.insert(change, name.clone());
        name
    }

    fn forget_before(&mut self, oldest: Option<u64>) -> Vec<Arc<str>> {
        let mut gone = Vec::new();
        while let Some(first) = self.by_change.first_entry()
            && oldest.is_none_or(|oldest| *first.key() < oldest)
        {
            let name = first.remove();
            self.by_name.remove(&name);
            gone.push(name);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Session;
    use hat_core::eventer::{EventId, EventType, Timestamp};

    /// Sessions count from 1.
    fn register(latest: &mut Latest, sessions: &mut i64, types: &str) {
        *sessions += 1;
        let events = types.split_whitespace().zip(1..).map(|(text, instance)| Event {
            id: EventId::new(1, *sessions, instance),
            event_type: EventType::from_segments(text.split('/')),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: None,
        });
        latest.apply(&Session::new(events.collect()).expect("a session"));
    }

    /// As `name=session.instance`, and `-name`.
    fn changes(events: &mut Events, latest: &mut Latest) -> String {
        let Changes { set, gone, more } = events.changes(latest);
        assert!(!more);
        let set = set
            .iter()
            .map(|(name, event)| format!("{name}={}.{}", event.id.session, event.id.instance));
        let gone = gone.iter().map(|name| format!("-{name}"));
        set.chain(gone).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_type_that_changed_comes_once() {
        let (mut latest, mut events, mut sessions) = (Latest::new(100_000), Events::new(), 0);
        assert_eq!(changes(&mut events, &mut latest), "");
        register(&mut latest, &mut sessions, "a b a");
        assert_eq!(changes(&mut events, &mut latest), "a=1.3 b=1.2");
        assert_eq!(changes(&mut events, &mut latest), "");
        register(&mut latest, &mut sessions, "a");
        register(&mut latest, &mut sessions, "c/d a");
        assert_eq!(changes(&mut events, &mut latest), "a=3.2 c/d=3.1");
    }

    #[test]
    fn what_the_store_forgets_goes() {
        let (mut latest, mut events, mut sessions) = (Latest::new(2), Events::new(), 0);
        register(&mut latest, &mut sessions, "a b");
        assert_eq!(changes(&mut events, &mut latest), "a=1.1 b=1.2");
        register(&mut latest, &mut sessions, "a c");
        assert_eq!(changes(&mut events, &mut latest), "a=2.1 c=2.2 -b");
        register(&mut latest, &mut sessions, "d e f");
        assert_eq!(changes(&mut events, &mut latest), "e=3.2 f=3.3 -a -c");
    }

    #[test]
    fn many_come_in_parts() {
        let (mut latest, mut events, mut sessions) = (Latest::new(100_000), Events::new(), 0);
        let types: Vec<_> = (0..BATCH + 1).map(|n| n.to_string()).collect();
        register(&mut latest, &mut sessions, &types.join(" "));
        let first = events.changes(&mut latest);
        assert_eq!((first.set.len(), first.more), (BATCH, true));
        assert_eq!(changes(&mut events, &mut latest), "1000=1.1001");
    }
}
