//! What somebody would send to break it: depth, size, and operations that grow beyond measure.

use hat_core::json::{Limits, MalformedPatch, ParseError, Patch, PatchError, Value, diff};

use super::{patch, patched, value};

#[track_caller]
fn refused(document: &str, operations: &str) -> PatchError {
    let mut document = value(document);
    let before = document.clone();
    let error = patch(operations).apply(&mut document, &Limits::default()).expect_err("refused");
    assert_eq!(document, before);
    error
}

#[test]
fn nested_without_end() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = open.repeat(1_000_000);
        let error = Value::parse(&deep, &Limits::default()).expect_err("too deep");
        assert!(matches!(error, ParseError::TooDeep { limit: 128, .. }), "{error}");
        let text = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        assert_eq!(value(&text(128)).depth(), 128);
        assert!(Value::parse(&text(129), &Limits::default()).is_err());
    }
}

#[test]
fn small_texts_of_large_values() {
    let limits = Limits { size: 1_000_000, ..Limits::default() };
    for part in ["[],", "{},", "0,", "\"\",", "{\"\":0},"] {
        let text = format!("[{}0]", part.repeat(1_000_000));
        let error = Value::parse(&text, &limits).expect_err("too large");
        assert!(matches!(error, ParseError::TooLarge { limit: 1_000_000, .. }), "{error}");
    }
    // the same name again and again is paid for each time
    let text = format!("{{{}\"a\":0}}", "\"a\":0,".repeat(1_000_000));
    assert!(matches!(Value::parse(&text, &limits), Err(ParseError::TooLarge { .. })));
}

#[test]
fn copies_of_copies() {
    let doubles = r#"{"op":"copy","from":"","path":"/-"}"#;
    let bomb = patch(&format!("[{}]", [doubles; 60].join(",")));
    let mut document = value("[\"x\"]");
    let error = bomb.apply(&mut document, &Limits::default()).expect_err("too large");
    assert!(matches!(error, PatchError::TooLarge { operation: 20..30, .. }), "{error}");
    assert_eq!(document, value("[\"x\"]"));

    let deepens = r#"{"op":"copy","from":"","path":"/a"}"#;
    let deep = patch(&format!("[{}]", [deepens; 200].join(",")));
    let mut document = value("{}");
    let error = deep.apply(&mut document, &Limits::default()).expect_err("too deep");
    assert_eq!(error, PatchError::TooDeep { operation: 127, limit: 128 });
}

