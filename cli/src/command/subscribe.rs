//! `hat subscribe`: events as they are registered, and what was registered before.
//!
//! ```text
//! state file, or history ──> positions ──> what came since, what comes ──> printer ──> reader
//!                                                                                         │
//!                                                           state file <── what it has taken
//! ```

#[cfg_attr(not(unix), path = "subscribe/no_delivery.rs")]
mod delivery;
mod history;
mod state;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::eventer::{
    ConnectError, ReconnectOptions, ReconnectingClient, StopReason, Update, keep_connected,
};
use hat_core::eventer::reconnect::{CatchUpConfig, Gap, OnRejection, Position, RetryConfig};
use hat_core::eventer::{Event, EventType, Status, Subscription};

use crate::args::SubscribeArgs;
use crate::client::{Interest, client_options, refusal};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::runtime::{sleep, within};
use delivery::Delivery;
use state::State;

/// How often a pipe is asked whether its reader has taken what was printed.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How long a state may be older than what was printed while one event follows the other: each time
/// that it is saved, the disk syncs.
const SAVE_AGAIN: Duration = Duration::from_secs(1);

/// So long a reader has at the end.
const LAST_READ: Duration = Duration::from_secs(5);

/// The last event that was printed, or is known, of each server.
type Positions = BTreeMap<i64, Position>;

pub(crate) async fn subscribe<R: Runtime>(args: SubscribeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let all = || vec![EventType::from_segments(["*"])];
    let types = if args.types.is_empty() { all() } else { args.types.clone() };
    Subscription::new(&types).map_err(|error| Failure::Input(error.to_string()))?;
    let wanted = Interest { types, server_id: args.server_id, persisted: args.persisted };
    let state = args.state.as_deref().map(|path| State::open(path, &wanted)).transpose()?;
    let mut printer = Printer {
        output: Output::new(args.output.clone()),
        status: args.status,
        left: args.count.unwrap_or(usize::MAX),
        printed: Positions::new(),
        state,
        delivery: Delivery::new(),
        pace: SavePace::new(Instant::now()),
    };
    let followed = follow::<R>(&args, wanted, &interrupt, &mut printer).await;
    // nobody is left to take what was printed: the next run prints it again
    if let Err(error) = &followed
        && let Some(Failure::OutputClosed) = error.downcast_ref()
    {
        return followed;
    }
    // whatever else ended it: what was printed was printed
    let saved = printer.save_last::<R>().await;
    followed.and(saved)
}

/// What is printed of what a server tells.
struct Printer {
    output: Output,
    status: bool,
    /// Events that are still wanted.
    left: usize,
    /// The last of them, of each server.
    printed: Positions,
    state: Option<State>,
    delivery: Delivery,
    pace: SavePace,
}

/// When the state is to be saved before something is printed.
struct SavePace {
    asked: Instant,
    saved: Instant,
}

impl SavePace {
    fn new(now: Instant) -> Self {
        Self { asked: now, saved: now }
    }

    /// Whether to ask now if what was printed has arrived.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.saved + SAVE_AGAIN && now >= self.asked + ASK_AGAIN;
        if is_due {
            self.asked = now;
        }
        is_due
    }
}

impl Printer {
    fn status(&mut self, status: Status) -> Result<()> {
        if self.status { self.output.status(status) } else { Ok(()) }
    }

    fn events(&mut self, events: &[Event]) -> Result<()> {
        let printed = &events[..events.len().min(self.left)];
        self.output.events(printed)?;
        self.left -= printed.len();
        for event in printed {
            self.printed.insert(event.id.server, event.into());
        }
        if let Some(state) = &mut self.state
            && !printed.is_empty()
        {
            state.note(self.printed.values().copied());
        }
        Ok(())
    }

    /// Saves the state once all that was printed has arrived. Gives whether there is nothing left
    /// to save.
    fn save(&mut self) -> Result<bool> {
        let Some(state) = self.state.as_mut().filter(|state| state.is_dirty()) else {
            return Ok(true);
        };
        if !self.delivery.is_complete()? {
            return Ok(false);
        }
        state.save()?;
        self.pace.saved = Instant::now();
        Ok(true)
    }

