//! Every odd input in `cotp_inputs.json`, under both policies and at every grain, against
//! `inputs.txt`: what becomes of it.

use std::fmt::Write;

use hat_core::cotp::{Config, Connection, Error, Incoming, Policy, Selector, TpduSize};
use hat_tests::pair::{GRAINS, Pair};
use hat_tests::vectors::{hex, list, load, text};

use super::{accept, alone, connect, digits, end, feed, octets};

/// What becomes of the inputs. A section an input, in the order of the vectors, with a line a
/// policy; in a line what the application gets, `>` and what is sent, and the error.
const EXPECTED: &str = include_str!("inputs.txt");

/// Inputs behind which the stream ends.
const ENDS: [&str; 4] =
    ["tpkt-truncated-then-eof", "close-before-cc", "eof-mid-tsdu", "half-close-after-request"];

#[test]
fn every_input_under_both_policies_at_every_grain() {
    let mut got = String::new();
    for case in list(&load("cotp_inputs")) {
        let (id, phase) = (text(&case["id"]), text(&case["phase"]));
        writeln!(got, "{id}").expect("a string");
        for policy in [Policy::Interop, Policy::Strict] {
            let trace = |grain| trace(id, phase, &hex(&case["hex"]), policy, grain);
            let whole = trace(usize::MAX);
            for grain in GRAINS {
                assert_eq!(trace(grain), whole, "{id} at grain {grain}");
            }
            writeln!(got, "  {policy:?}: {whole}").expect("a string");
        }
    }
    if let Ok(path) = std::env::var("HAT_WRITE_INPUTS") {
        std::fs::write(path, &got).expect("written");
    }
    for (got, expected) in got.lines().zip(EXPECTED.lines()) {
        assert_eq!(got, expected);
    }
    assert_eq!(got.lines().count(), EXPECTED.lines().count());
}

/// What becomes of one input.
fn trace(id: &str, phase: &str, bytes: &[u8], policy: Policy, grain: usize) -> String {
    let mut pair = machine(id, phase, policy);
    let repeated = if id == "dt-endless-no-eot" { 20 } else { 1 };
    for _ in 0..repeated {
        feed(&mut pair.a, bytes, grain);
    }
    let have = pair.a.rx.bytes.len();
    assert!(pair.a.missing <= have.max(2048), "{id}: asks for too much");
    if ENDS.contains(&id) {
        end(&mut pair.a);
        let sent = pair.a.machine.send("answer".into());
        assert_eq!(sent.is_ok(), id == "half-close-after-request");
    }
    let mut steps: Vec<_> = pair.a.incoming.drain(..).map(shown).collect();
    steps.dedup();
    let tx = pair.a.take_tx();
    if !tx.is_empty() {
        steps.push(format!("> {}", digits(&tx)));
    }
    if let Some(error) = &pair.a.error {
        steps.push(format!("{}: {error}", if *error == Error::Closed { "end" } else { "error" }));
    }
    if steps.is_empty() { "waits".into() } else { steps.join(" | ") }
}

fn machine(id: &str, phase: &str, policy: Policy) -> Pair<Connection, Connection> {
    let config = Config {
        policy,
        source_reference: 0x4431,
        max_tsdu: 1000,
        half_close: true,
        ..Config::default()
    };
    if phase == "client awaiting CC" {
        let (calling, called) = match id {
            "cc-tsel-16" => (Selector::from(0x0600), Selector::from("SIMATIC-ROOT-HMI")),
            _ => (Selector::from(1), Selector::from(1)),
        };
        let (local_selector, remote_selector) = (Some(calling), Some(called));
        let mut pair = alone(connect(Config { local_selector, remote_selector, ..config }));
        pair.a.take_tx();
        return pair;
    }
    let large = ["tpkt-max-65535", "dt-larger-than-negotiated"].contains(&id);
    let config = Config { max_tsdu: if large { 70_000 } else { 1000 }, ..config };
    let mut pair = alone(accept(Config { accepted_size: TpduSize::MAX, ..config }));
    if phase == "open" {
        feed(&mut pair.a, &octets("0300 000e 09 e0 0000 0001 00 c0010a"), usize::MAX);
        pair.a.incoming.clear();
        pair.a.take_tx();
    }
    pair
}

