//! Eventer: clients that register, and one that comes back after every outage, at a server that is
//! closed and started again.
//!
//! - A request is answered with what was registered, or its connection is over.
//! - What the client that comes back is given are events of the server, each once.
//! - Where it was told of no gap, none is missing behind the first.
//! - In the end it has the last event, whatever went wrong before.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hat_aio::eventer::{
    ConnectOptions, ConnectionInfo, Handler, ListenOptions, Notifier, ReconnectOptions,
    ReconnectingClient, Server, Update, WhileDisconnected, connect, keep_connected, listen_with,
};
use hat_aio::runtime::{sleep, within};
use hat_core::eventer::reconnect::{CatchUpConfig, RetryConfig};
use hat_core::eventer::{
    Event, EventId, Order, QueryParams, QueryResult, RegisterEvent, Status, TimeseriesParams,
    Timestamp,
};
use hat_tests::eventer::event_type;
use hat_tests::simulated::{Simulated, World};
use hat_tests::simulation::Tally;

use super::tasks::start;
use super::{chance, count, draw, pause};

/// When nothing new happens any more, what was registered last arrives within this time.
const SETTLED: Duration = Duration::from_secs(3600);

/// Events as on a disk: they outlive the servers.
type Disk = Arc<Mutex<Vec<Event>>>;

/// What one server is made of.
struct Plant {
    disk: Disk,
    notifier: Notifier,
    page: usize,
}

impl Handler for Plant {
    async fn register(&self, _: &ConnectionInfo, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        let mut disk = self.disk.lock().expect("no panic");
        let session = disk.len() as i64 + 1;
        let register = |(instance, it): (i64, RegisterEvent)| Event {
            id: EventId::new(1, session, instance),
            event_type: it.event_type,
            timestamp: Timestamp::from_secs(session),
            source_timestamp: None,
            payload: it.payload,
        };
        let events: Vec<_> = (1..).zip(events).map(register).collect();
        disk.extend(events.iter().cloned());
        // all clients are told at its first poll: in the order of the disk, since that is locked
        let mut telling = Box::pin(self.notifier.notify_events(&events, false, false));
        let first =
            telling.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
        drop((disk, first, telling));
        Some(events)
    }

    async fn query(&self, _: &ConnectionInfo, params: QueryParams) -> QueryResult {
        pause(Duration::from_millis(100)).await;
        let events = self.disk.lock().expect("no panic").clone();
        match params {
            QueryParams::Latest(_) => QueryResult { events, more_follows: false },
            QueryParams::Timeseries(params) => series(events, &params, self.page),
            QueryParams::Server(params) => {
                let after = params.last_event_id.unwrap_or_default();
                page(events.into_iter().filter(|event| event.id > after).collect(), self.page)
            }
        }
    }
}

/// Events whose sessions are their times.
fn series(mut events: Vec<Event>, params: &TimeseriesParams, most: usize) -> QueryResult {
    let after = params.last_event_id.unwrap_or_default();
    let most = params.max_results.map_or(most, |asked| most.min(asked.max(1) as usize));
    events.retain(|event| params.t_from.is_none_or(|from| from <= event.timestamp));
    match params.order {
        Order::Ascending => events.retain(|event| event.id > after),
        Order::Descending => events.reverse(),
    }
    page(events, most)
}

fn page(mut events: Vec<Event>, most: usize) -> QueryResult {
    let more_follows = events.len() > most;
    events.truncate(most);
    QueryResult { events, more_follows }
}

fn address() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 23012))
}

async fn serve(disk: &Disk) -> Server {
    let (disk, page) = (disk.clone(), draw(|random| random.pick(&[1, 3, 1000])));
    let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
    let plant = move |notifier| Plant { disk, notifier, page };
    listen_with::<Simulated, _>(address(), plant, options).await.expect("the address is free")
}

pub(super) async fn eventer() -> Tally {
    let world = World::current();
    let disk = Disk::default();
    let mut server = serve(&disk).await;
    let following = start(follow(disk.clone()));
    let registrars: Vec<_> = (0..draw(|random| random.within(1..=3)))
        .map(|number| start(register(number, disk.clone())))
        .collect();
    let restarts = if world.is_calm() { 0 } else { draw(|random| random.size(3)) };
    for _ in 0..restarts {
        pause(Duration::from_secs(20)).await;
        server.close().await;
        pause(Duration::from_secs(10)).await;
        server = serve(&disk).await;
    }
    let mut tally = Tally::new();
    for registrar in registrars {
        for (what, many) in registrar.await {
            *tally.entry(what).or_default() += many;
        }
    }
    for (what, many) in following.await {
        *tally.entry(what).or_default() += many;
    }
    *tally.entry("restarts").or_default() += restarts as u64;
    server.close().await;
    tally
}

