//! Messages in segments, cut anywhere, with pings between them.

use hat_tests::pair::GRAINS;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const NOTIFY: &str = r#"{"type":"notify","name":"čšž🚀","data":[1,"日本🚀",null]}"#;

/// `text` in segments that end at `cuts`, with a ping behind each that asks for one.
fn segments(text: &str, cuts: &[(usize, bool)]) -> Vec<String> {
    let mut cuts: Vec<_> = cuts
        .iter()
        .map(|&(at, ping)| (text.floor_char_boundary(at % (text.len() + 1)), ping))
        .collect();
    cuts.sort_unstable();
    let (mut segments, mut from) = (Vec::new(), 0);
    for (at, ping) in cuts {
        segments.push(format!("1{}", &text[from..at]));
        if ping {
            segments.push(format!("2{at}"));
        }
        from = at;
    }
    segments.push(format!("0{}", &text[from..]));
    segments
}

#[test]
fn at_every_place() {
    for grain in GRAINS {
        for cut in 0..=NOTIFY.len() {
            let mut pair = to_client(client_config(), grain);
            let segments = segments(NOTIFY, &[(cut, true)]);
            say(&mut pair, &segments.iter().map(String::as_str).collect::<Vec<_>>());
            let expected = ("čšž🚀".to_owned(), json(r#"[1,"日本🚀",null]"#));
            assert_eq!(notified(pair.b.take()), expected);
            assert_eq!(texts(&mut pair.a).len(), 1, "a pong");
        }
    }
}

/// A message that is not complete is not given, and another cannot start inside of it: it would be
/// a part of it.
#[test]
fn without_the_last() {
    let mut pair = to_client(client_config(), 7);
    say(&mut pair, &["1{\"type\":", "3"]);
    assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
    say(&mut pair, &[&format!("0{NOTIFY}")]);
    assert!(matches!(pair.b.error, Some(juggler::Error::Json(_))));
}

/// A segment of any size is taken, whatever size we send.
#[test]
fn theirs_may_be_larger_than_ours() {
    let transport = juggler::Config { max_segment_size: 10, ..quiet() };
    let mut pair = to_client(client::Config { transport, ..client_config() }, usize::MAX);
    let data = "x".repeat(1_000_000);
    say(&mut pair, &[&format!(r#"0{{"type":"notify","name":"n","data":"{data}"}}"#)]);
    assert_eq!(notified(pair.b.take()), ("n".into(), data.into()));
}

proptest! {
    #[test]
    fn at_any_places_with_pings_between(
        cuts in vec((any::<usize>(), any::<bool>()), 0..20),
        grain in 1_usize..100,
    ) {
        let mut pair = to_client(client_config(), grain);
        let segments = segments(NOTIFY, &cuts);
        say(&mut pair, &segments.iter().map(String::as_str).collect::<Vec<_>>());
        let expected = ("čšž🚀".to_owned(), json(r#"[1,"日本🚀",null]"#));
        prop_assert_eq!(notified(pair.b.take()), expected);
        let pings = segments.iter().filter_map(|segment| segment.strip_prefix('2'));
        let pongs: Vec<_> = pings.map(|payload| format!("3{payload}")).collect();
        prop_assert_eq!(texts(&mut pair.a), pongs);
    }

    /// Any text, sent in segments of any size, arrives; and by either peer's count no segment is
    /// larger.
    #[test]
    fn of_any_size(text in "\\PC{0,200}", max in 0_usize..40, grain in 1_usize..100) {
        let transport = juggler::Config { max_segment_size: max, ..quiet() };
        let ours = client::Config { transport, ..client_config() };
        let mut pair = both_of(ours.clone(), server_config(), grain);
        pair.a.machine.request(&format!("n{text}"), &text.clone().into()).expect("room");
        pair.drive();
        let (_, name, data) = asked(pair.b.take());
        prop_assert_eq!((name, data), (format!("n{text}"), text.clone().into()));

        let mut pair = to_client(ours, grain);
        pair.b.machine.request("n", &text.into()).expect("room");
        pair.drive();
        for segment in texts(&mut pair.a) {
            let (points, units) = (segment.chars().count(), segment.encode_utf16().count());
            let one_character = points == 2;
            prop_assert!(units <= max + 1 || one_character, "{max}: {segment}");
        }
    }
}
