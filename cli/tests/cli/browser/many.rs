//! `tests/browser/many.mjs`: the page where there are very many types, and events of one type.

use std::env;

use hat_tests::peers::browser::{Script, skipped};

use super::page::World;

/// What the script does without variables that ask for more.
const TYPES: usize = 5000;
const EVENTS: usize = 21_000;

/// More than the script registers besides.
const ROOM: usize = 100_000;

fn amount(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn types_and_events_of_one() {
    if skipped("browser::many") {
        return;
    }
    let types = amount("HAT_PAGE_TYPES", TYPES);
    let events = types + amount("HAT_PAGE_EVENTS", EVENTS);
    let limits = format!("--max-types {} --max-events {}", types + ROOM, events + ROOM);
    let mut world = World::new("tokio", &limits);
    let script = Script::start("many.mjs", &world.url(), "many");
    assert_eq!(script.run(|want, line| world.does(want, line)), 4);
}
