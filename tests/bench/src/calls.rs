//! How long one call takes, in this process.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::figures::Figure;

/// Seconds that one call takes: of five times `time` each, with as many calls as fit.
pub(crate) fn seconds<T>(time: Duration, mut call: impl FnMut() -> T) -> Figure {
    let mut once = || {
        let (start, mut calls) = (Instant::now(), 0_u64);
        // the clock is read once for many calls, where they are short: it takes as long as some of
        // them
        let mut batch = 1_u64;
        loop {
            let before = start.elapsed();
            for _ in 0..batch {
                black_box(call());
            }
            calls += batch;
            let after = start.elapsed();
            if after >= time {
                return after.as_secs_f64() / calls as f64;
            }
            if after - before < time / 100 {
                batch *= 2;
            }
        }
    };
    Figure::of((0..5).map(|_| once()).collect())
}
