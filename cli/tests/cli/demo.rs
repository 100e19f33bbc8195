//! `hat demo`.

use std::time::{Duration, Instant};

use crate::on_every_runtime;
use crate::process::hat;

on_every_runtime! {
    fn shows_events_and_sums_up(runtime) {
        let start = Instant::now();
        let ended = hat(&format!("demo --seconds 2 --runtime {runtime}"));
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[][..]), "{ended:?}");
        assert!(start.elapsed() < Duration::from_secs(15));
        let memory = ended.stdout.iter().filter(|line| line.contains("machine/memory"));
        assert_eq!(memory.count(), 2, "{:#?}", ended.stdout);
        let summary = &ended.stdout[ended.stdout.len() - 4..];
        for (line, name) in summary.iter().zip(["registered", "notified", "latency", "queried"]) {
            assert!(line.starts_with(name), "{summary:#?}");
        }
    }
}
