//! The handles that applications hold, over the real driver, in a simulated world: see
//! [`hat_tests::simulated`].
//!
//! A scenario needs no model of the driver: it does what an application does, and holds what it was
//! told against what was said. That nobody waits for ever, and that nothing is left, is looked at
//! by the world.

mod endings;
mod eventer;
mod juggler;
mod line;
mod lines;
mod tasks;
mod tests;

use std::future::Future;
use std::time::Duration;

use hat_aio::runtime::sleep;
use hat_tests::simulated::{Habits, Report, Simulated, World, run};
use hat_tests::simulation::{Random, Seed, Tally, simulate_by};

/// Virtual time in which a scenario has come to its end where nothing goes wrong.
const SOON: Duration = Duration::from_secs(3600);

/// Seeds of each scenario unless told otherwise: some seconds of processor time, unoptimized.
const SEEDS: u64 = 40;

/// One run of `scenario` in a world of any habits.
fn once<F: Future<Output = Tally>>(seed: Seed, scenario: impl Fn() -> F) -> (Tally, Report) {
    // not the numbers that the world itself begins with
    let habits = Habits::any(&mut Random::new(!seed.number));
    let (mut tally, report) = run(seed, habits, scenario());
    assert!(!habits.is_calm || report.time < SOON, "slow: {:?} in a calm world", report.time);
    *tally.entry("polls").or_default() += report.polls;
    *tally.entry("faults").or_default() += report.faults;
    *tally.entry("calm worlds").or_default() += u64::from(habits.is_calm);
    (tally, report)
}

/// Runs `scenario` with every seed that is asked for.
fn simulate_handles<F: Future<Output = Tally>>(
    name: &str,
    expected: &[&str],
    scenario: impl Fn() -> F + Sync,
) {
    simulate_by(SEEDS, name, expected, |seed| once(seed, &scenario).0);
}

/// Draws from what the world draws from.
fn draw<T>(draw: impl FnOnce(&mut Random) -> T) -> T {
    World::current().random(draw)
}

fn chance(percent: usize) -> bool {
    draw(|random| random.chance(percent))
}

/// Waits for any time up to `most`.
async fn pause(most: Duration) {
    let time = draw(|random| random.duration(most));
    sleep::<Simulated>(time).await;
}

fn count(tally: &mut Tally, what: &'static str) {
    *tally.entry(what).or_default() += 1;
}
