//! A copy of another server's events: first what is missing here, then what it tells.
//!
//! ```text
//! connect, with a subscription to all that is persisted
//!   ├─ CONNECTED   ask for the events after our last one, page by page; what is told now waits
//!   ├─ SYNCING     … where there are any
//!   └─ SYNCED      what waited, then what is told
//! ```
//!
//! One write to the store is under way at a time, and what comes meanwhile is in the next: a
//! session that could not be written is followed by none, or the copy would have a hole that nobody
//! ever fills. It is asked for again after a pause, on the same connection: a new one would be in
//! the other's history each time. An event whose id is that of another one here is not copied, and
//! that is told.

use std::sync::Arc;
use std::time::Duration;

use hat_aio::eventer::{Client, ConnectError, ConnectOptions, Notification, RequestError, connect};
use hat_aio::runtime::sleep;
use hat_aio::tls::Connector;
use hat_aio::{Address, Runtime, SocketOptions};
use hat_core::eventer::{Event, EventId, EventType, QueryParams, ServerParams, Status};
use smol::channel::Receiver;
use smol::future::or;
use tracing::{debug, info, warn};

use super::ServerIdentity;
use super::mirrors::Shared;
use super::others::Other;
use super::report::{MirrorReport, PendingWrite};
use super::waiting::{Waiting, WaitingLimits};
use crate::builtin::{self, SyncState};
use crate::engine::Engine;
use crate::engine_handle::EngineHandle;
use crate::module::Source;
use crate::store::{AppendError, Last, Pending, Session, StoreError};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest pause between two attempts to copy: with room on the disk again, the copy is up to
/// date after that.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What every mirror needs.
#[derive(Clone)]
pub(crate) struct Mirror {
    pub(crate) who: Arc<ServerIdentity>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) handle: EngineHandle,
    pub(crate) tls: Option<Connector>,
    pub(crate) retry: Duration,
    pub(crate) waiting: WaitingLimits,
}

