//! TLS 1.2 has no new keys: a side that has used its own up says so, and its peer learns that what
//! came was not all.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use hat_aio::tcp::{ConnectOptions, ListenOptions, connect, listen};
use hat_aio::tls;
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use super::{AUTHORITY, SERVER, acceptor, at, connector, local};

/// Records that our side may write.
const LIMIT: u64 = 100;

/// Bytes of a record, of which a batch has four.
const RECORD: usize = 16 * 1024;

/// More than fit.
const MUCH: usize = 200 * RECORD;

fn much() -> Bytes {
    (0..MUCH).map(|index| index as u8).collect()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A client that speaks this version only.
fn client(stream: TcpStream, version: &'static SupportedProtocolVersion) -> impl Read + Write {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(AUTHORITY.pem().as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), stream)
}

fn server_config(version: &'static SupportedProtocolVersion) -> ServerConfig {
    let chain = CertificateDer::from_pem_slice(SERVER.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(SERVER.key.as_bytes());
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_single_cert(vec![chain.expect("a certificate")], key.expect("a key"))
        .expect("a server")
}

/// A server that speaks this version only.
fn server(stream: TcpStream, version: &'static SupportedProtocolVersion) -> impl Read + Write {
    let tls = ServerConnection::new(Arc::new(server_config(version))).expect("a server");
    StreamOwned::new(tls, stream)
}

/// Reads to the end: what came, and how it ended.
fn read_all(mut peer: impl Read) -> (Vec<u8>, std::io::Result<usize>) {
    let mut all = Vec::new();
    let end = peer.read_to_end(&mut all);
    (all, end)
}

/// A part came, in records of so many bytes, and that it was not all is an error.
#[track_caller]
fn cut_after(record: usize, read: (Vec<u8>, std::io::Result<usize>)) {
    let (all, end) = read;
    assert_eq!(end.expect_err("no close_notify").kind(), ErrorKind::UnexpectedEof);
    let most = LIMIT as usize * record;
    assert!(all.len() > most / 2 && all.len() <= most, "{}", all.len());
    assert!(all == much()[..all.len()], "what came is what was written");
}

#[track_caller]
fn cut(read: (Vec<u8>, std::io::Result<usize>)) {
    cut_after(RECORD, read);
}

#[track_caller]
fn used_up<E: std::fmt::Debug>(end: hat_aio::Error<E>) {
    let used_up = matches!(end.tls(), Some(tls::Error::RecordsUsedUp { limit: LIMIT }));
    assert!(used_up, "{end:?}");
    let text = end.tls().expect("one of TLS").to_string();
    assert!(text.starts_with("this side has written 100 records"), "{text}");
}

/// What a client reads of a server that writes until its records are used up.
async fn read_of_server<R: TestRuntime>(
    tls: Option<tls::Acceptor>,
) -> (Vec<u8>, std::io::Result<usize>) {
    let ours = listen::<R>(local(), ListenOptions { tls, ..ListenOptions::default() }).await;
    let ours = ours.expect("listens");
    let address = ours.addresses()[0];
    let peer = thread::spawn(move || {
        let stream = TcpStream::connect(address).expect("connected");
        read_all(client(stream, &TLS12))
    });
    let accepted = ours.accept().await.expect("a connection");
    accepted.write(much()).await.expect("queued");
    used_up(accepted.closed().await);
    peer.join().expect("no panic")
}

on_every_runtime! {
    async fn a_server_that_has_used_up_its_keys<R>() {
        let tls = acceptor().map(|acceptor| acceptor.with_record_limit(LIMIT));
        cut(read_of_server::<R>(tls).await);
    }

    async fn a_client_that_has_used_up_its_keys<R>() {
        let listener = TcpListener::bind(local()).expect("listens");
        let address = listener.local_addr().expect("an address");
        let peer = thread::spawn(move || {
            read_all(server(listener.accept().expect("a connection").0, &TLS12))
        });
        let tls = connector().map(|connector| connector.with_record_limit(LIMIT));
        let ours = connect::<R>(at(address), ConnectOptions { tls, ..ConnectOptions::default() });
        let ours = ours.await.expect("connected");
        ours.write(much()).await.expect("queued");
        used_up(ours.closed().await);
        cut(peer.join().expect("no panic"));
    }

    /// Where a configuration has smaller ones, as many are less.
    async fn small_records_are_counted_as_what_they_are<R>() {
        const SMALL: usize = 1024;
        let mut config = server_config(&TLS12);
        // with their header
        config.max_fragment_size = Some(SMALL + 5);
        let tls = tls::Acceptor::from_config(config).with_record_limit(LIMIT);
        cut_after(SMALL, read_of_server::<R>(Some(tls)).await);
    }

    /// It changes its keys.
    async fn tls_1_3_has_no_such_limit<R>() {
        let tls = acceptor().map(|acceptor| acceptor.with_record_limit(LIMIT));
        let ours = listen::<R>(local(), ListenOptions { tls, ..ListenOptions::default() }).await;
        let ours = ours.expect("listens");
        let address = ours.addresses()[0];
        let peer = thread::spawn(move || {
            let stream = TcpStream::connect(address).expect("connected");
            read_all(client(stream, &TLS13))
        });
        let accepted = ours.accept().await.expect("a connection");
        accepted.write(much()).await.expect("queued");
        accepted.close().await;
        let (all, end) = peer.join().expect("no panic");
        assert_eq!(end.expect("an orderly end"), MUCH);
        assert!(all == much());
    }
}
