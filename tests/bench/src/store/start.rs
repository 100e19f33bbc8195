//! How long a store takes to open, how large it is, and what it costs to fill, without a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use hat_core::eventer::{Event, EventId, Timestamp};
use hat_server::store::{DiskOptions, DiskStore, Session, Store, Sync};

use super::{batches, bytes_of};
use crate::process::used;
use crate::side;

/// A store that is filled and opened.
#[derive(Args, Clone, Debug)]
pub(super) struct Drive {
    events: usize,
    types: usize,
    folder: PathBuf,
}

const BATCH: usize = 1_000;

pub(super) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let _ = std::fs::remove_dir_all(&drive.folder);
    let open = || DiskStore::open(&drive.folder, DiskOptions::default());
    let store = open()?;
    let batches = batches(BATCH, drive.types);
    side::ready();
    let (start, before) = (Instant::now(), used());
    let mut number = 0;
    for batch in batches.iter().cycle().take(drive.events.div_ceil(BATCH)) {
        number += 1;
        let timestamp = Timestamp::from_secs(1_700_000_000 + number);
        let event = |(event, instance): (&hat_core::eventer::RegisterEvent, i64)| Event {
            id: EventId::new(1, number, instance),
            event_type: event.event_type.clone(),
            timestamp,
            source_timestamp: event.source_timestamp,
            payload: event.payload.clone(),
        };
        let session = Session::new(batch.iter().zip(1..).map(event).collect())?;
        store.apply(&[Arc::new(session)], &[], Sync::Now)?;
        if store.is_due() {
            store.tidy(timestamp)?;
        }
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), used().cpu - before.cpu);
    drop(store);
    let timed = || -> anyhow::Result<(f64, DiskStore)> {
        let start = Instant::now();
        let store = open()?;
        Ok((start.elapsed().as_secs_f64() * 1e3, store))
    };
    let (killed, store) = timed()?;
    store.drain()?;
    drop(store);
    let bytes = bytes_of(&drive.folder) as f64 / (number as usize * BATCH) as f64;
    let before = used().resident;
    let (closed, store) = timed()?;
    let resident = used().resident - before;
    drop(store);
    side::done(&[
        ("events", (number as usize * BATCH) as f64),
        ("seconds", seconds),
        ("cpu", cpu),
        ("killed", killed),
        ("closed", closed),
        ("bytes", bytes),
        ("resident", resident),
    ]);
    Ok(())
}
