//! TPDUs as hat-drivers writes and reads them, and where we differ.

use bytes::{Bytes, BytesMut};
use hat_core::cotp::tpdu::{Connect, Disconnect, Reject, Segment, Tpdu, put_parameter};
use hat_core::cotp::{Cause, Reason};
use hat_tests::vectors::{boolean, hex, integer, list, load, text};
use serde_json::Value;

fn number(value: &Value) -> u16 {
    u16::try_from(integer(value)).expect("a reference")
}

fn octet(value: &Value) -> u8 {
    u8::try_from(integer(value)).expect("an octet")
}

/// The TPDU of a case as hat-drivers writes it: selectors in two octets, the size last.
fn tpdu(case: &Value) -> Tpdu {
    let of = |name: &str| case.get(name).map_or(0, number);
    match text(&case["tpdu"]) {
        kind @ ("CR" | "CC") => {
            let mut variable = BytesMut::new();
            for (name, code) in [("calling_tsel", 0xc1), ("called_tsel", 0xc2)] {
                if !case[name].is_null() {
                    put_parameter(&mut variable, code, &number(&case[name]).to_be_bytes());
                }
            }
            if !case["max_tpdu"].is_null() {
                // the peer rounds 65531 down to 0F, where the installed base says 10
                let size = integer(&case["max_tpdu"]);
                put_parameter(&mut variable, 0xc0, &[size.ilog2() as u8]);
            }
            let connect = Connect {
                destination_reference: of("dst"),
                source_reference: of("src"),
                class: octet(&case["cls"]),
                variable: variable.freeze(),
                ..Connect::default()
            };
            if kind == "CR" { Tpdu::ConnectRequest(connect) } else { Tpdu::ConnectConfirm(connect) }
        }
        "DR" => Tpdu::DisconnectRequest(Disconnect {
            destination_reference: of("dst"),
            source_reference: of("src"),
            reason: Reason::from(octet(&case["reason"])),
            ..Disconnect::default()
        }),
        "ER" => Tpdu::Error(Reject {
            destination_reference: of("dst"),
            cause: Cause::from(octet(&case["cause"])),
            rejected: None,
        }),
        "DT" => Tpdu::Data(Segment {
            end: boolean(&case["eot"]),
            number: 0,
            credit: 0,
            data: hex(&case["data"]),
        }),
        other => panic!("{other}"),
    }
}

#[test]
fn written_as_hat_drivers_writes() {
    for case in list(&load("cotp")["cases"]) {
        if case.get("error").is_some() {
            continue; // a selector that it has no room for
        }
        let octets = hex(&case["hex"]);
        let parsed = Tpdu::parse(octets.clone()).expect("the peer's own");
        if case.get("pref_max_tpdu").is_some_and(|size| !size.is_null()) {
            // the peer writes the preferred size with the code of the size
            continue;
        }
        assert_eq!(tpdu(case).encode().expect("fits"), octets, "{case}");
        assert_eq!(parsed, tpdu(case), "{case}");
    }
}

/// What hat-drivers reads in a CR or CC, by our reading.
fn same_connect(connect: &Connect, result: &Value, note: &Value) {
    let numbers = |code| {
        let parameters = connect.parameters().flatten().filter(|it| it.code == code);
        let fold = |octets: Bytes| octets.iter().fold(0_i64, |n, &o| n << 8 | i64::from(o));
        parameters.last().map(|parameter| fold(parameter.value))
    };
    assert_eq!(numbers(0xc1), result["calling_tsel"].as_i64(), "{note}");
    assert_eq!(numbers(0xc2), result["called_tsel"].as_i64(), "{note}");
    assert_eq!(i64::from(connect.class), integer(&result["cls"]), "{note}");
    assert_eq!(connect.source_reference, number(&result["src"]));
    if result.get("dst").is_some() {
        assert_eq!(connect.destination_reference, number(&result["dst"]));
    }
}

#[test]
fn read_as_hat_drivers_reads_or_stricter() {
    let mut stricter = Vec::new();
    for case in list(&load("cotp")["decode_cases"]) {
        let (result, note) = (&case["result"], &case["note"]);
        let parsed = Tpdu::parse(hex(&case["hex"]));
        if result.get("error").is_some() {
            let read = match parsed {
                Ok(Tpdu::ConnectRequest(connect) | Tpdu::ConnectConfirm(connect)) => {
                    connect.parameters().all(|parameter| parameter.is_ok())
                }
                Ok(Tpdu::DisconnectRequest(_) | Tpdu::Error(_) | Tpdu::Data(_)) => true,
                // those that it does not know at all
                _ => false,
            };
            // a size of no octets is for the machine to judge
            assert_eq!(read, note == "CR, size C0 with length 0", "{case}");
            continue;
        }
        match parsed {
            Ok(Tpdu::ConnectRequest(connect) | Tpdu::ConnectConfirm(connect)) => {
                if connect.parameters().any(|parameter| parameter.is_err()) {
                    stricter.push(text(note).to_owned());
                } else {
                    same_connect(&connect, result, note);
                }
            }
            Ok(Tpdu::DisconnectRequest(dr)) => {
                assert_eq!(i64::from(dr.reason.code()), integer(&result["reason"]), "{case}");
                assert_eq!(dr.source_reference, number(&result["src"]));
            }
            Ok(Tpdu::Error(er)) => {
                assert_eq!(i64::from(er.cause.code()), integer(&result["cause"]), "{case}");
            }
            Ok(Tpdu::Data(dt)) => {
                assert_eq!((dt.end, &dt.data), (boolean(&result["eot"]), &hex(&result["data"])));
            }
            // it takes a DT with any header
            Ok(Tpdu::Other(_)) | Err(_) => stricter.push(text(note).to_owned()),
            Ok(other) => panic!("{case}: {other:?}"),
        }
    }
    stricter.retain(|note| note != "random");
    assert_eq!(stricter, ["CR, parameter cut by length indicator", "DT with longer header"]);
}
