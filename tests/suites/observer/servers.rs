//! Event servers under a monitor, with disks that fail and others that have lost theirs.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hat_aio::eventer::{
    ConnectOptions, ConnectionInfo, Handler, ListenOptions, Notification, connect, listen,
};
use hat_core::eventer::{
    Event, EventId, EventType, QueryParams, QueryResult, RegisterEvent, ServerParams, Status,
    Timestamp,
};
use hat_server::redundancy::{MirrorReport, MonitorOptions};
use hat_server::store::memory::Config;
use hat_server::store::{
    Answer, Health, Last, MemoryStore, Numbering, QueryError, Session, Stats, Store, StoreError,
    Sync,
};
use hat_server::{EventServer, Notify, Options};
use hat_tests::hurried::Hurried;
use hat_tests::monitor::Monitor;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};

type May = Box<dyn Fn(&[Arc<Session>]) -> Result<(), StoreError> + Send + std::marker::Sync>;

/// A store that asks before it applies anything.
struct Asking {
    store: MemoryStore,
    may: May,
}

impl Store for Asking {
    fn apply(
        &self,
        sessions: &[Arc<Session>],
        reserve: &[(i64, i64)],
        sync: Sync,
    ) -> Result<(), StoreError> {
        (self.may)(sessions)?;
        self.store.apply(sessions, reserve, sync)
    }

    fn apply_marked(
        &self,
        sessions: &[Arc<Session>],
        server_id: i64,
        mark: Bytes,
        sync: Sync,
    ) -> Result<(), StoreError> {
        self.store.apply_marked(sessions, server_id, mark, sync)
    }

    fn mark(&self, server_id: i64) -> Result<Option<Bytes>, StoreError> {
        self.store.mark(server_id)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.store.recover()
    }

    fn query(&self, params: &QueryParams) -> Result<Answer, QueryError> {
        self.store.query(params)
    }

    fn last(&self, server_id: i64) -> Result<Last, StoreError> {
        self.store.last(server_id)
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.store.stats()
    }

    fn tidy(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.store.tidy(now)
    }

    fn is_in_memory(&self) -> bool {
        // it may fail, and block
        false
    }
}

fn no_room() -> StoreError {
    StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()))
}

fn memory() -> MemoryStore {
    MemoryStore::new(Config::new(1))
}

fn options(server_id: i64) -> Options {
    let local: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    Options { name: format!("server-{server_id}"), ..Options::new(local, server_id) }
}

/// One of the group, which waits for nobody that it does not see.
fn under(monitor: &Monitor, server_id: i64) -> Options {
    let monitor = MonitorOptions {
        retry: Duration::from_millis(5),
        grace: Duration::ZERO,
        ..MonitorOptions::new(monitor.address(), "event")
    };
    Options { monitor: Some(monitor), ..options(server_id) }
}

fn event(event_type: &str) -> RegisterEvent {
    RegisterEvent::new(EventType::from(event_type))
}

async fn until<R: TestRuntime>(is: impl Fn() -> bool) {
    while !is() {
        sleep::<R>(Duration::from_millis(5)).await;
    }
}

/// Waits until the copy of the events of server 1 is like that.
async fn mirrored<R: TestRuntime>(server: &EventServer, is: impl Fn(&MirrorReport) -> bool) {
    while !server.handle().report().await.mirrors.iter().any(&is) {
        sleep::<R>(Duration::from_millis(5)).await;
    }
}

