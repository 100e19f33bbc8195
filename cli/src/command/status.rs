//! `hat status`.

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::eventer::Notification;

use crate::args::StatusArgs;
use crate::client::{Connected, Wanted};
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) async fn status<R: Runtime>(args: StatusArgs) -> Result<()> {
    let interrupt = args.watch.then(Interrupt::watch).transpose()?;
    let server = Connected::new::<R>(&args.connect, Wanted::default()).await?;
    let mut output = Output::new(args.output);
    output.status(server.client.status())?;
    if let Some(interrupt) = interrupt {
        while let Some(next) = interrupt.or(server.next()).await {
            if let Notification::Status(status) = next? {
                output.status(status)?;
            }
        }
    }
    server.client.close().await;
    Ok(())
}
