//! What a connection does: messages both ways, backpressure, drain, close, and how the end is told.

use std::time::Duration;

use bytes::Bytes;
use hat_aio::ConnectError;
use hat_aio::chatter::{ConnectOptions, Connection, SendOptions, connect};
use hat_core::chatter::{Config, Dialect, Error, Incoming, SendFault};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, sleep, within};

use super::{data, one, pair};

/// A short while, in which what must not happen would have happened.
const SOON: Duration = Duration::from_millis(50);

#[track_caller]
fn closed(error: &hat_aio::chatter::Error) {
    assert!(matches!(error.protocol(), Some(Error::Closed)), "{error:?}");
}

/// The other side answers every message in its conversation, until the end.
async fn echo(connection: Connection) {
    while let Ok(message) = connection.receive().await {
        let options = SendOptions { conversation: Some(message.conversation), ..one() };
        connection.send(message.data, options).await.expect("the token came with the message");
    }
}

fn block() -> Bytes {
    vec![1; 512 * 1024].into()
}

/// Sends blocks until a send waits; how many were sent.
async fn send_until_it_waits<R: TestRuntime>(client: &Connection) -> usize {
    let mut sent = 0;
    while within::<R, _>(SOON, client.send(data(block()), one())).await.is_some() {
        sent += 1;
        assert!(sent < 100, "nothing stops the sender");
    }
    sent
}

