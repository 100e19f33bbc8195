//! How long answers took, from when their requests were due.
//!
//! A request that could not be sent in time has waited all the same: counted from when it was sent,
//! a server that stops for a second would cost one slow answer, and not the ten thousand that were
//! due (coordinated omission).

use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    /// An answer came so long after its request was due.
    pub(crate) fn push(&mut self, latency: Duration) {
        self.0.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Percentiles by their names, µs.
    pub(crate) fn percentiles(&mut self) -> [(&'static str, f64); 3] {
        self.0.sort_unstable();
        let at = |share: f64| {
            let index = (self.0.len() as f64 * share).ceil() as usize;
            self.0.get(index.saturating_sub(1)).map_or(f64::NAN, |&it| it as f64 / 1000.0)
        };
        [("p50", at(0.5)), ("p99", at(0.99)), ("p999", at(0.999))]
    }

    /// Tells percentiles in µs, and how many answers there were in `seconds`.
    pub(crate) fn tell(mut self, seconds: f64) {
        let percentiles = self.percentiles();
        let all = [("messages", self.0.len() as f64), ("seconds", seconds)];
        super::done(&[&percentiles[..], &all].concat());
    }
}
