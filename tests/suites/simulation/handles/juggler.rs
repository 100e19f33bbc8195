//! Juggler: clients that follow a state and ask for things, behind the web server.
//!
//! - A request has its own answer, or its connection is over.
//! - A client sees states that there were, never an older one after a newer.
//! - In the end it has the last state, on a connection that it makes again where it has to.

use std::net::SocketAddr;
use std::time::Duration;

use hat_aio::juggler::{
    Client, ConnectOptions, Connection, Handler, ListenOptions, SharedState, connect, listen,
};
use hat_aio::runtime::within;
use hat_core::json::Value;
use hat_core::juggler::State;
use hat_tests::simulated::{Simulated, World};
use hat_tests::simulation::Tally;

use super::tasks::start;
use super::{chance, count, draw, pause};

/// What the state comes to, and is not changed after.
const LAST: i64 = 1_000_000;

/// When nothing changes any more, the last state arrives within this time.
const SETTLED: Duration = Duration::from_secs(3600);

struct Echo;

impl Handler for Echo {
    async fn request(&self, _: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        pause(Duration::from_millis(300)).await;
        if name == "echo" { Ok(data) } else { Err(name.into()) }
    }
}

pub(super) async fn juggler() -> Tally {
    let delay = draw(|random| random.pick(&[0, 0, 200]));
    let state = SharedState::new(State::default(), Some(Duration::from_millis(delay)));
    let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
    let address = SocketAddr::from(([10, 0, 0, 1], 23021));
    let server = listen::<Simulated>(address, Echo, options).await.expect("the address is free");
    let clients: Vec<_> =
        (0..draw(|random| random.within(1..=3))).map(|_| start(client(address))).collect();
    for number in 0..draw(|random| random.size(40)) as i64 {
        pause(Duration::from_secs(2)).await;
        let size = draw(|random| random.size(3000));
        let value = serde_json::json!({ "number": number, "text": "x".repeat(size) });
        state.change(|state| state.replace(Value::from(value))).expect("small");
    }
    state.change(|state| state.replace(serde_json::json!({ "number": LAST }))).expect("small");
    let mut tally = Tally::new();
    for client in clients {
        for (what, many) in client.await {
            *tally.entry(what).or_default() += many;
        }
    }
    server.close().await;
    assert_eq!(state.followers(), 0, "somebody follows a server that is closed");
    tally
}

/// Follows until the last state is here, on one connection after the other.
async fn client(address: SocketAddr) -> Tally {
    let (mut tally, mut newest) = (Tally::new(), -1);
    let is_calm = World::current().is_calm();
    pause(Duration::from_secs(10)).await;
    while newest < LAST {
        let options = ConnectOptions { every_change: chance(30), ..ConnectOptions::default() };
        let client = match connect::<Simulated>(address, options).await {
            Ok(client) => client,
            Err(error) => {
                assert!(!is_calm, "refused in a calm world: {error}");
                count(&mut tally, "refused");
                pause(Duration::from_secs(5)).await;
                continue;
            }
        };
        let asking = start(ask(client.clone()));
        let following = within::<Simulated, _>(SETTLED, follow(&client, &mut newest, &mut tally));
        let is_lost = following.await.expect("the last state never came");
        assert!(!is_lost || !is_calm, "lost in a calm world");
        for (what, many) in asking.await {
            *tally.entry(what).or_default() += many;
        }
        client.close().await;
    }
    tally
}

/// Whether the connection was lost before the last state was here.
async fn follow(client: &Client, newest: &mut i64, tally: &mut Tally) -> bool {
    let slow = chance(20);
    loop {
        match client.changed().await {
            Err(_) => {
                count(tally, "lost");
                return true;
            }
            Ok(state) => {
                let number = state.get(&"/number".parse().expect("a pointer"));
                // the state of a server that has none yet is null
                let number = number.and_then(Value::as_i64).unwrap_or(-1);
                assert!(number >= *newest, "{number} after {newest}");
                *newest = number;
                count(tally, "changes");
            }
        }
        if *newest == LAST {
            return false;
        }
        if slow {
            pause(Duration::from_secs(5)).await;
        }
    }
}

/// Asks for some things, one after the other; gives some up.
async fn ask(client: Client) -> Tally {
    let mut tally = Tally::new();
    for number in 0..draw(|random| random.size(10)) as i64 {
        pause(Duration::from_secs(1)).await;
        let name = if chance(80) { "echo" } else { "nothing" };
        let data = Value::from(number);
        let asked = client.send(name, &data);
        let answer = match chance(20) {
            true => {
                let time = draw(|random| random.duration(Duration::from_millis(500)));
                within::<Simulated, _>(time, asked).await
            }
            false => Some(asked.await),
        };
        match answer {
            None => count(&mut tally, "given up"),
            Some(Ok(answer)) => {
                assert_eq!((answer, name), (data, "echo"), "its own answer");
                count(&mut tally, "answers");
            }
            Some(Err(hat_aio::juggler::RequestError::Failed(_))) => assert_eq!(name, "nothing"),
            Some(Err(error)) => {
                assert!(!World::current().is_calm(), "lost in a calm world: {error}");
                return tally;
            }
        }
    }
    tally
}
