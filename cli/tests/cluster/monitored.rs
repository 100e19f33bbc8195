//! Nodes under a deployed monitor: one registers, and a second one that is active is fenced.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hat_core::eventer::{Event, Status};
use hat_tests::peers::{self, Environment};
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use crate::http::get;
use crate::nats::{Nats, program, until};
use crate::nodes::{Node, client, events, events_after, events_of};
use crate::{Folder, NEW};

/// A deployed monitor that blesses one server of a group, killed on drop.
struct Monitor(Child);

impl Monitor {
    fn start(folder: &Folder, name: &str, at: SocketAddr) -> Self {
        let conf = json!({
            "default_algorithm": "BLESS_ONE", "group_algorithms": {},
            "server": {"host": "127.0.0.1", "port": at.port(), "default_rank": 1},
            "master": {"host": "127.0.0.1", "port": peers::unused_addr().port()},
            "slave": {"parents": [], "connect_timeout": 5, "connect_retry_count": 1, "connect_retry_delay": 5},
        });
        let path = folder.of(&format!("{name}.json"));
        std::fs::write(&path, conf.to_string()).expect("a configuration");
        let environment = Environment::today().unwrap_or_else(|error| panic!("{error}"));
        let python = PathBuf::from(environment.command().get_program());
        // not by its own first line, which names where the environment was made
        let mut command = Command::new(&python);
        command.arg(python.with_file_name("hat-monitor")).args(["--conf", &path]);
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let this = Self(command.spawn().expect("the monitor starts"));
        until("the monitor listens", || TcpStream::connect(at).ok());
        this
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Two nodes, under one monitor or one each, and NATS servers.
struct Pair {
    nodes: [Node; 2],
    nats: Nats,
    runtime: tokio::runtime::Runtime,
    folder: Folder,
}

impl Pair {
    fn start(program: PathBuf, servers: usize, folder: Folder, monitors: [SocketAddr; 2]) -> Self {
        Self::start_with(program, servers, folder, monitors, "")
    }

    fn start_with(
        program: PathBuf,
        servers: usize,
        folder: Folder,
        monitors: [SocketAddr; 2],
        options: &str,
    ) -> Self {
        let nats = Nats::start(program, &folder.of("nats"), servers, "");
        let node = |number: usize| {
            let more = format!("{NEW} --monitor {} {options}", monitors[number]);
            Node::start(number, &folder.of(&format!("h{number}")), &nats.urls(), &more)
        };
        let nodes = [node(0), node(1)];
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        Self { nodes, nats, runtime, folder }
    }

    fn status(&self, node: usize) -> Option<Status> {
        self.runtime.block_on(async { Some(self.nodes[node].client().await?.status()) })
    }

    /// The number of the node that is operational, once one is.
    fn active(&self) -> usize {
        until("a node is active", || {
            (0..2).find(|node| self.status(*node) == Some(Status::Operational))
        })
    }

    fn is(&self, node: usize, status: Status) {
        until(&format!("h{node} is {status}"), || {
            (self.status(node) == Some(status)).then_some(())
        });
    }

    fn flood(&self, node: usize, name: &str) -> Flood {
        let ends = Arc::<AtomicBool>::default();
        let address = self.nodes[node].address.clone();
        let task = self.runtime.spawn(flood(address, name.to_owned(), ends.clone()));
        Flood { ends, task }
    }

    fn end(&self, flood: Flood) -> Registered {
        flood.ends.store(true, Ordering::Relaxed);
        self.runtime.block_on(flood.task).expect("no panic")
    }

    /// All that was answered is there as it was answered, what was refused is nowhere, nothing is
    /// there twice, at both nodes alike. Returns the names, in their order.
    fn judge(&self, registered: &[Registered]) -> Vec<String> {
        let history = |node: usize| {
            self.runtime.block_on(async {
                let client = self.nodes[node].client().await?;
                events_after(&client, None).await
            })
        };
        let events = until("both nodes have the same", || {
            let (one, other) = (history(0)?, history(1)?);
            let has_all = registered.iter().flat_map(|it| &it.answered).all(|it| one.contains(it));
            (one == other && has_all).then_some(one)
        });
        let names: Vec<_> = events.iter().map(|event| event.event_type.to_string()).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|two| two[0] != two[1]), "registered twice");
        for name in registered.iter().flat_map(|it| &it.refused) {
            assert!(sorted.binary_search(name).is_err(), "{name} was refused, and is there");
        }
        names
    }

