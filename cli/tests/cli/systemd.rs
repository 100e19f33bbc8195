//! What systemd is told, over the socket that it names in the environment.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::on_every_runtime;
use crate::process::Hat;
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

on_every_runtime! {
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
