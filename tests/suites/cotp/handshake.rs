//! Two ends that connect: sizes, selectors, refusals, expedited data, connect data, RDP, deadlines.

use std::time::Duration;

use bytes::Bytes;
use hat_core::cotp::{
    Answer, AnswerError, Config, ConfigError, Connection, Diagnostic, Error, Incoming, Policy,
    Reason, Response, Selector, SendFault, TpduSize, Violation,
};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;

use super::{accept, alone, connect, connected, digits, feed, info, octets, pair_of, strict};

fn size(octets: u16) -> TpduSize {
    TpduSize::new(octets).expect("a size")
}

#[test]
fn a_handshake_in_octets() {
    let (mut caller, mut called) = (Config::default(), Config::default());
    caller.local_selector = Some(Selector::from(1));
    caller.remote_selector = Some(Selector::from("S7"));
    called.source_reference = 2;
    for grain in GRAINS {
        let mut pair = pair_of(caller.clone(), called.clone(), grain);
        pair.drive();
        let (a, b) = (info(pair.a.take()), info(pair.b.take()));
        assert_eq!((a.local_selector, a.remote_selector), (Some(1.into()), Some("S7".into())));
        assert_eq!((b.local_selector, b.remote_selector), (Some("S7".into()), Some(1.into())));
        assert_eq!((a.local_reference, a.remote_reference), (1, 2));
        assert_eq!((b.local_reference, b.remote_reference), (2, 1));
        assert_eq!((a.tpdu_size, b.tpdu_size), (size(2048), size(2048)));
    }
}

#[test]
fn every_size_against_every_size() {
    let sizes = [128, 129, 1000, 2048, 3000, 4096, 65407, 65408, 65530, 65531].map(size);
    for preferred_size in [false, true] {
        for offered in sizes {
            for accepted_size in sizes {
                let caller =
                    Config { offered_size: Some(offered), preferred_size, ..Config::default() };
                let called = Config { accepted_size, preferred_size, ..Config::default() };
                let pair = connected(caller, called, usize::MAX);
                let agreed = pair.a.machine.info().expect("connected").tpdu_size;
                assert_eq!(pair.b.machine.info().expect("connected").tpdu_size, agreed);
                let least = offered.min(accepted_size);
                assert!(agreed <= least);
                if preferred_size {
                    assert_eq!(agreed, size(least.units() * 128));
                } else {
                    assert_eq!(agreed.code(), least.code());
                }
            }
        }
    }
}

#[test]
fn a_request_without_a_size() {
    let caller = Config { offered_size: None, ..Config::default() };
    let mut pair = pair_of(caller, Config::default(), usize::MAX);
    assert_eq!(digits(bytes::Buf::chunk(pair.a.machine.tx())), "0300000b06e00000000100");
    pair.drive();
    assert_eq!(info(pair.a.take()).tpdu_size, size(2048));

    // and without one in the answer: what every peer takes
    let mut alone = alone(connect(Config { offered_size: None, ..Config::default() }));
    feed(&mut alone.a, &octets("0300000b 06d0 0001 0002 00"), usize::MAX);
    let unconfirmed = Diagnostic::SizeNotConfirmed { assumed: TpduSize::MIN };
    assert_eq!(alone.a.take(), Incoming::Diagnostic(unconfirmed));
    assert_eq!(info(alone.a.take()).tpdu_size, TpduSize::MIN);
}

#[test]
fn the_least_of_two_sizes_in_an_answer() {
    let caller =
        Config { offered_size: Some(size(8192)), preferred_size: true, ..Config::default() };
    let mut pair = alone(connect(caller));
    feed(&mut pair.a, &octets("03000011 0cd0 0001 0002 00 c0010b f0010a"), usize::MAX);
    assert_eq!(info(pair.a.take()).tpdu_size, size(1280));
}

#[test]
fn the_called_selector_is_enforced() {
    let called = Config { local_selector: Some(Selector::from(1)), ..Config::default() };
    let wrong =
        [None, Some(Selector::default()), Some(Selector::from(2)), Some(Selector::from(&[1][..]))];
    for answer in [Answer::Automatic, Answer::Manual] {
        for remote_selector in wrong.clone() {
            let caller = Config { remote_selector, ..Config::default() };
            let mut pair = pair_of(caller, Config { answer, ..called.clone() }, 1);
            pair.drive();
            let reason = Reason::AddressUnknown;
            assert_eq!(pair.a.error, Some(Error::Refused { reason, information: None }));
            assert_eq!(pair.b.error, Some(Error::RequestRefused { reason }));
        }
    }
    let caller = Config { remote_selector: Some(Selector::from(1)), ..Config::default() };
    connected(caller.clone(), called, 1);
    let called = Config { remote_selector: Some(Selector::from(9)), ..Config::default() };
    let mut pair = pair_of(caller, called, 1);
    pair.drive();
    assert!(matches!(pair.a.error, Some(Error::Refused { .. })), "the calling one too");
}

