//! Plain TCP connections, as `hat.drivers.tcp` users know them.

use std::time::Duration;

use hat_aio::server::AcceptOptions;
use hat_aio::tcp::{ConnectOptions, Connection, Error, ListenOptions, Server, connect, listen};
use hat_core::tcp::{Config, SendFault};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, within};
use smol::io::{AsyncReadExt, AsyncWriteExt};

use crate::local;

const SOON: Duration = Duration::from_millis(50);

async fn pair<R: TestRuntime>(options: ConnectOptions) -> (Server, Connection, Connection) {
    let server = listen::<R>(local(), options.clone().into()).await;
    let server = server.expect("a free port");
    let client = connect::<R>(server.addresses()[0], options).await.expect("a connection");
    let accepted = server.accept().await.expect("the other end");
    (server, client, accepted)
}

#[track_caller]
fn closed<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.expect_err("the end");
    assert!(error.protocol().is_some(), "{error:?}");
}

on_every_runtime! {
    async fn two_that_wait_for_more_than_the_buffer_holds<R>() {
        let options = ConnectOptions { input_buffer_limit: 10, ..ConnectOptions::default() };
        let (_server, one, two) = pair::<R>(options).await;
        let other = two.clone();
        let (done, both) = smol::channel::bounded(2);
        for (reader, count) in [(two, 200_000), (other, 100_000)] {
            let done = done.clone();
            R::spawn(async move {
                let read = reader.read_exact(count).await.expect("read");
                done.send(read.len()).await.expect("waited for");
            });
        }
        one.write(vec![7; 300_000]).await.expect("written");
        let read = both.recv().await.expect("one") + both.recv().await.expect("the other");
        assert_eq!(read, 300_000);
    }

    async fn the_end_of_a_stream_that_nobody_read_is_an_error<R>() {
        let (_server, one, two) = pair::<R>(ConnectOptions::default()).await;
        one.write(vec![7; 64 * 1024 * 1024]).await.expect("an empty queue takes it");
        let mut stream = one.clone();
        R::spawn(async move {
            one.close().await;
        });
        let error = AsyncWriteExt::close(&mut stream).await.expect_err("given up");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error:?}");
        drop(two);
    }

    async fn the_example_of_the_documentation<R>() {
        let (server, one, two) = pair::<R>(ConnectOptions::default()).await;
        one.write("123").await.expect("written");
        assert_eq!(two.read_exact(3).await.expect("read"), "123");
        two.write("321").await.expect("written");
        assert_eq!(one.read_exact(3).await.expect("read"), "321");
        one.close().await;
        two.closed().await;
        server.close().await;
    }

    async fn info<R>() {
        let options = ConnectOptions { name: Some("line 1".into()), ..ConnectOptions::default() };
        let (server, one, two) = pair::<R>(options).await;
        assert_eq!(server.name(), Some("line 1"));
        assert_eq!(one.info().name.as_deref(), Some("line 1"));
        assert_eq!(one.info().local_address, two.info().remote_address);
        assert_eq!(one.info().remote_address, server.addresses()[0]);
    }

    async fn read_gives_what_is_there_and_waits_for_one_byte<R>() {
        let (_server, one, two) = pair::<R>(ConnectOptions::default()).await;
        assert_eq!(one.read(0).await.expect("nothing asked"), "");
        assert!(within::<R, _>(SOON, one.read(10)).await.is_none());
        two.write("abcdef").await.expect("written");
        assert_eq!(one.read_exact(2).await.expect("read"), "ab");
        assert_eq!(one.read(10).await.expect("read"), "cdef");
    }

    async fn what_came_before_the_end_is_read_first<R>() {
        let (_server, one, two) = pair::<R>(ConnectOptions::default()).await;
        two.write("abc").await.expect("written");
        two.close().await;
        closed(one.read_exact(4).await);
        assert_eq!(one.read(4).await.expect("what came"), "abc");
        closed(one.read(1).await);
        let refused = one.write("x").await.expect_err("it is over");
        assert_eq!((refused.fault, &refused.data[..]), (SendFault::Closed, &b"x"[..]));
    }

    async fn a_read_that_is_dropped_reads_nothing<R>() {
        let (_server, one, two) = pair::<R>(ConnectOptions::default()).await;
        two.write("abc").await.expect("written");
        assert!(within::<R, _>(SOON, one.read_exact(4)).await.is_none());
        two.write("d").await.expect("written");
        assert_eq!(one.read_exact(4).await.expect("read"), "abcd");
    }

    async fn the_input_buffer_stops_the_peer_and_can_be_cleared<R>() {
        let (_server, one, two) = pair::<R>(ConnectOptions::default()).await;
        let block = vec![7; 1024 * 1024];
        let mut written = 0;
        while within::<R, _>(SOON, two.write(block.clone())).await.is_some() {
            written += 1;
            assert!(written < 100, "nothing stops the writer");
        }
        let held = one.clear_input_buffer();
        assert!((64 * 1024..256 * 1024).contains(&held), "{held} bytes were held");
        let more = one.read_exact(2 * block.len()).await.expect("more than the limit");
        assert_eq!(more.len(), 2 * block.len());
    }

    async fn half_close<R>() {
        let config = Config { allow_half_open: true, ..Config::default() };
        let (_server, client, server) = pair::<R>(ConnectOptions { config, ..ConnectOptions::default() }).await;
        client.write("question").await.expect("written");
        client.end();
        let refused = client.write("more").await.expect_err("our side has ended");
        assert_eq!((refused.fault, &refused.data[..]), (SendFault::Closed, &b"more"[..]));
        assert_eq!(server.read_exact(8).await.expect("read"), "question");
        closed(server.read(1).await);
        server.write("answer").await.expect("our side is open");
        server.close().await;
        assert_eq!(client.read_exact(6).await.expect("read"), "answer");
        closed(client.read(1).await);
        client.closed().await;
    }

    async fn a_reset_is_an_error_and_not_the_end_of_the_stream<R>() {
        for allow_half_open in [false, true] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            let config = Config { allow_half_open, ..Config::default() };
            let options = ConnectOptions { config, ..ConnectOptions::default() };
            let address = listener.local_addr().expect("bound");
            let mut client = connect::<R>(address, options).await.expect("connected");
            let (mut peer, _) = listener.accept().expect("it waits");
            std::io::Write::write_all(&mut peer, b"the first ha").expect("written");
            let mut received = [0; 12];
            AsyncReadExt::read_exact(&mut client, &mut received).await.expect("read");
            // a socket that is closed with something unread in it is reset
            client.write_all(b"never read").await.expect("written");
            client.flush().await.expect("written");
            peer.peek(&mut [0]).expect("it came");
            drop(peer);
            let rest = client.read_to_end(&mut Vec::new()).await;
            assert!(rest.is_err(), "the other half is missing, and this said: {rest:?}");
        }
    }

    async fn as_a_stream_of_the_futures_crates<R>() {
        let (_server, mut one, mut two) = pair::<R>(ConnectOptions::default()).await;
        let sent = vec![5; 300_000];
        let copy = sent.clone();
        R::spawn(async move {
            one.write_all(&copy).await.expect("written");
            one.close().await;
        });
        let mut received = Vec::new();
        two.read_to_end(&mut received).await.expect("to the end");
        assert!(received == sent);
    }

    async fn what_a_reset_left_unwritten_is_told<R>() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut client = connect::<R>(address, ConnectOptions::default()).await.expect("connected");
        let (peer, _) = listener.accept().expect("it waits");
        // more than the systems of both sides take
        client.write(vec![7; 64 * 1024 * 1024]).await.expect("an empty queue takes it");
        let resetting = R::elsewhere(move || {
            peer.peek(&mut [0]).expect("it came");
            // closed with something unread in it, it is reset
            drop(peer);
        });
        resetting.await;
        let Error::Io(reason) = client.closed().await else { panic!("no reset") };
        // whoever asks learns it, however late and however often
        for _ in 0..2 {
            client.drain().await.expect_err("not all is written");
            let error = client.flush().await.expect_err("not all is written");
            assert_eq!(error.kind(), reason.kind());
            AsyncWriteExt::close(&mut client).await.expect_err("not all is written");
        }
    }

    async fn bound_connections<R>() {
        for bind_connections in [true, false] {
            let accept = AcceptOptions { bind_connections, ..AcceptOptions::default() };
            let server = listen::<R>(local(), ListenOptions { accept, ..ListenOptions::default() }).await.expect("listens");
            let client = connect::<R>(server.addresses()[0], ConnectOptions::default()).await;
            let client = client.expect("connected");
            let accepted = server.accept().await.expect("the other end");
            server.close().await;
            assert_eq!(accepted.write("x").await.is_err(), bind_connections);
            assert_eq!(client.read(1).await.is_err(), bind_connections);
        }
    }
}
