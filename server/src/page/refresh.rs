//! The task that brings what has changed in the store into the state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::runtime::sleep;
use hat_core::eventer::{Event, Timestamp};
use hat_core::json::{Pointer, Value};
use hat_core::juggler::State;
use smol::future::yield_now;
use tracing::warn;

use super::cluster;
use super::event::{self, Extent};
use super::events::{Changes, Events};
use super::live::Live;
use super::rate::{self, Rate, Step};
use crate::engine_handle::EngineHandle;

/// Time from one refresh to the next, in which changes of one type become one: faster, nobody
/// reads.
const WINDOW: Duration = Duration::from_millis(200);

/// What a refresh took, so many times over it rests: of a lot of types that change all the time,
/// the page takes a fifth of a processor and leaves the rest to clients.
const REST: u32 = 4;

/// The longest rest: a process that was stopped for a while in the middle of a refresh did not work
/// all that time, and pages wait.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Where the store and the state stand.
pub(super) struct Refresh {
    handle: EngineHandle,
    live: Live,
    events: Events,
    rate: Rate,
    /// Types that the state has no room for.
    cut: BTreeSet<Arc<str>>,
    /// It was said that the state is full.
    full: bool,
}

impl Refresh {
    pub(super) fn new(handle: EngineHandle, live: Live) -> Self {
        let rate = Rate::new(Timestamp::now().s());
        Self { handle, live, events: Events::new(), rate, cut: BTreeSet::new(), full: false }
    }

    /// Runs until the page is closed: at once when something happens after a quiet time, then once
    /// a window. Where nobody looks or nothing happens, once a second.
    pub(super) async fn run<R: Runtime>(mut self) {
        loop {
            let start = R::now();
            self.events().await;
            self.second(Timestamp::now()).await;
            self.live.flush();
            self.live.streams().tell().await;
            let took = R::now().saturating_duration_since(start);
            sleep::<R>((took * REST).clamp(WINDOW, LONGEST_REST)).await;
            if !self.live.changed::<R>(to_next_second(Timestamp::now())).await {
                return;
            }
        }
    }

    async fn events(&mut self) {
        // each once: what is registered meanwhile is for the next time, or this one might never end
        let mut left = self.live.latest().types();
        loop {
            let changes = self.events.changes(&mut self.live.latest());
            left = left.saturating_sub(changes.set.len());
            let is_last = !changes.more || left == 0;
            self.show(changes);
            if is_last {
                return;
            }
            // clients are served between two parts
            yield_now().await;
        }
    }

    fn show(&mut self, changes: Changes) {
        // the JSON is made before the state is held
        let value = |(name, event): (_, Event)| (name, event::value(&event, Extent::Cut));
        let set: Vec<_> = changes.set.into_iter().map(value).collect();
        let cut = &mut self.cut;
        self.live.state().change(|state| take(state, cut, changes.gone, set));
        if !self.cut.is_empty() && !std::mem::replace(&mut self.full, true) {
            warn!(
                "there are too many event types for the page, or their names and payloads are too long: it does not show all of them"
            );
        }
    }

    async fn second(&mut self, now: Timestamp) {
        let report = self.handle.report().await;
        let (registered, stats) = (report.events, report.stats.unwrap_or_default());
        let (kept, types) = (stats.events, stats.types);
        // a store on a disk knows more types than pages are shown
        let shown = self.live.latest().types() as u64;
        let forgotten =
            if shown >= self.live.max_types() { types.saturating_sub(shown) } else { 0 };
        let step = self.rate.step(now.s(), registered);
        if step == Step::None {
            return;
        }
        let cluster = (!report.cluster.is_empty())
            .then(|| ("cluster", cluster::value(&report.cluster, now.as_secs_f64())));
        self.live.state().change(|state| {
            match step {
                Step::None => {}
                Step::Back => set(state, Pointer::new(["rate"]), rate::before(now.s())),
                Step::Over { at, elements } => {
                    for (element, count) in elements {
                        let path = Pointer::new(["rate", "counts"]).child(element);
                        set(state, path, count.into());
                    }
                    set(state, Pointer::new(["rate", "at"]), at.into());
                }
            }
            let counts = [
                ("registered", registered.into()),
                ("events_kept", kept.into()),
                ("event_types", types.into()),
                ("types_cut", (self.cut.len() as u64 + forgotten).into()),
            ];
            for (name, value) in counts.into_iter().chain(cluster) {
                set(state, Pointer::new(["server", name]), value);
            }
        });
    }
}

/// Takes what has changed into the state; `cut` are the types that it has no room for.
fn take(
    state: &mut State,
    cut: &mut BTreeSet<Arc<str>>,
    gone: Vec<Arc<str>>,
    set: Vec<(Arc<str>, Value)>,
) {
    let path = |name: &Arc<str>| Pointer::new(["events".into(), name.clone()]);
    for name in gone {
        state.remove(&path(&name));
        cut.remove(&name);
    }
    for (name, value) in set {
        if set_or_remove(state, &path(&name), value) {
            cut.remove(&name);
        } else {
            cut.insert(name);
        }
    }
}

/// A type that the state has no room for is not in it: an old event would look like the latest.
fn set_or_remove(state: &mut State, path: &Pointer, value: Value) -> bool {
    let fits = state.set(path, value).is_ok();
    if !fits {
        state.remove(path);
    }
    fits
}

/// Numbers in the place of numbers need no room to speak of.
fn set(state: &mut State, path: Pointer, value: Value) {
    if let Err(error) = state.set(&path, value) {
        warn!(%error, "the page cannot show the events");
    }
}

/// A little more, so that it has begun.
fn to_next_second(now: Timestamp) -> Duration {
    Duration::from_micros(1_001_000 - u64::from(now.us()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hat_core::eventer::{EventId, EventType};
    use hat_core::json::Limits;

    use super::*;

    #[test]
    fn a_type_without_room_is_counted_and_comes_back_where_there_is_some() {
        let limits = Limits { size: 8_000, ..Limits::default() };
        let mut state = State::new(limits);
        let whole = hat_core::json::Object::from([("events", hat_core::json::Object::default())]);
        state.replace(whole).expect("small");
        let mut cut = BTreeSet::new();
        let event = |name: &str, size: usize| {
            let event = Event {
                id: EventId::new(1, 1, 1),
                event_type: EventType::from_segments([name]),
                timestamp: Timestamp::from_secs(1),
                source_timestamp: None,
                payload: Some(hat_core::eventer::Payload::binary("", vec![0; size])),
            };
            (Arc::<str>::from(name), event::value(&event, Extent::Cut))
        };
        let names =
            |cut: &BTreeSet<Arc<str>>| cut.iter().map(ToString::to_string).collect::<Vec<_>>();
        let path = Pointer::new(["events", "b"]);
        take(
            &mut state,
            &mut cut,
            Vec::new(),
            vec![event("a", 3000), event("b", 1), event("c", 3000)],
        );
        assert_eq!(names(&cut), ["c"]);
        // an old event would look like the latest
        take(&mut state, &mut cut, Vec::new(), vec![event("b", 3000)]);
        assert_eq!(
            (names(&cut), state.value().get(&path)),
            (vec!["b".to_owned(), "c".to_owned()], None)
        );
        take(&mut state, &mut cut, vec!["a".into()], vec![event("c", 3000)]);
        assert_eq!(names(&cut), ["b"]);
    }
}
