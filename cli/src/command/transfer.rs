//! `hat export`, `hat import` and `hat replay`: events out of a server, and into one.

use anyhow::Result;
use hat_aio::Runtime;
use hat_core::eventer::{Order, Pages, Subscription, TimeseriesParams};

use super::input::{Form, Pace, items_of};
use super::pipeline::Pipeline;
use crate::args::{
    ConnectArgs, ExportArgs, ExportFormat, Format, ImportArgs, OutputArgs, ReplayArgs,
};
use crate::client::{Interest, ServerClient};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress;

/// All events, oldest first, page by page.
pub(crate) async fn export<R: Runtime>(args: ExportArgs) -> Result<()> {
    Subscription::new(&args.which.types).map_err(|error| Failure::Input(error.to_string()))?;
    let mut server = ServerClient::new::<R>(&args.connect, Interest::default()).await?;
    let format = match args.format {
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Csv => Format::Csv,
    };
    let mut output = Output::new(OutputArgs { format, path: None });
    let mut pages = Pages::new(
        TimeseriesParams {
            event_types: (!args.which.types.is_empty()).then_some(args.which.types),
            t_from: args.which.from,
            t_to: args.which.to,
            order: Order::Ascending,
            ..TimeseriesParams::default()
        }
        .into(),
    );
    let bar = progress::events(true, "exported");
    let mut count = 0;
    let interrupt = Interrupt::watch()?;
    loop {
        let page = interrupt.or(server.next_page::<R>(&args.connect, &mut pages)).await;
        let Some(page) = page else {
            bar.finish_and_clear();
            let text = format!("{count} events were exported: the export is not complete");
            return Err(Failure::Interrupted(text).into());
        };
        let Some(page) = page? else { break };
        output.events(&page.events)?;
        count += page.events.len();
        bar.set_position(count as u64);
    }
    bar.finish_and_clear();
    server.client.close().await;
    say(&format!("{count} events exported"));
    if pages.place_lost() {
        let text = "the export is not complete: the server removed events meanwhile, or did not send what it said would follow";
        return Err(anyhow::anyhow!(text));
    }
    Ok(())
}

/// Events that were registered before, as fast as may be.
pub(crate) async fn import<R: Runtime>(args: ImportArgs) -> Result<()> {
    let ImportArgs { connect, file, times, pace } = args;
    let keep_going = pace.keep_going;
    let form = Form::Exported { times };
    let items = items_of(file.as_deref(), form, Pace::new(&pace))?;
    transfer::<R>(&connect, items, keep_going, "imported").await
}

/// The same, as they came before.
pub(crate) async fn replay<R: Runtime>(args: ReplayArgs) -> Result<()> {
    let ReplayArgs { connect, file, speed, max_pause, times, keep_going } = args;
    let pace = Pace::as_before(speed, max_pause, keep_going);
    let items = items_of(file.as_deref(), Form::Exported { times }, pace)?;
    transfer::<R>(&connect, items, keep_going, "replayed").await
}

async fn transfer<R: Runtime>(
    connect: &ConnectArgs,
    items: super::input::Items,
    keep_going: bool,
    what: &str,
) -> Result<()> {
    let server = ServerClient::new::<R>(connect, Interest::default()).await?;
    let count = Pipeline::new(&server, None, keep_going).run::<R>(items, true).await?;
    server.client.close().await;
    say(&format!("{count} events {what}"));
    Ok(())
}
