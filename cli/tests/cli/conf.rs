//! `hat serve --conf`: configurations of the deployed event server, and our own.

use std::fs;
use std::process::Command;

use hat_tests::peers::{self, Environment, unused_addr};
use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat};
use crate::redundancy::{DeployedProgram, until};
use crate::store::Folder;

/// As an installation has it: with comments, the log of Python, both orders, limits, and a
/// condition.
fn event_yaml(folder: &Folder, port: u16) -> String {
    let db_path = folder.of("event.db");
    format!(
        r#"---
# the event server of a small plant
type: event
version: "0.9"
name: event-1
server_id: 5
server_token: secret
log:
    version: 1
    formatters:
        default: {{format: "[%(asctime)s %(levelname)s %(name)s] %(message)s"}}
    handlers:
        console: {{class: logging.StreamHandler, formatter: default, level: DEBUG}}
    root: {{level: ERROR, handlers: [console]}}
    disable_existing_loggers: false
backend:
    module: hat.event.backends.lmdb
    db_path: {db_path}
    identifier: plant
    flush_period: 0.5
    cleanup_period: 5
    conditions:
      - subscriptions: [["x", "checked", "*"]]
        condition: {{type: json, data_path: [ok], data_type: boolean}}
    latest:
        subscriptions: [["*"]]
    timeseries:
      - order_by: TIMESTAMP
        subscriptions: [["x", "*"]]
        limit: {{duration: 2592000, max_entries: 1000000, min_entries: 10, size: 1000000000}}
      - order_by: SOURCE_TIMESTAMP
        subscriptions: [["x", "*"]]
        limit: {{duration: 864000}}
    timeseries_max_results: 1000
modules: []
eventer_server: {{host: 127.0.0.1, port: {port}}}
...
"#
    )
}

/// What the deployed packages say of configurations by their schema, one line each.
fn valid(paths: &[&str]) -> Vec<String> {
    let environment = Environment::today().unwrap_or_else(|error| panic!("{error}"));
    let script = "import sys, pathlib\n\
        from hat import json\n\
        from hat.event import common\n\
        for path in sys.argv[1:]:\n\
        \x20   conf = json.decode_file(pathlib.Path(path))\n\
        \x20   validator = json.DefaultSchemaValidator(common.json_schema_repo)\n\
        \x20   validator.validate('hat-event://server.yaml', conf)\n\
        \x20   info = common.import_backend_info(conf['backend']['module'])\n\
        \x20   if info.json_schema_repo and info.json_schema_id:\n\
        \x20       validator = json.DefaultSchemaValidator(info.json_schema_repo)\n\
        \x20       validator.validate(info.json_schema_id, conf['backend'])\n\
        \x20   print('valid')\n";
    let mut command = Command::new(environment.command().get_program());
    let output = command.args(["-c", script]).args(paths).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect()
}

fn sessions(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["id"]["session"].as_i64().expect("a number")).collect()
}

