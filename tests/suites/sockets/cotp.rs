//! COTP and TPKT over sockets: the handshake, messages, refusals, half-close.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use hat_aio::chatter::InboxLimits;
use hat_aio::cotp::{
    ConnectError, ConnectOptions, Connection, Decide, Decision, Error, ListenError, ListenOptions,
    Server, connect, listen,
};
use hat_aio::tpkt;
use hat_core::cotp::{self, Config, Reason, Receive, Response, Selector, TpduSize};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};

use crate::local;

const SOON: Duration = Duration::from_millis(50);

async fn server<R: TestRuntime>(config: Config) -> Server {
    let options = ConnectOptions { config, ..ConnectOptions::default() };
    listen::<R>(local(), options.into()).await.expect("listens")
}

async fn client<R: TestRuntime>(
    server: &Server,
    config: Config,
) -> Result<Connection, ConnectError> {
    connect::<R>(server.addresses()[0], ConnectOptions { config, ..ConnectOptions::default() })
        .await
}

async fn pair<R: TestRuntime>(config: Config) -> (Server, Connection, Connection) {
    let server = server::<R>(config.clone()).await;
    let client = client::<R>(&server, config).await.expect("confirmed");
    let accepted = server.accept().await.expect("the other end");
    (server, client, accepted)
}

fn to(selector: u16) -> Config {
    Config { remote_selector: Some(selector.into()), ..Config::default() }
}

fn size(octets: usize) -> TpduSize {
    TpduSize::new(octets as u16).expect("a size from 128 to 65531")
}

#[track_caller]
fn ended<T: std::fmt::Debug>(result: Result<T, ConnectError>) -> cotp::Error {
    match result.expect_err("refused") {
        ConnectError::Ended(Error::Protocol(error)) => error,
        other => panic!("{other:?}"),
    }
}

