//! Peers that vanish, that end and go on reading nothing, or that say nothing: each is noticed by a
//! side that only publishes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use hat_aio::server::AcceptOptions;
use hat_aio::{Error, Keepalive, SocketOptions, chatter, cotp, tcp, tpkt};
use hat_core::chatter::PingRule;
use hat_tests::namespaces::Host;
use hat_tests::on_every_runtime;

use crate::local;

/// A CR that every server takes, and a CC that every client takes.
const CR: &str = "0300000b06e00000000100";
const CC: &str = "0300000b06d00001000200";

fn quick() -> SocketOptions {
    let second = Duration::from_secs(1);
    let keepalive = Some(Keepalive { idle: second, interval: second, probes: 1 });
    SocketOptions { keepalive, ..SocketOptions::default() }
}

fn accept(socket: SocketOptions) -> AcceptOptions {
    AcceptOptions { socket, ..AcceptOptions::default() }
}

fn any_port(host: Ipv4Addr) -> SocketAddr {
    (host, 0).into()
}

#[track_caller]
fn lost<E: std::fmt::Debug>(error: &Error<E>) {
    let Error::Io(error) = error else { panic!("{error:?}") };
    // the system says that it got no answer, or that there is no way to the host
    assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::HostUnreachable), "{error:?}");
}

on_every_runtime! {
    /// With the default times, on the protocols that have no pings of their own.
    async fn a_peer_whose_cable_is_cut_is_noticed_by_servers<R>() {
        let Some(mut host) = Host::new("a_peer_whose_cable_is_cut_is_noticed_by_servers") else {
            return;
        };
        let here = any_port(host.here());
        let listening = tcp::listen::<R>(here, Default::default()).await.expect("listens");
        host.connect(listening.addresses()[0].port(), "");
        let over_tcp = listening.accept().await.expect("the peer");
        let listening = tpkt::listen::<R>(here, Default::default()).await.expect("listens");
        host.connect(listening.addresses()[0].port(), "");
        let over_tpkt = listening.accept().await.expect("the peer");
        let listening = cotp::listen::<R>(here, Default::default()).await.expect("listens");
        host.connect(listening.addresses()[0].port(), CR);
        let over_cotp = listening.accept().await.expect("the peer");
        let pings = hat_core::chatter::Config { ping: PingRule::Off, ..Default::default() };
        let chatting = chatter::ListenOptions { config: pings, ..Default::default() };
        let listening = chatter::listen::<R>(here, chatting).await.expect("listens");
        host.connect(listening.addresses()[0].port(), "");
        let over_chatter = listening.accept().await.expect("the peer");

        assert!(over_cotp.end_reason().is_none());
        host.cut();
        lost(&over_tcp.ended().await);
        lost(&over_tpkt.ended().await);
        lost(&over_cotp.ended().await);
        lost(&over_chatter.ended().await);
    }

    async fn a_peer_whose_cable_is_cut_is_noticed_by_clients<R>() {
        let Some(mut host) = Host::new("a_peer_whose_cable_is_cut_is_noticed_by_clients") else {
            return;
        };
        let options = tcp::ConnectOptions { socket: quick(), ..Default::default() };
        let over_tcp = tcp::connect::<R>(host.listen(""), options).await.expect("connected");
        let options = tpkt::ConnectOptions { socket: quick(), ..Default::default() };
        let over_tpkt = tpkt::connect::<R>(host.listen(""), options).await.expect("connected");
        let options = cotp::ConnectOptions { socket: quick(), ..Default::default() };
        let over_cotp = cotp::connect::<R>(host.listen(CC), options).await.expect("confirmed");
        host.cut();
        lost(&over_tcp.ended().await);
        lost(&over_tpkt.ended().await);
        lost(&over_cotp.ended().await);
    }

    /// Keepalive is silent while something is under way; the user timeout is for that.
    async fn a_peer_that_is_cut_off_while_we_send<R>() {
        let Some(mut host) = Host::new("a_peer_that_is_cut_off_while_we_send") else { return };
        let user_timeout = Some(Duration::from_secs(2));
        let socket = SocketOptions { keepalive: None, user_timeout, ..SocketOptions::default() };
        let options = tcp::ConnectOptions { socket, ..Default::default() };
        let connection = tcp::connect::<R>(host.listen(""), options).await.expect("connected");
        host.cut();
        connection.write("is anybody there?").await.expect("queued");
        lost(&connection.ended().await);
    }

    async fn a_peer_that_only_lives_is_given_up_where_that_is_asked_for<R>() {
        let time = Duration::from_millis(300);
        let socket = SocketOptions { idle_timeout: Some(time), ..SocketOptions::default() };
        let listening = cotp::listen::<R>(local(), cotp::ListenOptions { accept: accept(socket), ..Default::default() }).await;
        let listening = listening.expect("listens");
        let mut peer = TcpStream::connect(listening.addresses()[0]).expect("connected");
        peer.write_all(b"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x01\x00").expect("a CR");
        let accepted = listening.accept().await.expect("the peer");
        let error = accepted.ended().await;
        assert!(matches!(error, Error::Idle { time: limit } if limit == time), "{error:?}");

        let silent = TcpListener::bind(local()).expect("a port");
        let options = tcp::ConnectOptions { socket, ..Default::default() };
        let to = silent.local_addr().expect("its address");
        let connection = tcp::connect::<R>(to, options).await.expect("connected");
        let error = connection.ended().await;
        assert!(matches!(error, Error::Idle { time: limit } if limit == time), "{error:?}");
        assert_eq!(error.to_string(), "nothing was received from the peer for 300ms");
    }

    /// Nobody receives on our side; 200 such clients were 200 sockets that nobody closed.
    async fn a_publisher_learns_that_its_cotp_peer_has_ended<R>() {
        let listening = cotp::listen::<R>(local(), Default::default()).await;
        let listening = listening.expect("listens");
        let mut peer = TcpStream::connect(listening.addresses()[0]).expect("connected");
        peer.write_all(b"\x03\x00\x00\x0b\x06\xe0\x00\x00\x00\x01\x00").expect("a CR");
        let accepted = listening.accept().await.expect("the peer");
        accepted.send("published").await.expect("sent");
        peer.shutdown(Shutdown::Write).expect("ended");
        let error = accepted.closed().await;
        assert!(matches!(error.protocol(), Some(hat_core::cotp::Error::Closed)), "{error:?}");
        assert_eq!(listening.open_connections(), 0);
        let mut all = Vec::new();
        peer.read_to_end(&mut all).expect("the end");
        assert!(all.ends_with(b"published"));
    }

    async fn a_peer_that_has_ended_and_reads_nothing_is_given_up<R>() {
        let listening = tcp::listen::<R>(local(), Default::default()).await;
        let listening = listening.expect("listens");
        let peer = TcpStream::connect(listening.addresses()[0]).expect("connected");
        let accepted = listening.accept().await.expect("the peer");
        // more than the systems of both sides take
        let much = vec![7; 64 * 1024 * 1024];
        accepted.write(much).await.expect("an empty queue takes it");
        peer.shutdown(Shutdown::Write).expect("ended");
        let error = accepted.closed().await;
        assert!(matches!(error, Error::Stalled), "{error:?}");
    }
}
