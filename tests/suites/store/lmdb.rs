//! Files that the deployed event server wrote, taken over.

use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;

use hat_core::eventer::{Event, EventId, Timestamp};
use hat_server::json;
use hat_server::store::lmdb::{self, LmdbError, LmdbFile};
use hat_server::store::{DiskOptions, DiskStore, Store, StoreError};
use hat_tests::peers::{python_with, skipped};
use proptest::prelude::*;

use crate::{Scratch, scratch};

/// A file, and what the server that wrote it says is in it.
struct WrittenFile {
    path: PathBuf,
    events: Vec<Event>,
    last: Vec<(EventId, Timestamp)>,
    _folder: Scratch,
}

fn written(name: &str, count: usize) -> WrittenFile {
    let folder = scratch(name);
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let path = folder.0.join("event.db");
    let python = python_with("today", "tests/peers/requirements-today.txt");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/lmdb_file.py");
    let mut command = Command::new(python.unwrap_or_else(|error| panic!("{error}")));
    let output = command.arg(script).arg(&path).arg(count.to_string()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let (last, events) = text.split_once('\n').expect("a first line");
    let event = |line| json::stored_event(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let events: Vec<_> = events.lines().map(event).collect();
    let last: Vec<serde_json::Value> = serde_json::from_str(last).expect("JSON");
    let last = last.iter().map(|last| {
        let number = |name: &str| last["id"][name].as_i64().expect("a number");
        let id = EventId::new(number("server"), number("session"), number("instance"));
        (id, last["timestamp"].as_str().expect("a text").parse().expect("a time"))
    });
    let last = last.collect();
    WrittenFile { path, events, last, _folder: folder }
}

/// `HAT_LMDB_EVENTS` says how many events are written: a hundred thousand are a run of a minute.
fn count() -> usize {
    std::env::var("HAT_LMDB_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

#[test]
fn a_file_of_the_deployed_server_is_taken_over_event_by_event() {
    if skipped("a_file_of_the_deployed_server_is_taken_over_event_by_event") {
        return;
    }
    let written = written("lmdb", count());
    let kinds = ["time", "source", "both", "latest", "limited"];
    for kind in kinds {
        let is_its = |event: &Event| event.event_type.segments().next() == Some(kind);
        assert!(written.events.iter().any(is_its), "an event of the kind {kind}");
    }
    let folder = scratch("lmdb-into");
    let store = DiskStore::open(&folder.0, DiskOptions::default()).expect("a new store");
    let mut file = LmdbFile::open(&written.path).expect("a file of the server");
    assert_eq!(file.len(), written.events.len() as u64);
    let imported = lmdb::import(&mut file, &store, |_| {}).expect("sound");
    assert_eq!(imported.taken, written.events.len() as u64);
    assert_eq!((imported.given, imported.unreferenced, imported.servers), (imported.taken, 0, 2));
    same(&store, &written);

    // once more: nothing is new
    let imported = lmdb::import(&mut file, &store, |_| {}).expect("sound");
    assert_eq!((imported.given, imported.taken), (written.events.len() as u64, 0));
    drop(store);
    let store = DiskStore::open(&folder.0, DiskOptions::default()).expect("it opens");
    same(&store, &written);
    assert!(store.check(|_| {}).expect("readable").findings.is_empty());
}

/// All of the events, in their order, and ids and times go on above them.
fn same(store: &DiskStore, written: &WrittenFile) {
    let mut expected = written.events.iter();
    let each = |event: Event| {
        assert_eq!(Some(&event), expected.next());
        Ok::<_, StoreError>(())
    };
    store.for_each(each).expect("readable");
    assert_eq!(expected.next(), None);
    for (id, timestamp) in &written.last {
        let last = store.last(id.server).expect("readable");
        assert!(last.reserved >= id.session, "{last:?} gives {id:?} again");
        assert_eq!(last.timestamp, Some(*timestamp));
    }
    // the last event of one of them is not there any more
    let gone = |(id, _): &&(EventId, Timestamp)| written.events.iter().all(|event| event.id != *id);
    assert_eq!(written.last.iter().filter(gone).count(), 1);
}

/// What a file gives: its events and the entries that it says are left over.
fn read(bytes: Vec<u8>) -> Result<(Vec<Event>, u64), LmdbError> {
    let mut file = LmdbFile::new(Cursor::new(bytes))?;
    file.servers()?;
    let mut events = Vec::new();
    let left = file.for_each(|event| {
        events.push(event);
        Ok::<_, LmdbError>(())
    })?;
    Ok((events, left))
}

/// An error, or the right events. There are no checksums, so of events that are in the file once,
/// as many may differ as bytes do; but not in their ids.
fn error_or_right(bytes: Vec<u8>, right: &[Event], flipped: usize) -> Result<(), String> {
    let Ok((events, left)) = read(bytes) else { return Ok(()) };
    let ids = |events: &[Event]| events.iter().map(|event| event.id).collect::<Vec<_>>();
    if left == 0 && ids(&events) != ids(right) {
        return Err("other events, and nothing is said of it".into());
    }
    let differ = events.iter().filter(|event| {
        let at = right.binary_search_by_key(&event.id, |event| event.id);
        at.map_or(true, |at| right[at] != **event)
    });
    let differ: Vec<_> = differ.collect();
    match differ.len() <= flipped {
        true => Ok(()),
        false => Err(format!("{} events differ: {differ:?}", differ.len())),
    }
}

#[test]
fn damage_gives_an_error_or_the_right_events() {
    if skipped("damage_gives_an_error_or_the_right_events") {
        return;
    }
    let written = written("lmdb-damaged", 250);
    let whole = std::fs::read(&written.path).expect("the file");
    let (events, left) = read(whole.clone()).expect("sound");
    assert_eq!((&events, left), (&written.events, 0));
    let right = &written.events;

    // bytes that say where things are: at the start of every page
    let mut refused = 0;
    for page in (0..whole.len()).step_by(4_096) {
        for at in (page..page + 160).step_by(11) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            refused += usize::from(read(bytes.clone()).is_err());
            error_or_right(bytes, right, 1).unwrap_or_else(|what| panic!("byte {at}: {what}"));
        }
    }
    assert!(refused > 50, "{refused} refused");

    // cut: every page that is in use is missed
    for len in (0..whole.len()).step_by(4_099) {
        let bytes = whole[..len].to_vec();
        error_or_right(bytes, right, 0).unwrap_or_else(|what| panic!("{len} bytes: {what}"));
    }

    let some = prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..6);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&some, |flips| {
        let mut bytes = whole.clone();
        for (at, mask) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        error_or_right(bytes, right, flips.len()).map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn other_files_are_refused_with_what_they_are() {
    if skipped("other_files_are_refused_with_what_they_are") {
        return;
    }
    let whole = std::fs::read(&written("lmdb-other", 100).path).expect("the file");
    let refusal = |bytes: Vec<u8>| read(bytes).expect_err("refused").to_string();
    assert!(refusal(Vec::new()).contains("too short"));
    assert!(refusal(vec![b'x'; 100_000]).contains("not an LMDB file"));

    let mut bytes = whole.clone();
    bytes[16..20].reverse();
    assert!(refusal(bytes).contains("other byte order"));
    // there, the header has 12 bytes
    let mut bytes = whole.clone();
    bytes.copy_within(16..100, 12);
    assert!(refusal(bytes).contains("32-bit"));
    let mut bytes = whole.clone();
    bytes[20] = 2;
    assert!(refusal(bytes).contains("version 2, not 1"));

    let mut bytes = whole.clone();
    replace(&mut bytes, b"\"0.9\"", b"\"0.7\"");
    assert!(refusal(bytes).contains("version 0.7, and only 0.9"));
    let mut bytes = whole.clone();
    replace(&mut bytes, b"SYSTEM_SETTINGS", b"TZSTEM_SETTINGS");
    assert!(refusal(bytes).contains("has no database"));

    // what a server writes meanwhile
    let mut bytes = whole;
    let mut file = LmdbFile::new(ChangingFile { file: Cursor::new(bytes.clone()), reads: 0 });
    let error = file.as_mut().expect("sound").for_each(|_| Ok::<_, LmdbError>(()));
    assert!(matches!(error, Err(LmdbError::Changed)), "{error:?}");
    bytes.truncate(8_192);
    assert!(refusal(bytes).contains("it extends past the end of the file"));
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let found: Vec<_> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

/// A file whose server commits a transaction after some reads.
struct ChangingFile {
    file: Cursor<Vec<u8>>,
    reads: usize,
}

impl std::io::Read for ChangingFile {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.reads += 1;
        if self.reads == 20 {
            let [even, odd] = [0, 4_096].map(|page| page + 144);
            let bytes = self.file.get_mut();
            let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8"));
            let (older, newer) = if number(even) < number(odd) { (even, odd) } else { (odd, even) };
            let next = number(newer) + 1;
            bytes[older..older + 8].copy_from_slice(&next.to_le_bytes());
        }
        self.file.read(into)
    }
}

impl std::io::Seek for ChangingFile {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}
