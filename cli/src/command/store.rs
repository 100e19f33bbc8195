//! `hat store`: what an operator does with a store while no server uses it.

use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use hat_server::json;
use hat_server::store::disk::Import;
use hat_server::store::lmdb::{self, ImportError, LmdbFile};
use hat_server::store::{DiskOptions, DiskStore, Store, StoreError};

use super::input::{LineReader, MAX_STORED_LINE};
use super::serve::systemd;
use crate::args::StoreCommand;
use crate::exit::{Failure, say};
use crate::output::{self, written};
use crate::progress;

/// The name of a store in its folder.
const FILE: &str = "events.redb";

pub(crate) fn store(command: StoreCommand) -> Result<()> {
    match command {
        StoreCommand::Check(store) => check(&store.dir),
        StoreCommand::Stats(store) => stats(&store.dir),
        StoreCommand::Backup { store, to } => backup(&store.dir, &to),
        StoreCommand::Restore { store, from } => copy(&from, &store.dir),
        StoreCommand::Compact(store) => compact(&store.dir),
        StoreCommand::Export(store) => export(&store.dir),
        StoreCommand::Import { store, from_lmdb: None } => import(&store.dir),
        StoreCommand::Import { store, from_lmdb: Some(file) } => import_lmdb(&store.dir, &file),
    }
}

/// A store that is there. None is made: a folder that was mistyped would look like an empty store.
fn open(dir: &Path) -> Result<DiskStore> {
    if !is_there(dir)? {
        let text = format!("there is no store in {}", dir.display());
        return Err(Failure::Input(text).into());
    }
    Ok(DiskStore::open(dir, DiskOptions::default())?)
}

/// Whether there is a store in the folder. Who may not look does not know.
pub(super) fn is_there(dir: &Path) -> Result<bool> {
    let path = dir.join(FILE);
    path.try_exists().with_context(|| path.display().to_string())
}

fn check(dir: &Path) -> Result<()> {
    let store = open(dir)?;
    let bar = progress::events_of(false, store.stats()?.events, "checked");
    let report = store.check(|events| bar.set_position(events))?;
    bar.finish_and_clear();
    for finding in &report.findings {
        say(finding);
    }
    if !report.findings.is_empty() {
        bail!("the store in {} is damaged", dir.display());
    }
    say(&format!(
        "{} of {} and {}: every table agrees with every other",
        counted(report.events, "event"),
        counted(report.types, "type"),
        counted(report.servers, "server")
    ));
    Ok(())
}

