//! `hat subscribe`: what was before, where the last run stopped, and when it ends.

use std::process::Command;
#[cfg(target_os = "linux")]
use std::{
    io::Read,
    process::{Child, ChildStdout, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

/// A file of its own, which is not there yet.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("hat-cli-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn register(connect: &str, numbers: std::ops::RangeInclusive<i64>) {
    let command = format!("register --batch 7 {connect}");
    assert_eq!(hat_with(&command, &lines(numbers)).json(), [""; 0]);
}

/// What registers these.
fn lines(numbers: std::ops::RangeInclusive<i64>) -> String {
    let line =
        |n| format!("{{\"type\":\"n/{n}\",\"payload\":{{\"kind\":\"json\",\"data\":{n}}}}}\n");
    numbers.map(line).collect()
}

fn numbers(lines: &[Value]) -> Vec<i64> {
    lines.iter().map(|event| event["payload"]["data"].as_i64().expect("a number")).collect()
}

fn all(from: i64, to: i64) -> Vec<i64> {
    (from..=to).collect()
}

on_every_runtime! {
    /// That no event came is no answer where no server did.
    fn no_server_is_not_taken_for_no_event(runtime) {
        // the system takes the connection, and nobody is there
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = silent.local_addr().expect("bound");
        for (more, code) in [("", 5), ("--reconnect", 3)] {
            let ended = hat(&format!(
                "subscribe --idle-timeout 0.1 --timeout 0.2 --connect {at} --runtime {runtime} {more}"
            ));
            assert_eq!(ended.code, Some(code), "{ended:?}");
        }
    }

    fn history_comes_first(runtime) {
        let server = Server::start(runtime, "--max-results 10");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        register(&connect, 1..=50);
        let run = |args: &str| numbers(&hat(&format!("subscribe {args} {connect}")).json());
        assert_eq!(run("--last 3 --count 3"), [48, 49, 50]);
        assert_eq!(run("--last 25 --count 25"), all(26, 50), "more than a page");
        assert_eq!(run("--last 2 n/7 --count 1"), [7]);
        assert_eq!(run("--from -1h --count 50"), all(1, 50));
        assert_eq!(run("--from -1h --count 12"), all(1, 12));
        // batches of 7: the third of session 2 is the tenth event
        assert_eq!(run("--after 1,2,3 --count 40"), all(11, 50));
        assert_eq!(run("--after 1,0,0 --count 50"), all(1, 50));

        // and then what comes: between the two, none is missing
        let followers = [("--last 5", 46), ("--from -1h n/?", 1), ("--after 1,7,7", 50)].map(|(args, first)| {
            let count = 60 - first + 1;
            let follower = Hat::start(&format!("subscribe {args} {connect} --count {count}"));
            let came: Vec<_> = (first..=50).map(|_| follower.json()).collect();
            (follower, came, first)
        });
        register(&connect, 51..=60);
        for (follower, mut came, first) in followers {
            came.extend(follower.end().json());
            assert_eq!(numbers(&came), all(first, 60));
        }
    }

    fn a_state_goes_on_where_the_last_run_stopped(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let state = Scratch::new(&format!("state-{runtime}"));
        let subscribe = format!("subscribe n/* --state {} {connect}", state.path());
        register(&connect, 1..=3);
        let follower = Hat::start(&format!("{subscribe} --status"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        register(&connect, 4..=6);
        let came: Vec<_> = (0..3).map(|_| follower.json()).collect();
        assert_eq!(numbers(&came), [4, 5, 6], "the first run begins with what comes");
        follower.signal("INT");
        assert_eq!(follower.end().code, Some(0));

        register(&connect, 7..=30);
        // in the middle of a session
        assert_eq!(numbers(&hat(&format!("{subscribe} --count 5")).json()), all(7, 11));
        assert_eq!(numbers(&hat(&format!("{subscribe} --count 6")).json()), all(12, 17));
        // killed while nothing comes
        let follower = Hat::start(&subscribe);
        let came: Vec<_> = (0..13).map(|_| follower.json()).collect();
        assert_eq!(numbers(&came), all(18, 30));
        let written = || std::fs::read_to_string(&state.0).expect("the state");
        let last = hat(&format!("query timeseries --max-results 1 {connect}")).stdout[0].clone();
        let session = serde_json::from_str::<Value>(&last).expect("JSON")["id"]["session"].to_string();
        while !written().contains(&format!("\"session\":{session}")) {
            std::thread::yield_now();
        }
        follower.signal("KILL");
        drop(follower);
        register(&connect, 31..=33);
        assert_eq!(numbers(&hat(&format!("{subscribe} --count 3")).json()), all(31, 33));
        let idle = hat(&format!("{subscribe} --idle-timeout 0.2"));
        assert_eq!(idle.json(), [""; 0]);
    }

    fn a_state_of_a_server_that_started_over_is_a_gap(runtime) {
        let state = Scratch::new(&format!("gap-{runtime}"));
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        register(&connect, 1..=3);
        let run = format!("subscribe --state {} --count 2", state.path());
        assert_eq!(numbers(&hat(&format!("{run} --last 2 {connect}")).json()), [2, 3]);
        drop(server);
        let server = Server::start_of(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        register(&connect, 4..=5);
        let ended = hat(&format!("{run} {connect}"));
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 1), "{ended:?}");
        assert!(ended.stderr[0].starts_with("events of the outage may be missing: "), "{ended:?}");
        let came: Vec<_> = ended.stdout.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(numbers(&came), [4, 5]);
    }

    fn waiting_ends(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        register(&connect, 1..=1);
        let ended = hat(&format!("subscribe --last 1 --count 2 --idle-timeout 0.2 {connect}"));
        assert_eq!((ended.code, ended.stdout.len()), (Some(9), 1), "{ended:?}");
        assert_eq!(ended.stderr, ["error: 1 of 2 events arrived, and then none for 0.2 s"]);
        assert_eq!(hat(&format!("subscribe --idle-timeout 0.2 {connect}")).json(), [""; 0]);
    }
}

/// A subscriber whose output is taken only as far as a test says.
#[cfg(target_os = "linux")]
struct SlowlyRead {
    child: Child,
    stdout: ChildStdout,
}

#[cfg(target_os = "linux")]
impl SlowlyRead {
    fn start(args: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
        command.args(args.split_whitespace()).env_remove("HAT_TOKEN").env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("a pipe");
        Self { child, stdout }
    }

    /// Takes so many lines, and not a byte more.
    fn take(&mut self, count: usize) -> Vec<i64> {
        let mut text = Vec::new();
        while text.iter().filter(|&&byte| byte == b'\n').count() < count {
            let mut byte = [0];
            self.stdout.read_exact(&mut byte).expect("one more line");
            text.extend(byte);
        }
        let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        numbers(&lines.map(|line| serde_json::from_slice(line).expect("JSON")).collect::<Vec<_>>())
    }

    /// Reads nothing more, and waits for the end: its code, and what it said.
    fn end_unread(self) -> (Option<i32>, String) {
        let Self { child, stdout } = self;
        drop(stdout);
        Self::ended(child)
    }

    fn ended(child: Child) -> (Option<i32>, String) {
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    }
}

/// A server, and a subscriber's state that begins with what is registered from now on.
#[cfg(target_os = "linux")]
struct Begun {
    connect: String,
    subscribe: String,
    state: Scratch,
    _server: Server,
}

#[cfg(target_os = "linux")]
impl Begun {
    fn new(runtime: &str, name: &str) -> Self {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let state = Scratch::new(&format!("{name}-{runtime}"));
        let subscribe = format!("subscribe n/* --state {} {connect}", state.path());
        hat(&format!("{subscribe} --idle-timeout 0.2")).json();
        Self { connect, subscribe, state, _server: server }
    }

    fn saved(&self) -> String {
        std::fs::read_to_string(&self.state.0).expect("the state")
    }
}

#[cfg(target_os = "linux")]
on_every_runtime! {
    /// The state covers what the reader has taken, not what waits in the pipe.
    fn a_killed_reader_has_not_read_what_is_in_the_pipe(runtime) {
        let begun = Begun::new(runtime, "pipe");
        let Begun { connect, subscribe, .. } = &begun;
        let before = begun.saved();

        register(connect, 1..=50);
        let mut follower = SlowlyRead::start(subscribe);
        assert_eq!(follower.take(5), all(1, 5));
        // it has nothing to do any more but to save the state
        thread::sleep(Duration::from_millis(500));
        assert_eq!(begun.saved(), before);
        drop(follower.stdout);
        // finds nobody who reads
        register(connect, 51..=51);
        assert_eq!(SlowlyRead::ended(follower.child), (Some(0), String::new()));
        let again = numbers(&hat(&format!("{subscribe} --idle-timeout 0.5")).json());
        assert_eq!(again, all(1, 51), "6 to 51 are new to the reader");
    }

    /// Once the reader has taken everything, the state covers it without another event.
    fn a_slow_reader_that_takes_everything(runtime) {
        let begun = Begun::new(runtime, "drained");
        let Begun { connect, subscribe, .. } = &begun;
        let before = begun.saved();

        register(connect, 1..=20);
        let mut follower = SlowlyRead::start(subscribe);
        assert_eq!(follower.take(5), all(1, 5));
        thread::sleep(Duration::from_millis(300));
        assert_eq!(follower.take(15), all(6, 20));
        while begun.saved() == before {
            thread::yield_now();
        }
        follower.child.kill().expect("it runs");
        follower.end_unread();
        register(connect, 21..=22);
        assert_eq!(numbers(&hat(&format!("{subscribe} --count 2")).json()), [21, 22]);
    }

    /// With one event after the other there is no long pause in which it could.
    fn a_reader_that_keeps_up_with_a_stream(runtime) {
        let begun = Begun::new(runtime, "stream");
        let Begun { connect, subscribe, .. } = &begun;
        let before = begun.saved();

        let mut follower = SlowlyRead::start(subscribe);
        let registering = format!("register --rate 50 --batch 1 {connect}");
        let registering = Hat::start_with(&registering, &lines(1..=1000));
        let mut taken = 0;
        while begun.saved() == before {
            taken += follower.take(1).len();
            assert!(taken < 1000, "the state waits for a pause");
        }
        registering.signal("KILL");
        follower.child.kill().expect("it runs");
        follower.end_unread();
    }

    /// At an orderly end a reader has a moment: what it does not take is said, and comes again.
    fn an_end_before_the_reader_has_taken_everything(runtime) {
        let Begun { connect, subscribe, .. } = &Begun::new(runtime, "unread");
        register(connect, 1..=4);

        let follower = SlowlyRead::start(&format!("{subscribe} --count 2"));
        let SlowlyRead { child, stdout } = follower;
        let (code, said) = SlowlyRead::ended(child);
        assert_eq!(code, Some(0), "{said}");
        let note = "note: the last lines were not read within 5 s: the state does not cover them, \
                    and the next run prints them again\n";
        assert_eq!(said, note);
        drop(stdout);

        let mut follower = SlowlyRead::start(&format!("{subscribe} --count 2"));
        thread::sleep(Duration::from_millis(500));
        assert_eq!(follower.take(2), [1, 2]);
        assert_eq!(follower.end_unread(), (Some(0), String::new()));
        assert_eq!(numbers(&hat(&format!("{subscribe} --count 2")).json()), [3, 4]);
    }
}

/// A file has what was printed, and the next run goes on behind it.
#[test]
fn a_state_beside_a_file() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let (state, output) = (Scratch::new("beside"), Scratch::new("output"));
    let run = |args: &str| {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&output.0);
        let args = format!("subscribe n/* --state {} {args} {connect}", state.path());
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
        command.args(args.split_whitespace()).env_remove("HAT_TOKEN");
        let status = command.stdout(file.expect("a file")).status().expect("the program starts");
        assert_eq!(status.code(), Some(0));
    };
    run("--idle-timeout 0.2");
    register(&connect, 1..=9);
    run("--count 4");
    run("--count 5");
    let text = std::fs::read_to_string(&output.0).expect("the output");
    let lines: Vec<_> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(numbers(&lines), all(1, 9));
}

