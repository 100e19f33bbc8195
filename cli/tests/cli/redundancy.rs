//! `hat serve --monitor`, in a pair with the deployed event server, under a deployed monitor.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hat_tests::peers::{self, Environment, unused_addr};
use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat};
use crate::store::Folder;

/// The deployed server tries a lost peer again after 5 s, and imports half of Python when it
/// starts.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A deployed program, killed on drop. What it says is in a file, and shown if the test fails.
pub(crate) struct DeployedProgram {
    child: Child,
    log: PathBuf,
}

impl DeployedProgram {
    /// Starts a program of the deployed packages, and waits until it listens.
    pub(crate) fn start(folder: &Folder, program: &str, conf: &Value, listens: SocketAddr) -> Self {
        let path = folder.of(&format!("{program}.json"));
        fs::write(&path, conf.to_string()).expect("a configuration");
        Self::start_with(folder, program, &path, listens)
    }

    /// The same with a configuration that is in a file.
    pub(crate) fn start_with(
        folder: &Folder,
        program: &str,
        path: &str,
        listens: SocketAddr,
    ) -> Self {
        let environment = Environment::today().unwrap_or_else(|error| panic!("{error}"));
        let python = PathBuf::from(environment.command().get_program());
        let log = folder.of(&format!("{program}.log"));
        let output = fs::File::options().append(true).create(true).open(&log).expect("a log");
        // not by its own first line, which names where the environment was made
        let mut command = Command::new(&python);
        command
            .arg(python.with_file_name(program))
            .args(["--conf", path])
            .env_remove("PYTHONPATH")
            .env_remove("PYTHONHOME");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
        let child = command.spawn().expect("the program starts");
        let this = Self { child, log: Path::new(&log).to_owned() };
        until(&format!("{program} listens"), || TcpStream::connect(listens).is_ok());
        this
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn terminate(mut self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(status.expect("there is kill").success());
        until("it ends", || self.child.try_wait().expect("it can be asked").is_some());
    }
}

impl Drop for DeployedProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!(
                "{}:\n{}",
                self.log.display(),
                fs::read_to_string(&self.log).unwrap_or_default()
            );
        }
    }
}

/// A deployed monitor that blesses one server of a group.
pub(crate) fn monitor(folder: &Folder, at: SocketAddr, master_at: SocketAddr) -> DeployedProgram {
    let conf = json!({
        "default_algorithm": "BLESS_ONE", "group_algorithms": {},
        "server": {"host": "127.0.0.1", "port": at.port(), "default_rank": 1},
        "master": {"host": "127.0.0.1", "port": master_at.port()},
        "slave": {"parents": [], "connect_timeout": 5, "connect_retry_count": 1, "connect_retry_delay": 5},
    });
    DeployedProgram::start(folder, "hat-monitor", &conf, at)
}

/// The configuration of a deployed event server, number 2 of the group, that stores all events.
pub(crate) fn theirs(folder: &Folder, at: SocketAddr, monitor_at: SocketAddr) -> Value {
    let backend = json!({
        "module": "hat.event.backends.lmdb", "db_path": folder.of("theirs.db"), "identifier": null,
        "flush_period": 0.2, "cleanup_period": 60, "conditions": [],
        "latest": {"subscriptions": [["*"]]},
        "timeseries": [{"order_by": "TIMESTAMP", "subscriptions": [["*"]]}],
    });
    json!({
        "name": "theirs", "server_id": 2, "backend": backend, "modules": [],
        "eventer_server": {"host": "127.0.0.1", "port": at.port()},
        "monitor_component": {"host": "127.0.0.1", "port": monitor_at.port(), "group": "event"},
    })
}

#[track_caller]
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < TIME_LIMIT, "not within the time: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The events of this test that a server holds, by id. A server that starts or ends has none.
fn held(connect: &str) -> Vec<Value> {
    let ended = hat(&format!("query timeseries x/* --all {connect}"));
    let lines = ended.stdout.iter().map(|line| serde_json::from_str(line).expect("JSON"));
    let mut events: Vec<Value> = lines.collect();
    let id =
        |event: &Value| ["server", "session", "instance"].map(|part| event["id"][part].as_i64());
    events.sort_by_key(id);
    events
}

