//! Exchanges recorded from deployed peers: every TPDU read and written again, every exchange
//! replayed to both ends.

use bytes::{Bytes, BytesMut};
use hat_core::cotp::tpdu::{Connect, Tpdu, put_parameter};
use hat_core::cotp::{Config, Connection, Error, Incoming, Info, Reason, Selector, TpduSize};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::{GRAINS, Pair};
use hat_tests::vectors::{hex, list, load, text};
use serde_json::Value;

use super::{accept, alone, connect, feed};

/// The octets that one side wrote, as packets; those behind the handshake of RDP are TLS.
fn packets(capture: &Value, dir: &str) -> Vec<Bytes> {
    let frames = list(&capture["frames"]).iter();
    let with_tpdu = frames.filter(|frame| frame["dir"] == dir && frame["tpdu"].is_string());
    with_tpdu.map(|frame| hex(&frame["hex"])).collect()
}

fn is_rdp(capture: &Value) -> bool {
    text(&capture["name"]).ends_with("xrdp")
}

/// The same TPDU, put together from its parts.
fn rebuilt(tpdu: Tpdu, raw: bool) -> Tpdu {
    let again = |connect: Connect| {
        if raw {
            return connect;
        }
        let mut variable = BytesMut::new();
        for parameter in connect.parameters() {
            let parameter = parameter.expect("a parameter that fits");
            put_parameter(&mut variable, parameter.code, &parameter.value);
        }
        Connect { variable: variable.freeze(), ..connect }
    };
    match tpdu {
        Tpdu::ConnectRequest(cr) => Tpdu::ConnectRequest(again(cr)),
        Tpdu::ConnectConfirm(cc) => Tpdu::ConnectConfirm(again(cc)),
        other => other,
    }
}

#[test]
fn every_tpdu_is_written_as_it_was_read() {
    let mut count = 0;
    for capture in list(&load("cotp_captures")) {
        for packet in ["c>s", "s>c"].into_iter().flat_map(|dir| packets(capture, dir)) {
            let tpdu = Tpdu::parse(packet.slice(4..)).expect("from a running peer");
            assert!(!matches!(tpdu, Tpdu::Other(_)));
            let written = rebuilt(tpdu, is_rdp(capture)).encode().expect("it fitted");
            assert_eq!(written, packet.slice(4..), "{}", capture["name"]);
            count += 1;
        }
    }
    assert_eq!(count, 89);
}

/// The CR of a capture in its parts.
fn request_of(capture: &Value) -> Connect {
    match Tpdu::parse(packets(capture, "c>s")[0].slice(4..)) {
        Ok(Tpdu::ConnectRequest(cr)) => cr,
        other => panic!("not a CR: {other:?}"),
    }
}

fn parameter(connect: &Connect, code: u8) -> Option<Bytes> {
    connect.parameters().flatten().find(|it| it.code == code).map(|it| it.value)
}

fn configured(capture: &Value) -> Config {
    let raw = is_rdp(capture).then(|| request_of(capture).variable);
    let confirm = match Tpdu::parse(packets(capture, "s>c")[0].slice(4..)) {
        Ok(Tpdu::ConnectConfirm(cc)) => cc,
        other => panic!("not a CC: {other:?}"),
    };
    Config {
        source_reference: confirm.source_reference,
        raw_variable_part: raw.map(|_| confirm.variable),
        ..Config::default()
    }
}

