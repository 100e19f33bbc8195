//! Inputs to start from, made of the vectors of the deployed peers: a fuzzer that knows what a
//! message looks like gets further.

use std::io;
use std::path::Path;

use hat_core::eventer::message;
use hat_core::ws::Role;
use serde_json::Value;

use super::feed::HEAD;
use crate::eventer::frame;
use crate::vectors::{hex, list, load, text};
use crate::websocket::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, frame as ws_frame};

/// Writes the seeds of every target to `folder`, into a folder of the target's name, and gives
/// their number.
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
        ("ws_bytes", websocket(|bytes| arrivals(bytes, &[0, 1, 2, 3]))),
        ("json_text", json()),
        ("juggler_client_bytes", juggler("juggler07")),
        ("juggler_server_bytes", juggler("juggler07")),
        ("juggler_peer_bytes", juggler("juggler05")),
        ("http_request", requests()),
        ("htpasswd", password_files()),
        ("ws_oracle", websocket(|bytes| [0, 1].map(|role| [&[role], bytes].concat()).to_vec())),
        ("ws_deflate", deflated()),
    ]
}

/// Bytes as they stand, and with each of a target's switches on.
fn arrivals(bytes: &[u8], switches: &[u8]) -> Vec<Vec<u8>> {
    let head = |options| -> [u8; HEAD] { [0, 0, options] };
    switches.iter().map(|&options| [&head(options)[..], bytes].concat()).collect()
}

/// What either side of a WebSocket sends: handshakes, and frames of each kind.
fn websocket(input: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut seeds = vec![
        b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a\r\n\r\n"
            .to_vec(),
        b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n".to_vec(),
    ];
    for role in [Role::Client, Role::Server] {
        let of = |first, payload: &[u8]| ws_frame(role, first, payload);
        seeds.push(of(FIN | TEXT, "κόσμε".as_bytes()));
        seeds.push(of(FIN | BINARY, &[7; 300]));
        let parts = [
            of(TEXT, b"\xce"),
            of(FIN | PING, b"?"),
            of(CONTINUATION, b"\xba"),
            of(FIN | CONTINUATION, b""),
        ];
        seeds.push(parts.concat());
        seeds.push(of(FIN | CLOSE, b"\x03\xe8bye"));
    }
    seeds.iter().flat_map(|bytes| input(bytes)).collect()
}

/// The compressed messages of RFC 7692 section 7.2.3, one after the other, whole and in two frames;
/// one that inflates to more than the limit of the target; empty blocks without end.
fn deflated() -> Vec<Vec<u8>> {
    let hello: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let stored: &[u8] = &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    let again: &[u8] = &[0xf2, 0x00, 0x11, 0x00, 0x00];
    let last: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let zeros: &[u8] = &[0x63, 0x60, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x0c, 0x3d, 0x00, 0x00];
    let chunk = |head: u8, bytes: &[u8]| [&[head, bytes.len() as u8], bytes].concat();
    let inputs = [
        [hello, stored, again, last, again].map(|bytes| chunk(0, bytes)).concat(),
        // the first of two frames is said to be compressed, the second says nothing
        [chunk(4, &hello[..3]), chunk(3 | 8, b"?"), chunk(2 | 8, &hello[3..])].concat(),
        [chunk(8, b"as it is"), chunk(1, zeros), chunk(1, zeros)].concat(),
        chunk(1, &[3, 0].repeat(120)),
    ];
    inputs.iter().flat_map(|bytes| arrivals(bytes, &[0, 1, 2, 3])).collect()
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

/// The initialization, then every message in a conversation of its sender's, and as the answer in
/// conversation 2 and 3.
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

/// Documents and patches of the public suite of JSON Patch.
fn json() -> Vec<Vec<u8>> {
    let suite = load("json-patch-tests/tests");
    let parts = list(&suite).iter().flat_map(|case| [case.get("doc"), case.get("patch")]);
    parts.flatten().map(|part| part.to_string().into_bytes()).collect()
}

/// Every text frame of the vectors, and those of each list of frames behind each other.
fn juggler(file: &str) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    collect(&load(file), &mut |texts| {
        let small = texts.iter().all(|text| text.len() < 400);
        if small {
            seeds.extend(arrivals(&texts.join(&b"\xff"[..]), &[0, 1]));
        }
    });
    seeds
}

/// Gives every list of messages, as texts, wherever it stands.
fn collect(value: &Value, give: &mut impl FnMut(&[Vec<u8>])) {
    match value {
        Value::Object(members) => members.values().for_each(|member| collect(member, give)),
        Value::Array(items)
            if items.iter().all(|item| item.is_string() || item.get("type").is_some()) =>
        {
            let text = |item: &Value| match item.as_str() {
                Some(text) => text.as_bytes().to_vec(),
                None => item.to_string().into_bytes(),
            };
            give(&items.iter().map(text).collect::<Vec<_>>());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, give)),
        _ => {}
    }
}

/// As the target wants them: the method, the path, and headers, a line each.
fn requests() -> Vec<Vec<u8>> {
    [
        "GET\n/\nhost:a",
        "HEAD\n/css/page.css?x=1\nhost:a\nif-none-match:\"tag\", W/\"b\"",
        "GET\n/%2e%2e/%2fetc%5cpasswd\nhost:a\nrange:bytes=-5",
        "GET\n/a\nhost:a\nrange:bytes=1-999\nif-range:Sun, 09 Sep 2001 01:46:40 GMT",
        "GET\n/ws\nhost:a:1\nupgrade:websocket\nconnection:keep-alive, Upgrade\nsec-websocket-version:13\n\
         sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\norigin:http://a:1",
        "POST\n/a\nhost:a\ncontent-length:5\nauthorization:Basic dXNlcjpwYXNz",
        "GET\n/a\nhost:a\nforwarded:for=\"[2001:db8::1]:4711\";proto=http, for=1.2.3.4\nx-forwarded-for:1.2.3.4, ::1",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn password_files() -> Vec<Vec<u8>> {
    [
        "# comment\n\nuser:$apr1$saltsalt$0123456789012345678901\n",
        "user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nother:$2y$05$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234\n",
        "user:$5$rounds=1000$salt$hash\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