    /// The same before something is printed: a reader that keeps up has emptied the pipe since the
    /// last time, and right after a line it has not.
    fn save_before(&mut self) -> Result<()> {
        if self.pace.is_due(Instant::now()) {
            self.save()?;
        }
        Ok(())
    }

    /// The same at the end, for which a reader has some time.
    async fn save_last<R: Runtime>(&mut self) -> Result<()> {
        let start = Instant::now();
        while !self.save()? {
            if start.elapsed() >= LAST_READ {
                say(&format!(
                    "note: the last lines were not read within {} s: the state does not cover them, \
                     and the next run prints them again",
                    LAST_READ.as_secs()
                ));
                return Ok(());
            }
            sleep::<R>(ASK_AGAIN / 10).await;
        }
        Ok(())
    }
}

/// Prints what there is to print, until there is a reason to end.
async fn follow<R: Runtime>(
    args: &SubscribeArgs,
    wanted: Interest,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<()> {
    let begins = args.last.is_some() || args.from.is_some() || !args.after.is_empty();
    let known = printer.state.as_ref().and_then(State::known);
    let from_history = known.is_none() && (begins || printer.state.is_some());
    let known = if from_history {
        match interrupt.or(history::print::<R>(args, &wanted, printer)).await {
            Some(known) => Some(known?),
            None => return Ok(()),
        }
    } else {
        known
    };
    if let (Some(state), Some(known)) = (&mut printer.state, &known) {
        state.note(known.values().copied());
    }
    printer.save()?;
    if printer.left == 0 {
        return Ok(());
    }
    let catches_up = args.reconnect || known.is_some();
    let retry = RetryConfig {
        // a person can mend the token
        on_rejection: OnRejection::Stop,
        max_failures: if args.reconnect { None } else { Some(0) },
        ..RetryConfig::default()
    };
    let options = ReconnectOptions {
        client: client_options(&args.connect, wanted)?,
        alternatives: args.alternative.clone(),
        retry,
        catch_up: catches_up.then(CatchUpConfig::default),
        from_nothing: known.as_ref().is_some_and(Positions::is_empty),
        seen: known.into_iter().flat_map(Positions::into_values).collect(),
        ..ReconnectOptions::default()
    };
    let (address, name) = (args.connect.address(), args.connect.name());
    let client = keep_connected::<R>(address, name, options).await;
    let client = client.map_err(|error| Failure::Input(error.to_string()))?;
    let caught_up = updates::<R>(&client, args, interrupt, printer).await?;
    if catches_up && !caught_up {
        tell_gap::<R>(&client, args).await;
    }
    client.close().await;
    Ok(())
}

/// Enough have come before it was known whether any are missing: waits to say so.
async fn tell_gap<R: Runtime>(client: &ReconnectingClient, args: &SubscribeArgs) {
    let gap = async {
        loop {
            match client.next().await {
                Ok(Update::CaughtUp { gap, .. }) => return Some(gap),
                Ok(Update::Disconnected { .. }) | Err(_) => return None,
                // for the next run
                Ok(_) => {}
            }
        }
    };
    match within::<R, _>(args.connect.timeout(), gap).await.flatten() {
        Some(None) => {}
        Some(Some(gap)) => say_gap(&gap),
        None => {
            say("note: events may be missing: the queries for earlier events were not completed");
        }
    }
}

fn say_gap(gap: &Gap) {
    say(&format!("events of the outage may be missing: {gap}"));
}

/// Prints updates, until enough have come, none comes, or somebody asks for the end. Gives whether
/// it is known, and told, if events are missing.
async fn updates<R: Runtime>(
    client: &ReconnectingClient,
    args: &SubscribeArgs,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<bool> {
    // once it was
    let mut connected = false;
    let mut caught_up = false;
    // from the first connection on: that none comes is no sign that no event does
    let mut last = Instant::now();
    // the longest that one write waited, of this connection
    let mut blocked = Duration::ZERO;
    while printer.left > 0 {
        // the file is written where there is time for it
        let next = match smol::future::poll_once(client.next()).await {
            Some(next) => next,
            None => {
                let next = interrupt.or(next::<R>(client, printer));
                let next = match args.idle_timeout {
                    None => next.await,
                    Some(idle) => {
                        let time = match connected {
                            true => idle,
                            false => idle.max(connect_limit(args)),
                        };
                        match within::<R, _>(time.saturating_sub(last.elapsed()), next).await {
                            Some(next) => next,
                            None if !connected => {
                                let address = args.connect.address();
                                return Err(Failure::TimedOut { address, time }.into());
                            }
                            None => return idle_end(args, printer).map(|()| caught_up),
                        }
                    }
                };
                match next {
                    Some(next) => next?,
                    None => return Ok(true),
                }
            }
        };
        match next {
            Ok(update) => {
                match update {
                    Update::Connected(_) => {
                        if !connected {
                            last = Instant::now();
                        }
                        (connected, caught_up, blocked) = (true, false, Duration::ZERO);
                    }
                    Update::Disconnected { .. } => say_blocked(blocked),
                    Update::CaughtUp { .. } => caught_up = true,
                    _ => {}
                }
                if matches!(update, Update::Events(_)) {
                    last = Instant::now();
                }
                printer.save_before()?;
                let start = Instant::now();
                print(update, args, printer)?;
                blocked = blocked.max(start.elapsed());
            }
            Err(StopReason::GaveUp(error)) => {
                say_blocked(blocked);
                return Err(ended(args, error, connected));
            }
            Err(_) => return Ok(true),
        }
    }
    Ok(caught_up)
}

/// The next update; until it comes, the state is saved as soon as it may be.
async fn next<R: Runtime>(
    client: &ReconnectingClient,
    printer: &mut Printer,
) -> Result<Result<Update, StopReason>> {
    while !printer.save()? {
        if let Some(next) = within::<R, _>(ASK_AGAIN, client.next()).await {
            return Ok(next);
        }
    }
    Ok(client.next().await)
}

/// While nobody reads what is printed, nothing is read from the server either, which has a limit to
/// what it keeps for a client.
fn say_blocked(blocked: Duration) {
    if blocked >= Duration::from_secs(1) {
        say(&format!(
            "note: the output was not read for {:.1} s: the server may have closed the connection because of that",
            blocked.as_secs_f64()
        ));
    }
}

/// So long the first connection may take: a little more than an attempt has.
fn connect_limit(args: &SubscribeArgs) -> Duration {
    args.connect.timeout().saturating_add(Duration::from_secs(2))
}

fn idle_end(args: &SubscribeArgs, printer: &Printer) -> Result<()> {
    let idle = args.idle_timeout.unwrap_or_default().as_secs_f64();
    match args.count {
        Some(count) => {
            Err(Failure::Idle { came: count - printer.left, count, seconds: idle }.into())
        }
        None => Ok(()),
    }
}

/// Why there is no connection any more, or never was one.
fn ended(args: &SubscribeArgs, error: ConnectError, connected: bool) -> anyhow::Error {
    let address = args.connect.address();
    match error {
        ConnectError::Ended(error) if connected => Failure::Ended { address, error }.into(),
        error => refusal(address, error),
    }
}

fn print(update: Update, args: &SubscribeArgs, printer: &mut Printer) -> Result<()> {
    match update {
        Update::Connected(status) | Update::Status(status) => printer.status(status),
        Update::Events(events) => printer.events(&events),
        Update::CaughtUp { gap: Some(gap), .. } => {
            say_gap(&gap);
            Ok(())
        }
        Update::Disconnected { reason, retry_in: Some(time) } => {
            let address = args.connect.address();
            let time = time.as_secs_f64();
            say(&format!("no connection to {address}: {reason}; trying again in {time:.1} s"));
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_without_a_pause_is_saved_once_a_second() {
        let start = Instant::now();
        let mut pace = SavePace::new(start);
        let times = (1..=300).map(|step| start + step * Duration::from_millis(10));
        let saved = times.filter(|now| {
            let is_due = pace.is_due(*now);
            if is_due {
                pace.saved = *now;
            }
            is_due
        });
        assert_eq!(saved.count(), 3);
        // the reader has not taken it yet: it is asked again soon
        let mut pace = SavePace::new(start);
        let at = |millis| start + Duration::from_millis(millis);
        assert!(pace.is_due(at(1_000)) && !pace.is_due(at(1_099)) && pace.is_due(at(1_100)));
    }
}
