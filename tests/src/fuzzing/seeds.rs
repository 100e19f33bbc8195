//! Inputs to start from, made of the vectors of the deployed peers: a fuzzer that knows what a message looks like gets further.

use std::io;
use std::path::Path;

use hat_core::eventer::message;
use serde_json::Value;

use super::feed::HEAD;
use crate::eventer::frame;
use crate::vectors::{hex, list, load, text};

/// Writes the seeds of every target to `folder`, into a folder of the target's name, and gives their number.
///
/// # Errors
///
/// Those of the system.
pub fn write(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for (target, seeds) in all() {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        for (index, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index:03}")), seed)?;
        }
        count += seeds.len();
    }
    Ok(count)
}

/// The seeds of each target that has any: those that take calls have none.
#[must_use]
pub fn all() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    vec![
        ("sbs_codec", codec()),
        ("sbs_schema", schemas()),
        ("chatter_bytes", chatter()),
        ("eventer_client_bytes", eventer(&FROM_SERVER)),
        ("eventer_server_bytes", eventer(&FROM_CLIENT)),
        ("tpkt_bytes", tpkt()),
        ("cotp_bytes", cotp()),
    ]
}

/// Bytes as they stand, and with each of a target's switches on.
fn arrivals(bytes: &[u8], switches: &[u8]) -> Vec<Vec<u8>> {
    let head = |options| -> [u8; HEAD] { [0, 0, options] };
    switches.iter().map(|&options| [&head(options)[..], bytes].concat()).collect()
}

/// In the order that the target's first byte counts them.
const TYPES: [&str; 8] = [
    message::INIT_REQ,
    message::INIT_RES,
    message::STATUS_NOTIFY,
    message::EVENTS_NOTIFY,
    message::REGISTER_REQ,
    message::REGISTER_RES,
    message::QUERY_REQ,
    message::QUERY_RES,
];

fn codec() -> Vec<Vec<u8>> {
    let messages = load("eventer");
    let seed = |case: &Value| {
        let kind = TYPES.iter().position(|name| *name == text(&case["type"]))?;
        Some([&[kind as u8][..], &hex(&case["hex"])].concat())
    };
    list(&messages["cases"]).iter().filter_map(seed).collect()
}

fn schemas() -> Vec<Vec<u8>> {
    let schemas = load("sbs_schemas");
    let cases = list(&schemas["cases"]).iter();
    let mut seeds: Vec<_> =
        cases.clone().map(|case| [b"\x01", text(&case["schema"]).as_bytes()].concat()).collect();
    let json = cases.filter_map(|case| case.get("json")).filter(|json| !json.is_null());
    seeds.extend(json.map(|json| [b"\x00", json.to_string().as_bytes()].concat()));
    seeds.push([b"\x01", text(&load("eventer")["schema"]).as_bytes()].concat());
    seeds
}

fn chatter() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (file, switches) in [("chatter", [0, 2]), ("chatter05", [1, 3])] {
        let vectors = load(file);
        let frames = list(&vectors["cases"]).iter().filter_map(|case| case.get("frame")).map(hex);
        let others = list(&vectors["decode_cases"]).iter().map(|case| hex(&case["hex"]));
        let small: Vec<_> = frames.chain(others).filter(|bytes| bytes.len() < 300).collect();
        seeds.extend(small.iter().flat_map(|bytes| arrivals(bytes, &switches)));
        seeds.extend(arrivals(&small.concat(), &switches));
    }
    seeds
}

const FROM_SERVER: [&str; 5] = [
    message::INIT_RES,
    message::STATUS_NOTIFY,
    message::EVENTS_NOTIFY,
    message::REGISTER_RES,
    message::QUERY_RES,
];

const FROM_CLIENT: [&str; 4] =
    [message::INIT_REQ, message::REGISTER_REQ, message::QUERY_REQ, message::EVENTS_ACK];

/// The initialization, then every message in a conversation of its sender's, and as the answer in conversation 2 and 3.
fn eventer(names: &[&str]) -> Vec<Vec<u8>> {
    let messages = load("eventer");
    let from_client = names[0] == message::INIT_REQ;
    let init = frame(
        1,
        1,
        from_client,
        !from_client,
        names[0],
        match from_client {
            true => b"\x80\x80\x81\x81\x81*\x80\x00",
            false => b"\x80\x82",
        },
    );
    let mut seeds = Vec::new();
    for case in list(&messages["cases"]) {
        let (name, data) = (text(&case["type"]), hex(&case["hex"]));
        if !names.contains(&name) || data.len() > 250 {
            continue;
        }
        for (first, owner, last) in
            [(2, true, true), (2, true, false), (2, false, true), (3, false, true)]
        {
            let message = frame(2, first, owner, last, name, &data);
            seeds.extend(arrivals(&[&init[..], &message].concat(), &[0]));
        }
        seeds.extend(arrivals(&frame(1, 1, from_client, !from_client, name, &data), &[0, 1]));
    }
    seeds
}

fn tpkt() -> Vec<Vec<u8>> {
    let vectors = load("tpkt");
    let cases = list(&vectors["decode_cases"]).iter().map(|case| hex(&case["hex"]));
    cases.flat_map(|bytes| arrivals(&bytes, &[0])).collect()
}

/// A caller's switches are odd.
fn cotp() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for input in list(&load("cotp_inputs")) {
        if let Some(bytes) = input["hex"].as_str() {
            seeds.extend(arrivals(&hex(&bytes.into()), &[0, 1, 2, 3]));
        }
    }
    for capture in list(&load("cotp_captures")) {
        for (from, switches) in [("c>s", [0, 4, 8, 16]), ("s>c", [1, 5, 17, 33])] {
            let frames = list(&capture["frames"]).iter().filter(|frame| frame["dir"] == from);
            let bytes: Vec<_> = frames.filter_map(|frame| frame.get("hex")).map(hex).collect();
            let bytes = bytes.concat();
            if bytes.len() < 4000 {
                seeds.extend(arrivals(&bytes, &switches));
            }
        }
    }
    seeds
}
