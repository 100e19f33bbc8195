//! The longest times and the largest sizes that can be written down: they mean "never" and "any",
//! and no sum of them wraps or panics.

use std::time::Duration;

use hat_aio::chatter::InboxLimits;
use hat_aio::eventer::{ReconnectOptions, Update, keep_connected};
use hat_aio::server::AcceptOptions;
use hat_aio::web::{Limits, WebOptions};
use hat_aio::{Keepalive, SocketOptions, chatter, cotp, eventer, juggler, tcp, tpkt};
use hat_core::chatter::{Data, PingRule};
use hat_core::eventer::reconnect::RetryConfig;
use hat_core::eventer::{EventType, RegisterEvent};
use hat_core::json::Value;
use hat_core::{juggler as machines, ws};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{sleep, within};

use crate::local;

const LONGEST: Duration = Duration::MAX;
const MOST: usize = usize::MAX;
const PINGS: PingRule = PingRule::WhenIdle { delay: LONGEST, timeout: LONGEST };
const INBOX: InboxLimits = InboxLimits::new(MOST, MOST);

fn socket() -> SocketOptions {
    let keepalive = Keepalive { idle: LONGEST, interval: LONGEST, probes: u8::MAX };
    SocketOptions {
        connect_timeout: LONGEST,
        keepalive: Some(keepalive),
        user_timeout: Some(LONGEST),
        idle_timeout: Some(LONGEST),
        unsent: Some(u32::MAX),
        ..SocketOptions::default()
    }
}

fn accept() -> AcceptOptions {
    AcceptOptions { max_connections: MOST, socket: socket(), ..AcceptOptions::default() }
}

fn chatter_config(ping: PingRule) -> hat_core::chatter::Config {
    hat_core::chatter::Config {
        ping,
        max_message: MOST,
        message_timeout: LONGEST,
        max_queued: MOST,
        max_conversations: MOST,
        max_unsent_replies: MOST,
        ..Default::default()
    }
}

fn ws_config() -> ws::Config {
    ws::Config {
        max_frame: MOST,
        max_message: MOST,
        message_timeout: LONGEST,
        max_queued: MOST,
        max_unsent_replies: MOST,
        max_handshake: MOST,
        max_headers: MOST,
        handshake_timeout: LONGEST,
        close_timeout: LONGEST,
        ..ws::Config::default()
    }
}

fn ws_options() -> juggler::WsOptions {
    juggler::WsOptions { config: ws_config(), socket: socket(), ..Default::default() }
}

fn web() -> WebOptions {
    let limits = Limits {
        head_size: MOST,
        headers: MOST,
        head_timeout: LONGEST,
        body_size: MOST,
        body_timeout: LONGEST,
        stall_timeout: LONGEST,
        ..Limits::default()
    };
    // it is waited for where a client does not close, and here all do
    WebOptions { limits, shutdown_timeout: LONGEST, accept: accept(), ..WebOptions::default() }
}

