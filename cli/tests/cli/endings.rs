//! Ends that are no failures: signals, readers that go.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

on_every_runtime! {
    fn a_server_that_is_interrupted_tells_its_clients(runtime) {
        for signal in ["INT", "TERM"] {
            let server = Server::start(runtime, "");
            let connect = format!("--connect {} --runtime {runtime}", server.address);
            let follower = Hat::start(&format!("subscribe --status {connect}"));
            let watcher = Hat::start(&format!("status --watch {connect}"));
            assert_eq!(follower.json(), json!({"status": "operational"}));
            assert_eq!(watcher.json(), json!({"status": "operational"}));
            server.hat.signal(signal);
            let ended = server.hat.end();
            assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[][..]));
            for client in [follower, watcher] {
                assert_eq!(client.json(), json!({"status": "stopping"}));
                assert_eq!(client.json(), json!({"status": "standby"}));
                client.end().failed(6);
            }
        }
    }

    fn a_server_registers_events_of_itself(runtime) {
        let server = Server::start_whole(runtime, "--server-id 7");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let follower = Hat::start(&format!("subscribe event/* --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        let started = hat(&format!("query latest event/7/engine {connect}")).json().remove(0);
        assert_eq!(started["payload"], json!({"kind": "json", "data": "STARTED"}));
        // the follower does not see its own, but those of the two commands that came after it
        let of_client = |state: &str| {
            let event = follower.json();
            assert_eq!(event["segments"], json!(["event", "7", "eventer", "hat"]), "{event}");
            assert_eq!(event["payload"]["data"], state, "{event}");
            assert_eq!(event["source_timestamp"], json!(null));
            event["id"]["session"].as_i64().expect("a number")
        };
        let sessions = [of_client("CONNECTED"), of_client("DISCONNECTED")];
        assert!(sessions.is_sorted());
        assert!(sessions[0] > 1_700_000_000_000_000, "above the clock in microseconds");
        server.hat.signal("TERM");
        assert_eq!(follower.json(), json!({"status": "stopping"}));
        assert_eq!(follower.json()["payload"]["data"], "STOPPED");
        assert_eq!(follower.json(), json!({"status": "standby"}));
    }

    /// Who is cut for not reading is told why, at both ends, without having asked for a log.
    fn a_follower_whose_output_nobody_reads(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
        command.args(format!("subscribe --status {connect}").split_whitespace()).stdout(Stdio::piped());
        let mut follower = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut stdout = BufReader::new(follower.stdout.take().expect("a pipe"));
        let mut status = String::new();
        stdout.read_line(&mut status).expect("a line");
        assert!(status.contains("operational"), "{status}");

        // 60 MB: the pipe, the sockets, and 16 MiB on top
        let payload = "x".repeat(20_000);
        let line = format!("{{\"type\":\"a\",\"payload\":{{\"kind\":\"json\",\"data\":\"{payload}\"}}}}\n");
        hat_with(&format!("register --batch 50 {connect}"), &line.repeat(3_000)).json();
        let line = server.hat.error_line();
        assert!(line.contains("a client reads more slowly than it is notified: its connection is closed"), "{line}");
        assert!(line.contains("name=\"hat\"") && line.contains("limit: 16777216 bytes"), "{line}");
        // the follower says for how long it could not print: more than a second
        thread::sleep(Duration::from_millis(1_200));
        std::io::copy(&mut stdout, &mut std::io::sink()).expect("the rest of the output");
        let mut text = String::new();
        follower.stderr.take().expect("a pipe").read_to_string(&mut text).expect("text");
        assert_eq!(follower.wait().expect("it ends").code(), Some(6), "{text}");
        assert!(text.contains("note: the output was not read for "), "{text}");
        assert!(text.contains("the server may have closed the connection because of that"), "{text}");
    }

    fn followers_end_when_they_are_interrupted(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        for command in ["subscribe --status", "status --watch"] {
            let follower = Hat::start(&format!("{command} {connect}"));
            assert_eq!(follower.json(), json!({"status": "operational"}));
            follower.signal("INT");
            assert_eq!(follower.end().json(), [""; 0]);
        }
    }

    fn a_reader_that_goes_is_no_failure(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let mut follower = Hat::start(&format!("subscribe --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        follower.stop_reading();
        // the first line finds the reader of the test, which goes then; the second finds nobody
        while !follower.has_ended() {
            assert_eq!(hat(&format!("register a {connect}")).json(), [""; 0]);
        }
        let ended = follower.end();
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[][..]));
    }
}
