//! Modules: your own code within the server, whose events belong to the same session.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use hat_core::eventer::{Event, RegisterEvent, Subscription};

use crate::check::{self, Limits, check};
use crate::store::Complete;

/// Who an event came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A client: the number of its connection.
    Client(u64),
    /// A module: its place among the modules, from 0.
    Module(usize),
    /// The engine itself.
    Engine,
    /// The server, for another server: see [`SyncState`](crate::builtin::SyncState).
    Server,
    /// The page, or the program that embeds the server.
    Other,
}

/// A part of the server that sees events while they are registered and answers with further ones.
///
/// Events of a session go to every module whose subscription matches, in the order of modules; what
/// they return becomes events of the same session, and goes round in turn until nothing comes. All
/// of it is on the thread that orders sessions: **nobody else's events are registered meanwhile**,
/// so a module computes and does not wait. Events that are mirrored from other servers go to no
/// module.
///
/// An answer that no client may register, by [`Options::limits`](crate::Options::limits) or because
/// deployed peers could not take it, is left out, and the log says so. One session may hold so many
/// bytes of answers as a registration.
pub trait Module: Send + 'static {
    /// Which events it sees.
    fn subscription(&self) -> Subscription;

    /// A session begins.
    fn session_started(&mut self, session: i64) {
        let _ = session;
    }

    /// An event of the session. Returns what is to be registered with it.
    fn process(&mut self, source: Source, event: &Event) -> Vec<RegisterEvent>;

    /// Nothing further comes in this session.
    fn session_stopped(&mut self, session: i64) {
        let _ = session;
    }
}

/// Events of one session that modules may make, one million: modules that answer each other go
/// round for ever.
const MAX_EVENTS: usize = 1 << 20;

/// A module, and the events that it is asked about.
type Subscriber = (Subscription, Box<dyn Module>);

/// The modules of a server.
#[derive(Clone, Default)]
pub(crate) struct Modules {
    modules: Option<Arc<Mutex<Vec<Subscriber>>>>,
    /// What an answer may hold: the same as what a client may register.
    limits: Limits,
}

impl Modules {
    pub(crate) fn new(modules: Vec<Box<dyn Module>>, limits: Limits) -> Self {
        if modules.is_empty() {
            return Self { modules: None, limits };
        }
        let modules = modules.into_iter().map(|module| (module.subscription(), module));
        Self { modules: Some(Arc::new(Mutex::new(modules.collect()))), limits }
    }

    /// What runs them over a session that comes from `source`.
    pub(crate) fn complete(&self, source: Source) -> Option<Complete> {
        let (modules, limits) = (self.modules.clone()?, self.limits);
        // who made each event that is not processed yet, and how many are
        let (mut sources, mut processed) = (Vec::<Source>::new(), 0);
        // what modules have made so far
        let mut bytes = 0_usize;
        Some(Box::new(move |events: &[Event]| {
            let mut modules = modules.lock().unwrap_or_else(PoisonError::into_inner);
            let session = events.first().map_or(0, |event| event.id.session);
            if processed == 0 {
                sources.resize(events.len(), source);
                for (number, (_, module)) in modules.iter_mut().enumerate() {
                    calmly(number, || module.session_started(session));
                }
            }
            let mut further = Vec::new();
            let mut made = Vec::new();
            for (number, (subscription, module)) in modules.iter_mut().enumerate() {
                for (event, source) in events.iter().zip(&sources).skip(processed) {
                    if !subscription.matches(&event.event_type) {
                        continue;
                    }
                    let mut answer = calmly(number, || module.process(*source, event));
                    if let Err(refusal) = check(&answer, &limits) {
                        tracing::error!(
                            module = number, session, %refusal,
                            "a module answered with events that must not be registered: they are left out"
                        );
                        answer.clear();
                    }
                    made.extend(std::iter::repeat_n(Source::Module(number), answer.len()));
                    further.extend(answer);
                }
            }
            processed = events.len();
            bytes += further.iter().map(check::size).sum::<usize>();
            if processed + further.len() > MAX_EVENTS || bytes > limits.max_registration {
                tracing::error!(
                    session,
                    "modules answer each other's events endlessly: they are stopped"
                );
                (further, made) = Default::default();
            }
            sources.extend(made);
            if further.is_empty() {
                for (number, (_, module)) in modules.iter_mut().enumerate() {
                    calmly(number, || module.session_stopped(session));
                }
            }
            further
        }))
    }
}