on_every_runtime! {
    async fn messages_of_any_size_in_tpdus_of_any_size<R>() {
        for octets in [128, 2048, 65531] {
            let config = Config {
                offered_size: Some(size(octets)),
                accepted_size: size(octets),
                ..Config::default()
            };
            let (_server, client, accepted) = pair::<R>(config).await;
            assert_eq!(client.info().tpdu_size.octets(), octets);
            for len in [0, 1, octets - 3, octets - 2, 100_000, 3_000_000] {
                let message = Bytes::from(vec![len as u8; len]);
                client.send(message.clone()).await.expect("sent");
                assert!(accepted.receive().await.expect("a message") == message, "{len}");
                accepted.send(message.clone()).await.expect("sent");
                assert!(client.receive().await.expect("a message") == message, "{len}");
            }
            client.close().await;
            assert!(matches!(accepted.receive().await, Err(Error::Protocol(cotp::Error::Closed))));
        }
    }

    async fn selectors_sizes_and_references_are_told<R>() {
        let config = Config { local_selector: Some(2.into()), ..Config::default() };
        let server = server::<R>(config).await;
        let config = Config { local_selector: Some(1.into()), offered_size: Some(size(1024)), ..to(2) };
        let client = client::<R>(&server, config).await.expect("confirmed");
        let accepted = server.accept().await.expect("the other end");
        let (ours, theirs) = (client.info(), accepted.info());
        assert_eq!(ours.local_selector, Some(Selector::from(1)));
        assert_eq!(ours.remote_selector, Some(Selector::from(2)));
        assert_eq!(theirs.local_selector, Some(Selector::from(2)));
        assert_eq!(theirs.remote_selector, Some(Selector::from(1)));
        assert_eq!((ours.tpdu_size.octets(), theirs.tpdu_size.octets()), (1024, 1024));
        assert_eq!(ours.local_reference, theirs.remote_reference);
        assert_ne!(ours.local_reference, theirs.local_reference, "references of one process differ");
        assert_eq!(ours.local_address, theirs.remote_address);
    }

    async fn a_wrong_selector_is_refused_with_its_reason<R>() {
        let config = Config { local_selector: Some(2.into()), ..Config::default() };
        let server = server::<R>(config).await;
        let error = ended(client::<R>(&server, to(3)).await.map(|_| ()));
        assert!(matches!(error, cotp::Error::Refused { reason: Reason::AddressUnknown, .. }), "{error}");
    }

    async fn the_application_decides<R>() {
        let decide = Decide::new(|request| match &request.called {
            Some(called) if *called == Selector::from(1) => Decision::Confirm(Response::default()),
            _ => Decision::Refuse(Reason::Congestion, Some("later".into())),
        });
        let options = ListenOptions { decide: Some(decide), ..ListenOptions::default() };
        let server = listen::<R>(local(), options).await.expect("listens");
        let error = ended(client::<R>(&server, Config::default()).await.map(|_| ()));
        let information = Some("later".into());
        assert_eq!(error, cotp::Error::Refused { reason: Reason::Congestion, information });
        client::<R>(&server, to(1)).await.expect("confirmed");
        server.accept().await.expect("the other end, and not the refused one");
    }

    /// A gateway asks its far side before it confirms; a caller that leaves meanwhile ends the
    /// asking.
    async fn a_decision_that_waits<R>() {
        let far = server::<R>(Config::default()).await;
        let address = far.addresses()[0];
        let decide = Decide::later(move |request: cotp::ConnectRequest| async move {
            let config = Config { remote_selector: request.called, ..Config::default() };
            let options = ConnectOptions { config, ..ConnectOptions::default() };
            match connect::<R>(address, options).await {
                Ok(_) => Decision::Confirm(Response::default()),
                Err(_) => Decision::Refuse(Reason::Congestion, None),
            }
        });
        let options = ListenOptions { decide: Some(decide), ..ListenOptions::default() };
        let gateway = listen::<R>(local(), options).await.expect("listens");
        client::<R>(&gateway, to(7)).await.expect("confirmed");
        let called = far.accept().await.expect("the far side was asked").info().local_selector.clone();
        assert_eq!(called, Some(Selector::from(7)));
        far.close().await;
        let error = ended(client::<R>(&gateway, to(8)).await.map(|_| ()));
        assert!(matches!(error, cotp::Error::Refused { reason: Reason::Congestion, .. }), "{error}");

        let decide = Decide::later(|_| std::future::pending());
        let options = ListenOptions { decide: Some(decide), ..ListenOptions::default() };
        let server = listen::<R>(local(), options).await.expect("listens");
        let mut caller = TcpStream::connect(server.addresses()[0]).expect("connected");
        caller.write_all(&[3, 0, 0, 14, 9, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 0x0b]).expect("written");
        drop(caller);
        let failure = server.handshake_failure().await.expect("told of who left");
        assert!(failure.remote.is_some());
        server.close().await;
    }

    /// Who serves is told of those who did not become a connection, with their address and the
    /// cause.
    async fn failed_handshakes_are_told_to_the_server<R>() {
        let config = Config { local_selector: Some(2.into()), ..Config::default() };
        let server = server::<R>(config).await;
        ended(client::<R>(&server, to(3)).await.map(|_| ()));
        let refused = server.handshake_failure().await.expect("a failure");
        assert_eq!(refused.cause.to_string(), "the peer's request was refused: address unknown (3)");

        let mut stream = TcpStream::connect(server.addresses()[0]).expect("connected");
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("written");
        let failure = server.handshake_failure().await.expect("a failure");
        assert_eq!(failure.remote, Some(stream.local_addr().expect("bound")));
        assert!(failure.to_string().contains("TPKT"), "{failure}");
        server.close().await;
        assert!(server.handshake_failure().await.is_none(), "the server is closed");
    }

    /// A reason that class 0 does not have: the mistake is told to who made it.
    async fn a_decision_that_cannot_be_sent<R>() {
        let decide = Decide::new(|_| Decision::Refuse(Reason::ProtocolError, None));
        let options = ListenOptions { decide: Some(decide), ..ListenOptions::default() };
        let server = listen::<R>(local(), options).await.expect("listens");
        let error = ended(client::<R>(&server, Config::default()).await.map(|_| ()));
        let reason = Reason::NotSpecified;
        assert_eq!(error, cotp::Error::Refused { reason, information: None });
        let failure = server.handshake_failure().await.expect("a failure");
        assert_eq!(failure.cause.to_string(), "protocol error (133) is not a reason of class 0");
    }

    /// Expedited data that nobody takes ends the connection; it is not dropped.
    async fn expedited_data_that_nobody_takes<R>() {
        let config = Config { expedited: true, ..Config::default() };
        let (_server, client, accepted) = pair::<R>(config).await;
        for number in 0..1025_u16 {
            client.send_expedited(number.to_be_bytes().to_vec()).await.expect("sent");
        }
        let expected = cotp::Error::ExpeditedOverflow { limit: 1024 };
        let Error::Protocol(error) = accepted.ended().await else { panic!("another end") };
        assert_eq!(error, expected);
        for number in 0..1024_u16 {
            let data = accepted.receive_expedited().await.expect("what was kept");
            assert_eq!(*data, number.to_be_bytes());
        }
        assert!(accepted.receive_expedited().await.is_err());
    }

    /// A message that is gathered has the limit of one that is given whole.
    async fn parts_that_are_gathered_have_a_limit<R>() {
        let config = Config { receive: Receive::Parts, max_tsdu: 10_000, ..Config::default() };
        let (_server, client, accepted) = pair::<R>(config).await;
        client.send(vec![1; 10_000]).await.expect("sent");
        assert_eq!(accepted.receive().await.expect("a message").len(), 10_000);
        client.send(vec![2; 10_001]).await.expect("sent");
        let Err(Error::Protocol(error)) = accepted.receive().await else { panic!("no error") };
        assert_eq!(error, cotp::Error::TsduTooLarge { limit: 10_000 });
    }

    /// A message that is larger than the inbox is gathered all the same.
    async fn parts_over_the_inbox_are_gathered<R>() {
        let config = Config { receive: Receive::Parts, ..Config::default() };
        let inbox = InboxLimits { bytes: 10_000, ..InboxLimits::default() };
        let options = ConnectOptions { config, inbox, ..ConnectOptions::default() };
        let server = listen::<R>(local(), options.into()).await.expect("listens");
        let client = client::<R>(&server, Config::default()).await.expect("confirmed");
        let accepted = server.accept().await.expect("the other end");
        client.send(vec![3; 1_000_000]).await.expect("sent");
        assert!(accepted.receive().await.expect("a message") == vec![3; 1_000_000]);
    }

    async fn a_long_message_in_parts<R>() {
        let config = Config { receive: Receive::Parts, ..Config::default() };
        let (_server, client, accepted) = pair::<R>(config).await;
        client.send(vec![7; 5000]).await.expect("sent");
        let mut received = Vec::new();
        loop {
            let part = accepted.receive_part().await.expect("a part");
            received.extend_from_slice(&part.data);
            if part.end {
                break;
            }
        }
        assert_eq!(received, vec![7; 5000]);
        client.send_part(vec![8; 3000], false).await.expect("sent");
        let refused = client.send("between").await.expect_err("a message is on its way");
        assert_eq!(refused.fault, cotp::SendFault::InMessage);
        client.send_part(vec![8; 2000], false).await.expect("sent");
        client.send_part("", true).await.expect("sent");
        assert_eq!(accepted.receive().await.expect("whole"), vec![8; 5000]);
    }

    /// What a call that was dropped had gathered is not lost, and comes before what is behind it.
    async fn a_message_in_parts_after_a_call_that_was_dropped<R>() {
        let config = Config { receive: Receive::Parts, ..Config::default() };
        let (_server, client, accepted) = pair::<R>(config).await;
        client.send_part("begins, ", false).await.expect("sent");
        let waits = within::<R, _>(Duration::from_millis(50), accepted.receive()).await;
        assert!(waits.is_none(), "it has not ended");
        client.send_part("ends", true).await.expect("sent");
        client.send("the next one").await.expect("sent");
        let mut received = Vec::new();
        loop {
            let part = accepted.receive_part().await.expect("a part");
            received.extend_from_slice(&part.data);
            if part.end {
                break;
            }
        }
        assert_eq!(received, b"begins, ends");
        assert_eq!(accepted.receive().await.expect("whole"), "the next one");
    }

    async fn an_answer_after_the_end_of_the_peer<R>() {
        let server = server::<R>(Config { half_close: true, ..Config::default() }).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        peer.write_all(b"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x07\x00").expect("a CR");
        let asking = R::elsewhere(move || {
            let mut cc = [0; 14];
            peer.read_exact(&mut cc).expect("a CC");
            assert_eq!(cc[5], 0xd0);
            peer.write_all(b"\x03\x00\x00\x08\x02\xf0\x80?").expect("a DT");
            peer.shutdown(std::net::Shutdown::Write).expect("ended");
            peer
        });
        let mut peer = asking.await;
        let accepted = server.accept().await.expect("a connection");
        assert_eq!(accepted.receive().await.expect("a message"), "?");
        assert!(accepted.receive().await.is_err());
        accepted.send("!").await.expect("our side is open");
        let mut answer = Vec::new();
        accepted.close().await;
        peer.read_to_end(&mut answer).expect("an answer");
        assert_eq!(answer, b"\x03\x00\x00\x08\x02\xf0\x80!");
    }

    /// Its end was none: what we sent behind it is lost.
    async fn a_peer_that_resets_the_connection_behind_its_end<R>() {
        let server = server::<R>(Config { half_close: true, ..Config::default() }).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        peer.write_all(b"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x07\x00").expect("a CR");
        let accepted = server.accept().await.expect("a connection");
        peer.shutdown(std::net::Shutdown::Write).expect("ended");
        let end = accepted.receive().await.expect_err("only an end");
        assert!(matches!(end, Error::Protocol(cotp::Error::Closed)), "{end}");
        accepted.send("nobody reads this").await.expect("our side is open");
        accepted.drain().await.expect("with the system");
        // with something unread in it
        drop(peer);
        while accepted.send("nor this").await.is_ok() {
            sleep::<R>(SOON).await;
        }
        let end = accepted.receive().await.expect_err("over");
        assert!(matches!(end, Error::Io(_)), "{end}");
    }

    async fn a_peer_that_resets_the_connection<R>() {
        let server = server::<R>(Config::default()).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        peer.write_all(b"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x07\x00").expect("a CR");
        let accepted = server.accept().await.expect("a connection");
        accepted.send("unread").await.expect("sent");
        accepted.drain().await.expect("written");
        // a socket that is closed with bytes that were not read says RST
        drop(peer);
        let error = accepted.ended().await;
        assert!(matches!(error, Error::Io(_)), "{error:?}");
    }

    async fn a_peer_that_says_nothing<R>() {
        let silent = TcpListener::bind(local()).expect("a free port");
        let config = Config { handshake_timeout: SOON, ..Config::default() };
        let options = ConnectOptions { config: config.clone(), ..ConnectOptions::default() };
        let connected = connect::<R>(silent.local_addr().expect("bound"), options).await;
        assert_eq!(ended(connected.map(|_| ())), cotp::Error::HandshakeTimeout);

        let server = server::<R>(config).await;
        let mut peer = TcpStream::connect(server.addresses()[0]).expect("connected");
        R::elsewhere(move || assert_eq!(peer.read(&mut [0; 100]).expect("closed"), 0)).await;
        assert!(within::<R, _>(SOON, server.accept()).await.is_none());
        while server.open_connections() > 0 {
            sleep::<R>(Duration::from_millis(1)).await;
        }
    }

    async fn a_configuration_that_makes_no_connection<R>() {
        let config = Config { connect_data: vec![0; 33].into(), ..Config::default() };
        let options = ListenOptions { config, ..ListenOptions::default() };
        let error = listen::<R>(local(), options).await.map(|_| ());
        assert!(matches!(error, Err(ListenError::Config(_))), "{error:?}");
    }

    async fn packets<R>() {
        let options = tpkt::ConnectOptions::default();
        let server = tpkt::listen::<R>(local(), options.clone().into()).await;
        let server = server.expect("listens");
        let client = tpkt::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        for len in [3, 4, 1000, 65531] {
            let packet = Bytes::from(vec![1; len]);
            client.send(packet.clone()).await.expect("sent");
            assert!(accepted.receive().await.expect("a packet") == packet);
        }
        for len in [2, 65532] {
            assert!(client.send(vec![1; len]).await.is_err());
        }
        client.close().await;
        let error = accepted.receive().await.expect_err("the end");
        assert_eq!(error.protocol(), Some(&hat_core::tpkt::Error::Closed));
    }
}
