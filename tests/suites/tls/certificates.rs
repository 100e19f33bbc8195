//! What a client makes of a server's certificate: which check failed is told, with what to do about
//! it.

use hat_aio::tls::{ConnectorOptions, Error};
use hat_tests::certificates::{
    Authority, ExtendedKeyUsagePurpose, IssuedCertificate, date_time_ymd,
};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;

use super::{
    AUTHORITY, SERVER, accepting, client, client_options, connecting, refusal, server,
    server_options, text, works,
};

const HERE: [&str; 2] = ["localhost", "127.0.0.1"];

/// Why `options` refuse a server with that certificate. Any certificate is taken where that is
/// asked for.
async fn refused<R: TestRuntime>(issued: &IssuedCertificate, options: ConnectorOptions) -> Error {
    let server = server::<R>(accepting(&server_options(issued))).await;
    let error = refusal(client::<R>(&server, connecting(&options)).await);

    let dangerous = ConnectorOptions { dangerous_accept_any_certificate: true, ..options };
    let client = client::<R>(&server, connecting(&dangerous)).await.expect("whatever it shows");
    // the first connection never came to be
    let accepted = server.accept().await.expect("the second");
    works(&client, &accepted).await;
    error
}

on_every_runtime! {
    async fn expired<R>() {
        let issued = AUTHORITY.issue_with(&HERE, |it| it.not_after = date_time_ymd(2001, 9, 9));
        let error = refused::<R>(&issued, client_options()).await;
        assert!(matches!(error, Error::Expired { not_after: 1_000_000_000..1_000_080_000, .. } | Error::Expired { not_after: 999_993_600, .. }), "{error:?}");
        assert!(error.to_string().starts_with("the peer's certificate expired on 2001-09-09T"), "{error}");
    }

    async fn not_valid_yet<R>() {
        let issued = AUTHORITY.issue_with(&HERE, |it| it.not_before = date_time_ymd(2999, 1, 1));
        let error = refused::<R>(&issued, client_options()).await;
        assert!(matches!(error, Error::NotYetValid { .. }), "{error:?}");
        let text = "the peer's certificate is not valid before 2999-01-01T";
        assert!(error.to_string().starts_with(text), "{error}");
    }

    async fn of_somebody_else<R>() {
        let issued = AUTHORITY.issue(&["a.plant", "b.plant", "10.0.0.1"]);
        let error = refused::<R>(&issued, client_options()).await;
        let text = "the peer's certificate is not for `localhost`, but for a.plant, b.plant, 10.0.0.1: ";
        assert!(error.to_string().starts_with(text), "{error}");

        // a name of it given, it is right
        let server = server::<R>(accepting(&server_options(&issued))).await;
        for (name, taken) in [("b.plant", true), ("10.0.0.1", true), ("c.plant", false)] {
            let server_name = Some(name.to_owned());
            let options = ConnectorOptions { server_name, ..client_options() };
            let client = client::<R>(&server, connecting(&options)).await;
            assert_eq!(client.is_ok(), taken, "{name}");
        }
    }

    async fn by_address<R>() {
        let server = server::<R>(accepting(&server_options(&SERVER))).await;
        let options = crate::with(crate::connector());
        hat_aio::chatter::connect::<R>(server.addresses()[0], options).await.expect("127.0.0.1 is in it");
        let only_named = crate::server::<R>(accepting(&server_options(&AUTHORITY.issue(&["localhost"])))).await;
        let options = crate::with(crate::connector());
        let error = refusal(hat_aio::chatter::connect::<R>(only_named.addresses()[0], options).await);
        let text = "the peer's certificate is not for `127.0.0.1`, but for localhost: ";
        assert!(error.to_string().starts_with(text), "{error}");
    }

    async fn of_an_unknown_issuer<R>() {
        let issued = Authority::new("Somebody").issue(&HERE);
        let error = refused::<R>(&issued, client_options()).await;
        assert!(matches!(error, Error::UnknownIssuer), "{error:?}");
    }

    async fn of_an_issuer_with_a_new_key<R>() {
        let issued = Authority::new("The plant").issue(&HERE);
        let error = refused::<R>(&issued, client_options()).await;
        let text = "the peer's certificate is refused: the trusted root with the name of its issuer \
                    has a different key: ";
        assert!(error.to_string().starts_with(text), "{error}");
    }

    async fn self_signed<R>() {
        let issued = IssuedCertificate::by_itself(&HERE, false);
        let error = refused::<R>(&issued, client_options()).await;
        assert!(matches!(error, Error::UnknownIssuer), "{error:?}");

        // given as root, it is trusted
        let roots = text(&issued.certificate).into();
        let trusting = ConnectorOptions { roots, ..ConnectorOptions::default() };
        let server = server::<R>(accepting(&server_options(&issued))).await;
        client::<R>(&server, connecting(&trusting)).await.expect("its own root");
    }

    /// As `openssl req -x509` makes them.
    async fn of_an_authority_as_its_own<R>() {
        let issued = IssuedCertificate::by_itself(&HERE, true);
        let roots = text(&issued.certificate).into();
        let error = refused::<R>(&issued, ConnectorOptions { roots, ..ConnectorOptions::default() }).await;
        assert!(matches!(error, Error::CaAsPeer), "{error:?}");
        assert!(error.to_string().contains("CA:FALSE"), "{error}");
    }

    async fn for_clients_only<R>() {
        let issued = AUTHORITY.issue_with(&HERE, |it| {
            it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let error = refused::<R>(&issued, client_options()).await;
        let text = "its extended key usage must allow server authentication";
        assert!(error.to_string().ends_with(text), "{error}");
    }
}
