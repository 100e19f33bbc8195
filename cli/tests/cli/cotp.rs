//! `hat cotp`: probing, and echoing to the deployed client.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use hat_tests::peers::{self, Peer, unused_addr};
#[cfg(target_os = "linux")]
use hat_tests::silent::Silent;
use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, hat, hat_with};

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
    assert!(ended.failed(3).contains("within 0.2 s"));

    let cutting = std::net::TcpListener::bind("[::1]:0").expect("a free port");
    let address = cutting.local_addr().expect("bound");
    let cut = std::thread::spawn(move || drop(cutting.accept()));
    let ended = hat(&format!("cotp probe {address}"));
    assert!(ended.failed(6).contains("S7 among them"));
    cut.join().expect("taken");

    for (args, part) in [
        ("cotp probe", "required arguments"),
        ("cotp probe host:port", "`port` is not a port"),
        ("cotp probe host --local-tsel 1", "`1` is not a selector"),
        ("cotp probe host --local-tsel zz", "`zz` is not a selector"),
        ("cotp probe host --remote-tsel +1+f", "`+1+f` is not a selector"),
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

on_every_runtime! {
    fn octets_of_a_handshake(runtime) {
        let (_echo, address) = echo(runtime, "--local-tsel 0002");
        let probe = format!("--runtime {runtime} cotp probe {address} --remote-tsel 0.2 --tpdu-size 1024");
        let lines = hat(&format!("{probe} --hex")).json_lines();
        assert!(lines[0].contains("TPDU size 1024"), "{lines:?}");
        assert!(lines[1].starts_with("CR  03000012") && lines[1].ends_with("c2020002c0010a"), "{lines:?}");
        assert!(lines[2].starts_with("CC  030000120dd0"), "{lines:?}");
        let line = hat(&format!("{probe} --hex --format jsonl --strict")).json().remove(0);
        assert_eq!((&line["tpdu_size_octets"], &line["remote_tsel"]), (&json!(1024), &json!("0002")));
        assert!(line["cr"].as_str().is_some_and(|octets| octets.starts_with("0300")), "{line}");

        let (_echo, address) = echo(runtime, "--local-tsel 0002");
        let sent = hat(&format!("--runtime {runtime} cotp send {address} --remote-tsel 0002 0aff"));
        assert_eq!(sent.json_lines(), ["0aff"]);
        let piped = crate::process::hat_with(&format!("--runtime {runtime} cotp send {address} --remote-tsel 0002 --format jsonl"), "čx");
        assert_eq!(piped.json(), [json!({"octets": "c48d78", "length_octets": 3})]);
    }

    fn selectors_one_after_the_other(runtime) {
        let (_echo, address) = echo(runtime, "--local-tsel 0102");
        let ended = hat(&format!("--runtime {runtime} cotp scan {address} --pause 0.001"));
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &["1 selectors confirmed, 15 not confirmed".to_owned()][..]));
        assert_eq!(ended.stdout.iter().filter(|line| line.contains("confirmed, TPDU size 2048 octets")).count(), 1);
        assert!(ended.stdout[6].starts_with("0102     rack 0, slot 2   confirmed"), "{ended:?}");
        let ended = hat(&format!("--runtime {runtime} cotp scan {address} 0001 text:X --pause 0.001 --format jsonl"));
        assert_eq!((ended.code, ended.stdout.len(), ended.stderr.len()), (Some(4), 2, 2), "{ended:?}");
        let line: serde_json::Value = serde_json::from_str(&ended.stdout[1]).expect("JSON");
        assert_eq!((&line["remote_tsel"], &line["confirmed"]), (&json!("58"), &json!(false)));
    }

    /// What the peer does not take was not sent, whether an answer is waited for or not.
    fn messages_that_are_lost(runtime) {
        // DR, reason 128, at once behind the confirmation
        let address = peer(|stream, [high, low]| {
            stream.write_all(&[confirmed([high, low]), vec![3, 0, 0, 11, 6, 0x80, high, low, 0, 1, 0x80]].concat())?;
            // to the end of the caller
            io::copy(stream, &mut io::sink()).map(drop)
        });
        for answers in 0..2 {
            let ended = hat(&format!("cotp send {address} 00 --answers {answers} --runtime {runtime}"));
            let line = ended.failed(6);
            assert!(line.contains("the peer disconnected: "), "{line}");
        }
        // a reset in the middle of a message
        let address = peer(|stream, reference| {
            stream.write_all(&confirmed(reference))?;
            stream.read_exact(&mut [0; 1])
        });
        let message = "x".repeat(16 * 1024 * 1024);
        let ended = hat_with(&format!("cotp send {address} --answers 0 --runtime {runtime}"), &message);
        ended.failed_after(6);
        let line = ended.stderr.last().expect("an error, behind a warning of large messages");
        assert!(line.starts_with(&format!("error: the connection to {address} ended: ")), "{line}");
    }

    fn a_peer_that_breaks_the_protocol(runtime) {
        let address = peer(|stream, reference| {
            stream.write_all(&confirmed(reference))?;
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n")?;
            io::copy(stream, &mut io::sink()).map(drop)
        });
        let ended = hat(&format!("cotp send {address} 00 --runtime {runtime}"));
        let line = ended.failed(5);
        assert!(line.contains("the peer does not speak TPKT"), "{line}");
    }

    /// A host that is switched off is not asked for one selector after the other.
    #[cfg(target_os = "linux")]
    fn nobody_to_be_scanned(runtime) {
        let silent = Silent::new();
        let address = silent.address();
        for command in ["probe", "send", "scan"] {
            let octets = if command == "send" { "00" } else { "" };
            let ended = hat(&format!("cotp {command} {address} {octets} --timeout 0.3 --runtime {runtime}"));
            let line = ended.failed(3);
            assert!(line.starts_with(&format!("error: cannot connect to {address}: ")), "{line}");
        }
    }
}

/// Takes callers, reads their requests, and goes on as `then` says with their references.
fn peer(then: impl Fn(&mut TcpStream, [u8; 2]) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 14];
            stream.read_exact(&mut request).expect("a CR");
            // a caller that is gone is what is looked at
            let _ = then(&mut stream, [request[8], request[9]]);
        }
    });
    address
}

/// A CC for that reference.
fn confirmed([high, low]: [u8; 2]) -> Vec<u8> {
    vec![3, 0, 0, 14, 9, 0xd0, high, low, 0, 1, 0, 0xc0, 1, 11]
}
