//! TPKT and COTP of `hat-drivers`, in both directions.

use std::net::SocketAddr;
use std::sync::OnceLock;

use hat_aio::cotp::{ConnectError, Connection, Error};
use hat_aio::server::AcceptOptions;
use hat_aio::tpkt;
use hat_core::cotp::{self, Config, Reason};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{self, ErrorKind, Handle, Peer, from_base64, skipped, to_addr, to_base64};
use hat_tests::runtimes::TestRuntime;
use serde_json::{Value, json};

use crate::{client, local, octets, server};

/// All tests of the process share it.
#[track_caller]
pub(crate) fn today() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(Peer::today)
}

/// A server of the peer's, and where it listens.
pub(crate) fn listening(layer: &str) -> (Handle, SocketAddr) {
    let listening = today().expect(&format!("{layer}.listen"), json!({"addr": to_addr(local())}));
    (peers::handle(&listening["obj"]), peers::from_addr(&listening["addresses"][0]))
}

/// The peer's end of a connection.
pub(crate) struct Theirs {
    layer: &'static str,
    handle: Handle,
    pub(crate) info: Value,
}

impl Theirs {
    /// Of a response to `connect`.
    fn connected(layer: &'static str, response: &Value) -> Self {
        Self { layer, handle: peers::handle(&response["obj"]), info: response["info"].clone() }
    }

    /// What the peer's server has accepted.
    pub(crate) fn accepted(layer: &'static str, server: Handle) -> Self {
        let event = today().event("accepted", server);
        Self { layer, handle: peers::handle(&event["conn"]), info: event["info"].clone() }
    }

    pub(crate) fn send(&self, data: &[u8]) {
        let params = json!({"obj": self.handle, "data": to_base64(data)});
        today().expect(&format!("{}.send", self.layer), params);
    }

    pub(crate) fn receive(&self) -> Result<Vec<u8>, ErrorKind> {
        let received =
            today().request(&format!("{}.receive", self.layer), json!({"obj": self.handle}));
        received.map(|message| from_base64(&message["data"])).map_err(|error| error.kind)
    }

    fn close(&self) {
        today().expect("close", json!({"obj": self.handle}));
    }
}

/// Both ends of a COTP connection: theirs as the server, or as the client.
async fn link<R: TestRuntime>(we_connect: bool) -> (Connection, Theirs) {
    let selectors = |local: u16, remote: u16| Config {
        local_selector: Some(local.into()),
        remote_selector: Some(remote.into()),
        ..Config::default()
    };
    if we_connect {
        let (their_server, address) = listening("cotp");
        let ours = client::<R>(address, selectors(1, 2)).await.expect("confirmed");
        return (ours, Theirs::accepted("cotp", their_server));
    }
    let server = server::<R>(selectors(1, 2)).await;
    let target = json!({"addr": to_addr(server.addresses()[0]), "local_tsel": 2, "remote_tsel": 1});
    let pending = today().start("cotp.connect", target);
    let ours = server.accept().await.expect("the peer connects");
    let theirs = Theirs::connected("cotp", &pending.expect());
    (ours, theirs)
}

#[track_caller]
fn closed(end: &Error) {
    assert!(matches!(end.protocol(), Some(cotp::Error::Closed)), "{end:?}");
}

