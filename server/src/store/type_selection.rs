use std::collections::BTreeSet;

use hat_core::eventer::{EventType, QueryParams, Subscription};

use super::QueryError;

/// Which types a query asks for.
pub(super) enum TypeSelection {
    All,
    /// By name, each once.
    Named(BTreeSet<EventType>),
    /// By query types, and the [starts](starts_of) of the types that these can match.
    Matching(Subscription, Vec<EventType>),
}

impl TypeSelection {
    /// What the params ask for; all, where they name no types.
    pub(super) fn of(params: &QueryParams) -> Result<Self, QueryError> {
        Self::new(match params {
            QueryParams::Latest(params) => params.event_types.as_deref(),
            QueryParams::Timeseries(params) => params.event_types.as_deref(),
            QueryParams::Server(_) => None,
        })
    }

    pub(super) fn new(asked: Option<&[EventType]>) -> Result<Self, QueryError> {
        let Some(asked) = asked else { return Ok(Self::All) };
        let subscription = Subscription::new(asked)?;
        let query_types = subscription.query_types();
        let by_name = |query: &EventType| !query.segments().any(|one| one == "?" || one == "*");
        if query_types.iter().all(by_name) {
            return Ok(Self::Named(query_types.into_iter().collect()));
        }
        if query_types.iter().any(|query| query.segments().eq(["*"])) {
            return Ok(Self::All);
        }
        Ok(Self::Matching(subscription, starts_of(&query_types)))
    }

    pub(super) fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::All => true,
            Self::Named(types) => types.contains(event_type),
            Self::Matching(subscription, _) => subscription.matches(event_type),
        }
    }
}

/// What all types have in common that a query type can match, for each of them, in order. None is
/// under another, however many query types there are: who goes through the types under each start
/// comes to none twice.
fn starts_of(query_types: &[EventType]) -> Vec<EventType> {
    let start = |query: &EventType| {
        EventType::from_segments(query.segments().take_while(|one| !matches!(*one, "?" | "*")))
    };
    let mut starts: Vec<EventType> = Vec::new();
    for start in query_types.iter().map(start).collect::<BTreeSet<_>>() {
        // what is under a start comes right behind it
        if !starts.last().is_some_and(|last| is_under(&start, last)) {
            starts.push(start);
        }
    }
    starts
}

/// Whether a type starts with the segments of `start`.
pub(super) fn is_under(event_type: &EventType, start: &EventType) -> bool {
    let mut segments = event_type.segments();
    start.segments().all(|segment| segments.next() == Some(segment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_start_is_under_another() {
        let starts = |texts: &[&str]| {
            let typed = |text: &&str| text.parse().unwrap_or_else(|never| match never {});
            let starts = starts_of(&texts.iter().map(typed).collect::<Vec<EventType>>());
            starts.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(starts(&["b/*", "a/?/x", "a/?/y", "a/b/c/*", "ab/*", "a/b"]), ["a", "ab", "b"]);
        assert_eq!(starts(&["a/b/*", "a/c/?", "a/b"]), ["a/b", "a/c"]);
        // a thousand query types that can match anything go through all types once
        let hostile: Vec<_> = (0..1_000).map(|index| format!("?/{index}")).collect();
        let mut hostile: Vec<&str> = hostile.iter().map(String::as_str).collect();
        hostile.push("a/*");
        assert_eq!(starts(&hostile), [""]);
    }
}
