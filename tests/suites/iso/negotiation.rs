//! What `hat-drivers` makes of sizes and selectors that it would not offer itself.

use hat_aio::cotp::ConnectError;
use hat_core::cotp::{Config, Diagnostic, Policy, Selector, TpduSize};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{ErrorKind, skipped};

use crate::drivers::{Theirs, listening};
use crate::{client, octets};

fn offering(octets: u16) -> Config {
    let offered_size = Some(TpduSize::new(octets).expect("a size"));
    Config { offered_size, ..Config::default() }
}

on_threaded_runtimes! {
    async fn sizes<R>() {
        if skipped("iso::negotiation::sizes") {
            return;
        }
        let none = Config { offered_size: None, ..Config::default() };
        let cases = [(none, 128), (offering(128), 128), (offering(1024), 1024), (offering(8192), 8192),
            (offering(32768), 32768)];
        for (config, agreed) in cases {
            let (their_server, address) = listening("cotp");
            let ours = client::<R>(address, config).await.expect("confirmed");
            let theirs = Theirs::accepted("cotp", their_server);
            assert_eq!(ours.info().tpdu_size.octets(), agreed);
            for len in [agreed - 3, agreed - 2, 100_000] {
                let message = octets(len);
                ours.send(message.clone()).await.expect("sent");
                assert!(theirs.receive() == Ok(message.clone()), "{len} to them, {agreed}");
                theirs.send(&message);
                assert!(ours.receive().await.expect("a message") == message, "{len} to us, {agreed}");
            }
            assert!(ours.diagnostics().is_empty());
        }
    }

    // It takes the code of 65531 octets for 65536, and no TPKT packet holds one of these.
    async fn the_largest_size_stops_their_long_messages<R>() {
        if skipped("iso::negotiation::the_largest_size_stops_their_long_messages") {
            return;
        }
        let (their_server, address) = listening("cotp");
        let ours = client::<R>(address, offering(65_531)).await.expect("confirmed");
        let theirs = Theirs::accepted("cotp", their_server);
        for len in [65_528, 65_529, 200_000] {
            ours.send(octets(len)).await.expect("sent");
            assert!(theirs.receive() == Ok(octets(len)), "{len} to them");
        }
        theirs.send(&octets(65_528));
        assert!(ours.receive().await.expect("a message") == octets(65_528));
        theirs.send(&octets(65_529));
        ours.receive().await.expect_err("the end");
        assert_eq!(theirs.receive(), Err(ErrorKind::Connection));
    }

    async fn a_preferred_size_is_confirmed_by_the_usual_one<R>() {
        if skipped("iso::negotiation::a_preferred_size_is_confirmed_by_the_usual_one") {
            return;
        }
        let (their_server, address) = listening("cotp");
        let config = Config { preferred_size: true, ..offering(4096) };
        let ours = client::<R>(address, config).await.expect("confirmed");
        let theirs = Theirs::accepted("cotp", their_server);
        assert_eq!(ours.info().tpdu_size.octets(), 4096);
        ours.send(octets(10_000)).await.expect("sent");
        assert!(theirs.receive() == Ok(octets(10_000)));
    }

    async fn selectors_that_are_no_two_octets<R>() {
        if skipped("iso::negotiation::selectors_that_are_no_two_octets") {
            return;
        }
        let config = |selector: &[u8]| Config {
            remote_selector: Some(selector.into()),
            ..Config::default()
        };
        // they are numbers to it, which it confirms in two octets
        let (their_server, address) = listening("cotp");
        for selector in [&[][..], &[3], &[0, 0, 0, 3]] {
            let ours = client::<R>(address, config(selector)).await.expect("confirmed");
            let theirs = Theirs::accepted("cotp", their_server);
            let number = Selector::from(selector).number();
            assert_eq!(theirs.info["local_tsel"].as_u64(), number);
            let got = Selector::from(number.expect("a number") as u16);
            let expected = Selector::from(selector);
            assert_eq!(ours.diagnostics(), [Diagnostic::SelectorDiffers { got, expected }]);
        }
        for selector in [&b"SIMATIC-ROOT-HMI"[..], &[1, 0, 0]] {
            let refused = client::<R>(address, config(selector)).await.map(|_| ());
            assert!(matches!(refused, Err(ConnectError::Ended(_))), "{refused:?}");
        }
    }

    async fn nothing_that_it_does_is_against_the_standard<R>() {
        if skipped("iso::negotiation::nothing_that_it_does_is_against_the_standard") {
            return;
        }
        let (their_server, address) = listening("cotp");
        let config = Config {
            policy: Policy::Strict,
            local_selector: Some(1.into()),
            remote_selector: Some(2.into()),
            ..Config::default()
        };
        let ours = client::<R>(address, config).await.expect("confirmed");
        let theirs = Theirs::accepted("cotp", their_server);
        theirs.send(&octets(50_000));
        assert!(ours.receive().await.expect("a message") == octets(50_000));
    }
}
