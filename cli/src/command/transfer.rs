//! `hat export`, `hat import` and `hat replay`: events out of a server, and into one.

use std::collections::{BTreeSet, VecDeque};

use anyhow::Result;
use hat_aio::Runtime;
use hat_core::eventer::{
    Event, EventId, EventType, LatestParams, Order, Pages, QueryResult, Subscription,
    TimeseriesParams, Timestamp,
};

use super::input::{Form, Pace, items_of};
use super::pipeline::Pipeline;
use crate::args::{
    ConnectArgs, ExportArgs, ExportFormat, Format, ImportArgs, OutputArgs, ReplayArgs, WhichArgs,
};
use crate::client::{Interest, PLACE_LOST, QueryOutcome, ServerClient};
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::progress;

/// All events, oldest first, page by page; those that the server keeps only as the latest of their
/// types, too, each in its place.
pub(crate) async fn export<R: Runtime>(args: ExportArgs) -> Result<()> {
    Subscription::new(&args.which.types).map_err(|error| Failure::Input(error.to_string()))?;
    let mut server = ServerClient::new::<R>(&args.connect, Interest::default()).await?;
    let format = match args.format {
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Csv => Format::Csv,
    };
    let mut output = Output::new(OutputArgs { format, path: None });
    let WhichArgs { types, from, to } = args.which;
    let event_types = (!types.is_empty()).then_some(types);
    let series = TimeseriesParams {
        event_types: event_types.clone(),
        t_from: from,
        t_to: to,
        order: Order::Ascending,
        ..TimeseriesParams::default()
    };
    let mut pages = Pages::new(series.into());
    let bar = progress::events(true, "exported");
    let mut count = 0;
    let interrupt = Interrupt::watch()?;
    let interrupted = |count| {
        bar.finish_and_clear();
        let text = format!("{count} events were exported: the export is not complete");
        anyhow::Error::from(Failure::Interrupted(text))
    };
    // before the series: what is the latest of its type later is in there
    let latest = latest::<R>(&mut server, &args.connect, event_types);
    let latest = interrupt.or(latest).await.ok_or_else(|| interrupted(0))??;
    let is_within =
        |at: Timestamp| from.is_none_or(|from| from <= at) && to.is_none_or(|to| at <= to);
    let mut latest = LatestOnly::new(latest, is_within);
    loop {
        let page = interrupt.or(server.next_page::<R>(&args.connect, &mut pages)).await;
        let page = page.ok_or_else(|| interrupted(count))??;
        let is_last = page.is_none();
        let events = match page {
            Some(page) => latest.merged_with(page.events),
            None => latest.rest(),
        };
        output.events(&events)?;
        count += events.len();
        bar.set_position(count as u64);
        if is_last {
            break;
        }
    }
    bar.finish_and_clear();
    server.client.close().await;
    say(&format!("{count} events exported"));
    if pages.place_lost() {
        return Err(anyhow::anyhow!("the export is not complete: {PLACE_LOST}"));
    }
    Ok(())
}

/// The latest event of each type. Nobody can ask for more of them than one response holds: then it
/// is said that some are not among these.
async fn latest<R: Runtime>(
    server: &mut ServerClient,
    connect: &ConnectArgs,
    event_types: Option<Vec<EventType>>,
) -> Result<Vec<Event>> {
    let params = LatestParams { event_types };
    let (events, reason) = match server.ask::<R>(connect, &params.into()).await? {
        QueryOutcome::Answer(QueryResult { events, more_follows: false }) => return Ok(events),
        QueryOutcome::Answer(QueryResult { events, .. }) => {
            (events, "they do not fit into one response".to_owned())
        }
        QueryOutcome::Ended(error) => (Vec::new(), error.to_string()),
    };
    say(&format!(
        "note: not all latest events are known ({reason}): those that the server keeps only as the \
         latest of their types may be missing; export fewer types at a time"
    ));
    Ok(events)
}

/// Latest events that a series need not have: the server has removed what is before them and after,
/// and has kept them for their types.
struct LatestOnly {
    /// In the order of the series.
    waiting: VecDeque<Event>,
    /// Those that were given before the series had come as far, as it seemed: some servers answer
    /// in another order for a moment.
    given: BTreeSet<EventId>,
}

impl LatestOnly {
    fn new(mut events: Vec<Event>, is_within: impl Fn(Timestamp) -> bool) -> Self {
        events.retain(|event| is_within(event.timestamp));
        events.sort_unstable_by_key(|event| (event.timestamp, event.id));
        Self { waiting: events.into(), given: BTreeSet::new() }
    }

    /// The next events of the series, with those that it should have between them.
    fn merged_with(&mut self, series: Vec<Event>) -> Vec<Event> {
        let mut merged = Vec::with_capacity(series.len());
        for event in series {
            let key = (event.timestamp, event.id);
            while let Some(before) =
                self.waiting.pop_front_if(|latest| (latest.timestamp, latest.id) < key)
            {
                self.given.insert(before.id);
                merged.push(before);
            }
            self.waiting.pop_front_if(|latest| latest.id == event.id);
            if !self.given.contains(&event.id) {
                merged.push(event);
            }
        }
        merged
    }

    /// Those behind the series.
    fn rest(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.waiting).into()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(session: i64) -> Event {
        Event {
            id: EventId::new(1, session, 1),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(session),
            source_timestamp: None,
            payload: None,
        }
    }

    fn sessions(events: Vec<Event>) -> Vec<i64> {
        events.into_iter().map(|event| event.id.session).collect()
    }

    #[test]
    fn a_latest_event_that_the_series_lacks_comes_in_its_place() {
        let of = |sessions: &[i64]| sessions.iter().copied().map(event).collect::<Vec<_>>();
        let mut latest = LatestOnly::new(of(&[9, 2, 4, 1, 7]), |at| at.s() > 1);
        assert_eq!(sessions(latest.merged_with(of(&[3, 4]))), [2, 3, 4]);
        assert_eq!(sessions(latest.merged_with(of(&[5, 8]))), [5, 7, 8]);
        // out of order: it was taken for one that is not there
        assert_eq!(sessions(latest.merged_with(of(&[7]))), [0_i64; 0]);
        assert_eq!(sessions(latest.rest()), [9]);
    }
}
