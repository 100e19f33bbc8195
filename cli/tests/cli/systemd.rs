//! What systemd is told, over the socket that it names in the environment, and the unit that makes
//! it ask.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use hat_tests::peers;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat};
use crate::store::Folder;

/// The next word.
fn word(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 1024];
    let count = socket.recv(&mut bytes).expect("a further word");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// Waits for a line among the words.
#[track_caller]
fn until(socket: &UnixDatagram, line: &str) {
    while !word(socket).lines().any(|it| it == line) {}
}

/// The unit of docs/debian is one that systemd takes, without a word about it.
#[test]
fn the_unit_is_understood() {
    if !Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_ok_and(|it| it.status.success())
    {
        return peers::skip("the_unit_is_understood", "systemd-analyze is of the package systemd");
    }
    let folder = Folder::new();
    let unit = include_str!("../../../docs/debian/hat-server.service");
    assert!(unit.contains("ExecStart=/usr/bin/hat "), "what is installed there");
    let path = folder.of("hat-server.service");
    let unit = unit.replace("/usr/bin/hat", env!("CARGO_BIN_EXE_hat"));
    fs::write(&path, unit.replace("User=hat\nGroup=hat\n", "")).expect("a file");
    let verify = ["verify", "--man=no", &path];
    let output = Command::new("systemd-analyze").args(verify).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // other units of this machine are none of ours
    let of_ours: Vec<_> = said.lines().filter(|line| line.contains("hat-server")).collect();
    assert!(of_ours.is_empty(), "{of_ours:?}");
}

on_every_runtime! {
    /// A history that takes minutes to copy is no start that hangs.
    fn a_start_that_takes_long_asks_for_more_time(runtime) {
        let folder = Folder::new();
        let from = Server::start_of(runtime, &format!("--store {}", folder.of("from")));
        hat(&format!("register a --connect {} --runtime {runtime}", from.address)).json();
        let path = folder.of("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let (store, from) = (folder.of("store"), &from.address);
        let args = format!("serve --listen 127.0.0.1:0 --store {store} --mirror-once {from} --runtime {runtime}");
        let server = Hat::start_in(&args, "", &[("NOTIFY_SOCKET", &*path)]);
        let first = word(&socket);
        assert!(first.lines().any(|line| line == "EXTEND_TIMEOUT_USEC=60000000"), "{first}");
        assert!(first.contains(&format!("STATUS=copied 1 events of {from}")), "{first}");
        until(&socket, "READY=1");
        server.signal("TERM");
        until(&socket, "STOPPING=1");
        assert_eq!(server.end().code, Some(0));
    }

    fn a_service_of_type_notify(runtime) {
        let folder = Folder::new();
        let path = folder.of("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let variables = [("NOTIFY_SOCKET", &*path), ("WATCHDOG_USEC", "600000")];
        let args = format!("serve --listen 127.0.0.1:0 --store {} --runtime {runtime}", folder.of("store"));
        let server = Hat::start_in(&args, "", &variables);
        until(&socket, "READY=1");
        assert!(server.error_line().starts_with("listening on "), "it listens before it is ready");
        until(&socket, "STATUS=operational, 0 clients");
        // again and again, for as long as the log goes round
        for _ in 0..4 {
            until(&socket, "WATCHDOG=1");
        }
        server.signal("TERM");
        until(&socket, "STOPPING=1");
        assert_eq!(server.end().code, Some(0));
    }

    /// Who cannot start is never ready.
    fn a_service_that_cannot_start(runtime) {
        let folder = Folder::new();
        let path = folder.of("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let held = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let at = held.local_addr().expect("bound");
        let args = format!("serve --listen {at} --runtime {runtime}");
        let ended = Hat::start_in(&args, "", &[("NOTIFY_SOCKET", &*path)]).end();
        ended.failed(3);
        assert!(socket.recv(&mut [0; 64]).is_err(), "nothing was said");
        // nor one whose page cannot listen
        let args = format!("serve --listen 127.0.0.1:0 --web {at} --runtime {runtime}");
        let ended = Hat::start_in(&args, "", &[("NOTIFY_SOCKET", &*path)]).end();
        assert_eq!(ended.code, Some(3), "{ended:?}");
        let mut bytes = [0; 64];
        while let Ok(count) = socket.recv(&mut bytes) {
            assert!(!bytes[..count].starts_with(b"READY"), "{bytes:?}");
        }
    }
}