#[test]
fn absent_and_empty_selectors_differ() {
    for local_selector in [None, Some(Selector::default())] {
        let caller = Config { local_selector: local_selector.clone(), ..Config::default() };
        let mut pair = pair_of(caller, Config::default(), 2);
        pair.drive();
        assert_eq!(info(pair.b.take()).remote_selector, local_selector);
    }
}

#[test]
fn a_refusal_by_the_application() {
    let manual = Config { answer: Answer::Manual, ..Config::default() };
    for reason in (0..=3).map(Reason::from) {
        let mut pair = pair_of(Config::default(), manual.clone(), 3);
        pair.drive();
        let Incoming::Connect(request) = pair.b.take() else { panic!("no request") };
        assert_eq!((request.size, request.class), (Some(size(2048)), 0));
        let information = Some(Bytes::from_static(b"busy"));
        pair.b.machine.refuse(reason, information.clone()).expect("refused");
        pair.drive();
        assert_eq!(pair.a.error, Some(Error::Refused { reason, information }));
    }

    let mut pair = pair_of(Config::default(), manual, 3);
    pair.drive();
    // the caller's mistake, and the request still waits
    for reason in (4..=255).map(Reason::from) {
        let refused = pair.b.machine.refuse(reason, None);
        assert_eq!(refused, Err(AnswerError::Reason(reason)), "not a reason of class 0");
    }
    let long = pair.b.machine.refuse(Reason::Congestion, Some(vec![0; 247].into()));
    assert!(matches!(long, Err(AnswerError::Config(ConfigError::TooLong(_)))));
    pair.b.machine.refuse(Reason::Congestion, Some(vec![0; 246].into())).expect("it still waits");
}

#[test]
fn expedited_data_where_both_want_it() {
    let on = Config { expedited: true, ..Config::default() };
    for grain in GRAINS {
        let mut pair = connected(on.clone(), on.clone(), grain);
        pair.a.machine.send_expedited("urgent".into()).expect("sent");
        pair.drive();
        assert_eq!(pair.b.take(), Incoming::Expedited("urgent".into()));
        for octets in [0, 17] {
            let refused = pair.a.machine.send_expedited(vec![0; octets].into());
            let fault = refused.expect_err("refused").fault;
            assert_eq!(fault, SendFault::ExpeditedLength { octets });
        }
        pair.a.feed(&super::octets("03000007 021080"), Instant::ORIGIN);
        let violation = Violation::ExpeditedLength { octets: 0 };
        assert_eq!(pair.a.error, Some(Error::Protocol(violation)));
    }
    for (caller, called) in [(on.clone(), Config::default()), (Config::default(), on)] {
        let mut pair = connected(caller, called, 1);
        let refused = pair.a.machine.send_expedited("x".into()).expect_err("not agreed");
        assert_eq!((refused.fault, refused.data), (SendFault::NoExpedited, "x".into()));
    }
}

#[test]
fn connect_data_both_ways() {
    let caller = Config { connect_data: "from the caller".into(), ..Config::default() };
    let called = Config { answer: Answer::Manual, ..Config::default() };
    for grain in GRAINS {
        let mut pair = pair_of(caller.clone(), called.clone(), grain);
        pair.drive();
        let Incoming::Connect(request) = pair.b.take() else { panic!("no request") };
        assert_eq!(request.data, "from the caller");
        let max_size = Some(size(512));
        let response =
            Response { connect_data: "and back".into(), max_size, ..Response::default() };
        let agreed = pair.b.machine.confirm(&response).expect("confirmed");
        assert_eq!(agreed.tpdu_size, size(512));
        pair.drive();
        let info = info(pair.a.take());
        assert_eq!((info.connect_data, info.tpdu_size), ("and back".into(), size(512)));
    }
}