on_threaded_runtimes! {
    async fn selectors_as_both_see_them<R>() {
        if skipped("iso::drivers::selectors_as_both_see_them") {
            return;
        }
        for we_connect in [true, false] {
            let (ours, theirs) = link::<R>(we_connect).await;
            let info = ours.info();
            assert_eq!(info.local_selector, Some(1.into()));
            assert_eq!(info.remote_selector, Some(2.into()));
            assert_eq!(theirs.info["local_tsel"], 2, "{we_connect}");
            assert_eq!(theirs.info["remote_tsel"], 1, "{we_connect}");
            assert_eq!(info.tpdu_size.octets(), 2048);
            assert_eq!(theirs.info["remote_addr"], to_addr(info.local_address));
        }
    }

    async fn messages_up_to_a_mebibyte<R>() {
        if skipped("iso::drivers::messages_up_to_a_mebibyte") {
            return;
        }
        for we_connect in [true, false] {
            let (ours, theirs) = link::<R>(we_connect).await;
            for len in [0, 1, 2044, 2045, 2046, 4090, 65536, 1 << 20] {
                let message = octets(len);
                ours.send(message.clone()).await.expect("sent");
                assert!(theirs.receive() == Ok(message.clone()), "{len} to them");
                if len > 0 {
                    // an empty message is none to hat-drivers: it sends no TPDU for it
                    theirs.send(&message);
                    assert!(ours.receive().await.expect("a message") == message, "{len} to us");
                }
            }
            assert!(ours.diagnostics().is_empty());
        }
    }

    async fn their_empty_message_is_not_sent<R>() {
        if skipped("iso::drivers::their_empty_message_is_not_sent") {
            return;
        }
        let (ours, theirs) = link::<R>(true).await;
        theirs.send(b"");
        theirs.send(b"next");
        assert_eq!(ours.receive().await.expect("a message"), "next");
    }

    async fn we_close<R>() {
        if skipped("iso::drivers::we_close") {
            return;
        }
        for we_connect in [true, false] {
            let (ours, theirs) = link::<R>(we_connect).await;
            ours.send(octets(100_000)).await.expect("sent");
            closed(&ours.close().await);
            assert!(theirs.receive() == Ok(octets(100_000)), "all is written before the end");
            assert_eq!(theirs.receive(), Err(ErrorKind::Connection));
            today().event("closed", theirs.handle);
        }
    }

    async fn we_close_with_a_disconnect_request<R>() {
        if skipped("iso::drivers::we_close_with_a_disconnect_request") {
            return;
        }
        let (their_server, address) = listening("cotp");
        let config = Config { disconnect_on_close: true, ..Config::default() };
        let ours = client::<R>(address, config).await.expect("confirmed");
        let theirs = Theirs::accepted("cotp", their_server);
        ours.send("last").await.expect("sent");
        ours.close().await;
        assert_eq!(theirs.receive(), Ok(b"last".to_vec()));
        assert_eq!(theirs.receive(), Err(ErrorKind::Connection));
        today().event("closed", theirs.handle);
    }

    async fn they_close<R>() {
        if skipped("iso::drivers::they_close") {
            return;
        }
        for we_connect in [true, false] {
            let (ours, theirs) = link::<R>(we_connect).await;
            theirs.send(&octets(100_000));
            today().expect("cotp.drain", json!({"obj": theirs.handle}));
            theirs.close();
            assert!(ours.receive().await.expect("a message") == octets(100_000));
            closed(&ours.receive().await.expect_err("the end"));
            ours.close().await;
        }
    }

    async fn what_we_refuse<R>() {
        if skipped("iso::drivers::what_we_refuse") {
            return;
        }
        let config = Config { local_selector: Some(7.into()), ..Config::default() };
        let server = server::<R>(config).await;
        for remote_tsel in [json!(8), json!(null)] {
            let target = json!({"addr": to_addr(server.addresses()[0]), "remote_tsel": remote_tsel});
            let error = today().request("cotp.connect", target).expect_err("refused");
            assert!(error.message.contains("not of type CC"), "{error}");
        }
        let target = json!({"addr": to_addr(server.addresses()[0]), "remote_tsel": 7});
        today().expect("cotp.connect", target);
        server.accept().await.expect("the one with the right selector");
    }

    async fn both_send_at_once<R>() {
        if skipped("iso::drivers::both_send_at_once") {
            return;
        }
        let (ours, theirs) = link::<R>(true).await;
        // more than the buffers of the system hold: each side has to read while it writes
        for round in 0..20 {
            ours.send(octets(300_000 + round)).await.expect("sent");
            theirs.send(&octets(200_000 + round));
        }
        for round in 0..20 {
            assert!(ours.receive().await.expect("a message") == octets(200_000 + round));
            assert!(theirs.receive() == Ok(octets(300_000 + round)));
        }
    }

    async fn what_they_refuse<R>() {
        if skipped("iso::drivers::what_they_refuse") {
            return;
        }
        // its COTP confirms whatever is asked for: its TPKT answers here, and then does not
        let (their_server, address) = listening("tpkt");
        let refusal = std::thread::spawn(move || {
            let theirs = Theirs::accepted("tpkt", their_server);
            let request = theirs.receive().expect("the request");
            // a DR, as a server writes it that refuses: our reference, none of its own, congestion
            theirs.send(&[6, 0x80, request[4], request[5], 0, 0, 1]);
        });
        let refused = client::<R>(address, Config::default()).await.map(|_| ()).expect_err("refused");
        refusal.join().expect("the peer's side");
        let ConnectError::Ended(Error::Protocol(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error, cotp::Error::Refused { reason: Reason::Congestion, information: None });

        let (their_server, address) = listening("tpkt");
        let closing = std::thread::spawn(move || Theirs::accepted("tpkt", their_server).close());
        let refused = client::<R>(address, Config::default()).await.map(|_| ()).expect_err("closed");
        closing.join().expect("the peer's side");
        assert!(matches!(refused, ConnectError::Ended(_)), "{refused:?}");
    }

    async fn packets<R>() {
        if skipped("iso::drivers::packets") {
            return;
        }
        for we_connect in [true, false] {
            let options = tpkt::ConnectOptions::default();
            let (ours, theirs) = if we_connect {
                let (their_server, address) = listening("tpkt");
                let ours = tpkt::connect::<R>(address, options).await.expect("connected");
                (ours, Theirs::accepted("tpkt", their_server))
            } else {
                let unbound = AcceptOptions { bind_connections: false, ..AcceptOptions::default() };
                let options = tpkt::ListenOptions { accept: unbound, ..options.into() };
                let server = tpkt::listen::<R>(local(), options).await.expect("listens");
                let target = json!({"addr": to_addr(server.addresses()[0])});
                let theirs = Theirs::connected("tpkt", &today().expect("tpkt.connect", target));
                (server.accept().await.expect("the peer connects"), theirs)
            };
            for len in [3, 4, 1000, 65531] {
                let packet = octets(len);
                ours.send(packet.clone()).await.expect("sent");
                assert!(theirs.receive() == Ok(packet.clone()), "{len} to them");
                theirs.send(&packet);
                assert!(ours.receive().await.expect("a packet") == packet, "{len} to us");
            }
            if we_connect {
                ours.close().await;
                assert_eq!(theirs.receive(), Err(ErrorKind::Connection));
            } else {
                theirs.close();
                let end = ours.receive().await.expect_err("the end");
                assert!(matches!(end.protocol(), Some(hat_core::tpkt::Error::Closed)), "{end:?}");
            }
        }
    }
}
