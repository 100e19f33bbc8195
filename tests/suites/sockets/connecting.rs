//! Connecting: addresses that are silent, and the limit of it all.

use std::fmt::Debug;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use hat_aio::{Address, ConnectError, SocketOptions, chatter, cotp, eventer, juggler, tcp, tpkt};
use hat_tests::on_every_runtime;
use hat_tests::resolving::{ResolvingRuntime, name};
use hat_tests::runtimes::{TestRuntime, within};
use hat_tests::silent::Silent;

use crate::local;

/// What only a connection that waits for the silent address reaches.
const LONG: Duration = Duration::from_secs(20);

fn limit(connect_timeout: Duration) -> SocketOptions {
    SocketOptions { connect_timeout, ..SocketOptions::default() }
}

fn address(host: &str) -> Address {
    Address::new(host, 1)
}

#[track_caller]
fn timed_out<T>(connected: Result<T, ConnectError>) {
    match connected.err().expect("nobody answers") {
        ConnectError::Connect { error, .. } => {
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(error.to_string().contains("no answer within 300ms"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

async fn soon<R: TestRuntime, T, E: Debug>(connecting: impl Future<Output = Result<T, E>>) -> T {
    let connected = within::<R, _>(LONG, connecting).await;
    connected.expect("the next address is tried before the time runs out").expect("connected")
}

on_every_runtime! {
    async fn every_protocol_has_a_limit<R>() {
        let silent = Silent::new();
        let to = silent.address();
        let socket = limit(Duration::from_millis(300));

        let options = chatter::ConnectOptions { socket, ..Default::default() };
        timed_out(chatter::connect::<R>(to, options).await);
        let options = tcp::ConnectOptions { socket, ..Default::default() };
        timed_out(tcp::connect::<R>(to, options).await);
        let options = tpkt::ConnectOptions { socket, ..Default::default() };
        timed_out(tpkt::connect::<R>(to, options).await);

        let options = cotp::ConnectOptions { socket, ..Default::default() };
        timed_out(cotp::connect::<R>(to, options).await.map_err(|error| match error {
            cotp::ConnectError::Connect(error) => error,
            other => panic!("{other:?}"),
        }));
        let options = eventer::ConnectOptions { socket, ..Default::default() };
        timed_out(eventer::connect::<R>(to, "name", options).await.map_err(|error| match error {
            eventer::ConnectError::Connect(error) => error,
            other => panic!("{other:?}"),
        }));
        let ws = juggler::WsOptions { socket, ..Default::default() };
        let options = juggler::ConnectOptions { ws: ws.clone(), ..Default::default() };
        let juggler_error = |error| match error {
            juggler::ConnectError::Connect(error) => error,
            other => panic!("{other:?}"),
        };
        timed_out(juggler::connect::<R>(to, options).await.map_err(juggler_error));
        let connecting = juggler::peer::connect::<R>(to, juggler::peer::ConnectOptions { ws, ..Default::default() });
        timed_out(connecting.await.map_err(juggler_error));
    }

    /// The limit for the silent address is 30 s; nobody waits for that, in any protocol.
    async fn the_next_address_is_tried_before_the_first_has_answered<R>() {
        let silent = Silent::new();
        let names = |protocol: &str, to: SocketAddr| {
            let host = format!("{protocol}.{}.example", R::NAME);
            name(&host, [silent.address(), to]);
            address(&host)
        };
        let there = chatter::listen::<R>(local(), Default::default()).await.expect("listens");
        let to = names("chatter", there.addresses()[0]);
        soon::<R, _, _>(chatter::connect::<ResolvingRuntime<R>>(to, Default::default())).await;

        let there = tcp::listen::<R>(local(), Default::default()).await.expect("listens");
        let to = names("tcp", there.addresses()[0]);
        soon::<R, _, _>(tcp::connect::<ResolvingRuntime<R>>(to, Default::default())).await;

        let there = tpkt::listen::<R>(local(), Default::default()).await.expect("listens");
        let to = names("tpkt", there.addresses()[0]);
        soon::<R, _, _>(tpkt::connect::<ResolvingRuntime<R>>(to, Default::default())).await;

        let there = cotp::listen::<R>(local(), Default::default()).await.expect("listens");
        let to = names("cotp", there.addresses()[0]);
        soon::<R, _, _>(cotp::connect::<ResolvingRuntime<R>>(to, Default::default())).await;

        let there = eventer::listen::<R>(local(), (), Default::default()).await.expect("listens");
        let to = names("eventer", there.addresses()[0]);
        soon::<R, _, _>(eventer::connect::<ResolvingRuntime<R>>(to, "name", Default::default())).await;

        let there = juggler::peer::listen::<R>(local(), Default::default());
        let there = there.await.expect("listens");
        let to = names("juggler", there.addresses()[0]);
        let connecting =
            juggler::peer::connect::<ResolvingRuntime<R>>(to, Default::default());
        soon::<R, _, _>(connecting).await;
    }

    async fn one_that_refuses_makes_place_at_once_and_the_last_error_is_told<R>() {
        let free = || TcpListener::bind(local()).and_then(|it| it.local_addr()).expect("a port");
        let host = format!("refused.{}.example", R::NAME);
        let listener = TcpListener::bind(local()).expect("a port");
        let there = listener.local_addr().expect("its address");

        name(&host, [free(), free(), there]);
        let connecting = tcp::connect::<ResolvingRuntime<R>>(address(&host), Default::default());
        let connection = soon::<R, _, _>(connecting).await;
        assert_eq!(connection.remote_address(), there);

        name(&host, [free(), free()]);
        let refused = tcp::connect::<ResolvingRuntime<R>>(address(&host), Default::default()).await;
        let error = refused.expect_err("refused");
        assert_eq!(error.io().expect("the system's").kind(), ErrorKind::ConnectionRefused);
    }

    async fn from_an_address_of_ones_own<R>() {
        let listener = TcpListener::bind(local()).expect("a port");
        let to = listener.local_addr().expect("its address");
        let from = |host: &str| {
            let local_address = Some(SocketAddr::new(host.parse().expect("an address"), 0));
            let socket = SocketOptions { local_address, ..SocketOptions::default() };
            tcp::ConnectOptions { socket, ..Default::default() }
        };
        let connection = tcp::connect::<R>(to, from("127.0.0.9")).await.expect("connected");
        assert_eq!(connection.local_address().ip(), Ipv4Addr::new(127, 0, 0, 9));
        let (_, seen) = listener.accept().expect("a client");
        assert_eq!(seen, connection.local_address());

        let error = tcp::connect::<R>(to, from("::1")).await.expect_err("the other family");
        assert!(error.to_string().contains("no address of the same family as the local address [::1]:0"));
    }
}
