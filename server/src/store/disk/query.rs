//! Queries: what the indexes on the disk and those of the tail say, merged.

mod search;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use hat_core::chatter;
use hat_core::eventer::{
    Event, EventId, EventType, LatestParams, Order, OrderBy, QueryParams, ServerParams,
    TimeseriesParams, Timestamp,
};
use hat_core::sbs::{self, Encode as _};
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase};

use super::blocks::{self, Damaged, Keys};
use super::file::Fault;
use super::pending::{Change, Waiting};
use super::tables::{self, PARTS, TYPES, Type};
use super::tail::{Tail, TailEvent};
use super::write::ChangeError;
use super::{DiskStore, State, part, pending, wrong};
use crate::store::answer::Stored;
use crate::store::cut::Cut;
use crate::store::index::{Key, Range, merged};
use crate::store::memory::query::{are_within_limits, within_limits};
use crate::store::type_selection::TypeSelection;
use crate::store::{Answer, QueryError, StoreError, is_later};

/// Types whose indexes are merged. Where a query matches more, all events are gone through and
/// those of other types left out: so many indexes would take more memory and time than that.
const MERGED: usize = 4_096;

impl DiskStore {
    pub(super) fn answer(&self, params: &QueryParams) -> Result<Answer, QueryError> {
        let answer = match params {
            QueryParams::Latest(params) => self.latest(params),
            QueryParams::Timeseries(params) => self.timeseries(params),
            QueryParams::Server(params) => self.server(params),
        };
        answer.map_err(ReadRefusal::into_error)
    }

    /// The latest event of every type asked for, in the order of types: as many as there is room
    /// for, and whether more follows.
    ///
    /// Nobody can be sent more than a message, so no more than that is taken; `max_answer` may say
    /// more, for who takes larger messages, but not less: there is no asking for the rest.
    fn latest(&self, params: &LatestParams) -> Result<Answer, ReadRefusal> {
        let most = self.options.max_answer.max(chatter::Config::default().max_message);
        Ok(self.latest_within(params, most)?.into())
    }

    fn latest_within(
        &self,
        params: &LatestParams,
        most: usize,
    ) -> Result<Cut<Stored>, ReadRefusal> {
        let asked = TypeSelection::new(params.event_types.as_deref())?;
        let (mut disk, in_tails) = self.view(|state| {
            let latest = |tail: &Tail| -> Vec<(EventType, TailEvent)> {
                let latest = |one: &EventType| Some((one.clone(), tail.latest(one)?.clone()));
                asked.in_tail(tail).into_iter().filter_map(latest).collect()
            };
            state.tails().flat_map(latest).collect::<Vec<_>>()
        })?;
        let mut tail: BTreeMap<EventType, TailEvent> = BTreeMap::new();
        for (event_type, event) in in_tails {
            let before = tail.get(&event_type);
            if before.is_none_or(|before| is_later(before.key(), event.key())) {
                tail.insert(event_type, event);
            }
        }
        let types = asked.on_disk(&disk, Room::latest(most))?;
        let mut newer = disk.newer_within(&types, most)?;
        let mut cut = Cut::new(None, usize::MAX, most);
        for (event_type, known) in types {
            while let Some(before) = tail.first_entry()
                && *before.key() < event_type
            {
                if !cut.take(Stored::Bytes(before.remove().bytes)) {
                    return Ok(cut);
                }
            }
            let stored = match newer.remove(&known.number) {
                Some((_, Some(stored))) => stored,
                // a slice would keep the whole record
                Some((id, None)) => Bytes::copy_from_slice(&disk.event(id)?.ok_or(Damaged)?),
                None => disk.latest_of(&event_type, &known)?,
            };
            let stored = match tail.remove(&event_type) {
                Some(event) => {
                    let before = decoded(&stored)?;
                    let is_latest = is_later((before.timestamp, before.id), event.key());
                    if is_latest { event.bytes } else { stored }
                }
                None => stored,
            };
            if !cut.take(Stored::Bytes(stored)) {
                return Ok(cut);
            }
        }
        for event in tail.into_values() {
            if !cut.take(Stored::Bytes(event.bytes)) {
                break;
            }
        }
        Ok(cut)
    }

