//! The configurations that are in `deploy/cluster`, on loopback in place of three machines.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hat_tests::certificates::Authority;
use hat_tests::peers;
use serde_json::Value;

use crate::nats::program;
use crate::nodes::{Node, events, events_after};
use crate::{Folder, NEW, process};

const NATS: &str = include_str!("../../../deploy/cluster/nats.conf");
const SERVER: &str = include_str!("../../../deploy/cluster/server.toml");
const COMPOSE: &str = include_str!("../../../deploy/cluster/compose.yaml");
const DEPLOYED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/cluster");
const MACHINES: [&str; 3] = ["a", "b", "c"];

/// Replaces what must be there.
fn with(text: &str, changes: &[(&str, String)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn three_machines_as_they_are_deployed_speak_tls_and_know_each_other() {
    let test = "three_machines_as_they_are_deployed_speak_tls_and_know_each_other";
    let Some(program) = program(test) else { return };
    let folder = Folder::new();
    let authority = Authority::new("plant");
    fs::create_dir(folder.of("tls")).expect("a folder");
    let issued = authority.issue(&["localhost", "127.0.0.1"]);
    fs::write(folder.of("tls/ca.pem"), authority.pem()).expect("a file");
    fs::write(folder.of("tls/server.pem"), &issued.certificate).expect("a file");
    fs::write(folder.of("tls/server.key"), &issued.key).expect("a file");
    let port = || peers::unused_addr().port();
    let (clients, routes) = ([port(), port(), port()], [port(), port(), port()]);
    let mut servers = Vec::new();
    for (number, name) in MACHINES.iter().enumerate() {
        let mut changes = vec![
            ("0.0.0.0:4222", format!("127.0.0.1:{}", clients[number])),
            ("0.0.0.0:6222", format!("127.0.0.1:{}", routes[number])),
            ("/var/lib/nats", folder.of(name)),
            ("/etc/nats/tls", folder.of("tls")),
            ("100G", "1G".into()),
        ];
        let hosts = ["nats://a:6222", "nats://b:6222", "nats://c:6222"];
        let routes = routes.iter().map(|port| format!("nats://127.0.0.1:{port}"));
        changes.extend(hosts.into_iter().zip(routes));
        let conf = folder.of(&format!("{name}.conf"));
        fs::write(&conf, with(NATS, &changes)).expect("a file");
        let mut command = Command::new(&program);
        command.args(["--config", &conf]).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("NATS_NAME", name).env("HAT_PASSWORD", "secret").env("SYS_PASSWORD", "other");
        servers.push(ChildGuard(command.spawn().expect("nats-server starts")));
    }
    let server = |name: &str, password: &str| {
        let hosts = clients.map(|port| format!("127.0.0.1:{port}")).join(",");
        let (listen, page) = (peers::unused_addr().to_string(), peers::unused_addr());
        let text = with(
            SERVER,
            &[
                ("0.0.0.0:23012", listen.clone()),
                ("name = \"a\"", format!("name = \"{name}\"")),
                ("/var/lib/hat", folder.of(&format!("hat-{name}-{password}"))),
                ("PASSWORD@a:4222,b:4222,c:4222", format!("{password}@{hosts}")),
                ("/etc/hat/tls", folder.of("tls")),
                ("127.0.0.1:8080", page.to_string()),
            ],
        );
        let conf = folder.of(&format!("{name}-{password}.toml"));
        fs::write(&conf, text).expect("a file");
        // as in the file: who starts it has to know
        let store = folder.of(&format!("hat-{name}-{password}"));
        Node::of(
            listen.clone(),
            page,
            format!("--conf {conf} --listen {listen} --store {store} {NEW}"),
        )
    };
    let nodes: Vec<_> = MACHINES.iter().map(|name| server(name, "secret")).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = nodes[0].ready(&runtime);
    let answer = runtime.block_on(client.register_with_response(&events(&["a"])));
    let answer = answer.expect("a connection").expect("registered");
    for node in &nodes {
        let client = node.ready(&runtime);
        let found = crate::nats::until("it is there", || {
            let found = runtime.block_on(events_after(&client, None))?;
            (!found.is_empty()).then_some(found)
        });
        assert_eq!(found, answer);
    }
    let wrong = server("d", "guessed");
    let said = wrong.says("does not serve yet");
    assert!(said.to_lowercase().contains("authorization"), "{said}");
    // who asks needs the same
    let (ca, port) = (folder.of("tls/ca.pem"), clients[0]);
    let ask = |who: &str| {
        process::hat(&format!("cluster status tls://{who}127.0.0.1:{port} --cluster-ca {ca}"))
    };
    assert_eq!(ask("hat:secret@").json().len(), 4);
    ask("hat:guessed@").failed(3);
}

#[test]
fn what_the_containers_are_told_is_there_and_taken() {
    let folder = Folder::new();
    let copied = Command::new("cp").args(["-r", DEPLOYED, &folder.of("cluster")]).status();
    assert!(copied.expect("there is cp").success());
    let of = |name: &str| folder.of(&format!("cluster/{name}"));
    let made = Command::new(of("certificates")).args(MACHINES).status();
    assert!(made.expect("it runs").success(), "openssl makes certificates");
    let compose: Value = serde_saphyr::from_str(COMPOSE).expect("YAML");
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a list").iter();
        list.map(|text| text.as_str().expect("text").replace("${HAT_PASSWORD:?}", "secret"))
            .collect()
    };
    for name in MACHINES {
        let (nats, hat) = (&compose["services"][name], &compose["services"][format!("hat-{name}")]);
        for mounted in [texts(&nats["volumes"]), texts(&hat["volumes"])].concat() {
            let (from, _) = mounted.split_once(':').expect("a place");
            match from.strip_prefix("./") {
                Some(file) => assert!(Path::new(&of(file)).exists(), "{mounted}"),
                None => assert!(compose["volumes"].get(from).is_some(), "{mounted}"),
            }
        }
        let variables = NATS.match_indices('$').filter(|(at, _)| !NATS[at + 1..].starts_with("JS"));
        for (at, _) in variables {
            let end = NATS[at + 1..].find(|it: char| it != '_' && !it.is_ascii_uppercase());
            let variable = &NATS[at + 1..][..end.expect("a line ends")];
            assert!(nats["environment"].get(variable).is_some(), "{name}: {variable}");
        }
        let told = texts(&hat["command"]).join(" ");
        let taken =
            process::hat(&format!("serve --conf {} {told} --print-conf", of("server.toml")));
        let conf = taken.json_lines().join("\n");
        assert!(conf.contains(&format!("name = \"{name}\"")), "{conf}");
        assert!(conf.contains("@a,b,c"), "{conf}");
    }
}

struct ChildGuard(std::process::Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
