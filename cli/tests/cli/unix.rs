//! `hat` over a Unix socket.

use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat};

/// A folder of its own for a test, gone after it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hat-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("hat.sock")
    }

    fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

on_every_runtime! {
    fn every_command_goes_over_a_unix_socket(runtime) {
        let folder = Folder::new();
        let address = folder.address();
        let server = Server::start(runtime, &format!("--listen {address}"));
        assert_eq!(server.address, address, "it says where it listens");
        let connect = format!("--runtime {runtime} --connect {address}");
        let told = Hat::start(&format!("subscribe --status --reconnect {connect}"));
        assert_eq!(told.json(), json!({"status": "operational"}));
        let registered = hat(&format!("register a/b --json 1 --response {connect}")).json();
        assert_eq!(told.json(), registered[0]);
        assert_eq!(hat(&format!("query latest {connect}")).json(), registered);
        let steps = hat(&format!("doctor {address} --runtime {runtime}"));
        assert_eq!(steps.code, Some(0), "{steps:?}");
        let socket = format!("ok    socket      {} accepts connections", folder.socket().display());
        assert!(steps.stdout[0].starts_with(&socket), "{steps:?}");
    }

    fn iso_transport_and_chatter_over_one(runtime) {
        let folder = Folder::new();
        let address = folder.address();
        let echo = Hat::start(&format!("--runtime {runtime} cotp echo --listen {address}"));
        assert_eq!(echo.error_line(), format!("listening on {address}"));
        let lines = hat(&format!("--runtime {runtime} cotp probe {address} --hex")).json_lines();
        assert!(lines[0].starts_with(&format!("{address} confirms: ")), "{lines:?}");
        assert!(lines[1].starts_with("CR  0300") && lines[2].starts_with("CC  0300"), "{lines:?}");
        drop(echo);
        let _ = std::fs::remove_file(folder.socket());
        let listener = Hat::start(&format!("--runtime {runtime} chatter listen --listen {address}"));
        assert_eq!(listener.error_line(), format!("listening on {address}"));
    }

    fn the_file_goes_with_the_server_and_one_that_is_left_makes_place(runtime) {
        let folder = Folder::new();
        // of a server that was killed
        drop(UnixListener::bind(folder.socket()).expect("a free place"));
        let server = Server::start(runtime, &format!("--listen {}", folder.address()));
        let file = std::fs::symlink_metadata(folder.socket()).expect("there");
        assert!(file.file_type().is_socket());
        let listen = format!("serve --runtime {runtime} --listen {}", folder.address());
        let second = hat(&listen);
        let line = second.failed(3);
        assert!(line.contains(&format!("cannot listen on {}", folder.address())), "{line}");
        server.hat.signal("TERM");
        assert_eq!(server.hat.end().code, Some(0));
        assert!(!folder.socket().exists());
        // no socket: it may be anybody's
        std::fs::write(folder.socket(), "precious").expect("a free place");
        hat(&listen).failed(3);
        assert_eq!(std::fs::read(folder.socket()).expect("there"), b"precious");
    }

    fn nobody_at_a_unix_socket(runtime) {
        let folder = Folder::new();
        let ended = hat(&format!("status --runtime {runtime} --connect {}", folder.address()));
        let line = ended.failed(3);
        assert!(line.contains(&folder.address()), "{line}");
        let ended = hat(&format!("doctor {} --runtime {runtime}", folder.address()));
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stdout.iter().any(|line| line.contains("the file does not exist")), "{ended:?}");
        // there is no TLS over it
        let ended = hat(&format!(
            "status --runtime {runtime} --connect {} --dangerous-accept-any-certificate",
            folder.address()
        ));
        assert!(ended.stderr[0].contains("no TLS over a Unix socket"), "{ended:?}");
        // nor a group of servers, which connect to each other
        let ended = hat(&format!(
            "serve --runtime {runtime} --listen {} --monitor 127.0.0.1:1", folder.address()
        ));
        assert!(ended.failed(2).contains("unix:"), "{ended:?}");
    }
}
