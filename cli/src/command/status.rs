//! `hat status`: the server's status, and its changes.

use anyhow::Result;
use hat_aio::Runtime;
use hat_aio::eventer::Notification;

use crate::args::{Format, OutputArgs, StatusArgs, StatusFormat};
use crate::client::{Interest, ServerClient};
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) async fn status<R: Runtime>(args: StatusArgs) -> Result<()> {
    let interrupt = args.watch.then(Interrupt::watch).transpose()?;
    let server = ServerClient::new::<R>(&args.connect, Interest::default()).await?;
    let format = match args.format {
        StatusFormat::Jsonl => Format::Jsonl,
        StatusFormat::Table => Format::Table,
    };
    let mut output = Output::new(OutputArgs { format, path: None });
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
