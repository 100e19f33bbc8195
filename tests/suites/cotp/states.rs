//! The state table of class 0 (RFC 905 annex A), row by row: each TPDU in each state.

use hat_core::cotp::{
    Answer, AnswerError, Config, Connection, Error, Incoming, Reason, Response, SendFault,
};
use hat_core::protocol::Protocol;
use hat_tests::pair::{GRAINS, Pair};

use super::{accept, alone, connect, digits, end, feed, octets, strict};

/// States, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// CLOSED: the server waits for a CR.
    AwaitRequest,
    /// WFCC: the client waits for a CC.
    AwaitConfirm,
    /// WFTRESP: the application decides.
    Deciding,
    Open,
    /// We closed, and what is queued is not written.
    Closing,
}
use State::*;

const CR: &str = "0300000e 09e0 0000 0007 00 c0010a";
const CC: &str = "0300000e 09d0 0001 0007 00 c0010a";

fn in_state(state: State, config: Config) -> Pair<Connection, Connection> {
    let config = Config { answer: Answer::Manual, ..config };
    match state {
        AwaitRequest => alone(accept(config)),
        AwaitConfirm => {
            let mut pair = alone(connect(config));
            pair.a.take_tx();
            pair
        }
        Deciding => {
            let mut pair = in_state(AwaitRequest, config);
            feed(&mut pair.a, &octets(CR), usize::MAX);
            assert!(matches!(pair.a.take(), Incoming::Connect(_)));
            pair
        }
        Open => {
            let mut pair = in_state(Deciding, config);
            pair.a.machine.confirm(&Response::default()).expect("confirmed");
            pair.a.take_tx();
            pair
        }
        Closing => {
            let mut pair = in_state(Open, config);
            pair.a.machine.send("last".into()).expect("sent");
            pair.a.machine.close();
            pair
        }
    }
}

/// What becomes of octets in a state: what the application gets, what is sent, how it ends.
fn outcome(state: State, config: &Config, input: &str, grain: usize) -> String {
    let mut pair = in_state(state, config.clone());
    feed(&mut pair.a, &octets(input), grain);
    if input.is_empty() {
        end(&mut pair.a);
    }
    let mut steps: Vec<String> = Vec::new();
    for incoming in pair.a.incoming.drain(..) {
        match incoming {
            Incoming::Connect(request) => steps.push(format!("request {}", request.reference)),
            Incoming::Connected(info) => steps.push(format!("connected {}", info.tpdu_size)),
            Incoming::Data { data, end } => steps.push(format!("data {} {end}", data.len())),
            Incoming::Diagnostic(diagnostic) => steps.push(format!("({diagnostic})")),
            other => steps.push(format!("{other:?}")),
        }
    }
    let tx = pair.a.take_tx();
    if !tx.is_empty() && state != Closing {
        steps.push(format!("> {}", digits(&tx)));
    }
    if let Some(error) = &pair.a.error {
        steps.push(error.to_string().replace("protocol error: ", "! "));
    }
    if steps.is_empty() { "-".into() } else { steps.join(" | ") }
}

fn row(input: &str, expected: [&str; 5]) {
    for (state, expected) in
        [AwaitRequest, AwaitConfirm, Deciding, Open, Closing].into_iter().zip(expected)
    {
        for grain in GRAINS {
            assert_eq!(
                outcome(state, &Config::default(), input, grain),
                expected,
                "{input} in {state:?}"
            );
        }
    }
}

#[test]
fn connection_request() {
    row(
        CR,
        [
            "request 7",
            "! CR instead of a CC",
            "! CR before the CR is answered",
            "! CR on an established connection",
            "-",
        ],
    );
}

#[test]
fn connection_request_that_is_not_acceptable() {
    // class 4 alone, and a parameter behind the header
    let refused = outcome(AwaitRequest, &Config::default(), "0300000b 06e0 0000 0007 40", 1);
    assert_eq!(
        refused,
        "> 0300000b06800007000082 | the peer's request was refused: negotiation failed: class not supported (130)"
    );
    let rejected = outcome(AwaitRequest, &Config::default(), "0300000d 08e0 0000 0007 00 c109", 1);
    assert_eq!(
        rejected,
        "> 030000140f70000703c10908e00000000700c109 | ! parameter 0xc1 extends past the header (octet 8)"
    );
}

#[test]
fn connection_confirm() {
    row(
        CC,
        [
            "! CC instead of a CR",
            "connected 1024",
            "! CC before the CR is answered",
            "! CC on an established connection",
            "-",
        ],
    );
    // not acceptable: no DR in class 0
    let other_class = outcome(AwaitConfirm, &Config::default(), "0300000b 06d0 0001 0007 20", 1);
    assert_eq!(other_class, "! class 2, which was not offered or does not exist");
    let too_small =
        outcome(AwaitConfirm, &Config::default(), "0300000e 09d0 0001 0007 00 c00106", 1);
    assert_eq!(too_small, "! parameter 0xc0 has an invalid value (octet 9)");
}

