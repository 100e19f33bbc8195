//! What operations on long values allocate: as much for a million elements as for a thousand, but
//! for a node or two. It is counted, and no time is measured.

use allocation_counter::measure;
use hat_core::json::{Limits, Object, Patch, Value};

const LIMITS: Limits = Limits::new(128, usize::MAX);

/// Bytes that one patch allocates, of a list of `len` numbers that somebody else holds or nobody.
fn patched(len: u64, patch: &str, shared: bool) -> u64 {
    let patch: Patch = patch.parse().expect("a patch");
    let list: Value = (0..len).collect::<hat_core::json::Array>().into();
    let mut value = Value::from([("a", list)].into_iter().collect::<Object>());
    let held = shared.then(|| value.clone());
    let info = measure(|| patch.apply(&mut value, &LIMITS).expect("it fits"));
    drop(held);
    info.bytes_total
}

#[test]
fn an_operation_on_a_long_list_copies_as_much_as_on_a_short_one() {
    for patch in [
        r#"[{"op":"remove","path":"/a/0"}]"#,
        r#"[{"op":"remove","path":"/a/500"}]"#,
        r#"[{"op":"add","path":"/a/0","value":1}]"#,
        r#"[{"op":"add","path":"/a/-","value":1}]"#,
        r#"[{"op":"replace","path":"/a/700","value":1}]"#,
        r#"[{"op":"move","from":"/a/0","path":"/a/999"}]"#,
    ] {
        for shared in [true, false] {
            let (short, long) = (patched(1_000, patch, shared), patched(1_000_000, patch, shared));
            // two levels more of nodes of 32, and two ways to them for a move
            assert!(long <= short + 4 * 4_096, "{long} bytes, {short} of a short list: {patch}");
        }
    }
}

/// A patch of one leaf in a document of 1 MB: what nobody else holds is changed where it is.
#[test]
fn a_leaf_is_changed_in_place_where_nobody_else_holds_it() {
    let device = |n: i64| -> Object {
        let points = (0..100).map(|point| (format!("point{point}"), n * 100 + point));
        points.collect()
    };
    let devices = (0..100).map(|n| (format!("device{n}"), device(n))).collect::<Object>();
    let mut value = Value::from(devices);
    assert!(value.size() > 500_000);
    let patch: Patch =
        r#"[{"op":"replace","path":"/device50/point50","value":1.5}]"#.parse().expect("a patch");
    let alone = measure(|| patch.apply(&mut value, &LIMITS).expect("it fits"));
    // the list of what may have to be taken back
    assert_eq!(alone.count_total, 1);
    let held = value.clone();
    let shared = measure(|| patch.apply(&mut value, &LIMITS).expect("it fits"));
    assert!(shared.bytes_total < 16 * 1024, "{} bytes", shared.bytes_total);
    drop(held);
}
