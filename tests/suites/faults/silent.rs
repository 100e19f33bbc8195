//! Peers that say nothing, or too little.
//!
//! | who | rule |
//! |---|---|
//! | an event client that has not said who it is | `eventer::server::Config::init_timeout` |
//! | an event server that has not answered that | `eventer::client::Config::init_timeout` |
//! | anybody else, without a word | `chatter::Config::ping` |
//! | anybody else, in the middle of a message | `chatter::Config::message_timeout` |

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use hat_aio::eventer::{ConnectError, ConnectOptions, ListenOptions, Server, connect, listen};
use hat_aio::{Error, chatter};
use hat_core::chatter::PingRule;
use hat_core::eventer;
use hat_tests::counting::CountingRuntime;
use hat_tests::on_threaded_runtimes;
use hat_tests::runtimes::TestRuntime;

use crate::{LONG, at_once, init, local, until};

const SHORT: Duration = Duration::from_millis(100);

async fn server<R: TestRuntime, Here: 'static>() -> Server {
    let mut options = ListenOptions::default();
    options.config.init_timeout = SHORT;
    options.config.chatter.ping = PingRule::Off;
    listen::<CountingRuntime<R, Here>>(local(), (), options).await.expect("listens")
}

/// Writes `bytes` one by one until the other side has had enough; how many it took.
fn drip(mut stream: TcpStream, bytes: &[u8]) -> usize {
    stream.set_nodelay(true).expect("set");
    stream.set_read_timeout(Some(Duration::from_millis(5))).expect("set");
    for (index, byte) in bytes.iter().enumerate() {
        if stream.write_all(&[*byte]).is_err() || matches!(stream.read(&mut [0; 64]), Ok(0)) {
            return index;
        }
    }
    bytes.len()
}

on_threaded_runtimes! {
    async fn a_client_that_connects_and_says_nothing<R>() {
        struct Here;
        let server = server::<R, Here>().await;
        let idle = CountingRuntime::<R, Here>::tasks();
        let mut silent = TcpStream::connect(server.addresses()[0]).expect("connected");
        silent.set_read_timeout(Some(LONG)).expect("set");
        assert_eq!(silent.read(&mut [0]).expect("it is closed"), 0);
        drop(silent);
        until::<R>(|| CountingRuntime::<R, Here>::tasks() == idle).await;
        assert!(server.connections().is_empty());
    }

    async fn a_client_that_says_who_it_is_a_byte_at_a_time<R>() {
        struct Here;
        let server = server::<R, Here>().await;
        let idle = CountingRuntime::<R, Here>::tasks();
        // two minutes of them
        let (_, bytes) = init("x".repeat(20_000));
        let drips = TcpStream::connect(server.addresses()[0]).expect("connected");
        let taken = drip(drips, &bytes);
        assert!(taken < bytes.len(), "it must not go on for ever");
        until::<R>(|| CountingRuntime::<R, Here>::tasks() == idle).await;
        assert!(server.connections().is_empty());
    }

    async fn a_server_that_says_nothing_or_a_byte_at_a_time<R>() {
        struct Here;
        // nothing, or the start of a message of almost 64 MiB
        let slow = [&[4, 0x03, 0xff, 0xff, 0xff][..], &[0; 20_000]].concat();
        for answer in [Vec::new(), slow] {
            let listener = TcpListener::bind(local()).expect("a free port");
            let address = listener.local_addr().expect("an address");
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                if answer.is_empty() {
                    let _ = stream.read_to_end(&mut Vec::new());
                } else {
                    drip(stream, &answer);
                }
            });
            let mut options = ConnectOptions::default();
            options.config.init_timeout = SHORT;
            let connecting = connect::<CountingRuntime<R, Here>>(address, "client", options);
            let error = at_once::<R, _>(connecting).await.map(|_| ()).expect_err("no answer");
            let ConnectError::Ended(error) = error else { panic!("{error:?}") };
            assert_eq!(error.protocol(), Some(&eventer::Error::InitTimeout));
            until::<R>(|| CountingRuntime::<R, Here>::tasks() == 0).await;
            server.join().expect("no panic");
        }
    }

    async fn a_peer_that_falls_silent<R>() {
        let mut options = chatter::ConnectOptions::default();
        options.config.ping = PingRule::WhenIdle { delay: SHORT, timeout: SHORT };
        let server = chatter::listen::<R>(local(), options.into()).await;
        let server = server.expect("listens");
        let _silent = TcpStream::connect(server.addresses()[0]).expect("connected");
        let accepted = server.accept().await.expect("a connection");
        let error = at_once::<R, _>(accepted.ended()).await;
        assert!(matches!(error, Error::Protocol(hat_core::chatter::Error::PingTimeout)), "{error:?}");
    }

    async fn a_message_that_comes_a_byte_at_a_time<R>() {
        let mut options = chatter::ConnectOptions::default();
        // every byte is a sign of life
        options.config.ping = PingRule::WhenIdle { delay: SHORT, timeout: SHORT };
        options.config.message_timeout = 5 * SHORT;
        let server = chatter::listen::<R>(local(), options.into()).await;
        let server = server.expect("listens");
        let stream = TcpStream::connect(server.addresses()[0]).expect("connected");
        let accepted = server.accept().await.expect("a connection");
        let dripping = thread::spawn(|| drip(stream, &[&[2, 0xff, 0xff][..], &[0; 65_000]].concat()));
        let error = at_once::<R, _>(accepted.ended()).await;
        let expected = hat_core::chatter::Error::MessageTimeout;
        assert_eq!(error.protocol(), Some(&expected), "{error:?}");
        accepted.closed().await;
        assert!(dripping.join().expect("no panic") < 65_000);
    }
}