    /// What a node says of a number.
    fn metric(&self, node: usize, name: &str) -> f64 {
        self.metrics(node, name)[0]
    }

    /// What it says of that for each of its streams.
    fn metrics(&self, node: usize, name: &str) -> Vec<f64> {
        let text = get(self.nodes[node].page, "/metrics", "").body;
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let values = lines.filter(|(of, _)| of.split('{').next() == Some(name));
        let values: Vec<_> = values.map(|(_, value)| value.parse().expect("a number")).collect();
        assert!(!values.is_empty(), "no {name} in {text}");
        values
    }

    /// Registers events at a node, if that does.
    fn register(&self, node: usize, types: &[&str]) -> Option<Vec<Event>> {
        self.runtime.block_on(async {
            let client = self.nodes[node].client().await.expect("it runs");
            client.register_with_response(&events(types)).await.expect("a connection")
        })
    }
}

/// Registrations that go on at a node.
struct Flood {
    ends: Arc<AtomicBool>,
    task: JoinHandle<Registered>,
}

/// What became of registrations.
#[derive(Default)]
struct Registered {
    answered: Vec<Event>,
    refused: Vec<String>,
    /// The connection ended before the answer.
    unknown: usize,
}

/// Registers, sixteen at a time, until it is to end, nothing more is registered, or the connection
/// is over.
async fn flood(address: String, name: String, ends: Arc<AtomicBool>) -> Registered {
    let mut registered = Registered::default();
    let client = Arc::new(client(&address, Vec::new()).await.expect("a client"));
    let mut number = 0;
    while !ends.load(Ordering::Relaxed) {
        let mut asked = JoinSet::new();
        for _ in 0..16 {
            let (client, name) = (client.clone(), format!("{name}/{number}"));
            number += 1;
            asked.spawn(async move {
                let answer = client.register_with_response(&events(&[&name])).await;
                (name, answer)
            });
        }
        let before = registered.refused.len() + registered.unknown;
        for (name, answer) in asked.join_all().await {
            match answer {
                Ok(Some(events)) => registered.answered.extend(events),
                Ok(None) => registered.refused.push(name),
                Err(_) => registered.unknown += 1,
            }
        }
        if registered.refused.len() + registered.unknown > before {
            break;
        }
    }
    registered
}

#[test]
fn one_node_of_a_group_registers_and_another_takes_over_from_one_that_is_killed_or_stands_still() {
    let test = "one_node_of_a_group_registers_and_another_takes_over_from_one_that_is_killed_or_stands_still";
    let Some(program) = program(test) else { return };
    let (folder, at) = (Folder::new(), peers::unused_addr());
    let _monitor = Monitor::start(&folder, "monitor", at);
    let mut pair = Pair::start(program, 3, folder, [at, at]);

    // one is active, the other has what it has, and refuses
    let first = pair.active();
    let second = 1 - first;
    pair.is(second, Status::Standby);
    let flood = pair.flood(first, "a");
    std::thread::sleep(Duration::from_millis(500));
    let refused = pair.flood(second, "no");
    let mut registered = vec![pair.runtime.block_on(refused.task).expect("no panic")];
    assert!(registered[0].answered.is_empty() && registered[0].refused.len() == 16);
    assert_eq!([first, second].map(|it| pair.metric(it, "hat_cluster_active")), [1.0, 0.0]);
    assert_eq!(get(pair.nodes[second].page, "/healthz", "").status, 200, "a standby is well");
    let status = crate::process::hat(&format!("cluster status {}", pair.nats.urls()));
    let nodes: Vec<_> = status.json().into_iter().skip(1).collect();
    let is_active = |node: usize| nodes[node]["active"].as_bool();
    assert_eq!([first, second].map(is_active), [Some(true), Some(false)], "{nodes:?}");

    // it is killed in the middle of registrations
    pair.nodes[first].kill();
    let before = pair.runtime.block_on(flood.task).expect("no panic");
    assert!(!before.answered.is_empty() && before.unknown > 0);
    pair.is(second, Status::Operational);
    pair.nodes[first].run();
    pair.is(first, Status::Standby);

    // the other stands still in the middle of registrations, for longer than anybody waits for it
    let flood = pair.flood(second, "b");
    std::thread::sleep(Duration::from_millis(500));
    pair.nodes[second].signal("STOP");
    let status = |pair: &Pair| pair.status(first);
    until("the first takes over", || (status(&pair) == Some(Status::Operational)).then_some(()));
    let behind = pair.flood(first, "c");
    std::thread::sleep(Duration::from_millis(500));
    pair.nodes[second].signal("CONT");
    let mut paused = pair.runtime.block_on(flood.task).expect("no panic");
    assert!(!paused.answered.is_empty() && paused.refused.len() + paused.unknown > 0);
    // what it had sent may be in the stream: after so long, it is given up before that is read
    paused.refused.clear();
    pair.is(second, Status::Standby);
    let behind = pair.end(behind);
    assert!(behind.answered.len() > 16 && behind.refused.is_empty(), "it goes on undisturbed");
    registered.extend([before, paused, behind]);
    let names = pair.judge(&registered);

    // no two interleave: what of one comes behind another's is nothing
    let of = |name: &String| name.split('/').next().unwrap_or_default().to_owned();
    let mut groups: Vec<_> = names.iter().map(of).collect();
    groups.dedup();
    assert_eq!(groups, ["a", "b", "c"]);
}

