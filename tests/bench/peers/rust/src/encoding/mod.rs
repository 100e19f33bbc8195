//! The events of `hat-bench encoding` in other encodings: the same fields, the same values.

mod plain;
mod proto;

use std::hint::black_box;
use std::time::Instant;

use clap::{Args, ValueEnum};
use prost::Message;

use crate::side;

const EVENTS: usize = 1000;

/// Encodes or decodes, alone.
#[derive(Args)]
pub(crate) struct Drive {
    format: Format,
    /// Decodes, instead of encoding.
    #[arg(long)]
    decode: bool,
    milliseconds: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Prost,
    Postcard,
    Bincode,
    #[value(name = "serde_json")]
    SerdeJson,
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let plain = plain::events(EVENTS);
    let proto = proto::events(&plain);
    let config = bincode::config::standard();
    match drive.format {
        Format::Prost => measure(
            drive,
            &proto,
            |it| it.encode_to_vec(),
            |bytes| Ok(proto::Events::decode(bytes)?),
        ),
        Format::Postcard => measure(
            drive,
            &plain,
            |it| postcard::to_allocvec(it).expect("any memory"),
            |bytes| Ok(postcard::from_bytes(bytes)?),
        ),
        Format::Bincode => measure(
            drive,
            &plain,
            |it| bincode::serde::encode_to_vec(it, config).expect("any memory"),
            |bytes| Ok(bincode::serde::decode_from_slice(bytes, config)?.0),
        ),
        Format::SerdeJson => measure(
            drive,
            &plain,
            |it| serde_json::to_vec(it).expect("any memory"),
            |bytes| Ok(serde_json::from_slice(bytes)?),
        ),
    }
}

fn measure<T: PartialEq>(
    drive: &Drive,
    events: &T,
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> anyhow::Result<T>,
) -> anyhow::Result<()> {
    let bytes = encode(events);
    anyhow::ensure!(decode(&bytes)? == *events, "it is not what it was");
    side::ready();
    let mut each: Vec<f64> = (0..5)
        .map(|_| {
            seconds(drive, || match drive.decode {
                false => drop(black_box(encode(black_box(events)))),
                true => drop(black_box(decode(black_box(&bytes)))),
            })
        })
        .collect();
    each.sort_by(f64::total_cmp);
    let (each, count) = (each[2], EVENTS as f64);
    side::done(&[("seconds", each / count), ("bytes", bytes.len() as f64 / count)]);
    Ok(())
}

/// Seconds of one call, in a fifth of the time. A call takes so long that the clock does not count.
fn seconds(drive: &Drive, call: impl Fn()) -> f64 {
    let (start, mut calls) = (Instant::now(), 0);
    while start.elapsed().as_millis() < u128::from(drive.milliseconds / 5) {
        call();
        calls += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(calls.max(1))
}