    /// Events in the order of time.
    fn timeseries(&self, params: &TimeseriesParams) -> Result<Answer, ReadRefusal> {
        let by = params.order_by;
        let (from, to) = match by {
            OrderBy::Timestamp => (params.t_from, params.t_to),
            OrderBy::SourceTimestamp => (params.source_t_from, params.source_t_to),
        };
        let mut range = Range {
            by,
            order: params.order,
            from: from.unwrap_or(Timestamp::MIN),
            to: to.unwrap_or(Timestamp::MAX),
            after: None,
        };
        let asked = TypeSelection::new(params.event_types.as_deref())?;
        let mut cut = self.cut(params.max_results);
        if let Some(last) = params.last_event_id {
            // as with the deployed server, nothing is found after an event that is not itself in
            // the range
            let key = self.key_of(last, by)?;
            match key.filter(|key| (range.from..=range.to).contains(&key.0)) {
                Some(key) => range.after = Some(key),
                None => return Ok(Answer::default()),
            }
        }
        let most = cut.most.saturating_add(1);
        let (mut disk, tail) = self.view(|state| {
            let found = |key: Key| {
                let event = state.tails().find_map(|tail| tail.get(key.1))?;
                are_within_limits(event.timestamp, event.source_timestamp, params)
                    .then(|| (key, event.bytes.clone()))
            };
            let indexes: Vec<_> = match &asked {
                TypeSelection::All => state.tails().map(|tail| tail.index.range(range)).collect(),
                _ => {
                    let indexes = |tail| {
                        let types: Vec<&EventType> = asked.in_tail(tail);
                        types.into_iter().map(|one| tail.types[one].index.range(range))
                    };
                    state.tails().flat_map(indexes).collect()
                }
            };
            merged(indexes, range.order).filter_map(found).take(most).collect::<Vec<_>>()
        })?;
        let types = match &asked {
            TypeSelection::All => None,
            asked => Some(asked.on_disk(&disk, Room::numbers())?),
        };
        let (prefixes, filter) = match &types {
            None => (vec![tables::prefix(0, by)], None),
            Some(types) if types.len() <= MERGED => {
                (types.values().map(|known| tables::prefix(known.number, by)).collect(), None)
            }
            Some(_) => (vec![tables::prefix(0, by)], Some(&asked)),
        };
        let is_limited = match by {
            OrderBy::Timestamp => params.source_t_from.is_some() || params.source_t_to.is_some(),
            OrderBy::SourceTimestamp => params.t_from.is_some() || params.t_to.is_some(),
        };
        let pending = match (&types, filter) {
            (Some(types), None) => disk.pending(types.values(), range, params, most)?,
            _ => Pending::default(),
        };
        let mut merged = MergedKeys::new(&disk, &prefixes, range, pending, tail)?;
        while let Some((key, stored)) = merged.next()? {
            let stored = match stored {
                Some(stored) => stored,
                None => {
                    let stored = disk.event(key.1)?.ok_or(Damaged)?;
                    if is_limited || filter.is_some() {
                        let event = decoded(&stored)?;
                        if !within_limits(&event, params)
                            || filter.is_some_and(|asked| !asked.matches(&event.event_type))
                        {
                            continue;
                        }
                    }
                    stored
                }
            };
            if !cut.take(Stored::Bytes(stored)) {
                break;
            }
        }
        Ok(cut.into())
    }