/// A copy that is changed deep inside and then overwritten, again and again: each is another
/// version of all that its path leads through. What was overwritten is not kept, and what was there
/// before is there again when the patch fails.
#[test]
fn copies_that_are_changed_and_overwritten() {
    let members: String = (0..30).map(|n| format!(r#""m{n}":{n},"#)).collect();
    let nested = (0..100).fold("0".to_owned(), |inner, _| format!(r#"{{{members}"a":{inner}}}"#));
    let document = value(&format!(r#"{{"v":{nested},"w":0}}"#));
    let deep = "/a".repeat(100);
    let pairs = (0..4_000).map(|n| {
        format!(
            r#"{{"op":"copy","from":"/v","path":"/w"}},{{"op":"replace","path":"/w{deep}","value":{n}}}"#
        )
    });
    let pairs = pairs.collect::<Vec<_>>().join(",");
    // a limit that what is kept goes over early
    let limits = Limits { size: 4 << 20, ..Limits::default() };
    let mut changed = document.clone();
    patch(&format!("[{pairs}]")).apply(&mut changed, &limits).expect("within the limits");
    assert_eq!(changed.pointer(&format!("/w{deep}")), Some(&3_999.into()));
    assert_eq!(changed.pointer(&format!("/v{deep}")), Some(&0.into()));

    let mut unchanged = document.clone();
    let fails = patch(&format!(
        r#"[{{"op":"remove","path":"/v/m7"}},{pairs},{{"op":"remove","path":"/x"}}]"#
    ));
    let error = fails.apply(&mut unchanged, &limits).expect_err("nothing there");
    assert_eq!(error, PatchError::Missing { operation: 8_001, path: "/x".into() });
    assert_eq!(unchanged, document);
}

/// What is moved about or replaced many times is not refused for its size: most of it is the same.
#[test]
fn a_large_part_that_is_moved_many_times() {
    let large: Value = (0..10_000).map(|n| Value::from(format!("text {n}"))).collect();
    let mut document = value(r#"{"a":0,"b":0}"#);
    document.set(&"/a".parse().expect("a path"), large, &Limits::default()).expect("small");
    let before = document.clone();
    let moves = r#"{"op":"move","from":"/a","path":"/b"},{"op":"move","from":"/b","path":"/a"}"#;
    let all = format!(r#"[{}]"#, [moves; 500].join(","));
    let limits = Limits { size: 2 * document.size(), ..Limits::default() };
    patch(&all).apply(&mut document, &limits).expect("within the limits");
    assert_eq!((&document["a"], &document["b"]), (&before["a"], &Value::Null));
}

#[test]
fn depth_by_moves() {
    // each move hangs the chain under a new object, at a path that never gets long
    let step = r#"{"op":"add","path":"/b","value":{}},{"op":"move","from":"/a","path":"/b/a"},{"op":"move","from":"/b","path":"/a"}"#;
    let deep = patch(&format!("[{}]", [step; 1_000].join(",")));
    let mut document = value(r#"{"a": 1}"#);
    let error = deep.apply(&mut document, &Limits::default()).expect_err("too deep");
    assert!(matches!(error, PatchError::TooDeep { limit: 128, .. }), "{error}");
    assert_eq!(document, value(r#"{"a": 1}"#));
}

#[test]
fn grown_by_patch_after_patch() {
    let limits = Limits { size: 100_000, ..Limits::default() };
    let more = patch(&format!(r#"[{{"op":"add","path":"/-","value":"{}"}}]"#, "x".repeat(1_000)));
    let mut document = value("[]");
    let fits = (0..1_000).take_while(|_| more.apply(&mut document, &limits).is_ok()).count();
    assert_eq!((fits, document.as_array().map(hat_core::json::Array::len)), (96, Some(96)));
}

#[test]
fn patches_of_many_small_paths() {
    let limits = Limits { size: 1_000_000, ..Limits::default() };
    let slashes = value(&format!(r#"[{{"op":"remove","path":"{}"}}]"#, "/".repeat(900_000)));
    let refused = Patch::from_value(&slashes, &limits);
    assert_eq!(refused, Err(MalformedPatch::TooLarge { operation: 0, limit: 1_000_000 }));
    let many = value(&format!("[{}]", vec![r#"{"op":"remove","path":""}"#; 100_000].join(",")));
    let refused = Patch::from_value(&many, &limits);
    assert_eq!(refused, Err(MalformedPatch::TooLarge { operation: 7812, limit: 1_000_000 }));
}

#[test]
fn indexes_that_are_none() {
    for index in [
        "3",
        "-1",
        "+1",
        "01",
        "00",
        "1.0",
        "1e0",
        " 1",
        "1 ",
        "0x1",
        "",
        "a",
        "18446744073709551616",
        "99999999999999999999999",
        "٣",
    ] {
        let add = format!(r#"[{{"op":"add","path":"/{index}","value":0}}]"#);
        assert!(
            matches!(refused("[1,2]", &add), PatchError::Index { operation: 0, len: 2, .. }),
            "{add}"
        );
        for operation in ["remove", "replace", "test"] {
            let other = format!(r#"[{{"op":"{operation}","path":"/{index}","value":0}}]"#);
            assert!(matches!(refused("[1,2]", &other), PatchError::Missing { .. }), "{other}");
        }
    }
    for operation in ["remove", "replace", "test"] {
        let end = format!(r#"[{{"op":"{operation}","path":"/-","value":0}}]"#);
        assert!(matches!(refused("[1,2]", &end), PatchError::Missing { .. }), "{end}");
    }
    for through in ["/-/0", "/2/0", "/01/0"] {
        let add = format!(r#"[{{"op":"add","path":"{through}","value":0}}]"#);
        assert!(matches!(refused("[[1],[2]]", &add), PatchError::Missing { .. }), "{add}");
    }
}

#[test]
fn into_itself() {
    let own_child = r#"[{"op":"move","from":"/a","path":"/a/b"}]"#;
    assert!(matches!(refused(r#"{"a":{}}"#, own_child), PatchError::IntoItself { .. }));
    let root = r#"[{"op":"move","from":"","path":"/a"}]"#;
    assert!(matches!(refused("{}", root), PatchError::IntoItself { .. }));
    // one name that starts like another is no child of it
    let sibling = patch(r#"[{"op":"move","from":"/a","path":"/ab"}]"#);
    assert_eq!(patched(&value(r#"{"a":1}"#), &sibling), value(r#"{"ab":1}"#));
    let to_itself = patch(r#"[{"op":"move","from":"/a","path":"/a"}]"#);
    assert_eq!(patched(&value(r#"{"a":1}"#), &to_itself), value(r#"{"a":1}"#));
    assert!(matches!(refused("{}", &to_itself.to_string()), PatchError::Missing { .. }));
}

#[test]
fn all_or_nothing() {
    let late = r#"[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/b/0"},{"op":"test","path":"/a","value":2}]"#;
    let error = refused(r#"{"b":[1,2]}"#, late);
    assert_eq!(error, PatchError::Test { operation: 2, path: "/a".into() });
    assert_eq!(
        error.to_string(),
        "operation 2: the value at `/a` is not the one that the operation tests for"
    );
    let inside = refused(r#"{"b":true}"#, r#"[{"op":"add","path":"/b/c","value":1}]"#);
    assert_eq!(
        inside.to_string(),
        "operation 0: `/b/c` leads into a value that is neither an object nor a list, but of type boolean"
    );
}

#[test]
fn what_is_no_patch() {
    for text in [
        "{}",
        "null",
        "[1]",
        "[[]]",
        "[{}]",
        r#"[{"op":"add"}]"#,
        r#"[{"op":"add","path":""}]"#,
        r#"[{"op":"add","path":1,"value":1}]"#,
        r#"[{"op":1,"path":""}]"#,
        r#"[{"op":"Add","path":"","value":1}]"#,
        r#"[{"op":"spam","path":""}]"#,
        r#"[{"op":"move","path":""}]"#,
        r#"[{"op":"copy","path":"","from":null}]"#,
        r#"[{"op":"remove","path":"a"}]"#,
        r#"[{"op":"remove","path":"/~2"}]"#,
        r#"[{"op":"test","path":""}]"#,
        "[",
    ] {
        assert!(text.parse::<Patch>().is_err(), "{text}");
    }
    let error = r#"[{"op":"remove","path":""},{"op":"remove","path":"x"}]"#.parse::<Patch>();
    assert_eq!(
        error.expect_err("no path").to_string(),
        "operation 1: the path `x` does not start with `/`"
    );
}

#[test]
fn lists_that_have_nothing_in_common() {
    let list = |from: i64| (from..from + 20_000).collect::<Value>();
    let patch = diff(&list(0), &list(1_000_000));
    assert_eq!(patch.0.len(), 1);
    // one too many edits for the search: still right
    let scattered = (0..20_000).map(|at| if at % 7 == 0 { -at } else { at }).collect::<Value>();
    let mut shifted = scattered.as_array().expect("a list").clone();
    shifted.remove(0);
    for at in (0..19_000).step_by(11).rev() {
        shifted.remove(at);
    }
    let shifted = Value::from(shifted);
    assert_eq!(patched(&list(0), &diff(&list(0), &shifted)), shifted);
}
