//! Many seeds on all cores, and one seed again.
//!
//! | variable | what |
//! |---|---|
//! | `HAT_SIMULATION_SEEDS` | how many seeds each scenario runs; 500 if it is not set |
//! | `HAT_SIMULATION_FIRST` | the first of them; 0 if it is not set |
//! | `HAT_SIMULATION_LINES` | lines of the trace that are kept; 80 if it is not set |
//! | `HAT_SIMULATION_SEED` | this one only, with its trace if it fails: a failure tells to do so |

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Seeds that a scenario runs unless told otherwise: less than 30 s of processor time for the four
/// of them, unoptimized.
const SEEDS: u64 = 500;

/// How often a long run says where it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// The number that everything random in it comes from.
    pub number: u64,
    /// The end of the run is printed if it fails.
    pub is_traced: bool,
}

/// What runs came to: how often what happened.
pub type Tally = BTreeMap<&'static str, u64>;

/// Runs `scenario` with the seeds that the environment asks for, and gives the sum of what they
/// came to. After 500 seeds or more each of `expected` must have happened: a scenario in which
/// nothing happens would prove nothing.
///
/// # Panics
///
/// If a run does, after that seed was run again with its trace.
pub fn simulate(name: &str, expected: &[&str], scenario: impl Fn(Seed) -> Tally + Sync) {
    simulate_by(SEEDS, name, expected, scenario);
}

/// The same for a scenario that runs `seeds` seeds unless told otherwise.
///
/// # Panics
///
/// As [`simulate`].
pub fn simulate_by(
    seeds: u64,
    name: &str,
    expected: &[&str],
    scenario: impl Fn(Seed) -> Tally + Sync,
) {
    if let Some(number) = variable("HAT_SIMULATION_SEED") {
        println!("{name}, seed {number}: {:?}", scenario(Seed { number, is_traced: true }));
        return;
    }
    let count = variable("HAT_SIMULATION_SEEDS").unwrap_or(seeds);
    let first = variable("HAT_SIMULATION_FIRST").unwrap_or(0);
    match run_all(name, first, count, &scenario) {
        Err((number, panic)) => fail(name, number, panic, &scenario),
        Ok(tally) => {
            println!("{name}: {count} seeds from {first} on: {tally:#?}");
            let missing: Vec<_> =
                expected.iter().filter(|&&what| !tally.contains_key(what)).collect();
            assert!(missing.is_empty() || count < seeds, "{name}: never happened: {missing:?}");
        }
    }
}

type Panic = Box<dyn Any + Send>;

fn run_all(
    name: &str,
    first: u64,
    count: u64,
    scenario: &(impl Fn(Seed) -> Tally + Sync),
) -> Result<Tally, (u64, Panic)> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, is_failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let result = Mutex::new(Ok(Tally::new()));
    let told = Mutex::new(Instant::now());
    let work = || {
        let mut sum = Tally::new();
        while !is_failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            let number = first + index;
            let run = || scenario(Seed { number, is_traced: false });
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(tally) => add(&mut sum, &tally),
                Err(panic) => {
                    is_failed.store(true, Ordering::Relaxed);
                    *result.lock().expect("nothing panics in it") = Err((number, panic));
                    return;
                }
            }
            let mut told = told.lock().expect("nothing panics in it");
            if told.elapsed() > PROGRESS {
                *told = Instant::now();
                eprintln!("{name}: {index} of {count} seeds");
            }
        }
        if let Ok(tally) = &mut *result.lock().expect("nothing panics in it") {
            add(tally, &sum);
        }
    };
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    result.into_inner().expect("nothing panics in it")
}

fn add(sum: &mut Tally, tally: &Tally) {
    for (what, count) in tally {
        *sum.entry(what).or_default() += count;
    }
}

/// Tells how to run the seed again, and does it with the trace.
fn fail(name: &str, number: u64, panic: Panic, scenario: &impl Fn(Seed) -> Tally) -> ! {
    eprintln!("\nscenario {name} failed. Again, with its trace:");
    eprintln!("    HAT_SIMULATION_SEED={number} cargo test -p hat-tests --test simulation {name}");
    scenario(Seed { number, is_traced: true });
    eprintln!("the seed failed once and not again: something in it is not deterministic");
    resume_unwind(panic)
}

pub(super) fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}
