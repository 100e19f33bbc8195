//! One disk of a cluster is full: a small one, of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use hat_core::eventer::{Event, Payload, RegisterEvent, Status};
use hat_tests::peers;

use crate::nats::{self, Nats, until};
use crate::nodes::{Node, events_after};
use crate::{Cluster, Folder, NEW};

/// A file system of 24 MiB in memory, which is gone when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// At this path; `None` where this system cannot, which is said then.
    fn new(test: &str, path: &str) -> Option<Self> {
        fs::create_dir_all(path).expect("a folder");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs", path]);
        match command.output() {
            Ok(output) if output.status.success() => Some(Self(path.into())),
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                peers::skip(test, &format!("a disk of its own needs root: {reason}"));
                None
            }
            Err(error) => {
                peers::skip(test, &format!("mount: {error}"));
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.filler()).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn has_room_again(&self) {
        fs::remove_file(self.filler()).expect("the file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // what still has a file open there keeps it for as long
        let _ = Command::new("umount").args([Path::new("-l"), &self.0]).status();
    }
}

/// Registers half a mebibyte at a node, until it is answered.
fn register(cluster: &Cluster, node: usize, name: &str) -> Vec<Event> {
    let payload = Some(Payload::binary("bytes", vec![1; 1 << 19]));
    let event = [RegisterEvent { payload, ..RegisterEvent::new(name) }];
    until("it is registered", || {
        let client = cluster.nodes[node].ready(&cluster.runtime);
        cluster.runtime.block_on(client.register_with_response(&event)).ok()?
    })
}

/// All nodes come to have the same, and all of `answered` in it, in this order.
fn all_have(cluster: &Cluster, answered: &[Event]) {
    for node in &cluster.nodes {
        let client = node.ready(&cluster.runtime);
        until("all of it is there", || {
            let found = cluster.runtime.block_on(events_after(&client, None))?;
            let mut found = found.iter();
            answered.iter().all(|event| found.any(|it| it == event)).then_some(())
        });
    }
}

#[test]
fn the_full_disk_of_a_node_is_told_and_the_others_do_not_notice() {
    let test = "the_full_disk_of_a_node_is_told_and_the_others_do_not_notice";
    let Some(program) = nats::program(test) else { return };
    let folder = Folder::new();
    let Some(disk) = SmallDisk::new(test, &folder.of("h0")) else { return };
    let nats = Nats::start(program, &folder.of("nats"), 3, "");
    let node = |number| Node::start(number, &folder.of(&format!("h{number}")), &nats.urls(), NEW);
    let nodes: Vec<_> = (0..3).map(node).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = Cluster { nodes, nats, runtime, folder };
    // it goes before the folder that it is in
    let disk = disk;
    let mut answered = register(&cluster, 0, "before");
    disk.fill();
    for number in 0..12 {
        answered.extend(register(&cluster, 1 + number % 2, &format!("full/{number}")));
    }
    let line = cluster.nodes[0].says("the store fails");
    assert!(line.contains("no room") || line.contains("No space"), "{line}");
    cluster.nodes[0].becomes(&cluster.runtime, Status::Standby);
    disk.has_room_again();
    cluster.nodes[0].says("the store works again");
    answered.extend(register(&cluster, 0, "after"));
    all_have(&cluster, &answered);
}

#[test]
fn the_full_disk_of_a_nats_server_loses_nothing() {
    let test = "the_full_disk_of_a_nats_server_loses_nothing";
    let Some(program) = nats::program(test) else { return };
    let folder = Folder::new();
    let disks: Option<Vec<_>> =
        (0..3).map(|number| SmallDisk::new(test, &folder.of(&format!("nats/n{number}")))).collect();
    let Some(disks) = disks else { return };
    let nats = Nats::start(program, &folder.of("nats"), 3, "");
    let node = |number| Node::start(number, &folder.of(&format!("h{number}")), &nats.urls(), NEW);
    let nodes: Vec<_> = (0..3).map(node).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut cluster = Cluster { nodes, nats, runtime, folder };
    // they go before the folder that they are in
    let disks = disks;
    let mut answered = register(&cluster, 0, "before");
    // the leader's: an election follows where it notices
    let leader = until("a leader", || cluster.nats.leader());
    disks[leader].fill();
    for number in 0..6 {
        answered.extend(register(&cluster, number % 3, &format!("full/{number}")));
    }
    disks[leader].has_room_again();
    // JetStream is switched off in a server that had no room, until it is started again
    cluster.nats.kill(leader);
    cluster.nats.run(leader);
    answered.extend(register(&cluster, 1, "after"));
    all_have(&cluster, &answered);
    // and it has what it missed: another one may go
    let other = (leader + 1) % 3;
    until("it is current", || {
        let info = cluster.nats.ask("$JS.API.STREAM.INFO.hat-1", "")?;
        let replicas = info["cluster"]["replicas"].as_array()?;
        (replicas.len() == 2 && replicas.iter().all(|it| it["current"] == true)).then_some(())
    });
    cluster.nats.kill(other);
    answered.extend(register(&cluster, 2, "without the other"));
    all_have(&cluster, &answered);
}
