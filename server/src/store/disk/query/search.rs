//! A search among all types: gone through one by one, so that what it keeps is what it gives,
//! however many types there are.

use std::collections::BTreeMap;

use hat_core::eventer::{Event, EventType};

use super::{ReadRefusal, Type, decoded, tables};
use crate::store::disk::DiskStore;
use crate::store::disk::tail::TailEvent;
use crate::store::{FoundTypes, QueryError, StoreError, is_later};

impl DiskStore {
    /// The types that `finds` says, those of the tables first.
    pub(in crate::store::disk) fn find_types(
        &self,
        finds: &dyn Fn(&EventType) -> bool,
        most: usize,
        bytes: usize,
    ) -> Result<FoundTypes, StoreError> {
        self.search_all(finds, most, bytes).map_err(|refused| match refused.into_error() {
            QueryError::Store(error) => error,
            // nothing was asked that could be wrong
            other => StoreError::Damaged(other.to_string().into()),
        })
    }

    fn search_all(
        &self,
        finds: &dyn Fn(&EventType) -> bool,
        most: usize,
        bytes: usize,
    ) -> Result<FoundTypes, ReadRefusal> {
        let (mut disk, mut tail) = self.view(|state| {
            let mut latest: BTreeMap<EventType, TailEvent> = BTreeMap::new();
            for tail in state.tails() {
                let events = tail.types.keys().filter_map(|one| Some((one, tail.latest(one)?)));
                for (event_type, event) in events {
                    let before = latest.get(event_type);
                    if before.is_none_or(|before| is_later(before.key(), event.key())) {
                        latest.insert(event_type.clone(), event.clone());
                    }
                }
            }
            latest
        })?;
        let mut found = FoundTypes::default();
        for entry in disk.types.range::<&[u8]>(..)? {
            let (key, record) = entry?;
            let key = key.value();
            let event_type = tables::type_of(key)?;
            let newer = tail.remove(&event_type);
            let known = Type::from_bytes(key, record.value())?;
            // nothing waits for a type whose latest event is not known
            if known.latest.is_none() && newer.is_none() {
                continue;
            }
            found.searched += 1;
            if finds(&event_type) {
                found.take(most, bytes, || -> Result<Event, ReadRefusal> {
                    let pending = disk.newer_than(std::iter::once(&known))?.remove(&known.number);
                    let stored = pending.or(known.latest).as_ref().map(decoded).transpose()?;
                    let newer = newer.filter(|newer| match &stored {
                        Some(stored) => is_later((stored.timestamp, stored.id), newer.key()),
                        None => true,
                    });
                    match (newer, stored) {
                        (Some(newer), _) => Ok(decoded(&newer.bytes)?),
                        (None, stored) => stored.ok_or(super::Damaged.into()),
                    }
                })?;
            }
        }
        for (event_type, event) in tail {
            found.searched += 1;
            if finds(&event_type) {
                found.take(most, bytes, || Ok::<_, ReadRefusal>(decoded(&event.bytes)?))?;
            }
        }
        Ok(found)
    }
}