#[test]
fn of_two_active_nodes_the_first_is_fenced_says_so_and_stands_by_until_its_blessing_changes() {
    let test =
        "of_two_active_nodes_the_first_is_fenced_says_so_and_stands_by_until_its_blessing_changes";
    let Some(program) = program(test) else { return };
    let (folder, at) = (Folder::new(), [peers::unused_addr(), peers::unused_addr()]);
    let first = Monitor::start(&folder, "first", at[0]);
    let pair = Pair::start(program, 1, folder, at);
    pair.is(0, Status::Operational);
    let flood = pair.flood(0, "a");
    std::thread::sleep(Duration::from_millis(500));
    // two monitors that do not see each other bless one each
    let _second = Monitor::start(&pair.folder, "second", at[1]);
    pair.is(1, Status::Operational);
    let fenced = pair.runtime.block_on(flood.task).expect("no panic");
    pair.is(0, Status::Standby);
    assert!(!fenced.answered.is_empty() && !fenced.refused.is_empty() && fenced.unknown == 0);
    pair.nodes[0].says("this node was fenced");
    let health = get(pair.nodes[0].page, "/healthz", "");
    let says_so = health.body.contains("another server has taken over");
    assert!(health.status == 503 && says_so, "{}", health.body);
    assert_eq!([0, 1].map(|it| pair.metric(it, "hat_cluster_active")), [0.0, 1.0]);
    assert_eq!([0, 1].map(|it| pair.metric(it, "hat_cluster_fenced_total")), [1.0, 0.0]);
    let flood = pair.flood(1, "b");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(pair.status(0), Some(Status::Standby), "it does not take over by itself");
    let other = pair.end(flood);
    assert!(!other.answered.is_empty() && other.refused.is_empty());

    // its blessing changes, and now the other one is fenced
    drop(first);
    let flood = pair.flood(1, "c");
    let _first = Monitor::start(&pair.folder, "first", at[0]);
    pair.is(0, Status::Operational);
    let last = pair.runtime.block_on(flood.task).expect("no panic");
    assert!(!last.refused.is_empty() && last.unknown == 0);
    pair.is(1, Status::Standby);
    assert_eq!(get(pair.nodes[0].page, "/healthz", "").status, 200);
    let flood = pair.flood(0, "d");
    std::thread::sleep(Duration::from_millis(500));
    let own = pair.end(flood);
    assert!(own.refused.is_empty());
    let names = pair.judge(&[fenced, other, last, own]);
    let of = |name: &String| name.split('/').next().unwrap_or_default().to_owned();
    let mut groups: Vec<_> = names.iter().map(of).collect();
    groups.dedup();
    assert_eq!(groups, ["a", "b", "c", "d"]);
}

