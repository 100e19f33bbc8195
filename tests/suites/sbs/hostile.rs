//! Bytes made to cost: deep, long, or out of nothing.

use bytes::Bytes;
use hat_core::sbs::{PreparedType, Reader, Value};

use super::prepared;

/// Values that `value` is made of.
pub(super) fn parts(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(parts).sum(),
        Value::Record(record) => record.iter().map(|(_, value)| parts(value)).sum(),
        Value::Choice(choice) => parts(&choice.value),
        _ => 0,
    }
}

fn most_parts(prepared: &PreparedType, bytes: Vec<u8>) -> usize {
    prepared.decode(&bytes.into()).as_ref().map_or(0, parts)
}

#[test]
fn elements_of_nothing() {
    let nothing = prepared("T = Array(None)");
    assert_eq!(most_parts(&nothing, vec![0x04, 0x00, 0x80]), 1 + 65_536);
    assert_eq!(most_parts(&nothing, vec![0x04, 0x00, 0x81]), 0);

    // arrays of them: a byte pays for one, over what one array may have
    let nested = prepared("T = Array(Array(None))");
    let mut bytes = vec![0x01, 0x80];
    bytes.extend([0x07, 0xff].repeat(128));
    assert_eq!(most_parts(&nested, bytes), 0);

    // two to the 59th
    let doubling: String =
        (1..60).map(|n| format!("T{n} = Record {{ a: T{0}, b: T{0} }}\n", n - 1)).collect();
    let doubling = prepared(&format!("T0 = None {doubling} T = T59"));
    assert_eq!(most_parts(&doubling, vec![]), 0);
}

#[test]
fn many_small_elements_are_welcome() {
    let list = prepared("T = Array(Optional(None))");
    let count = 1_000_000;
    let mut bytes = vec![0x3d, 0x04, 0xc0];
    bytes.extend(vec![0x80; count]);
    assert_eq!(most_parts(&list, bytes), 1 + 2 * count);
}

#[test]
fn arrays_that_promise_much_at_every_level() {
    let tree = prepared("T = Array(T)");
    // each count is about as large as what follows allows
    let bytes: Vec<u8> = [0x01, 0x7f, 0xff].repeat(30_000);
    assert!(tree.decode(&bytes.into()).is_err());
}

#[test]
fn depth_is_the_reader_s() {
    let tree = prepared("T = Array(T)");
    let bytes = Bytes::from([vec![0x81; 63], vec![0x80]].concat());
    assert!(tree.decode_from(&mut Reader::with_max_depth(&bytes, 64)).is_ok());
    assert!(tree.decode_from(&mut Reader::with_max_depth(&bytes, 63)).is_err());
}

#[test]
fn integers_of_a_mebibyte_are_not_computed() {
    let integers = prepared("T = Array(Integer)");
    let mut bytes = vec![0x81];
    bytes.extend(vec![0x01; 1024 * 1024]);
    bytes.push(0x80);
    assert!(integers.decode(&bytes.into()).is_err());
}
