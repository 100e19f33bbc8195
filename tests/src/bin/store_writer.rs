//! The process that the suite store kills: registers as fast as it can, and prints each session
//! that was answered.
//!
//! `store-writer FOLDER commit|flush`

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hat_core::eventer::{EventType, Payload, RegisterEvent};
use hat_server::store::{
    DiskOptions, DiskStore, Durability, LocalLog, Log, LogOptions, StoreError,
};

/// Clients that wait together.
const CLIENTS: u64 = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, durability] = &arguments[..] else {
        panic!("store-writer FOLDER commit|flush")
    };
    // small, so that it goes to the disk often
    let options = DiskOptions { tail_events: 2_000, ..DiskOptions::default() };
    let store = Arc::new(open(Path::new(folder), &options));
    let durability = match &durability[..] {
        "commit" => Durability::Commit,
        _ => Durability::Flush(Duration::from_millis(100)),
    };
    let options = LogOptions { durability, ..LogOptions::new(1) };
    let (log, feed) = LocalLog::start(store, options).expect("a log");
    drop(feed);
    let log = Arc::new(log);
    let client = |number: u64| {
        let log = log.clone();
        std::thread::spawn(move || client(number, &*log))
    };
    let clients: Vec<_> = (0..CLIENTS).map(client).collect();
    for client in clients {
        client.join().expect("no panic");
    }
}

/// Opens the store. The suite starts processes from several threads: until such a process runs its
/// own program, it has whatever the suite had open, and that may be the lock of this store.
fn open(folder: &Path, options: &DiskOptions) -> DiskStore {
    for _ in 0..100 {
        match DiskStore::open(folder, options.clone()) {
            Err(StoreError::Locked(_)) => std::thread::sleep(Duration::from_millis(20)),
            opened => return opened.expect("a store"),
        }
    }
    panic!("{} stays locked", folder.display())
}

fn client(number: u64, log: &dyn Log) {
    for count in 0.. {
        let size = 1 + (count * 7 + number) % 20;
        let event = |instance: u64| RegisterEvent {
            event_type: EventType::from_segments(["kill", &(instance % 5).to_string()]),
            source_timestamp: None,
            payload: Some(Payload::binary("", vec![number as u8; (count % 300) as usize])),
        };
        let events: Vec<_> = (0..size).map(event).collect();
        let session = log.append(events.into()).wait().expect("registered");
        let session = session.expect("a session");
        // one write, so that the line is whole or not there
        let line = format!("{} {size}\n", session.number());
        if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}
