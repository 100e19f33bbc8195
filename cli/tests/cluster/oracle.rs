//! Who registers at all nodes and is told by all of them, remembers every answer and every
//! notification, and says at the end whether they fit together.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hat_aio::eventer::Notification;
use hat_core::eventer::{Event, EventId, RegisterEvent, Status};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::nodes::{client, events_after};

/// Tasks that register at each node.
const REGISTRARS: usize = 3;

/// What was seen.
#[derive(Default)]
struct Observations {
    /// Answers: the events, by the name of the registration.
    answered: BTreeMap<String, Vec<Event>>,
    /// What subscribers were told, connection by connection.
    told: Vec<Vec<Event>>,
    /// Answers that the client looked for on its node and did not find.
    not_found: Vec<String>,
}

pub(crate) struct Oracle {
    seen: Arc<Mutex<Observations>>,
    ends: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Oracle {
    /// Registers and listens until [`end`](Self::end).
    pub(crate) fn start(addresses: &[String]) -> Self {
        let (seen, ends) = (Arc::<Mutex<Observations>>::default(), Arc::<AtomicBool>::default());
        let mut tasks = Vec::new();
        for (node, address) in addresses.iter().enumerate() {
            for number in 0..REGISTRARS {
                let name = format!("{node}/{number}");
                let (address, seen, ends) = (address.clone(), seen.clone(), ends.clone());
                tasks.push(tokio::spawn(register(address, name, seen, ends)));
            }
            let (address, seen, ends) = (address.clone(), seen.clone(), ends.clone());
            tasks.push(tokio::spawn(listen(address, seen, ends)));
        }
        Self { seen, ends, tasks }
    }

    /// How many registrations were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.seen.lock().expect("no panic").answered.len()
    }

    /// Registers no more, and waits for what is under way.
    pub(crate) async fn end(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for task in self.tasks.drain(..) {
            task.await.expect("no panic");
        }
    }

    /// Says what is wrong with the histories of the nodes.
    pub(crate) fn judge(&self, histories: &[Vec<Event>]) -> Result<(), String> {
        let seen = self.seen.lock().expect("no panic");
        let history = &histories[0];
        for (node, other) in histories.iter().enumerate() {
            if let Some(at) =
                (0..history.len().max(other.len())).find(|at| history.get(*at) != other.get(*at))
            {
                return Err(format!(
                    "event {at} is {:?} at node 0 and {:?} at node {node}",
                    history.get(at),
                    other.get(at)
                ));
            }
        }
        if let Some(name) = seen.not_found.first() {
            return Err(format!("{name} was answered, and its node did not find it"));
        }
        if let Some(two) = history
            .windows(2)
            .find(|two| two[0].id >= two[1].id || two[0].timestamp > two[1].timestamp)
        {
            return Err(format!("not in order: {two:?}"));
        }
        let mut places: HashMap<EventId, usize> = HashMap::new();
        let mut sessions: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
        for (at, event) in history.iter().enumerate() {
            places.insert(event.id, at);
            sessions.entry(name_of(event)).or_default().push(event);
        }
        for (name, events) in &sessions {
            if events.iter().any(|event| event.id.session != events[0].id.session) {
                return Err(format!("{name} is registered twice: {events:?}"));
            }
            let is_whole = events.len() == size_of(name);
            if !is_whole && name.starts_with("r/") {
                return Err(format!("{name} is not whole: {events:?}"));
            }
        }
        for (name, events) in &seen.answered {
            let found = sessions.get(name).is_some_and(|found| found.iter().copied().eq(events));
            if !found {
                return Err(format!(
                    "{name} was answered with {events:?}, and is {:?}",
                    sessions.get(name)
                ));
            }
        }
        let mut last: BTreeMap<&str, (i64, usize)> = BTreeMap::new();
        for (name, events) in &seen.answered {
            let (registrar, number) = name.rsplit_once('/').expect("a name");
            let number: usize = number.parse().expect("a number");
            let this = (events[0].id.session, number);
            if let Some(before) = last.insert(registrar, this)
                && (before.0 < this.0) != (before.1 < this.1)
            {
                return Err(format!("{registrar}: {before:?} and {this:?} have another order"));
            }
        }
        for told in &seen.told {
            let Some(first) = told.first() else { continue };
            let Some(start) = places.get(&first.id) else {
                return Err(format!("{first:?} was told, and is nowhere"));
            };
            let expected = &history[*start..history.len().min(start + told.len())];
            if let Some(at) = (0..told.len()).find(|at| expected.get(*at) != told.get(*at)) {
                return Err(format!(
                    "{:?} was told where {:?} was to come",
                    told.get(at),
                    expected.get(at)
                ));
            }
        }
        Ok(())
    }
}

/// The registration of an event: the type without its last segment.
fn name_of(event: &Event) -> String {
    let text = event.event_type.to_string();
    text.rsplit_once('/').map_or(text.clone(), |(name, _)| name.to_owned())
}

