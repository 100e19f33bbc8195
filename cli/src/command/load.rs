//! `hat load`: how many events a server takes, and how long each takes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hat_aio::Runtime;
use hat_aio::eventer::Notification;
use hat_core::eventer::{EventType, Payload, RegisterEvent};
use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use serde_json::json;
use smol::channel::bounded;

use crate::args::{LoadArgs, LoadFormat};
use crate::client::{Interest, ServerClient};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output;
use crate::progress;
use crate::runtime::{sleep, within};

/// How long the last notifications may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Three digits of every time are kept.
const DIGITS: u8 = 3;

/// What all connections have in common.
struct Shared {
    prefix: EventType,
    types: u64,
    payload: Option<Payload>,
    batch: usize,
    /// From the due time of one session of a connection to that of its next.
    step: Option<Duration>,
    start: Instant,
    end: Instant,
    /// Events that were registered.
    registered: AtomicU64,
    told: AtomicU64,
    /// Nobody is to go on.
    stop: AtomicBool,
    /// The next type.
    next: AtomicU64,
    answers: Mutex<Histogram<u64>>,
    notifications: Mutex<Histogram<u64>>,
}

pub(crate) async fn load<R: Runtime>(args: LoadArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let histogram = || Histogram::new(DIGITS).map(Mutex::new).context("no histogram");
    let mut servers = Vec::new();
    for _ in 0..args.clients {
        servers.push(ServerClient::new::<R>(&args.connect, Interest::default()).await?);
    }
    let follower = match args.follow {
        true => {
            let types = vec![args.prefix.segments().chain(["*"]).collect()];
            Some(
                ServerClient::new::<R>(&args.connect, Interest { types, ..Interest::default() })
                    .await?,
            )
        }
        false => None,
    };
    let step = args
        .rate
        .map(|rate| Duration::from_secs_f64(args.batch as f64 * args.clients as f64 / rate));
    let start = Instant::now();
    let text = serde_json::Value::from("x".repeat(args.payload.saturating_sub(2)));
    let shared = Arc::new(Shared {
        prefix: args.prefix,
        types: args.types as u64,
        payload: (args.payload > 0).then(|| Payload::json(&text)).transpose()?,
        batch: args.batch,
        step,
        start,
        end: start + args.seconds,
        registered: AtomicU64::new(0),
        told: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        next: AtomicU64::new(0),
        answers: histogram()?,
        notifications: histogram()?,
    });
    let (sender, ended) = bounded(servers.len());
    for (index, server) in servers.into_iter().enumerate() {
        let (shared, sender) = (shared.clone(), sender.clone());
        // not all at the same moment
        let offset = step.unwrap_or_default() * index as u32 / args.clients as u32;
        R::spawn(async move {
            let registered = register::<R>(&server, &shared, offset).await;
            server.client.close().await;
            // whoever waits has gone only when the command ends
            let _ = sender.send(registered).await;
        });
    }
    if let Some(follower) = follower {
        R::spawn(follow(follower, shared.clone()));
    }
    let bar = bar(args.seconds);
    let mut left = args.clients;
    let mut result = Ok(());
    while left > 0 {
        let next = interrupt.or(within::<R, _>(Duration::from_millis(200), ended.recv()));
        match next.await {
            Some(Some(Ok(Ok(())))) => left -= 1,
            Some(Some(Ok(Err(error)))) => {
                left -= 1;
                shared.stop.store(true, Ordering::Relaxed);
                result = Err(error);
            }
            Some(Some(Err(_))) => bail!("a part of the load ended without a result"),
            Some(None) => {
                let registered = shared.registered.load(Ordering::Relaxed);
                let time = start.elapsed();
                bar.set_position((time.as_secs_f64() * 10.0) as u64);
                bar.set_message(format!(
                    "{registered} events, {:.0} events/s",
                    registered as f64 / time.as_secs_f64()
                ));
            }
            None => shared.stop.store(true, Ordering::Relaxed),
        }
    }
    bar.finish_and_clear();
    let time = start.elapsed();
    if args.follow {
        let all_told = async {
            while shared.told.load(Ordering::Relaxed) < shared.registered.load(Ordering::Relaxed) {
                sleep::<R>(Duration::from_millis(5)).await;
            }
        };
        // who is missing then is told in the summary
        let _ = within::<R, _>(PATIENCE, all_told).await;
    }
    summarize(&shared, time, args.follow, args.format)?;
    result
}

