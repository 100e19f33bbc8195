//! What the handles of a reconnecting client and its task share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::options::{Stopped, Update, WhileDisconnected};
use crate::eventer::{Client, RequestError};
use crate::wakers::{Place, WakerSet, wait_in};
use hat_core::eventer::Status;

/// Updates that may wait to be taken. More events wait in the inbox of the connection, which has
/// limits of its own.
const QUEUE: usize = 16;

pub(super) struct Shared {
    state: Mutex<State>,
    while_disconnected: WhileDisconnected,
}

struct State {
    queue: VecDeque<Update>,
    /// The connection of now.
    client: Option<Client>,
    status: Status,
    closing: bool,
    stopped: Option<Stopped>,
    /// Who waits for an update, a connection, or the end.
    handles: WakerSet,
    /// The task, which waits for room, or to be closed.
    task: WakerSet,
}

/// Those who wait for the same.
type Waiting = fn(&mut State) -> &mut WakerSet;

const HANDLES: Waiting = |state| &mut state.handles;
const TASK: Waiting = |state| &mut state.task;

impl Shared {
    pub(super) fn new(while_disconnected: WhileDisconnected) -> Self {
        let state = State {
            queue: VecDeque::new(),
            client: None,
            status: Status::Standby,
            closing: false,
            stopped: None,
            handles: WakerSet::default(),
            task: WakerSet::default(),
        };
        Self { state: Mutex::new(state), while_disconnected }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes those who wait among `waiting`.
    fn change<T>(&self, waiting: Waiting, change: impl FnOnce(&mut State) -> T) -> T {
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
    async fn until<T>(&self, waiting: Waiting, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
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

/// For the handles.
impl Shared {
    pub(super) async fn next(&self) -> Result<Update, Stopped> {
        let next = self.until(HANDLES, |state| match state.queue.pop_front() {
            Some(update) => Some(Ok((update, state.queue.len() + 1 == QUEUE))),
            None => state.stopped.clone().map(Err),
        });
        let (update, has_room_again) = next.await?;
        if has_room_again {
            self.change(TASK, |_| ());
        }
        Ok(update)
    }

    pub(super) fn status(&self) -> Status {
        self.lock().status
    }

    pub(super) fn client(&self) -> Option<Client> {
        self.lock().client.clone()
    }

    pub(super) async fn connected(&self) -> Result<Client, Stopped> {
        let client = |state: &mut State| match (&state.client, &state.stopped) {
            (_, Some(stopped)) => Some(Err(stopped.clone())),
            (client, None) => client.clone().map(Ok),
        };
        self.until(HANDLES, client).await
    }

    /// The connection that a request goes to.
    pub(super) async fn to_ask(&self) -> Result<Client, RequestError> {
        match self.while_disconnected {
            WhileDisconnected::Fail => self.client().ok_or(RequestError::NotConnected),
            WhileDisconnected::Wait => {
                self.connected().await.map_err(|_| RequestError::NotConnected)
            }
        }
    }

    pub(super) fn close(&self) {
        self.change(TASK, |state| state.closing = true);
    }

    pub(super) async fn stopped(&self) -> Stopped {
        self.until(HANDLES, |state| state.stopped.clone()).await
    }
}

/// For the task.
impl Shared {
    pub(super) async fn closing(&self) {
        self.until(TASK, |state| state.closing.then_some(())).await;
    }

    pub(super) fn set_client(&self, client: Option<Client>) -> Option<Client> {
        self.change(HANDLES, |state| std::mem::replace(&mut state.client, client))
    }

    pub(super) fn set_status(&self, status: Status) {
        self.lock().status = status;
    }

    /// Waits for room.
    pub(super) async fn hand_on(&self, update: Update) {
        self.until(TASK, |state| (state.queue.len() < QUEUE).then_some(())).await;
        self.change(HANDLES, |state| state.queue.push_back(update));
    }

    /// Nobody waits with changes of the connection: in a full queue they take the place of those
    /// that nobody took.
    pub(super) fn tell(&self, update: Update) {
        self.change(HANDLES, |state| {
            if state.queue.len() >= QUEUE {
                let kept = |it: &Update| matches!(it, Update::Events(_) | Update::CaughtUp { .. });
                while state.queue.pop_back_if(|it| !kept(it)).is_some() {}
            }
            state.queue.push_back(update);
        });
    }

    pub(super) fn stop(&self, stopped: Stopped) {
        self.change(HANDLES, |state| {
            state.stopped.get_or_insert(stopped);
        });
    }
}
