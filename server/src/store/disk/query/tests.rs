use std::sync::Arc;

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
        .and_then(|asked| asked.on_disk(&disk))
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
