//! What is random about Juggler: limits, states and their changes, requests.

use std::time::Duration;

use hat_core::json::{Pointer, Value};
use hat_core::juggler::{Config, PingRule, State, client, server};
use hat_core::ws;
use hat_tests::simulation::Random;
use serde_json::json;

use super::{MAX_MESSAGE, MAX_QUEUED};

/// Where the number of a state stands in it.
const NUMBER: &str = "/number";

const PATHS: [&str; 8] = ["", "/a", "/a/b", "/a/b/c", "/list", "/list/0", "/list/1", "/ž~1"];

fn path(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

/// Which of all states of its kind this is.
pub(super) fn number(state: &Value) -> usize {
    let number = state.get(&path(NUMBER)).and_then(Value::as_i64).expect("every state has one");
    usize::try_from(number).expect("a number of ours")
}

/// Makes `state` another one.
pub(super) fn change(state: &mut State, number: usize, random: &mut Random) {
    for _ in 0..random.within(1..=3) {
        let path = path(random.pick(&PATHS));
        if random.chance(25) {
            state.remove(&path);
        } else {
            // where there is no such place nothing changes
            let _ = state.set(&path, value(random));
        }
    }
    // the whole may be a list by now
    if state.set(&path(NUMBER), number as i64).is_err() || state.value().as_object().is_none() {
        state.replace(Value::from(json!({ "number": number }))).expect("small");
    }
}

/// Something to say.
pub(super) fn value(random: &mut Random) -> Value {
    let most = random.pick(&[3, 10, 100, 3000]);
    let text = "x".repeat(random.size(most));
    Value::from(match random.below(5) {
        0 => json!(null),
        1 => json!(random.below(1000)),
        2 => json!({"b": {"c": text}}),
        3 => json!([text, 1.5, [], "č\u{1F512}"]),
        _ => json!(text),
    })
}

/// What a client asks; nothing is answered by the machine itself.
pub(super) fn name(random: &mut Random) -> &'static str {
    random.pick(&["", "set", "get", "čitaj"])
}

pub(super) fn client(random: &mut Random, is_calm: bool) -> client::Config {
    let transport = transport(random, is_calm);
    client::Config { transport, max_requests: random.pick(&[1, 3, 100]), ..Default::default() }
}

pub(super) fn server(random: &mut Random, is_calm: bool) -> server::Config {
    let second = Duration::from_secs(1);
    server::Config {
        autoflush_delay: random.pick(&[None, Some(Duration::ZERO), Some(second / 5), Some(second)]),
        parallel_requests: random.chance(50),
        max_requests: random.pick(&[1, 3, 1024]),
        max_waiting: random.pick(&[1, 2000, MAX_QUEUED]),
        transport: transport(random, is_calm),
        ..Default::default()
    }
}

fn transport(random: &mut Random, is_calm: bool) -> Config {
    let second = Duration::from_secs(1);
    let idle = |delay, timeout| PingRule::WhenIdle { delay, timeout };
    let often = if is_calm { idle(second, second * 10) } else { idle(second * 5, second * 3) };
    Config {
        ping: random.pick(&[PingRule::Off, idle(second * 30, second * 30), often]),
        max_segment_size: random.pick(&[50, 1000, 65_536]),
        max_message: MAX_MESSAGE,
        max_unsent_replies: random.pick(&[1, 16]),
        ..Config::default()
    }
}

/// Of the WebSocket below.
pub(super) fn websocket(random: &mut Random) -> ws::Config {
    ws::Config {
        max_frame: MAX_MESSAGE,
        max_message: MAX_MESSAGE,
        max_queued: random.pick(&[500, 4_000, MAX_QUEUED]),
        mask_seed: random.any(),
        ..ws::Config::default()
    }
}