on_every_runtime! {
    /// The deployed server starts with a file, works and stops; ours starts with the same file,
    /// says what it does not use of it, has the history, and goes on above it.
    fn the_deployed_servers_file_starts_ours_with_its_history(runtime) {
        if peers::skipped("the_deployed_servers_file_starts_ours_with_its_history") {
            return;
        }
        let (folder, at) = (Folder::new(), unused_addr());
        let path = folder.of("event.yaml");
        fs::write(&path, event_yaml(&folder, at.port())).expect("a file");
        let python = DeployedProgram::start_with(&folder, "hat-event-server", &path, at);
        let connect = format!("--connect {at} --runtime {runtime} --token secret");
        let operational = || hat(&format!("status {connect}")).stdout.iter().any(|line| line.contains("operational"));
        until("the deployed server is operational", operational);
        for n in 0..5 {
            let ended = hat(&format!("register x/{n} --json {{\"n\":{n}}} --source-timestamp 2026-01-01T00:00:0{n}Z {connect}"));
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        let query = format!("query server --server-id 5 --all {connect}");
        let stored = || hat(&query).json();
        until("all is stored", || stored().iter().filter(|event| event["segments"][0] == "x").count() == 5);
        python.terminate();

        let start = || Hat::start(&format!("serve --conf {path} --runtime {runtime}"));
        let server = start();
        let mut said = Vec::new();
        loop {
            let line = server.error_line();
            if let Some(address) = line.strip_prefix("listening on ") {
                assert_eq!(address, at.to_string());
                break;
            }
            said.push(line);
        }
        let all = said.join("\n");
        for part in [
            "log.{formatters, handlers} is not used",
            "backend.identifier is not used", "backend.flush_period is not used", "backend.cleanup_period is not used",
            "importing ", " events of 1 server imported", "had not flushed",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert_eq!(said.len(), 7, "{all}");
        let before = stored();
        let of_test: Vec<_> = before.iter().filter(|event| event["segments"][0] == "x").collect();
        assert_eq!(of_test.len(), 5);
        assert_eq!(of_test[3]["source_timestamp"], "2026-01-01T00:00:03.000000Z");
        let new = hat(&format!("register x/new --response {connect}")).json();
        assert!(sessions(&new)[0] > sessions(&before).into_iter().max().expect("some"));
        // the deployed one had stopped
        let stopped = json!("STOPPED");
        assert!(before.iter().any(|event| event["payload"]["data"] == stopped), "{before:?}");
        // a wrong token is still one
        assert_eq!(hat(&format!("status --connect {at} --token wrong")).code, Some(4));
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));

        // the history is taken over once
        let server = start();
        let mut line = server.error_line();
        while !line.starts_with("listening on ") {
            assert!(!line.contains("importing"), "{line}");
            line = server.error_line();
        }
        assert!(stored().len() > before.len());
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));
    }
}

/// Which keys there are is what the deployed packages' own schema says.
#[test]
fn files_are_what_the_deployed_packages_take() {
    if peers::skipped("files_are_what_the_deployed_packages_take") {
        return;
    }
    let folder = Folder::new();
    let yaml = folder.of("event.yaml");
    fs::write(&yaml, event_yaml(&folder, 23012)).expect("a file");
    let toml = folder.of("event.toml");
    let text = r#"
        name = "event-2"
        server_id = 2
        modules = []
        [backend]
        module = "hat.event.backends.memory"
        [eventer_server]
        host = "127.0.0.1"
        port = 23012
        [adminer_server]
        host = "127.0.0.1"
        port = 23015
        [monitor_component]
        host = "127.0.0.1"
        port = 23010
        group = "event"
    "#;
    fs::write(&toml, text).expect("a file");
    let of_json = folder.of("event.json");
    let conf = json!({
        "name": "event-3", "server_id": 3, "modules": [{"module": "plant.sums"}],
        "backend": {"module": "hat.event.backends.dummy"},
        "eventer_server": {"host": "::1", "port": 23012},
    });
    fs::write(&of_json, conf.to_string()).expect("a file");
    assert_eq!(valid(&[&yaml, &toml, &of_json]), ["valid"; 3]);

    for (path, parts) in [
        (
            &yaml,
            &[
                "server_id = 5",
                "name = \"event-1\"",
                "token = \"secret\"",
                "max_age = \"30d\"",
                "max_results = 1000",
            ][..],
        ),
        (
            &toml,
            &[
                "[monitor]",
                "address = \"127.0.0.1:23010\"",
                "[adminer]",
                "listen = \"127.0.0.1:23015\"",
            ],
        ),
        (&of_json, &["listen = \"[::1]:23012\"", "server_id = 3"]),
    ] {
        let printed = hat(&format!("serve --conf {path} --print-conf"));
        assert_eq!(printed.code, Some(0), "{printed:?}");
        let text = printed.stdout.join("\n");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
        // what is printed says the same
        let again = folder.of("again.toml");
        fs::write(&again, &text).expect("a file");
        assert_eq!(hat(&format!("serve --conf {again} --print-conf")).json_lines(), printed.stdout);
        // and flags win over both
        let over = hat(&format!("serve --conf {again} --print-conf --server-id 9 --listen h:1"))
            .json_lines();
        assert!(
            over.contains(&"server_id = 9".to_owned())
                && over.contains(&"listen = \"h:1\"".to_owned())
        );
    }
}

