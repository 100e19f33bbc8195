//! `hat subscribe`.

use anyhow::Result;
use hat_core::aio::Runtime;
use hat_core::aio::eventer::Notification;
use hat_core::eventer::{EventType, Subscription};

use crate::args::SubscribeArgs;
use crate::client::{Connected, Wanted};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) async fn subscribe<R: Runtime>(args: SubscribeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let all = || vec![EventType::from_segments(["*"])];
    let types = if args.types.is_empty() { all() } else { args.types };
    Subscription::new(&types).map_err(|error| Failure::Input(error.to_string()))?;
    let wanted = Wanted { types, server_id: args.server_id, persisted: args.persisted };
    let Some(server) = interrupt.or(Connected::new::<R>(&args.connect, wanted)).await else {
        return Ok(());
    };
    let server = server?;
    let mut output = Output::new(args.output);
    if args.status {
        output.status(server.client.status())?;
    }
    let mut left = args.count.unwrap_or(usize::MAX);
    while left > 0
        && let Some(next) = interrupt.or(server.next()).await
    {
        match next? {
            Notification::Status(status) if args.status => output.status(status)?,
            Notification::Status(_) => {}
            Notification::Events(events) => {
                let printed = &events[..events.len().min(left)];
                output.events(printed)?;
                left -= printed.len();
            }
        }
    }
    server.client.close().await;
    Ok(())
}
