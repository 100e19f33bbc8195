//! S7 communication of `python-snap7`: its client and its server with ours between, and each of
//! them against ours.

use std::net::SocketAddr;
use std::sync::OnceLock;

use hat_core::cotp::{self, Config, Diagnostic, Reason, Selector};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{self, Handle, Peer, from_addr, from_base64, skipped, to_addr, to_base64};
use serde_json::{Value, json};

use crate::relay::Relay;
use crate::{client, local, octets, server};

/// A client's first message: setup of communication, PDU of 480 octets.
const SETUP_JOB: &[u8] = b"\x32\x01\0\0\0\0\0\x08\0\0\xf0\0\0\x01\0\x01\x01\xe0";

/// All tests of the process share it.
#[track_caller]
fn snap7() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(Peer::s7)
}

/// A server with data block 1 of 1000 zeros, and where it listens.
#[track_caller]
pub(crate) fn listening() -> (Handle, SocketAddr) {
    let params = json!({"addr": to_addr(local()), "blocks": {"1": 1000}});
    let listening = snap7().expect("s7.listen", params);
    (peers::handle(&listening["obj"]), from_addr(&listening["addresses"][0]))
}

/// Rack 0, slot 1: calling TSAP 0x0100, called TSAP 0x0101.
fn target(address: SocketAddr) -> Value {
    json!({"addr": to_addr(address), "rack": 0, "slot": 1})
}

pub(crate) fn write(client: Handle, start: usize, data: &[u8]) {
    let params = json!({"obj": client, "block": 1, "start": start, "data": to_base64(data)});
    snap7().expect("s7.write", params);
}

fn read(client: Handle, start: usize, size: usize) -> Vec<u8> {
    let params = json!({"obj": client, "block": 1, "start": start, "size": size});
    from_base64(&snap7().expect("s7.read", params)["data"])
}

/// A client of the peer's that is connected to its server directly.
pub(crate) fn direct(address: SocketAddr) -> Handle {
    snap7().open("s7.connect", target(address))
}

pub(crate) fn close(object: Handle) {
    snap7().expect("close", json!({"obj": object}));
}

on_threaded_runtimes! {
    async fn a_client_through_our_relay<R>() {
        if skipped("iso::snap7::a_client_through_our_relay") {
            return;
        }
        let (their_server, address) = listening();
        let relay = Relay::to::<R>(address).await;
        let connecting = snap7().start("s7.connect", target(relay.address()));
        let relayed = relay.accept::<R>().await;
        assert_eq!(relayed.front.info().remote_selector, Some(0x0100.into()));
        assert_eq!(relayed.front.info().local_selector, Some(0x0101.into()));
        assert_eq!(relayed.back.info().remote_selector, Some(0x0101.into()));
        let (sender, ended) = tokio::sync::oneshot::channel();
        R::spawn(async move {
            let _ = sender.send(relayed.run::<R>().await);
        });

        let their_client = peers::handle(&connecting.expect()["obj"]);
        // longer than one S7 PDU: the client makes several requests of it
        let data = octets(900);
        write(their_client, 50, &data);
        assert_eq!(read(their_client, 50, 900), data);
        assert_eq!(read(their_client, 0, 50), [0; 50]);

        close(their_client);
        let ended = ended.await.expect("the relay ends with the client");
        let disconnected = cotp::Error::Disconnected { reason: Reason::NotSpecified, information: None };
        assert_eq!(ended.front.protocol(), Some(&disconnected), "{:?}", ended.front);
        assert_eq!(ended.requests, ended.answers);
        assert!(ended.requests >= 4, "setup, and requests of at most a PDU: {}", ended.requests);
        close(their_server);
    }

    async fn a_client_to_our_server<R>() {
        if skipped("iso::snap7::a_client_to_our_server") {
            return;
        }
        let config = Config { local_selector: Some(0x0101.into()), ..Config::default() };
        let server = server::<R>(config).await;
        let connecting = snap7().start("s7.connect", target(server.addresses()[0]));
        let ours = server.accept().await.expect("the peer connects");
        assert_eq!(ours.info().remote_selector, Some(Selector::from(0x0100)));
        assert_eq!(ours.info().tpdu_size.octets(), 1024);
        let setup = ours.receive().await.expect("the setup job");
        assert_eq!((&setup[..2], &setup[6..8], setup[10]), (&b"\x32\x01"[..], &b"\0\x08"[..], 0xf0));

        // our answer: ack_data with the job's reference and its own parameters
        let mut answer = b"\x32\x03\0\0".to_vec();
        answer.extend_from_slice(&setup[4..6]);
        answer.extend_from_slice(b"\0\x08\0\0\0\0");
        answer.extend_from_slice(&setup[10..18]);
        ours.send(answer).await.expect("sent");
        let their_client = peers::handle(&connecting.expect()["obj"]);
        close(their_client);
        let end = ours.receive().await.expect_err("the end");
        let Some(cotp::Error::Disconnected { reason, .. }) = end.protocol() else { panic!("{end:?}") };
        assert_eq!(*reason, Reason::NotSpecified);
        // its DR has an octet behind the header: it counts one too few; and it names reference 1,
        // whichever we gave it
        let mut expected = vec![Diagnostic::DisconnectData { octets: 1 }];
        let given = ours.info().local_reference;
        if given != 1 {
            expected.push(Diagnostic::DestinationReference { got: 1, expected: given });
        }
        assert_eq!(ours.diagnostics(), expected);
    }

    async fn our_client_to_its_server<R>() {
        if skipped("iso::snap7::our_client_to_its_server") {
            return;
        }
        let (their_server, address) = listening();
        for disconnect_on_close in [false, true] {
            let config = Config {
                local_selector: Some(0x0100.into()),
                remote_selector: Some(0x0101.into()),
                disconnect_on_close,
                ..Config::default()
            };
            let ours = client::<R>(address, config).await.expect("confirmed");
            ours.send(SETUP_JOB).await.expect("sent");
            let answer = ours.receive().await.expect("an answer");
            assert_eq!((&answer[..2], answer[12]), (&b"\x32\x03"[..], 0xf0), "{answer:?}");
            ours.close().await;
        }
        close(their_server);
    }

    async fn what_we_refuse<R>() {
        if skipped("iso::snap7::what_we_refuse") {
            return;
        }
        let config = Config { local_selector: Some(0x0102.into()), ..Config::default() };
        let server = server::<R>(config).await;
        let refused = snap7().request("s7.connect", target(server.addresses()[0]));
        let error = refused.expect_err("slot 1 is not slot 2");
        assert!(!error.message.is_empty());
    }
}