    /// What a server registered, by session and instance.
    fn server(&self, params: &ServerParams) -> Result<Answer, ReadRefusal> {
        let server_id = params.server_id;
        let after = match params.last_event_id {
            None => EventId::new(server_id, i64::MIN, i64::MIN),
            Some(last) if last.server == server_id => last,
            Some(last) => {
                return Err(QueryError::OtherServer { server_id, last: last.server }.into());
            }
        };
        let mut cut = self.cut(params.max_results);
        let most = cut.most.saturating_add(1);
        let (disk, tail) = self.view(|state| {
            let durable = state.durable.get(&server_id);
            let end = match params.persisted {
                true => durable.copied().unwrap_or(after),
                false => end_of(server_id),
            };
            let events = |tail| -> Vec<(EventId, Bytes)> {
                let tail: &Tail = tail;
                let events = tail.between(after, end).iter().take(most);
                events.map(|event| (event.id, event.bytes.clone())).collect()
            };
            state.tails().flat_map(events).collect::<Vec<_>>()
        })?;
        let start = disk.part_of(after)?.unwrap_or((after.server, after.session, after.instance));
        let mut last = after;
        for entry in disk.parts.range(start..=(server_id, i64::MAX, i64::MAX))? {
            let (key, record) = entry?;
            let record = Bytes::copy_from_slice(record.value());
            for (id, stored) in part::decode(key.value(), &record)? {
                if id > after {
                    last = id;
                    if !cut.take(Stored::Bytes(stored)) {
                        return Ok(cut.into());
                    }
                }
            }
        }
        for (id, stored) in tail {
            if id > last && !cut.take(Stored::Bytes(stored)) {
                break;
            }
        }
        Ok(cut.into())
    }

    /// Where an event of the series stands by a timestamp.
    fn key_of(&self, id: EventId, by: OrderBy) -> Result<Option<Key>, ReadRefusal> {
        let (mut disk, tail) =
            self.view(|state| state.tails().find_map(|tail| tail.get(id)).cloned())?;
        let in_tail = tail.is_some();
        let times = match tail {
            Some(event) => Some((event.timestamp, event.source_timestamp)),
            None => {
                let event = disk.event(id)?.as_ref().map(decoded).transpose()?;
                event.map(|event| (event.timestamp, event.source_timestamp))
            }
        };
        let Some((timestamp, source)) = times else { return Ok(None) };
        let timestamp = match by {
            OrderBy::Timestamp => Some(timestamp),
            OrderBy::SourceTimestamp => source,
        };
        let Some(timestamp) = timestamp else { return Ok(None) };
        let key = (timestamp, id);
        if in_tail || blocks::contains(&disk.indexes, tables::prefix(0, by), key)? {
            return Ok(Some(key));
        }
        Ok(None)
    }

    /// What is in the tables, and what `take` takes of the tails: together they are all there is,
    /// and what both have is the same.
    fn view<T>(&self, take: impl FnOnce(&State) -> T) -> Result<(Disk, T), ReadRefusal> {
        let state = self.read();
        let database = state.database.clone().map_err(QueryError::from)?;
        // a tail goes after the tables have it, so tables that are looked at under the same lock
        // have what is gone
        let transaction = database.begin_read()?;
        let taken = take(&state);
        drop(state);
        Ok((Disk::new(transaction, database)?, taken))
    }

    fn cut(&self, asked: Option<i64>) -> Cut<Stored> {
        Cut::new(asked, self.options.max_results, self.options.max_answer)
    }
}

fn end_of(server_id: i64) -> EventId {
    EventId::new(server_id, i64::MAX, i64::MAX)
}

fn decoded(stored: &Bytes) -> Result<Event, Damaged> {
    sbs::decode(stored).map_err(|_| Damaged)
}

/// Why there is no answer.
enum ReadRefusal {
    Query(QueryError),
    Change(ChangeError),
}

impl ReadRefusal {
    fn into_error(self) -> QueryError {
        match self {
            Self::Query(error) => error,
            // a transaction that only reads has written nothing that is uncertain
            Self::Change(ChangeError::Redb(error)) => wrong(&Fault::default(), &error).into(),
            Self::Change(ChangeError::Damaged) => StoreError::from(Damaged).into(),
        }
    }
}

impl<E: Into<ChangeError>> From<E> for ReadRefusal {
    fn from(error: E) -> Self {
        Self::Change(error.into())
    }
}

