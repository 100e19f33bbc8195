//! What a deployed server keeps, as rules.
//!
//! There, an event is kept as long as one of the partitions that it belongs to keeps it, or as long
//! as it is the latest of its type, where such are kept. Here, the first rule that is for its type
//! decides. So there is a rule for each way in which partitions overlap, those of the most
//! partitions first: it keeps what the most generous of them does, and never less. Partitions by
//! source timestamps have events of their own, and what has none takes no room in them: they are
//! limits of their own in a rule. What belongs to no partition goes.

use std::time::Duration;

use hat_core::eventer::{Subscription, SubscriptionError};

use super::retention::{QueryType, RuleSettings, SourceSettings, subscription};

/// The most rules that partitions may make: 256. A rule is looked up for every event.
const MAX_RULES: usize = 256;

/// By which timestamp a partition is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderBy {
    Timestamp,
    Source,
}

/// A partition of the LMDB backend.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) order_by: OrderBy,
    pub(super) types: Vec<QueryType>,
    pub(super) limit: Limit,
}

/// What a partition keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limit {
    pub(super) min_entries: u64,
    pub(super) max_entries: Option<u64>,
    pub(super) max_age: Option<Duration>,
    pub(super) max_bytes: Option<u64>,
}

/// Why partitions cannot be said as rules.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Types(#[from] SubscriptionError),
    #[error("the partitions overlap in more than {MAX_RULES} ways: write [[store.rules]] instead")]
    TooMany,
}

/// Types, and who keeps them.
struct Overlap {
    types: Subscription,
    /// Partitions, by their place.
    partitions: Vec<usize>,
    latest: bool,
}

/// The rules that keep what these do.
pub(super) fn rules(
    latest: &[QueryType],
    partitions: &[Partition],
) -> Result<Vec<RuleSettings>, Error> {
    let everything = QueryType("*".parse().unwrap_or_else(|never| match never {}));
    let mut overlaps: Vec<Overlap> = Vec::new();
    let of_latest = (subscription(latest)?, None);
    let of_partitions = partitions.iter().enumerate();
    let of_partitions =
        of_partitions.map(|(at, it)| Ok::<_, Error>((subscription(&it.types)?, Some(at))));
    for member in of_partitions.chain([Ok(of_latest)]) {
        let (types, at) = member?;
        let mut further = vec![Overlap {
            types: types.clone(),
            partitions: at.into_iter().collect(),
            latest: at.is_none(),
        }];
        for overlap in &overlaps {
            let mut partitions = overlap.partitions.clone();
            partitions.extend(at);
            let types = overlap.types.intersection(&types)?;
            further.push(Overlap { types, partitions, latest: overlap.latest || at.is_none() });
        }
        overlaps.extend(further.into_iter().filter(|overlap| !overlap.types.is_empty()));
        if overlaps.len() > MAX_RULES {
            return Err(Error::TooMany);
        }
    }
    let of_how_many = |overlap: &Overlap| overlap.partitions.len() + usize::from(overlap.latest);
    overlaps.sort_by_key(|overlap| std::cmp::Reverse(of_how_many(overlap)));

    let mut covered = Subscription::default();
    let mut rules = Vec::new();
    for overlap in overlaps {
        // where rules before it match whatever it matches, it decides nothing
        let with = covered.union(&overlap.types)?;
        if with != covered {
            covered = with;
            rules.push(rule(&overlap, partitions));
        }
    }
    let all = subscription(std::slice::from_ref(&everything))?;
    if covered != all {
        let types = vec![everything];
        let (max_entries, keep_latest) = (Some(0), Some(false));
        rules.push(RuleSettings { types, max_entries, keep_latest, ..RuleSettings::default() });
    }
    // a rule that keeps everything says nothing
    while rules.last().is_some_and(keeps_everything) {
        rules.pop();
    }
    Ok(rules)
}

fn keeps_everything(rule: &RuleSettings) -> bool {
    rule.max_entries.is_none() && rule.max_age.is_none() && rule.max_bytes.is_none()
}

