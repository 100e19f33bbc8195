//! `hat juggler`: what is told, and how its commands end.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{ChildStdin, Command};

use hat_core::json::Value;
use hat_smol::juggler::{ListenOptions, Server, listen};
use hat_smol::websocket;
use hat_tests::certificates::PemFile;
use serde_json::json;
use smol::future::poll_once;

use crate::on_every_runtime;
use crate::process::{Hat, hat};

/// A server of the library.
fn library(options: ListenOptions) -> (Server, SocketAddr) {
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let server = smol::block_on(listen(address, (), options)).expect("a free port");
    let address = server.addresses()[0];
    (server, address)
}

/// The address in what a server says first.
fn address(server: &Hat) -> String {
    let line = server.error_line();
    line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// `hat juggler serve` with a pipe as its standard input, and where it listens.
fn serve(runtime: &str) -> (Hat, ChildStdin, String) {
    let args = format!("juggler serve --listen 127.0.0.1:0 --runtime {runtime}");
    let (server, input) = Hat::start_open(&args);
    let address = address(&server);
    (server, input, address)
}

on_every_runtime! {
    /// What came before the server closed is told, also where the end is seen first.
    fn notifications_before_the_end(runtime) {
        const COUNT: i64 = 2_000;
        let (server, address) = library(ListenOptions::default());
        let watch = Hat::start(&format!("juggler watch {address} --runtime {runtime}"));
        let connection = loop {
            match server.connections().pop() {
                Some(connection) => break connection,
                None => std::thread::yield_now(),
            }
        };
        // it reads all of it at once, with the end behind it
        watch.signal("STOP");
        smol::block_on(async {
            for number in 0..COUNT {
                connection.notify("n", &Value::from(number)).await.expect("sent");
            }
            connection.drain().await.expect("with the system");
            let mut closing = Box::pin(server.close());
            poll_once(&mut closing).await;
            watch.signal("CONT");
            closing.await;
        });
        for number in 0..COUNT {
            assert_eq!(watch.json(), json!({"notify": "n", "data": number}));
        }
        watch.end().failed(6);
    }

    /// A server whose output nobody reads any more ends, and one that cannot write it fails; who
    /// asked is answered.
    fn output_that_cannot_be_written(runtime) {
        let (mut server, input, at) = serve(runtime);
        server.stop_reading();
        let call = |at: &str| hat(&format!("juggler call {at} x 5 --runtime {runtime}"));
        assert_eq!(call(&at).json_lines(), ["5"]);
        // whoever reads goes with the line that nobody wants
        for _ in 0..100 {
            if server.has_ended() {
                break;
            }
            call(&at);
        }
        assert_eq!(server.end().code, Some(0));
        drop(input);

        let mut full = Command::new("sh");
        let hat = env!("CARGO_BIN_EXE_hat");
        let serve = format!("juggler serve --listen 127.0.0.1:0 --runtime {runtime}");
        full.args(["-c", &format!("exec {hat} {serve} > /dev/full")]);
        let server = Hat::spawn(full, "");
        let at = address(&server);
        assert_eq!(call(&at).json_lines(), ["5"]);
        assert!(server.end().failed(1).contains("cannot write the output: "));
    }

    /// What stands before a wrong line is told, and the connections are closed.
    fn a_line_that_is_wrong(runtime) {
        let wrong: [(&[u8], &str); 3] = [
            (b"nonsense\n", "line 3 of standard input: "),
            (b"\"\xff\"\n", "line 3 of standard input: it is not UTF-8"),
            (&[b' '; 64 * 1024 * 1024 + 2], "line 3 of standard input: it is longer than 64 MiB"),
        ];
        for (line, part) in wrong {
            let (server, mut input, at) = serve(runtime);
            let watch = Hat::start(&format!("juggler watch {at} --runtime {runtime}"));
            writeln!(input, "{{\"a\":1}}").expect("written");
            while watch.json() != json!({"state": {"a": 1}}) {}
            writeln!(input, "{{\"a\":2}}").expect("written");
            // the server may end before it has read all of it
            let _ = input.write_all(line);
            assert_eq!(watch.json(), json!({"state": {"a": 2}}));
            assert!(watch.end().failed(6).contains("the connection is closed"), "{part}");
            let ended = server.end();
            assert!(ended.failed(2).contains(part), "{ended:?}");
        }
    }

    fn who_is_not_taken(runtime) {
        // `htpasswd -nbs ana secret`
        let users = PemFile::new("ana:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
        let mut options = ListenOptions::default();
        options.web.htpasswd_file = Some(users.path().into());
        let (_server, address) = library(options);
        for command in ["watch", "call"] {
            let name = if command == "call" { "x" } else { "" };
            let args = format!("juggler {command} {address} {name} --runtime {runtime}");
            let rejected = format!("error: {address} rejected the connection: ");
            for user in ["", "--user ana:wrong"] {
                let ended = hat(&format!("{args} {user}"));
                let line = ended.failed(4);
                assert!(line.starts_with(&rejected) && line.contains("401"), "{line}");
            }
            // there is no such page, which another user would not find either
            hat(&format!("{args} --user ana:secret --ws-path /other")).failed(5);
        }
    }

    fn a_server_that_breaks_the_protocol(runtime) {
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let server = smol::block_on(websocket::listen(address, Default::default()));
        let server = server.expect("a free port");
        let address = server.addresses()[0];
        for message in ["nonsense", r#"0{"type":"state","diff":[{"op":"remove","path":"/x"}]}"#] {
            for command in ["watch", "call"] {
                let name = if command == "call" { "x" } else { "" };
                let args = format!("juggler {command} {address} {name} --runtime {runtime}");
                let client = Hat::start(&args);
                let connection = smol::block_on(server.accept()).expect("a client");
                smol::block_on(connection.send(message)).expect("sent");
                let ended = client.end();
                assert!(ended.failed(5).starts_with(&format!("error: the connection to {address} ended: ")), "{ended:?}");
            }
        }
    }
}
