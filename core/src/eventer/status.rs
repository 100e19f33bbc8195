use super::names::named;
use crate::sbs;

sbs::choice! {
    /// What a server is doing, by `HatEventer.Status`. It tells its clients at the start and at
    /// every change.
    ///
    /// ```text
    /// Standby ──> Starting ──> Operational ──> Stopping ──> Standby …
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Status {
        /// Another server of the group does the work. Where a server starts, unless told otherwise.
        #[default]
        Standby,
        /// Getting ready to work.
        Starting,
        /// At work.
        Operational,
        /// Finishing its work.
        Stopping,
    }
}

named!(Status, "status", {
    Standby: "standby",
    Starting: "starting",
    Operational: "operational",
    Stopping: "stopping",
});

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_both_ways() {
        for status in [Status::Standby, Status::Starting, Status::Operational, Status::Stopping] {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        let error = "Standby".parse::<Status>().expect_err("names are in lower case");
        assert_eq!(
            error.to_string(),
            "this is not a valid status; write one of: standby, starting, operational, stopping"
        );
    }
}
