//! `hat subscribe`.

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::eventer::{Notification, ReconnectOptions, Stopped, Update, keep_connected};
use hat_core::eventer::reconnect::{CatchUpConfig, OnRejection, RetryConfig};
use hat_core::eventer::{Event, EventType, Status, Subscription};

use crate::args::SubscribeArgs;
use crate::client::{Connected, Wanted, client_options, refusal};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) async fn subscribe<R: Runtime>(args: SubscribeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let all = || vec![EventType::from_segments(["*"])];
    let types = if args.types.is_empty() { all() } else { args.types.clone() };
    Subscription::new(&types).map_err(|error| Failure::Input(error.to_string()))?;
    let wanted = Wanted { types, server_id: args.server_id, persisted: args.persisted };
    let mut printer = Printer {
        output: Output::new(args.output),
        status: args.status,
        left: args.count.unwrap_or(usize::MAX),
    };
    if args.reconnect {
        follow_on::<R>(&args, wanted, &interrupt, &mut printer).await
    } else {
        follow_once::<R>(&args, wanted, &interrupt, &mut printer).await
    }
}

/// What is printed of what a server tells.
struct Printer {
    output: Output,
    status: bool,
    /// Events that are still wanted.
    left: usize,
}

impl Printer {
    fn status(&mut self, status: Status) -> Result<()> {
        if self.status { self.output.status(status) } else { Ok(()) }
    }

    fn events(&mut self, events: &[Event]) -> Result<()> {
        let printed = &events[..events.len().min(self.left)];
        self.left -= printed.len();
        self.output.events(printed)
    }
}

/// One connection, to its end.
async fn follow_once<R: Runtime>(
    args: &SubscribeArgs,
    wanted: Wanted,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<()> {
    let Some(server) = interrupt.or(Connected::new::<R>(&args.connect, wanted)).await else {
        return Ok(());
    };
    let server = server?;
    printer.status(server.client.status())?;
    while printer.left > 0
        && let Some(next) = interrupt.or(server.next()).await
    {
        match next? {
            Notification::Status(status) => printer.status(status)?,
            Notification::Events(events) => printer.events(&events)?,
        }
    }
    server.client.close().await;
    Ok(())
}

/// One connection after the other.
async fn follow_on<R: Runtime>(
    args: &SubscribeArgs,
    wanted: Wanted,
    interrupt: &Interrupt,
    printer: &mut Printer,
) -> Result<()> {
    let (address, name) = (args.connect.connect.clone(), args.connect.name.clone());
    let options = ReconnectOptions {
        client: client_options(&args.connect, wanted)?,
        // a person can mend the token
        retry: RetryConfig { on_rejection: OnRejection::Stop, ..RetryConfig::default() },
        catch_up: Some(CatchUpConfig::default()),
        ..ReconnectOptions::default()
    };
    let client = keep_connected::<R>(address, name, options).await;
    let client = client.map_err(|error| Failure::Input(error.to_string()))?;
    while printer.left > 0
        && let Some(next) = interrupt.or(client.next()).await
    {
        match next {
            Ok(update) => print(update, args, printer)?,
            Err(Stopped::GaveUp(error)) => {
                return Err(refusal(args.connect.connect.clone(), error));
            }
            Err(_) => break,
        }
    }
    client.close().await;
    Ok(())
}

fn print(update: Update, args: &SubscribeArgs, printer: &mut Printer) -> Result<()> {
    match update {
        Update::Connected(status) | Update::Status(status) => printer.status(status),
        Update::Events(events) => printer.events(&events),
        Update::CaughtUp { gap: Some(gap), .. } => {
            say(&format!("events of the outage may be missing: {gap}"));
            Ok(())
        }
        Update::Disconnected { reason, retry_in: Some(time) } => {
            let address = &args.connect.connect;
            let time = time.as_secs_f64();
            say(&format!("no connection to {address}: {reason}; trying again in {time:.1} s"));
            Ok(())
        }
        _ => Ok(()),
    }
}