#[test]
fn a_state_that_is_none() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let state = Scratch::new("none");
    for (text, part) in [
        ("", "it is not a state of `hat subscribe`"),
        (
            r#"{"version":2,"types":[],"positions":[]}"#,
            "it has version 2, and this hat knows version 1",
        ),
        (
            r#"{"version":1,"types":[],"positions":[{"server":1,"session":1,"instance":1,"timestamp":"?"}]}"#,
            "RFC 3339",
        ),
    ] {
        std::fs::write(&state.0, text).expect("written");
        let ended = hat(&format!("subscribe --state {} {connect}", state.path()));
        assert!(ended.failed(2).contains(part), "{ended:?}");
    }
    let nowhere = hat(&format!("subscribe --state /nonexistent/state {connect}"));
    assert!(nowhere.failed(1).contains("cannot write the state to /nonexistent/state"));
}

/// A server without any event, twice: everything is new then.
#[test]
fn a_state_of_a_server_without_events() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let state = Scratch::new("empty");
    let run = format!("subscribe --state {} --idle-timeout 0.2 {connect}", state.path());
    assert_eq!(hat(&run).json(), [""; 0]);
    register(&connect, 1..=3);
    assert_eq!(numbers(&hat(&run).json()), [1, 2, 3]);
    assert_eq!(hat(&run).json(), [""; 0]);
}