fn shown(incoming: Incoming) -> String {
    match incoming {
        Incoming::Connected(info) if !info.connect_data.is_empty() => {
            format!("connected, size {}, connect data {}", info.tpdu_size, info.connect_data.len())
        }
        Incoming::Connected(info) => format!("connected, size {}", info.tpdu_size),
        Incoming::Data { data, end: true } => format!("message of {}", data.len()),
        Incoming::Diagnostic(diagnostic) => format!("({diagnostic})"),
        other => format!("{other:?}"),
    }
}

/// The Siemens routing parameters, with the option that is for them.
#[test]
fn s7_routing_by_option() {
    let request = octets("0300001b16e00000443100c1020001c2020001c6020012c7020102");
    for grain in GRAINS {
        let mut pair = alone(accept(Config { s7_routing: true, ..Config::default() }));
        feed(&mut pair.a, &request, grain);
        let steps: Vec<_> = pair.a.incoming.drain(..).map(shown).collect();
        let routing = ["(parameter 0xc6 holds S7 routing)", "(parameter 0xc7 holds S7 routing)"];
        assert_eq!(steps, [routing[0], routing[1], "connected, size 2048"]);
        let confirm = "0300001611d04431000100c1020001c2020001c0010b";
        assert_eq!(digits(&pair.a.take_tx()), confirm);
    }
}

/// A CC with other selectors, with the option against it.
#[test]
fn selectors_that_must_match() {
    let config = Config {
        local_selector: Some(Selector::from(1)),
        remote_selector: Some(Selector::from(1)),
        source_reference: 0x4431,
        selectors_must_match: true,
        ..Config::default()
    };
    let mut pair = alone(connect(config));
    feed(&mut pair.a, &octets("030000130ed04431000700c1020002c2020003"), usize::MAX);
    let error = pair.a.error.expect("refused").to_string();
    assert_eq!(error, "protocol error: the peer confirmed selector 0002 instead of 0001");
}

/// Expedited data that departs from RFC 2126 clause 6.5, where it was agreed on.
#[test]
fn expedited_data_that_departs_from_the_standard() {
    let cases = [
        ("0300000802118078", "(a credit of 1 in a DT or ED, which has none)"),
        ("0300000802108578", "(TPDU number 5 in a DT or ED, which is 0 in class 0)"),
        ("0300000802100078", "(an ED without an end of message)"),
    ];
    for (packet, diagnostic) in cases {
        for policy in [Policy::Interop, Policy::Strict] {
            let config = Config { policy, expedited: true, ..Config::default() };
            let mut pair = alone(accept(config));
            feed(&mut pair.a, &octets("0300 0011 0c e0 0000 0001 00 c0010b c60101"), usize::MAX);
            pair.a.incoming.clear();
            feed(&mut pair.a, &octets(packet), usize::MAX);
            let steps: Vec<_> = pair.a.incoming.drain(..).map(shown).collect();
            if policy == Policy::Interop {
                assert_eq!(steps, [diagnostic, "Expedited(b\"x\")"], "{packet}");
            } else {
                assert_eq!(steps, [""; 0], "{packet}");
                let error = pair.a.error.expect("refused").to_string();
                let why = diagnostic.trim_matches(['(', ')']);
                assert_eq!(error, format!("protocol error: {why}"), "{packet}");
            }
        }
    }
}

/// What we ask for ourselves keeps to the standard under the strict policy (RFC 905 clause 13.3).
#[test]
fn our_own_request_within_128_octets() {
    let long = |policy| {
        let called = Some(Selector::new(vec![7; 120]));
        let config = Config { policy, remote_selector: called, ..Config::default() };
        Connection::connect(config, hat_core::time::Instant::ORIGIN).map(drop)
    };
    assert_eq!(long(Policy::Interop), Ok(()));
    let error = long(Policy::Strict).expect_err("too long").to_string();
    let expected =
        "a CR of 132 octets; the limit is 128: shorten the selectors or the connect data";
    assert_eq!(error, expected);
}