/// What the most generous of the partitions keeps, of each order.
fn rule(overlap: &Overlap, partitions: &[Partition]) -> RuleSettings {
    let types = overlap.types.query_types().into_iter().map(QueryType).collect();
    let keep_latest = (!overlap.latest).then_some(false);
    let rule = RuleSettings { types, keep_latest, ..RuleSettings::default() };
    let limit = |order_by| {
        let of = overlap.partitions.iter().map(|at| &partitions[*at]);
        let of = of.filter(|partition| partition.order_by == order_by);
        of.map(|partition| partition.limit).reduce(Limit::or)
    };
    let limits = (limit(OrderBy::Timestamp), limit(OrderBy::Source));
    if [limits.0, limits.1].into_iter().flatten().any(Limit::keeps_everything) {
        // whatever the other keeps
        return rule;
    }
    match limits {
        (None, None) => RuleSettings { max_entries: Some(0), ..rule },
        (Some(limit), None) => limited(rule, limit),
        (Some(limit), Some(by_source)) => {
            RuleSettings { by_source: Some(by_source.settings()), ..limited(rule, limit) }
        }
        // nothing is counted: the age of each event decides
        (None, Some(limit)) if limit.is_age_only() => {
            RuleSettings { age_by_source: Some(true), ..limited(rule, limit) }
        }
        // what has no source timestamp is in none of them: it is not kept for longer than the rest
        (None, Some(limit)) => {
            RuleSettings { by_source: Some(limit.settings()), ..limited(rule, limit) }
        }
    }
}

fn limited(rule: RuleSettings, limit: Limit) -> RuleSettings {
    let SourceSettings { max_entries, min_entries, max_age, max_bytes } = limit.settings();
    RuleSettings { max_entries, min_entries, max_age, max_bytes, ..rule }
}