#[test]
fn modules_are_named_and_do_not_run() {
    let folder = Folder::new();
    let path = folder.of("event.json");
    let conf = |backend: &str| {
        json!({
            "name": "a", "server_id": 1, "modules": [{"module": "plant.sums"}, {"module": "plant.states"}],
            "backend": {"module": backend}, "eventer_server": {"host": "127.0.0.1", "port": 0},
        })
    };
    fs::write(&path, conf("hat.event.backends.memory").to_string()).expect("a file");
    let ended = hat(&format!("serve --conf {path}"));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr[0].contains("plant.sums, plant.states"), "{ended:?}");
    assert!(ended.stderr[1].contains("--without-modules"), "{ended:?}");
    let server = Hat::start(&format!("serve --conf {path} --without-modules"));
    assert!(server.error_line().contains("plant.sums"));
    assert!(server.error_line().starts_with("listening on 127.0.0.1:"));
    server.signal("TERM");
    assert_eq!(server.end().code, Some(0));

    // nor does a backend of one's own, unless there is a store in its place
    fs::write(&path, conf("plant.backend").to_string()).expect("a file");
    let ended = hat(&format!("serve --conf {path}"));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr[0].contains("plant.backend"), "{ended:?}");
}

#[test]
fn what_is_wrong_is_one_line() {
    let folder = Folder::new();
    for (name, text, part) in [
        ("a.yaml", "name: [", "a.yaml: "),
        ("a.toml", "listen = \"nowhere\"", "no port in `nowhere`"),
        ("a.toml", "nonsense = 1", "unknown field `nonsense`"),
        ("a.json", r#"{"type": "event", "name": 1}"#, "name: it must be a text"),
        ("a.toml", "[store]\ndurability = \"flush:1s\"", "needs --store DIR (store.dir)"),
        // each was taken, and logged or answered nothing
        ("a.toml", "[log]\nlevel = \"warning\"", "log.level: `warning` is no level"),
        ("a.toml", "[log.targets]\nhat_aio = \"loud\"", "log.targets.hat_aio: `loud` is no level"),
        ("a.toml", "max_results = 0", "(max_results) must be at least 1"),
        ("a.toml", "[cluster]\nreplicas = 9", "(cluster.replicas) must be 1 to 5"),
    ] {
        let path = folder.of(name);
        fs::write(&path, text).expect("a file");
        let ended = hat(&format!("serve --conf {path}"));
        assert!(ended.failed(2).contains(part), "{ended:?}");
    }
    hat(&format!("serve --conf {}", folder.of("none.yaml"))).failed(2);
}

/// Rules of our own keep a store small.
#[test]
fn rules_are_read_from_our_file() {
    let folder = Folder::new();
    let path = folder.of("hat.toml");
    let text = format!(
        "[store]\ndir = {:?}\n[[store.conditions]]\ntypes = [\"checked\"]\ntest = {{ json = {{ type = \"number\" }} }}\n",
        folder.of("store")
    );
    fs::write(&path, text).expect("a file");
    let server =
        Server::start_of("tokio", &format!("--conf {path} --store {}", folder.of("store")));
    let connect = format!("--connect {}", server.address);
    for json in ["1", "true"] {
        let ended = hat(&format!("register checked --json {json} {connect}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let found = hat(&format!("query timeseries {connect}")).json();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["payload"]["data"], 1);
}