/// One stream for `b` and all below, one for everything else: a blessing is for both.
#[test]
fn the_active_node_has_all_streams_and_another_one_takes_over_all_of_them() {
    let test = "the_active_node_has_all_streams_and_another_one_takes_over_all_of_them";
    let Some(program) = program(test) else { return };
    let (folder, at) = (Folder::new(), [peers::unused_addr(), peers::unused_addr()]);
    let first = Monitor::start(&folder, "first", at[0]);
    let mut pair = Pair::start_with(program, 1, folder, at, "--cluster-shard 2=b/*");
    let is_active = |pair: &Pair| [0, 1].map(|it| pair.metrics(it, "hat_cluster_active"));
    pair.is(0, Status::Operational);
    let mut all = pair.register(0, &["a/1", "b/1"]).expect("registered");
    assert_eq!(all.iter().map(|it| it.id.server).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(is_active(&pair), [[1.0, 1.0], [0.0, 0.0]]);
    for types in [&["a/2"][..], &["b/2"], &["a/2", "b/2"]] {
        assert_eq!(pair.register(1, types), None, "the other one registers nothing");
    }

    // two monitors that do not see each other bless one each
    let second = Monitor::start(&pair.folder, "second", at[1]);
    pair.is(1, Status::Operational);
    pair.is(0, Status::Standby);
    pair.nodes[0].says("this node was fenced");
    until("both streams have seen it", || {
        (is_active(&pair) == [[0.0, 0.0], [1.0, 1.0]]).then_some(())
    });
    assert_eq!(pair.metrics(0, "hat_cluster_fenced_total"), [1.0, 1.0]);
    for types in [&["a/3"][..], &["b/3"], &["a/3", "b/3"]] {
        assert_eq!(pair.register(0, types), None, "the one that was fenced registers nothing");
    }
    all.extend(pair.register(1, &["b/4", "a/4"]).expect("registered"));

    // the one that is active is killed: the other one is blessed anew, and has both
    pair.nodes[1].kill();
    drop((first, second));
    let _first = Monitor::start(&pair.folder, "first", at[0]);
    pair.is(0, Status::Operational);
    all.extend(pair.register(0, &["a/5", "b/5"]).expect("registered"));
    pair.nodes[1].run();
    for server in [1, 2] {
        let of_it: Vec<_> = all.iter().filter(|it| it.id.server == server).cloned().collect();
        for node in &pair.nodes {
            until("each node has what was answered, and no more", || {
                let client = pair.runtime.block_on(node.client())?;
                let found = pair.runtime.block_on(events_of(&client, server, None))?;
                (found == of_it).then_some(())
            });
        }
    }
}

#[test]
fn a_node_without_a_monitor_registers_nothing_behind_a_fence_until_it_is_lifted() {
    let test = "a_node_without_a_monitor_registers_nothing_behind_a_fence_until_it_is_lifted";
    let Some(program) = program(test) else { return };
    let (folder, at) = (Folder::new(), peers::unused_addr());
    let _monitor = Monitor::start(&folder, "monitor", at);
    let pair = Pair::start(program, 1, folder, [at, at]);
    let active = pair.active();
    let free = |number: usize, more: &str| {
        let store = pair.folder.of(&format!("free{number}"));
        Node::start(number, &store, &pair.nats.urls(), more)
    };
    let node = free(2, "");
    let stands_by = || {
        // the page comes after clients can connect
        TcpStream::connect(node.page).ok()?;
        let health = get(node.page, "/healthz", "");
        (health.status == 503 && health.body.contains("a monitor decides which node")).then_some(())
    };
    until("it says why", stands_by);
    assert_eq!(pair.status(active), Some(Status::Operational), "nobody is disturbed");
    let lifts = free(3, "--cluster-unfence");
    for node in [&lifts, &node] {
        let client = node.ready(&pair.runtime);
        let what = events(&["free"]);
        let answer = pair.runtime.block_on(client.register_with_response(&what));
        let answer = answer.expect("a connection");
        assert!(answer.is_some(), "registered");
    }
    pair.is(active, Status::Standby);
    pair.nodes[active].says("this node was fenced");
}