/// How many events a registration has.
fn size_of(name: &str) -> usize {
    let number = name.rsplit('/').next().and_then(|it| it.parse::<usize>().ok());
    number.unwrap_or(0) % 3 + 1
}

async fn register(
    address: String,
    registrar: String,
    seen: Arc<Mutex<Observations>>,
    ends: Arc<AtomicBool>,
) {
    let mut number = 0;
    while !ends.load(Ordering::Relaxed) {
        let Some(client) = client(&address, Vec::new()).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !ends.load(Ordering::Relaxed) {
            // names sort as numbers do
            let name = format!("r/{registrar}/{number:08}");
            number += 1;
            let event = |at| RegisterEvent::new(format!("{name}/{at}").as_str());
            let events: Vec<_> = (0..size_of(&name)).map(event).collect();
            let asked = timeout(Duration::from_secs(40), client.register_with_response(&events));
            match asked.await {
                Ok(Ok(Some(events))) => {
                    // what one has just registered is there
                    if number % 16 == 0 {
                        let before = EventId { instance: 0, ..events[0].id };
                        let found = events_after(&client, Some(before)).await;
                        if found.is_some_and(|found| !found.starts_with(&events)) {
                            seen.lock().expect("no panic").not_found.push(name.clone());
                        }
                    }
                    seen.lock().expect("no panic").answered.insert(name, events);
                }
                Ok(Ok(None)) => sleep(Duration::from_millis(100)).await,
                Ok(Err(_)) | Err(_) => break,
            }
        }
    }
}

async fn listen(address: String, seen: Arc<Mutex<Observations>>, ends: Arc<AtomicBool>) {
    while !ends.load(Ordering::Relaxed) {
        let Some(client) = client(&address, vec!["*"]).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = {
            let mut seen = seen.lock().expect("no panic");
            seen.told.push(Vec::new());
            seen.told.len() - 1
        };
        while !ends.load(Ordering::Relaxed) {
            match timeout(Duration::from_millis(200), client.next()).await {
                Ok(Ok(Notification::Events(events))) => {
                    seen.lock().expect("no panic").told[connection].extend(events.into_vec());
                }
                Ok(Ok(Notification::Status(Status::Stopping))) => {}
                Ok(Ok(Notification::Status(_))) | Err(_) => {}
                Ok(Err(_)) => break,
            }
        }
    }
}

/// What an oracle that saw `answers` and `told` says of histories.
fn judged(answers: &[Vec<Event>], told: Vec<Event>, histories: &[Vec<Event>]) -> Option<String> {
    let seen = Arc::<Mutex<Observations>>::default();
    {
        let mut seen = seen.lock().expect("no panic");
        seen.told.push(told);
        seen.answered.extend(answers.iter().map(|it| (name_of(&it[0]), it.clone())));
    }
    Oracle { seen, ends: Arc::default(), tasks: Vec::new() }.judge(histories).err()
}

#[test]
fn the_oracle_tells_what_must_never_be() {
    let event = |session, number: usize| Event {
        id: EventId::new(1, session, 1),
        event_type: format!("r/0/0/{:08}/0", number * 3).parse().unwrap_or_else(|it| match it {}),
        timestamp: hat_core::eventer::Timestamp::from_secs(session),
        source_timestamp: None,
        payload: None,
    };
    let history = vec![event(2, 0), event(3, 1), event(5, 2)];
    let answers: Vec<_> = history.iter().map(|event| vec![event.clone()]).collect();
    let good = [history.clone(), history.clone()];
    assert_eq!(judged(&answers, history[1..].to_vec(), &good), None);
    let says = |what: &str, said: Option<String>| {
        assert!(said.as_ref().is_some_and(|said| said.contains(what)), "{what}: {said:?}");
    };
    let told = Vec::new;
    let lost = [history.clone(), history[..2].to_vec()];
    says("at node 1", judged(&answers, told(), &lost));
    let nowhere = [history[..2].to_vec(), history[..2].to_vec()];
    says("was answered", judged(&answers, told(), &nowhere));
    let twice = [history.clone(), vec![event(6, 1)]].concat();
    says("registered twice", judged(&answers, told(), &[twice]));
    let same_id = vec![event(2, 0), event(2, 1)];
    says("not in order", judged(&[], told(), &[same_id]));
    let back = vec![event(3, 0), Event { timestamp: history[0].timestamp, ..event(4, 1) }];
    says("not in order", judged(&[], told(), &[back]));
    let turned = vec![event(2, 1), event(3, 0)];
    let answers_turned = [vec![turned[1].clone()], vec![turned[0].clone()]];
    says("another order", judged(&answers_turned, told(), &[turned]));
    let left_out = vec![event(2, 0), event(5, 2)];
    says("was to come", judged(&answers, left_out, &good));
    says("is nowhere", judged(&answers, vec![event(9, 9)], &good));
}
