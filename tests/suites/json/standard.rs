//! The public JSON Patch suite, <https://github.com/json-patch/json-patch-tests>.

use hat_core::json::{Limits, Patch, Value};

use super::value;

/// Applies a patch as a peer would that got it: the result, or any error.
fn apply(case: &Value) -> Result<Value, String> {
    let limits = Limits::default();
    let patch = Patch::from_value(&case["patch"], &limits).map_err(|error| error.to_string())?;
    let mut doc = case["doc"].clone();
    match patch.apply(&mut doc, &limits) {
        Ok(()) => Ok(doc),
        Err(error) => {
            assert_eq!(doc, case["doc"], "nothing changes when a patch fails");
            Err(error.to_string())
        }
    }
}

/// Runs the cases, also two that the suite has disabled, and returns how many there are.
fn run(name: &str) -> usize {
    let file = format!("{}/vectors/json-patch-tests/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let cases = value(&text);
    let cases = cases.as_array().expect("a list of cases");
    for case in cases.iter() {
        if case["comment"] == "duplicate ops".into() {
            // disabled there too: of two members with one name the last counts, whoever looks at
            // the patch
            continue;
        }
        let result = apply(case);
        let fails = case.as_object().is_some_and(|case| case.get("error").is_some());
        let expected = case.as_object().and_then(|case| case.get("expected"));
        match (fails, expected) {
            (true, _) => assert!(result.is_err(), "{case}: {result:?}"),
            (false, Some(expected)) => assert_eq!(result.as_ref(), Ok(expected), "{case}"),
            // a `test` that holds, and says no more
            (false, None) => assert_eq!(result.as_ref(), Ok(&case["doc"]), "{case}"),
        }
    }
    cases.len()
}

#[test]
fn tests() {
    assert_eq!(run("tests"), 95);
}

#[test]
fn spec_tests() {
    assert_eq!(run("spec_tests"), 17);
}
