//! An event client and an event server, on every runtime.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hat_aio::SocketOptions;
use hat_aio::chatter;
use hat_aio::eventer::{
    Client, ConnectError, ConnectOptions, ConnectionInfo, Handler, ListenOptions, Notification,
    Notifier, RequestError, Server, connect, listen, listen_with,
};
use hat_core::chatter::Data;
use hat_core::eventer::message::{self, InitReq, RegisterRes};
use hat_core::eventer::{
    Error, Event, EventId, EventType, Json, LatestParams, Payload, QueryParams, QueryResult,
    RegisterEvent, Status, Timestamp,
};
use hat_core::sbs;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};
use smol::channel::{Receiver, bounded};

use crate::local;

const SOON: Duration = Duration::from_millis(50);

/// Registers what it is given, and remembers it; refuses clients called `nobody`.
#[derive(Clone, Default)]
struct Store {
    events: Arc<Mutex<Vec<Event>>>,
    gone: Arc<AtomicUsize>,
}

impl Handler for Store {
    async fn connected(&self, info: &ConnectionInfo) -> Result<(), String> {
        if info.client_name == "nobody" { Err("nobody may not".into()) } else { Ok(()) }
    }

    async fn disconnected(&self, _info: &ConnectionInfo) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }

    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let mut stored = self.events.lock().expect("no panic");
        if events.iter().any(|it| it.event_type == event_type("refused")) {
            return None;
        }
        let session = stored.len() as i64 + 1;
        let register = |(instance, event): (i64, RegisterEvent)| Event {
            id: EventId::new(1, session, instance),
            event_type: event.event_type,
            timestamp: Timestamp::from_secs(session),
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        let events: Vec<_> = (1..).zip(events).map(register).collect();
        stored.extend(events.clone());
        Some(events)
    }

    async fn query(&self, _info: &ConnectionInfo, _params: QueryParams) -> QueryResult {
        let events = self.events.lock().expect("no panic").clone();
        QueryResult { events, more_follows: false }
    }
}

/// Tells what it registers to all clients.
struct Echo {
    store: Store,
    notifier: Notifier,
}

impl Handler for Echo {
    async fn register(
        &self,
        info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let events = self.store.register(info, events).await?;
        self.notifier.notify_events(&events, false, false).await;
        Some(events)
    }
}

fn event_type(text: &str) -> EventType {
    text.parse().expect("an event type")
}

fn event(name: &str, instance: i64, payload: Option<Payload>) -> Event {
    Event {
        id: EventId::new(1, 1, instance),
        event_type: event_type(name),
        timestamp: Timestamp::from_secs(instance),
        source_timestamp: None,
        payload,
    }
}

fn register_event(name: &str) -> RegisterEvent {
    RegisterEvent::new(event_type(name))
}

async fn server<R: TestRuntime>(store: &Store) -> Server {
    let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
    listen::<R>(local(), store.clone(), options).await.expect("listens")
}

async fn client<R: TestRuntime>(server: &Server, subscriptions: &[&str]) -> Client {
    let subscriptions = subscriptions.iter().map(|it| event_type(it)).collect();
    let options = ConnectOptions { subscriptions, ..ConnectOptions::default() };
    connect::<R>(server.addresses()[0], "client", options).await.expect("taken")
}

#[track_caller]
fn events(notification: Notification) -> Vec<Event> {
    match notification {
        Notification::Events(events) => events.into_vec(),
        Notification::Status(status) => panic!("not events: {status}"),
    }
}

/// Refuses everyone, with more words than a message may have.
#[derive(Clone)]
struct Wordy;

impl Handler for Wordy {
    async fn connected(&self, _: &ConnectionInfo) -> Result<(), String> {
        Err("no".repeat(10_000))
    }
}