on_every_runtime! {
    async fn sleeping_and_waiting<R>() {
        let short = Duration::from_millis(10);
        assert!(within::<R, _>(short, sleep::<R>(LONGEST)).await.is_none());
        assert!(within::<R, _>(LONGEST, sleep::<R>(short)).await.is_some());
    }

    async fn in_chatter<R>() {
        for ping in [PINGS, PingRule::Every { interval: LONGEST }] {
            let config = chatter_config(ping);
            let options = chatter::ConnectOptions {
                config, inbox: INBOX, socket: socket(), ..Default::default()
            };
            let accepting = chatter::ListenOptions { accept: accept(), ..options.clone().into() };
            let server = chatter::listen::<R>(local(), accepting).await.expect("listens");
            let client = chatter::connect::<R>(server.addresses()[0], options).await;
            let client = client.expect("connected");
            let there = server.accept().await.expect("the other end");
            let asking = chatter::SendOptions { timeout: Some(LONGEST), token: false, last: false, ..Default::default() };
            client.send(Data::new("a", "asked"), asking).await.expect("sent");
            assert_eq!(there.receive().await.expect("a message").data.data, "asked");
            client.close().await;
        }
    }

    async fn in_tcp_tpkt_and_cotp<R>() {
        let config = hat_core::tcp::Config { max_queued: MOST, ..Default::default() };
        let options = tcp::ConnectOptions {
            config, input_buffer_limit: MOST, socket: socket(), ..Default::default()
        };
        let accepting = tcp::ListenOptions { accept: accept(), ..options.clone().into() };
        let server = tcp::listen::<R>(local(), accepting).await.expect("listens");
        let client = tcp::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let there = server.accept().await.expect("the other end");
        client.write("bytes").await.expect("written");
        assert_eq!(there.read_exact(5).await.expect("read"), "bytes");
        client.close().await;

        let config = hat_core::tpkt::Config { max_queued: MOST, ..Default::default() };
        let options = tpkt::ConnectOptions { config, inbox: INBOX, socket: socket(), ..Default::default() };
        let accepting = tpkt::ListenOptions { accept: accept(), ..options.clone().into() };
        let server = tpkt::listen::<R>(local(), accepting).await.expect("listens");
        let client = tpkt::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let there = server.accept().await.expect("the other end");
        client.send("bytes").await.expect("sent");
        assert_eq!(there.receive().await.expect("received"), "bytes");
        client.close().await;

        let config = hat_core::cotp::Config {
            max_tsdu: MOST, max_queued: MOST, message_timeout: LONGEST, handshake_timeout: LONGEST,
            ..Default::default()
        };
        let options = cotp::ConnectOptions { config, inbox: INBOX, socket: socket(), ..Default::default() };
        let accepting = cotp::ListenOptions { accept: accept(), ..options.clone().into() };
        let server = cotp::listen::<R>(local(), accepting).await.expect("listens");
        let client = cotp::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let there = server.accept().await.expect("the other end");
        client.send("bytes").await.expect("sent");
        assert_eq!(there.receive().await.expect("received"), "bytes");
        client.close().await;
    }

    async fn in_eventer<R>() {
        let config = hat_core::eventer::server::Config {
            chatter: chatter_config(PINGS),
            init_timeout: LONGEST,
            close_timeout: LONGEST,
            max_requests: MOST,
            max_decoded: MOST,
            max_init: MOST,
            max_segments: MOST,
            ..Default::default()
        };
        let options = eventer::ListenOptions { config, accept: accept(), ..Default::default() };
        let server = eventer::listen::<R>(local(), (), options).await.expect("listens");
        let config = hat_core::eventer::client::Config {
            chatter: chatter_config(PINGS),
            init_timeout: LONGEST,
            max_requests: MOST,
            max_decoded: MOST,
            ..Default::default()
        };
        let client = eventer::ConnectOptions { config, inbox: INBOX, socket: socket(), ..Default::default() };
        let retry = RetryConfig { first_delay: LONGEST, max_delay: LONGEST, ..RetryConfig::default() };
        let options = ReconnectOptions { client, retry, ..ReconnectOptions::default() };
        let client = keep_connected::<R>(server.addresses()[0], "client", options).await;
        let client = client.expect("begun");
        client.connected().await.expect("taken");
        let event = RegisterEvent::new(EventType::from_segments(["a"]));
        client.register(&[event]).await.expect("queued");
        client.drain().await.expect("written");
        server.close().await;
        // the next try is as far away as can be; nobody waits for it
        while !matches!(client.next().await.expect("not over"), Update::Disconnected { .. }) {}
        client.drain().await.expect("nothing to write");
        client.close().await;
    }

    async fn in_juggler<R>() {
        let transport = machines::Config {
            ping: PINGS,
            max_segment_size: MOST,
            max_message: MOST,
            max_unsent_replies: MOST,
            ..Default::default()
        };
        let config = machines::server::Config {
            transport: transport.clone(),
            autoflush_delay: Some(LONGEST),
            max_requests: MOST,
            max_waiting: MOST,
            ..Default::default()
        };
        let state = juggler::SharedState::new(machines::State::default(), Some(LONGEST));
        let options = juggler::ListenOptions {
            web: web(), config, ws: ws_config(), state: Some(state.clone()), inbox: INBOX, ..Default::default()
        };
        let server = juggler::listen::<R>(local(), (), options).await.expect("listens");
        let config = machines::client::Config { transport, max_requests: MOST, ..Default::default() };
        let options = juggler::ConnectOptions {
            ws: ws_options(), config, inbox: INBOX, ..Default::default()
        };
        let client = juggler::connect::<R>(server.addresses()[0], options).await.expect("connected");
        let root = "".parse().expect("a pointer");
        state.change(|state| state.set(&root, 7)).expect("set");
        state.flush();
        while client.state() != Value::from(7) {
            client.changed().await.expect("open");
        }
        client.close().await;
        server.close().await;
    }
}
