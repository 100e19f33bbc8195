//! The deployed hat-json, live: it applies our diffs and we its own.

use hat_core::json::{Limits, Patch, Value, diff};
use hat_tests::peers::{Peer, skipped};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::documents::pairs;
use super::patched;

#[test]
fn diffs_both_ways() {
    if skipped("diffs_both_ways") {
        return;
    }
    let peer = Peer::today();
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let test = |(from, to): (Value, Value)| {
        let (src, dst) = (Json::from(&from), Json::from(&to));
        let ours: Json = diff(&from, &to).to_string().parse().expect("JSON");
        let theirs = peer.expect("json.patch", json!({"data": src, "diff": ours}));
        assert_eq!(Value::from(theirs["data"].clone()), to, "{ours}");

        let theirs = peer.expect("json.diff", json!({"src": src, "dst": dst}));
        let theirs = Patch::from_value(&theirs["diff"].clone().into(), &Limits::default());
        assert_eq!(patched(&from, &theirs.expect("a patch")), to);
        Ok(())
    };
    TestRunner::new(config).run(&pairs(), test).expect("both agree");
}
