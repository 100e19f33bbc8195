//! What the counts are to come under. Missing one is said and fails nothing: that no count gets
//! worse is up to the stored ones.
//!
//! Chatter and the registration of an event do not reach theirs; the README of `tests/bench` says
//! where they go.

use crate::table::Table;

/// An upper bound.
enum Bound {
    /// Instructions.
    Of(u64),
    /// So many percent of the instructions of another row.
    Percent(u64, &'static str),
}

/// Chatter: a message of 64 bytes takes 220 instructions to send and 250 to receive, for framing,
/// encoding or decoding, and its conversation. Registering an event: half of what it took before
/// messages were written in place. SBS: not more than prost takes for the same data. Matching: not
/// more than half as much again in 100 000 query types as in 10.
const TARGETS: [(&str, Bound); 16] = [
    ("sbs/encode-1", Bound::Percent(100, "prost/encode-1")),
    ("sbs/decode-1", Bound::Percent(100, "prost/decode-1")),
    ("sbs/encode-1000", Bound::Percent(100, "prost/encode-1000")),
    ("sbs/decode-1000", Bound::Percent(100, "prost/decode-1000")),
    ("chatter/one-way/send", Bound::Of(220)),
    ("chatter/one-way/receive", Bound::Of(250)),
    ("chatter/one-at-a-time/receive", Bound::Of(250)),
    ("chatter/question/send", Bound::Of(220)),
    ("chatter/question/receive", Bound::Of(250)),
    ("chatter/answer/send", Bound::Of(220)),
    ("chatter/answer/receive", Bound::Of(250)),
    ("eventer/register/send", Bound::Of(1011)),
    ("eventer/register/receive", Bound::Of(1104)),
    ("eventer/registered/send", Bound::Of(684)),
    ("eventer/registered/receive", Bound::Of(1214)),
    ("subscription/match-100000", Bound::Percent(150, "subscription/match-10")),
];

/// The targets that `table` misses, in words.
#[must_use]
pub fn missed(table: &Table) -> Vec<String> {
    let missed = |(name, bound): &(&str, Bound)| {
        let count = table.get(name).unwrap_or(u64::MAX);
        let (most, why) = match *bound {
            Bound::Of(most) => (most, "the target".to_owned()),
            Bound::Percent(percent, other) => {
                (percent * table.get(other).unwrap_or(0) / 100, format!("{percent} % of {other}"))
            }
        };
        (count > most)
            .then(|| format!("{name}: {count} instructions, and {most} are the most: {why}"))
    };
    TARGETS.iter().filter_map(missed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_missed_is_named() {
        let at_the_bound = TARGETS.iter().map(|(name, bound)| match bound {
            Bound::Of(most) => (*name, *most),
            Bound::Percent(percent, _) => (*name, percent / 10),
        });
        let prost = ["prost/encode-1", "prost/decode-1", "prost/encode-1000", "prost/decode-1000"];
        let others =
            prost.map(|name| (name, 10)).into_iter().chain([("subscription/match-10", 10)]);
        let rows = at_the_bound.chain(others).map(|(name, count)| (name.to_owned(), count));
        let mut table = Table { rows: rows.collect(), ..Table::default() };
        assert_eq!(missed(&table), [""; 0]);

        table.rows[0].1 += 1;
        table.rows[4].1 += 1;
        assert_eq!(
            missed(&table),
            [
                "sbs/encode-1: 11 instructions, and 10 are the most: 100 % of prost/encode-1",
                "chatter/one-way/send: 221 instructions, and 220 are the most: the target",
            ]
        );
    }
}
