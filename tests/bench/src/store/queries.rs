//! Queries over many events.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hat_aio::eventer::Client;
use hat_core::eventer::{
    EventId, EventType, LatestParams, Order, OrderBy, QueryParams, ServerParams, TimeseriesParams,
};

use super::{batches, clients, register};
use crate::eventer::events;
use crate::side;

/// A client that fills a server, and asks.
#[derive(Args, Clone, Debug)]
pub(super) struct Drive {
    port: u16,
    events: usize,
    folder: PathBuf,
}

const TYPES: usize = 1_000;
/// Times that a query is asked; a slow one fewer.
const TIMES: usize = 31;

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let batches = batches(TYPES, TYPES);
    let client = clients::connected(drive.port, &batches[0][..1]).await?;
    let mut ids = Vec::new();
    for _ in 0..(drive.events / TYPES).max(1) {
        let answer = client.register_with_response(&batches[0]).await?.unwrap_or_default();
        ids.extend(answer.last().map(|event| event.id));
    }
    let last = ids[ids.len() - 1];
    register::stored(&client, last).await?;
    side::ready();
    let newest = |types: Option<Vec<EventType>>, most| TimeseriesParams {
        event_types: types,
        order: Order::Descending,
        max_results: Some(most),
        ..TimeseriesParams::default()
    };
    let one = || Some(vec![events::event_type(500)]);
    let middle = ids[ids.len() / 2];
    let server = ServerParams {
        server_id: last.server,
        persisted: false,
        max_results: None,
        last_event_id: Some(EventId::new(last.server, middle.session, 0)),
    };
    let types = (0..TYPES).map(events::event_type).collect();
    let queries: [(&str, QueryParams); 9] = [
        ("type", newest(one(), 100).into()),
        ("newest", newest(None, 100).into()),
        ("page", newest(None, 4_096).into()),
        ("all", newest(one(), 1 << 40).into()),
        ("none", newest(Some(vec![EventType::from_segments(["none"])]), 100).into()),
        (
            "source",
            TimeseriesParams { order_by: OrderBy::SourceTimestamp, ..newest(None, 100) }.into(),
        ),
        ("server", server.into()),
        ("latest", LatestParams { event_types: Some(types) }.into()),
        ("deep", TimeseriesParams { last_event_id: Some(middle), ..newest(None, 100) }.into()),
    ];
    let mut numbers = Vec::new();
    for (name, params) in &queries {
        numbers.push((*name, median(&client, params).await?));
    }
    side::done(&numbers);
    drop(drive.folder);
    Ok(())
}

/// The median of its times, ms.
async fn median(client: &Client, params: &QueryParams) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < TIMES && (times.len() < 3 || start.elapsed().as_secs() < 3) {
        let start = Instant::now();
        client.query(params).await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
