//! `hat serve --monitor` without its monitor: who goes on, who stands by, who ends, and that of two
//! that know each other never both work at once.

use std::net::SocketAddr;

use hat_tests::certificates::{Authority, PemFile};
use hat_tests::peers::{self, unused_addr};
use serde_json::Value;

use crate::on_every_runtime;
use crate::process::{Server, hat};
use crate::redundancy::{monitor, until, wait_for_status};
use crate::store::Folder;

/// Two of ours, or one, and where they are.
struct Plant {
    folder: Folder,
    monitor_at: SocketAddr,
    master_at: SocketAddr,
    at: [SocketAddr; 2],
    runtime: &'static str,
}

impl Plant {
    fn new(runtime: &str) -> Self {
        let [monitor_at, master_at, one, two] = [(); 4].map(|()| unused_addr());
        // whose names live as long as the program
        let runtime = if runtime == "smol" { "smol" } else { "tokio" };
        Self { folder: Folder::new(), monitor_at, master_at, at: [one, two], runtime }
    }

    fn monitor(&self) -> crate::redundancy::DeployedProgram {
        monitor(&self.folder, self.monitor_at, self.master_at)
    }

    /// The server 1 or 2.
    fn server(&self, number: usize, args: &str) -> Server {
        let (at, monitor_at) = (self.at[number - 1], self.monitor_at);
        let store = self.folder.of(&format!("store-{number}"));
        Server::start_whole(
            self.runtime,
            &format!(
                "--listen {at} --server-id {number} --name server-{number} --store {store} \
                 --monitor {monitor_at} {args}"
            ),
        )
    }

    fn connect(&self, number: usize) -> String {
        format!("--connect {} --runtime {}", self.at[number - 1], self.runtime)
    }

    fn is_operational(&self, number: usize) -> bool {
        let ended = hat(&format!("status {}", self.connect(number)));
        ended.stdout.iter().any(|line| line.contains("operational"))
    }

    /// What the server holds of the engines of both, in the order of time.
    fn engines(&self, number: usize) -> Vec<(i64, String)> {
        let query = "query timeseries event/?/engine --order ascending --all";
        let events = hat(&format!("{query} {}", self.connect(number))).json();
        let engine = |event: &Value| {
            let server = event["id"]["server"].as_i64().expect("a number");
            (server, event["payload"]["data"].as_str().expect("a text").to_owned())
        };
        events.iter().map(engine).collect()
    }
}

/// An engine started only when the one before it, of whichever server, had stopped.
#[track_caller]
fn is_one_at_a_time(engines: &[(i64, String)]) {
    let mut running = None;
    for (server, what) in engines {
        match (&**what, running) {
            ("STARTED", None) => running = Some(*server),
            ("STOPPED", Some(one)) if one == *server => running = None,
            _ => panic!("two at once: {engines:?}"),
        }
    }
}

/// There never was one: who is to end ends, and says why.
#[test]
fn who_is_to_end_without_a_monitor_ends() {
    let nobody = unused_addr();
    let serve = format!("serve --listen 127.0.0.1:0 --monitor {nobody} --monitor-lost exit");
    let ended = hat(&serve);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let last = ended.stderr.last().expect("a line");
    assert!(last.starts_with("error: the monitor is lost: "), "{ended:?}");
}

/// The others would connect to themselves, and find nothing there that they had to copy.
#[test]
fn an_address_of_all_interfaces_is_none_that_others_connect_to() {
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let ended = hat(&format!("serve --listen {listen} --monitor {}", unused_addr()));
        let text = ended.failed(2);
        assert!(text.contains("--monitor (monitor.address) needs --listen HOST:PORT"), "{text}");
    }
}

