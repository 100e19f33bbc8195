//! Juggler clients that come back after every outage, both generations.

use std::net::SocketAddr;
use std::time::Duration;

use hat_aio::juggler::{
    ConnectError, Connection, Handler, ListenOptions, ReconnectOptions, ReconnectingClient,
    RequestError, Server, SharedState, StartError, StopReason, Update, WhileDisconnected,
    keep_connected, listen, peer,
};
use hat_core::json::Value;
use hat_core::juggler::State;
use hat_core::retry::{OnRejection, RetryConfig};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};
use serde_json::json;
use smol::stream::StreamExt;

use super::{Folder, local, until};

const SOON: Duration = Duration::from_millis(50);

/// Gives back what is asked, or never answers.
struct Echo;

impl Handler for Echo {
    async fn request(&self, _: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        if name == "never" {
            std::future::pending::<()>().await;
        }
        Ok(data)
    }
}

fn state(value: impl Into<Value>) -> SharedState {
    let state = SharedState::new(State::default(), Some(Duration::ZERO));
    state.change(|state| state.replace(value)).expect("small");
    state
}

async fn serve<R: TestRuntime>(address: SocketAddr, state: &SharedState) -> Server {
    let options = || ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
    // another test may have been given the port for a moment
    loop {
        match listen::<R>(address, Echo, options()).await {
            Ok(server) => return server,
            Err(_) => sleep::<R>(Duration::from_millis(5)).await,
        }
    }
}

/// Tries again at once, all but.
fn quickly() -> RetryConfig {
    RetryConfig {
        first_delay: Duration::from_millis(2),
        max_delay: Duration::from_millis(20),
        ..RetryConfig::default()
    }
}

async fn client<R: TestRuntime>(
    address: SocketAddr,
    options: impl FnOnce(&mut ReconnectOptions),
) -> ReconnectingClient {
    let mut all = ReconnectOptions { retry: quickly(), ..ReconnectOptions::default() };
    options(&mut all);
    keep_connected::<R>(address, all).await.expect("an address")
}

/// The next update that is no failed try.
async fn next(client: &ReconnectingClient) -> Update {
    loop {
        match client.next().await.expect("it goes on") {
            Update::Disconnected { reason: ConnectError::Connect(_), .. } => {}
            update => return update,
        }
    }
}

async fn connected(client: &ReconnectingClient) {
    loop {
        match next(client).await {
            Update::Connected => return,
            // a server that was about to close its socket took us
            Update::Disconnected { reason: ConnectError::Ended(_), .. } => {}
            update => panic!("not connected: {update:?}"),
        }
    }
}

async fn told(client: &ReconnectingClient, expected: impl Into<Value>) {
    match next(client).await {
        Update::State(state) => assert_eq!(state, expected.into()),
        update => panic!("not the state: {update:?}"),
    }
}

async fn lost(client: &ReconnectingClient) {
    match next(client).await {
        Update::Disconnected { reason: ConnectError::Ended(_), retry_in: Some(_) } => {}
        update => panic!("not the end of a connection: {update:?}"),
    }
}

fn listening_05() -> peer::ListenOptions {
    let mut options = peer::ListenOptions::default();
    options.config.peer.autoflush_delay = Some(Duration::ZERO);
    options
}

/// A server of 0.5 at `address`, and its end of the next connection.
async fn serve_05<R: TestRuntime>(address: SocketAddr) -> peer::Server {
    loop {
        match peer::listen::<R>(address, listening_05()).await {
            Ok(server) => return server,
            Err(_) => sleep::<R>(Duration::from_millis(5)).await,
        }
    }
}

async fn client_05<R: TestRuntime>(address: SocketAddr, calls: bool) -> peer::ReconnectingClient {
    let mut options = peer::ReconnectOptions { retry: quickly(), calls, ..Default::default() };
    options.client.config.peer.autoflush_delay = Some(Duration::ZERO);
    peer::keep_connected::<R>(address, options).await.expect("an address")
}

/// The next update of a client of 0.5 that is of no connection.
async fn next_05(client: &peer::ReconnectingClient) -> peer::Update {
    loop {
        match client.next().await.expect("it goes on") {
            peer::Update::Disconnected { .. } | peer::Update::Connected => {}
            update => return update,
        }
    }
}

async fn until_remote(connection: &peer::Connection, expected: Value) {
    while connection.remote_data() != expected {
        connection.changed().await.expect("open");
    }
}

/// A state that is 0, its server, and a client that is told every change and knows the first.
async fn told_every_change<R: TestRuntime>() -> (SharedState, Server, ReconnectingClient) {
    let value = state(0);
    let server = serve::<R>(local(), &value).await;
    let every = |options: &mut ReconnectOptions| options.client.every_change = true;
    let client = client::<R>(server.addresses()[0], every).await;
    connected(&client).await;
    told(&client, 0).await;
    (value, server, client)
}

