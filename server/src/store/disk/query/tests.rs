use std::sync::Arc;

use hat_core::eventer::Payload;
use hat_core::sbs::Encode;

use super::*;
use crate::store::disk::{DiskOptions, Medium, make_on};
use crate::store::{Session, Store, Sync};

/// Files in memory.
#[derive(Clone, Debug, Default)]
struct Memory([Arc<redb::backends::InMemoryBackend>; 3]);

#[derive(Debug)]
struct File(Arc<redb::backends::InMemoryBackend>);

impl Medium for Memory {
    fn open(&self) -> std::io::Result<Box<dyn redb::StorageBackend>> {
        Ok(Box::new(File(self.0[2].clone())))
    }

    fn journal(&self, number: usize) -> std::io::Result<Box<dyn redb::StorageBackend>> {
        Ok(Box::new(File(self.0[number].clone())))
    }
}

impl redb::StorageBackend for File {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.set_len(self.0.len()?.max(offset + data.len() as u64))?;
        self.0.write(offset, data)
    }
}

#[test]
fn of_what_waits_a_query_takes_no_more_than_it_answers_whatever_its_limits() {
    let medium = Memory::default();
    make_on(medium.open().expect("a file")).expect("a new store");
    let store = DiskStore::open_on(Box::new(medium), DiskOptions::default()).expect("a store");
    // few of each type at a time, as they wait
    for number in 1..=4 {
        let event = |instance: i64| Event {
            id: EventId::new(1, number, instance),
            event_type: EventType::from_segments([(instance % 8).to_string()]),
            timestamp: Timestamp::from_secs(number),
            source_timestamp: Some(Timestamp::from_secs(instance)),
            payload: None,
        };
        let session = Arc::new(Session::new((1..=80).map(event).collect()).expect("a session"));
        store.apply(&[session], &[], Sync::Now).expect("in memory");
        store.drain().expect("in memory");
    }
    let Ok((disk, ())) = store.view(|_| ()) else { panic!("it is open") };
    let Ok(types) = TypeSelection::new(Some(&[EventType::from_segments(["*"])]))
        .map_err(ReadRefusal::from)
        .and_then(|asked| asked.on_disk(&disk, Room::numbers()))
    else {
        panic!("there are types")
    };
    let range = Range {
        by: OrderBy::Timestamp,
        order: Order::Descending,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        after: None,
    };
    let waiting = |params: &TimeseriesParams, most| {
        let pending = disk.pending(types.values(), range, params, most);
        pending.unwrap_or_else(|_| panic!("it is sound")).keys
    };
    let limits = TimeseriesParams {
        source_t_from: Some(Timestamp::from_secs(20)),
        source_t_to: Some(Timestamp::from_secs(60)),
        ..TimeseriesParams::default()
    };
    let some = waiting(&TimeseriesParams::default(), usize::MAX);
    assert!(some.len() > 200, "{} wait", some.len());
    let mut within = some;
    within.retain(|(_, id)| (20..=60).contains(&id.instance));
    assert_eq!(waiting(&limits, usize::MAX), within);
    assert_eq!(waiting(&limits, 3), within[..3]);
}

#[test]
fn the_latest_events_are_cut_where_there_is_no_room_for_more_wherever_they_are() {
    let medium = Memory::default();
    make_on(medium.open().expect("a file")).expect("a new store");
    // what other answers are cut at is less than anybody could be sent
    let options = DiskOptions { max_answer: 25, ..DiskOptions::default() };
    let store = DiskStore::open_on(Box::new(medium), options).expect("a store");
    let apply = |number: i64, names: std::ops::Range<i64>| {
        let event = |name: i64| Event {
            id: EventId::new(1, number, name + 1),
            event_type: EventType::from_segments(["t", &format!("{name:02}")]),
            timestamp: Timestamp::from_secs(number),
            source_timestamp: None,
            payload: Some(Payload::binary("", vec![0; (name * number % 7 * 10) as usize])),
        };
        let session = Session::new(names.map(event).collect()).expect("a session");
        store.apply(&[Arc::new(session)], &[], Sync::Now).expect("in memory");
    };
    let queries = [
        LatestParams::default(),
        LatestParams::of(["t/*"]),
        LatestParams::of(["t/03", "t/30", "t/31", "t/39", "none"]),
    ];
    let check = |count: usize| {
        for params in &queries {
            let whole = store.query(&params.clone().into()).expect("an answer").into_result();
            let named = params.event_types.as_ref().is_some_and(|types| types.len() > 1);
            assert!(named || whole.events.len() == count);
            assert!(!whole.more_follows);
            let sizes: Vec<usize> = whole.events.iter().map(Encode::encoded_len).collect();
            for most in (0..sizes.iter().sum::<usize>() + 40).step_by(37) {
                let Ok(cut) = store.latest_within(params, most) else { panic!("it is sound") };
                let cut = Answer::from(cut).into_result();
                let mut left = most;
                let fit = sizes.iter().take_while(|size| {
                    let rest = left.checked_sub(**size);
                    left = rest.unwrap_or(0);
                    rest.is_some()
                });
                // one event has room always
                let fit = fit.count().max(1);
                assert_eq!(cut.events[..], whole.events[..fit.min(whole.events.len())], "{most}");
                assert_eq!(cut.more_follows, fit < whole.events.len(), "{most}");
            }
        }
    };
    apply(1, 0..30);
    check(30);
    store.drain().expect("in memory");
    check(30);
    // some wait for their turn, and some are new
    for number in 2..6 {
        apply(number, number * 3..36);
        store.drain().expect("in memory");
        check(36);
    }
    apply(6, 20..40);
    check(40);
}
