//! What the handles of a client that comes back and its task share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{ClientKind, StopReason, WhileDisconnected};
use crate::wakers::{Place, WakerSet, wait_in};

/// Updates that may wait to be taken. More waits in the inbox of the connection, which has limits
/// of its own.
const QUEUE: usize = 16;

pub(crate) struct Shared<K: ClientKind> {
    state: Mutex<State<K>>,
    while_disconnected: WhileDisconnected,
}

struct State<K: ClientKind> {
    queue: VecDeque<Queued<K::Update>>,
    /// The connection of now.
    client: Option<K::Client>,
    known: K::Known,
    closing: bool,
    stopped: Option<StopReason<K::Failure>>,
    /// Who waits for an update, a connection, or the end.
    handles: WakerSet,
    /// The task, which waits for room, or to be closed.
    task: WakerSet,
}

struct Queued<U> {
    update: U,
    /// It must be taken; else it is out of date once a newer one comes to a full queue.
    kept: bool,
}

/// Those who wait for the same.
type Waiting<K> = fn(&mut State<K>) -> &mut WakerSet;

fn handles<K: ClientKind>(state: &mut State<K>) -> &mut WakerSet {
    &mut state.handles
}

fn task<K: ClientKind>(state: &mut State<K>) -> &mut WakerSet {
    &mut state.task
}

impl<K: ClientKind> Shared<K> {
    pub(crate) fn new(while_disconnected: WhileDisconnected) -> Self {
        let state = State {
            queue: VecDeque::new(),
            client: None,
            known: K::Known::default(),
            closing: false,
            stopped: None,
            handles: WakerSet::default(),
            task: WakerSet::default(),
        };
        Self { state: Mutex::new(state), while_disconnected }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes those who wait among `waiting`.
    fn change<T>(&self, waiting: Waiting<K>, change: impl FnOnce(&mut State<K>) -> T) -> T {
        let mut wake = Vec::new();
        let value = {
            let mut state = self.lock();
            waiting(&mut state).wake(&mut wake);
            change(&mut state)
        };
        wake.into_iter().for_each(Waker::wake);
        value
    }

    /// What `look` finds, as soon as it finds something; until then the caller waits among
    /// `waiting`.
    async fn until<T>(
        &self,
        waiting: Waiting<K>,
        mut look: impl FnMut(&mut State<K>) -> Option<T>,
    ) -> T {
        let poll = |cx: &mut Context<'_>, place: &mut Place| {
            let mut state = self.lock();
            match look(&mut state) {
                Some(found) => Poll::Ready(found),
                None => {
                    waiting(&mut state).add(cx, place);
                    Poll::Pending
                }
            }
        };
        wait_in(poll, |place| waiting(&mut self.lock()).leave(place)).await
    }
}

/// An update, and whether the queue was full; or the end.
type Next<K> = Result<(<K as ClientKind>::Update, bool), StopReason<<K as ClientKind>::Failure>>;

impl<K: ClientKind> State<K> {
    fn next(&mut self) -> Option<Next<K>> {
        match self.queue.pop_front() {
            Some(queued) => Some(Ok((queued.update, self.queue.len() + 1 == QUEUE))),
            None => self.stopped.clone().map(Err),
        }
    }
}

/// For the handles.
impl<K: ClientKind> Shared<K> {
    pub(crate) async fn next(&self) -> Result<K::Update, StopReason<K::Failure>> {
        let next = self.until(handles, State::next).await;
        self.taken(next)
    }

    /// The same for what is polled and has no future.
    pub(crate) fn poll_next(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<K::Update, StopReason<K::Failure>>> {
        let next = {
            let mut state = self.lock();
            let next = state.next();
            if next.is_none() {
                state.handles.add_task(cx);
            }
            next
        };
        next.map_or(Poll::Pending, |next| Poll::Ready(self.taken(next)))
    }

    fn taken(&self, next: Next<K>) -> Result<K::Update, StopReason<K::Failure>> {
        let (update, has_room_again) = next?;
        if has_room_again {
            self.change(task, |_| ());
        }
        Ok(update)
    }

    /// What is known of the server.
    pub(crate) fn known<T>(&self, look: impl FnOnce(&K::Known) -> T) -> T {
        look(&self.lock().known)
    }

    pub(crate) fn client(&self) -> Option<K::Client> {
        self.lock().client.clone()
    }

    pub(crate) async fn connected(&self) -> Result<K::Client, StopReason<K::Failure>> {
        let client = |state: &mut State<K>| match (&state.client, &state.stopped) {
            (_, Some(stopped)) => Some(Err(stopped.clone())),
            (client, None) => client.clone().map(Ok),
        };
        self.until(handles, client).await
    }

    /// The connection that a request goes to, if it is to go to any.
    pub(crate) async fn to_ask(&self) -> Option<K::Client> {
        match self.while_disconnected {
            WhileDisconnected::Fail => self.client(),
            WhileDisconnected::Wait => self.connected().await.ok(),
        }
    }

    pub(crate) fn close(&self) {
        self.change(task, |state| state.closing = true);
    }

    pub(crate) async fn stopped(&self) -> StopReason<K::Failure> {
        self.until(handles, |state| state.stopped.clone()).await
    }
}

/// For the task.
impl<K: ClientKind> Shared<K> {
    pub(super) async fn closing(&self) {
        self.until(task, |state| state.closing.then_some(())).await;
    }

    /// There is a connection, or none.
    pub(crate) fn set_client(&self, client: Option<K::Client>) -> Option<K::Client> {
        self.change(handles, |state| std::mem::replace(&mut state.client, client))
    }

    /// Notes what is known of the server.
    pub(crate) fn know(&self, known: K::Known) {
        self.lock().known = known;
    }

    /// Waits for room. The update is there until it is taken.
    pub(crate) async fn hand_on(&self, update: K::Update) {
        self.until(task, |state| (state.queue.len() < QUEUE).then_some(())).await;
        self.change(handles, |state| state.queue.push_back(Queued { update, kept: true }));
    }

    /// Waits for nothing: in a full queue the update takes the place of those that nobody took and
    /// that it makes out of date.
    pub(crate) fn tell(&self, update: K::Update) {
        self.change(handles, |state| {
            if state.queue.len() >= QUEUE {
                while state.queue.pop_back_if(|queued| !queued.kept).is_some() {}
            }
            state.queue.push_back(Queued { update, kept: false });
        });
    }

    /// As [`tell`](Self::tell); but where one that this update makes out of date waits to be taken,
    /// it takes its place. `is_older` says which that is, and `ends` behind which one it is not.
    #[cfg(feature = "juggler")]
    pub(crate) fn tell_newest(
        &self,
        update: K::Update,
        is_older: impl Fn(&K::Update) -> bool,
        ends: impl Fn(&K::Update) -> bool,
    ) {
        let update = self.change(handles, |state| {
            let mut recent = state.queue.iter_mut().rev().map(|queued| &mut queued.update);
            let older = recent.by_ref().take_while(|it| !ends(it)).find(|it| is_older(it));
            match older {
                Some(older) => {
                    *older = update;
                    None
                }
                None => Some(update),
            }
        });
        update.into_iter().for_each(|update| self.tell(update));
    }

    pub(super) fn stop(&self, stopped: StopReason<K::Failure>) {
        self.change(handles, |state| {
            state.stopped.get_or_insert(stopped);
        });
    }
}