fn stats(dir: &Path) -> Result<()> {
    let store = open(dir)?;
    let stats = store.stats()?;
    let servers = store.servers().into_iter().map(|last| {
        format!(
            r#"{{"server":{},"session":{},"instance":{},"timestamp":{},"reserved":{}}}"#,
            last.id.server,
            last.id.session,
            last.id.instance,
            last.timestamp.map_or("null".into(), |timestamp| format!(r#""{timestamp}""#)),
            last.reserved
        )
    });
    let servers: Vec<_> = servers.collect();
    output::print(&format!(
        r#"{{"events":{},"types":{},"bytes":{},"servers":[{}]}}"#,
        stats.events,
        stats.types,
        stats.disk_bytes,
        servers.join(",")
    ))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    copy_from(&open(from)?, to)
}

fn copy_from(store: &DiskStore, to: &Path) -> Result<()> {
    let bar = progress::events_of(false, store.stats()?.events, "copied");
    let copied = store.copy_to(to, |events| bar.set_position(events))?;
    bar.finish_and_clear();
    say(&format!("{} copied to {}", counted(copied, "event"), to.display()));
    Ok(())
}

/// A copy, by the server that has the store open, if there is one.
fn backup(dir: &Path, to: &Path) -> Result<()> {
    match open(dir) {
        Ok(store) => copy_from(&store, to),
        #[cfg(unix)]
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::Locked(_))) => {
            let bar = progress::events(false, "copied");
            let copied = hat_server::control::backup(dir, to, |events| bar.set_position(events));
            let copied = copied.with_context(|| {
                format!("the server that uses the store in {} cannot copy it", dir.display())
            })?;
            bar.finish_and_clear();
            let copied = counted(copied, "event");
            say(&format!("{copied} copied to {} by the server", to.display()));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn compact(dir: &Path) -> Result<()> {
    let mut store = open(dir)?;
    let stats = store.stats()?;
    let before = stats.disk_bytes;
    // how far it is nobody knows: that it goes on is shown
    let bar = progress::events(false, "are moved together").with_position(stats.events);
    store.compact()?;
    bar.finish_and_clear();
    drop(store);
    let after = open(dir)?.stats()?.disk_bytes;
    say(&format!("{before} bytes before, {after} after"));
    Ok(())
}

fn export(dir: &Path) -> Result<()> {
    let store = open(dir)?;
    let bar = progress::events_of(true, store.stats()?.events, "exported");
    let mut out = BufWriter::new(io::stdout().lock());
    store.for_each(|event| {
        bar.inc(1);
        written(writeln!(out, "{}", json::event(&event)))
    })?;
    written(out.flush())?;
    bar.finish_and_clear();
    Ok(())
}

/// Stores what `fill` puts into the store in `dir`. Where there is none, it is made of the whole of
/// that or not at all: a server that starts later takes what is there for everything, and numbers
/// its sessions above it, so that what is missing could not be imported any more.
fn import_into<T>(dir: &Path, fill: impl FnOnce(&DiskStore) -> Result<T>) -> Result<T> {
    if !is_there(dir)? {
        return DiskStore::make_whole(dir, fill);
    }
    let store = DiskStore::open(dir, DiskOptions::default())?;
    fill(&store).with_context(|| {
        let dir = dir.display();
        format!("a part of the import may be in {dir}: repeat it before a server uses the store")
    })
}

fn import(dir: &Path) -> Result<()> {
    import_into(dir, import_lines)
}

fn import_lines(store: &DiskStore) -> Result<()> {
    let bar = progress::events(false, "imported");
    let mut into = Import::new(store);
    let input = BufReader::with_capacity(64 * 1024, io::stdin().lock());
    let mut lines = LineReader::new(input, "standard input".into(), MAX_STORED_LINE);
    while let Some(line) = lines.next_line()? {
        if line.trim().is_empty() {
            continue;
        }
        let event = json::stored_event(&line).map_err(|error| lines.wrong(&error))?;
        into.check(&event).map_err(|error| lines.wrong(&error.to_string()))?;
        into.add(event)?;
        bar.inc(1);
    }
    let (given, taken) = into.finish()?;
    bar.finish_and_clear();
    let passed = given - taken.min(given);
    say(&format!(
        "{} imported, {passed} skipped (not after the last stored event of their server)",
        counted(taken, "event")
    ));
    Ok(())
}

fn import_lmdb(dir: &Path, path: &Path) -> Result<()> {
    // before a store is made
    let mut file = LmdbFile::open(path)
        .map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
    match import_into(dir, |store| import_file(store, &mut file, path))? {
        0 => Ok(()),
        entries => bail!(
            "{entries} entries of {} do not match its references; the deployed server cannot find them by id, and they were not imported",
            path.display()
        ),
    }
}

/// Stores what is in the file of a deployed server, and says how much that was. Returns how many of
/// its entries fit none of its references, and were left out.
pub(super) fn import_file(store: &DiskStore, file: &mut LmdbFile, path: &Path) -> Result<u64> {
    let bar = progress::events_of(false, file.len(), "imported");
    let imported = lmdb::import(file, store, |events| {
        bar.set_position(events);
        systemd::progress(&format!("imported {events} events of {}", path.display()));
    });
    let imported = imported.map_err(|error| match error {
        ImportError::File(error) => Failure::Input(format!("{}: {error}", path.display())).into(),
        other => anyhow::Error::from(other),
    })?;
    bar.finish_and_clear();
    let passed = imported.given - imported.taken.min(imported.given);
    say(&format!(
        "{} of {} imported, {passed} skipped (not after the last stored event of their server)",
        counted(imported.taken, "event"),
        counted(imported.servers, "server")
    ));
    say(
        "events that the server had not flushed when it stopped (flush_period) are not in its file",
    );
    Ok(imported.unreferenced)
}

/// `1 event`, `2 events`.
pub(super) fn counted(count: impl TryInto<u64>, what: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}
