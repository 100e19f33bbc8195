//! Prints the events that were registered before, and says up to where.

use anyhow::Result;
use hat_aio::Runtime;
use hat_core::eventer::reconnect::{self, CatchUp, CatchUpConfig, Position};
use hat_core::eventer::{
    Event, EventId, EventType, Order, Pages, QueryParams, ServerParams, Subscription,
    TimeseriesParams, Timestamp,
};

use super::{Positions, Printer};
use crate::args::SubscribeArgs;
use crate::client::{self, PLACE_LOST, QueryOutcome, ServerClient, too_large};
use crate::exit::{Failure, say};

/// Prints the events that `args` ask for of those that are there already. Gives the last event of
/// each server: what comes after these is new.
///
/// The connection subscribes to nothing, and the positions are asked for first: an event that comes
/// meanwhile is after them, unless it was printed.
pub(super) async fn print<R: Runtime>(
    args: &SubscribeArgs,
    wanted: &client::Interest,
    printer: &mut Printer,
) -> Result<Positions> {
    let mut server = ServerClient::new::<R>(&args.connect, client::Interest::default()).await?;
    let mut positions = newest::<R>(&mut server, args, wanted).await?;
    let asks = |order, t_from, max_results| {
        let event_types = (!args.types.is_empty()).then(|| args.types.clone());
        TimeseriesParams { event_types, t_from, order, max_results, ..TimeseriesParams::default() }
    };
    if let Some(last) = args.last {
        let most = i64::try_from(last).unwrap_or(i64::MAX);
        let params = asks(Order::Descending, None, Some(most)).into();
        let mut events = Vec::new();
        all::<R>(&mut server, args, params, |page| {
            events.extend(page.into_iter().filter(|event| wants(args, &positions, event)));
            Ok(events.len() < last)
        })
        .await?;
        events.truncate(last);
        events.reverse();
        printer.events(&events)?;
    }
    if args.from.is_some() {
        let params = asks(Order::Ascending, args.from, None).into();
        all::<R>(&mut server, args, params, |page| {
            let wanted = page.into_iter().filter(|event| wants(args, &positions, event));
            let events: Vec<_> = wanted.collect();
            printer.events(&events)?;
            Ok(printer.left > 0)
        })
        .await?;
    }
    for &id in &args.after {
        let position = position_of::<R>(&mut server, args, id).await?;
        positions.insert(id.server, position);
    }
    server.client.close().await;
    if printer.left == 0 {
        // what is behind the last that was printed is still to come; a server whose last event is
        // before that has nothing there
        let last = printer.printed.values().map(|at| (at.timestamp, at.id)).max();
        positions.retain(|_, at| last.is_none_or(|last| (at.timestamp, at.id) < last));
        positions.extend(&printer.printed);
        return Ok(positions);
    }
    for (&id, &printed) in &printer.printed {
        let known = positions.entry(id).or_insert(printed);
        if known.id < printed.id {
            *known = printed;
        }
    }
    Ok(positions)
}

/// Of what a query in the order of time gives, which knows no servers, nor what is stored: what is
/// not, which is behind the position, is told once it is.
fn wants(args: &SubscribeArgs, positions: &Positions, event: &Event) -> bool {
    let stored = |at: &Position| event.id <= at.id;
    args.server_id.is_none_or(|server| server == event.id.server)
        && (!args.persisted || positions.get(&event.id.server).is_none_or(stored))
}

/// The last event of each server that registered any lately, or of the one that is wanted.
async fn newest<R: Runtime>(
    server: &mut ServerClient,
    args: &SubscribeArgs,
    wanted: &client::Interest,
) -> Result<Positions> {
    let subscription = Subscription::new(&wanted.types);
    let subscription = subscription.map_err(|error| Failure::Input(error.to_string()))?;
    let (server_id, persisted) = (wanted.server_id, wanted.persisted);
    let wanted = reconnect::Interest { subscription, server_id, persisted };
    let mut catch_up = CatchUp::<()>::new(CatchUpConfig::default(), wanted, []);
    catch_up.position();
    while let Some(params) = catch_up.query() {
        match server.ask::<R>(&args.connect, &params).await? {
            QueryOutcome::Answer(result) => {
                catch_up.answered(result);
            }
            QueryOutcome::Ended(error) => {
                catch_up.failed(too_large(&error));
                catch_up.position();
            }
        }
    }
    if catch_up.needs_position() {
        let text = "the server does not report its last event: start without --state, --last, --from and --after";
        return Err(Failure::Input(text.into()).into());
    }
    Ok(catch_up.positions().map(|position| (position.id.server, position)).collect())
}

/// All pages of an answer, until `take` has enough.
async fn all<R: Runtime>(
    server: &mut ServerClient,
    args: &SubscribeArgs,
    params: QueryParams,
    mut take: impl FnMut(Vec<Event>) -> Result<bool>,
) -> Result<()> {
    let mut pages = Pages::new(params);
    while let Some(page) = server.next_page::<R>(&args.connect, &mut pages).await? {
        if !take(page.events)? {
            return Ok(());
        }
    }
    if pages.place_lost() {
        say(&format!("events may be missing: {PLACE_LOST}"));
    }
    Ok(())
}

/// The position of an event: where the server does not have it, what is later by its id is new, and
/// a gap will be told.
async fn position_of<R: Runtime>(
    server: &mut ServerClient,
    args: &SubscribeArgs,
    id: EventId,
) -> Result<Position> {
    if id.session < 1 || id.instance < 1 {
        return Ok(Position { id, ..Position::start(id.server) });
    }
    let params = ServerParams {
        server_id: id.server,
        persisted: false,
        max_results: Some(1),
        last_event_id: Some(EventId { instance: id.instance - 1, ..id }),
    };
    let found = match server.ask::<R>(&args.connect, &params.into()).await? {
        QueryOutcome::Answer(result) => result.events.into_iter().find(|event| event.id == id),
        QueryOutcome::Ended(_) => None,
    };
    Ok(found.map_or(Position { id, timestamp: Timestamp::now() }, |event| (&event).into()))
}

/// For the state: types as text.
pub(super) fn texts(types: &[EventType]) -> Vec<String> {
    types.iter().map(ToString::to_string).collect()
}
