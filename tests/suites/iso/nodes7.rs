//! The S7 client `nodes7` on Node, through our relay to the server of `python-snap7`.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use hat_core::cotp;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{node, skip, skipped};
use hat_tests::runtimes::{TestRuntime, within};
use serde_json::{Value, json};

use crate::relay::{Relay, RelayConnections};
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

/// Node with its script at work. It is killed where it is not waited for.
struct Reading(Option<Child>);

impl Reading {
    fn start(mut command: Command) -> Self {
        Self(Some(command.spawn().expect("node starts")))
    }

    fn output(mut self) -> Output {
        let child = self.0.take().expect("once");
        child.wait_with_output().expect("what it wrote")
    }

    /// The connection that it makes through `relay`.
    ///
    /// # Panics
    ///
    /// If it ends without one, with what it said, or has none in two minutes.
    async fn relayed<R: TestRuntime>(&mut self, relay: &Relay) -> RelayConnections {
        let mut accepted = pin!(relay.accept::<R>());
        for _ in 0..120 {
            if let Some(relayed) = within::<R, _>(Duration::from_secs(1), accepted.as_mut()).await {
                return relayed;
            }
            let child = self.0.as_mut().expect("not waited for");
            if child.try_wait().expect("it can be asked").is_some() {
                let Output { status, stdout, stderr } = Self(self.0.take()).output();
                let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)];
                panic!("node ended without a connection, {status}: {}", said.concat());
            }
        }
        panic!("node has not connected within two minutes");
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // it may have ended
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client that cannot start must not leave its test waiting.
#[test]
fn a_node_that_does_not_start_is_told() {
    if left_out("iso::nodes7::a_node_that_does_not_start_is_told") {
        return;
    }
    let mut command = Command::new("node");
    command.args(["-e", "throw new Error('no such script')"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = std::panic::catch_unwind(AssertUnwindSafe(|| {
        hat_tokio::Tokio::run(async {
            let relay = Relay::to::<hat_tokio::Tokio>(crate::local()).await;
            Reading::start(command).relayed::<hat_tokio::Tokio>(&relay).await;
        });
    }));
    let said = said.expect_err("it says why").downcast::<String>().expect("a text");
    assert!(said.contains("no such script"), "{said}");
}

on_threaded_runtimes! {
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
        let mut reading = Reading::start(read(relay.address(), &["DB1,INT10", "DB1,REAL20"]));
        let relayed = reading.relayed::<R>(&relay).await;
        assert_eq!(relayed.front.info().local_selector, Some(0x0101.into()));
        let ended = relayed.run::<R>().await;

        let answer: Value =
            serde_json::from_slice(&reading.output().stdout).expect("a line of JSON");
        let values = json!({"DB1,INT10": 0x1234, "DB1,REAL20": 1.5});
        assert_eq!(answer, json!({"bad": false, "values": values}));
        assert!(ended.requests >= 2, "setup and a read: {}", ended.requests);
        assert_eq!(ended.requests, ended.answers);
        // it ends the TCP connection without a DR
        assert!(matches!(ended.front.protocol(), Some(cotp::Error::Closed)), "{:?}", ended.front);
        snap7::close(their_server);
    }
}
