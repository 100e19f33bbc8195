//! The store of the event server, in processes that are killed.

mod lmdb;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hat_core::eventer::Event;
use hat_server::store::{DiskOptions, DiskStore, StoreError};

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scratch(name: &str) -> Scratch {
    let folder = std::env::temp_dir().join(format!("hat-kill-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    Scratch(folder)
}

/// Lets it write until `sessions` are answered and for a while after that, kills it, and gives the
/// sessions that it said were answered, with their events.
fn killed_after(
    folder: &Scratch,
    durability: &str,
    sessions: usize,
    time: Duration,
) -> BTreeMap<i64, usize> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_store-writer"));
    command.arg(&folder.0).arg(durability).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("the writer starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut text = String::new();
    for _ in 0..sessions {
        assert_ne!(stdout.read_line(&mut text).expect("text"), 0, "the writer goes on");
    }
    let reader = std::thread::spawn(move || {
        stdout.read_to_string(&mut text).expect("text");
        text
    });
    std::thread::sleep(time);
    // SIGKILL, on Unix
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let text = reader.join().expect("no panic");
    let line = |line: &str| {
        let (session, size) = line.split_once(' ')?;
        Some((session.parse().ok()?, size.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// The sessions that are there, with their events.
fn found(folder: &Scratch) -> BTreeMap<i64, usize> {
    let store = DiskStore::open(&folder.0, DiskOptions::default()).expect("it opens");
    let report = store.check(|_| {}).expect("readable");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let mut sessions = BTreeMap::new();
    let mut last = None;
    let each = |event: Event| {
        assert!(last.is_none_or(|last| last < event.id), "an id twice");
        last = Some(event.id);
        *sessions.entry(event.id.session).or_default() += 1;
        Ok::<_, StoreError>(())
    };
    store.for_each(each).expect("readable");
    sessions
}

/// How often a store is killed before another one is begun: all of it is read after each kill.
const LIVES: u64 = 10;

/// Stores that are killed at a time: a writer mostly waits for the disk.
const LANES: u64 = 4;

/// `HAT_KILLS` says how often; a thousand times is a run of some minutes.
fn kills() -> u64 {
    std::env::var("HAT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// The lives of one store. Returns how many sessions were answered.
fn lives(kills: Range<u64>) -> usize {
    let folder = scratch(&format!("commit-{}", kills.start));
    let mut answered = BTreeMap::new();
    for kill in kills {
        // each third time so early that it may be killed while it opens; else while it works,
        // however busy the machine is
        let sessions = if kill % 3 == 0 { 0 } else { 1 + kill * 61 % 300 };
        let time = Duration::from_millis(kill * 37 % 200);
        for (session, size) in killed_after(&folder, "commit", sessions as usize, time) {
            assert!(answered.insert(session, size).is_none(), "session {session} twice");
        }
        let found = found(&folder);
        for (session, size) in &answered {
            assert_eq!(found.get(session), Some(size), "session {session}, kill {kill}");
        }
    }
    answered.len()
}

#[test]
fn what_was_answered_is_there_after_a_kill_at_any_moment() {
    let (next, start) = (AtomicU64::new(0), Instant::now());
    let lane = || -> (u64, usize) {
        let (mut killed, mut answered) = (0, 0);
        loop {
            let first = next.fetch_add(LIVES, Ordering::Relaxed);
            if first >= kills() {
                return (killed, answered);
            }
            let these = first..(first + LIVES).min(kills());
            killed += these.end - these.start;
            answered += lives(these);
            println!("a lane: {killed} kills, {answered} answered, {:?}", start.elapsed());
        }
    };
    let (killed, answered) = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        let done = lanes.into_iter().map(|lane| lane.join().expect("no panic"));
        done.fold((0, 0), |(a, b), (killed, answered)| (a + killed, b + answered))
    });
    assert_eq!(killed, kills());
    assert!(answered > 0);
    println!("{killed} kills, {answered} answered sessions");
}

#[test]
fn flushed_later_loses_only_the_end_and_gives_no_number_twice() {
    let folder = scratch("flush");
    let mut answered: BTreeMap<i64, usize> = BTreeMap::new();
    for kill in 0..kills().min(5) {
        let time = Duration::from_millis(kill * 37 % 200);
        let these = killed_after(&folder, "flush", 300, time);
        for (session, size) in &these {
            assert!(answered.insert(*session, *size).is_none(), "session {session} twice");
        }
        // what is missing is the end of this life, not a hole in it
        let found = found(&folder);
        let missing: Vec<_> = these.keys().filter(|session| !found.contains_key(session)).collect();
        if let Some(first) = missing.first() {
            assert!(these.range(*first..).all(|(session, _)| !found.contains_key(session)));
        }
    }
    assert!(!answered.is_empty());
}
