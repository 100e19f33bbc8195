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
    /// The task waits for updates to be taken.
    held_up: bool,
    closing: bool,
    stopped: Option<StopReason<K::Failure>>,
    /// Who waits for an update, a connection, or the end.
    handles: WakerSet,
    /// The task, which waits for room, or to be closed.
    task: WakerSet,
}

struct Queued<U> {
    update: U,
    kind: Kind,
}

/// When an update may be dropped from a full queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Never.
    Kept,
    /// Once there is a connection, or none, again: it says that there is one or none.
    Connection,
    /// Once a newer one comes, or a connection: it says how the server is.
    Condition,
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
            held_up: false,
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

    /// The last connection, until it is known to the task that it has ended.
    pub(crate) fn client(&self) -> Option<K::Client> {
        self.lock().client.clone()
    }

    /// The connection of now, where there is one.
    pub(crate) fn live(&self) -> Option<K::Client> {
        self.client().filter(|client| !K::is_over(client))
    }

    /// Waits for a connection. One that has ended is given only where the task waits for updates to
    /// be taken: who is to take them may be who waits here.
    pub(crate) async fn connected(&self) -> Result<K::Client, StopReason<K::Failure>> {
        let client = |state: &mut State<K>| match (&state.client, &state.stopped) {
            (_, Some(stopped)) => Some(Err(stopped.clone())),
            (Some(client), None) if state.held_up || !K::is_over(client) => {
                Some(Ok(client.clone()))
            }
            _ => None,
        };
        self.until(handles, client).await
    }

    /// The connection that a request goes to, if it is to go to any.
    pub(crate) async fn to_ask(&self) -> Option<K::Client> {
        match self.while_disconnected {
            WhileDisconnected::Fail => self.live(),
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

    /// There is a connection.
    pub(crate) fn set_client(&self, client: K::Client) {
        self.change(handles, |state| state.client = Some(client));
    }

    /// There is none any more. What it knew of the server is known on.
    pub(super) fn take_client(&self) -> Option<K::Client> {
        if let Some(known) = self.client().and_then(|client| K::known_of(&client)) {
            self.know(known);
        }
        self.change(handles, |state| state.client.take())
    }

    /// Notes what is known of the server.
    pub(crate) fn know(&self, known: K::Known) {
        self.lock().known = known;
    }

    /// Waits for room. The update is there until it is taken.
    pub(crate) async fn hand_on(&self, update: K::Update) {
        if self.lock().queue.len() >= QUEUE {
            self.change(handles, |state| state.held_up = true);
            self.until(task, |state| (state.queue.len() < QUEUE).then_some(())).await;
        }
        self.change(handles, |state| {
            state.held_up = false;
            state.queue.push_back(Queued { update, kind: Kind::Kept });
        });
    }

    /// Tells that there is a connection, or none. Waits for nothing: in a full queue the update
    /// takes the place of those that nobody took and that it makes out of date.
    pub(crate) fn tell_connection(&self, update: K::Update) {
        self.tell_as(Kind::Connection, update, |kind| kind != Kind::Kept);
    }

    /// The same of how the server is; that there is a connection is not out of date for it.
    pub(crate) fn tell(&self, update: K::Update) {
        self.tell_as(Kind::Condition, update, |kind| kind == Kind::Condition);
    }

    /// The queue has room for what must be taken, and for one of either kind behind that.
    fn tell_as(&self, kind: Kind, update: K::Update, is_outdated: fn(Kind) -> bool) {
        self.change(handles, |state| {
            if state.queue.len() >= QUEUE {
                while state.queue.pop_back_if(|queued| is_outdated(queued.kind)).is_some() {}
            }
            state.queue.push_back(Queued { update, kind });
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::by_hand::Woken;

    /// A kind of client whose connections are flags: whether they are over.
    struct Fake;

    impl ClientKind for Fake {
        type Client = Arc<AtomicBool>;
        type Update = &'static str;
        type Failure = ();
        type Known = ();

        fn disconnected((): (), _: Option<std::time::Duration>) -> &'static str {
            "disconnected"
        }

        fn is_over(client: &Self::Client) -> bool {
            client.load(Ordering::SeqCst)
        }

        fn known_of(_: &Self::Client) -> Option<()> {
            None
        }

        async fn close(_: Self::Client) {}
    }

    fn shared() -> Shared<Fake> {
        Shared::new(WhileDisconnected::Wait)
    }

    fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn fill(shared: &Shared<Fake>) {
        for _ in 0..QUEUE {
            assert_eq!(poll(shared.hand_on("kept")), Poll::Ready(()));
        }
    }

    fn queued(shared: &Shared<Fake>) -> Vec<&'static str> {
        shared.lock().queue.iter().map(|queued| queued.update).collect()
    }

    #[test]
    fn an_outage_is_told_however_full_the_queue_is() {
        let shared = shared();
        fill(&shared);
        shared.tell_connection("disconnected");
        shared.tell_connection("connected");
        for status in ["one", "two"] {
            shared.tell(status);
            assert_eq!(queued(&shared)[QUEUE..], ["connected", status]);
        }
        shared.tell_connection("disconnected");
        assert_eq!(queued(&shared)[QUEUE..], ["disconnected"]);
    }

    #[test]
    fn a_connection_that_has_ended_is_none_unless_nobody_takes_what_it_told() {
        let shared = shared();
        let old = Arc::new(AtomicBool::new(true));
        shared.set_client(old.clone());
        assert!(shared.live().is_none());
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        let mut connected = pin!(shared.connected());
        assert!(connected.as_mut().poll(&mut cx).is_pending());
        fill(&shared);
        assert!(connected.as_mut().poll(&mut cx).is_pending(), "nothing waits for room");
        woken.take();
        // who waits for the connection may be who is to take that
        let mut held = pin!(shared.hand_on("one more"));
        assert!(held.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(woken.take(), "it is woken for that");
        assert!(connected.as_mut().poll(&mut cx).is_ready());
        assert!(matches!(poll(shared.next()), Poll::Ready(Ok("kept"))));
        assert!(held.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        assert!(poll(shared.connected()).is_pending());
        shared.set_client(Arc::default());
        assert!(poll(shared.connected()).is_ready());
    }
}
