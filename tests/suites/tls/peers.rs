//! The deployed peers with TLS, in both directions. They verify nothing unless told to, and then by
//! the system's roots.

use std::sync::{LazyLock, OnceLock};

use hat_aio::chatter::{ConnectOptions, Connection, SendOptions, connect, listen};
use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, Notification};
use hat_aio::tls::{self, ClientCertificates, Identity};
use hat_aio::{chatter, cotp, eventer, tpkt};
use hat_core::chatter::{Config, Data};
use hat_core::eventer::{EventType, Status};
use hat_tests::certificates::PemFile;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::{Layer, ONE, Side};
use hat_tests::peers::{self, Peer, skipped};
use serde_json::{Value, json};

use super::{
    AUTHORITY, SERVER, accepting, acceptor, at, client_options, connecting, connector, local,
    roots, server_options,
};

/// Key and certificate of a server, as the deployed peers want them.
static SERVER_FILE: LazyLock<PemFile> = LazyLock::new(|| PemFile::new(&SERVER.pem()));

/// The same for a client.
static CLIENT_FILE: LazyLock<PemFile> = LazyLock::new(|| PemFile::new(&AUTHORITY.issue(&[]).pem()));

fn deployed(layer: Layer) -> &'static Peer {
    static TODAY: OnceLock<Peer> = OnceLock::new();
    static CHATTER05: OnceLock<Peer> = OnceLock::new();
    match layer {
        Layer::Chatter => TODAY.get_or_init(Peer::today),
        Layer::Chatter05 => CHATTER05.get_or_init(Peer::chatter05),
    }
}

/// The parameter of a peer that has that certificate.
fn tls(layer: Layer, file: Option<&PemFile>) -> Value {
    let path = file.map(PemFile::path);
    match layer {
        Layer::Chatter => json!({"tls": {"cert": path, "verify": false}, "ping_delay": 0}),
        Layer::Chatter05 => json!({"pem_file": path, "ping_timeout": 0}),
    }
}

/// Where the peer connects to, or listens: for hat-chatter 0.5 the address says that it is TLS.
fn target(layer: Layer, address: std::net::SocketAddr, file: Option<&PemFile>) -> Value {
    let mut params = layer.target(address, tls(layer, file));
    if layer == Layer::Chatter05 {
        params["address"] = format!("ssl+sbs://{address}").into();
    }
    params
}

fn options(layer: Layer, tls: Option<tls::Connector>) -> ConnectOptions {
    ConnectOptions { config: Config::new(layer.dialect()), tls, ..ConnectOptions::default() }
}

/// Messages go both ways, small ones and some of many records; then our side closes.
async fn talk(ours: Connection, theirs: Side<'_>) {
    for size in [1, 20_000, 1_000_000] {
        let payload = vec![size as u8; size];
        let mut data = Data::new("Test.Data", payload.clone());
        data.module = (theirs.layer == Layer::Chatter05).then(|| "Test".into());
        ours.send(data, SendOptions::default()).await.expect("sent");
        theirs.receive(&payload);
        theirs.send(&payload, ONE);
        assert!(ours.receive().await.expect("received").data.data == payload);
    }
}

fn connect_to_theirs(layer: Layer, file: &PemFile) -> (hat_aio::Address, peers::Handle) {
    let listening =
        deployed(layer).expect(&layer.method("listen"), target(layer, local(), Some(file)));
    let address = match layer {
        Layer::Chatter => peers::from_addr(&listening["addresses"][0]),
        Layer::Chatter05 => {
            let text = listening["addresses"][0].as_str().expect("an address");
            text.strip_prefix("ssl+sbs://").and_then(|text| text.parse().ok()).expect("TLS")
        }
    };
    (at(address), peers::handle(&listening["obj"]))
}

struct AcceptingHandler;

impl Handler for AcceptingHandler {
    async fn connected(&self, info: &ConnectionInfo) -> Result<(), String> {
        match &*info.client_name {
            "theirs" => Ok(()),
            _ => Err("nobody else".into()),
        }
    }
}

