//! What holds for any documents and patches.

use hat_core::json::{Limits, Operation, Patch, Value, diff};
use proptest::prelude::*;

use super::documents::{documents, edits, pairs, patches, paths};
use super::{patched, value};

/// The sum that [`Value::size`] keeps, counted.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => 40 + text.len(),
        Value::Array(array) => 88 + array.iter().map(size).sum::<usize>(),
        Value::Object(object) => {
            88 + object.iter().map(|(name, value)| 32 + name.len() + size(value)).sum::<usize>()
        }
        _ => 24,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(array) => 1 + array.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => {
            1 + object.iter().map(|(_, value)| depth(value)).max().unwrap_or(0)
        }
        _ => 0,
    }
}

proptest! {
    #[test]
    fn a_diff_applied_gives_the_other((from, to) in pairs()) {
        let patch = diff(&from, &to);
        prop_assert_eq!(patched(&from, &patch), to.clone(), "{}", patch);
        prop_assert_eq!(patch.is_empty(), from == to);
        if patch.0.len() > 1 {
            let whole = Patch::whole(to).to_string();
            prop_assert!(patch.to_string().len() <= whole.len(), "{}", patch);
        }
        for operation in &patch.0 {
            prop_assert!(!matches!(operation, Operation::Test { .. }), "{}", patch);
        }
    }

    #[test]
    fn text_goes_there_and_back(document in documents()) {
        let text = document.to_string();
        prop_assert_eq!(&value(&text), &document);
        prop_assert_eq!(&value(&text).to_string(), &text);
        // serde_json reads the same
        let other: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(&Value::from(other.clone()), &document);
        prop_assert_eq!(serde_json::Value::from(&document), other);
    }

    #[test]
    fn a_patch_goes_through_its_text((_, patch) in patches()) {
        let limits = Limits::default();
        let read = Patch::from_value(&patch, &limits).expect("a patch");
        prop_assert_eq!(&Patch::from_value(&value(&read.to_string()), &limits), &Ok(read));
    }

    #[test]
    fn size_and_depth_are_kept((_, to) in pairs(), edits in proptest::collection::vec(edits(), 0..8)) {
        let mut to = to;
        for edit in edits {
            edit.make(&mut to);
            prop_assert_eq!((to.size(), to.depth()), (size(&to), depth(&to)));
        }
    }

    #[test]
    fn paths_lead_where_they_say(document in documents()) {
        for path in paths(&document) {
            let text = path.to_string();
            prop_assert_eq!(text.parse(), Ok(path.clone()));
            // RFC 6901 by another implementation
            let other = serde_json::Value::from(&document);
            let there = document.get(&path).map(serde_json::Value::from);
            prop_assert_eq!(there.as_ref(), other.pointer(&text));
        }
    }

    #[test]
    fn limits_hold_and_nothing_changes_beyond_them(
        (document, patch) in patches(), depth in 0..6_usize, room in 0..2_000_usize,
    ) {
        let limits = Limits::new(depth, document.size() + room);
        let Ok(patch) = Patch::from_value(&patch, &Limits::default()) else { return Ok(()) };
        let mut limited = document.clone();
        match patch.apply(&mut limited, &limits) {
            Ok(()) if !patch.is_empty() => {
                prop_assert!(limited.depth() <= limits.depth && limited.size() <= limits.size);
                prop_assert_eq!(limited, patched(&document, &patch));
            }
            _ => prop_assert_eq!(limited, document),
        }
    }
}