impl Limit {
    /// The larger of limits; none where one has none.
    fn or(self, other: Self) -> Self {
        fn larger<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.zip(other).map(|(one, other)| one.max(other))
        }
        Self {
            min_entries: self.min_entries.max(other.min_entries),
            max_entries: larger(self.max_entries, other.max_entries),
            max_age: larger(self.max_age, other.max_age),
            max_bytes: larger(self.max_bytes, other.max_bytes),
        }
    }

    fn keeps_everything(self) -> bool {
        self.max_entries.is_none() && self.max_age.is_none() && self.max_bytes.is_none()
    }

    fn is_age_only(self) -> bool {
        self == Self { max_age: self.max_age, ..Self::default() }
    }

    fn settings(self) -> SourceSettings {
        SourceSettings {
            max_entries: self.max_entries,
            min_entries: Some(self.min_entries).filter(|least| *least > 0),
            max_age: self.max_age,
            max_bytes: self.max_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(types: &str) -> Vec<QueryType> {
        let parse = |text: &str| QueryType(text.parse().unwrap_or_else(|never| match never {}));
        types.split_whitespace().map(parse).collect()
    }

    fn partition(of: &str, max_entries: Option<u64>) -> Partition {
        let limit = Limit { max_entries, ..Limit::default() };
        Partition { order_by: OrderBy::Timestamp, types: types(of), limit }
    }

    /// As `types:max_entries`, with `-` where not even the latest is kept.
    fn shown(latest: &str, partitions: &[Partition]) -> Vec<String> {
        let rules = rules(&types(latest), partitions).expect("rules");
        let shown = rules.iter().map(|rule| {
            let types: Vec<_> = rule.types.iter().map(|it| it.0.to_string()).collect();
            let most = rule.max_entries.map_or("all".into(), |most| most.to_string());
            let latest = if rule.keep_latest == Some(false) { "-" } else { "" };
            format!("{}:{most}{latest}", types.join(","))
        });
        shown.collect()
    }

    #[test]
    fn the_usual_ones_are_few() {
        assert_eq!(shown("*", &[partition("*", None)]), [""; 0]);
        assert_eq!(shown("*", &[partition("*", Some(5))]), ["*:5"]);
        assert_eq!(shown("*", &[partition("*", Some(5)), partition("*", Some(9))]), ["*:9"]);
        assert_eq!(shown("*", &[partition("*", Some(5)), partition("*", None)]), [""; 0]);
        assert_eq!(shown("*", &[]), ["*:0"], "the latest only");
        assert_eq!(shown("", &[]), ["*:0-"], "nothing");
    }

    #[test]
    fn each_type_is_kept_as_its_partitions_do() {
        let ab = [partition("a/*", Some(5)), partition("b/*", Some(6))];
        assert_eq!(shown("*", &ab), ["a/*:5", "b/*:6", "*:0"]);
        assert_eq!(shown("a/*", &ab), ["a/*:5", "b/*:6-", "*:0-"]);
        let overlap = [partition("a/*", Some(5)), partition("*", Some(6))];
        assert_eq!(shown("*", &overlap), ["a/*:6", "*:6"]);
        let across = [partition("?/x", Some(5)), partition("a/?", Some(6))];
        assert_eq!(shown("", &across), ["a/x:6-", "?/x:5-", "a/?:6-", "*:0-"]);
        let latest = [partition("a/*", Some(5))];
        assert_eq!(shown("a/b c", &latest), ["a/b:5", "a/*:5-", "a/b,c:0", "*:0-"]);
    }

    fn limit(max_entries: u64, max_age: u64, max_bytes: u64, min_entries: u64) -> Limit {
        let some = |limit| Some(limit).filter(|limit| *limit > 0);
        Limit {
            max_entries: some(max_entries),
            max_age: some(max_age).map(Duration::from_secs),
            max_bytes: some(max_bytes),
            min_entries,
        }
    }

    /// The only rule for partitions of everything.
    fn only_rule(partitions: &[(OrderBy, Limit)]) -> Option<RuleSettings> {
        let of = |(order_by, limit): &(OrderBy, Limit)| Partition {
            order_by: *order_by,
            types: types("*"),
            limit: *limit,
        };
        let partitions: Vec<_> = partitions.iter().map(of).collect();
        let mut rules = rules(&types("*"), &partitions).expect("rules");
        assert!(rules.len() <= 1, "{rules:?}");
        rules.pop()
    }

    #[test]
    fn the_most_generous_limit_holds() {
        let by_source =
            [(OrderBy::Source, limit(0, 5, 7, 1)), (OrderBy::Source, limit(0, 3, 0, 2))];
        let (min_entries, max_age) = (Some(2), Some(Duration::from_secs(5)));
        let limits = SourceSettings { min_entries, max_age, ..SourceSettings::default() };
        let expected = RuleSettings {
            types: types("*"),
            min_entries,
            max_age,
            by_source: Some(limits),
            ..RuleSettings::default()
        };
        assert_eq!(only_rule(&by_source), Some(expected));
    }

    /// An event is in each of them, and none takes the room of another's.
    #[test]
    fn partitions_of_both_orders_count_for_themselves() {
        let five = limit(5, 0, 0, 0);
        let of = |order_by, limit| (order_by, limit);
        let rule = RuleSettings {
            types: types("*"),
            max_entries: Some(5),
            by_source: Some(five.settings()),
            ..RuleSettings::default()
        };
        let usual = [of(OrderBy::Timestamp, five), of(OrderBy::Source, five)];
        assert_eq!(only_rule(&usual), Some(rule.clone()));
        assert_eq!(only_rule(&usual[1..]), Some(rule.clone()), "and so many others");
        let (by_age, age) = (limit(0, 9, 0, 0), Some(Duration::from_secs(9)));
        let mixed = [of(OrderBy::Timestamp, five), of(OrderBy::Source, by_age)];
        let limits = SourceSettings { max_age: age, ..SourceSettings::default() };
        let expected = RuleSettings { by_source: Some(limits), ..rule.clone() };
        assert_eq!(only_rule(&mixed), Some(expected));
        let expected = RuleSettings {
            max_entries: None,
            max_age: age,
            age_by_source: Some(true),
            by_source: None,
            ..rule
        };
        assert_eq!(only_rule(&mixed[1..]), Some(expected));
        for unlimited in [OrderBy::Timestamp, OrderBy::Source] {
            assert_eq!(only_rule(&[usual[0], usual[1], of(unlimited, limit(0, 0, 0, 3))]), None);
        }
    }
}