on_every_runtime! {
    async fn the_state_is_followed_across_restarts<R>() {
        let value = state(json!({"round": -1}));
        let mut server = serve::<R>(local(), &value).await;
        let address = server.addresses()[0];
        let client = client::<R>(address, |_| ()).await;
        for round in 0..3 {
            connected(&client).await;
            told(&client, json!({"round": round - 1})).await;
            value.change(|state| state.replace(json!({"round": round, "open": true}))).expect("small");
            told(&client, json!({"round": round, "open": true})).await;
            assert!(client.is_current());
            server.close().await;
            lost(&client).await;
            // as last told, and it says so
            assert_eq!(client.state(), json!({"round": round, "open": true}).into());
            assert!(!client.is_current());
            // changed while there is nobody to tell
            value.change(|state| state.replace(json!({"round": round}))).expect("small");
            server = serve::<R>(address, &value).await;
        }
    }

    /// What an earlier server said is not what this one says, which says nothing.
    async fn a_server_without_a_state_is_told_apart<R>() {
        let value = state("before");
        let server = serve::<R>(local(), &value).await;
        let address = server.addresses()[0];
        let client = client::<R>(address, |_| ()).await;
        connected(&client).await;
        told(&client, "before").await;
        server.close().await;
        lost(&client).await;
        let silent = SharedState::new(State::default(), Some(Duration::ZERO));
        let _server = serve::<R>(address, &silent).await;
        connected(&client).await;
        assert_eq!((client.state(), client.is_current()), ("before".into(), false));
        silent.change(|state| state.replace("after")).expect("small");
        told(&client, "after").await;
        assert!(client.is_current());
    }

    async fn calls_fail_or_wait_while_there_is_no_server<R>() {
        let value = state(1);
        let server = serve::<R>(local(), &value).await;
        let address = server.addresses()[0];
        let fails = client::<R>(address, |_| ()).await;
        let wait = |options: &mut ReconnectOptions| {
            options.while_disconnected = WhileDisconnected::Wait;
        };
        let waits = client::<R>(address, wait).await;
        for client in [&fails, &waits] {
            connected(client).await;
            assert_eq!(client.send("echo", &2.into()).await.expect("an answer"), 2.into());
        }
        // one that is on its way fails, for nobody knows what became of it
        let on_its_way = waits.clone();
        let (sender, answered) = smol::channel::bounded(1);
        R::spawn(async move {
            drop(sender.send(on_its_way.send("never", &Value::Null).await).await);
        });
        assert!(within::<R, _>(SOON, answered.recv()).await.is_none());
        // not `close`: it waits for the handler, which never answers
        drop(server);
        let error = answered.recv().await.expect("told").expect_err("lost");
        assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
        for client in [&fails, &waits] {
            while client.is_connected() {
                sleep::<R>(Duration::from_millis(1)).await;
            }
        }
        let error = fails.send("echo", &1.into()).await.expect_err("no connection");
        assert!(matches!(error, RequestError::NotConnected), "{error:?}");
        let data = 3.into();
        let mut asked = std::pin::pin!(waits.send("echo", &data));
        assert!(within::<R, _>(SOON, asked.as_mut()).await.is_none());
        let _server = serve::<R>(address, &value).await;
        assert_eq!(asked.await.expect("an answer"), data);
        fails.connected().await.expect("connected");
        assert_eq!(fails.send("echo", &data).await.expect("an answer"), data);
    }

    async fn a_refused_client_gives_up_or_tries_again<R>() {
        let folder = Folder::new();
        // `htpasswd -nbs ana secret`
        let users = folder.write("users", "ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
        let mut options = ListenOptions { state: Some(state(1)), ..ListenOptions::default() };
        options.web.htpasswd_file = Some(users);
        let server = listen::<R>(local(), Echo, options).await.expect("a free port");
        let address = server.addresses()[0];
        let stop = |options: &mut ReconnectOptions| options.retry.on_rejection = OnRejection::Stop;
        let stops = client::<R>(address, stop).await;
        match stops.next().await.expect("the refusal") {
            Update::Disconnected { reason, retry_in: None } if reason.is_rejection() => {}
            update => panic!("{update:?}"),
        }
        match stops.next().await.expect_err("over") {
            StopReason::GaveUp(reason) => assert!(reason.to_string().contains("401"), "{reason}"),
            stopped => panic!("{stopped}"),
        }
        assert!(matches!(stops.connected().await, Err(StopReason::GaveUp(_))));

        let tries = client::<R>(address, |_| ()).await;
        for _ in 0..3 {
            match tries.next().await.expect("the refusal") {
                Update::Disconnected { reason, retry_in: Some(_) } if reason.is_rejection() => {}
                update => panic!("{update:?}"),
            }
        }
        let right = |options: &mut ReconnectOptions| {
            options.client.ws.credentials = Some(("ana".into(), "secret".into()));
        };
        let right = client::<R>(address, right).await;
        connected(&right).await;
        told(&right, 1).await;
    }

    async fn a_server_that_comes_later_is_found<R>() {
        let first = serve::<R>(local(), &state(1)).await;
        let address = first.addresses()[0];
        first.close().await;
        let client = client::<R>(address, |_| ()).await;
        let mut updates = client.updates();
        for _ in 0..3 {
            let update = updates.next().await.expect("a failed try");
            assert!(matches!(update, Update::Disconnected { retry_in: Some(_), .. }), "{update:?}");
        }
        let _server = serve::<R>(address, &state(2)).await;
        while !matches!(updates.next().await.expect("it goes on"), Update::Connected) {}
        told(&client, 2).await;
    }

    async fn who_is_slow_sees_the_newest_state_and_every_notification<R>() {
        let value = state(0);
        let server = serve::<R>(local(), &value).await;
        let client = client::<R>(server.addresses()[0], |_| ()).await;
        connected(&client).await;
        until::<R>(|| value.followers() == 1).await;
        for number in 1..=500 {
            value.change(|state| state.replace(number)).expect("small");
            if number % 10 == 0 {
                server.notify_all("n", &number.into());
            }
        }
        let (mut notified, mut states, mut newest) = (0, 0, 0);
        while notified < 500 || newest < 500 {
            match client.next().await.expect("it goes on") {
                Update::Notified(it) => {
                    notified += 10;
                    assert_eq!((&*it.name, it.data), ("n", notified.into()));
                }
                Update::State(state) => {
                    let number = state.as_i64().expect("a number");
                    assert!(number > newest || states == 0, "{number} after {newest}");
                    (states, newest) = (states + 1, number);
                }
                update => panic!("{update:?}"),
            }
        }
        assert_eq!(client.state(), 500.into());
    }

    async fn every_change_where_that_is_asked_for<R>() {
        let (value, _server, client) = told_every_change::<R>().await;
        for number in 1..=100 {
            value.change(|state| state.replace(number)).expect("small");
        }
        for number in 1..=100 {
            told(&client, number).await;
        }
    }

    /// A notification comes behind all changes that the server had made before it.
    async fn every_change_comes_before_what_was_said_after_it<R>() {
        let (value, server, client) = told_every_change::<R>().await;
        for number in 1..=200 {
            value.change(|state| state.replace(number)).expect("small");
            if number % 4 == 0 {
                server.notify_all("n", &number.into());
            }
        }
        let mut newest = 0;
        loop {
            match client.next().await.expect("it goes on") {
                Update::State(state) => newest = state.as_i64().expect("a number"),
                Update::Notified(it) if it.data == 200.into() => break,
                Update::Notified(it) => {
                    assert!(it.data.as_i64().expect("a number") <= newest, "{it:?} at {newest}");
                }
                update => panic!("{update:?}"),
            }
        }
    }

    async fn what_was_told_is_known_after_the_end<R>() {
        let value = state(7);
        let server = serve::<R>(local(), &value).await;
        let client = client::<R>(server.addresses()[0], |_| ()).await;
        connected(&client).await;
        told(&client, 7).await;
        client.close().await;
        assert_eq!(client.state(), 7.into());
    }

    async fn updates_that_nobody_takes_stop_nothing<R>() {
        let value = state(0);
        let server = serve::<R>(local(), &value).await;
        let client = client::<R>(server.addresses()[0], |_| ()).await;
        for round in 0..30 {
            let connection = client.connected().await.expect("connected");
            assert!(connection.end_reason().is_none(), "not one that has ended");
            value.change(|state| state.replace(round)).expect("small");
            while connection.state() != round.into() {
                connection.changed().await.expect("open");
            }
            assert_eq!(client.state(), round.into());
            connection.close().await;
        }
        let mut updates = 0;
        while within::<R, _>(SOON, client.next()).await.is_some() {
            updates += 1;
        }
        assert!(updates <= 20, "{updates} were kept");
    }

    async fn a_clean_close<R>() {
        let value = state(0);
        let server = serve::<R>(local(), &value).await;
        let address = server.addresses()[0];
        let closed = client::<R>(address, |_| ()).await;
        connected(&closed).await;
        assert!(matches!(closed.close().await, StopReason::Closed));
        while let Ok(update) = closed.next().await {
            assert!(matches!(update, Update::State(_)), "{update:?}");
        }
        assert!(!closed.is_connected());
        let dropped = client::<R>(address, |_| ()).await;
        connected(&dropped).await;
        drop(dropped);
        until::<R>(|| server.connections().is_empty()).await;
        // also while it waits to try again
        server.close().await;
        let waits = |options: &mut ReconnectOptions| {
            options.retry.first_delay = Duration::from_secs(3600);
            options.retry.max_delay = Duration::from_secs(3600);
        };
        let waiting = client::<R>(address, waits).await;
        let update = waiting.next().await.expect("a failed try");
        assert!(matches!(update, Update::Disconnected { .. }), "{update:?}");
        assert!(matches!(waiting.close().await, StopReason::Closed));
    }

    async fn what_will_never_be_asked<R>() {
        let mut options = ReconnectOptions::default();
        options.client.ws.ws_path = "ws".into();
        let error = keep_connected::<R>(local(), options).await.expect_err("no path");
        assert!(matches!(error, StartError::Request(_)), "{error}");
        let error = keep_connected::<R>("nowhere", ReconnectOptions::default()).await;
        assert!(matches!(error.expect_err("no port"), StartError::Address(_)));
        let error = keep_connected::<R>("ws://plant/a b", ReconnectOptions::default()).await;
        assert!(matches!(error.expect_err("no path"), StartError::Request(_)));
    }

    /// 0.5: our data are told anew, and the other side's followed.
    async fn data_go_both_ways_across_restarts<R>() {
        let mut server = serve_05::<R>(local()).await;
        let address = server.addresses()[0];
        let client = client_05::<R>(address, false).await;
        client.set_local_data(json!({"ours": 0})).expect("small");
        for round in 0..3 {
            let other = server.accept().await.expect("a connection");
            until_remote(&other, json!({"ours": round}).into()).await;
            other.set_local_data(round).expect("small");
            match next_05(&client).await {
                peer::Update::Data(data) => assert_eq!(data, round.into()),
                update => panic!("{update:?}"),
            }
            assert!(client.is_current());
            other.send(&json!(["hello"]).into()).await.expect("sent");
            match next_05(&client).await {
                peer::Update::Message(message) => assert_eq!(message, json!(["hello"]).into()),
                update => panic!("{update:?}"),
            }
            client.send(&"hi".into()).await.expect("sent");
            assert_eq!(other.receive().await.expect("open"), "hi".into());
            server.close().await;
            until::<R>(|| !client.is_connected()).await;
            assert_eq!((client.remote_data(), client.is_current()), (round.into(), false));
            let error = client.send(&"nobody".into()).await.expect_err("no connection");
            assert!(matches!(error, peer::CallError::NotConnected), "{error}");
            // changed while there is nobody to tell
            client.set_local_data(json!({"ours": round + 1})).expect("small");
            assert_eq!(client.local_data(), json!({"ours": round + 1}).into());
            server = serve_05::<R>(address).await;
        }
    }

    /// 0.5: calls both ways, on whichever connection there is.
    async fn calls_both_ways_across_restarts<R>() {
        let mut server = serve_05::<R>(local()).await;
        let address = server.addresses()[0];
        let client = client_05::<R>(address, true).await;
        for round in 0..3 {
            let other = peer::RpcConnection::new(server.accept().await.expect("a connection"));
            let calling = other.clone();
            let (sender, answered) = smol::channel::bounded(1);
            R::spawn(async move {
                drop(sender.send(calling.call("double", &[round.into()]).await).await);
            });
            match next_05(&client).await {
                peer::Update::Call(call) => {
                    let args: Vec<_> = call.args.iter().cloned().collect();
                    assert_eq!((&*call.action, args), ("double", vec![round.into()]));
                    call.respond(Ok(&(2 * round).into())).await.expect("sent");
                }
                update => panic!("{update:?}"),
            }
            let answer = answered.recv().await.expect("told").expect("a result");
            assert_eq!(answer, (2 * round).into());
            R::spawn(async move {
                while let Ok(received) = other.receive().await {
                    match received {
                        peer::MessageOrCall::Call(call) => {
                            call.respond(Ok(&"done".into())).await.expect("sent");
                        }
                        peer::MessageOrCall::Message(message) => panic!("{message}"),
                    }
                }
            });
            assert_eq!(client.call("work", &[]).await.expect("a result"), "done".into());
            server.close().await;
            until::<R>(|| !client.is_connected()).await;
            server = serve_05::<R>(address).await;
        }
        let plain = client_05::<R>(address, false).await;
        let error = plain.call("work", &[]).await.expect_err("not asked for");
        assert!(matches!(error, peer::CallError::NoCalls), "{error}");
    }
}