on_every_runtime! {
    fn who_is_to_end_ends_with_its_monitor(runtime) {
        if peers::skipped("who_is_to_end_ends_with_its_monitor") {
            return;
        }
        let plant = Plant::new(runtime);
        let monitor = plant.monitor();
        let server = plant.server(1, "--monitor-lost exit");
        wait_for_status(&plant.connect(1), "operational");
        hat(&format!("register a {}", plant.connect(1))).json();
        drop(monitor);
        let ended = server.hat.end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let last = ended.stderr.last().expect("a line");
        assert!(last.starts_with("error: the monitor is lost: "), "{ended:?}");
        // in order: its end is registered, nothing is lost
        let store = plant.folder.of("store-1");
        let lines = hat(&format!("store export {store}")).json();
        assert_eq!(lines.last().expect("an event")["payload"]["data"], "STOPPED");
        assert!(lines.iter().any(|event| event["type"] == "a"));
    }

    /// Alone, it goes on; with the monitor it is one of a group again, as it was.
    fn who_is_alone_goes_on_without_its_monitor(runtime) {
        if peers::skipped("who_is_alone_goes_on_without_its_monitor") {
            return;
        }
        let plant = Plant::new(runtime);
        let lost = plant.monitor();
        let first = plant.server(1, "");
        wait_for_status(&plant.connect(1), "operational");
        drop(lost);
        let line = first.hat.error_line();
        assert!(line.contains("no connection to the monitor: trying again"), "{line}");
        let register = format!("register a --response {}", plant.connect(1));
        let registered = hat(&register).json().remove(0);

        // another one comes at the same time as the monitor, which may bless it before the first is
        // back: that one stands by then
        let _monitor = plant.monitor();
        let second = plant.server(2, "");
        until("one works and the other stands by, with all events", || {
            let works = [1, 2].map(|number| plant.is_operational(number));
            let holds = [1, 2].map(|number| {
                let events = hat(&format!("query server --server-id 1 --all {}", plant.connect(number))).stdout;
                events.iter().any(|line| line.contains(&registered["id"]["session"].to_string()))
            });
            works[0] != works[1] && holds == [true, true]
        });
        let [works, stands_by] = if plant.is_operational(1) { [1, 2] } else { [2, 1] };
        assert_eq!(hat(&format!("register a {}", plant.connect(stands_by))).code, Some(7));
        // and the one takes over from the other
        let before = plant.engines(stands_by).len();
        let (ends, stays) = if works == 1 { (first, second) } else { (second, first) };
        ends.hat.signal("TERM");
        assert_eq!(ends.hat.end().code, Some(0));
        wait_for_status(&plant.connect(stands_by), "operational");
        let last = [(works as i64, "STOPPED".to_owned()), (stands_by as i64, "STARTED".to_owned())];
        assert_eq!(plant.engines(stands_by)[before..], last);
        drop(stays);
    }

    /// Who speaks TLS copies from the others over TLS.
    fn a_group_with_tls_has_a_standby(runtime) {
        if peers::skipped("a_group_with_tls_has_a_standby") {
            return;
        }
        let authority = Authority::new("The plant");
        let root = PemFile::new(&authority.pem());
        let own = PemFile::new(&authority.issue(&["127.0.0.1"]).pem());
        let tls = format!("--tls-cert {} --tls-ca {}", own.path().display(), root.path().display());
        let plant = Plant::new(runtime);
        let _monitor = plant.monitor();
        let first = format!("{} {tls}", plant.connect(1));
        let _first = plant.server(1, &tls);
        wait_for_status(&first, "operational");
        hat(&format!("register a {first}")).json();
        let _second = plant.server(2, &tls);
        let synced = format!("query latest event/2/synced/1 {first}");
        until("the second has all", || hat(&synced).stdout.iter().any(|line| line.contains("SYNCED")));
        let second = format!("{} {tls}", plant.connect(2));
        assert_eq!(hat(&format!("query latest a {second}")).json().len(), 1);
    }

    /// Of two, none knows what the other is told, so none works.
    fn of_two_none_works_without_the_monitor(runtime) {
        if peers::skipped("of_two_none_works_without_the_monitor") {
            return;
        }
        let plant = Plant::new(runtime);
        let lost = plant.monitor();
        let _first = plant.server(1, "");
        wait_for_status(&plant.connect(1), "operational");
        let _second = plant.server(2, "");
        let synced = format!("query latest event/2/synced/1 {}", plant.connect(1));
        until("the second has all", || hat(&synced).stdout.iter().any(|line| line.contains("SYNCED")));
        hat(&format!("register a {}", plant.connect(1))).json();
        drop(lost);
        wait_for_status(&plant.connect(1), "standby");
        assert_eq!(hat(&format!("register b {}", plant.connect(1))).code, Some(7));
        assert_eq!(hat(&format!("register b {}", plant.connect(2))).code, Some(7));
        assert_eq!(hat(&format!("query latest a {}", plant.connect(2))).json().len(), 1);

        let _monitor = plant.monitor();
        until("one of them works", || [1, 2].into_iter().any(|number| plant.is_operational(number)));
        let works = if plant.is_operational(1) { 1 } else { 2 };
        hat(&format!("register c {}", plant.connect(works))).json();
        let other = 3 - works;
        let last = format!("query latest c {}", plant.connect(other));
        until("the other has it, too", || hat(&last).stdout.len() == 1);
        for number in [1, 2] {
            is_one_at_a_time(&plant.engines(number));
        }
    }
}