on_threaded_runtimes! {
    async fn chatter_clients_of_deployed_servers<R>() {
        if skipped("chatter_clients_of_deployed_servers") {
            return;
        }
        for layer in [Layer::Chatter, Layer::Chatter05] {
            let peer = deployed(layer);
            let (address, server) = connect_to_theirs(layer, &SERVER_FILE);
            // verified by its name; and by nothing at all
            let any = tls::ConnectorOptions { dangerous_accept_any_certificate: true, ..tls::ConnectorOptions::default() };
            for tls in [connector(), connecting(&any)] {
                let ours = connect::<R>(address.clone(), options(layer, tls)).await.expect("connected");
                let object = peers::handle(&peer.event("accepted", server)["conn"]);
                let theirs = Side { peer, object, layer };
                talk(ours.clone(), theirs).await;
                ours.close().await;
                theirs.closes();
            }
            // they close: in order, for they say so in TLS too
            let ours = connect::<R>(address, options(layer, connector())).await.expect("connected");
            let object = peers::handle(&peer.event("accepted", server)["conn"]);
            Side { peer, object, layer }.close().expect();
            let end = ours.receive().await.expect_err("the end");
            assert!(end.protocol().is_some(), "{end:?}");
        }
    }

    async fn deployed_chatter_clients<R>() {
        if skipped("deployed_chatter_clients") {
            return;
        }
        let required = tls::AcceptorOptions {
            client_certificates: ClientCertificates::Required(roots()),
            ..server_options(&SERVER)
        };
        for layer in [Layer::Chatter, Layer::Chatter05] {
            // the `pem_file` of a deployed client is its certificate
            for (tls, file) in [(acceptor(), None), (acceptor(), Some(&*CLIENT_FILE)), (accepting(&required), Some(&*CLIENT_FILE))] {
                let options = chatter::ListenOptions { tls, ..options(layer, None).into() };
                let server = listen::<R>(local(), options).await;
                let server = server.expect("listens");
                let peer = deployed(layer);
                let params = target(layer, server.addresses()[0], file);
                let object = peers::handle(&peer.expect(&layer.method("connect"), params)["obj"]);
                let ours = server.accept().await.expect("the other end");
                let theirs = Side { peer, object, layer };
                talk(ours.clone(), theirs).await;
                theirs.close().expect();
                let end = ours.receive().await.expect_err("the end");
                assert!(end.protocol().is_some(), "{end:?}");
            }
        }
    }

    /// Our `Identity` is what their `pem_file` is, on both sides.
    async fn our_client_with_a_pem_file<R>() {
        if skipped("our_client_with_a_pem_file") {
            return;
        }
        let certificate = Some(Identity::new(CLIENT_FILE.path()));
        let tls = connecting(&tls::ConnectorOptions { certificate, ..client_options() });
        let (address, server) = connect_to_theirs(Layer::Chatter, &SERVER_FILE);
        let ours = connect::<R>(address, options(Layer::Chatter, tls)).await.expect("connected");
        let peer = deployed(Layer::Chatter);
        let object = peers::handle(&peer.event("accepted", server)["conn"]);
        talk(ours, Side { peer, object, layer: Layer::Chatter }).await;
    }

    async fn eventer_with_a_deployed_server<R>() {
        if skipped("eventer_with_a_deployed_server") {
            return;
        }
        let (peer, address) = (deployed(Layer::Chatter), peers::unused_addr());
        let mut params = tls(Layer::Chatter, Some(&SERVER_FILE));
        params["addr"] = peers::to_addr(address);
        params["status"] = "operational".into();
        let server = peer.open("eventer.listen", params);
        let options = eventer::ConnectOptions {
            subscriptions: vec![EventType::from_segments(["*"])],
            tls: connector(),
            ..eventer::ConnectOptions::default()
        };
        let client = eventer::connect::<R>(at(address), "ours", options).await.expect("taken");
        assert_eq!(client.status(), Status::Operational);
        let event = json!({"id": [1, 1, 1], "type": ["a"], "timestamp": [0, 0], "source_timestamp": null,
                           "payload": {"kind": "json", "data": "x".repeat(100_000)}});
        let notified = peer.start("eventer.notify_events", json!({"obj": server, "events": [event],
                                                                  "persisted": false, "with_ack": true}));
        let told = client.next().await.expect("events");
        assert!(matches!(&told, Notification::Events(events) if events.len() == 1), "{told:?}");
        drop(told);
        notified.expect();
        client.close().await;
    }

    async fn eventer_with_a_deployed_client<R>() {
        if skipped("eventer_with_a_deployed_client") {
            return;
        }
        let options = ListenOptions { status: Status::Operational, tls: acceptor(), ..ListenOptions::default() };
        let server = eventer::listen::<R>(local(), AcceptingHandler, options).await.expect("listens");
        let peer = deployed(Layer::Chatter);
        let mut params = tls(Layer::Chatter, None);
        params["addr"] = peers::to_addr(server.addresses()[0]);
        params["client_name"] = "theirs".into();
        params["subscriptions"] = json!([["*"]]);
        let client = peer.expect("eventer.connect", params);
        assert_eq!(client["status"], "operational");
        server.set_status(Status::Stopping);
        let call = peer.call_of("status", peers::handle(&client["obj"]));
        assert_eq!(call.params["status"], "stopping");
        call.reply(Ok(Value::Null));
    }

    async fn tpkt_and_cotp_with_deployed_peers<R>() {
        if skipped("tpkt_and_cotp_with_deployed_peers") {
            return;
        }
        let peer = deployed(Layer::Chatter);
        let with_tls = |addr: Value, file: Option<&PemFile>| {
            let mut params = tls(Layer::Chatter, file);
            params["addr"] = addr;
            params
        };
        let listening = peer.expect("tpkt.listen", with_tls(peers::to_addr(local()), Some(&SERVER_FILE)));
        let options = tpkt::ConnectOptions { tls: connector(), ..tpkt::ConnectOptions::default() };
        let target = at(peers::from_addr(&listening["addresses"][0]));
        let ours = tpkt::connect::<R>(target, options).await.expect("connected");
        let theirs = peer.event("accepted", peers::handle(&listening["obj"]))["conn"].clone();
        ours.send(vec![1; 30_000]).await.expect("sent");
        let received = peer.expect("tpkt.receive", json!({"obj": theirs}));
        assert_eq!(peers::from_base64(&received["data"]), vec![1; 30_000]);

        let options = cotp::ListenOptions { tls: acceptor(), ..cotp::ListenOptions::default() };
        let server = cotp::listen::<R>(local(), options).await.expect("listens");
        let theirs = peer.open("cotp.connect", with_tls(peers::to_addr(server.addresses()[0]), None));
        let ours = server.accept().await.expect("the other end");
        let message = peers::to_base64(vec![2; 100_000]);
        peer.expect("cotp.send", json!({"obj": theirs, "data": message}));
        assert!(ours.receive().await.expect("received") == vec![2; 100_000]);
    }
}