on_every_runtime! {
    /// It would wait for ever, and hold its place.
    async fn a_client_that_cannot_be_told_why_is_closed<R>() {
        let mut options = ListenOptions::default();
        options.config.chatter.max_message = 10_000;
        let server = listen::<R>(local(), Wordy, options).await.expect("listens");
        let refused = connect::<R>(server.addresses()[0], "client", ConnectOptions::default()).await;
        let error = refused.expect_err("closed");
        assert!(!error.is_rejection(), "{error}");
        let failure = server.handshake_failure().await.expect("it is told");
        assert!(failure.cause.to_string().contains("rejected"), "{failure}");
    }

    async fn register_query_notify<R>() {
        let store = Store::default();
        let server = server::<R>(&store).await;
        let client = client::<R>(&server, &["a/*"]).await;
        assert_eq!(client.status(), Status::Operational);
        assert_eq!(server.connections()[0].client_name, "client");

        client.register(&[register_event("a/b")]).await.expect("sent");
        let two = [register_event("x"), register_event("y")];
        let registered = client.register_with_response(&two).await.expect("an answer");
        let registered = registered.expect("registered");
        assert_eq!(registered[1].event_type, event_type("y"));
        let refused = client.register_with_response(&[register_event("refused")]).await;
        assert_eq!(refused.expect("an answer"), None);

        let result = client.query(LatestParams::default()).await.expect("an answer");
        assert_eq!(result.events.len(), 3, "a query sees what was registered before it");

        let told = [event("a", 1, None), event("b", 2, None), event("a/c", 3, None)];
        server.notify_events(&told, false, false).await;
        assert_eq!(events(client.next().await.expect("events")), [told[0].clone(), told[2].clone()]);
    }

    /// What our client refuses to send, sent all the same: the answer is a failure, the handler is
    /// not asked, and the connection goes on. Microseconds beyond a second are a time like any
    /// other: they are carried.
    async fn text_that_is_no_json_is_not_registered<R>() {
        let store = Store::default();
        let server = server::<R>(&store).await;
        let raw = chatter::connect::<R>(server.addresses()[0], Default::default()).await;
        let raw = raw.expect("connected");
        let init = sbs::encode(&InitReq { client_name: "raw".into(), ..InitReq::default() });
        raw.request(Data::new(message::INIT_REQ, init)).await.expect("taken");

        let register = async |data: Vec<u8>| {
            let answer = raw.request(Data::new(message::REGISTER_REQ, Bytes::from(data))).await;
            let answer = answer.expect("an answer").data;
            sbs::decode::<RegisterRes>(&answer.data).expect("an answer to a registration")
        };
        for unsound in ["[1,", "", "NaN", "[Infinity]", "1E400", "1 2", "'a'", "\u{1}", "\"\u{1}\""] {
            let payload = Some(Payload::Json(Json::from_text_as_is(unsound)));
            let events = vec![
                register_event("before"),
                RegisterEvent { payload, ..register_event("unsound") },
            ];
            assert_eq!(register(sbs::encode(&events).into()).await, RegisterRes::Failure, "{unsound}");
        }
        assert!(store.events.lock().expect("no panic").is_empty());

        let carried = [
            &sbs::encode(&1_i64)[..],
            &sbs::encode(&event_type("late")),
            b"\x81",
            &sbs::encode(&10_i64),
            &sbs::encode(&2_500_000_i64),
            b"\x80",
        ];
        let RegisterRes::Events(registered) = register(carried.concat()).await else {
            panic!("not registered")
        };
        let time = Timestamp::new(12, 500_000).expect("within a second");
        assert_eq!(registered[0].source_timestamp, Some(time));
    }

    async fn a_handler_tells_what_it_registers<R>() {
        let echo = |notifier| Echo { store: Store::default(), notifier };
        let server = listen_with::<R, _>(local(), echo, ListenOptions::default()).await;
        let server = server.expect("listens");
        let client = client::<R>(&server, &["*"]).await;
        let registered = client.register_with_response(&[register_event("a")]).await;
        let registered = registered.expect("an answer").expect("registered");
        assert_eq!(events(client.next().await.expect("events")), registered);
        let notifier = server.notifier();
        server.close().await;
        // nobody is left to tell it to
        notifier.notify_events(&registered, false, true).await;
        assert!(notifier.connections().is_empty());
    }

    async fn many_requests_at_once<R>() {
        let server = server::<R>(&Store::default()).await;
        let client = client::<R>(&server, &[]).await;
        let answered = Arc::new(AtomicUsize::new(0));
        for index in 0..500 {
            let (client, answered) = (client.clone(), answered.clone());
            R::spawn(async move {
                let name = format!("event/{index}");
                let events = client.register_with_response(&[register_event(&name)]).await;
                let events = events.expect("an answer").expect("registered");
                assert_eq!(events[0].event_type, event_type(&name), "the answer to this request");
                answered.fetch_add(1, Ordering::SeqCst);
            });
        }
        while answered.load(Ordering::SeqCst) < 500 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
    }

    async fn a_refused_client_gets_the_text<R>() {
        let server = server::<R>(&Store::default()).await;
        let options = ConnectOptions::default();
        let refused = connect::<R>(server.addresses()[0], "nobody", options).await;
        let error = refused.map(|_| ()).expect_err("refused");
        assert_eq!(error.to_string(), "the server refused the client: nobody may not");
        let ConnectError::Ended(error) = error else { panic!("{error:?}") };
        assert!(matches!(error.protocol(), Some(Error::Rejected(_))));
        assert!(server.connections().is_empty());
        let failure = server.handshake_failure().await.expect("who serves is told");
        assert!(failure.remote.is_some_and(|remote| remote.ip() == server.addresses()[0].ip()));
        assert_eq!(failure.cause.to_string(), "the client was rejected: nobody may not");
    }

    async fn status_changes_reach_every_client_in_order<R>() {
        let server = server::<R>(&Store::default()).await;
        let client = client::<R>(&server, &[]).await;
        for status in [Status::Operational, Status::Starting, Status::Starting, Status::Stopping] {
            server.set_status(status);
        }
        for expected in [Status::Starting, Status::Stopping] {
            match client.next().await.expect("a status") {
                Notification::Status(status) => assert_eq!(status, expected),
                Notification::Events(_) => panic!("not a status"),
            }
        }
        assert_eq!(client.status(), Status::Stopping);
    }

    async fn an_ack_is_waited_for_until_the_events_are_dropped<R>() {
        let server = server::<R>(&Store::default()).await;
        let (one, two) = (client::<R>(&server, &["*"]).await, client::<R>(&server, &["*"]).await);
        let told = [event("a", 1, None)];
        let mut notified = std::pin::pin!(server.notify_events(&told, false, true));
        assert!(within::<R, _>(SOON, notified.as_mut()).await.is_none());
        let handled = one.next().await.expect("events");
        let _gone = two.next().await.expect("events");
        assert!(within::<R, _>(SOON, notified.as_mut()).await.is_none());
        drop(handled);
        assert!(within::<R, _>(SOON, notified.as_mut()).await.is_none());
        two.close().await;
        notified.await;
    }

    async fn events_can_be_dropped_without_an_ack<R>() {
        let server = server::<R>(&Store::default()).await;
        let client = client::<R>(&server, &["*"]).await;
        let told = [event("a", 1, None)];
        let mut notified = std::pin::pin!(server.notify_events(&told, false, true));
        assert!(within::<R, _>(SOON, notified.as_mut()).await.is_none());
        match client.next().await.expect("events") {
            Notification::Events(events) => assert_eq!(events.into_vec_without_ack(), told),
            Notification::Status(status) => panic!("not events: {status}"),
        }
        assert!(within::<R, _>(SOON, notified.as_mut()).await.is_none());
        client.close().await;
        notified.await;
    }

    async fn a_server_closes_one_client<R>() {
        let store = Store::default();
        let server = server::<R>(&store).await;
        let (one, two) = (client::<R>(&server, &["*"]).await, client::<R>(&server, &["*"]).await);
        let id = server.connections()[0].id;
        // what was told before is still written
        server.notify_events(&[event("a", 1, None)], false, false).await;
        assert!(server.disconnect(id));
        assert_eq!(events(one.next().await.expect("events")).len(), 1);
        let error = one.closed().await;
        assert!(error.protocol().is_some_and(Error::is_closed), "{error:?}");
        while store.gone.load(Ordering::SeqCst) == 0 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
        assert!(!server.disconnect(id), "it is gone");
        two.query(LatestParams::default()).await.expect("the other one is not concerned");
    }

    async fn a_handler_refuses_a_query_by_closing<R>() {
        struct Refuses(Notifier);
        impl Handler for Refuses {
            async fn query(&self, info: &ConnectionInfo, _params: QueryParams) -> QueryResult {
                assert!(self.0.disconnect(info.id));
                QueryResult::default()
            }
        }
        let server = listen_with::<R, _>(local(), Refuses, ListenOptions::default()).await;
        let client = client::<R>(&server.expect("listens"), &[]).await;
        let error = client.query(LatestParams::default()).await.expect_err("refused");
        assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
    }

    async fn connecting_has_a_limit<R>() {
        // the time is up before anything is tried
        let connect_timeout = Duration::ZERO;
        let socket = SocketOptions { connect_timeout, ..SocketOptions::default() };
        let options = ConnectOptions { socket, ..ConnectOptions::default() };
        // an address of TEST-NET-1, which nobody has
        let address: std::net::SocketAddr = "192.0.2.1:23012".parse().expect("an address");
        let error = connect::<R>(address, "client", options).await.map(|_| ()).expect_err("nobody");
        assert!(matches!(error, ConnectError::Connect(_)), "{error:?}");
    }

    async fn requests_end_with_the_connection<R>() {
        /// Never answers.
        struct Silent;
        impl Handler for Silent {
            async fn query(&self, _info: &ConnectionInfo, _params: QueryParams) -> QueryResult {
                std::future::pending().await
            }
        }
        let server = listen::<R>(local(), Silent, ListenOptions::default()).await.expect("listens");
        let client = client::<R>(&server, &[]).await;
        let params = LatestParams::default().into();
        let mut query = std::pin::pin!(client.query(&params));
        assert!(within::<R, _>(SOON, query.as_mut()).await.is_none());
        client.close().await;
        let error = query.await.expect_err("the connection is over");
        assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
        let error = client.query(&params).await.expect_err("closed");
        assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
    }

    async fn a_query_is_answered_behind_notifications_that_nobody_takes<R>() {
        let server = server::<R>(&Store::default()).await;
        let client = client::<R>(&server, &["*"]).await;
        // twice what an inbox holds
        for instance in 1..=2048 {
            server.notify_events(&[event("a", instance, None)], false, false).await;
        }
        client.query(LatestParams::default()).await.expect("an answer");
        for instance in 1..=2048 {
            let told = events(client.next().await.expect("events"));
            assert_eq!(told[0].id.instance, instance);
        }
    }

    async fn a_client_that_never_reads_is_closed_and_the_others_do_not_notice<R>() {
        let server = server::<R>(&Store::default()).await;
        let reader = client::<R>(&server, &["*"]).await;
        let sleeper = client::<R>(&server, &["*"]).await;
        let payload = Payload::binary("", vec![0; 1024 * 1024]);
        let counted = Arc::new(AtomicUsize::new(0));
        let counter = counted.clone();
        R::spawn(async move {
            while let Ok(Notification::Events(events)) = reader.next().await {
                counter.fetch_add(events.len(), Ordering::SeqCst);
            }
        });
        for instance in 1..=64 {
            let told = [event("a", instance, Some(payload.clone()))];
            server.notify_events(&told, false, false).await;
            server.caught_up().await;
        }
        while counted.load(Ordering::SeqCst) < 64 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
        let mut taken = 0;
        while sleeper.next().await.is_ok() {
            taken += 1;
        }
        assert!(taken < 64, "it was closed before it could have got all");
        while server.connections().len() > 1 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
    }

    async fn closing_a_server_waits_for_its_handler<R>() {
        let store = Store::default();
        let server = server::<R>(&store).await;
        let client = client::<R>(&server, &[]).await;
        server.close().await;
        assert_eq!(store.gone.load(Ordering::SeqCst), 1);
        let error = client.closed().await;
        assert!(error.protocol().is_some_and(Error::is_closed), "{error:?}");
    }

    async fn who_was_taken_too_late_is_gone_too<R>() {
        /// Thinks about every client until it is told to go on.
        struct Slow(Receiver<()>, Arc<AtomicUsize>);
        impl Handler for Slow {
            async fn connected(&self, _info: &ConnectionInfo) -> Result<(), String> {
                self.1.fetch_add(1, Ordering::SeqCst);
                self.0.recv().await.map_err(|error| error.to_string())
            }

            async fn disconnected(&self, _info: &ConnectionInfo) {
                self.1.fetch_sub(1, Ordering::SeqCst);
            }
        }
        let (go_on, waits) = bounded(1);
        let here = Arc::new(AtomicUsize::new(0));
        let handler = Slow(waits, here.clone());
        let server = listen::<R>(local(), handler, ListenOptions::default()).await.expect("listens");
        let address = server.addresses()[0];
        let mut connecting = std::pin::pin!(connect::<R>(address, "c", ConnectOptions::default()));
        while here.load(Ordering::SeqCst) == 0 {
            assert!(within::<R, _>(SOON, connecting.as_mut()).await.is_none());
        }
        let mut closing = std::pin::pin!(server.close());
        assert!(within::<R, _>(SOON, closing.as_mut()).await.is_none());
        go_on.send(()).await.expect("the handler waits");
        closing.await;
        assert_eq!(here.load(Ordering::SeqCst), 0);
        assert!(connecting.await.is_err());
    }

    async fn a_handler_that_panics_closes_that_connection_only<R>() {
        struct Faulty(Arc<AtomicUsize>);
        impl Handler for Faulty {
            async fn disconnected(&self, _info: &ConnectionInfo) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }

            async fn register(
                &self,
                _info: &ConnectionInfo,
                events: Vec<RegisterEvent>,
            ) -> Option<Vec<Event>> {
                assert!(events.is_empty(), "a fault, on purpose");
                Some(Vec::new())
            }
        }
        // smol's executor lets a panic of a task end its thread, which starts again
        let gone = Arc::new(AtomicUsize::new(0));
        let faulty = Faulty(gone.clone());
        let server = listen::<R>(local(), faulty, ListenOptions::default()).await.expect("listens");
        let (one, two) = (client::<R>(&server, &[]).await, client::<R>(&server, &[]).await);
        let lost = one.register_with_response(&[register_event("a")]).await;
        assert!(lost.is_err());
        let kept = two.register_with_response(&[]).await.expect("an answer");
        assert_eq!(kept, Some(Vec::new()));
        assert_eq!(server.connections().len(), 1);
        assert_eq!(gone.load(Ordering::SeqCst), 1, "the handler is told of the client all the same");
    }
}
