use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;

fn types(texts: &str) -> Vec<EventType> {
    texts.split_whitespace().map(parse).collect()
}

/// `.` is the type without segments.
fn parse(text: &str) -> EventType {
    let text = if text == "." { "" } else { text };
    text.parse().unwrap_or_else(|never| match never {})
}

#[track_caller]
fn subscription(texts: &str) -> Subscription {
    Subscription::new(types(texts)).expect("valid query types")
}

#[track_caller]
fn matching(query_types: &str, matched: &str, unmatched: &str) {
    let subscription = subscription(query_types);
    for event_type in types(matched) {
        assert!(subscription.matches(&event_type), "{event_type:?} by {query_types}");
    }
    for event_type in types(unmatched) {
        assert!(!subscription.matches(&event_type), "{event_type:?} by {query_types}");
    }
}

#[track_caller]
fn reduced(query_types: &str, expected: &str) {
    let shown: Vec<String> = subscription(query_types)
        .into_iter()
        .map(|query| if query.is_empty() { ".".into() } else { query.to_string() })
        .collect();
    assert_eq!(shown.join(" "), expected, "of {query_types}");
}

#[test]
fn what_matches() {
    matching("", "", ". a");
    matching(".", ".", "a a/b");
    matching("*", ". a a/b/c", "");
    matching("a", "a", ". b a/a");
    matching("?", "a b", ". a/b");
    matching("a/*", "a a/b a/b/c", ". b b/a");
    matching("?/b/*", "a/b c/b/d/e", "a b a/c");
    matching("a/?/c ?/b/d", "a/b/c a/b/d x/b/d a/x/c", "a/x/d x/b/c a/b");
}

#[test]
fn what_another_member_covers_is_dropped() {
    reduced("a/b a/?", "a/?");
    reduced("a a/b/c a/*", "a/*");
    reduced("a/? a/*", "a/*");
    reduced("* . a ?", "*");
    reduced("?/* .", ". ?/*");
    reduced("a/? ?/b a/b", "?/b a/?");
    reduced("a/?/* a/b", "a/?/*");
    reduced("a/b/* ?/b/c ?/?/*", "?/?/*");
    reduced("b a c a", "a b c");
    reduced("a/? b/a/?", "a/? b/a/?");
}

