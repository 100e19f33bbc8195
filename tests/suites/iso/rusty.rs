//! COTP of `rusty-cotp`, in both directions. It runs on Tokio only.

use std::collections::VecDeque;

use hat_aio::cotp::{ConnectError, Connection};
use hat_core::cotp::{self, Config, Diagnostic, Selector, TpduSize};
use hat_tests::peers;
use hat_tests::runtimes::TestRuntime;
use hat_tokio::Tokio;
use rusty_cotp::{
    CotpConnection, CotpConnectionParameters, CotpProtocolInformation, CotpReader, CotpResponder,
    CotpWriter, RustyCotpConnection, RustyCotpResponder,
};
use rusty_tpkt::{TcpTpktConnection, TcpTpktReader, TcpTpktServer, TcpTpktWriter};

use crate::{client, octets, server};

type Initiator = RustyCotpConnection<TcpTpktReader, TcpTpktWriter>;
type Responder = RustyCotpResponder<TcpTpktReader, TcpTpktWriter>;

/// From one TPDU to what it takes at most, which is a mebibyte by its default.
const LENGTHS: [usize; 6] = [64, 2045, 2046, 65_536, 300_000, 1 << 20];

const OURS: &[u8] = &[1, 2, 3];
const THEIRS: &[u8] = b"RUSTY";

fn config() -> Config {
    Config {
        local_selector: Some(OURS.into()),
        remote_selector: Some(THEIRS.into()),
        ..Config::default()
    }
}

/// Messages in both directions, and our end.
async fn talk(ours: Connection, theirs: impl CotpConnection, lengths: &[usize]) {
    let (mut reader, mut writer) = theirs.split().await.expect("both halves");
    for &len in lengths {
        let message = octets(len);
        let (sent, received) = tokio::join!(ours.send(message.clone()), reader.recv());
        sent.expect("sent");
        assert!(received.expect("open").expect("a message") == message, "{len} to them");

        let mut queue = VecDeque::from([message.clone()]);
        let (sent, received) = tokio::join!(writer.send(&mut queue), ours.receive());
        sent.expect("sent");
        assert!(received.expect("a message") == message, "{len} to us");
    }
    assert_eq!(ours.diagnostics(), Vec::<Diagnostic>::new());
    ours.close().await;
    assert!(reader.recv().await.expect("no error").is_none(), "a clean end");
}

#[test]
fn we_connect() {
    Tokio::run(async {
        let address = peers::unused_addr();
        let server = TcpTpktServer::listen(address).await.expect("listens");
        let accept = async {
            let tpkt = server.accept().await.expect("a connection");
            let parameters = CotpConnectionParameters::default();
            let (responder, asked) = Responder::new(tpkt, parameters).await.expect("our CR");
            assert_eq!(asked.calling_tsap_id(), Some(&OURS.to_vec()));
            assert_eq!(asked.called_tsap_id(), Some(&THEIRS.to_vec()));
            let accepted = responder.accept(asked.responder()).await;
            accepted.expect("accepted")
        };
        let (ours, theirs) = tokio::join!(client::<Tokio>(address, config()), accept);
        let ours = ours.expect("confirmed");
        assert_eq!(ours.info().remote_selector, Some(Selector::from(THEIRS)));
        assert_eq!(ours.info().tpdu_size.octets(), 2048);
        talk(ours, theirs, &LENGTHS).await;
    });
}

fn offering(octets: Option<u16>) -> Config {
    Config { offered_size: octets.and_then(TpduSize::new), ..config() }
}

#[test]
fn sizes_that_we_offer() {
    Tokio::run(async {
        for (offered, agreed) in [(Some(128), 128), (Some(1024), 1024), (None, 128)] {
            let address = peers::unused_addr();
            let server = TcpTpktServer::listen(address).await.expect("listens");
            let accept = async {
                let tpkt = server.accept().await.expect("a connection");
                let parameters = CotpConnectionParameters::default();
                let (responder, asked) = Responder::new(tpkt, parameters).await.expect("our CR");
                let accepted = responder.accept(asked.responder()).await;
                accepted.expect("accepted")
            };
            let (ours, theirs) = tokio::join!(client::<Tokio>(address, offering(offered)), accept);
            let ours = ours.expect("confirmed");
            assert_eq!(ours.info().tpdu_size.octets(), agreed);
            talk(ours, theirs, &[125, 126, 65_536]).await;
        }
    });
}

/// It closes where it is offered more than the standard has in class 0, instead of confirming less.
#[test]
fn sizes_that_it_refuses() {
    Tokio::run(async {
        for offered in [4096, 8192, 16_384, 65_531] {
            let address = peers::unused_addr();
            let server = TcpTpktServer::listen(address).await.expect("listens");
            let accept = async {
                let tpkt = server.accept().await.expect("a connection");
                Responder::new(tpkt, CotpConnectionParameters::default()).await.map(|_| ())
            };
            let (ours, theirs) =
                tokio::join!(client::<Tokio>(address, offering(Some(offered))), accept);
            theirs.expect_err("refused");
            let refused = ours.map(|_| ()).expect_err("closed");
            let ConnectError::Ended(end) = refused else { panic!("{refused:?}") };
            assert_eq!(end.protocol(), Some(&cotp::Error::ClosedDuringHandshake), "{offered}");
        }
    });
}

#[test]
fn they_connect() {
    Tokio::run(async {
        let server = server::<Tokio>(config()).await;
        let connect = async {
            let tpkt = TcpTpktConnection::connect(server.addresses()[0]).await.expect("connected");
            let asked =
                CotpProtocolInformation::initiator(Some(THEIRS.to_vec()), Some(OURS.to_vec()));
            Initiator::initiate(tpkt, asked, CotpConnectionParameters::default()).await
        };
        let (theirs, ours) = tokio::join!(connect, server.accept());
        let ours = ours.expect("a connection");
        assert_eq!(ours.info().remote_selector, Some(Selector::from(THEIRS)));
        assert_eq!(ours.info().local_selector, Some(Selector::from(OURS)));
        talk(ours, theirs.expect("confirmed"), &LENGTHS).await;
    });
}

#[test]
fn they_end() {
    Tokio::run(async {
        let server = server::<Tokio>(Config::default()).await;
        let tpkt = TcpTpktConnection::connect(server.addresses()[0]).await.expect("connected");
        let asked = CotpProtocolInformation::initiator(None, None);
        let parameters = CotpConnectionParameters::default();
        let theirs = Initiator::initiate(tpkt, asked, parameters).await.expect("confirmed");
        let ours = server.accept().await.expect("a connection");
        assert_eq!(ours.info().remote_selector, None);
        drop(theirs);
        let end = ours.receive().await.expect_err("the end");
        assert!(matches!(end.protocol(), Some(cotp::Error::Closed)), "{end:?}");
    });
}

#[test]
fn what_we_refuse() {
    Tokio::run(async {
        let server = server::<Tokio>(config()).await;
        let tpkt = TcpTpktConnection::connect(server.addresses()[0]).await.expect("connected");
        let asked = CotpProtocolInformation::initiator(Some(THEIRS.to_vec()), Some(vec![9]));
        let parameters = CotpConnectionParameters::default();
        let refused = Initiator::initiate(tpkt, asked, parameters).await;
        assert!(refused.is_err(), "no selector of ours");
    });
}