/// What `call` returns; nothing where it panics: a module ends the server for nobody.
fn calmly<T: Default>(number: usize, call: impl FnOnce() -> T) -> T {
    // a module that panicked is called again: what state it is in is its own matter
    std::panic::catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        tracing::error!(
            module = number,
            "a module panicked: the session is registered without its events"
        );
        T::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventId, EventType, Payload, Timestamp};

    type Answers = Box<dyn FnMut(Source, &Event) -> Vec<RegisterEvent> + Send>;

    /// A module of a query type and a closure, which writes down what happens to it.
    struct Recorder {
        name: &'static str,
        query: &'static str,
        log: Arc<Mutex<Vec<String>>>,
        answers: Answers,
    }

    impl Recorder {
        fn note(&self, what: String) {
            self.log.lock().expect("no panic").push(format!("{} {what}", self.name));
        }
    }

    impl Module for Recorder {
        fn subscription(&self) -> Subscription {
            Subscription::new([&EventType::from(self.query)]).expect("a query type")
        }

        fn session_started(&mut self, session: i64) {
            self.note(format!("starts {session}"));
        }

        fn process(&mut self, source: Source, event: &Event) -> Vec<RegisterEvent> {
            self.note(format!("{source:?} {}", event.event_type));
            (self.answers)(source, event)
        }

        fn session_stopped(&mut self, session: i64) {
            self.note(format!("stops {session}"));
        }
    }

    fn event(text: &str) -> RegisterEvent {
        RegisterEvent::new(EventType::from(text))
    }

    /// A session of an event of this type, to its end: the types of all its events, and what
    /// happened to the modules.
    fn session(
        of: &str,
        limits: Limits,
        modules: Vec<(&'static str, &'static str, Answers)>,
    ) -> (Vec<String>, Vec<String>) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let modules = modules.into_iter().map(|(name, query, answers)| {
            let log = log.clone();
            Box::new(Recorder { name, query, log, answers }) as Box<dyn Module>
        });
        let modules = Modules::new(modules.collect(), limits);
        let mut complete = modules.complete(Source::Client(5)).expect("there are modules");
        let mut further = vec![event(of)];
        let mut events: Vec<Event> = Vec::new();
        while !further.is_empty() {
            for event in std::mem::take(&mut further) {
                events.push(Event {
                    id: EventId::new(1, 8, events.len() as i64 + 1),
                    event_type: event.event_type,
                    timestamp: Timestamp::from_secs(1),
                    source_timestamp: None,
                    payload: event.payload,
                });
            }
            further = complete(&events);
        }
        let types = events.iter().map(|event| event.event_type.to_string()).collect();
        let log = log.lock().expect("no panic").clone();
        (types, log)
    }

    #[test]
    fn what_modules_answer_goes_round_until_nothing_comes() {
        let sum = |_, _: &Event| vec![event("sum"), event("a/more")];
        let once = |source, _: &Event| match source {
            Source::Client(_) => vec![event("seen")],
            _ => Vec::new(),
        };
        let modules: Vec<(_, _, Answers)> =
            vec![("first", "a", Box::new(sum)), ("second", "a/*", Box::new(once))];
        let (types, log) = session("a", Limits::default(), modules);
        assert_eq!(types, ["a", "sum", "a/more", "seen"]);
        let expected = [
            "first starts 8",
            "second starts 8",
            "first Client(5) a",
            "second Client(5) a",
            "second Module(0) a/more",
            "first stops 8",
            "second stops 8",
        ];
        assert_eq!(log, expected);
    }

    #[test]
    fn a_module_that_panics_ends_nothing() {
        let modules: Vec<(_, _, Answers)> = vec![
            ("first", "*", Box::new(|_, _| panic!("a fault of a module"))),
            ("second", "a", Box::new(|_, _| vec![event("b")])),
        ];
        let (types, log) = session("a", Limits::default(), modules);
        assert_eq!(types, ["a", "b"]);
        assert_eq!(&log[log.len() - 2..], ["first stops 8", "second stops 8"]);
    }

    #[test]
    fn what_no_client_may_register_no_module_does() {
        let payload = |text: &str| {
            // as a module may make it: any text
            let text = hat_core::sbs::encode(&hat_core::sbs::ByteString::from(text));
            let json = hat_core::sbs::decode(&text).expect("any text decodes");
            RegisterEvent { payload: Some(Payload::Json(json)), ..event("b") }
        };
        for text in ["NaN", "1e400", "[1,"] {
            let modules: Vec<(_, _, Answers)> =
                vec![("one", "a", Box::new(move |_, _| vec![event("c"), payload(text)]))];
            assert_eq!(session("a", Limits::default(), modules).0, ["a"], "{text}");
        }
    }

    #[test]
    fn modules_that_answer_each_other_are_stopped() {
        let large = |_, _: &Event| {
            let payload = Some(Payload::binary("t", vec![0; 1_000]));
            vec![RegisterEvent { payload, ..event("a") }]
        };
        let limits = Limits { max_registration: 10_500, ..Limits::default() };
        let modules: Vec<(_, _, Answers)> = vec![("one", "a", Box::new(large))];
        let (types, log) = session("a", limits, modules);
        assert_eq!(types.len(), 11, "the first, and ten of a thousand bytes");
        assert_eq!(log.last().expect("a line"), "one stops 8");
    }
}