#[track_caller]
pub(crate) fn wait_for_status(connect: &str, status: &str) {
    let expected = json!({"status": status});
    until(&format!("{connect} is {status}"), || {
        let ended = hat(&format!("status {connect}"));
        ended
            .stdout
            .iter()
            .any(|line| serde_json::from_str::<Value>(line).is_ok_and(|it| it == expected))
    });
}

/// Registers events one by one until `stop` has ended the server in the middle of it, and gives
/// those that were answered for.
fn register_until_it_ends(connect: &str, round: &str, stop: impl FnOnce()) -> Vec<Value> {
    let lines: String = (0..20_000).map(|n| format!("{{\"type\":\"x/{round}/{n}\"}}\n")).collect();
    let writer = Hat::start_with(&format!("register --batch 1 --response {connect}"), &lines);
    let mut answered: Vec<_> = (0..100).map(|_| writer.json()).collect();
    stop();
    let rest = writer.end();
    assert_ne!(rest.code, Some(0), "the server ended before the events did: {:?}", rest.stderr);
    answered.extend(rest.stdout.iter().map(|line| serde_json::from_str(line).expect("JSON")));
    answered
}

on_every_runtime! {
    /// The active one is killed, the other takes over, is stopped, and the first takes over again:
    /// under load each time. In the end both hold the same: all that was answered, each event once,
    /// with its id and time.
    fn a_pair_with_the_deployed_server(runtime) {
        if peers::skipped("a_pair_with_the_deployed_server") {
            return;
        }
        let folder = Folder::new();
        let [monitor_at, master_at, ours_at, theirs_at] = [(); 4].map(|()| unused_addr());
        let _monitor = monitor(&folder, monitor_at, master_at);
        let theirs_conf = theirs(&folder, theirs_at, monitor_at);
        let ours_args = format!(
            "--listen {ours_at} --server-id 1 --name ours --store {} --monitor {monitor_at}", folder.of("ours")
        );
        let [ours, theirs] = [ours_at, theirs_at].map(|at| format!("--connect {at} --runtime {runtime}"));

        // ours is there first, and so the active one
        let server = Server::start_of(runtime, &ours_args);
        wait_for_status(&ours, "operational");
        let python = DeployedProgram::start(&folder, "hat-event-server", &theirs_conf, theirs_at);
        wait_for_status(&theirs, "standby");
        let mut answered = register_until_it_ends(&ours, "1", || drop(server));

        wait_for_status(&theirs, "operational");
        // the old one comes back to stand by: the blessed one keeps the blessing
        let server = Server::start_of(runtime, &ours_args);
        wait_for_status(&ours, "standby");
        let refused = hat(&format!("register x/refused {ours}"));
        assert_eq!(refused.code, Some(7), "{refused:?}");
        answered.extend(register_until_it_ends(&theirs, "2", || python.terminate()));

        wait_for_status(&ours, "operational");
        let _python = DeployedProgram::start(&folder, "hat-event-server", &theirs_conf, theirs_at);
        wait_for_status(&theirs, "standby");
        answered.extend(hat(&format!("register x/3 --response {ours}")).json());

        until("both hold the same", || {
            let (ours, theirs) = (held(&ours), held(&theirs));
            ours == theirs && answered.iter().all(|event| ours.contains(event))
        });
        let held = held(&ours);
        assert!(held.windows(2).all(|two| two[0]["id"] != two[1]["id"]), "each once");
        let mut types: Vec<_> = held.iter().map(|event| event["type"].to_string()).collect();
        types.sort();
        assert!(types.windows(2).all(|two| two[0] != two[1]), "each was registered once, and so is there once");
        let of = |server: i64| held.iter().filter(|event| event["id"]["server"] == server).count();
        assert!(of(1) > 100 && of(2) >= 100, "{} and {}", of(1), of(2));
        server.hat.signal("TERM");
        assert_eq!(server.hat.end().code, Some(0));
    }
}
