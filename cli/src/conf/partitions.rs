//! What a deployed server keeps, as rules.
//!
//! There, an event is kept as long as one of the partitions that it belongs to keeps it, or as long
//! as it is the latest of its type, where such are kept. Here, the first rule that is for its type
//! decides. So there is a rule for each way in which partitions overlap, those of the most
//! partitions
//! first: it keeps what the most generous of them does, and never less. What belongs to none goes.

use std::time::Duration;

use hat_core::eventer::{Subscription, SubscriptionError};

use super::retention::{QueryType, RuleSettings, subscription};

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

/// What the most generous of the partitions keeps.
fn rule(overlap: &Overlap, partitions: &[Partition]) -> RuleSettings {
    let types = overlap.types.query_types().into_iter().map(QueryType).collect();
    let keep_latest = (!overlap.latest).then_some(false);
    let of: Vec<_> = overlap.partitions.iter().map(|at| &partitions[*at]).collect();
    if of.is_empty() {
        return RuleSettings {
            types,
            max_entries: Some(0),
            keep_latest,
            ..RuleSettings::default()
        };
    }
    /// The largest of limits; none where one has none.
    fn largest<T: Ord>(limits: impl Iterator<Item = Option<T>>) -> Option<T> {
        limits.reduce(|one, other| Some(one?.max(other?))).flatten()
    }
    let limits = || of.iter().map(|partition| partition.limit);
    let min_entries = limits().map(|limit| limit.min_entries).max().filter(|least| *least > 0);
    let max_age = largest(limits().map(|limit| limit.max_age));
    let by_source = of.iter().all(|partition| partition.order_by == OrderBy::Source);
    RuleSettings {
        types,
        max_entries: largest(limits().map(|limit| limit.max_entries)),
        min_entries,
        max_age,
        age_by_source: (by_source && max_age.is_some()).then_some(true),
        max_bytes: largest(limits().map(|limit| limit.max_bytes)),
        keep_latest,
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

    #[test]
    fn the_most_generous_limit_holds() {
        let limit = |max_age, max_bytes, min_entries| Limit {
            max_age: Some(Duration::from_secs(max_age)),
            max_bytes,
            min_entries,
            max_entries: None,
        };
        let of = |order_by, limit| Partition { order_by, types: types("*"), limit };
        let two =
            [of(OrderBy::Source, limit(5, Some(7), 1)), of(OrderBy::Source, limit(3, None, 2))];
        let rules = rules(&types("*"), &two).expect("rules");
        let expected = RuleSettings {
            types: types("*"),
            min_entries: Some(2),
            max_age: Some(Duration::from_secs(5)),
            age_by_source: Some(true),
            ..RuleSettings::default()
        };
        assert_eq!(rules, [expected]);
    }
}
