//! `hat demo`: a server, a client on Tokio that feeds it, and one on smol that follows.
//!
//! ```text
//! machine ──> feeder (Tokio) ──register──> server ──notify──> follower (smol) ──> screen
//!             feeder         ──query────>  server                                 all there?
//! ```

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hat_aio::Address;
use hat_aio::eventer::Notification;
use hat_core::eventer::{Event, EventId, EventType, Order, Pages, Payload, TimeseriesParams};
use hat_smol::Smol;
use hat_tokio::Tokio;
use smol::channel::{Receiver, Sender, bounded};

use super::machine::Machine;
use crate::args::{ConnectArgs, DemoArgs};
use crate::client::{Interest, ServerClient};
use crate::output::{Output, payload};
use crate::runtime::{Run, sleep, within};
use hat_server::store::MemoryStore;
use hat_server::store::memory::Config;
use hat_server::{EventServer, Options};

const TICK: Duration = Duration::from_secs(1);

/// How long the last notification may take.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) async fn demo<R: Run>(args: DemoArgs) -> Result<()> {
    let mut output = Output::table();
    let address = Address::new("127.0.0.1", 0);
    let store = Arc::new(MemoryStore::new(Config::new(1)));
    // what is followed is what was measured, and nothing else
    let options = Options { own_events: false, ..Options::new(address, 1) };
    let server = EventServer::start::<R>(options, store).await?;
    let address = Address::from(server.addresses()[0]);
    output.line(&format!(
        "server on {address} ({}), {} s of this machine:",
        R::NAME,
        args.seconds
    ))?;
    output.flush()?;

    let followed = Arc::new(FollowerLog::default());
    let (ready, is_ready) = bounded(1);
    let following = on_thread::<Smol, _>(follow(address.clone(), followed.clone(), ready));
    let feeding = on_thread::<Tokio, _>(feed(address, args.seconds, followed.clone(), is_ready));
    let fed = finished(&feeding).await;
    server.stop().await?;
    // the follower first: without it there is nothing to feed
    finished(&following).await?;
    let fed = fed?;
    summarize::<R>(&mut output, &fed, &followed.list())
}

/// Runs `future` on a thread of its own, on `R`.
fn on_thread<R: Run, T: Send + 'static>(
    future: impl Future<Output = Result<T>> + Send + 'static,
) -> Receiver<Result<T>> {
    let (sender, receiver) = bounded(1);
    thread::spawn(move || {
        // it is waited for to the end
        let _ = sender.send_blocking(R::run(future));
    });
    receiver
}

async fn finished<T>(thread: &Receiver<Result<T>>) -> Result<T> {
    thread.recv().await.context("a part of the demo panicked")?
}

/// A client that needs no arguments.
fn connect_args(address: Address, name: &str) -> ConnectArgs {
    ConnectArgs::new(address, name, Duration::from_secs(5))
}

/// What the follower was told, and when.
#[derive(Default)]
struct FollowerLog(Mutex<Vec<(Event, Instant)>>);

