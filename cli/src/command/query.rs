//! `hat query`: events that were registered, in one answer or page by page.

use anyhow::Result;
use hat_aio::Runtime;
use hat_core::eventer::{
    EventId, EventType, LatestParams, Pages, QueryParams, ServerParams, Subscription,
    TimeseriesParams,
};

use crate::args::{ConnectArgs, OutputArgs, PageArgs, QueryCommand};
use crate::client::{Interest, PLACE_LOST, Page, ServerClient};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::Output;

pub(crate) async fn query<R: Runtime>(command: QueryCommand) -> Result<()> {
    match command {
        QueryCommand::Latest(args) => {
            let params = LatestParams { event_types: types(args.types)? };
            ask::<R>(&args.connect, args.output, false, params.into()).await
        }
        QueryCommand::Timeseries(args) => {
            let PageArgs { max_results, last_event_id, all } = args.page;
            let params = TimeseriesParams {
                event_types: types(args.which.types)?,
                t_from: args.which.from,
                t_to: args.which.to,
                source_t_from: args.source_from,
                source_t_to: args.source_to,
                order: args.order.into(),
                order_by: args.order_by.into(),
                max_results,
                last_event_id,
            };
            ask::<R>(&args.connect, args.output, all, params.into()).await
        }
        QueryCommand::Server(args) => {
            let PageArgs { max_results, last_event_id, all } = args.page;
            let (server_id, persisted) = (args.server_id, args.persisted);
            if last_event_id.is_some_and(|last| last.server != server_id) {
                let text = format!("--last-event-id must be an event of server {server_id}");
                return Err(Failure::Input(text).into());
            }
            let params = ServerParams { server_id, persisted, max_results, last_event_id };
            ask::<R>(&args.connect, args.output, all, params.into()).await
        }
    }
}

/// Types to ask for: without any, all.
fn types(types: Vec<EventType>) -> Result<Option<Vec<EventType>>> {
    Subscription::new(&types).map_err(|error| Failure::Input(error.to_string()))?;
    Ok((!types.is_empty()).then_some(types))
}

/// Asks, once or until nothing follows, and prints the answer: as it comes where there may be many
/// pages.
async fn ask<R: Runtime>(
    connect: &ConnectArgs,
    output: OutputArgs,
    all: bool,
    params: QueryParams,
) -> Result<()> {
    let mut output = Output::new(output);
    let mut server = ServerClient::new::<R>(connect, Interest::default()).await?;
    let mut pages = Pages::new(params.clone());
    let mut last = None;
    let interrupt = Interrupt::watch()?;
    let more = loop {
        let page = interrupt.or(server.next_page::<R>(connect, &mut pages)).await;
        let page =
            page.ok_or_else(|| Failure::Interrupted("the result is not complete".to_owned()))??;
        let Some(page) = page else { break false };
        let Page { events, more_follows } = page;
        last = events.last().map(|event| event.id).or(last);
        if !all {
            output.all_events(&events)?;
            break more_follows;
        }
        output.events(&events)?;
        if more_follows && pages.query().is_none() {
            break true;
        }
    };
    if pages.place_lost() {
        say(&format!("note: events may be missing between one page and the next: {PLACE_LOST}"));
    }
    if more {
        say(&more_follows(&params, last.filter(|_| !all)));
    }
    server.client.close().await;
    Ok(())
}

/// How to ask for what was not in the answer, behind the event `last` where there is a choice.
fn more_follows(params: &QueryParams, last: Option<EventId>) -> String {
    if let QueryParams::Latest(_) = params {
        return "note: the server has more latest events than fit into one response: name the \
                types that you need, and fewer of them"
            .into();
    }
    let after = last.map(|EventId { server, session, instance }| {
        format!(", for example with --last-event-id {server},{session},{instance} or --all")
    });
    format!("note: more events follow; query them{}", after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_to_do_can_be_done() {
        let last = Some(EventId::new(1, 2, 3));
        let latest = more_follows(&LatestParams::default().into(), last);
        assert!(latest.contains("name the types") && !latest.contains("--"), "{latest}");
        let others = more_follows(&TimeseriesParams::default().into(), last);
        assert!(others.ends_with("--last-event-id 1,2,3 or --all"), "{others}");
    }
}
