//! Juggler over `wss`, and the pages of its web server over `https`.

use hat_aio::juggler::{self, Connection, Handler, ListenOptions, WsOptions, peer};
use hat_aio::web::{EmbeddedFile, WebOptions};
use hat_aio::{Address, tcp};
use hat_core::json::Value;
use hat_tests::on_every_runtime;

use super::{acceptor, at, connector, local};

/// Gives back what it is asked.
struct Echo;

impl Handler for Echo {
    async fn connected(&self, connection: &Connection) {
        connection.change(|state| state.replace("for you")).expect("small");
    }

    async fn request(&self, _: &Connection, _: &str, data: Value) -> Result<Value, Value> {
        Ok(data)
    }
}

const PAGE: &[EmbeddedFile] =
    &[EmbeddedFile { path: "/index.html", content_type: "text/html", bytes: b"<p>page</p>" }];

fn web() -> WebOptions {
    WebOptions { tls: acceptor(), embedded: PAGE, ..WebOptions::default() }
}

fn ws() -> WsOptions {
    WsOptions { tls: connector(), ..WsOptions::default() }
}

on_every_runtime! {
    async fn client_and_server<R>() {
        let options = ListenOptions { web: web(), ..ListenOptions::default() };
        let server = juggler::listen::<R>(local(), Echo, options).await.expect("listens");
        let options = juggler::ConnectOptions { ws: ws(), ..juggler::ConnectOptions::default() };
        let target = at(server.addresses()[0]);
        let client = juggler::connect::<R>(target.clone(), options).await.expect("connected");
        assert_eq!(client.changed().await.expect("open"), Value::from("for you"));
        // many records, and several segments
        let data = Value::from("x".repeat(1_000_000));
        assert_eq!(client.send("echo", &data).await.expect("answered"), data);

        // who does not speak TLS gets nothing
        let plain = juggler::connect::<R>(target, juggler::ConnectOptions::default()).await;
        assert!(matches!(plain, Err(juggler::ConnectError::Ended(_))));
        server.close().await;
        let end = client.ended().await;
        assert!(end.protocol().is_some(), "{end:?}");
    }

    /// `Host` is a host with its port, however the address says that it is for TLS.
    async fn the_host_of_an_address<R>() {
        let options =
            tcp::ListenOptions { tls: acceptor(), ..tcp::ConnectOptions::default().into() };
        let server = tcp::listen::<R>(local(), options).await.expect("listens");
        let port = server.addresses()[0].port();
        for (scheme, path, asked) in [
            ("ssl+sbs", "", "/ws"),
            ("wss", "", "/ws"),
            ("https", "/", "/ws"),
            ("wss", "/hmi/ws?plant=1", "/hmi/ws?plant=1"),
        ] {
            let target = format!("{scheme}://localhost:{port}{path}");
            let target: Address = target.parse().expect("an address");
            let options = juggler::ConnectOptions { ws: ws(), ..juggler::ConnectOptions::default() };
            R::spawn(async move {
                // it is never answered
                let _ = juggler::connect::<R>(target, options).await;
            });
            let accepted = server.accept().await.expect("a client");
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                head.extend_from_slice(&accepted.read(10_000).await.expect("a request"));
            }
            let head = String::from_utf8(head).expect("text");
            assert!(head.starts_with(&format!("GET {asked} HTTP/1.1\r\n")), "{scheme}: {head}");
            assert!(head.contains(&format!("\r\nHost: localhost:{port}\r\n")), "{scheme}: {head}");
        }
    }

    async fn peers<R>() {
        let options = peer::ListenOptions { web: web(), ..Default::default() };
        let server = peer::listen::<R>(local(), options).await;
        let server = server.expect("listens");
        let options = peer::ConnectOptions { ws: ws(), ..Default::default() };
        let client = peer::connect::<R>(at(server.addresses()[0]), options).await;
        let client = client.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        for (from, to) in [(&client, &accepted), (&accepted, &client)] {
            from.set_local_data("seen").expect("small");
            from.flush().await.expect("open");
            assert_eq!(to.changed().await.expect("open"), Value::from("seen"));
        }
    }

    async fn pages<R>() {
        let options = ListenOptions { web: web(), ..ListenOptions::default() };
        let server = juggler::listen::<R>(local(), (), options).await.expect("listens");
        let target: Address = at(server.addresses()[0]);
        let options = tcp::ConnectOptions { tls: connector(), ..tcp::ConnectOptions::default() };
        let browser = tcp::connect::<R>(target, options).await.expect("connected");
        let request = "GET /index.html HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        browser.write(request).await.expect("written");
        let mut answer = Vec::new();
        while let Ok(bytes) = browser.read(10_000).await {
            answer.extend_from_slice(&bytes);
        }
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n<p>page</p>"), "{answer}");
    }
}