#[test]
fn a_raw_variable_part_as_of_rdp() {
    let cookie = Bytes::from_static(b"Cookie: mstshash=user\r\n\x01\x00\x08\x00\x03\x00\x00\x00");
    let raw = |part: &Bytes| Config {
        raw_variable_part: Some(part.clone()),
        source_reference: 0,
        ..Config::default()
    };
    for policy in [Policy::Interop, Policy::Strict] {
        for grain in GRAINS {
            let caller = Config { policy, ..raw(&cookie) };
            let called = Config { policy, answer: Answer::Manual, ..raw(&Bytes::new()) };
            let mut pair = pair_of(caller, called, grain);
            pair.drive();
            let Incoming::Connect(request) = pair.b.take() else { panic!("no request") };
            assert_eq!((&request.variable, request.reference), (&cookie, 0));
            let answer = Bytes::from_static(&[2, 1, 8, 0, 1, 0, 0, 0]);
            let response = Response { variable_part: Some(answer.clone()), ..Response::default() };
            pair.b.machine.confirm(&response).expect("confirmed");
            pair.drive();
            let info = info(pair.a.take());
            assert_eq!((info.variable, info.remote_reference), (answer, 0));
            assert_eq!(info.tpdu_size, TpduSize::MAX);
        }
    }
}

/// No size is confirmed in raw mode, so a called side cannot hold its peer to one.
#[test]
fn no_size_is_agreed_on_in_raw_mode() {
    let raw = |config| Config { raw_variable_part: Some("Cookie: x".into()), ..config };
    let called = raw(Config { accepted_size: size(128), ..strict() });
    let mut pair = pair_of(raw(Config::default()), called, 1000);
    pair.drive();
    for side in [&mut pair.a, &mut pair.b] {
        assert_eq!(info(side.take()).tpdu_size, TpduSize::MAX);
    }
    pair.a.machine.send(vec![7; 60_000].into()).expect("room");
    pair.drive();
    assert_eq!(crate::data(pair.b.take()).len(), 60_000);
}

#[test]
fn the_handshake_has_a_deadline() {
    let ten = Duration::from_secs(10);
    for machine in [connect(Config::default()), accept(Config::default())] {
        let mut pair = alone(machine);
        assert_eq!(pair.a.machine.deadline(), Some(Instant::ORIGIN + ten));
        pair.b.stalled = true;
        feed(&mut pair.a, &octets("0300 0016 11"), 1);
        pair.wait(ten - Duration::from_millis(1));
        assert_eq!(pair.a.error, None);
        pair.wait(Duration::from_millis(1));
        assert_eq!(pair.a.error, Some(Error::HandshakeTimeout));
    }
    let pair = connected(Config::default(), Config::default(), 1);
    assert_eq!((pair.a.machine.deadline(), pair.b.machine.deadline()), (None, None));

    // while the application decides there is none
    let called = Config { answer: Answer::Manual, ..Config::default() };
    let mut pair = pair_of(Config::default(), called, 1);
    pair.wait(Duration::from_secs(9));
    assert_eq!(pair.b.machine.deadline(), None);
}

#[test]
fn configurations_that_do_not_fit() {
    let long = |len| Some(Selector::new(vec![1; len]));
    let make = |config| Connection::connect(config, Instant::ORIGIN).map(|_| ());
    let fits = Config { remote_selector: long(243), ..Config::default() };
    assert_eq!(make(fits.clone()), Ok(()));
    let over = Config { remote_selector: long(244), ..Config::default() };
    assert!(matches!(make(over), Err(ConfigError::TooLong(_))));
    let data = Config { connect_data: vec![0; 33].into(), ..Config::default() };
    assert_eq!(make(data), Err(ConfigError::ConnectData { octets: 33 }));
    let zero = Config { source_reference: 0, ..Config::default() };
    assert_eq!(make(zero), Err(ConfigError::ZeroReference));

    // a CR over 128 octets is against RFC 905, and not every CC has room for its echo
    let mut pair = pair_of(fits.clone(), Config::default(), 7);
    pair.drive();
    let long = Diagnostic::LongRequest { octets: 255 };
    assert_eq!(pair.b.take(), Incoming::Diagnostic(long.clone()));
    info(pair.a.take());
    let unsized_ = Config { offered_size: None, remote_selector: fits.remote_selector, ..fits };
    connected(unsized_.clone(), Config::default(), 7);
    let tight = Config { local_selector: Some(Selector::default()), ..unsized_ };
    let pair = connected(tight, Config::default(), 7);
    assert_eq!(pair.a.machine.info().expect("connected").tpdu_size, size(2048));
    let mut pair = pair_of(Config { offered_size: None, ..Config::default() }, strict(), 7);
    pair.drive();
    info(pair.a.take());
}
