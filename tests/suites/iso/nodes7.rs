//! The S7 client `nodes7` on Node, through our relay to the server of `python-snap7`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use hat_core::cotp;
use hat_tests::on_every_runtime;
use hat_tests::peers::{node, skip, skipped};
use serde_json::{Value, json};

use crate::relay::Relay;
use crate::snap7;

/// Whether the test has to be left out; says so.
fn left_out(test: &str) -> bool {
    if skipped(test) {
        return true;
    }
    let missing = !node::installed();
    if missing {
        skip(test, "Node or npm is not installed; on Debian: apt-get install nodejs npm");
    }
    missing
}

/// Reads items of a server on rack 0, slot 1.
fn read(address: SocketAddr, items: &[&str]) -> Command {
    let mut command = node::command("nodes7", "read.js");
    command.args([&*address.ip().to_string(), &*address.port().to_string(), "0", "1"]);
    command.args(items).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

on_every_runtime! {
    async fn values_through_our_relay<R>() {
        if left_out("iso::nodes7::values_through_our_relay") {
            return;
        }
        let (their_server, address) = snap7::listening();
        let writer = snap7::direct(address);
        snap7::write(writer, 10, b"\x12\x34");
        snap7::write(writer, 20, &1.5_f32.to_be_bytes());
        snap7::close(writer);

        let relay = Relay::to::<R>(address).await;
        let reading = read(relay.address(), &["DB1,INT10", "DB1,REAL20"]).spawn();
        let relayed = relay.accept::<R>().await;
        assert_eq!(relayed.front.info().local_selector, Some(0x0101.into()));
        let ended = relayed.run::<R>().await;

        let output = reading.and_then(std::process::Child::wait_with_output).expect("node runs");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
        let values = json!({"DB1,INT10": 0x1234, "DB1,REAL20": 1.5});
        assert_eq!(answer, json!({"bad": false, "values": values}));
        assert!(ended.requests >= 2, "setup and a read: {}", ended.requests);
        assert_eq!(ended.requests, ended.answers);
        // it ends the TCP connection without a DR
        assert!(matches!(ended.front.protocol(), Some(cotp::Error::Closed)), "{:?}", ended.front);
        snap7::close(their_server);
    }
}