#[test]
fn disconnect_request() {
    row(
        "0300000b 0680 0001 0000 03",
        [
            "! DR instead of a CR",
            "the peer refused the connection: address unknown (3)",
            "the peer disconnected: address unknown (3)",
            "(source reference 0 in a DR instead of 7) | the peer disconnected: address unknown (3)",
            "-",
        ],
    );
}

#[test]
fn error_is_never_answered() {
    row(
        "03000009 0470 0001 02",
        [
            "! ER instead of a CR",
            "the peer rejected a TPDU: invalid TPDU type",
            "the peer rejected a TPDU: invalid TPDU type",
            "the peer rejected a TPDU: invalid TPDU type",
            "-",
        ],
    );
}

#[test]
fn data() {
    // held while the application decides
    let row_of = |end| ["! DT instead of a CR", "! DT instead of a CC", "-", end, "-"];
    row("03000008 02f080 61", row_of("data 1 true"));
    row("03000008 02f000 61", row_of("-"));
}

#[test]
fn expedited_data() {
    row(
        "03000008 021080 61",
        [
            "! ED instead of a CR",
            "! ED instead of a CC",
            "! ED before the CR is answered",
            "! ED on an established connection",
            "-",
        ],
    );
}

#[test]
fn disconnect_confirm() {
    row(
        "0300000a 05c0 0001 0007",
        [
            "! DC instead of a CR",
            "! DC instead of a CC",
            "! DC before the CR is answered",
            "(a DC, which class 0 does not have) | the connection is closed",
            "-",
        ],
    );
}

#[test]
fn tpdus_that_class_0_does_not_have() {
    for (octet, name) in [("60", "AK"), ("20", "EA"), ("50", "RJ"), ("40", "TPDU with code 0x40")] {
        let error = format!("! {name}, which class 0 does not have");
        let error = error.as_str();
        let input = format!("03000009 04{octet} 0001 00");
        row(&input, [error, error, error, error, "-"]);
        let rejected = format!("> 0300000d0870000702c10204{octet} | {error}");
        assert_eq!(outcome(Open, &strict(), &input, 1), rejected);
    }
}

#[test]
fn end_of_the_stream() {
    let during = "the peer closed the connection during the handshake";
    row("", [during, during, during, "the connection is closed", "-"]);
    let half_open = Config { half_close: true, ..Config::default() };
    assert_eq!(outcome(Open, &half_open, "", 1), "HalfClosed");
}

#[test]
fn the_application_closes() {
    let expected = [
        (AwaitRequest, ""),
        (AwaitConfirm, ""),
        // a request that waits is refused
        (Deciding, "0300000b06800007000000"),
        (Open, ""),
        (Closing, "0300000b02f0806c617374"),
    ];
    for (state, written) in expected {
        let mut pair = in_state(state, Config::default());
        pair.a.machine.close();
        assert_eq!(digits(&pair.a.take_tx()), written, "{state:?}");
        assert!(pair.a.machine.is_closed());
        let refused = pair.a.machine.send("x".into()).expect_err("closed");
        assert_eq!(refused.fault, SendFault::Closed);
        feed(&mut pair.a, &octets(CR), usize::MAX);
        assert_eq!(pair.a.error, Some(Error::Closed));
    }
}

#[test]
fn the_application_answers() {
    let mut pair = in_state(Deciding, Config::default());
    let refused = pair.a.machine.send("early".into()).expect_err("not connected");
    assert_eq!(refused.fault, SendFault::NotConnected);
    pair.a.machine.confirm(&Response::default()).expect("confirmed");
    assert_eq!(digits(&pair.a.take_tx()), "0300000e09d00007000100c0010a");
    let twice = pair.a.machine.refuse(Reason::Congestion, None);
    assert_eq!(twice, Err(AnswerError::NotWaiting));

    let mut pair = in_state(Deciding, Config::default());
    pair.a.machine.refuse(Reason::Congestion, Some("later".into())).expect("refused");
    assert_eq!(digits(&pair.a.take_tx()), "030000120d800007000001e0056c61746572");
    feed(&mut pair.a, &[], 1);
    assert_eq!(pair.a.error, Some(Error::RequestRefused { reason: Reason::Congestion }));

    for state in [AwaitRequest, AwaitConfirm, Open, Closing] {
        let mut pair = in_state(state, Config::default());
        assert_eq!(pair.a.machine.confirm(&Response::default()), Err(AnswerError::NotWaiting));
    }
}

#[test]
fn data_before_the_answer_keeps_its_order() {
    for grain in GRAINS {
        let mut pair = in_state(Deciding, Config::default());
        feed(
            &mut pair.a,
            &octets("03000008 02f000 61 03000008 02f080 62 03000008 02f080 63"),
            grain,
        );
        assert!(pair.a.incoming.is_empty());
        assert_eq!(pair.a.missing, 0, "nothing is read while a DT waits");
        pair.a.machine.confirm(&Response::default()).expect("confirmed");
        feed(&mut pair.a, &[], 1);
        assert_eq!(super::data(pair.a.take()), "ab");
        assert_eq!(super::data(pair.a.take()), "c");
    }
}