impl FollowerLog {
    fn list(&self) -> MutexGuard<'_, Vec<(Event, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the feeder did.
struct FeedReport {
    /// With the time that each was registered at.
    registered: Vec<(Event, Instant)>,
    queried: Vec<Event>,
}

/// Registers what the machine counts, once a second, and asks for all of it in the end.
async fn feed(
    address: Address,
    seconds: u32,
    followed: Arc<FollowerLog>,
    follower: Receiver<()>,
) -> Result<FeedReport> {
    let args = connect_args(address, "demo feeder");
    let mut server = ServerClient::new::<Tokio>(&args, Interest::default()).await?;
    follower.recv().await.context("the follower is missing")?;
    let mut machine = Machine::new();
    let mut registered = Vec::new();
    let start = Instant::now();
    for tick in 0..seconds {
        let events = machine.events();
        let at = Instant::now();
        let answer = server.client.register_with_response(&events).await?;
        let answer = answer.context("the server did not register the events")?;
        registered.extend(answer.into_iter().map(|event| (event, at)));
        sleep::<Tokio>((TICK * (tick + 1)).saturating_sub(start.elapsed())).await;
    }
    let all_followed = async {
        while followed.list().len() < registered.len() {
            sleep::<Tokio>(Duration::from_millis(5)).await;
        }
    };
    // who is missing then is told in the summary
    let _ = within::<Tokio, _>(PATIENCE, all_followed).await;
    let params = TimeseriesParams { order: Order::Ascending, ..TimeseriesParams::default() };
    // one answer has not all of a long demo
    let (mut pages, mut queried) = (Pages::new(params.into()), Vec::new());
    while let Some(page) = server.next_page::<Tokio>(&args, &mut pages).await? {
        queried.extend(page.events);
    }
    server.client.close().await;
    Ok(FeedReport { registered, queried })
}

/// Prints what the server notifies, until the server ends.
async fn follow(address: Address, followed: Arc<FollowerLog>, ready: Sender<()>) -> Result<()> {
    let types = vec![EventType::from_segments(["machine", "*"])];
    let wanted = Interest { types, ..Interest::default() };
    let server = ServerClient::new::<Smol>(&connect_args(address, "demo follower"), wanted).await?;
    let mut output = Output::table();
    // a feeder that failed says so itself
    let _ = ready.send(()).await;
    while let Ok(notification) = server.client.next().await {
        let now = Instant::now();
        if let Notification::Events(events) = notification {
            for event in events.iter() {
                output.line(&shown(event))?;
            }
            output.flush()?;
            followed.list().extend(events.into_vec().into_iter().map(|event| (event, now)));
        }
    }
    Ok(())
}

/// `12:30:01.000  machine/memory    used 1.2 GiB, total 8.0 GiB`
fn shown(event: &Event) -> String {
    let timestamp = event.timestamp.to_string();
    let time = timestamp.split_once('T').map_or(&*timestamp, |(_, time)| time);
    let time = time.get(..12).unwrap_or(time);
    let value = match &event.payload {
        Some(Payload::Json(json)) => json.parse::<serde_json::Value>().ok(),
        _ => None,
    };
    let value = match value.as_ref().and_then(|value| value.as_object()) {
        Some(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {value}"));
            fields.collect::<Vec<_>>().join(", ")
        }
        None => payload(event.payload.as_ref()),
    };
    format!("  {time}  {:<26}  {value}", event.event_type.to_string())
}

/// Tells what came of it, and fails if anything is missing.
fn summarize<R: Run>(
    output: &mut Output,
    fed: &FeedReport,
    followed: &[(Event, Instant)],
) -> Result<()> {
    let registered: Vec<&Event> = fed.registered.iter().map(|(event, _)| event).collect();
    let notified: Vec<&Event> = followed.iter().map(|(event, _)| event).collect();
    let sessions: BTreeSet<i64> = registered.iter().map(|event| event.id.session).collect();
    let mut latencies: Vec<Duration> = fed
        .registered
        .iter()
        .filter_map(|(event, at)| {
            Some(received(followed, event.id)?.saturating_duration_since(*at))
        })
        .collect();
    latencies.sort_unstable();
    output.line(&format!(
        "registered  {} events in {} sessions, from a client on {}",
        registered.len(),
        sessions.len(),
        Tokio::NAME
    ))?;
    output.line(&format!(
        "notified    {} events, to a client on {}",
        notified.len(),
        Smol::NAME
    ))?;
    if let (Some(median), Some(most)) = (latencies.get(latencies.len() / 2), latencies.last()) {
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        output.line(&format!(
            "latency     {:.2} ms from registration to notification (median; at most {:.2} ms)",
            ms(median),
            ms(most)
        ))?;
    }
    let queried: Vec<&Event> = fed.queried.iter().collect();
    output.line(&format!(
        "queried     {} events, from the server on {}",
        queried.len(),
        R::NAME
    ))?;
    output.flush()?;
    if notified != registered {
        bail!("the follower received other events than were registered");
    }
    if queried != registered {
        bail!("the query found other events than were registered");
    }
    Ok(())
}

fn received(followed: &[(Event, Instant)], id: EventId) -> Option<Instant> {
    followed.iter().find(|(event, _)| event.id == id).map(|(_, at)| *at)
}