on_every_runtime! {
    async fn request_and_response_in_both_dialects<R>() {
        for dialect in [Dialect::Hat, Dialect::HatChatter] {
            let options = ConnectOptions { config: Config::new(dialect), ..ConnectOptions::default() };
            let (_server, client, accepted) = pair::<R>(options).await;
            R::spawn(echo(accepted.clone()));
            for size in [0, 1, 1000, 1024, 100_000, 16 * 1024 * 1024] {
                let payload = Bytes::from(vec![7; size]);
                let ask = SendOptions { last: false, ..one() };
                let asked = client.send(data(payload.clone()), ask).await.expect("sent");
                let answer = client.receive().await.expect("an answer");
                assert_eq!((answer.conversation, answer.last), (asked, true));
                assert!(answer.data.data == payload, "{size} bytes came back changed");
            }
            assert_eq!(client.open_conversations() + accepted.open_conversations(), 0);
            assert_eq!(client.local_address(), accepted.remote_address());
            assert_eq!(client.remote_address(), accepted.local_address());
        }
    }

    async fn what_was_sent_before_close_arrives<R>() {
        let (_server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        for index in 0..1000_u16 {
            client.send(data(index.to_be_bytes().to_vec()), one()).await.expect("sent");
        }
        closed(&client.close().await);
        for index in 0..1000_u16 {
            let message = accepted.receive().await.expect("sent before the close");
            assert_eq!(message.data.data, index.to_be_bytes()[..]);
        }
        closed(&accepted.receive().await.expect_err("the end"));
        closed(&accepted.ended().await);
        closed(&accepted.closed().await);
        let refused = accepted.send(data("late"), one()).await.expect_err("closed");
        assert_eq!((refused.fault, *refused.data), (SendFault::Closed, data("late")));
    }

    async fn dropping_the_last_clone_closes<R>() {
        let (_server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        let clone = client.clone();
        drop(client);
        clone.send(data("still here"), one()).await.expect("sent");
        drop(clone);
        accepted.receive().await.expect("sent before the drop");
        closed(&accepted.receive().await.expect_err("the end"));
    }

    async fn a_full_queue_waits_and_a_send_that_is_dropped_sends_nothing<R>() {
        let config = Config { max_queued: 1024 * 1024, ..Config::default() };
        let options = ConnectOptions { config, ..ConnectOptions::default() };
        let (_server, client, accepted) = pair::<R>(options).await;
        let mut sent = send_until_it_waits::<R>(&client).await;
        let refused = client.try_send(data("x"), one()).map(|_| ());
        let refused = refused.map_err(|error| error.fault);
        let full = Err(SendFault::QueueFull { limit: 1024 * 1024 });
        assert!(refused == full || refused == Ok(()), "{refused:?}");
        sent += usize::from(refused.is_ok());
        drop(client);
        let mut received = 0;
        while accepted.receive().await.is_ok() {
            received += 1;
        }
        assert_eq!(received, sent, "every send that was ready, and no other");
    }

    async fn a_send_waits_however_much_may_be_queued<R>() {
        let config = Config { max_queued: usize::MAX, ..Config::default() };
        let options = ConnectOptions { config, ..ConnectOptions::default() };
        let (_server, client, accepted) = pair::<R>(options).await;
        let sent = send_until_it_waits::<R>(&client).await;
        client.try_send(data("at once"), one()).expect("room");
        for _ in 0..sent {
            assert_eq!(accepted.receive().await.expect("open").data, data(block()));
        }
        assert_eq!(accepted.receive().await.expect("open").data, data("at once"));
    }

    async fn drain_waits_until_all_is_with_the_system<R>() {
        let config = Config { max_queued: 64 * 1024 * 1024, ..Config::default() };
        let options = ConnectOptions { config, ..ConnectOptions::default() };
        let (_server, client, accepted) = pair::<R>(options).await;
        client.drain().await.expect("nothing to wait for");
        client.send(data(vec![0; 8 * 1024 * 1024]), one()).await.expect("sent");
        client.drain().await.expect("the other side reads it");
        accepted.receive().await.expect("all of it");
        // more than the inbox of the other side and the system's buffers hold, which grow to some
        // 10 MiB, and where a system allows it to 32
        for _ in 0..14 {
            client.try_send(data(vec![0; 4 * 1024 * 1024]), one()).expect("room");
        }
        assert!(within::<R, _>(SOON, client.drain()).await.is_none());
        for _ in 0..14 {
            accepted.receive().await.expect("all of it");
        }
        client.drain().await.expect("written");
    }

    async fn a_conversation_that_does_not_go_on_times_out<R>() {
        let (_server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        let timeout = Some(Duration::from_millis(20));
        let ask = SendOptions { last: false, timeout, ..one() };
        let asked = client.send(data("?"), ask).await.expect("sent");
        assert_eq!(client.next().await.expect("a timeout"), Incoming::Timeout(asked));
        accepted.receive().await.expect("the question");
    }

    async fn pings_keep_an_idle_connection_and_end_a_dead_one<R>() {
        use hat_core::chatter::PingRule;
        let ping = PingRule::WhenIdle {
            delay: Duration::from_millis(20),
            timeout: Duration::from_millis(2_000),
        };
        let config = Config { ping, ..Config::default() };
        let (_server, client, accepted) = pair::<R>(ConnectOptions { config: config.clone(), ..ConnectOptions::default() }).await;
        sleep::<R>(Duration::from_millis(200)).await;
        assert!(client.end_reason().is_none() && accepted.end_reason().is_none());

        // a socket that takes everything and says nothing
        let silent = std::net::TcpListener::bind(crate::local()).expect("a free port");
        let ping = PingRule::WhenIdle {
            delay: Duration::from_millis(20),
            timeout: Duration::from_millis(20),
        };
        let options = ConnectOptions { config: Config { ping, ..config }, ..ConnectOptions::default() };
        let address = silent.local_addr().expect("bound");
        let client = connect::<R>(address, options).await.expect("the system takes it");
        let error = client.receive().await.expect_err("the end");
        assert!(matches!(error.protocol(), Some(Error::PingTimeout)), "{error:?}");
    }

    async fn a_peer_that_speaks_something_else<R>() {
        let (server, client, accepted) = pair::<R>(ConnectOptions::default()).await;
        drop((client, accepted));
        let mut stranger = std::net::TcpStream::connect(server.addresses()[0]).expect("connected");
        std::io::Write::write_all(&mut stranger, &b"GET / HTTP/1.1\r\n".repeat(9)).expect("written");
        let accepted = server.accept().await.expect("a connection");
        let error = accepted.receive().await.expect_err("no message");
        assert!(matches!(error.protocol(), Some(Error::TooLarge { .. })), "{error:?}");
    }

    async fn errors_of_connecting_name_what_was_asked_for<R>() {
        let address = crate::server::<R>(ConnectOptions::default()).await.addresses()[0];
        let refused = loop {
            // until the server, which is dropped, is really gone
            match connect::<R>(address, ConnectOptions::default()).await {
                Err(error) => break error,
                Ok(_) => sleep::<R>(SOON).await,
            }
        };
        assert!(matches!(refused, ConnectError::Connect { .. }), "{refused:?}");
        assert!(refused.to_string().starts_with(&format!("cannot connect to {address}: ")));
        let unknown = hat_aio::Address::new("no-such-host.invalid", 1);
        let error = connect::<R>(unknown, ConnectOptions::default()).await.map(|_| ());
        assert!(matches!(error, Err(ConnectError::Resolve { .. })), "{error:?}");
    }

    async fn a_host_name_is_tried_at_every_address<R>() {
        // `localhost` is often ::1 first, where nobody listens
        let server = crate::server::<R>(ConnectOptions::default()).await;
        let address = ("localhost", server.addresses()[0].port());
        connect::<R>(address, ConnectOptions::default()).await.expect("the second address");
    }
}
