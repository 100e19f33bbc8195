//! A client that comes back after every outage, on every runtime.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hat_aio::Address;
use hat_aio::eventer::{
    ConnectError, ConnectionInfo, Handler, ListenOptions, ReconnectOptions, ReconnectingClient,
    RequestError, Server, StopReason, Update, WhileDisconnected, keep_connected, listen,
};
use hat_core::eventer::reconnect::{CatchUpConfig, Gap, OnRejection, Position, RetryConfig};
use hat_core::eventer::{
    Event, EventId, EventType, LatestParams, Order, QueryParams, QueryResult, RegisterEvent,
    Status, TimeseriesParams, Timestamp,
};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};
use smol::stream::StreamExt;

use crate::local;

const SOON: Duration = Duration::from_millis(50);

/// Events that outlive the servers, as on a disk; gives them in pages of three.
#[derive(Clone, Default)]
struct Disk {
    events: Arc<Mutex<Vec<Event>>>,
    refuses: Arc<AtomicBool>,
    gone: Arc<AtomicUsize>,
}

impl Disk {
    fn register(&self, name: &str) -> Event {
        let mut events = self.events.lock().expect("no panic");
        let session = events.len() as i64 + 1;
        let event = Event {
            id: EventId::new(1, session, 1),
            event_type: event_type(name),
            timestamp: Timestamp::from_secs(session),
            source_timestamp: None,
            payload: None,
        };
        events.push(event.clone());
        event
    }
}

impl Handler for Disk {
    async fn connected(&self, _info: &ConnectionInfo) -> Result<(), String> {
        if self.refuses.load(Ordering::SeqCst) { Err("not you".into()) } else { Ok(()) }
    }

    async fn disconnected(&self, _info: &ConnectionInfo) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }

    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        Some(events.iter().map(|it| Disk::register(self, &it.event_type.to_string())).collect())
    }

    async fn query(&self, _info: &ConnectionInfo, params: QueryParams) -> QueryResult {
        let events = self.events.lock().expect("no panic").clone();
        let params = match params {
            QueryParams::Latest(_) => return QueryResult { events, more_follows: false },
            QueryParams::Timeseries(params) => return series(events, &params),
            QueryParams::Server(params) => params,
        };
        let after = params.last_event_id.unwrap_or_default();
        let mut found: Vec<_> = events.into_iter().filter(|event| event.id > after).collect();
        let more_follows = found.len() > 3;
        found.truncate(3);
        QueryResult { events: found, more_follows }
    }
}

/// A page of three, of events whose sessions are their times.
fn series(mut events: Vec<Event>, params: &TimeseriesParams) -> QueryResult {
    let after = params.last_event_id.unwrap_or_default();
    let most = params.max_results.map_or(3, |most| most.min(3) as usize);
    events.retain(|event| params.t_from.is_none_or(|from| from <= event.timestamp));
    match params.order {
        Order::Ascending => events.retain(|event| event.id > after),
        Order::Descending => events.reverse(),
    }
    let more_follows = events.len() > most;
    events.truncate(most);
    QueryResult { events, more_follows }
}

fn event_type(name: &str) -> EventType {
    name.parse().expect("an event type")
}

async fn serve<R: TestRuntime>(address: SocketAddr, disk: &Disk) -> Server {
    let options = || ListenOptions { status: Status::Operational, ..ListenOptions::default() };
    // another test may have been given the port for a moment
    loop {
        match listen::<R>(address, disk.clone(), options()).await {
            Ok(server) => return server,
            Err(_) => sleep::<R>(Duration::from_millis(5)).await,
        }
    }
}

/// Tries again at once, all but.
fn quickly() -> RetryConfig {
    RetryConfig {
        first_delay: Duration::from_millis(2),
        max_delay: Duration::from_millis(20),
        ..RetryConfig::default()
    }
}

async fn client<R: TestRuntime>(
    address: SocketAddr,
    options: impl FnOnce(&mut ReconnectOptions),
) -> ReconnectingClient {
    let mut all = ReconnectOptions { retry: quickly(), ..ReconnectOptions::default() };
    all.client.subscriptions = vec![event_type("a/*")];
    options(&mut all);
    keep_connected::<R>(address, "client", all).await.expect("a subscription")
}

/// The next update that is no failed try, with the number of those in front of it.
async fn next(client: &ReconnectingClient) -> (Update, usize) {
    let mut failed = 0;
    loop {
        match client.next().await.expect("it goes on") {
            Update::Disconnected { reason: ConnectError::Connect(_), .. } => failed += 1,
            update => return (update, failed),
        }
    }
}

