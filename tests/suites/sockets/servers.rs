//! What a server does with its connections.

use std::time::Duration;

use hat_aio::chatter::{ConnectOptions, ListenOptions, connect, listen};
use hat_aio::server::AcceptOptions;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::within;

use super::{data, local, one};

const SOON: Duration = Duration::from_millis(50);

on_every_runtime! {
    async fn closing_a_server_closes_the_connections_that_are_bound_to_it<R>() {
        for bind_connections in [true, false] {
            let accept = AcceptOptions { bind_connections, ..AcceptOptions::default() };
            let server = listen::<R>(local(), ListenOptions { accept, ..ListenOptions::default() }).await.expect("listens");
            let address = server.addresses()[0];
            let client = connect::<R>(address, ConnectOptions::default()).await.expect("connected");
            let accepted = server.accept().await.expect("a connection");
            server.close().await;
            assert_eq!(accepted.end_reason().is_some(), bind_connections);
            assert!(server.accept().await.is_none());
            if !bind_connections {
                client.send(data("on its own"), one()).await.expect("sent");
                accepted.receive().await.expect("received");
            }
        }
    }

    /// Also where its connection ends with the server: it must not be taken by who is about to go.
    #[cfg(target_os = "linux")]
    async fn nobody_is_taken_by_a_server_that_has_begun_to_close<R>() {
        // an address of its own, where no other test listens
        let at = std::net::SocketAddr::from(([127, 0, 77, 1], 0));
        for round in 0..20 {
            let server = listen::<R>(at, ListenOptions::default()).await.expect("listens");
            let address = server.addresses()[0];
            let mut peer = std::net::TcpStream::connect(address).expect("connected");
            let accepted = server.accept().await.expect("a connection");
            let comes_back = std::thread::spawn(move || {
                let end = std::io::Read::read(&mut peer, &mut [0]);
                (end, std::net::TcpStream::connect(address))
            });
            if round % 2 == 0 {
                server.close().await;
            } else {
                drop(server);
            }
            let (end, again) = R::elsewhere(|| comes_back.join().expect("no panic")).await;
            assert_eq!(end.expect("an orderly end"), 0);
            let error = again.map(|_| ()).expect_err("nobody listens");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
            accepted.closed().await;
        }
    }

    async fn no_more_connections_than_the_limit<R>() {
        let accept = AcceptOptions { max_connections: 2, ..AcceptOptions::default() };
        let server = listen::<R>(local(), ListenOptions { accept, ..ListenOptions::default() }).await.expect("listens");
        let mut clients = Vec::new();
        for _ in 0..3 {
            let address = server.addresses()[0];
            clients.push(connect::<R>(address, ConnectOptions::default()).await.expect("connected"));
        }
        let first = server.accept().await.expect("a connection");
        let _second = server.accept().await.expect("a connection");
        assert!(within::<R, _>(SOON, server.accept()).await.is_none());
        assert_eq!(server.open_connections(), 2);
        first.close().await;
        server.accept().await.expect("the third, now that there is room");
    }

    async fn connections_that_nobody_accepts_end_with_the_server<R>() {
        let server = crate::server::<R>(ConnectOptions::default()).await;
        let address = server.addresses()[0];
        let client = connect::<R>(address, ConnectOptions::default()).await.expect("connected");
        server.close().await;
        client.closed().await;
        assert_eq!(server.open_connections(), 0);
    }

    async fn names_go_to_connections<R>() {
        let options = ConnectOptions { name: Some("plant".into()), ..ConnectOptions::default() };
        let server = crate::server::<R>(options).await;
        let address = server.addresses()[0];
        let client = connect::<R>(address, ConnectOptions::default()).await.expect("connected");
        let accepted = server.accept().await.expect("a connection");
        assert_eq!((server.name(), accepted.name()), (Some("plant"), Some("plant")));
        assert_eq!(client.name(), None);
    }

    async fn a_port_that_is_taken<R>() {
        let server = crate::server::<R>(ConnectOptions::default()).await;
        let address = server.addresses()[0];
        let again = listen::<R>(address, ConnectOptions::default().into()).await;
        let error = again.map(|_| ()).expect_err("taken");
        assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")));
    }
}