/// One session after the other.
async fn register<R: Runtime>(
    server: &ServerClient,
    shared: &Shared,
    offset: Duration,
) -> Result<()> {
    let mut due = shared.start + offset;
    loop {
        if let Some(step) = shared.step {
            sleep::<R>(due.saturating_duration_since(Instant::now())).await;
            if due >= shared.end || shared.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            due += step;
        }
        let now = Instant::now();
        if now >= shared.end || shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let since = shared.step.map_or(now, |step| due - step);
        let events: Vec<_> = (0..shared.batch).map(|_| shared.event()).collect();
        let answer = server.client.register_with_response(&events).await;
        let answer = answer.map_err(|error| Failure::of_request(&server.address, error))?;
        answer.ok_or(Failure::NotRegistered)?;
        shared.registered.fetch_add(events.len() as u64, Ordering::Relaxed);
        record(&shared.answers, since.elapsed());
    }
}

impl Shared {
    fn event(&self) -> RegisterEvent {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % self.types;
        let event_type = self.prefix.segments().chain([&*number.to_string()]).collect();
        RegisterEvent {
            event_type,
            // from here to the follower: one clock, for both are here
            source_timestamp: Some(hat_core::eventer::Timestamp::now()),
            payload: self.payload.clone(),
        }
    }
}

/// Counts how long events took until they were told.
async fn follow(server: ServerClient, shared: Arc<Shared>) {
    while let Ok(next) = server.client.next().await {
        let Notification::Events(events) = next else { continue };
        let now = hat_core::eventer::Timestamp::now().as_secs_f64();
        for event in events.iter() {
            if let Some(source) = event.source_timestamp {
                let took = (now - source.as_secs_f64()).max(0.0);
                record(&shared.notifications, Duration::from_secs_f64(took));
            }
        }
        shared.told.fetch_add(events.len() as u64, Ordering::Relaxed);
    }
}

fn record(histogram: &Mutex<Histogram<u64>>, time: Duration) {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    // it grows for any time; `saturating_record` would cut every time to what it has room for
    let recorded = histogram.lock().unwrap_or_else(PoisonError::into_inner).record(micros);
    debug_assert!(recorded.is_ok());
}

fn bar(time: Duration) -> ProgressBar {
    let tenths = (time.as_secs_f64() * 10.0) as u64;
    progress::bar(progress::is_shown(false), tenths, "{bar:30} {elapsed}, {msg}")
}

/// The percentiles that are shown, by name.
const SHOWN: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];

fn summarize(shared: &Shared, time: Duration, follow: bool, format: LoadFormat) -> Result<()> {
    let registered = shared.registered.load(Ordering::Relaxed);
    let told = shared.told.load(Ordering::Relaxed);
    let rate = registered as f64 / time.as_secs_f64();
    let answers = shared.answers.lock().unwrap_or_else(PoisonError::into_inner);
    let notifications = shared.notifications.lock().unwrap_or_else(PoisonError::into_inner);
    let millis = |histogram: &Histogram<u64>, percentile| {
        histogram.value_at_percentile(percentile) as f64 / 1e3
    };
    if format == LoadFormat::Json {
        let all = |histogram: &Histogram<u64>| {
            let values = SHOWN.map(|(name, at)| (name.to_owned(), json!(millis(histogram, at))));
            serde_json::Value::from(serde_json::Map::from_iter(values))
        };
        let mut line = json!({
            "events": registered,
            "sessions": answers.len(),
            "seconds": time.as_secs_f64(),
            "events_per_second": rate,
            "answer_ms": all(&answers),
        });
        if follow {
            (line["told_events"], line["told_ms"]) = (json!(told), all(&notifications));
        }
        return output::print(&line.to_string());
    }
    let row = |name: &str, histogram: &Histogram<u64>| {
        let values = SHOWN.map(|(name, at)| format!("{name} {:.2} ms", millis(histogram, at)));
        format!("{name:<11} {}", values.join(", "))
    };
    output::print(&format!(
        "registered  {registered} events in {} sessions in {:.1} s: {rate:.0} events/s",
        answers.len(),
        time.as_secs_f64()
    ))?;
    output::print(&row("answered", &answers))?;
    if follow {
        output::print(&row("told", &notifications))?;
        if told < registered {
            say(&format!("note: {} events were not notified in time", registered - told));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_length_are_counted() {
        let histogram = Mutex::new(Histogram::new(DIGITS).expect("digits"));
        for millis in [1, 10, 100, 5_000, 3_600_000] {
            record(&histogram, Duration::from_millis(millis));
        }
        let histogram = histogram.into_inner().expect("no panic");
        assert_eq!(histogram.len(), 5);
        let near = |percentile, millis: f64| {
            let value = histogram.value_at_percentile(percentile) as f64 / 1e3;
            assert!((value / millis - 1.0).abs() < 0.002, "{value} ms of {millis}");
        };
        near(100.0, 3_600_000.0);
        near(80.0, 5_000.0);
        near(20.0, 1.0);
    }
}
