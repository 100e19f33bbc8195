//! Every protocol goes through TLS as it goes without.

use bytes::Bytes;
use hat_aio::chatter::{ConnectOptions, SendOptions};
use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, Notification};
use hat_aio::{Address, chatter, cotp, eventer, tcp, tpkt};
use hat_core::chatter::{Config, Dialect};
use hat_core::eventer::{
    Event, EventId, EventType, Payload, QueryParams, QueryResult, RegisterEvent, ServerParams,
    Timestamp,
};
use hat_tests::on_every_runtime;

use super::{acceptor, at, connector, data, local};

/// Around the 16 KiB of a record, and many of them.
const SIZES: [usize; 8] = [0, 1, 1000, 16_383, 16_384, 16_385, 200_000, 16 * 1024 * 1024];

/// Registers what comes, and gives it back to whoever asks.
struct Echo;

impl Handler for Echo {
    async fn register(&self, _: &ConnectionInfo, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        let register = |(instance, it): (i64, RegisterEvent)| Event {
            id: EventId::new(1, 1, instance),
            event_type: it.event_type,
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: it.payload,
        };
        Some((1..).zip(events).map(register).collect())
    }

    async fn query(&self, _: &ConnectionInfo, _: QueryParams) -> QueryResult {
        QueryResult { more_follows: true, ..QueryResult::default() }
    }
}

on_every_runtime! {
    async fn chatter_in_both_dialects<R>() {
        for dialect in [Dialect::Hat, Dialect::HatChatter] {
            let options = |tls| ConnectOptions { config: Config::new(dialect), tls, ..ConnectOptions::default() };
            let server = chatter::listen::<R>(local(), chatter::ListenOptions { tls: acceptor(), ..options(None).into() });
            let server = server.await.expect("listens");
            let target: Address = at(server.addresses()[0]).with_tls();
            let client = chatter::connect::<R>(target, options(connector())).await.expect("connected");
            let accepted = server.accept().await.expect("the other end");
            assert_eq!(client.local_address(), accepted.remote_address());
            for size in SIZES {
                let payload = Bytes::from(vec![size as u8; size]);
                for (from, to) in [(&client, &accepted), (&accepted, &client)] {
                    from.send(data(payload.clone()), SendOptions::default()).await.expect("sent");
                    let received = to.receive().await.expect("received");
                    assert!(received.data.data == payload, "{size} bytes arrived changed");
                }
            }
            client.drain().await.expect("with the system");
            client.close().await;
            let end = accepted.receive().await.expect_err("the end");
            assert!(end.protocol().is_some(), "an orderly end, and not {end}");
        }
    }

    async fn tcp_in_pieces_of_any_size<R>() {
        let options = |tls| tcp::ConnectOptions { tls, ..tcp::ConnectOptions::default() };
        let server = tcp::listen::<R>(local(), tcp::ListenOptions { tls: acceptor(), ..options(None).into() });
        let server = server.await.expect("listens");
        let client = tcp::connect::<R>(at(server.addresses()[0]), options(connector())).await;
        let client = client.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        let sent: Vec<u8> = (0..3_000_000_u32).map(|index| (index / 7) as u8).collect();
        let (writer, bytes) = (client.clone(), sent.clone());
        R::spawn(async move {
            // many small pieces, gathered into records; some larger than a record
            let mut rest = Bytes::from(bytes);
            for size in [1, 2, 3, 7, 100, 1023, 1024, 20_000].into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let piece = rest.split_to(size.min(rest.len()));
                writer.write(piece).await.expect("written");
            }
        });
        let received = accepted.read_exact(sent.len()).await.expect("read");
        assert!(received == sent);
    }

    async fn tpkt_and_cotp<R>() {
        let options = |tls| tpkt::ConnectOptions { tls, ..tpkt::ConnectOptions::default() };
        let server = tpkt::listen::<R>(local(), tpkt::ListenOptions { tls: acceptor(), ..options(None).into() });
        let server = server.await.expect("listens");
        let client = tpkt::connect::<R>(at(server.addresses()[0]), options(connector())).await;
        let client = client.expect("connected");
        let accepted = server.accept().await.expect("the other end");
        for size in [3, 1000, 65_531] {
            client.send(vec![5; size]).await.expect("sent");
            assert_eq!(accepted.receive().await.expect("received").len(), size);
        }

        let options = |tls| cotp::ConnectOptions { tls, ..cotp::ConnectOptions::default() };
        let server = cotp::listen::<R>(local(), cotp::ListenOptions { tls: acceptor(), ..options(None).into() });
        let server = server.await.expect("listens");
        let client = cotp::connect::<R>(at(server.addresses()[0]), options(connector())).await;
        let client = client.expect("confirmed");
        let accepted = server.accept().await.expect("the other end");
        for size in SIZES {
            let message = Bytes::from(vec![size as u8; size]);
            accepted.send(message.clone()).await.expect("sent");
            assert!(client.receive().await.expect("received") == message, "{size}");
        }
    }

    async fn eventer_both_ways<R>() {
        let options = ListenOptions { tls: acceptor(), ..ListenOptions::default() };
        let server = eventer::listen::<R>(local(), Echo, options).await.expect("listens");
        let options = eventer::ConnectOptions {
            subscriptions: vec![EventType::from_segments(["*"])],
            tls: connector(),
            ..eventer::ConnectOptions::default()
        };
        let client = eventer::connect::<R>(at(server.addresses()[0]), "client", options).await;
        let client = client.expect("taken");
        let payload = Some(Payload::binary("large", vec![1; 1_000_000]));
        let event = RegisterEvent { payload, ..RegisterEvent::new("a/b") };
        let registered = client.register_with_response(std::slice::from_ref(&event)).await;
        let registered = registered.expect("answered").expect("registered");
        assert_eq!(registered[0].payload, event.payload);
        let asked = client.query(ServerParams::default()).await.expect("answered");
        assert!(asked.more_follows);
        server.notify_events(&registered, false, false).await;
        let told = client.next().await.expect("told");
        assert!(matches!(&told, Notification::Events(events) if events[..] == registered[..]), "{told:?}");
        server.close().await;
    }

    async fn a_hundred_connections<R>() {
        let server = crate::server::<R>(acceptor()).await;
        // one connector: sessions are resumed
        let tls = connector();
        let mut pairs = Vec::new();
        for _ in 0..100 {
            let client = crate::client::<R>(&server, tls.clone()).await.expect("connected");
            pairs.push((client, server.accept().await.expect("the other end")));
        }
        assert_eq!(server.open_connections(), 100);
        for (client, accepted) in &pairs {
            crate::works(client, accepted).await;
        }
        server.close().await;
        for (client, _) in &pairs {
            client.closed().await;
        }
        assert_eq!(server.open_connections(), 0);
    }
}
