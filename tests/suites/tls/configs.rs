//! Configurations of rustls that an application has made itself.

use std::sync::Arc;

use hat_aio::tls::rustls::crypto::ring;
use hat_aio::tls::rustls::pki_types::pem::PemObject;
use hat_aio::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use hat_aio::tls::rustls::version::TLS12;
use hat_aio::tls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use hat_aio::tls::{Acceptor, Connector, Error};
use hat_tests::on_every_runtime;

use super::{AUTHORITY, SERVER, acceptor, client, connector, refusal, server, works};

/// TLS 1.2 alone, which the options here have no word for.
fn client_config() -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(AUTHORITY.pem().as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .expect("ring has it")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn server_config() -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(SERVER.certificate.as_bytes());
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(SERVER.key.as_bytes()).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .expect("ring has it")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate with its key")
}

on_every_runtime! {
    async fn both_ends_take_a_configuration_of_ones_own<R>() {
        let own = Arc::new(client_config());
        for acceptor in [acceptor(), Some(Acceptor::from_config(server_config()))] {
            let server = server::<R>(acceptor).await;
            for connector in [connector(), Some(Connector::from_config(own.clone()))] {
                let client = client::<R>(&server, connector).await.expect("connected");
                let accepted = server.accept().await.expect("the other end");
                works(&client, &accepted).await;
            }
        }
    }

    async fn the_name_may_be_another_one_than_the_address_s<R>() {
        let server = server::<R>(acceptor()).await;
        let named = |name: &str| Some(Connector::from_config(client_config()).with_server_name(name));
        let client_of = |name| client::<R>(&server, named(name));
        let client = client_of("127.0.0.1").await.expect("the certificate has that name too");
        works(&client, &server.accept().await.expect("the other end")).await;
        let refused = refusal(client_of("elsewhere.example").await);
        assert!(!matches!(refused, Error::ServerName { .. }), "{refused}");
        assert!(matches!(refusal(client_of("no name").await), Error::ServerName { .. }));
    }
}
