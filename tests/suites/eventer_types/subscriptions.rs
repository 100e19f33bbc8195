use super::{event_types, list, text, vectors};
use hat_core::eventer::{EventType, Subscription, SubscriptionError};
use proptest::prelude::*;
use serde_json::Value;

fn table(value: &Value) -> Vec<bool> {
    text(value).bytes().map(|byte| byte == b'1').collect()
}

/// What the definition says, without a tree.
fn matches(query_types: &[EventType], event_type: &EventType) -> bool {
    query_types.iter().any(|query| event_type.matches(query))
}

/// All types of up to `depth` of these segments.
fn all_types(segments: &[&str], depth: usize) -> Vec<EventType> {
    let mut level = vec![Vec::new()];
    let mut types = level.clone();
    for _ in 0..depth {
        level = level
            .iter()
            .flat_map(|path| segments.iter().map(move |last| [&path[..], &[*last]].concat()))
            .collect();
        types.extend_from_slice(&level);
    }
    types.into_iter().map(EventType::from_segments).collect()
}

#[test]
fn single_query_types() {
    let vectors = vectors!("subscription_matches");
    let types = event_types(&vectors["event_types"]);
    for case in list(&vectors["single_cases"]) {
        let query = super::event_type(&case["query_type"]);
        let matched: Vec<bool> = types.iter().map(|one| one.matches(&query)).collect();
        assert_eq!(matched, table(&case["matches"]), "{case}");
    }
}

#[test]
fn subscriptions() {
    let vectors = vectors!("subscription_matches");
    let types = event_types(&vectors["event_types"]);
    for case in list(&vectors["cases"]) {
        let made = Subscription::new(event_types(&case["query_types"]));
        for peer in [&case["c"], &case["py"]] {
            if peer.get("error").is_some() {
                assert!(matches!(made, Err(SubscriptionError::StarNotLast { .. })), "{case}");
                continue;
            }
            let subscription = made.as_ref().expect("the peer takes it");
            let matched: Vec<bool> = types.iter().map(|one| subscription.matches(one)).collect();
            assert_eq!(matched, table(&peer["matches"]), "{case}");

            // the peers drop only what a `*` beside it covers: what is left here is left there
            let sanitized = event_types(&peer["sanitized"]);
            let reduced = subscription.query_types();
            assert!(reduced.iter().all(|query| sanitized.contains(query)), "{case}: {reduced:?}");
            assert_eq!(Subscription::new(&sanitized).as_ref(), Ok(subscription), "{case}");
        }
    }
}

#[test]
fn algebra() {
    let vectors = vectors!("subscription_algebra");
    let types = all_types(&["a", "b", "", "z"], 4);
    for case in list(&vectors["cases"]) {
        let first = Subscription::new(event_types(&case["first"])).expect("valid");
        let second = Subscription::new(event_types(&case["second"])).expect("valid");
        let union = first.union(&second).expect("small");
        let intersection = first.intersection(&second).expect("small");

        for one in &types {
            let (in_first, in_second) = (first.matches(one), second.matches(one));
            assert_eq!(union.matches(one), in_first || in_second, "{one:?} of {case}");
            assert_eq!(intersection.matches(one), in_first && in_second, "{one:?} of {case}");
        }
        let disjoint = first.is_disjoint(&second).expect("small");
        assert_eq!(Value::from(disjoint), case["disjoint"], "{case}");
        assert_eq!(disjoint, intersection.is_empty(), "{case}");

        for peer in [&case["c"], &case["py"]] {
            if peer["union_correct"] == true {
                assert_eq!(Subscription::new(event_types(&peer["union"])), Ok(union.clone()));
            }
            if peer["intersection_correct"] == true {
                let peers = Subscription::new(event_types(&peer["intersection"])).expect("valid");
                let differs =
                    types.iter().find(|one| peers.matches(one) != intersection.matches(one));
                assert_eq!(differs, None, "{case}");
            }
        }
    }
}

fn query_types() -> impl Strategy<Value = Vec<EventType>> {
    let segment = prop::sample::select(vec!["a", "b", "?", "?"]);
    let query = (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(path, rest)| {
        EventType::from_segments(path.into_iter().chain(rest.then_some("*")))
    });
    prop::collection::vec(query, 0..7)
}

proptest! {
    #[test]
    fn the_tree_is_the_definition(first in query_types(), second in query_types()) {
        // `c` stands for every segment that no query type names
        let types = all_types(&["a", "b", "c"], 4);
        let a = Subscription::new(&first).expect("valid");
        let b = Subscription::new(&second).expect("valid");
        let union = a.union(&b).expect("small");
        let both = a.intersection(&b).expect("small");
        let mut disjoint = true;
        for one in &types {
            let (in_a, in_b) = (matches(&first, one), matches(&second, one));
            prop_assert_eq!(a.matches(one), in_a, "{:?}", one);
            prop_assert_eq!(union.matches(one), in_a || in_b, "{:?}", one);
            prop_assert_eq!(both.matches(one), in_a && in_b, "{:?}", one);
            disjoint &= !(in_a && in_b);
        }
        prop_assert_eq!(a.is_disjoint(&b), Ok(disjoint));
        prop_assert_eq!(b.is_disjoint(&a), Ok(disjoint));
        prop_assert_eq!(b.intersection(&a).expect("small"), both);
    }

    #[test]
    fn reduced_is_the_same_and_none_covers_another(query_types in query_types()) {
        let subscription = Subscription::new(&query_types).expect("valid");
        let reduced = subscription.query_types();
        prop_assert_eq!(Subscription::new(&reduced).expect("valid"), subscription.clone());
        let reversed: Vec<_> = query_types.iter().rev().collect();
        prop_assert_eq!(Subscription::new(reversed).expect("valid"), subscription);

        let types = all_types(&["a", "b", "c"], 4);
        for (index, query) in reduced.iter().enumerate() {
            for (other, covering) in reduced.iter().enumerate() {
                let covered =
                    types.iter().all(|one| !one.matches(query) || one.matches(covering));
                prop_assert!(index == other || !covered, "{:?} covers {:?}", covering, query);
            }
        }
    }
}