/// Why a connection to another server is over.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Ended(#[from] hat_aio::eventer::Error),
    #[error("the copy cannot be written: {0}")]
    Write(#[from] AppendError),
    #[error("the copy cannot be read: {0}")]
    Read(#[from] StoreError),
    #[error("it {0}")]
    Page(#[from] PageFault),
}

/// Why a page of another server's events cannot be copied.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PageFault {
    #[error("says that more events follow, but sends only known ones")]
    NoProgress,
    #[error("sends {1:?} after {0:?}: events that are out of order cannot be copied")]
    Disorder(EventId, EventId),
}

impl Error {
    /// Only the copy cannot go on: the connection can, and what the other server says of itself
    /// holds.
    fn is_of_copy(&self) -> bool {
        matches!(self, Self::Write(_) | Self::Read(_) | Self::Page(_))
    }
}

/// What there is to do next while the copy is up to date.
enum Next {
    Notification(Result<Notification, hat_aio::eventer::Error>),
    Written(Result<(), AppendError>),
}

impl Mirror {
    /// Mirrors `other` for as long as it is wanted.
    pub(super) async fn run<R: Runtime>(
        self,
        other: Other,
        shared: &Shared,
        stopping: Receiver<()>,
    ) {
        let mut failed = String::new();
        loop {
            let connection = async {
                let (ended, was_synced) = self.connection::<R>(&other, shared).await;
                shared.set_status(&other, None);
                self.is_gone(&other);
                if was_synced {
                    failed.clear();
                }
                self.say(&other, &ended, &mut failed);
                sleep::<R>(self.retry).await;
                false
            };
            let stopped = async {
                // closed, never sent to
                let _ = stopping.recv().await;
                true
            };
            if or(stopped, connection).await {
                shared.set_status(&other, None);
                return;
            }
            if shared.leave(&other) {
                // where it is shown again, somebody else asks it by now
                return;
            }
        }
    }

    /// There is no connection to `other`.
    pub(super) fn is_gone(&self, other: &Other) {
        if other.is_copied {
            let gone = |it: &mut MirrorReport| (it.connected, it.synced) = (false, false);
            self.handle.mirrors().change(other.server_id, gone);
        }
    }

    /// Says why there is no copy, or nothing is known. The same reason again and again is said
    /// once.
    fn say(&self, other: &Other, error: &Error, said: &mut String) {
        let reason = error.to_string();
        if *said == reason {
            return;
        }
        let (server_id, host, port) = (other.server_id, &*other.host, other.port);
        match other.is_copied {
            false if self.who.is_node => warn!(host, port, reason, "cannot watch another node"),
            false => warn!(server_id, host, port, reason, "cannot watch another server"),
            true => warn!(server_id, host, port, reason, "cannot mirror another server"),
        }
        *said = reason;
    }

    /// A connection to `other`, from its beginning to its end. Gives why it ended, and whether all
    /// was here, or it was watched.
    async fn connection<R: Runtime>(&self, other: &Other, shared: &Shared) -> (Error, bool) {
        if !other.is_copied {
            let mut watched = false;
            let Err(error) = self.watch::<R>(other, shared, &mut watched).await;
            return (error, watched);
        }
        let mut copy = match self.connect::<R>(other, shared).await {
            Ok(copy) => copy,
            Err(error) => return (error, false),
        };
        let Err(error) = copy.run::<R>().await;
        (error, matches!(copy.synced, Some(SyncState::Synced(_))))
    }

    /// Only the status of `other`: a node, which has the same events, or one whose events cannot be
    /// copied.
    async fn watch<R: Runtime>(
        &self,
        other: &Other,
        shared: &Shared,
        watched: &mut bool,
    ) -> Result<std::convert::Infallible, Error> {
        let client = self.client::<R>(other, Vec::new()).await?;
        *watched = true;
        shared.set_status(other, Some(client.status()));
        let (host, port) = (&*other.host, other.port);
        info!(host, port, status = %client.status(), "watching another server");
        loop {
            if let Notification::Status(status) = client.next().await? {
                shared.set_status(other, Some(status));
            }
        }
    }

    async fn client<R: Runtime>(
        &self,
        other: &Other,
        subscriptions: Vec<EventType>,
    ) -> Result<Client, Error> {
        let options = ConnectOptions {
            token: self.who.token.clone().map(Into::into),
            subscriptions,
            server_id: Some(other.server_id),
            persisted: true,
            socket: SocketOptions { connect_timeout: CONNECT, ..SocketOptions::default() },
            tls: self.tls.clone(),
            ..ConnectOptions::default()
        };
        let address = Address::new(other.host.clone(), other.port);
        let address = if self.tls.is_some() { address.with_tls() } else { address };
        Ok(connect::<R>(address, format!("event/{}", self.who.name), options).await?)
    }

    async fn connect<'a, R: Runtime>(
        &'a self,
        other: &'a Other,
        shared: &'a Shared,
    ) -> Result<Copy<'a>, Error> {
        let client = self.client::<R>(other, vec!["*".into()]).await?;
        shared.set_status(other, Some(client.status()));
        info!(
            server_id = other.server_id,
            host = other.host,
            port = other.port,
            "mirroring another server"
        );
        let copy = Copy {
            mirror: self,
            other,
            shared,
            client,
            waiting: Waiting::new(self.waiting),
            lost: false,
            had: Last::default(),
            last: EventId::default(),
            given_again: false,
            under_way: None,
            writing: None,
            asked: 0,
            synced: None,
        };
        copy.report(|report| report.connected = true);
        Ok(copy)
    }
}

/// A connection to another server.
struct Copy<'a> {
    mirror: &'a Mirror,
    other: &'a Other,
    shared: &'a Shared,
    client: Client,
    /// Events that were told and are not being written yet, in order.
    waiting: Waiting,
    /// Events that were told while it was asked for others were too many, and were dropped: it must
    /// be asked for them.
    lost: bool,
    /// The last event that was here when the connection began.
    had: Last,
    /// The last event that is written, or being written.
    last: EventId,
    /// The other server has given ids that it had given before.
    given_again: bool,
    /// What is being written.
    under_way: Option<PendingWrite>,
    /// It, where it is of what was asked for.
    writing: Option<Pending>,
    /// Events that were asked for and written, on this connection.
    asked: u64,
    /// What was told of the state last.
    synced: Option<SyncState>,
}

