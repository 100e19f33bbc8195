//! Three machines, each with a NATS server and a node, and the cable of one is pulled: nobody is
//! told that it is gone, and what it does meanwhile comes to nobody.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use hat_core::eventer::{Event, EventId};
use hat_tests::machines::Machines;
use hat_tests::peers;
use serde_json::Value;

use crate::nats::{self, Nats, until};
use crate::nodes::{Node, events, events_after};
use crate::oracle::Oracle;
use crate::{Cluster, Folder};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers/cluster_clients.py");

/// The deployed software's clients, one at each node: see the script.
struct PythonClients(Child);

impl PythonClients {
    fn start(test: &str, nodes: &[Node]) -> Option<Self> {
        let python = match peers::python_with("today", "tests/peers/requirements-today.txt") {
            Ok(python) => python,
            Err(error) => {
                peers::skip(test, &error.to_string());
                return None;
            }
        };
        let mut command = Command::new(python);
        command.arg(SCRIPT).args(nodes.iter().map(|node| &node.address));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Some(Self(command.spawn().expect("Python runs")))
    }

    /// Ends them, and says what is wrong with what they saw, by the history of a node then.
    fn judge(mut self, history: impl FnOnce() -> Vec<Event>) -> Result<(), String> {
        drop(self.0.stdin.take());
        let output = BufReader::new(self.0.stdout.take().expect("its output"));
        let lines: Vec<Value> = output
            .lines()
            .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
            .collect();
        assert!(self.0.wait().expect("it ends").success());
        assert_eq!(lines.len(), 3);
        let history = history();
        for (node, line) in lines.iter().enumerate() {
            println!(
                "Python at node {node}: {} answers, {} connections",
                line["answered"].as_array().map_or(0, Vec::len),
                line["connections"]
            );
            fits(line, &history).map_err(|wrong| format!("Python at node {node}: {wrong}"))?;
        }
        Ok(())
    }
}

impl Drop for PythonClients {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn id(value: &Value) -> EventId {
    let number = |at: usize| value[at].as_i64().expect("a number");
    EventId::new(number(0), number(1), number(2))
}

/// Whether each answer is there once, with its id, and what was told is a part of the history.
fn fits(line: &Value, history: &[Event]) -> Result<(), String> {
    let answered = line["answered"].as_array().expect("a list");
    if answered.is_empty() {
        return Err("nothing was answered".into());
    }
    for answer in answered {
        let (name, id) = (answer[0].as_str().expect("a name"), id(&answer[1]));
        let of_it = |event: &&Event| event.event_type.to_string() == format!("{name}/0");
        let found: Vec<_> = history.iter().filter(of_it).map(|event| event.id).collect();
        if found != [id] {
            return Err(format!("{name} was answered with {id:?}, and is {found:?}"));
        }
    }
    for told in line["told"].as_array().expect("a list") {
        let told: Vec<_> = told.as_array().expect("a list").iter().map(id).collect();
        let Some(first) = told.first() else { continue };
        let start = history.iter().position(|event| event.id == *first);
        let start = start.ok_or(format!("{first:?} was told, and is nowhere"))?;
        let expected = history[start..].iter().map(|event| event.id).take(told.len());
        if let Some(at) = expected.clone().zip(&told).position(|(a, b)| a != *b) {
            let expected = expected.clone().nth(at);
            return Err(format!("{:?} was told where {expected:?} was to come", told[at]));
        }
        if expected.count() < told.len() {
            return Err(format!("more was told than there is: {:?}", told.last()));
        }
    }
    Ok(())
}

/// How many machines are pulled in turn, beginning with that of the leader: two, or what
/// `HAT_CLUSTER_PULLS` says.
fn pulls() -> usize {
    std::env::var("HAT_CLUSTER_PULLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

#[test]
fn any_machine_can_be_pulled_while_clients_go_on() {
    let test = "any_machine_can_be_pulled_while_clients_go_on";
    let Some(program) = nats::program(test) else { return };
    let Some(machines) = Machines::new(test, 3) else { return };
    let folder = Folder::new();
    let nats = Nats::on(program, &folder.of("nats"), &machines);
    let node =
        |number| Node::on(&machines, number, &folder.of(&format!("h{number}")), &nats.urls());
    let nodes: Vec<_> = (0..3).map(node).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut cluster = Cluster { nodes, nats, runtime, folder };
    cluster.nodes.iter().for_each(|node| drop(node.ready(&cluster.runtime)));
    let Some(python) = PythonClients::start(test, &cluster.nodes) else { return };
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address.clone()).collect();
    let guard = cluster.runtime.enter();
    let mut oracle = Oracle::start(&addresses);
    drop(guard);
    let leader = until("a leader", || cluster.nats.leader());
    for turn in 0..pulls() {
        let number = (leader + turn) % 3;
        let before = oracle.answered();
        until("registrations are answered", || (oracle.answered() > before + 20).then_some(()));
        machines.pull(number);
        cluster.nats.is_reachable(number, false);
        // the other two go on; of this one there may be one answer more for each client
        let before = oracle.answered();
        until("the others answer", || (oracle.answered() > before + 200).then_some(()));
        // of the reasons for that, the one that it notices first
        cluster.nodes[number].says("has stopped serving");
        machines.plug(number);
        cluster.nats.is_reachable(number, true);
        cluster.nodes[number].ready(&cluster.runtime);
    }
    cluster.runtime.block_on(oracle.end());
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let mut attempts = 0;
    let last = until("the last one is registered", || {
        attempts += 1;
        let last = events(&[&format!("last{attempts}/0")]);
        cluster.runtime.block_on(client.register_with_response(&last)).ok()?
    });
    let history_of = |node: &Node| {
        let client = node.ready(&cluster.runtime);
        until("the last one is there", || {
            let mut found = cluster.runtime.block_on(events_after(&client, None))?;
            // Python's clients go on
            let end = found.iter().position(|event| event.id == last[0].id)?;
            found.truncate(end + 1);
            Some(found)
        })
    };
    let histories: Vec<_> = cluster.nodes.iter().map(history_of).collect();
    if let Err(wrong) = oracle.judge(&histories) {
        panic!("{wrong}");
    }
    let whole = || cluster.runtime.block_on(events_after(&client, None)).expect("an answer");
    python.judge(whole).unwrap_or_else(|wrong| panic!("{wrong}"));
}
