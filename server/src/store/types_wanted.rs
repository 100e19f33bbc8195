use std::collections::BTreeSet;

use hat_core::eventer::{EventType, QueryParams, Subscription};

use super::QueryError;

/// Which types a query asks for.
pub(super) enum TypesWanted {
    All,
    /// By name, each once.
    Named(BTreeSet<EventType>),
    Matching(Subscription, Vec<EventType>),
}

impl TypesWanted {
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
        Ok(Self::Matching(subscription, query_types))
    }

    pub(super) fn matches(&self, event_type: &EventType) -> bool {
        match self {
            Self::All => true,
            Self::Named(types) => types.contains(event_type),
            Self::Matching(subscription, _) => subscription.matches(event_type),
        }
    }
}
