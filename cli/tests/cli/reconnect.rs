//! `hat subscribe --reconnect`, against servers that come and go.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

on_every_runtime! {
    fn a_server_that_is_killed_and_comes_back(runtime) {
        let server = Server::start(runtime, "");
        let address = server.address.clone();
        let connect = format!("--connect {address} --runtime {runtime}");
        let follower = Hat::start(&format!("subscribe --reconnect --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        hat(&format!("register a {connect}")).json();
        assert_eq!(follower.json()["segments"], json!(["a"]));

        server.hat.signal("KILL");
        drop(server);
        let line = follower.error_line();
        assert!(line.starts_with(&format!("no connection to {address}: ")), "{line}");
        assert!(line.contains("; trying again in 0."), "{line}");

        let _again = Server::start_of(runtime, &format!("--listen {address}"));
        // this server has nothing on a disk, and says so by what it answers
        let missing = "events of the outage may be missing: server 1 no longer has its event 1,";
        while !follower.error_line().starts_with(missing) {}
        hat(&format!("register b {connect}")).json();
        assert_eq!(follower.json()["segments"], json!(["b"]));
        follower.signal("TERM");
        assert_eq!(follower.end().code, Some(0));
    }

    /// What is registered as soon as a server is back that lost everything comes, and the gap is
    /// told.
    fn a_server_that_lost_everything_and_registers_at_once(runtime) {
        let server = Server::start(runtime, "");
        let address = server.address.clone();
        let connect = format!("--connect {address} --runtime {runtime}");
        let follower = Hat::start(&format!("subscribe --reconnect --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        for name in ["run1/e1", "run1/e2", "run1/e3"] {
            hat(&format!("register {name} {connect}")).json();
            assert_eq!(follower.json()["type"], name);
        }
        server.hat.signal("KILL");
        drop(server);
        while !follower.error_line().contains("; trying again in") {}
        let _again = Server::start_of(runtime, &format!("--listen {address}"));
        let names: Vec<_> = (1..=8).map(|index| format!("run2/e{index}")).collect();
        let lines: String = names.iter().map(|name| format!("{{\"type\":\"{name}\"}}\n")).collect();
        hat_with(&format!("register --batch 1 {connect}"), &lines).json();
        let mut came = Vec::new();
        while came.len() < 8 {
            let line = follower.json();
            if line.get("status").is_none() {
                came.push(line["type"].as_str().expect("a type").to_owned());
            }
        }
        assert_eq!(came, names);
        while !follower.error_line().starts_with("events of the outage may be missing: ") {}
    }

    /// Nothing was ever told: what happens meanwhile comes all the same.
    fn an_outage_before_the_first_event(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        hat(&format!("register normal/0 {connect}")).json();
        let proxy = Proxy::before(&server.address);
        let follower = Hat::start(&format!(
            "subscribe --reconnect --status alarm/* --connect {} --runtime {runtime}", proxy.address
        ));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        hat(&format!("register normal/x {connect}")).json();
        proxy.cut();
        while !follower.error_line().contains("; trying again in") {}
        hat(&format!("register alarm/fire {connect}")).json();
        proxy.let_through();
        loop {
            let line = follower.json();
            if line.get("status").is_none() {
                assert_eq!(line["segments"], json!(["alarm", "fire"]));
                break;
            }
        }
        follower.signal("TERM");
        let ended = follower.end();
        assert!(!ended.stderr.iter().any(|line| line.contains("may be missing")), "{ended:?}");
    }

    fn a_rejection_is_the_end(runtime) {
        let server = Server::start(runtime, "--token right");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let ended = hat(&format!("subscribe --reconnect --token wrong {connect}"));
        assert!(ended.failed(4).contains("rejected the connection"));
    }
}

/// Between a client and a server, and can be cut.
struct Proxy {
    address: String,
    through: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let (through, open) = (Arc::new(AtomicBool::new(true)), Arc::default());
        let this = Self { address, through: through.clone(), open: Arc::clone(&open) };
        let server = server.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if !through.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(&server) else { continue };
                let both = [&client, &far].map(|stream| stream.try_clone().expect("a descriptor"));
                open.lock().expect("no panic").extend(both);
                let (near, back) =
                    (client.try_clone().expect("one"), far.try_clone().expect("one"));
                thread::spawn(move || copy(client, far));
                thread::spawn(move || copy(back, near));
            }
        });
        this
    }

    fn cut(&self) {
        self.through.store(false, Ordering::SeqCst);
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn let_through(&self) {
        self.through.store(true, Ordering::SeqCst);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
