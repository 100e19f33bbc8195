//! Reading and writing: literal texts first.

use hat_core::json::{
    Array, Limits, Object, ParseError, Patch, Pointer, PointerError, Token, Value, check, diff,
    lossy_text,
};

use super::{path, value};

#[test]
fn compact_with_sorted_names() {
    let text = "\n{ \"b\" : [ 1 , -2.50 , 1e2, true, null ] ,\t\"a\" : { } , \"\" : \"\" }\r\n";
    assert_eq!(value(text).to_string(), r#"{"":"","a":{},"b":[1,-2.5,100.0,true,null]}"#);
}

#[test]
fn of_two_members_with_one_name_the_last_counts() {
    assert_eq!(value(r#"{"a": 1, "b": 2, "a": {"c": 3}, "a": 4}"#).to_string(), r#"{"a":4,"b":2}"#);
}

#[test]
fn escapes() {
    let text = r#""\u0000\u001f\b\f\n\r\t\"\\\/\u0107\ud83d\ude00č😀""#;
    let read = value(text);
    assert_eq!(read.as_str(), Some("\0\u{1f}\u{8}\u{c}\n\r\t\"\\/ć😀č😀"));
    let written = r#""\u0000\u001f\u0008\u000c\n\r\t\"\\/ć😀č😀""#;
    assert_eq!(read.to_string(), written);
    assert_eq!(value(written), read);
}

#[test]
fn numbers_keep_their_value() {
    for text in ["0", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615"] {
        assert_eq!(value(text).to_string(), text);
    }
    // doubles that come back changed without exact reading
    for text in ["0.1", "5e-324", "1.7976931348623157e308", "122.416294033786585", "-0.0"] {
        let exact: f64 = text.parse().expect("a double");
        let read = value(text).as_f64().expect("a number");
        assert_eq!(read.to_bits(), exact.to_bits(), "{text}");
    }
    // an integer that no 64 bits hold becomes the double nearest to it
    assert_eq!(value("18446744073709551616"), Value::from(18_446_744_073_709_551_616.0));
    assert!(Value::parse("1e400", &Limits::default()).is_err());
}

#[test]
fn equal_numbers_and_others() {
    for (one, other) in
        [("1", "1.0"), ("0", "-0.0"), ("1e2", "100"), ("9007199254740992", "9007199254740992.0")]
    {
        assert_eq!(value(one), value(other));
    }
    for (one, other) in [
        ("1", "true"),
        ("0", "false"),
        ("0", "null"),
        ("1", "\"1\""),
        ("[1]", "[true]"),
        ("[]", "{}"),
        // they differ by one, and no double holds the first
        ("9007199254740993", "9007199254740992.0"),
        ("18446744073709551615", "18446744073709551616"),
    ] {
        assert_ne!(value(one), value(other));
    }
}

#[test]
fn what_is_no_json() {
    let refused = [
        "",
        " ",
        "NaN",
        "Infinity",
        "-",
        "01",
        "+1",
        ".5",
        "1.",
        "'a'",
        "[1,]",
        "[1 2]",
        "{\"a\"}",
        "{a:1}",
        "{\"a\":1,}",
        "\"\n\"",
        "\"\\x\"",
        "\"\\ud80\"",
        "\"\\ud800\\u12g4\"",
        "\"\\",
        "\"\\ud83d\\",
        "\"\u{1f}\"",
        "1e",
        "1e+",
        "-01",
        "--1",
        "truex",
        "[1",
        "{\"a\":",
        "{\"a\" 1}",
        "{,}",
        "1\u{a0}",
        "nul",
        "1 2",
        "[",
        "{",
        "\"",
        "[1]]",
        "\u{feff}1",
    ];
    for text in refused {
        let error = Value::parse(text, &Limits::default()).expect_err(text);
        assert!(matches!(error, ParseError::Syntax { .. }), "{text}: {error}");
    }
}

#[test]
fn errors_say_where() {
    let error = Value::parse("{\n  \"a\": tru }", &Limits::default()).expect_err("not JSON");
    assert!(matches!(error, ParseError::Syntax { line: 2, column: 11, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "invalid JSON at line 2 column 11: this is not a value: only null, true and false are words"
    );

    let limits = Limits { depth: 2, ..Limits::default() };
    let error = Value::parse("[\n[[1]]]", &limits).expect_err("too deep");
    assert_eq!(error, ParseError::TooDeep { line: 2, column: 2, limit: 2 });
    assert!(Value::parse("[[1],{\"a\":2},[]]", &limits).is_ok());
}

/// RFC 8259 section 8.2: they fit the grammar, and Python's `json.dumps("\ud83d")` and browsers
/// write them.
#[test]
fn halves_of_surrogate_pairs_stay_what_they_are() {
    for text in [
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""a\ud800b\udfffc""#,
        // two halves in the wrong order, and two of the same
        r#""\ude00\ud83d""#,
        r#""\ud83d\ud83d""#,
        r#"{"\ud83d":["\udbff",{"\udc00":1}]}"#,
        "\"\\ud83d\u{10ffff}\u{10f03d}\"",
        "\"\u{10ffff}\"",
        "\"\u{10ffff}\u{10ffff}\u{10f000}\"",
    ] {
        let read = value(text);
        assert_eq!(read.to_string(), text);
        assert_eq!(value(&read.to_string()), read);
        assert_eq!(check(text, 128), Ok(()));
    }
    assert_eq!(value(r#""\uD83D\uDE00\ud83d\n""#).to_string(), r#""😀\ud83d\n""#);
    // the mark written as an escape is the mark
    assert_eq!(value(r#""\udbff\udfff""#), value("\"\u{10ffff}\""));
    let different = [
        r#""\ud83d""#,
        r#""\ud83e""#,
        "\"\u{fffd}\"",
        "\"\u{10f03d}\"",
        "\"\u{10ffff}\u{10f03d}\"",
    ];
    for (at, one) in different.iter().enumerate() {
        for other in &different[at + 1..] {
            assert_ne!(value(one), value(other));
        }
    }
    assert_eq!(
        lossy_text(value(r#""a\ud83d\ude00\ude00b""#).as_str().expect("text")),
        "a😀\u{fffd}b"
    );
    assert_eq!(lossy_text("\u{10ffff}\u{10ffff}x\u{10ffff}"), "\u{10ffff}x\u{10ffff}");
    assert_eq!(
        serde_json::Value::from(&value(r#"{"\ud83d":"\ude00"}"#)),
        serde_json::json!({"\u{fffd}": "\u{fffd}"})
    );
}

#[test]
fn halves_of_surrogate_pairs_are_patched_as_any_text() {
    let mut state = value(r#"{"\ud83d":"a","b":"\ud83d"}"#);
    let patch = r#"[{"op":"replace","path":"/\ud83d","value":"\ude00"},{"op":"test","path":"/b","value":"\ud83d"}]"#;
    let patch: Patch = patch.parse().expect("a patch");
    patch.apply(&mut state, &Limits::default()).expect("it fits");
    assert_eq!(state.to_string(), r#"{"b":"\ud83d","\ud83d":"\ude00"}"#);
    let back = diff(&state, &value(r#"{"b":"\ud83d"}"#));
    assert_eq!(back.to_string(), r#"[{"op":"remove","path":"/\ud83d"}]"#);
    assert_eq!(back.to_string().parse(), Ok(back));
}

#[test]
fn checked_without_being_read() {
    assert_eq!(check(r#" {"a": [1, -2.5e-3, "x\n", true, null, {}, []]} "#, 3), Ok(()));
    let error = check("[[[]]]", 2).expect_err("too deep");
    assert_eq!(error, ParseError::TooDeep { line: 1, column: 3, limit: 2 });
    let error = check("[1,", 128).expect_err("not JSON");
    assert_eq!(
        error.to_string(),
        "invalid JSON at line 1 column 4: the text ends inside the value"
    );
    let error = check("[1E400]", 128).expect_err("no double");
    assert_eq!(
        error.to_string(),
        "invalid JSON at line 1 column 2: the number is larger than any double"
    );
}

#[test]
fn pointers() {
    // the examples of RFC 6901
    let document = value(
        r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8}"#,
    );
    assert_eq!(document.get(&path("")), Some(&document));
    assert_eq!(document.get(&path("/foo")), Some(&value(r#"["bar","baz"]"#)));
    for (pointer, there) in [
        ("/foo/0", "\"bar\""),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        assert_eq!(document.get(&path(pointer)), Some(&value(there)), "{pointer}");
        assert_eq!(path(pointer).to_string(), pointer);
    }
    for nowhere in [
        "/foo/2",
        "/foo/-",
        "/foo/00",
        "/foo/01",
        "/foo/+1",
        "/foo/-1",
        "/foo/1e0",
        "/foo/ 1",
        "/foo/99999999999999999999",
        "/foo/0/0",
        "/x",
    ] {
        assert_eq!(document.get(&path(nowhere)), None, "{nowhere}");
    }
}

#[test]
fn what_is_no_pointer() {
    let error = "a/b".parse::<Pointer>();
    assert_eq!(error, Err(PointerError::NoSlash { text: "a/b".into() }));
    for (text, at) in [("/~", 1), ("/~2", 1), ("/a~0/b~", 6), ("/~~0", 1), ("/č~a", 3)] {
        assert_eq!(text.parse::<Pointer>(), Err(PointerError::Escape { text: text.into(), at }));
    }
    // one after the other: `~01` is a tilde and a one
    assert_eq!(path("/~01~1"), Pointer::root().child("~1/"));
}

#[test]
fn names_and_indexes_look_alike() {
    assert_eq!(path("/a/7"), Pointer::new([Token::from("a"), 7.into()]));
    assert_ne!(path("/a/07"), Pointer::new([Token::from("a"), 7.into()]));
    assert_eq!(value(r#"{"7": 1}"#).get(&Pointer::root().child(7)), Some(&1.into()));
}

#[test]
fn building_and_reading() {
    let mut object = Object::from([("b", 1)]);
    assert_eq!(object.insert("a", "x"), None);
    assert_eq!(object.insert("b", Option::<i64>::None), Some(1.into()));
    object.modify("a", |value| *value = [true, false].into());
    let value = Value::from(object);
    assert_eq!(value.to_string(), r#"{"a":[true,false],"b":null}"#);
    assert_eq!(
        (value["a"][0].as_bool(), value["a"][2].is_null(), value["b"]["c"].is_null()),
        (Some(true), true, true)
    );

    let mut array = Array::from_iter([1, 2, 3]);
    assert!(array.insert(0, f64::NAN) && !array.insert(9, 0));
    assert_eq!(
        (array.remove(1), array.remove(3), array.replace(2, u64::MAX)),
        (Some(1.into()), None, Some(3.into()))
    );
    array.push(0.5);
    assert_eq!(Value::from(array).to_string(), "[null,2,18446744073709551615,0.5]");
}
