//! Where and when: figures say nothing without it.

use std::fs;
use std::num::NonZero;
use std::thread;
use std::time::SystemTime;

pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// Processes that wanted to run in the last minute, before anything was measured: above 0.5,
    /// other work was going on.
    pub(crate) load: String,
    pub(crate) date: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model =
            cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let first = |text: String| text.split_whitespace().next().unwrap_or("unknown").to_owned();
        Self {
            processor: model.map_or("unknown processor", |(_, name)| name).to_owned(),
            cores: thread::available_parallelism().map_or(1, NonZero::get),
            kernel: first(read("/proc/sys/kernel/osrelease")),
            load: first(read("/proc/loadavg")),
            date: httpdate::fmt_http_date(SystemTime::now()),
        }
    }

    /// One line.
    pub(crate) fn text(&self) -> String {
        let Self { processor, cores, kernel, load, date } = self;
        format!("{processor}, {cores} cores, Linux {kernel}, load before {load}; {date}")
    }
}
