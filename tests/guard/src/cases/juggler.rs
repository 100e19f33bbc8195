//! One leaf of a state of 1 MB, set and flushed.

use hat_core::json::{Limits, Pointer, Value};
use hat_core::juggler::State;

use crate::meter::{counted, done};

const TIMES: i64 = 16;

/// Devices of one station beside each other, each with a list of some measurements.
fn document() -> Value {
    let measurement = |device: usize| {
        move |index: usize| {
            let (id, value) = (device * 100 + index, index as f64 * 1.1);
            format!(r#"{{"id":{id},"value":{value},"quality":"good","unit":"kW","valid":true}}"#)
        }
    };
    let device = |device: usize| {
        let measurements: Vec<_> = (0..22).map(measurement(device)).collect();
        let measurements = measurements.join(",");
        format!(r#""device{device}":{{"name":"device {device}","measurements":[{measurements}]}}"#)
    };
    let devices: Vec<_> = (0..620).map(device).collect();
    let text = format!(r#"{{"devices":{{{}}}}}"#, devices.join(","));
    assert!((1_000_000..1_050_000).contains(&text.len()), "{} bytes", text.len());
    Value::parse(&text, &Limits::default()).expect("JSON")
}

/// Counts the case.
pub fn run() {
    let leaf = Pointer::root();
    let leaf =
        leaf.child("devices").child("device300").child("measurements").child(11).child("value");
    let mut state = State::default();
    state.replace(document()).expect("within the limits");
    state.flush();
    let mut change = |value: i64| {
        state.set(&leaf, value).expect("within the limits");
        assert!(state.flush().is_some());
    };
    change(-1);
    counted(|| (0..TIMES).for_each(&mut change));
    done("juggler/set-and-flush", TIMES as usize);
}
