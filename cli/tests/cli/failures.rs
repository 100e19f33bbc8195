//! Every failure has its exit code and says one line.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use hat_core::eventer::Status;
use hat_smol::eventer::{ListenOptions, listen};
use hat_tests::peers::unused_addr;
use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

/// Every command that connects.
const CLIENTS: [&str; 6] =
    ["subscribe", "register a", "query latest", "query timeseries", "query server", "status"];

#[cfg(not(feature = "cluster"))]
#[test]
fn what_was_not_built_is_said() {
    let folder = crate::store::Folder::new();
    let serve = format!("serve --cluster nats://a --store {}", folder.of("events"));
    for args in [&serve, "cluster status nats://a"] {
        let ended = hat(args);
        let said = ended.failed(2);
        assert!(
            said.contains("built without the feature cluster") && said.contains("--features"),
            "{said}"
        );
    }
}

#[cfg(feature = "cluster")]
#[test]
fn a_cluster_needs_tokio_and_addresses() {
    let folder = crate::store::Folder::new();
    let serve = format!("serve --store {} --cluster", folder.of("events"));
    for (args, part) in [
        (format!("--runtime smol {serve} nats://127.0.0.1:1"), "a cluster needs Tokio"),
        (format!("{serve} http://127.0.0.1:1"), "the scheme http:// is not supported"),
        (format!("{serve} nats://"), "the addresses of the cluster"),
        (format!("{serve} nats://a --cluster-creds /nonexistent"), "/nonexistent: "),
        ("--runtime smol cluster status nats://127.0.0.1:1".into(), "Tokio"),
    ] {
        let ended = hat(&args);
        let code = if args.contains("status") { 3 } else { 2 };
        let said = ended.failed(code);
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn arguments_that_are_wrong() {
    for (args, part) in [
        ("", "requires a subcommand"),
        ("query", "requires a subcommand"),
        ("nonsense", "unrecognized subcommand 'nonsense'"),
        ("status --nonsense", "unexpected argument '--nonsense'"),
        ("status --runtime async-std", "[possible values: tokio, smol]"),
        ("status --format xml", "[possible values: jsonl, table]"),
        ("subscribe --format xml", "write jsonl, table, csv, payload, or a template"),
        ("subscribe --format {typ}", "unknown name {typ} in the template"),
        ("subscribe --path x", "the path `x` does not start with `/`"),
        ("status --connect nowhere", "no port in `nowhere`"),
        ("status --timeout -1", "'-1'"),
        ("status --timeout 0", "a number of seconds"),
        ("serve --listen ftp://localhost:80", "the scheme `ftp` is not supported"),
        ("serve --max-results 0", "a number of at least 1"),
        ("serve --cluster nats://a", "--cluster (cluster.servers) needs --store DIR"),
        ("serve --cluster-replicas 3", "an option of a cluster needs --cluster URLS"),
        ("serve --store x --cluster a --cluster-unfence --monitor b:1", "exclude each other"),
        ("subscribe a/*/b", "a * that is not its last segment"),
        ("register a/?", "are not allowed in a segment"),
        ("register a --json {", "--json: EOF"),
        ("register a//b", "`a//b` has an empty segment"),
        ("register a --input jsonl", "omit TYPE"),
        ("register --input text", "--input text needs a TYPE for its events"),
        ("register --rate 0", "a number of events per second"),
        ("register a --binary t --file /nonexistent", "cannot read /nonexistent"),
        ("register --json 1", "not provided: <TYPE>"),
        ("query timeseries --from soon", "`soon` is not a time: write 2023-11-14T22:13:20Z"),
        ("query timeseries --from -1", "`-1` is not a time"),
        ("query timeseries --order up", "[possible values: desc, asc]"),
        ("query server --last-event-id 1,2", "three numbers"),
        ("query server --last-event-id 2,1,1", "an event of server 1"),
        ("query server --max-results -1", "'-1'"),
        ("demo --seconds 0", "0 is not in"),
        ("doctor --connect a:1 b", "HOST and --connect both name a server"),
        ("load --rate 0.001 --batch 100000000000000000", "a number from 1 to 1000000"),
        ("load --payload 18446744073709551615", "a number from 0 to 67108864"),
        ("load --clients 4294967296", "a number from 1 to 100000"),
    ] {
        let ended = hat(args);
        let line = ended.failed(2);
        assert!(line.contains(part), "{args}: {line}");
    }
}

on_every_runtime! {
    fn nobody_listens(runtime) {
        let address = unused_addr();
        for client in CLIENTS {
            let ended = hat(&format!("{client} --connect {address} --runtime {runtime}"));
            assert!(ended.failed(3).starts_with(&format!("error: cannot connect to {address}: ")));
        }
        let ended = hat(&format!("status --connect host.invalid:1 --runtime {runtime}"));
        assert!(ended.failed(3).starts_with("error: cannot find the address of `host.invalid:1`"));
    }

    fn the_address_is_taken(runtime) {
        let server = Server::start(runtime, "");
        let ended = hat(&format!("serve --listen {} --runtime {runtime}", server.address));
        assert!(ended.failed(3).starts_with(&format!("error: cannot listen on {}: ", server.address)));
    }

    fn the_token_is_wrong(runtime) {
        for (args, token) in [("--token right", "wrong"), ("", "any")] {
            let server = Server::start(runtime, args);
            for client in CLIENTS {
                let connect = format!("--connect {} --runtime {runtime}", server.address);
                let ended = hat(&format!("{client} --token {token} {connect}"));
                let expected =
                    format!("error: {} rejected the connection: invalid client token", server.address);
                assert_eq!(ended.failed(4), expected);
                assert_eq!(hat(&format!("status {connect}")).code, Some(0), "no token is no wrong one");
            }
        }
    }

    fn the_peer_speaks_something_else(runtime) {
        for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b"\x01\x01\x00", b""] {
            let address = peer_that_answers(answer);
            for client in ["status", "subscribe"] {
                let ended = hat(&format!("{client} --connect {address} --runtime {runtime}"));
                let expected = format!("error: {address} is not an event server: ");
                assert!(ended.failed(5).starts_with(&expected), "{ended:?}");
            }
        }
    }

    fn the_peer_says_nothing(runtime) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let ended = hat(&format!("status --timeout 0.2 --connect {address} --runtime {runtime}"));
        assert!(ended.failed(5).ends_with("did not initialize the connection in time"), "{ended:?}");
    }

    fn the_server_is_killed(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let followers = ["subscribe --status", "status --watch"]
            .map(|command| Hat::start(&format!("{command} {connect}")));
        for follower in &followers {
            assert_eq!(follower.json(), json!({"status": "operational"}));
        }
        server.hat.signal("KILL");
        for follower in followers {
            let expected = format!("error: the connection to {} ended: ", server.address);
            assert!(follower.end().failed(6).starts_with(&expected));
        }
    }

    fn a_line_is_wrong(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        for (line, part) in [
            ("nonsense", "expected ident at column 2"),
            ("{\"type\": \"*\"}", "are not allowed in a segment"),
        ] {
            let ended = hat_with(&format!("register {connect}"), &format!("{{\"type\":\"a\"}}\n{line}\n"));
            let error = ended.failed(2);
            assert!(error.starts_with("error: line 2 of standard input: ") && error.contains(part), "{error}");
        }
        // the line before it was registered, each time
        assert_eq!(hat(&format!("query timeseries {connect}")).json().len(), 2);
    }

    fn the_events_are_not_registered(runtime) {
        let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let server = smol::block_on(listen(address, (), options)).expect("a free port");
        let connect = format!("--connect {} --runtime {runtime}", server.addresses()[0]);
        let text = "the server did not register the events";
        assert_eq!(hat(&format!("register a {connect}")).failed(7), format!("error: {text}"));
        let ended = hat_with(&format!("register {connect}"), "{\"type\":\"a\"}");
        assert_eq!(ended.failed(7), format!("error: lines 1 to 1: {text}"));
    }
}

on_every_runtime! {
    /// Larger than the server takes: both say so without being asked for more.
    fn a_message_that_is_too_large(runtime) {
        let server = Server::start(runtime, "");
        let register = format!("register a --binary t --response --runtime {runtime} --connect");
        let mib = 1024 * 1024;
        let ended = hat_with(&format!("{register} {}", server.address), &"x".repeat(65 * mib));
        assert_ne!(ended.code, Some(0), "{ended:?}");
        let warned = |line: &str, parts: [&str; 4]| {
            assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        };
        let told = "the connection ended after a large message that was not answered";
        warned(&ended.stderr[0], ["WARN", told, "eventer client", "size=681574"]);
        let told = "a message is larger than the limit: the connection is closed";
        warned(&server.hat.error_line(), ["WARN", told, "size=681574", "limit=67108864"]);
    }
}

/// Takes connections, answers each with the same, and closes it.
fn peer_that_answers(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 1024];
            // read first: closing with something unread is a reset
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
    address
}