impl From<QueryError> for ReadRefusal {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl TypeSelection {
    /// The types of the tail that match.
    fn in_tail<'a>(&self, tail: &'a Tail) -> Vec<&'a EventType> {
        match self {
            Self::Named(types) => {
                let known = types.iter().filter_map(|one| tail.types.get_key_value(one));
                known.map(|(event_type, _)| event_type).collect()
            }
            _ => tail.types.keys().filter(|event_type| self.matches(event_type)).collect(),
        }
    }

    /// The types on the disk that match: looked up, or gone through where they start as a query
    /// type does.
    fn on_disk(
        &self,
        disk: &Disk,
        mut room: Room,
    ) -> Result<BTreeMap<EventType, Type>, ReadRefusal> {
        let mut types = BTreeMap::new();
        match self {
            Self::Named(named) => {
                for event_type in named {
                    let key = tables::type_key(event_type);
                    if let Some(record) = disk.types.get(&key[..])? {
                        let known = Type::from_bytes(&key, record.value())?;
                        if !room.take(event_type.clone(), known, &mut types) {
                            break;
                        }
                    }
                }
            }
            Self::All => disk.types_from(&[], |_| true, &mut room, &mut types)?,
            Self::Matching(subscription, starts) => {
                for start in starts {
                    let prefix = tables::type_key(start);
                    let matches = |one: &EventType| subscription.matches(one);
                    disk.types_from(&prefix, matches, &mut room, &mut types)?;
                }
            }
        }
        Ok(types)
    }
}

/// What is kept of the types that a query asks for, however many they are.
struct Room {
    /// Bytes left of latest events that are kept; others are read again when it is their turn.
    events: usize,
    /// Where only types with a latest event are asked for: bytes left of their names. An event is
    /// longer than the name of its type, so behind those nothing is answered.
    names: Option<usize>,
}

impl Room {
    /// For an answer of latest events of so many bytes.
    fn latest(most: usize) -> Self {
        // one event is answered always, and the next one shows that more follows
        Self { events: most, names: Some(most.max(1)) }
    }

    /// For the numbers of types.
    fn numbers() -> Self {
        Self { events: 0, names: None }
    }

    /// Takes a type. False if there is no room for others: the last one is what shows that more
    /// follows.
    fn take(
        &mut self,
        event_type: EventType,
        mut known: Type,
        types: &mut BTreeMap<EventType, Type>,
    ) -> bool {
        let Some(latest) = &known.latest else {
            if self.names.is_none() {
                types.insert(event_type, known);
            }
            return true;
        };
        match self.events.checked_sub(latest.len()) {
            Some(left) => self.events = left,
            // from the first on that is not kept, none is
            None => (self.events, known.latest) = (0, None),
        }
        let is_last = self.names == Some(0);
        if let Some(left) = &mut self.names {
            *left = left.saturating_sub(event_type.encoded_len());
        }
        types.insert(event_type, known);
        !is_last
    }
}

/// The file at one moment.
struct Disk {
    parts: ReadOnlyTable<(i64, i64, i64), &'static [u8]>,
    types: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pending: ReadOnlyTable<pending::RecordKey, &'static [u8]>,
    indexes: ReadOnlyTable<blocks::Raw, &'static [u8]>,
    /// The events of the record that was read last: what is asked for next is often beside it.
    read: Vec<(EventId, Bytes)>,
    #[expect(dead_code, reason = "the file stays open for as long as it is read")]
    database: Arc<Database>,
}

impl Disk {
    fn new(transaction: ReadTransaction, database: Arc<Database>) -> Result<Self, ReadRefusal> {
        Ok(Self {
            parts: transaction.open_table(PARTS)?,
            types: transaction.open_table(TYPES)?,
            pending: transaction.open_table(pending::TABLE)?,
            indexes: transaction.open_table(blocks::TABLE)?,
            read: Vec::new(),
            database,
        })
    }

    /// The record that an event would be in.
    fn part_of(&self, id: EventId) -> Result<Option<(i64, i64, i64)>, ReadRefusal> {
        let from = (id.server, i64::MIN, i64::MIN);
        let to = (id.server, id.session, id.instance);
        let found = self.parts.range(from..=to)?.next_back().transpose()?;
        Ok(found.map(|(key, _)| key.value()))
    }

    fn event(&mut self, id: EventId) -> Result<Option<Bytes>, ReadRefusal> {
        let find = |read: &[(EventId, Bytes)]| {
            let at = read.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            Some(read[at].1.clone())
        };
        if let Some(stored) = find(&self.read) {
            return Ok(Some(stored));
        }
        let from = (id.server, i64::MIN, i64::MIN);
        let to = (id.server, id.session, id.instance);
        let Some((key, record)) = self.parts.range(from..=to)?.next_back().transpose()? else {
            return Ok(None);
        };
        let record = Bytes::copy_from_slice(record.value());
        self.read = part::decode(key.value(), &record)?;
        Ok(find(&self.read))
    }