async fn events(client: &ReconnectingClient) -> Vec<Event> {
    match next(client).await.0 {
        Update::Events(events) => events.into_vec(),
        update => panic!("not events: {update:?}"),
    }
}

/// Waits until it is connected; how many tries failed before.
async fn connected(client: &ReconnectingClient) -> usize {
    let mut all = 0;
    loop {
        let (update, failed) = next(client).await;
        all += failed;
        match update {
            Update::Connected(status) => {
                assert_eq!(status, Status::Operational);
                return all;
            }
            // a server that was about to close its socket took us
            Update::Disconnected { reason: ConnectError::Ended(_), .. } => all += 1,
            update => panic!("not connected: {update:?}"),
        }
    }
}

async fn lost(client: &ReconnectingClient) {
    match next(client).await.0 {
        Update::Disconnected { reason: ConnectError::Ended(_), retry_in: Some(_) } => {}
        update => panic!("not the end of a connection: {update:?}"),
    }
}

on_every_runtime! {
    async fn a_server_that_restarts_is_found_and_subscribed_to_again<R>() {
        let disk = Disk::default();
        let mut server = serve::<R>(local(), &disk).await;
        let address = server.addresses()[0];
        let client = client::<R>(address, |_| ()).await;
        for round in 0..3 {
            connected(&client).await;
            assert!(client.is_connected());
            let told = [disk.register("a/b"), disk.register("c")];
            server.notify_events(&told, false, false).await;
            assert_eq!(events(&client).await, told[..1], "in round {round}");
            server.set_status(Status::Stopping);
            assert!(matches!(next(&client).await.0, Update::Status(Status::Stopping)));
            server.close().await;
            lost(&client).await;
            assert_eq!(client.status(), Status::Stopping, "as last told");
            server = serve::<R>(address, &disk).await;
        }
    }

    async fn a_client_goes_on_at_another_address_from_its_last_event<R>() {
        // two nodes that have the same events, and a third address where nobody is
        let disk = Disk::default();
        let (one, other) = (serve::<R>(local(), &disk).await, serve::<R>(local(), &disk).await);
        let nobody = serve::<R>(local(), &disk).await;
        let dead = nobody.addresses()[0];
        nobody.close().await;
        let alternatives = vec![Address::from(dead), Address::from(other.addresses()[0])];
        let client = client::<R>(one.addresses()[0], |options| {
            options.alternatives = alternatives;
            options.catch_up = Some(CatchUpConfig::default());
        }).await;
        connected(&client).await;
        let whole = |update| matches!(update, Update::CaughtUp { complete: true, .. });
        assert!(whole(next(&client).await.0));
        let told = disk.register("a/1");
        one.notify_events(std::slice::from_ref(&told), false, false).await;
        assert_eq!(events(&client).await, [told]);
        one.close().await;
        lost(&client).await;
        let missed = disk.register("a/2");
        assert!(connected(&client).await >= 1, "the one where nobody is comes first");
        assert_eq!(events(&client).await, [missed]);
        assert!(whole(next(&client).await.0));
    }

    async fn requests_fail_or_wait_while_there_is_no_server<R>() {
        let disk = Disk::default();
        let server = serve::<R>(local(), &disk).await;
        let address = server.addresses()[0];
        let fails = client::<R>(address, |_| ()).await;
        let wait = |options: &mut ReconnectOptions| {
            options.while_disconnected = WhileDisconnected::Wait;
        };
        let waits = client::<R>(address, wait).await;
        connected(&fails).await;
        connected(&waits).await;
        server.close().await;
        lost(&fails).await;
        lost(&waits).await;

        let one = [RegisterEvent::new(event_type("a"))];
        let error = fails.register(&one).await.expect_err("no connection");
        assert!(matches!(error, RequestError::NotConnected), "{error:?}");
        fails.drain().await.expect("nothing is kept for later");
        let params = LatestParams::default().into();
        let mut asked = std::pin::pin!(waits.query(&params));
        assert!(within::<R, _>(SOON, asked.as_mut()).await.is_none());

        disk.register("a/1");
        let _server = serve::<R>(address, &disk).await;
        assert_eq!(asked.await.expect("an answer").events.len(), 1);
        assert!(connected(&fails).await > 0, "every try is told");
        fails.connected().await.expect("connected");
        let registered = fails.register_with_response(&one).await.expect("an answer");
        assert_eq!(registered.expect("registered")[0].id.session, 2);

        // what is with the system arrives, whatever becomes of who sent it
        fails.register(&one).await.expect("a connection");
        fails.drain().await.expect("written");
        drop(fails);
        while disk.events.lock().expect("no panic").len() < 3 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
    }

    async fn a_refused_client_gives_up_or_tries_again<R>() {
        let disk = Disk::default();
        disk.refuses.store(true, Ordering::SeqCst);
        let server = serve::<R>(local(), &disk).await;
        let stop = |options: &mut ReconnectOptions| {
            options.retry.on_rejection = OnRejection::Stop;
        };
        let stops = client::<R>(server.addresses()[0], stop).await;
        match stops.next().await.expect("the refusal") {
            Update::Disconnected { reason, retry_in: None } if reason.is_rejection() => {}
            update => panic!("{update:?}"),
        }
        let stopped = stops.next().await.expect_err("over");
        assert_eq!(stopped.to_string(), "the server refused the client: not you; no further attempt is made");
        assert!(matches!(stops.connected().await, Err(StopReason::GaveUp(_))));

        let tries = client::<R>(server.addresses()[0], |_| ()).await;
        for _ in 0..3 {
            match tries.next().await.expect("the refusal") {
                Update::Disconnected { reason, retry_in: Some(_) } if reason.is_rejection() => {}
                update => panic!("{update:?}"),
            }
        }
        disk.refuses.store(false, Ordering::SeqCst);
        while !matches!(tries.next().await.expect("it goes on"), Update::Connected(_)) {}
    }

    /// The connection that asks for the position is taken, and that with the subscriptions is not:
    /// it was told as one that was lost, and tried again for ever.
    async fn a_client_whose_subscriptions_are_refused_gives_up<R>() {
        #[derive(Clone, Default)]
        struct Choosy;

        impl Handler for Choosy {
            async fn connected(&self, info: &ConnectionInfo) -> Result<(), String> {
                if info.subscription.is_empty() { Ok(()) } else { Err("not those".into()) }
            }
        }

        let server = listen::<R>(local(), Choosy, ListenOptions::default()).await.expect("listens");
        let client = client::<R>(server.addresses()[0], |options| {
            options.retry.on_rejection = OnRejection::Stop;
            options.catch_up = Some(CatchUpConfig::default());
        })
        .await;
        match client.next().await.expect("the refusal") {
            Update::Disconnected { reason, retry_in: None } if reason.is_rejection() => {}
            update => panic!("{update:?}"),
        }
        client.next().await.expect_err("over");
    }

    async fn missed_events_come_once_and_in_order<R>() {
        let disk = Disk::default();
        let mut server = serve::<R>(local(), &disk).await;
        let address = server.addresses()[0];
        let seen = Position::start(1);
        let catch_up = |options: &mut ReconnectOptions| {
            options.catch_up = Some(CatchUpConfig::default());
            options.seen = vec![seen];
        };
        for name in ["a/0", "a/1"] {
            disk.register(name);
        }
        let client = client::<R>(address, catch_up).await;
        let (mut got, mut caught_up) = (Vec::new(), 0);
        for round in 1..=3 {
            // from before this run at first, from the outage then
            while caught_up < round {
                match client.next().await.expect("it goes on") {
                    Update::Events(events) => got.extend(events.into_vec()),
                    Update::CaughtUp { complete, gap } => {
                        assert!(complete, "{gap:?}");
                        caught_up += 1;
                    }
                    _ => {}
                }
            }
            for _ in 0..5 {
                let told = [disk.register("a/live")];
                server.notify_events(&told, false, false).await;
            }
            server.close().await;
            for _ in 0..8 {
                disk.register("a/missed");
                disk.register("b");
            }
            server = serve::<R>(address, &disk).await;
            // told while the client comes back and asks
            for _ in 0..5 {
                let told = [disk.register("a/between")];
                server.notify_events(&told, false, false).await;
            }
        }
        let mut expected = disk.events.lock().expect("no panic").clone();
        expected.retain(|event| event.event_type != event_type("b"));
        while got.len() < expected.len() {
            if let Update::Events(events) = client.next().await.expect("it goes on") {
                got.extend(events.into_vec());
            }
        }
        assert_eq!(got, expected);
    }

    async fn a_server_without_a_memory_is_told<R>() {
        let server = serve::<R>(local(), &Disk::default()).await;
        let catch_up = |options: &mut ReconnectOptions| {
            options.catch_up = Some(CatchUpConfig::default());
            let (id, timestamp) = (EventId::new(1, 500, 1), Timestamp::from_secs(500));
            options.seen = vec![Position { id, timestamp }];
        };
        let client = client::<R>(server.addresses()[0], catch_up).await;
        connected(&client).await;
        let update = next(&client).await.0;
        let lost = matches!(update, Update::CaughtUp { complete: false, gap: Some(Gap::Lost { .. }) });
        assert!(lost, "{update:?}");
    }

    /// It was started anew, and counts its sessions from one again: the ids are known, the events
    /// are others. All that it has is given, and that there may have been more is told.
    async fn a_server_that_has_less_than_was_seen<R>() {
        let disk = Disk::default();
        for _ in 0..8 {
            disk.register("a/before");
        }
        let server = serve::<R>(local(), &disk).await;
        let address = server.addresses()[0];
        let catch_up = |options: &mut ReconnectOptions| {
            options.catch_up = Some(CatchUpConfig::default());
            options.seen = vec![Position::start(1)];
        };
        let client = client::<R>(address, catch_up).await;
        let caught_up = async || {
            let mut got = Vec::new();
            loop {
                match client.next().await.expect("it goes on") {
                    Update::Events(events) => got.extend(events.into_vec()),
                    Update::CaughtUp { complete, gap } => return (got, complete, gap),
                    _ => {}
                }
            }
        };
        let (got, complete, _) = caught_up().await;
        assert_eq!((got.len(), complete), (8, true));
        server.close().await;
        let anew = Disk::default();
        for _ in 0..3 {
            anew.register("a/after");
        }
        for event in &mut *anew.events.lock().expect("no panic") {
            event.timestamp = Timestamp::from_secs(1000 + event.id.session);
        }
        let _server = serve::<R>(address, &anew).await;
        let (got, complete, gap) = caught_up().await;
        assert_eq!(got, *anew.events.lock().expect("no panic"));
        assert!(!complete && gap.is_some(), "{gap:?}");
    }

    async fn a_clean_close<R>() {
        let disk = Disk::default();
        let server = serve::<R>(local(), &disk).await;
        let address = server.addresses()[0];
        let closed = client::<R>(address, |_| ()).await;
        connected(&closed).await;
        assert!(matches!(closed.close().await, StopReason::Closed));
        assert!(matches!(closed.next().await, Err(StopReason::Closed)));
        assert!(!closed.is_connected());

        let dropped = client::<R>(address, |_| ()).await;
        connected(&dropped).await;
        drop(dropped);
        while disk.gone.load(Ordering::SeqCst) < 2 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
        // also while it waits to try again
        server.close().await;
        let waits = |options: &mut ReconnectOptions| {
            options.retry.first_delay = Duration::from_secs(3600);
            options.retry.max_delay = Duration::from_secs(3600);
        };
        let waiting = client::<R>(address, waits).await;
        let update = waiting.next().await.expect("a failed try");
        assert!(matches!(update, Update::Disconnected { .. }), "{update:?}");
        assert!(matches!(waiting.close().await, StopReason::Closed));
    }

    async fn updates_that_nobody_takes_stop_nothing<R>() {
        let disk = Disk::default();
        let server = serve::<R>(local(), &disk).await;
        let client = client::<R>(server.addresses()[0], |_| ()).await;
        for _ in 0..50 {
            let connection = client.connected().await.expect("connected");
            assert!(connection.end_reason().is_none(), "not one that has ended");
            for info in server.connections() {
                server.disconnect(info.id);
            }
            connection.closed().await;
        }
        let mut updates = 0;
        while within::<R, _>(SOON, client.next()).await.is_some() {
            updates += 1;
        }
        assert!(updates <= 18, "{updates} were kept");
    }

    /// Who waits on the stream is woken by what comes later.
    async fn updates_as_a_stream<R>() {
        let disk = Disk::default();
        let server = serve::<R>(local(), &disk).await;
        let address = server.addresses()[0];
        let client = client::<R>(address, |_| ()).await;
        let mut updates = client.updates();
        loop {
            if let Some(Update::Connected(_)) = updates.next().await {
                break;
            }
        }
        let (sender, told) = smol::channel::bounded(1);
        R::spawn(async move {
            let update = updates.next().await;
            sender.send(update).await.expect("wanted");
        });
        // it waits by now
        sleep::<R>(SOON).await;
        let told_of = [disk.register("a/b")];
        server.notify_events(&told_of, false, false).await;
        match told.recv().await.expect("told") {
            Some(Update::Events(events)) => assert_eq!(events.into_vec(), told_of),
            update => panic!("{update:?}"),
        }
    }

    async fn what_cannot_be_subscribed_to<R>() {
        let mut options = ReconnectOptions::default();
        options.client.subscriptions = vec![event_type("*/a")];
        assert!(keep_connected::<R>(local(), "client", options).await.is_err());
    }
}