impl Copy<'_> {
    /// Runs until the connection ends. A copy that cannot be written is begun again behind what is
    /// written.
    async fn run<R: Runtime>(&mut self) -> Result<std::convert::Infallible, Error> {
        let (mut pause, mut said) = (self.mirror.retry, String::new());
        loop {
            let begun = R::now();
            let Err(error) = self.copy::<R>().await;
            if !error.is_of_copy() {
                return Err(error);
            }
            // one that went well for long
            if R::now().saturating_duration_since(begun) > LONGEST_PAUSE {
                (pause, said) = (self.mirror.retry, String::new());
            }
            self.mirror.say(self.other, &error, &mut said);
            self.mirror.handle.mirrors().unsynced(self.other.server_id);
            if let Some(SyncState::Synced(_)) = self.synced {
                self.tell(SyncState::Syncing).await?;
            }
            self.rest::<R>(pause).await?;
            pause = (pause * 2).min(LONGEST_PAUSE.max(self.mirror.retry));
        }
    }

    async fn copy<R: Runtime>(&mut self) -> Result<std::convert::Infallible, Error> {
        let caught_up = self.catch_up::<R>().await;
        // however it ended: what is being written would be asked for again, and told twice
        let settled = self.settle().await;
        caught_up?;
        settled?;
        self.follow().await
    }

    /// Waits for so long. What is told meanwhile is stored there, and asked for after that.
    async fn rest<R: Runtime>(&mut self, time: Duration) -> Result<(), Error> {
        let mut rested = std::pin::pin!(sleep::<R>(time));
        loop {
            let rested = async {
                rested.as_mut().await;
                None
            };
            let told = async { Some(self.client.next().await) };
            match or(rested, told).await {
                None => return Ok(()),
                Some(Ok(Notification::Events(events))) => {
                    self.told(events.into_vec());
                    self.waiting.take();
                }
                Some(Ok(Notification::Status(status))) => self.status(status).await?,
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Asks for what is missing, until nothing is.
    async fn catch_up<R: Runtime>(&mut self) -> Result<(), Error> {
        let (store, server_id) = (self.mirror.handle.store().clone(), self.other.server_id);
        let last = R::unblock(move || store.last(server_id)).await;
        let last = last.map_err(|_| StoreError::Closed)??;
        self.last = last.id;
        // what was told before this is stored there
        self.waiting.take();
        if self.synced.is_none() {
            self.had = last;
            self.tell(SyncState::Connected).await?;
        }
        let mut held = Waiting::new(self.mirror.waiting);
        let mut asked_after = self.last;
        loop {
            self.lost = false;
            let params = ServerParams {
                server_id,
                persisted: true,
                last_event_id: (asked_after.session > 0).then_some(asked_after),
                ..ServerParams::default()
            };
            let (page, more) = self.ask(QueryParams::Server(params)).await?;
            check(&page, more, asked_after)?;
            if !page.is_empty() && !matches!(self.synced, Some(SyncState::Syncing)) {
                self.tell(SyncState::Syncing).await?;
            }
            asked_after = page.last().map_or(asked_after, |event| event.id);
            held.extend(page);
            // the last session may go on in the next page
            let whole = if more { held.take_whole() } else { held.take() };
            self.settle().await?;
            self.writing = self.write(whole);
            if !more && !self.lost {
                break;
            }
        }
        self.settle().await?;
        self.report(|report| report.synced = true);
        self.note_given_again();
        let events = self.asked;
        info!(server_id, events, "all events of another server have been copied");
        self.tell(SyncState::Synced(Some(events))).await
    }

    /// Waits until what was asked for and is being written is stored.
    async fn settle(&mut self) -> Result<(), Error> {
        if let Some(writing) = self.writing.take() {
            writing.await?;
            self.asked += self.under_way.map_or(0, |write| write.events);
            self.written();
        }
        Ok(())
    }

    /// Writes what is told. Only the end of the connection, or of the disk, ends it.
    async fn follow(&mut self) -> Result<std::convert::Infallible, Error> {
        let mut writing: Option<Pending> = None;
        loop {
            if writing.is_none() {
                let events = self.waiting.take();
                writing = self.write(events);
            }
            let written = async {
                match &mut writing {
                    Some(pending) => Next::Written(pending.await.map(drop)),
                    None => std::future::pending().await,
                }
            };
            let told = async {
                if self.waiting.is_full() {
                    std::future::pending::<()>().await;
                }
                Next::Notification(self.client.next().await)
            };
            match or(written, told).await {
                Next::Written(written) => {
                    writing = None;
                    written?;
                    self.written();
                }
                Next::Notification(Ok(Notification::Events(events))) => {
                    self.told(events.into_vec());
                    self.note_given_again();
                }
                Next::Notification(Ok(Notification::Status(status))) => {
                    // it counts once what was told before it is here; where that cannot be written,
                    // at once: nobody says it again
                    let written = self.write_all(writing.take()).await;
                    self.status(status).await?;
                    written?;
                }
                Next::Notification(Err(error)) => {
                    self.write_all(writing.take()).await?;
                    return Err(error.into());
                }
            }
        }
    }

    async fn write_all(&mut self, writing: Option<Pending>) -> Result<(), Error> {
        if let Some(writing) = writing {
            writing.await?;
            self.written();
        }
        let events = self.waiting.take();
        if let Some(writing) = self.write(events) {
            writing.await?;
            self.written();
        }
        Ok(())
    }

    /// Begins to write what of `events` is new.
    fn write(&mut self, events: Vec<Event>) -> Option<Pending> {
        let mut last = self.last;
        let fresh = |event: &Event| {
            let fresh = event.id.server == self.other.server_id && event.id > last;
            if fresh {
                last = event.id;
            }
            fresh
        };
        let events: Vec<Event> = events.into_iter().filter(fresh).collect();
        self.last = last;
        let (count, newest) = (events.len() as u64, events.last().map(|event| event.timestamp));
        self.under_way = newest.map(|last| PendingWrite { events: count, last });
        let sessions = sessions(events);
        (!sessions.is_empty()).then(|| self.mirror.handle.log().mirror(sessions))
    }

    /// Events that were told wait to be written.
    ///
    /// What is told is newer than all that was here before: if its ids are not, the other server
    /// has lost its store and counts anew, and what has the same ids as other events cannot be
    /// kept beside them.
    fn told(&mut self, events: Vec<Event>) {
        let had = self.had;
        let is_given_again =
            |event: &Event| event.id <= had.id && Some(event.timestamp) > had.timestamp;
        let of_it = events.iter().filter(|event| event.id.server == self.other.server_id);
        let count = of_it.filter(|event| is_given_again(event)).count() as u64;
        self.given_again |= count > 0;
        self.report(|report| report.given_again += count);
        self.waiting.extend(events);
    }

    /// Says once a connection that events are missing here for good.
    fn note_given_again(&mut self) {
        if self.given_again && self.mirror.handle.mirrors().unsynced(self.other.server_id) {
            warn!(
                server_id = self.other.server_id,
                host = self.other.host,
                port = self.other.port,
                "another server has lost its store, and reuses ids that other events have here: \
                 its new events are not copied; give it a new server id"
            );
        }
    }

    /// What was being written is stored.
    fn written(&mut self) {
        if let Some(under_way) = self.under_way.take() {
            self.report(|report| under_way.stored(report));
        }
    }

    fn report(&self, change: impl FnOnce(&mut MirrorReport)) {
        self.mirror.handle.mirrors().change(self.other.server_id, change);
    }

    /// Asks for events, and takes what is told meanwhile: the connection would be held up.
    async fn ask(&mut self, params: QueryParams) -> Result<(Vec<Event>, bool), Error> {
        let client = self.client.clone();
        let mut query = std::pin::pin!(client.query(&params));
        loop {
            let answer = async { Err((&mut query).await) };
            let told = async { Ok(client.next().await) };
            match or(answer, told).await {
                Err(answer) => {
                    let answer = answer?;
                    return Ok((answer.events, answer.more_follows));
                }
                Ok(Ok(Notification::Events(events))) => {
                    self.told(events.into_vec());
                    if self.waiting.is_full() {
                        // they are stored there, or they were not told: they can be asked for
                        self.waiting.take();
                        self.lost = true;
                    }
                }
                Ok(Ok(Notification::Status(status))) => self.status(status).await?,
                Ok(Err(error)) => return Err(error.into()),
            }
        }
    }

    async fn status(&mut self, status: Status) -> Result<(), Error> {
        debug!(server_id = self.other.server_id, %status, "another server's status");
        if status == Status::Operational
            && let Some(synced) = self.synced
        {
            let again = match synced {
                SyncState::Synced(_) => SyncState::Synced(None),
                synced => synced,
            };
            self.tell_there(again).await?;
        }
        self.shared.set_status(self.other, Some(status));
        Ok(())
    }

    /// Tells how far the copy is: there and here.
    async fn tell(&mut self, synced: SyncState) -> Result<(), Error> {
        self.synced = Some(synced);
        self.tell_there(synced).await?;
        let event = self.event(synced);
        self.mirror.engine.register_own(Source::Server, event).await;
        Ok(())
    }

    async fn tell_there(&self, synced: SyncState) -> Result<(), Error> {
        Ok(self.client.register(&[self.event(synced)]).await?)
    }

    fn event(&self, synced: SyncState) -> hat_core::eventer::RegisterEvent {
        builtin::synced(self.mirror.who.server_id, self.other.server_id, synced)
    }
}

/// Whether a page goes on behind what was asked after, in order: one that does not would be asked
/// for again without an end, and what is out of order would be passed over as known.
pub(super) fn check(page: &[Event], more: bool, asked_after: EventId) -> Result<(), PageFault> {
    let disorder = page.windows(2).find(|two| two[1].id < two[0].id);
    if let Some(two) = disorder {
        return Err(PageFault::Disorder(two[0].id, two[1].id));
    }
    if more && page.last().is_none_or(|last| last.id <= asked_after) {
        return Err(PageFault::NoProgress);
    }
    Ok(())
}

/// `events` as sessions. What no server of this kind registers is left out, and told in the log.
fn sessions(events: Vec<Event>) -> Vec<Session> {
    let same = |one: &Event, other: &Event| {
        one.id.session == other.id.session && one.timestamp == other.timestamp
    };
    let of_sessions = events.chunk_by(same).map(|events| Session::new(events.to_vec()));
    let taken = of_sessions.filter_map(|session| {
        session
            .inspect_err(|error| warn!(%error, "another server has events that cannot be copied"))
            .ok()
    });
    taken.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventType, Timestamp};

    fn event(session: i64, instance: i64) -> Event {
        Event {
            id: EventId::new(2, session, instance),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(session),
            source_timestamp: None,
            payload: None,
        }
    }

    #[test]
    fn a_page_that_leads_nowhere_is_not_asked_for_again() {
        let after = EventId::new(2, 1, 2);
        let page = [event(1, 3), event(2, 1)];
        assert!(check(&page, true, after).is_ok() && check(&[], false, after).is_ok());
        assert!(matches!(check(&[], true, after), Err(PageFault::NoProgress)));
        // the same again, as a server does that does not know the id
        assert!(matches!(
            check(&[event(1, 1), after_it()], true, after),
            Err(PageFault::NoProgress)
        ));
        assert!(check(&[event(1, 1), after_it()], false, after).is_ok(), "known, and no more");
        let back = [event(2, 1), event(1, 3)];
        assert!(matches!(check(&back, false, after), Err(PageFault::Disorder(..))));
    }

    fn after_it() -> Event {
        event(1, 2)
    }

    #[test]
    fn events_become_their_sessions() {
        let sessions = sessions(vec![event(1, 1), event(1, 2), event(3, 1), event(0, 1)]);
        let shown: Vec<_> = sessions.iter().map(|it| (it.number(), it.events().len())).collect();
        assert_eq!(shown, [(1, 2), (3, 1)], "session 0 is none");
    }
}
