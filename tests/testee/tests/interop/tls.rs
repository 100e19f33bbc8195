//! The parameters about TLS of every layer, in every pair of implementations.

use hat_tests::certificates::{Authority, PemFile};
use hat_tests::peers::chatter::{Layer, ONE, Side};
use hat_tests::peers::{self, ErrorKind, Peer};
use serde_json::{Value, json};

/// Key and certificate for a server on this machine; the root that issued it; the same for a
/// client.
struct Files {
    server: PemFile,
    root: PemFile,
    client: PemFile,
}

impl Files {
    fn new() -> Self {
        let authority = Authority::new("The plant");
        Self {
            server: PemFile::new(&authority.issue(&["localhost", "127.0.0.1"]).pem()),
            root: PemFile::new(&authority.pem()),
            client: PemFile::new(&authority.issue(&[]).pem()),
        }
    }
}

fn tls(file: Option<&PemFile>, verify: bool) -> Value {
    json!({"cert": file.map(PemFile::path), "verify": verify})
}

/// All that is tested with one pair; `start` starts it for a layer.
pub(crate) fn scenarios(start: impl Fn(Layer) -> (Peer, Peer)) {
    let files = Files::new();
    let (client, server) = start(Layer::Chatter);
    for shown in [None, Some(&files.client)] {
        messages(Layer::Chatter, &client, &server, &files, shown);
        for layer in ["tpkt", "cotp"] {
            iso(layer, &client, &server, &files, shown);
        }
        eventer(&client, &server, &files, shown);
        juggler(&client, &server, &files, shown);
    }
    let (client, server) = start(Layer::Chatter05);
    for shown in [None, Some(&files.client)] {
        messages(Layer::Chatter05, &client, &server, &files, shown);
    }
}

/// Messages of a Chatter layer. In `chatter05` the address says that it is TLS.
fn messages(layer: Layer, client: &Peer, server: &Peer, files: &Files, shown: Option<&PemFile>) {
    let params = |address: Value, file: Option<&PemFile>| match layer {
        Layer::Chatter => json!({"addr": address, "tls": tls(file, false)}),
        Layer::Chatter05 => json!({"address": address, "pem_file": file.map(PemFile::path)}),
    };
    let any = match layer {
        Layer::Chatter => json!({"host": "127.0.0.1", "port": 0}),
        Layer::Chatter05 => json!("ssl+sbs://127.0.0.1:0"),
    };
    let listening = server.expect(&layer.method("listen"), params(any, Some(&files.server)));
    let address = listening["addresses"][0].clone();
    let connected = client.expect(&layer.method("connect"), params(address.clone(), shown));
    let accepted = server.event("accepted", peers::handle(&listening["obj"]));
    if layer == Layer::Chatter05 {
        assert!(address.as_str().is_some_and(|it| it.starts_with("ssl+sbs://")), "{address}");
        assert_eq!(connected["info"]["remote_address"], address);
        assert_eq!(accepted["info"]["local_address"], address);
    }
    let one = Side { peer: client, object: peers::handle(&connected["obj"]), layer };
    let other = Side { peer: server, object: peers::handle(&accepted["conn"]), layer };
    for payload in [&[1; 10][..], &[2; 100_000]] {
        for (from, to) in [(one, other), (other, one)] {
            from.send(payload, ONE);
            to.receive(payload);
        }
    }
    one.drain();
    one.close().expect();
    other.closes();
}

fn juggler(client: &Peer, server: &Peer, files: &Files, shown: Option<&PemFile>) {
    let addr = peers::unused_addr();
    let listen =
        json!({"host": "127.0.0.1", "port": addr.port(), "tls": tls(Some(&files.server), false)});
    let host = server.open("juggler.listen", listen);
    let params = json!({"address": format!("wss://{addr}/ws"), "tls": tls(shown, false)});
    let one = client.open("juggler.connect", params);
    let accepted = peers::handle(&server.event("accepted", host)["conn"]);
    let text = "ž".repeat(100_000);
    let echo = client.expect("juggler.send", json!({"obj": one, "name": "", "data": text}));
    assert!(echo["data"] == *text);
    let state = json!({"obj": accepted, "path": ["text"], "value": text});
    server.expect("juggler.state_set", state);
    assert!(client.event("state", one)["data"]["text"] == *text);
    client.expect("close", json!({"obj": one}));
    server.event("closed", accepted);
    server.expect("close", json!({"obj": host}));
}

fn iso(layer: &str, client: &Peer, server: &Peer, files: &Files, shown: Option<&PemFile>) {
    let addr = json!({"host": "127.0.0.1", "port": 0});
    let params = json!({"addr": addr, "tls": tls(Some(&files.server), false)});
    let listening = server.expect(&format!("{layer}.listen"), params);
    let params = json!({"addr": listening["addresses"][0], "tls": tls(shown, false)});
    let connection = client.open(&format!("{layer}.connect"), params);
    let accepted = server.event("accepted", peers::handle(&listening["obj"]));
    let data = peers::to_base64(vec![3; 30_000]);
    client.expect(&format!("{layer}.send"), json!({"obj": connection, "data": data}));
    let received = server.expect(&format!("{layer}.receive"), json!({"obj": accepted["conn"]}));
    assert_eq!(received["data"], data);
    client.expect("close", json!({"obj": connection}));
}

fn eventer(client: &Peer, server: &Peer, files: &Files, shown: Option<&PemFile>) {
    let addr = peers::to_addr(peers::unused_addr());
    let params =
        json!({"addr": addr, "status": "operational", "tls": tls(Some(&files.server), false)});
    server.open("eventer.listen", params);
    let params = json!({"addr": addr, "client_name": "client", "tls": tls(shown, false)});
    let connected = client.expect("eventer.connect", params);
    assert_eq!(connected["status"], "operational");
    client.expect("close", json!({"obj": connected["obj"]}));
}

/// With `verify` the system's roots decide, which on Linux a variable names.
#[test]
fn verified() {
    let files = Files::new();
    for runtime in ["tokio", "smol"] {
        let mut trusting = super::command(runtime);
        trusting.env("SSL_CERT_FILE", files.root.path());
        let (trusting, doubting) = (Peer::command(trusting), super::testee(runtime));
        let addr = json!({"host": "127.0.0.1", "port": 0});
        let listen = json!({"addr": addr, "tls": tls(Some(&files.server), true)});
        let listening = trusting.expect("chatter.listen", listen);
        let connect =
            |shown, verify| json!({"addr": listening["addresses"][0], "tls": tls(shown, verify)});

        trusting.expect("chatter.connect", connect(Some(&files.client), true));
        trusting.event("accepted", peers::handle(&listening["obj"]));
        // it has other roots, or none
        let refused = doubting.request("chatter.connect", connect(Some(&files.client), true));
        let kind = refused.expect_err("nobody it trusts").kind;
        assert!(matches!(kind, ErrorKind::Connection | ErrorKind::Value), "{kind:?}");

        let listen = json!({"addr": addr, "tls": tls(None, false)});
        let refused = trusting.request("chatter.listen", listen).expect_err("no certificate");
        assert_eq!(refused.kind, ErrorKind::Value);
    }
}
