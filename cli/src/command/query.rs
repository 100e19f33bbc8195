//! `hat query`.

use anyhow::Result;
use hat_aio::Runtime;
use hat_core::eventer::{
    Event, EventId, EventType, LatestParams, QueryParams, ServerParams, Subscription,
    TimeseriesParams,
};

use crate::args::{ConnectArgs, OutputArgs, PageArgs, QueryCommand};
use crate::client::{Connected, Wanted};
use crate::exit::{Failure, say};
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
                event_types: types(args.types)?,
                t_from: args.from,
                t_to: args.to,
                source_t_from: args.source_from,
                source_t_to: args.source_to,
                order: args.order,
                order_by: args.order_by,
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

/// Asks, once or until nothing follows, and prints the answer.
async fn ask<R: Runtime>(
    connect: &ConnectArgs,
    output: OutputArgs,
    all: bool,
    mut params: QueryParams,
) -> Result<()> {
    let server = Connected::new::<R>(connect, Wanted::default()).await?;
    let mut events: Vec<Event> = Vec::new();
    let more = loop {
        let result = server.query(&params).await?;
        let last = result.events.last().map(|event| event.id);
        events.extend(result.events);
        match last {
            Some(last) if all && result.more_follows => go_on_after(&mut params, last),
            _ => break result.more_follows,
        }
    };
    Output::new(output).all_events(&events)?;
    if more {
        let after =
            events.last().map(|event| event.id).map(|EventId { server, session, instance }| {
                format!(", for example with --last-event-id {server},{session},{instance} or --all")
            });
        say(&format!("note: more follows; ask for it{}", after.unwrap_or_default()));
    }
    server.client.close().await;
    Ok(())
}

fn go_on_after(params: &mut QueryParams, last: EventId) {
    match params {
        QueryParams::Latest(_) => {}
        QueryParams::Timeseries(params) => params.last_event_id = Some(last),
        QueryParams::Server(params) => params.last_event_id = Some(last),
    }
}
