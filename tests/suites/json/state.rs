//! The state of Juggler and those who follow it.

use hat_core::json::{Limits, Patch, Pointer, SetError, Token, Value, diff};
use hat_core::juggler::{Flush, State};
use proptest::collection::vec;
use proptest::prelude::*;

use super::documents::{Edit, documents, edits};
use super::{patched, path, value};

/// The patch of the next flush.
#[track_caller]
fn flushed(state: &mut State) -> String {
    state.flush().expect("changes").patch.to_string()
}

fn state(text: &str) -> State {
    let mut state = State::default();
    state.replace(value(text)).expect("within the limits");
    state.flush();
    state
}

#[test]
fn changes_of_a_window_are_merged() {
    // large enough that no patch here is longer than the whole
    let text = format!(r#"{{"a": {{"b": 1, "c": 2}}, "d": [1, 2, 3], "e": 5, "z": "{:100}"}}"#, "");
    let mut state = state(&text);
    state.set(&path("/a/b"), 10).expect("fits");
    state.set(&path("/a/b"), 11).expect("fits");
    state.set(&path("/e"), 6).expect("fits");
    state.set(&path("/e"), 5).expect("fits");
    assert_eq!(flushed(&mut state), r#"[{"op":"replace","path":"/a/b","value":11}]"#);

    state.set(&path("/d/1"), 20).expect("fits");
    assert_eq!(state.remove(&path("/e")), Some(5.into()));
    let expected = r#"[{"op":"replace","path":"/d/1","value":20},{"op":"remove","path":"/e"}]"#;
    assert_eq!(flushed(&mut state), expected);

    // a change inside of what is new is part of it
    state.set(&path("/n"), value(r#"{"x": [1]}"#)).expect("fits");
    state.set(&path("/n/x/0"), 2).expect("fits");
    assert_eq!(flushed(&mut state), r#"[{"op":"add","path":"/n","value":{"x":[2]}}]"#);

    // what was new and is gone again was never there
    state.set(&path("/m"), 1).expect("fits");
    state.remove(&path("/m"));
    assert!(state.is_changed());
    assert_eq!((state.flush(), state.is_changed(), state.version()), (None, false, 4));
}

#[test]
fn a_patch_longer_than_the_whole_gives_way_to_it() {
    let mut state = state(r#"{"a": 1, "b": 2}"#);
    state.set(&path("/a"), 3).expect("fits");
    state.set(&path("/b"), 4).expect("fits");
    assert_eq!(flushed(&mut state), r#"[{"op":"replace","path":"","value":{"a":3,"b":4}}]"#);
    assert_eq!(state.whole().1, r#"[{"op":"replace","path":"","value":{"a":3,"b":4}}]"#);
}

#[test]
fn newcomers_get_what_was_flushed() {
    let mut state = State::default();
    assert_eq!(state.whole().1, r#"[{"op":"replace","path":"","value":null}]"#);
    state.set(&path("/a"), 1).expect("fits");
    assert_eq!(state.whole().0, 0);
    let Flush { from, to, .. } = state.flush().expect("a change");
    assert_eq!((from, to), (0, 1));
    state.set(&path("/a"), 2).expect("fits");
    // the next patch is for this one, not for what is there now
    let (version, whole) = state.whole();
    assert_eq!((version, &*whole), (1, r#"[{"op":"replace","path":"","value":{"a":1}}]"#));
}

#[test]
fn a_snapshot_stays_what_it_was() {
    let mut state = state(r#"{"a": {"b": [1, 2]}}"#);
    let snapshot = state.value().clone();
    state.set(&path("/a/b/0"), 9).expect("fits");
    state.remove(&path("/a/b/1"));
    assert_eq!(snapshot, value(r#"{"a": {"b": [1, 2]}}"#));
    assert_eq!(state.value(), &value(r#"{"a": {"b": [9]}}"#));
}

#[test]
fn elements_that_come_and_go() {
    let mut state = state("[0,1,2,3,4,5,6,7,8,9]");
    state.set(&path("/5"), "x").expect("fits");
    state.remove(&path("/3"));
    state.set(&path("/-"), "y").expect("fits");
    assert_eq!(state.value(), &value(r#"[0,1,2,4,"x",6,7,8,9,"y"]"#));
    let before = value("[0,1,2,3,4,5,6,7,8,9]");
    let patch: Patch = flushed(&mut state).parse().expect("a patch");
    assert_eq!(patched(&before, &patch), *state.value());
}

/// As `set_` of hat-json, whose docstring has the first two.
#[test]
fn missing_parts_are_made() {
    let set = |document: &str, path: Pointer| {
        let mut document = value(document);
        document.set(&path, 5, &Limits::default()).expect("fits");
        document.to_string()
    };
    let root = Pointer::root;
    assert_eq!(set(r#"[1,{"a":2,"b":3},4]"#, root().child(1).child("b")), r#"[1,{"a":2,"b":5},4]"#);
    assert_eq!(set("[1,2,3]", root().child(4)), "[1,2,3,null,5]");
    assert_eq!(set("null", root().child("a").child(2).child("b")), r#"{"a":[null,null,{"b":5}]}"#);
    assert_eq!(set(r#"{"a":1}"#, root().child("a").child("b")), r#"{"a":{"b":5}}"#);
    assert_eq!(set("[1]", root().child("a")), r#"{"a":5}"#);
    assert_eq!(set("1", root()), "5");
    // where a pointer means more than the type of a key
    assert_eq!(set("null", path("/a/0")), r#"{"a":{"0":5}}"#);
    assert_eq!(set("[1]", path("/1")), "[1,5]");
    assert_eq!(set("[1]", path("/-")), "[1,5]");
    assert_eq!(set(r#"{"a":1}"#, root().child(0)), r#"{"0":5,"a":1}"#);
}

#[test]
fn limits() {
    let mut state = State::new(Limits::new(3, 1_000_000));
    let error = state.set(&path("/a/b"), value("[[]]")).expect_err("too deep");
    assert_eq!(error, SetError::TooDeep { path: "/a/b".into(), limit: 3 });
    state.set(&path("/a/b"), value("[]")).expect("fits");
    let error = state.set(&Pointer::root().child("a").child(usize::MAX), 1);
    assert_eq!(error, Ok(()), "a name, as `a` is an object");
    let error = state.set(&Pointer::root().child("l").child(70_000), 1).expect_err("too far");
    assert_eq!(error, SetError::Padding { path: "/l/70000".into(), limit: 65_536 });
    let error = state.set(&path("/a"), "x".repeat(1_000_000)).expect_err("too large");
    assert_eq!(error, SetError::TooLarge { path: "/a".into(), limit: 1_000_000 });
    // what gives way makes room
    for _ in 0..3 {
        state.set(&path("/a"), "x".repeat(900_000)).expect("fits");
    }
    // copies of the whole count in full
    let grown = (0..100).take_while(|name| {
        let whole = state.value().clone();
        state.set(&Pointer::root().child(*name), whole["a"].clone()).is_ok()
    });
    assert_eq!(grown.count(), 0);
    assert_eq!(
        state.update(&path("/b"), |value| {
            *value = 1.into();
            "done"
        }),
        Ok("done")
    );
}

#[test]
fn more_changes_than_are_remembered() {
    let wide = (0..10_000).map(|at: i64| (at.to_string(), at)).collect::<hat_core::json::Object>();
    let mut state = State::default();
    state.replace(wide).expect("fits");
    let before = state.flush().map(|_| state.value().clone()).expect("changes");
    for at in (0..10_000_i64).step_by(2) {
        state.set(&Pointer::root().child(at.to_string()), -at).expect("fits");
    }
    let patch: Patch = flushed(&mut state).parse().expect("a patch");
    assert_eq!(patched(&before, &patch), *state.value());
}

#[test]
fn an_insert_at_the_head_of_a_list_is_short() {
    let record = |id: i64| {
        value(&format!(
            r#"{{"id": {id}, "name": "device {id}", "values": [1, 2, 3], "quality": "good", "unit": "kW"}}"#
        ))
    };
    let list = |from: i64| (from..=300).map(record).collect::<Value>();
    let patch = diff(&list(1), &list(0)).to_string();
    assert_eq!(patch, format!(r#"[{{"op":"add","path":"/0","value":{}}}]"#, record(0)));
    let numbers = |from: i64| (from..=300).collect::<Value>();
    assert_eq!(
        diff(&numbers(1), &numbers(0)).to_string(),
        r#"[{"op":"add","path":"/0","value":0}]"#
    );
    assert_eq!(diff(&numbers(0), &numbers(1)).to_string(), r#"[{"op":"remove","path":"/0"}]"#);
    // and two far from each other, in the middle of others
    let mut array = numbers(0).as_array().expect("a list").clone();
    array.insert(200, "y");
    array.remove(100);
    let expected = r#"[{"op":"remove","path":"/100"},{"op":"add","path":"/199","value":"y"}]"#;
    assert_eq!(diff(&numbers(0), &array.into()).to_string(), expected);
}

/// What somebody does with the state.
#[derive(Clone, Debug)]
enum Step {
    Change(Edit),
    Replace(Value),
    /// An edit of a part that the owner gets to change in place.
    Update(Edit, Edit),
    Flush,
    Join,
    /// A connection misses the next flush.
    Miss(usize),
    Leave(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => edits().prop_map(Step::Change),
        1 => documents().prop_map(Step::Replace),
        2 => (edits(), edits()).prop_map(|(part, edit)| Step::Update(part, edit)),
        3 => Just(Step::Flush),
        1 => Just(Step::Join),
        1 => (0..4_usize).prop_map(Step::Miss),
        1 => (0..4_usize).prop_map(Step::Leave),
    ];
    vec(step, 0..40)
}

/// A connection: what its peer has made of the patches that it got.
#[derive(Default)]
struct Follower {
    version: u64,
    value: Value,
    misses: bool,
}

impl Follower {
    fn take(&mut self, (version, patch): (u64, &str)) {
        let patch: Patch = patch.parse().expect("a patch");
        self.value = patched(&self.value, &patch);
        self.version = version;
    }
}

/// `set_` and `remove` of hat-json, on another implementation of values.
fn model(document: &mut serde_json::Value, tokens: &[Token], value: Option<&Value>) {
    use serde_json::Value as Json;
    let Some((token, rest)) = tokens.split_first() else {
        *document = value.into();
        return;
    };
    let name = token.as_name().into_owned();
    let index = token.as_index();
    if value.is_none() {
        let is_last = rest.is_empty();
        match (document, index) {
            (Json::Array(list), Some(index)) if index < list.len() && is_last => {
                drop(list.remove(index));
            }
            (Json::Array(list), Some(index)) if index < list.len() => {
                model(&mut list[index], rest, None);
            }
            (Json::Object(object), _) if is_last => drop(object.remove(&name)),
            (Json::Object(object), _) => {
                if let Some(child) = object.get_mut(&name) {
                    model(child, rest, None);
                }
            }
            _ => {}
        }
        return;
    }
    if let Json::Array(list) = document
        && (token.is_end() || index.is_some())
    {
        let index = index.unwrap_or(list.len());
        list.resize(list.len().max(index + 1), Json::Null);
        return model(&mut list[index], rest, value);
    }
    if !document.is_object() {
        *document = serde_json::json!({});
    }
    model(document.as_object_mut().expect("is one").entry(name).or_insert(Json::Null), rest, value);
}

proptest! {
    #[test]
    fn everybody_follows(steps in steps()) {
        let mut state = State::default();
        let mut expected = serde_json::Value::Null;
        let mut followers = vec![Follower::default()];
        for step in steps {
            match step {
                Step::Change(edit) => {
                    let path = edit.path(state.value());
                    match edit.value() {
                        Some(value) => state.set(&path, value.clone()).expect("within the limits"),
                        None => drop(state.remove(&path)),
                    }
                    model(&mut expected, path.tokens(), edit.value());
                }
                Step::Replace(value) => {
                    expected = (&value).into();
                    state.replace(value).expect("within the limits");
                }
                Step::Update(part, edit) => {
                    let path = part.path(state.value());
                    let changed = state.update(&path, |value| { edit.make(value); value.clone() });
                    model(&mut expected, path.tokens(), Some(&changed.expect("within the limits")));
                }
                Step::Flush => {
                    let before = state.version();
                    let Some(Flush { from, to, patch }) = state.flush() else {
                        prop_assert_eq!(state.version(), before);
                        continue;
                    };
                    prop_assert_eq!((from, to, state.version()), (before, before + 1, before + 1));
                    for follower in &mut followers {
                        if std::mem::take(&mut follower.misses) {
                            continue;
                        }
                        if follower.version == from {
                            follower.take((to, &patch));
                        } else {
                            let (version, whole) = state.whole();
                            follower.take((version, &whole));
                        }
                        prop_assert_eq!(&follower.value, state.value(), "{}", patch);
                    }
                }
                Step::Join => {
                    let (version, whole) = state.whole();
                    let mut follower = Follower::default();
                    follower.take((version, &whole));
                    followers.push(follower);
                }
                Step::Miss(who) => followers.iter_mut().skip(who).take(1).for_each(|one| one.misses = true),
                Step::Leave(who) if who < followers.len() => drop(followers.remove(who)),
                Step::Leave(_) => {}
            }
            prop_assert_eq!(state.value(), &Value::from(expected.clone()));
        }
    }
}