on_every_runtime! {
    /// The other server goes on without the monitor, say. It is seen, and asked, and what it tells
    /// cannot be written here: that makes it no less active.
    async fn whose_own_disk_fails_does_not_start_beside_another<R>() {
        let monitor = Monitor::start::<R>().await;
        let other = EventServer::start::<R>(options(1), Arc::new(memory())).await.expect("it starts");
        monitor.show(1, 1, other.addresses()[0]);
        monitor.bless("server-2");
        static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
        let before = ATTEMPTS.load(Ordering::SeqCst);
        let may = |sessions: &[Arc<Session>]| {
            if sessions.iter().all(|session| session.server_id() != 1) {
                return Ok(());
            }
            ATTEMPTS.fetch_add(1, Ordering::SeqCst);
            Err(StoreError::Failed(Arc::new(std::io::Error::other("the disk is broken"))))
        };
        let store = Arc::new(Asking { store: memory(), may: Box::new(may) });
        let server = EventServer::start::<R>(under(&monitor, 2), store).await.expect("it starts");
        while ATTEMPTS.load(Ordering::SeqCst) < before + 5 {
            assert_eq!(server.status(), Status::Standby, "beside one that is operational");
            sleep::<R>(Duration::from_millis(1)).await;
        }
        // once the other is gone, it is another matter
        other.stop().await.expect("in memory");
        until::<R>(|| server.status() == Status::Operational).await;
    }

    /// A deployed server counts sessions from 1 in a new store: what it registers there has ids
    /// that other events have here. It was passed over without a word, and the copy said to be
    /// whole.
    async fn ids_that_are_given_again_are_told<R>() {
        let monitor = Monitor::start::<R>().await;
        let mut anew = options(1);
        anew.log.numbering = Numbering::Stored;
        let other = EventServer::start::<R>(anew, Arc::new(memory())).await.expect("it starts");
        monitor.show(1, 1, other.addresses()[0]);
        let store = memory();
        let before = Event {
            id: EventId::new(1, 1_000, 1),
            event_type: EventType::from("a"),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: None,
        };
        let before = Session::new(vec![before]).expect("one event");
        store.apply(&[Arc::new(before)], &[], Sync::Now).expect("in memory");
        let server = EventServer::start::<R>(under(&monitor, 2), Arc::new(store)).await;
        let server = server.expect("it starts");
        mirrored::<R>(&server, |mirror| mirror.connected).await;
        other.handle().register(vec![event("b")]).await.expect("operational");
        mirrored::<R>(&server, |mirror| mirror.given_again > 0 && !mirror.synced).await;
    }

    /// A disk that hangs is given up after half a minute, also by what the server registers itself
    /// when it ends.
    async fn a_server_whose_disk_hangs_ends<R>() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (released, hangs) = (Mutex::new(released), Arc::new(AtomicBool::new(false)));
        let (waits, is_waiting) = (hangs.clone(), Arc::new(AtomicBool::new(false)));
        let seen = is_waiting.clone();
        let may = move |_: &[Arc<Session>]| {
            if waits.load(Ordering::SeqCst) {
                is_waiting.store(true, Ordering::SeqCst);
                // ends when it is released
                let _ = released.lock().expect("no panic").recv();
            }
            Ok(())
        };
        let store = Arc::new(Asking { store: memory(), may: Box::new(may) });
        let server = EventServer::start::<Hurried<R>>(options(1), store).await.expect("it starts");
        let at = server.addresses()[0];
        let client = connect::<R>(at, "client", ConnectOptions::default()).await.expect("a client");
        hangs.store(true, Ordering::SeqCst);
        let handle = server.handle();
        R::spawn(async move {
            let _ = handle.register(vec![event("a")]).await;
        });
        until::<R>(|| seen.load(Ordering::SeqCst)).await;
        // what clients wait for is in the hands of the disk, too
        R::spawn(async move {
            let _ = client.register_with_response(&[event("b")]).await;
        });
        R::spawn(async move {
            let _ = connect::<R>(at, "late", ConnectOptions::default()).await;
        });
        until::<R>(|| server.handle().log_counts().waiting == 2).await;
        let stopped = within::<R, _>(Duration::from_secs(100), server.stop()).await;
        drop(release);
        stopped.expect("it ends").expect_err("what was registered is not on the disk");
    }

    /// What could not be registered was refused, and nothing that was acknowledged is missing.
    async fn a_server_whose_disk_is_full_ends_well<R>() {
        let is_full = Arc::new(AtomicBool::new(false));
        let full = is_full.clone();
        let may = move |_: &[Arc<Session>]| match full.load(Ordering::SeqCst) {
            true => Err(no_room()),
            false => Ok(()),
        };
        let store = Arc::new(Asking { store: memory(), may: Box::new(may) });
        let server = EventServer::start::<R>(options(1), store).await.expect("it starts");
        server.handle().register(vec![event("a")]).await.expect("there is room");
        is_full.store(true, Ordering::SeqCst);
        server.handle().register(vec![event("b")]).await.expect_err("there is none");
        assert!(matches!(server.health(), Health::Failing(_)));
        server.stop().await.expect("nothing is lost");
    }

    /// Another one of the group is ready: it is blessed, and works. Where none is, whoever works
    /// stays, whatever its disk does.
    async fn whose_disk_fails_hands_over_where_another_is_ready<R>() {
        let monitor = Monitor::start::<R>().await;
        monitor.bless_one();
        let [first_full, second_full] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let start = async |server_id, full: &Arc<AtomicBool>| {
            let full = full.clone();
            let may = move |_: &[Arc<Session>]| match full.load(Ordering::SeqCst) {
                true => Err(no_room()),
                false => Ok(()),
            };
            let store = Arc::new(Asking { store: memory(), may: Box::new(may) });
            let mut options = under(&monitor, server_id);
            options.monitor.as_mut().expect("a group").withdraw_after = Some(Duration::from_millis(1));
            EventServer::start::<R>(options, store).await.expect("it starts")
        };
        let first = start(1, &first_full).await;
        until::<R>(|| first.status() == Status::Operational).await;
        first_full.store(true, Ordering::SeqCst);
        first.handle().register(vec![event("a")]).await.expect_err("no room");
        // nobody is better
        sleep::<R>(Duration::from_millis(1_500)).await;
        assert_eq!(first.status(), Status::Operational);
        let second = start(2, &second_full).await;
        until::<R>(|| second.status() == Status::Operational).await;
        assert_eq!(first.status(), Status::Standby);
        second.handle().register(vec![event("b")]).await.expect("there is room");
        second_full.store(true, Ordering::SeqCst);
        second.handle().register(vec![event("c")]).await.expect_err("no room");
        // nor is it here: the first one has not found room meanwhile
        sleep::<R>(Duration::from_millis(1_500)).await;
        assert_eq!(second.status(), Status::Operational);
        // it is needed when the other is gone, and takes the blessing
        second.stop().await.expect("nothing is lost");
        until::<R>(|| first.status() == Status::Operational).await;
        first_full.store(false, Ordering::SeqCst);
        until::<R>(|| matches!(first.health(), Health::Good)).await;
        first.handle().register(vec![event("d")]).await.expect("there is room");
    }

    /// A standby without room tries again and again. Each attempt began with a connection, and with
    /// events of it in the other's history; and its own subscribers were told the same at each.
    async fn a_standby_without_room_writes_nothing_elsewhere_and_tells_once<R>() {
        let monitor = Monitor::start::<R>().await;
        let other = EventServer::start::<R>(options(1), Arc::new(memory())).await.expect("it starts");
        monitor.show(1, 1, other.addresses()[0]);
        monitor.bless("server-1");
        let (is_full, attempts) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let (full, counted) = (is_full.clone(), attempts.clone());
        let may = move |sessions: &[Arc<Session>]| {
            let copies = sessions.iter().any(|session| session.server_id() == 1);
            if !copies || !full.load(Ordering::SeqCst) {
                return Ok(());
            }
            counted.fetch_add(1, Ordering::SeqCst);
            Err(no_room())
        };
        let store = Arc::new(Asking { store: memory(), may: Box::new(may) });
        let options = Options { notify: Notify::Early, ..under(&monitor, 2) };
        let server = EventServer::start::<R>(options, store).await.expect("it starts");
        let subscribed =
            ConnectOptions { subscriptions: vec!["*".into()], ..ConnectOptions::default() };
        let client = connect::<R>(server.addresses()[0], "client", subscribed).await;
        let client = client.expect("a client");
        until::<R>(|| attempts.load(Ordering::SeqCst) > 5).await;
        let own = |all: &[Event]| {
            let own = [
                EventType::from("event/2/synced/1"),
                EventType::from_segments(["event", "1", "eventer", "event/server-2"]),
            ];
            all.iter().filter(|it| own.contains(&it.event_type)).count()
        };
        let params = ServerParams { server_id: 1, ..ServerParams::default() };
        let params = QueryParams::Server(params);
        let history = other.handle().query(params.clone()).await.expect("an answer").events;
        // connected, and the two states of the copy before it is whole
        assert_eq!(own(&history), 3);
        is_full.store(false, Ordering::SeqCst);
        mirrored::<R>(&server, |mirror| mirror.synced).await;
        // that it is whole is told there, too, and follows the rest here
        let history = loop {
            let answer = other.handle().query(params.clone()).await.expect("an answer");
            if own(&answer.events) > 3 {
                break answer.events;
            }
            sleep::<R>(Duration::from_millis(1)).await;
        };
        let mut told: Vec<EventId> = Vec::new();
        while told.last() != history.last().map(|event| &event.id) {
            if let Notification::Events(events) = client.next().await.expect("a connection") {
                let of_it = events.into_vec().into_iter().map(|event| event.id);
                told.extend(of_it.filter(|id| id.server == 1));
            }
        }
        assert!(told.is_sorted_by(|one, next| one < next), "each once: {told:?}");
        assert_eq!(own(&history), 4);
    }

    /// What is told of who stops is known also where what came before it cannot be written: nobody
    /// says it again, and none of the two would be active.
    async fn who_stops_is_known_although_its_last_events_find_no_room<R>() {
        let monitor = Monitor::start::<R>().await;
        monitor.bless("server-1");
        let first = EventServer::start::<R>(under(&monitor, 1), Arc::new(memory())).await;
        let first = first.expect("it starts");
        until::<R>(|| first.status() == Status::Operational).await;
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Mutex::new(released);
        let [is_full, is_waiting] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (full, waits) = (is_full.clone(), is_waiting.clone());
        let may = move |sessions: &[Arc<Session>]| {
            let copies = sessions.iter().any(|session| session.server_id() == 1);
            if !copies || !full.load(Ordering::SeqCst) {
                return Ok(());
            }
            waits.store(true, Ordering::SeqCst);
            // at once where it was released
            let _ = released.lock().expect("no panic").recv();
            Err(no_room())
        };
        let store = Arc::new(Asking { store: memory(), may: Box::new(may) });
        let mut options = under(&monitor, 2);
        // it is blessed although its disk is full
        options.monitor.as_mut().expect("a group").withdraw_after = None;
        let second = EventServer::start::<R>(options, store).await.expect("it starts");
        mirrored::<R>(&second, |mirror| mirror.synced).await;
        is_full.store(true, Ordering::SeqCst);
        first.handle().register(vec![event("a")]).await.expect("operational");
        until::<R>(|| is_waiting.load(Ordering::SeqCst)).await;
        monitor.bless("server-2");
        until::<R>(|| first.status() == Status::Standby).await;
        // mostly it has come by then, behind what is being written
        sleep::<R>(Duration::from_millis(50)).await;
        drop(release);
        until::<R>(|| second.status() == Status::Operational).await;
    }

    /// A server whose events cannot be copied is active all the same, and each attempt on a new
    /// connection would be in its history.
    async fn whose_events_are_out_of_order_is_asked_again_and_not_left<R>() {
        #[derive(Clone, Default)]
        struct Disordered(Arc<[AtomicUsize; 2]>);

        impl Handler for Disordered {
            async fn connected(&self, _: &ConnectionInfo) -> Result<(), String> {
                self.0[0].fetch_add(1, Ordering::SeqCst);
                Ok(())
            }

            async fn query(&self, _: &ConnectionInfo, _: QueryParams) -> QueryResult {
                self.0[1].fetch_add(1, Ordering::SeqCst);
                let event = |session| Event {
                    id: EventId::new(1, session, 1),
                    event_type: EventType::from("a"),
                    timestamp: Timestamp::from_secs(1),
                    source_timestamp: None,
                    payload: None,
                };
                QueryResult { events: vec![event(2), event(1)], more_follows: false }
            }
        }

        let monitor = Monitor::start::<R>().await;
        let counts = Disordered::default();
        let active = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
        let local: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let other = listen::<R>(local, counts.clone(), active).await.expect("it listens");
        monitor.show(1, 1, other.addresses()[0]);
        monitor.bless("server-2");
        let server = EventServer::start::<R>(under(&monitor, 2), Arc::new(memory())).await;
        let server = server.expect("it starts");
        while counts.0[1].load(Ordering::SeqCst) < 5 {
            assert_eq!(server.status(), Status::Standby, "beside one that is operational");
            sleep::<R>(Duration::from_millis(1)).await;
        }
        assert_eq!(counts.0[0].load(Ordering::SeqCst), 1, "connections");
        other.close().await;
        until::<R>(|| server.status() == Status::Operational).await;
    }
}
