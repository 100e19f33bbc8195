//! `hat` with TLS: files on the command line, and what is said where they do not fit.

use hat_aio::Address;
use hat_aio::tls::{self, Roots};
use hat_tests::certificates::{Authority, PemFile};
use hat_tests::peers::{self, Peer, unused_addr};
use hat_tokio::juggler::{ConnectOptions, WsOptions, connect};
use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat};

/// Files of one plant.
struct Files {
    root: PemFile,
    server: PemFile,
    key: PemFile,
    client: PemFile,
    stranger: PemFile,
}

impl Files {
    fn new() -> Self {
        let authority = Authority::new("The plant");
        let server = authority.issue(&["127.0.0.1", "plant"]);
        Self {
            root: PemFile::new(&authority.pem()),
            server: PemFile::new(&server.certificate),
            key: PemFile::new(&server.key),
            client: PemFile::new(&authority.issue(&[]).pem()),
            stranger: PemFile::new(&Authority::new("Somebody").issue(&["127.0.0.1"]).pem()),
        }
    }
}

fn path(file: &PemFile) -> String {
    file.path().display().to_string()
}

on_every_runtime! {
    fn everything_goes_through_tls(runtime) {
        let files = Files::new();
        let (cert, key, root) = (path(&files.server), path(&files.key), path(&files.root));
        let server = Server::start(runtime, &format!("--tls-cert {cert} --tls-key {key}"));
        let connect = format!("--runtime {runtime} --connect {} --tls-ca {root}", server.address);
        let told = Hat::start(&format!("subscribe --status {connect}"));
        assert_eq!(told.json(), json!({"status": "operational"}));
        let registered = hat(&format!("register a/b --json 1 --response {connect}")).json();
        assert_eq!(told.json(), registered[0]);
        assert_eq!(hat(&format!("query latest {connect}")).json(), registered);

        // by another name, and by none
        let connect = format!("--runtime {runtime} --connect ssl+sbs://{}", server.address);
        hat(&format!("status {connect} --tls-ca {root} --tls-name plant")).json();
        hat(&format!("status {connect} --dangerous-accept-any-certificate")).json();
    }

    fn the_page_goes_through_tls_too(runtime) {
        let files = Files::new();
        let (cert, key) = (path(&files.server), path(&files.key));
        let args = format!("--tls-cert {cert} --tls-key {key} --web 127.0.0.1:0");
        let server = Server::start(runtime, &args);
        let line = server.hat.error_line();
        let page = line.strip_prefix("page on https://").and_then(|rest| rest.strip_suffix('/'));
        let page = page.unwrap_or_else(|| panic!("{line}")).parse::<Address>().expect("an address");
        let tokio = tokio::runtime::Runtime::new().expect("Tokio");
        tokio.block_on(async {
            let roots = Roots::Pem(files.root.path().into());
            let tls = tls::ConnectorOptions { roots, ..tls::ConnectorOptions::default() };
            let tls = Some(tls.build().expect("a connector"));
            let options = |tls| ConnectOptions {
                ws: WsOptions { tls, ..WsOptions::default() },
                ..ConnectOptions::default()
            };
            let client = connect(page.clone(), options(tls)).await.expect("a page");
            let state = client.changed().await.expect("a state");
            assert!(state.get(&"/server/name".parse().expect("a pointer")).is_some());
            assert!(connect(page, options(None)).await.is_err(), "without TLS");
        });
    }

    fn clients_must_have_certificates(runtime) {
        let files = Files::new();
        let (cert, key, root) = (path(&files.server), path(&files.key), path(&files.root));
        let ask = format!("--tls-cert {cert} --tls-key {key} --tls-ca {root}");
        let server = Server::start(runtime, &ask);
        let connect = format!("--runtime {runtime} --connect {} --tls-ca {root}", server.address);
        hat(&format!("status {connect} --tls-cert {}", path(&files.client))).json();
        let ended = hat(&format!("status {connect}"));
        assert!(ended.failed(8).contains("it requires a client certificate"));
        let ended = hat(&format!("status {connect} --tls-cert {}", path(&files.stranger)));
        assert!(ended.failed(8).contains("the peer does not trust the issuer of this side's certificate"));
    }

    fn what_does_not_verify_has_a_code_of_its_own(runtime) {
        let files = Files::new();
        let server = Server::start(runtime, &format!("--tls-cert {}", path(&files.stranger)));
        let connect = format!("--runtime {runtime} --connect {}", server.address);
        let ended = hat(&format!("status {connect} --tls-ca {}", path(&files.root)));
        let text = format!("error: cannot establish TLS with {}: the peer's certificate was not issued by a trusted authority", server.address);
        assert!(ended.failed(8).starts_with(&text), "{ended:?}");
        // plain at a server of TLS
        let ended = hat(&format!("status {connect}"));
        assert!([5, 6].contains(&ended.code.unwrap_or_default()), "{ended:?}");
        // TLS at a plain server
        let plain = Server::start(runtime, "");
        let connect = format!("--runtime {runtime} --connect {} --tls-ca {}", plain.address, path(&files.root));
        hat(&format!("status {connect}")).failed(8);
    }

    fn files_that_do_not_fit(runtime) {
        let files = Files::new();
        let address = unused_addr();
        let (cert, client) = (path(&files.server), path(&files.client));
        for (args, part) in [
            (format!("serve --tls-cert {cert}"), "holds no private key"),
            (format!("serve --tls-cert {cert} --tls-key {client}"), "not the key of the certificate"),
            ("serve --tls-cert /no/such/file".into(), "cannot read /no/such/file: "),
            (format!("serve --tls-key {client}"), "--tls-cert <FILE>"),
            (format!("serve --tls-ca {client}"), "a TLS server needs --tls-cert"),
            (format!("serve --listen ssl+sbs://{address}"), "a TLS server needs --tls-cert"),
            (format!("status --connect {address} --tls-ca /no/such/file"), "cannot read /no/such/file: "),
        ] {
            let ended = hat(&format!("{args} --runtime {runtime}"));
            assert!(ended.failed(2).contains(part), "{args}: {ended:?}");
        }
    }

    fn cotp_through_tls(runtime) {
        let files = Files::new();
        let (cert, key, root) = (path(&files.server), path(&files.key), path(&files.root));
        let args = format!("cotp echo --listen 127.0.0.1:0 --tls-cert {cert} --tls-key {key}");
        let echo = Hat::start(&format!("--runtime {runtime} {args}"));
        let line = echo.error_line();
        let address = line.strip_prefix("listening on ").expect("the address");
        let ended = hat(&format!("--runtime {runtime} cotp probe {address} --tls-ca {root}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        hat(&format!("--runtime {runtime} cotp probe {address} --tls-ca {}", path(&files.stranger))).failed(8);
    }

    /// In TLS 1.3 a server refuses when the client thinks all is done.
    fn a_client_certificate_that_is_refused(runtime) {
        let files = Files::new();
        let (cert, key, root) = (path(&files.server), path(&files.key), path(&files.root));
        let stranger = path(&files.stranger);
        for (serve, clients) in [
            ("cotp echo", &["cotp probe ADDRESS", "cotp send ADDRESS 00"][..]),
            ("juggler serve", &["juggler watch ADDRESS", "juggler call ADDRESS x"]),
            ("chatter listen", &["chatter send ADDRESS A.B"]),
        ] {
            let ask = format!("--tls-cert {cert} --tls-key {key} --tls-ca {root}");
            let server = Hat::start(&format!("{serve} --listen 127.0.0.1:0 {ask} --runtime {runtime}"));
            let line = server.error_line();
            let address = line.strip_prefix("listening on ").expect("the address");
            for client in clients {
                let client = client.replace("ADDRESS", address);
                for (with, part) in [
                    (String::new(), "it requires a client certificate"),
                    (format!("--tls-cert {stranger}"), "does not trust the issuer of this side's certificate"),
                ] {
                    let ended = hat(&format!("{client} --tls-ca {root} {with} --runtime {runtime}"));
                    let line = ended.failed(8);
                    assert!(line.starts_with(&format!("error: cannot establish TLS with {address}: ")), "{client}: {line}");
                    assert!(line.contains(part), "{client}: {line}");
                }
            }
        }
    }

    fn a_deployed_client(runtime) {
        if peers::skipped("a_deployed_client") {
            return;
        }
        let files = Files::new();
        let (cert, key) = (path(&files.server), path(&files.key));
        let server = Server::start(runtime, &format!("--tls-cert {cert} --tls-key {key}"));
        let peer = Peer::today();
        let addr = server.address.parse().map(peers::to_addr).expect("an address");
        let tls = json!({"cert": null, "verify": false});
        let params = json!({"addr": addr, "client_name": "deployed", "tls": tls});
        assert_eq!(peer.expect("eventer.connect", params)["status"], "operational");
    }
}