/// Names of servers, in a file, in the environment, in the command line.
#[test]
fn servers_by_name() {
    let (one, two) = (Server::start("tokio", "--token s3"), Server::start("tokio", ""));
    let file = Scratch::new("config");
    let text = format!(
        "default = \"one\"\n[servers.one]\nconnect = \"{}\"\ntoken = \"s3\"\nname = \"desk\"\ntimeout = 5\n[servers.two]\nconnect = \"{}\"\n",
        one.address, two.address
    );
    std::fs::write(&file.0, text).expect("written");
    register(&format!("--connect {} --token s3", one.address), 1..=1);
    register(&format!("--connect {}", two.address), 2..=2);
    let run = |args: &str, variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
        command.args(args.split_whitespace()).env_remove("HAT_TOKEN").env_remove("HAT_SERVER");
        command
            .env_remove("HAT_CONNECT")
            .env("HAT_CONFIG", &file.0)
            .envs(variables.iter().copied());
        Hat::spawn(command, "").end()
    };
    let events = |args: &str, variables: &[(&str, &str)]| numbers(&run(args, variables).json());
    let query = "query timeseries";
    assert_eq!(events(query, &[]), [1], "the default");
    assert_eq!(events(&format!("{query} --server two"), &[]), [2]);
    assert_eq!(events(query, &[("HAT_SERVER", "two")]), [2]);
    assert_eq!(events(query, &[("HAT_CONNECT", &two.address)]), [2]);
    assert_eq!(
        events(
            &format!("{query} --server one"),
            &[("HAT_CONNECT", &two.address), ("HAT_TOKEN", "wrong")]
        ),
        [1]
    );
    assert_eq!(
        events(&format!("{query} --connect {}", two.address), &[("HAT_SERVER", "one")]),
        [2]
    );
    let one = ("HAT_CONNECT", &*one.address);
    assert_eq!(events(query, &[one, ("HAT_TOKEN", "s3")]), [1]);
    run(query, &[one, ("HAT_TOKEN", "wrong")]).failed(4);
    for (args, variables, part) in [
        ("query latest --server three", &[][..], "which has one, two"),
        ("query latest --server one --connect a:1", &[], "use one of them"),
        ("query latest", &[("HAT_SERVER", "one"), ("HAT_CONNECT", "a:1")], "use one of them"),
        ("query latest", &[("HAT_CONFIG", "/nonexistent")], "cannot read /nonexistent"),
    ] {
        let ended = run(args, variables);
        assert!(ended.failed(2).contains(part), "{args}: {ended:?}");
    }
    std::fs::write(&file.0, "[servers.x]\nconnect = \"a:1\"\ntokn = \"\"\n").expect("written");
    let ended = run("query latest", &[]);
    assert!(ended.failed(2).contains("line 3: unknown field `tokn`"), "{ended:?}");
}
