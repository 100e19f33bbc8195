//! `hat cotp`: probing, and echoing to the deployed client.

use hat_tests::peers::{self, Peer, unused_addr};
use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, hat};

/// An echo server, and where it listens.
fn echo(runtime: &str, args: &str) -> (Hat, String) {
    let hat = Hat::start(&format!("--runtime {runtime} cotp echo --listen 127.0.0.1:0 {args}"));
    let line = hat.error_line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
    (hat, address.to_owned())
}

on_every_runtime! {
    fn what_a_peer_confirms(runtime) {
        let (echo, address) = echo(runtime, "--local-tsel 0002");
        let ended = hat(&format!("--runtime {runtime} cotp probe {address} --local-tsel 0001 --remote-tsel 0002"));
        assert_eq!((ended.code, ended.stderr.len(), ended.stdout.len()), (Some(0), 0, 1));
        let expected = format!("{address} confirms: TPDU size 2048, local TSEL 0001, remote TSEL 0002, reference ");
        assert!(ended.stdout[0].starts_with(&expected), "{}", ended.stdout[0]);

        let ended = hat(&format!("--runtime {runtime} cotp probe {address} --remote-tsel 0003"));
        assert!(ended.failed(4).contains("rejected the connection"));
        echo.signal("INT");
        assert_eq!(echo.end().code, Some(0));
    }

    fn the_deployed_client_is_echoed(runtime) {
        if peers::skipped("the_deployed_client_is_echoed") {
            return;
        }
        let (_echo, address) = echo(runtime, "");
        let peer = Peer::today();
        let address = address.parse().expect("an address");
        let connection = peer.open("cotp.connect", json!({"addr": peers::to_addr(address), "local_tsel": 1, "remote_tsel": 2}));
        let message = peers::to_base64(vec![7; 100_000]);
        peer.expect("cotp.send", json!({"obj": connection, "data": message}));
        let answer = peer.expect("cotp.receive", json!({"obj": connection}));
        assert!(answer["data"] == message.as_str(), "100 kB came back changed");
    }
}

#[test]
fn peers_that_are_none() {
    let nobody = unused_addr();
    assert!(hat(&format!("cotp probe {nobody}")).failed(3).contains("cannot connect"));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound");
    let ended = hat(&format!("cotp probe {address} --timeout 0.2"));
    assert!(ended.failed(3).contains("does not answer within 0.2 s"));

    let cutting = std::net::TcpListener::bind("[::1]:0").expect("a free port");
    let address = cutting.local_addr().expect("bound");
    let cut = std::thread::spawn(move || drop(cutting.accept()));
    let ended = hat(&format!("cotp probe {address}"));
    assert!(ended.failed(6).contains("S7 among them"));
    cut.join().expect("taken");

    for (args, part) in [
        ("cotp probe", "required arguments"),
        ("cotp probe host:port", "`port` is no port"),
        ("cotp probe host --local-tsel 1", "`1` is no selector"),
        ("cotp probe host --local-tsel zz", "`zz` is no selector"),
        ("cotp probe host --remote-tsel +1+f", "`+1+f` is no selector"),
    ] {
        assert!(hat(args).failed(2).contains(part), "{args}");
    }
}

/// Port 102 of this machine: privileged and, where these tests run, without a server.
#[test]
fn an_ipv6_address_without_a_port() {
    let ended = hat("cotp probe ::1 --timeout 2");
    assert!(ended.failed(3).contains("[::1]:102"), "the usual port");
}

/// The words of a peer that refuses reach the person who asked.
#[test]
fn what_a_peer_says_when_it_refuses() {
    use std::io::{Read, Write};

    let refusing = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = refusing.local_addr().expect("bound");
    let refuse = std::thread::spawn(move || {
        let (mut stream, _) = refusing.accept().expect("a caller");
        let mut request = [0; 18];
        stream.read_exact(&mut request).expect("a CR");
        let [high, low] = [request[8], request[9]];
        // DR, reason 3, additional information (E0): "no such bay"
        let front = [3, 0, 0, 24, 19, 0x80, high, low, 0, 0, 3, 0xe0, 11];
        stream.write_all(&front).expect("written");
        stream.write_all(b"no such bay").expect("written");
    });
    let ended = hat(&format!("cotp probe {address} --remote-tsel 0001"));
    let line = ended.failed(4);
    assert!(line.contains(r#"address unknown (3), and says "no such bay""#), "{line}");
    refuse.join().expect("refused");
}

/// Nobody reads what is printed: no failure, and no panic.
#[test]
fn output_that_nobody_reads() {
    let (echo, address) = echo("tokio", "");
    let hat = env!("CARGO_BIN_EXE_hat");
    let script = format!("{hat} cotp probe {address} 2>&1 >&- | cat; exit ${{PIPESTATUS[0]}}");
    let closed = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash");
    assert!(!String::from_utf8_lossy(&closed.stdout).contains("panicked"), "{closed:?}");
    let script = format!("{hat} cotp probe {address} | true; exit ${{PIPESTATUS[0]}}");
    let piped = std::process::Command::new("bash").args(["-c", &script]).output().expect("bash");
    assert_eq!((piped.status.code(), &*piped.stderr), (Some(0), &b""[..]));
    echo.signal("INT");
    assert_eq!(echo.end().code, Some(0));
}
