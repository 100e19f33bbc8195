//! Peers that do not finish the handshake, or do not speak TLS at all.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hat_aio::chatter::{ListenOptions, connect, listen};
use hat_aio::server::AcceptOptions;
use hat_aio::tls::{self, ConnectorOptions, Error};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{sleep, within};

use super::{
    SERVER, accepting, acceptor, at, client, client_options, connecting, connector, listening,
    local, refusal, server, server_options, with, works,
};

const SHORT: Duration = Duration::from_millis(100);

fn impatient_server() -> Option<tls::Acceptor> {
    accepting(&tls::AcceptorOptions { handshake_timeout: SHORT, ..server_options(&SERVER) })
}

fn impatient_client() -> Option<tls::Connector> {
    connecting(&ConnectorOptions { handshake_timeout: SHORT, ..client_options() })
}

/// The first bytes of a ClientHello in a record of 512 bytes: whoever gets them waits for more.
const BEGINNING: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 252];

on_every_runtime! {
    async fn a_server_that_says_nothing<R>() {
        let silent = TcpListener::bind(local()).expect("a free port");
        let target = at(silent.local_addr().expect("bound"));
        let error = refusal(connect::<R>(target, with(impatient_client())).await);
        assert!(matches!(error, Error::TimedOut { time: SHORT }), "{error:?}");
        assert_eq!(error.to_string(), "the peer did not finish the TLS handshake within 0.1 s");
    }

    async fn clients_that_stop_hold_up_nobody<R>() {
        let server = server::<R>(impatient_server()).await;
        let mut stopped = Vec::new();
        for bytes in [&[][..], &BEGINNING[..1], &BEGINNING] {
            let mut stream = TcpStream::connect(server.addresses()[0]).expect("connected");
            stream.write_all(bytes).expect("written");
            stopped.push(stream);
        }
        let one = client::<R>(&server, connector()).await.expect("connected");
        works(&one, &server.accept().await.expect("the other end")).await;
        // after the deadline their sockets are closed
        for mut stream in stopped {
            let reading = R::elsewhere(move || {
                let mut bytes = Vec::new();
                // a reset says the same
                let _ = stream.read_to_end(&mut bytes);
                bytes
            });
            assert_eq!(reading.await, b"");
        }
        // and the server's application is told why there is no connection
        for _ in 0..3 {
            let failure = server.handshake_failure().await.expect("a failure");
            assert!(failure.remote.is_some_and(|remote| remote.ip().is_loopback()));
            assert!(failure.cause.to_string().contains("did not finish the TLS handshake"));
        }
        while server.open_connections() > 1 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
    }

    async fn closing_a_server_ends_handshakes<R>() {
        for bind_connections in [true, false] {
            let accept = AcceptOptions { bind_connections, ..AcceptOptions::default() };
            let server = listen::<R>(local(), ListenOptions { accept, ..listening(acceptor()) }).await.expect("listens");
            let mut stopped = TcpStream::connect(server.addresses()[0]).expect("connected");
            stopped.write_all(&BEGINNING).expect("written");
            while server.open_connections() == 0 {
                sleep::<R>(Duration::from_millis(1)).await;
            }
            // the handshake would have ten seconds
            within::<R, _>(Duration::from_secs(5), server.close()).await.expect("closes");
            stopped.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit");
            let read = stopped.read(&mut [0; 16]);
            let ended = match &read {
                Ok(count) => *count == 0,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            };
            assert!(ended, "{read:?}");
        }
    }

    async fn handshakes_count_as_connections<R>() {
        let accept = AcceptOptions { max_connections: 1, ..AcceptOptions::default() };
        let server = listen::<R>(local(), ListenOptions { accept, ..listening(acceptor()) }).await.expect("listens");
        let stopped = TcpStream::connect(server.addresses()[0]).expect("connected");
        while server.open_connections() == 0 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
        let error = refusal(client::<R>(&server, impatient_client()).await);
        assert!(matches!(error, Error::TimedOut { .. }), "no room for another: {error:?}");
        drop(stopped);
        client::<R>(&server, connector()).await.expect("there is room now");
    }

    async fn a_plain_client_at_a_tls_server<R>() {
        let server = server::<R>(acceptor()).await;
        let options = hat_aio::chatter::ConnectOptions::default();
        let plain = connect::<R>(server.addresses()[0], options).await.expect("a socket");
        plain.send(crate::data("hello"), hat_aio::chatter::SendOptions::default()).await.expect("queued");
        plain.receive().await.expect_err("the server does not talk to it");
        let failure = server.handshake_failure().await.expect("who serves is told");
        assert_eq!(failure.remote, Some(plain.local_address()));
        let Some(Error::NotTls { .. }) = failure.cause.downcast_ref() else {
            panic!("{}", failure.cause);
        };
        let one = client::<R>(&server, connector()).await.expect("connected");
        works(&one, &server.accept().await.expect("the other end, and not the plain one")).await;
    }

    async fn a_tls_client_at_a_plain_server<R>() {
        let server = server::<R>(None).await;
        let error = refusal(client::<R>(&server, connector()).await);
        assert!(matches!(error, Error::Closed), "{error:?}");

        // one that speaks first: its first byte says it
        let talker = TcpListener::bind(local()).expect("a free port");
        let target = at(talker.local_addr().expect("bound"));
        thread::spawn(move || {
            let (mut stream, _) = talker.accept().expect("a client");
            stream.write_all(b"220 mail.plant ESMTP\r\n").expect("written");
            // until the client is gone
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let error = refusal(connect::<R>(target, with(connector())).await);
        assert!(matches!(error, Error::NotTls { first: b'2' }), "{error:?}");
        let text = "the peer does not speak TLS: its first byte is 0x32, which does not begin a TLS record";
        assert_eq!(error.to_string(), text);
    }

    async fn a_server_that_goes_away_in_the_handshake<R>() {
        let leaver = TcpListener::bind(local()).expect("a free port");
        let target = at(leaver.local_addr().expect("bound"));
        thread::spawn(move || {
            let (mut stream, _) = leaver.accept().expect("a client");
            // all of the ClientHello, so that the end is no reset
            let mut header = [0; 5];
            stream.read_exact(&mut header).expect("a record");
            let mut record = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
            stream.read_exact(&mut record).expect("its payload");
        });
        let error = refusal(connect::<R>(target, with(connector())).await);
        assert!(matches!(error, Error::Closed), "{error:?}");
    }

    async fn a_client_of_tls_1_0<R>() {
        let server = server::<R>(acceptor()).await;
        let mut old = TcpStream::connect(server.addresses()[0]).expect("connected");
        // a ClientHello of TLS 1.0 with one cipher suite and no extensions
        let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0, 47, 1, 0]);
        old.write_all(&hello).expect("written");
        let reading = R::elsewhere(move || {
            let mut answer = Vec::new();
            old.read_to_end(&mut answer).expect("an orderly end");
            answer
        });
        // a fatal alert: handshake failure
        assert_eq!(reading.await, [21, 3, 3, 0, 2, 2, 40]);
    }
}
