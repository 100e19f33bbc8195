//! Certificates of clients: not asked for, taken where there are any, required.

use hat_aio::chatter::Connection;
use hat_aio::tls::{self, AcceptorOptions, ClientCertificates, ConnectorOptions, Error};
use hat_aio::{ConnectError, SocketOptions, chatter};
use hat_tests::certificates::{Authority, IssuedCertificate, date_time_ymd};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::{TestRuntime, within};
use std::time::Duration;

use super::{
    AUTHORITY, SERVER, accepting, client, client_options, connecting, identity, roots, server,
    server_options, works,
};

fn asking(client_certificates: ClientCertificates) -> AcceptorOptions {
    AcceptorOptions { client_certificates, ..server_options(&SERVER) }
}

fn showing(issued: Option<&IssuedCertificate>) -> ConnectorOptions {
    ConnectorOptions { certificate: issued.map(identity), ..client_options() }
}

/// Why the server did not take `client`: it learns that in the handshake, or in TLS 1.3 with its
/// first read.
async fn refused(client: Result<Connection, ConnectError>) -> Error {
    match client {
        Err(ConnectError::Tls { error, .. }) => error,
        Err(error) => panic!("{error:?}"),
        Ok(client) => {
            let error: chatter::Error = client.receive().await.expect_err("refused");
            error.tls().unwrap_or_else(|| panic!("{error:?}")).clone()
        }
    }
}

async fn taken<R: TestRuntime>(options: &AcceptorOptions, client_options: &ConnectorOptions) {
    let server = server::<R>(accepting(options)).await;
    let client = client::<R>(&server, connecting(client_options)).await.expect("connected");
    works(&client, &server.accept().await.expect("the other end")).await;
}

on_every_runtime! {
    async fn who_is_taken<R>() {
        let known = AUTHORITY.issue(&[]);
        let stranger = Authority::new("Somebody").issue(&[]);
        let (none, optional) = (ClientCertificates::None, ClientCertificates::Optional(roots()));
        // not asked, it is not shown
        for shown in [None, Some(&known), Some(&stranger)] {
            taken::<R>(&asking(none.clone()), &showing(shown)).await;
        }
        for shown in [None, Some(&known)] {
            taken::<R>(&asking(optional.clone()), &showing(shown)).await;
        }
        taken::<R>(&asking(ClientCertificates::Required(roots())), &showing(Some(&known))).await;
    }

    async fn who_is_refused_and_learns_why<R>() {
        let required = server::<R>(accepting(&asking(ClientCertificates::Required(roots())))).await;
        let optional = server::<R>(accepting(&asking(ClientCertificates::Optional(roots())))).await;
        let stranger = Authority::new("Somebody").issue(&[]);
        let old = AUTHORITY.issue_with(&[], |it| it.not_after = date_time_ymd(2001, 1, 1));
        let cases = [
            (&required, None, 116),
            (&required, Some(&stranger), 48),
            (&optional, Some(&stranger), 48),
            (&required, Some(&old), 45),
        ];
        for (server, shown, expected) in cases {
            let error = refused(client::<R>(server, connecting(&showing(shown))).await).await;
            assert!(matches!(error, Error::Alert { code } if code == expected), "{error:?}");
            let accepted = within::<R, _>(Duration::from_millis(20), server.accept()).await;
            assert!(accepted.is_none(), "nobody to accept");
        }
        let error = refused(client::<R>(&required, connecting(&showing(None))).await).await;
        let text = "the peer ended TLS with alert 116: it requires a client certificate: ";
        assert!(error.to_string().starts_with(text), "{error}");
    }

    /// The server's certificates are there for whoever rides on the stream.
    async fn the_peers_certificate_is_told<R>() {
        let acceptor = server_options(&SERVER).build().expect("a certificate");
        let listener = R::bind(crate::local()).await.expect("a free port");
        let address = R::local_addr(&listener).expect("bound");
        R::spawn(async move {
            let (stream, _) = R::accept(&listener, &SocketOptions::default()).await.expect("a client");
            let mut stream = acceptor.accept::<R, _>(stream).await.expect("a client of TLS");
            let shown = stream.peer_certificates().count();
            assert_eq!(shown, 0);
            // kept until the other end is done
            let mut bytes = bytes::BytesMut::new();
            let read = |cx: &mut std::task::Context<'_>| {
                hat_aio::runtime::Stream::poll_read(&mut stream, cx, &mut bytes, 1)
            };
            let _ = std::future::poll_fn(read).await;
        });
        let connector: tls::Connector = client_options().build().expect("roots");
        let stream = R::connect(address, &SocketOptions::default()).await.expect("connected");
        let stream = connector.connect::<R, _>(stream, "localhost").await.expect("trusted");
        let shown: Vec<&[u8]> = stream.peer_certificates().collect();
        assert!(shown.len() == 1 && shown[0].starts_with(b"\x30\x82"), "DER of a certificate");
        assert_eq!(stream.alpn(), None);
    }
}