    /// The latest events of types where they wait, by the numbers of the types.
    fn newer_than<'a>(
        &mut self,
        types: impl Iterator<Item = &'a Type>,
    ) -> Result<HashMap<u64, Bytes>, ReadRefusal> {
        let mut known: HashMap<u64, &Type> = types.map(|one| (one.number, one)).collect();
        let mut numbers: Vec<u64> = known.keys().copied().collect();
        numbers.sort_unstable();
        let mut newer: Vec<(EventId, u64)> = Vec::new();
        for (number, key) in pending::latest_of(&self.pending, &numbers)? {
            let before = known.remove(&number).and_then(|one| one.latest.as_ref());
            let before = before.map(decoded).transpose()?;
            if before.is_none_or(|before| is_later((before.timestamp, before.id), key)) {
                newer.push((key.1, number));
            }
        }
        // by id, for neighbours are in one record
        newer.sort_unstable();
        let mut events = HashMap::with_capacity(newer.len());
        for (id, number) in newer {
            let stored = self.event(id)?.ok_or(Damaged)?;
            // a slice would keep the whole record, for each type
            events.insert(number, Bytes::copy_from_slice(&stored));
        }
        Ok(events)
    }

    /// What is later than the latest events of types where it waits, by the numbers of the types,
    /// and the events themselves up to `most` bytes of them.
    fn newer_within(
        &mut self,
        types: &BTreeMap<EventType, Type>,
        most: usize,
    ) -> Result<HashMap<u64, (EventId, Option<Bytes>)>, ReadRefusal> {
        let by_number: HashMap<u64, (&EventType, &Type)> =
            types.iter().map(|one| (one.1.number, one)).collect();
        let mut numbers: Vec<u64> = by_number.keys().copied().collect();
        numbers.sort_unstable();
        let mut newer: Vec<(EventId, u64)> = Vec::new();
        for (number, key) in pending::latest_of(&self.pending, &numbers)? {
            let Some((event_type, known)) = by_number.get(&number) else { continue };
            let before = decoded(&self.latest_of(event_type, known)?)?;
            if is_later((before.timestamp, before.id), key) {
                newer.push((key.1, number));
            }
        }
        // by id, for neighbours are in one record
        newer.sort_unstable();
        let mut events = HashMap::with_capacity(newer.len());
        let mut left = Some(most);
        for (id, number) in newer {
            let mut kept = None;
            if let Some(room) = left {
                let stored = self.event(id)?.ok_or(Damaged)?;
                left = room.checked_sub(stored.len());
                // a slice would keep the whole record, for each type
                kept = left.map(|_| Bytes::copy_from_slice(&stored));
            }
            events.insert(number, (id, kept));
        }
        Ok(events)
    }

    /// The latest event of a type that has one, from its record where it was not kept.
    fn latest_of(&self, event_type: &EventType, known: &Type) -> Result<Bytes, ReadRefusal> {
        if let Some(latest) = &known.latest {
            return Ok(latest.clone());
        }
        let key = tables::type_key(event_type);
        let record = self.types.get(&key[..])?.ok_or(Damaged)?;
        Ok(Type::from_bytes(&key, record.value())?.latest.ok_or(Damaged)?)
    }

    /// What waits for types within `range`: of what came and is within the limits of `params`, the
    /// first `most`.
    fn pending<'a>(
        &self,
        types: impl Iterator<Item = &'a Type>,
        range: Range,
        params: &TimeseriesParams,
        most: usize,
    ) -> Result<Pending, ReadRefusal> {
        let mut numbers: Vec<u64> = types.map(|one| one.number).collect();
        numbers.sort_unstable();
        let (mut keys, mut gone) = (Vec::new(), HashSet::new());
        let sort = |keys: &mut Vec<Key>| {
            keys.sort_unstable();
            if range.order == Order::Descending {
                keys.reverse();
            }
            keys.truncate(most);
        };
        let within =
            |one: Waiting| one.key_by(range.by).filter(|key| blocks::is_within(range, *key));
        let fits = |one: &Waiting| are_within_limits(one.key.0, one.source, params);
        pending::of_types(&self.pending, &numbers, |change| match change {
            Change::Gone(_, one) => gone.extend(within(one).map(|key| key.1)),
            Change::Came(_, one) if !fits(&one) => {}
            Change::Came(_, one) => {
                // what is gone was read before
                keys.extend(within(one).filter(|key| !gone.contains(&key.1)));
                if keys.len() / 2 > most {
                    sort(&mut keys);
                }
            }
        })?;
        sort(&mut keys);
        Ok(Pending { keys, gone })
    }

    fn types_from(
        &self,
        prefix: &[u8],
        matches: impl Fn(&EventType) -> bool,
        room: &mut Room,
        types: &mut BTreeMap<EventType, Type>,
    ) -> Result<(), ReadRefusal> {
        for entry in self.types.range(prefix..)? {
            let (key, record) = entry?;
            let key = key.value();
            if !key.starts_with(prefix) {
                break;
            }
            let event_type = tables::type_of(key)?;
            if matches(&event_type) {
                let known = Type::from_bytes(key, record.value())?;
                if !room.take(event_type, known, types) {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Keys of several indexes, of what waits and of the tail, in one order, each once.
struct MergedKeys {
    order: Order,
    sources: Vec<Source>,
    heads: BTreeSet<(Key, usize)>,
    /// What the indexes have and is gone.
    gone: HashSet<EventId>,
    tail: std::iter::Peekable<std::vec::IntoIter<(Key, Bytes)>>,
}

/// What waits.
#[derive(Default)]
struct Pending {
    /// What came, in order.
    keys: Vec<Key>,
    gone: HashSet<EventId>,
}

enum Source {
    Index(Box<Keys>),
    Pending(std::vec::IntoIter<Key>),
}

impl Source {
    fn next(&mut self, gone: &HashSet<EventId>) -> Result<Option<Key>, blocks::Fault> {
        match self {
            Self::Pending(keys) => Ok(keys.next()),
            Self::Index(keys) => loop {
                match keys.next()? {
                    Some(key) if gone.contains(&key.1) => {}
                    key => return Ok(key),
                }
            },
        }
    }
}

impl MergedKeys {
    fn new(
        disk: &Disk,
        prefixes: &[u64],
        range: Range,
        pending: Pending,
        tail: Vec<(Key, Bytes)>,
    ) -> Result<Self, ReadRefusal> {
        let Pending { keys, gone } = pending;
        let mut sources = vec![Source::Pending(keys.into_iter())];
        for prefix in prefixes {
            let keys = Keys::new(&disk.indexes, *prefix, range)?;
            sources.push(Source::Index(Box::new(keys)));
        }
        let mut heads = BTreeSet::new();
        for (at, source) in sources.iter_mut().enumerate() {
            heads.extend(source.next(&gone)?.map(|key| (key, at)));
        }
        let tail = tail.into_iter().peekable();
        Ok(Self { order: range.order, sources, heads, gone, tail })
    }

    /// The next key, with the event where it is from the tail.
    fn next(&mut self) -> Result<Option<(Key, Option<Bytes>)>, ReadRefusal> {
        let head = match self.order {
            Order::Ascending => self.heads.first(),
            Order::Descending => self.heads.last(),
        };
        let head = head.copied();
        let is_tail = match (head, self.tail.peek()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((key, _)), Some((in_tail, _))) => match self.order {
                Order::Ascending => *in_tail <= key,
                Order::Descending => *in_tail >= key,
            },
        };
        if is_tail && let Some((key, stored)) = self.tail.next() {
            if let Some((same, at)) = head
                && same == key
            {
                self.advance((same, at))?;
            }
            return Ok(Some((key, Some(stored))));
        }
        let Some(head) = head else { return Ok(None) };
        self.advance(head)?;
        Ok(Some((head.0, None)))
    }

    fn advance(&mut self, head: (Key, usize)) -> Result<(), ReadRefusal> {
        self.heads.remove(&head);
        let (_, at) = head;
        self.heads.extend(self.sources[at].next(&self.gone)?.map(|key| (key, at)));
        Ok(())
    }
}