/// What the application at `machine` gets for octets: messages, and the last error.
fn replayed(
    machine: &mut Pair<Connection, Connection>,
    packets: &[Bytes],
    grain: usize,
) -> (Option<Info>, Vec<Bytes>) {
    feed(&mut machine.a, &packets.concat(), grain);
    let (mut info, mut messages) = (None, Vec::new());
    for incoming in machine.a.incoming.drain(..) {
        match incoming {
            Incoming::Connected(connected) => info = Some(*connected),
            Incoming::Data { data, end: true } => messages.push(data),
            Incoming::Diagnostic(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (info, messages)
}

fn payloads(packets: &[Bytes]) -> Vec<Bytes> {
    let data = packets.iter().filter(|packet| packet[5] == 0xf0);
    data.map(|packet| packet.slice(7..)).collect()
}

#[test]
fn callers_replayed_to_the_called_side() {
    // peers that do not answer with the parameters of the request in their order
    let own_order = [
        "hat_client_to_rusty_server",
        "hat_mms_client_to_libiec61850_server",
        "libiec61850_client_to_hat_mms_server",
        "python_snap7_client_to_python_snap7_server",
    ];
    let no_order = ["iso_on_tcp_client_to_hat_server"];
    for capture in list(&load("cotp_captures")) {
        let name = text(&capture["name"]);
        for grain in GRAINS {
            let mut called = alone(accept(configured(capture)));
            let sent = packets(capture, "c>s");
            let (info, messages) = replayed(&mut called, &sent, grain);
            assert_eq!(messages, payloads(&sent), "{name}");
            let info = info.expect("connected");
            assert_eq!(info.remote_reference, request_of(capture).source_reference);
            let (confirm, expected) = (called.a.take_tx(), &packets(capture, "s>c")[0]);
            if own_order.contains(&name) || no_order.contains(&name) {
                let mut same = [confirm.clone(), expected.to_vec()];
                same.iter_mut().for_each(|octets| octets.sort_unstable());
                assert_eq!(same[0], same[1], "{name}: the same parameters");
                assert_ne!(confirm, expected[..], "{name}");
            } else {
                assert_eq!(confirm, expected[..], "{name}");
            }
            let left = sent.iter().any(|packet| packet[5] == 0x80);
            let disconnected =
                Error::Disconnected { reason: Reason::NotSpecified, information: None };
            assert_eq!(called.a.error, left.then_some(disconnected), "{name}");
        }
    }
}

#[test]
fn called_peers_replayed_to_the_caller() {
    for capture in list(&load("cotp_captures")) {
        let name = text(&capture["name"]);
        let cr = request_of(capture);
        let raw = is_rdp(capture);
        let selector = |code| parameter(&cr, code).filter(|_| !raw).map(Selector::new);
        let size = parameter(&cr, 0xc0).filter(|_| !raw);
        let offered_size = size.and_then(|size| TpduSize::from_code(size[0]));
        let config = Config {
            source_reference: cr.source_reference,
            local_selector: selector(0xc1),
            remote_selector: selector(0xc2),
            offered_size,
            raw_variable_part: raw.then(|| cr.variable.clone()),
            ..Config::default()
        };
        for grain in GRAINS {
            let mut caller = alone(connect(config.clone()));
            // ours is C1, C2, C0; others have another order of the same
            let (mut ours, mut theirs) = (caller.a.take_tx(), packets(capture, "c>s")[0].to_vec());
            if name.starts_with("hat") || name.starts_with("python") || raw {
                assert_eq!(ours, theirs, "{name}");
            }
            ours.sort_unstable();
            theirs.sort_unstable();
            assert_eq!(ours, theirs, "{name}");

            let answers = packets(capture, "s>c");
            let (info, messages) = replayed(&mut caller, &answers, grain);
            assert_eq!(messages, payloads(&answers), "{name}");
            let info = info.expect("connected");
            if !raw {
                assert_eq!(Some(info.tpdu_size), offered_size, "{name}");
                assert_eq!(info.remote_selector, selector(0xc2));
            }
            // an S7 that answers a DR with a DC
            let confirmed = answers.iter().any(|packet| packet[5] == 0xc0);
            assert_eq!(caller.a.error, confirmed.then_some(Error::Closed), "{name}");

            // what the caller said is what we would say
            for packet in packets(capture, "c>s").iter().filter(|packet| packet[5] == 0xf0) {
                if !confirmed {
                    caller.a.machine.send(packet.slice(7..)).expect("sent");
                    assert_eq!(caller.a.take_tx(), packet[..], "{name}");
                }
            }
        }
    }
}

/// The DR of iec61850bean, and the DC that python-snap7 would answer.
#[test]
fn a_dr_on_close() {
    let config = Config { disconnect_on_close: true, ..Config::default() };
    let mut pair = super::connected(config, Config::default(), usize::MAX);
    pair.a.machine.close();
    assert_eq!(super::digits(&pair.a.take_tx()), "0300000b06800001000100");
    assert_eq!(pair.a.machine.poll(&mut pair.a.rx, Instant::ORIGIN), Err(Error::Closed));
}
