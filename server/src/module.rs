//! Programs of one's own within the server: what they make of events belongs to the same session.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use hat_core::eventer::{Event, RegisterEvent, Subscription};

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
    /// The server, for another server: see [`Synced`](crate::builtin::Synced).
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
type Subscribed = (Subscription, Box<dyn Module>);

/// The modules of a server.
#[derive(Clone, Default)]
pub(crate) struct Modules(Option<Arc<Mutex<Vec<Subscribed>>>>);

impl Modules {
    pub(crate) fn new(modules: Vec<Box<dyn Module>>) -> Self {
        if modules.is_empty() {
            return Self(None);
        }
        let modules = modules.into_iter().map(|module| (module.subscription(), module));
        Self(Some(Arc::new(Mutex::new(modules.collect()))))
    }

    /// What runs them over a session that comes from `source`.
    pub(crate) fn complete(&self, source: Source) -> Option<Complete> {
        let modules = self.0.clone()?;
        // who made each event that is not processed yet, and how many are
        let (mut sources, mut processed) = (Vec::<Source>::new(), 0);
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
                    let answer = calmly(number, || module.process(*source, event));
                    made.extend(std::iter::repeat_n(Source::Module(number), answer.len()));
                    further.extend(answer);
                }
            }
            processed = events.len();
            if processed + further.len() > MAX_EVENTS {
                tracing::error!(
                    session,
                    "modules answer each other without an end: they are stopped"
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
            "a module panicked: the session goes on without its answer"
        );
        T::default()
    })
}