/// A client that registers some events one after the other, and connects again where it has to.
async fn register(number: usize, disk: Disk) -> Tally {
    let mut tally = Tally::new();
    let (total, mut next) = (draw(|random| random.size(15)), 0);
    while next < total {
        let options = ConnectOptions::default();
        let client = match connect::<Simulated>(address(), format!("r{number}"), options).await {
            Ok(client) => client,
            Err(error) => {
                assert!(!World::current().is_calm(), "refused in a calm world: {error}");
                count(&mut tally, "refused");
                pause(Duration::from_secs(5)).await;
                continue;
            }
        };
        while next < total {
            pause(Duration::from_secs(3)).await;
            let name = format!("r{number}/{next}");
            let event = RegisterEvent::new(event_type(&name));
            next += 1;
            match client.register_with_response(&[event]).await {
                Ok(Some(events)) => {
                    assert_eq!(events[0].event_type, event_type(&name), "its own answer");
                    assert!(disk.lock().expect("no panic").contains(&events[0]));
                    count(&mut tally, "registered");
                }
                Ok(None) => panic!("a server that registers all refused {name}"),
                Err(error) => {
                    assert!(!World::current().is_calm(), "lost in a calm world: {error}");
                    count(&mut tally, "unanswered");
                    break;
                }
            }
        }
        client.close().await;
    }
    tally
}

/// What the client that comes back was given.
struct GivenEvents {
    ids: BTreeSet<EventId>,
    first: Option<EventId>,
    has_gap: bool,
}

impl GivenEvents {
    fn take(&mut self, update: Update, tally: &mut Tally) {
        match update {
            Update::Events(events) => {
                for event in events.iter() {
                    assert!(self.ids.insert(event.id), "given twice: {event:?}");
                    self.first = Some(self.first.map_or(event.id, |first| first.min(event.id)));
                    count(tally, "given");
                }
            }
            Update::CaughtUp { complete, gap } => {
                assert_eq!(complete, gap.is_none());
                self.has_gap |= !complete;
                count(tally, if complete { "caught up" } else { "gaps" });
            }
            Update::Disconnected { reason, retry_in } => {
                assert!(retry_in.is_some(), "it never gives up");
                assert!(!World::current().is_calm(), "lost in a calm world: {reason}");
                count(tally, "outages");
            }
            _ => {}
        }
    }
}

/// The client that comes back: takes all until the last event is here.
async fn follow(disk: Disk) -> Tally {
    let mut tally = Tally::new();
    let options = ReconnectOptions {
        client: ConnectOptions {
            subscriptions: vec![event_type("*")],
            ..ConnectOptions::default()
        },
        retry: RetryConfig { max_delay: Duration::from_secs(10), ..RetryConfig::default() },
        catch_up: Some(CatchUpConfig::default()),
        while_disconnected: WhileDisconnected::Wait,
        ..ReconnectOptions::default()
    };
    let client = keep_connected::<Simulated>(address(), "follower", options);
    let client = client.await.expect("a subscription");
    let mut given = GivenEvents { ids: BTreeSet::new(), first: None, has_gap: false };
    let slow = chance(20);
    let busy = async {
        loop {
            given.take(client.next().await.expect("it goes on"), &mut tally);
            if slow {
                pause(Duration::from_secs(2)).await;
            }
        }
    };
    // as long as the others register, and things go wrong
    let _: Option<()> = within::<Simulated, _>(Duration::from_secs(150), busy).await;
    let last = settle(&client, &disk, &mut given, &mut tally).await;
    let disk = disk.lock().expect("no panic").clone();
    assert!(given.ids.iter().all(|id| disk.iter().any(|event| event.id == *id)));
    if let (false, Some(first)) = (given.has_gap, given.first) {
        let missing: Vec<_> = disk
            .iter()
            // others may still register, where the clock has jumped
            .filter(|event| event.id >= first && event.id <= last)
            .filter(|event| !given.ids.contains(&event.id))
            .collect();
        assert!(missing.is_empty(), "no gap was told, and these are missing: {missing:?}");
    }
    client.close().await;
    tally
}

/// Registers through the client itself until an event is answered, and waits for that event: gives
/// its id.
async fn settle(
    client: &ReconnectingClient,
    disk: &Disk,
    given: &mut GivenEvents,
    tally: &mut Tally,
) -> EventId {
    let world = World::current();
    for attempt in 0.. {
        assert!(attempt < 100, "what is registered is not told, hours after the last fault");
        let event = RegisterEvent::new(event_type(&format!("last/{attempt}")));
        // takes what comes meanwhile, or the connection would be held up
        let asking = client.register_with_response(std::slice::from_ref(&event));
        let mut asking = std::pin::pin!(within::<Simulated, _>(SETTLED, asking));
        let answer = loop {
            let mut next = std::pin::pin!(client.next());
            let either = std::future::poll_fn(|cx| {
                if let std::task::Poll::Ready(answer) = asking.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Ok(answer));
                }
                next.as_mut().poll(cx).map(Err)
            });
            match either.await {
                Ok(answer) => break answer,
                Err(update) => given.take(update.expect("it goes on"), tally),
            }
        };
        let Some(answer) = answer else {
            panic!("a request has no answer, an hour after the last fault")
        };
        let Ok(Some(events)) = answer else {
            assert!(!world.is_calm(), "lost in a calm world");
            sleep::<Simulated>(Duration::from_secs(1)).await;
            continue;
        };
        let last = disk.lock().expect("no panic").last().expect("one is there").id;
        let told = async {
            while !given.ids.contains(&events[0].id) {
                given.take(client.next().await.expect("it goes on"), tally);
            }
        };
        if within::<Simulated, _>(Duration::from_secs(300), told).await.is_some() {
            world.note(|| format!("the last is {last:?}"));
            return events[0].id;
        }
        assert!(given.has_gap, "{:?} was never told, and no gap", events[0]);
    }
    unreachable!("the attempts are counted")
}