#[test]
fn equal_in_whatever_form() {
    assert_eq!(subscription("a/? a/b c"), subscription("c a/?"));
    assert_ne!(subscription("a"), subscription("b"));
    assert_eq!(subscription(""), Subscription::default());
    assert!(Subscription::default().is_empty() && !subscription(".").is_empty());
    assert_eq!(format!("{:?}", subscription("b a/?")), r#"{["a", "?"], ["b"]}"#);
}

#[test]
fn union_intersection_and_disjointness() {
    let union = |a, b| subscription(a).union(&subscription(b)).expect("small");
    let both = |a, b| subscription(a).intersection(&subscription(b)).expect("small");
    assert_eq!(union("a/b c", "a/?"), subscription("a/? c"));
    assert_eq!(both("a/b/*", "a/b"), subscription("a/b"));
    assert_eq!(both("a/?", "?/b"), subscription("a/b"));
    assert_eq!(both("a/*", "?/?/*"), subscription("a/?/*"));
    assert_eq!(both("* ", ". a/b ?/c"), subscription(". a/b ?/c"));
    assert_eq!(both("a", "a/b"), subscription(""));
    let disjoint = |first, second| subscription(first).is_disjoint(&subscription(second));
    assert_eq!(disjoint("a", "a/b ?/?"), Ok(true));
    assert_eq!(disjoint("a/*", "a"), Ok(false));
    assert_eq!(disjoint("", "*"), Ok(true));
}

#[test]
fn errors_say_which_query_type() {
    let error = |texts| Subscription::new(types(texts)).expect_err("invalid");
    assert_eq!(error("a */b"), SubscriptionError::StarNotLast { index: 1 });
    assert_eq!(error("* */*"), SubscriptionError::StarNotLast { index: 1 });
    let deep = EventType::from_segments(["a"; MAX_DEPTH + 1]);
    assert_eq!(
        Subscription::new(&[deep]),
        Err(SubscriptionError::TooDeep { index: 0, depth: MAX_DEPTH + 1 })
    );
    let longest = EventType::from_segments(["?"; MAX_DEPTH]);
    assert!(Subscription::new([&longest]).expect("at the limit").matches(&longest));
}

/// `a` or `?` in every place, and a segment of its own at the end so that none covers another.
fn branching(places: u32) -> Vec<EventType> {
    (0..1_u32 << places)
        .map(|bits| {
            let place = |place| if bits >> place & 1 == 0 { "a" } else { "?" };
            let own = format!("x{bits}");
            EventType::from_segments((0..places).map(place).chain([&own[..]]))
        })
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn branches_at_every_segment_are_refused_or_fast() {
    assert_eq!(
        Subscription::new(branching(9)),
        Err(SubscriptionError::TooManyPatterns { patterns: 512 })
    );
    let subscription = Subscription::new(branching(8)).expect("256 patterns");
    assert_eq!(subscription.query_types().len(), 256);
    let path = |last| EventType::from_segments(["a"; 8].into_iter().chain([last]));
    assert!(subscription.matches(&path("x255")) && !subscription.matches(&path("x256")));
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn a_long_chain_of_any_takes_no_stack_and_little_time() {
    let chains: Vec<_> =
        (1..=MAX_DEPTH).map(|depth| EventType::from_segments(vec!["?"; depth])).collect();
    let subscription = Subscription::new(&chains).expect("a pattern each");
    assert!(subscription.matches(&EventType::from_segments(["a"; MAX_DEPTH])));
    assert!(!subscription.matches(&EventType::from_segments(vec!["a"; 100_000])));
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn an_intersection_that_explodes_is_refused() {
    let many = |before: &str, after: &str| -> Vec<EventType> {
        (0..3000).map(|index| parse(&format!("{before}{index}{after}"))).collect()
    };
    let first = Subscription::new(many("?/", "")).expect("one pattern");
    let second = Subscription::new(many("", "/?")).expect("one pattern");
    assert_eq!(first.intersection(&second), Err(SubscriptionError::TooLarge));
    assert_eq!(first.is_disjoint(&second), Ok(false), "the first pair says so");
    // nine million pairs, none of which is an end
    let first = Subscription::new(many("?/", "/a")).expect("one pattern");
    let second = Subscription::new(many("", "/?/b")).expect("one pattern");
    assert_eq!(first.is_disjoint(&second), Err(SubscriptionError::TooLarge));
    assert_eq!(second.is_disjoint(&first), Err(SubscriptionError::TooLarge));
}

/// Types of up to `depth` segments that are `?` or a letter each, which cover each other in many
/// ways.
fn covering(types: usize, depth: usize, patterns: usize) -> Vec<EventType> {
    (0..types)
        .map(|index| {
            let ways = index % patterns;
            let segment =
                |place: usize| if place < 7 && ways >> place & 1 == 1 { "?" } else { "a" };
            let own = format!("{}", index / patterns);
            EventType::from_segments((0..depth - 1).map(segment).chain([&own[..]]))
        })
        .collect()
}

/// Steps besides the way of each type itself.
fn branches(types: &[EventType]) -> usize {
    let mut sorted: Vec<_> = types.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let trie = Trie::new(&sorted);
    let mut left = usize::MAX;
    for query_type in &sorted {
        trie.covers_besides_itself(query_type, &mut left);
    }
    usize::MAX - left
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn work_to_find_what_covers_what_has_a_budget() {
    // half a megabyte that would take two million steps
    let hostile = covering(20_000, 14, 64);
    assert!(branches(&hostile) > MAX_BRANCHES, "{}", branches(&hostile));
    assert_eq!(Subscription::new(&hostile), Err(SubscriptionError::TooLarge));
    // as large, and as they are in use
    let usual: Vec<_> = (0..20_000)
        .map(|index| parse(&format!("gateway/{}/device/{index}/?/value", index % 100)))
        .collect();
    assert_eq!(branches(&usual), 0);
    assert!(Subscription::new(&usual).is_ok());
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn a_look_up_has_a_budget_of_steps() {
    // eight different starts below the seventh segment, to the end
    let long = |depth| covering(128, depth, 128);
    assert!(Subscription::new(long(8)).is_ok());
    let steps = match Subscription::new(long(100)) {
        Err(SubscriptionError::TooManySteps { steps }) => steps,
        other => panic!("{other:?}"),
    };
    assert!(steps > MAX_STEPS && steps <= 128 * 100, "{steps}");
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn what_it_takes_while_it_is_made_has_a_limit() {
    // a byte each on the wire, and a node each where nothing is in common
    let empty = |types: usize, segments: usize| {
        (0..types).map(move |index| {
            let own = format!("{index}");
            EventType::from_segments([&own[..]].into_iter().chain((1..segments).map(|_| "")))
        })
    };
    assert!(Subscription::new(empty(MAX_SEGMENTS / 128, 128)).is_ok());
    let more = empty(MAX_SEGMENTS / 128, 128).chain(empty(1, 1));
    assert_eq!(Subscription::new(more), Err(SubscriptionError::TooManySegments));
}
