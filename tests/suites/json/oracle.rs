//! The crate `json-patch` as oracle: the same value, or both refuse.

use hat_core::json::{Limits, Patch, Value, diff};
use proptest::prelude::*;

use super::documents::{pairs, patches};

/// What `json-patch` makes of it; nothing if it refuses. It parses the same text.
fn theirs(document: &Value, patch: &str) -> Option<Value> {
    let patch: json_patch::Patch = serde_json::from_str(patch).ok()?;
    let mut document = serde_json::Value::from(document);
    // `patch` would panic here and there when it takes back what a patch has done before it failed
    json_patch::patch_unsafe(&mut document, &patch).ok()?;
    Some(document.into())
}

fn ours(document: &Value, patch: &Value) -> Option<Value> {
    let limits = Limits::default();
    let patch = Patch::from_value(patch, &limits).ok()?;
    let mut document = document.clone();
    patch.apply(&mut document, &limits).ok()?;
    Some(document)
}

/// Where both differ. The RFC does not say what is left without the root: with us and at the
/// deployed peers `null`, there an error. And it allows to move a part to where it is, also the
/// root.
fn takes_out_the_root(patch: &Value) -> bool {
    let operations = patch.as_array().expect("a list");
    operations.iter().any(|operation| {
        let at = |member: &str| operation[member].as_str();
        let from = match at("op") {
            Some("remove") => "path",
            Some("move") => "from",
            _ => return false,
        };
        at(from) == Some("")
    })
}

/// Numbers that differ in how they are written only, `0` and `0.0`, are equal by the RFC (4.6), and
/// not there.
fn tests_a_number(patch: &Value) -> bool {
    fn has_number(value: &Value) -> bool {
        match value {
            Value::Number(_) => true,
            Value::Array(values) => values.iter().any(has_number),
            Value::Object(members) => members.iter().any(|(_, value)| has_number(value)),
            _ => false,
        }
    }
    let operations = patch.as_array().expect("a list");
    operations.iter().any(|it| it["op"].as_str() == Some("test") && has_number(&it["value"]))
}

proptest! {
    #[test]
    fn a_patch_is_applied_alike((document, patch) in patches()) {
        if takes_out_the_root(&patch) {
            return Ok(());
        }
        let (ours, theirs) = (ours(&document, &patch), theirs(&document, &patch.to_string()));
        if theirs.is_none() && tests_a_number(&patch) {
            return Ok(());
        }
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn our_diffs_are_applied_by_them((from, to) in pairs()) {
        let patch = diff(&from, &to).to_string();
        prop_assert_eq!(theirs(&from, &patch), Some(to), "{}", patch);
    }
}
