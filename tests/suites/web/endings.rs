//! A server that closes, and WebSockets whose clients do not: nothing waits for them longer than
//! `shutdown_timeout`.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use hat_aio::juggler::{ListenOptions, listen, peer};
use hat_aio::runtime::Stream;
use hat_aio::server::AcceptOptions;
use hat_aio::web::{UpgradedStream, WebOptions};
use hat_core::ws;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, within};

use super::peer::{Peer, upgraded};
use super::{local, server, until};

/// Nothing but `shutdown_timeout` ends a connection whose client says nothing.
fn patient() -> ws::Config {
    let day = Duration::from_secs(24 * 3600);
    ws::Config { close_timeout: day, ..ws::Config::default() }
}

fn impatient() -> WebOptions {
    WebOptions { shutdown_timeout: Duration::from_millis(20), ..WebOptions::default() }
}

/// What the `close` of a server comes to, which would take a day.
async fn at_once<R: TestRuntime>(closed: impl Future<Output = ()>) {
    within::<R, _>(Duration::from_secs(20), closed).await.expect("it does not wait for the client");
}

/// What a server said last: it went away (RFC 6455, section 7.4.1), or that it closes.
async fn is_told(peer: Peer) {
    let rest = peer.rest().await;
    assert!(rest.windows(2).any(|bytes| bytes == [0x88, 0x02]), "{}", rest.escape_ascii());
}

async fn read(stream: &mut UpgradedStream<impl Stream>) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, &mut BytesMut::new(), 1000)).await
}

on_every_runtime! {
    async fn a_juggler_client_that_never_answers_the_close<R>() {
        let options = ListenOptions { web: impatient(), ws: patient(), ..ListenOptions::default() };
        let server = listen::<R>(local(), (), options).await.expect("a free port");
        let silent = upgraded::<R>(server.addresses()[0]).await;
        until::<R>(|| !server.connections().is_empty()).await;
        at_once::<R>(server.close()).await;
        assert!(server.connections().is_empty());
        is_told(silent).await;
    }

    async fn a_juggler_05_client_that_never_answers_the_close<R>() {
        let server = peer::listen::<R>(local(), peer::ListenOptions { web: impatient(), ws: patient(), ..Default::default() });
        let server = server.await.expect("a free port");
        let silent = upgraded::<R>(server.addresses()[0]).await;
        let accepted = server.accept().await.expect("a connection");
        at_once::<R>(server.close()).await;
        assert_eq!(server.open_connections(), 0);
        let reason = accepted.end_reason().expect("it is over").to_string();
        assert!(reason.contains("the client did not follow in time"), "{reason}");
        is_told(silent).await;
    }

    async fn a_stream_that_the_application_reads<R>() {
        let server = server::<R>(impatient()).await;
        let _silent = upgraded::<R>(server.addresses()[0]).await;
        let mut stream = server.accept().await.expect("a WebSocket").stream;
        R::spawn(async move {
            let error = read(&mut stream).await.expect_err("cut");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            // and again
            read(&mut stream).await.expect_err("cut");
        });
        at_once::<R>(server.close()).await;
        assert_eq!(server.open_connections(), 0);
    }

    async fn connections_that_are_not_bound_live_on<R>() {
        let unbound = AcceptOptions { bind_connections: false, ..AcceptOptions::default() };
        let server = server::<R>(WebOptions { accept: unbound, ..impatient() }).await;
        let silent = upgraded::<R>(server.addresses()[0]).await;
        let mut stream = server.accept().await.expect("a WebSocket").stream;
        at_once::<R>(server.close()).await;
        let much_later = within::<R, _>(Duration::from_millis(100), read(&mut stream)).await;
        assert!(much_later.is_none());
        silent.send("x").await;
        assert_eq!(read(&mut stream).await.expect("read"), 1);
    }
}
