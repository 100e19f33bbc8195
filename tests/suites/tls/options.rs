//! Options that make no TLS: files, keys, addresses.

use hat_aio::chatter::{connect, listen};
use hat_aio::tls::{ConfigError, ConnectorOptions, Error, Identity, Roots};
use hat_aio::{Address, tls};
use hat_tests::certificates::PemFile;
use hat_tests::on_every_runtime;

use super::{
    AUTHORITY, SERVER, acceptor, client_options, connector, identity, listening, refusal,
    server_options, text, with,
};

#[track_caller]
fn wrong(identity: Identity) -> ConfigError {
    tls::AcceptorOptions::new(identity).build().expect_err("refused")
}

#[test]
fn the_key_is_apart_or_in_the_same_file() {
    let (both, chain) = (PemFile::new(&SERVER.pem()), PemFile::new(&SERVER.certificate));
    let key = PemFile::new(&SERVER.key);
    let apart = Identity::with_key(chain.path(), key.path());
    for identity in [Identity::new(both.path()), apart, identity(&SERVER)] {
        tls::AcceptorOptions::new(identity).build().expect("a certificate and its key");
    }
    let error = wrong(Identity::new(chain.path()));
    assert!(matches!(error, ConfigError::NoKey { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&chain.path().display().to_string()), "{error}");
    let error = wrong(Identity::new(key.path()));
    assert!(matches!(error, ConfigError::NoCertificate { .. }), "{error:?}");
}

#[test]
fn what_is_wrong_with_a_pem() {
    let error = wrong(Identity::new(std::path::Path::new("/no/such/file.pem")));
    assert!(error.to_string().starts_with("cannot read /no/such/file.pem: "), "{error}");

    let other = AUTHORITY.issue(&["localhost"]);
    let error = wrong(Identity::with_key(text(&SERVER.certificate), text(&other.key)));
    assert!(error.to_string().contains("it is not the key of the certificate in "), "{error}");

    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n\
               -----END RSA PRIVATE KEY-----\n";
    for key in [encrypted, old] {
        let error = wrong(Identity::with_key(text(&SERVER.certificate), text(key)));
        assert!(matches!(error, ConfigError::EncryptedKey { .. }), "{error:?}");
        assert!(error.to_string().contains("openssl pkey"), "{error}");
    }

    let damaged = SERVER.certificate.replace("-----END CERTIFICATE-----", "");
    let error = wrong(Identity::with_key(text(damaged), text(&SERVER.key)));
    assert!(matches!(error, ConfigError::Pem { .. }), "{error:?}");

    let roots = Roots::Pem(text(&SERVER.key));
    let error =
        ConnectorOptions { roots, ..ConnectorOptions::default() }.build().expect_err("no root");
    assert!(matches!(error, ConfigError::NoCertificate { .. }), "{error:?}");
    let roots = Roots::Pem(text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
    let error =
        ConnectorOptions { roots, ..ConnectorOptions::default() }.build().expect_err("no root");
    assert!(matches!(error, ConfigError::Root { .. }), "{error:?}");
}

#[test]
fn debug_shows_no_key() {
    let server = server_options(&SERVER);
    let client = ConnectorOptions { certificate: Some(identity(&SERVER)), ..client_options() };
    let shown = format!(
        "{server:?} {client:?} {:?} {:?} {:?}",
        server.build().expect("a certificate"),
        client.build().expect("roots"),
        listening(acceptor()),
    );
    let secret: Vec<&str> = SERVER.key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(!secret.is_empty() && secret.iter().all(|line| !shown.contains(line)), "{shown}");
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    assert!(shown.contains("the PEM text of "), "{shown}");
}

on_every_runtime! {
    async fn an_address_for_tls_needs_options<R>() {
        let address: Address = "ssl+sbs://127.0.0.1:0".parse().expect("an address");
        let error = refusal(connect::<R>(address.clone(), with(None)).await);
        assert!(matches!(error, Error::NoOptions), "{error:?}");
        let listens = listen::<R>(address.clone(), listening(None)).await;
        let error = listens.map(|_| ()).expect_err("refused");
        assert!(error.to_string().starts_with("cannot serve TLS at ssl+sbs://127.0.0.1:0: the address asks for TLS: "), "{error}");
        listen::<R>(address, listening(acceptor())).await.expect("listens");
    }

    async fn a_host_that_no_certificate_could_name<R>() {
        let error = refusal(connect::<R>(("no name", 1), with(connector())).await);
        assert!(matches!(&error, Error::ServerName { name } if name == "no name"), "{error:?}");
    }
}
