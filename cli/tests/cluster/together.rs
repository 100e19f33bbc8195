//! What nodes are to clients while all is well.

use hat_aio::eventer::Notification;
use hat_core::eventer::{
    Event, LatestParams, Payload, RegisterEvent, ServerParams, Status, TimeseriesParams,
};

use crate::http::get;
use crate::nats::{self, Nats, until};
use crate::nodes::{Node, client, events, events_after};
use crate::{Cluster, Folder, NEW};

/// Registers, and is answered.
fn registered(cluster: &Cluster, node: usize, what: &[RegisterEvent]) -> Vec<Event> {
    let client = cluster.nodes[node].ready(&cluster.runtime);
    let answer = cluster.runtime.block_on(client.register_with_response(what));
    answer.expect("a connection").expect("registered")
}

#[test]
fn what_is_registered_anywhere_is_told_everywhere_alike() {
    let test = "what_is_registered_anywhere_is_told_everywhere_alike";
    let Some(cluster) = Cluster::start(test, 3, "") else { return };
    let runtime = &cluster.runtime;
    cluster.nodes.iter().for_each(|node| drop(node.ready(runtime)));
    let listener = |address: &str| runtime.block_on(client(address, vec!["*"])).expect("a client");
    let listeners: Vec<_> = cluster.nodes.iter().map(|node| listener(&node.address)).collect();
    let mut answers = Vec::new();
    for round in 0..4 {
        for node in 0..3 {
            let types = [format!("t/{round}/{node}/a"), format!("t/{round}/{node}/b")];
            let types: Vec<_> = types.iter().map(String::as_str).collect();
            answers.extend(registered(&cluster, node, &events(&types)));
        }
    }
    assert!(answers.windows(2).all(|two| two[0].id < two[1].id), "{answers:?}");
    assert!(answers.windows(2).all(|two| two[0].timestamp <= two[1].timestamp), "{answers:?}");
    for listener in &listeners {
        let mut told = Vec::new();
        while told.len() < answers.len() {
            match runtime.block_on(listener.next()).expect("a connection") {
                Notification::Events(events) => told.extend(events.into_vec()),
                Notification::Status(status) => panic!("{status}"),
            }
        }
        assert_eq!(told, answers);
    }
    let status = crate::process::hat(&format!("cluster status {}", cluster.nats.urls()));
    let lines = status.json();
    let (stream, nodes) = lines.split_first().expect("a line for the stream");
    let leader = stream["leader"].as_str().expect("a leader");
    assert!(leader.starts_with('n') && stream["replicas"].as_array().expect("two").len() == 2);
    assert!(stream["last"].as_u64() > Some(12), "{stream}");
    let names: Vec<_> = nodes.iter().map(|node| node["node"].as_str()).collect();
    assert_eq!(names, [Some("h0"), Some("h1"), Some("h2")]);
    assert!(nodes.iter().all(|node| node["serves"] == true && node["stopped"] == false));
    for node in &cluster.nodes {
        let client = node.ready(runtime);
        assert_eq!(runtime.block_on(events_after(&client, None)), Some(answers.clone()));
    }
}

#[test]
fn a_session_larger_than_a_message_may_be_comes_whole() {
    let test = "a_session_larger_than_a_message_may_be_comes_whole";
    let Some(cluster) = Cluster::start(test, 1, "max_payload: 65536") else { return };
    let large = |name: &str| {
        let data = name.bytes().cycle().take(400_000).collect::<Vec<_>>();
        let payload = Payload::binary("bytes", data);
        RegisterEvent { payload: Some(payload), ..RegisterEvent::new(name) }
    };
    let what = [large("one"), large("two"), RegisterEvent::new("three")];
    let small = registered(&cluster, 0, &events(&["before"]));
    let answer = registered(&cluster, 0, &what);
    let payloads =
        |events: &[Event]| events.iter().map(|it| it.payload.clone()).collect::<Vec<_>>();
    let expected: Vec<_> = what.iter().map(|it| it.payload.clone()).collect();
    assert_eq!(payloads(&answer), expected);
    // the stream takes less than the server does; the node has to have heard of it
    let mut config = cluster.nats.answer("$JS.API.STREAM.INFO.hat-1", "")["config"].clone();
    config["max_msg_size"] = 20_000.into();
    cluster.nats.answer("$JS.API.STREAM.UPDATE.hat-1", &config.to_string());
    let smaller = until("it is registered", || {
        let client = cluster.nodes[0].ready(&cluster.runtime);
        let answer = cluster.runtime.block_on(client.register_with_response(&what));
        answer.expect("a connection")
    });
    assert_eq!(payloads(&smaller), expected);
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let found = cluster.runtime.block_on(events_after(&client, None));
    assert_eq!(found, Some([small, answer, smaller].concat()));
}

#[test]
fn a_node_goes_on_from_its_store_and_a_new_one_from_the_stream_or_a_backup() {
    let test = "a_node_goes_on_from_its_store_and_a_new_one_from_the_stream_or_a_backup";
    let Some(mut cluster) = Cluster::start(test, 1, "") else { return };
    let mut all = registered(&cluster, 0, &events(&["a", "b"]));
    cluster.nodes[0].kill();
    cluster.nodes[0].run();
    all.extend(registered(&cluster, 0, &events(&["c"])));
    let urls = cluster.nats.urls();
    // while the server runs
    let (from, to) = (cluster.folder.of("h0"), cluster.folder.of("copy"));
    assert_eq!(crate::process::hat(&format!("store backup {from} {to}")).code, Some(0));
    all.extend(registered(&cluster, 0, &events(&["d"])));
    for store in [to, cluster.folder.of("new")] {
        let node = crate::nodes::Node::start(1, &store, &urls, "");
        let client = node.ready(&cluster.runtime);
        let found = until("all is there", || {
            let found = cluster.runtime.block_on(events_after(&client, None))?;
            (found.len() == all.len()).then_some(found)
        });
        assert_eq!(found, all, "{store}");
        cluster.nodes.push(node);
    }
}

/// One stream for `b` and all below, one for everything else.
#[test]
fn types_are_divided_among_two_streams_behind_each_node() {
    let test = "types_are_divided_among_two_streams_behind_each_node";
    let Some(program) = nats::program(test) else { return };
    let folder = Folder::new();
    let nats = Nats::start(program, &folder.of("nats"), 1, "");
    let more = format!("{NEW} --cluster-shard 2=b/*");
    let node = |number| Node::start(number, &folder.of(&format!("h{number}")), &nats.urls(), &more);
    let nodes: Vec<_> = (0..2).map(node).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut cluster = Cluster { nodes, nats, runtime, folder };
    cluster.nodes.iter().for_each(|node| drop(node.ready(&cluster.runtime)));
    let runtime = &cluster.runtime;
    let listener = |address: &str| runtime.block_on(client(address, vec!["*"])).expect("a client");
    let listeners: Vec<_> = cluster.nodes.iter().map(|node| listener(&node.address)).collect();

    let first = registered(&cluster, 0, &events(&["a/1", "b/1", "a/2", "b/2"]));
    let types: Vec<_> = first.iter().map(|it| it.event_type.to_string()).collect();
    assert_eq!(types, ["a/1", "b/1", "a/2", "b/2"], "in the order of the registration");
    let ids: Vec<_> = first.iter().map(|it| (it.id.server, it.id.instance)).collect();
    assert_eq!(ids, [(1, 1), (2, 1), (1, 2), (2, 2)]);
    let second = registered(&cluster, 1, &events(&["b/1"]));
    assert_eq!(second[0].id.server, 2);
    let of = |server: i64| -> Vec<Event> {
        let all = first.iter().chain(&second);
        all.filter(|event| event.id.server == server).cloned().collect()
    };
    for listener in &listeners {
        let mut told = Vec::new();
        while told.len() < 5 {
            match runtime.block_on(listener.next()).expect("a connection") {
                Notification::Events(events) => told.extend(events.into_vec()),
                Notification::Status(status) => panic!("{status}"),
            }
        }
        for server in [1, 2] {
            let told: Vec<_> = told.iter().filter(|it| it.id.server == server).cloned().collect();
            assert_eq!(told, of(server), "each stream in its order");
        }
    }
    let finds_all = |node: &Node| {
        let client = node.ready(runtime);
        let by_time = until("all is there", || {
            let found = runtime.block_on(client.query(TimeseriesParams::default())).ok()?.events;
            (found.len() == 5).then_some(found)
        });
        assert!(by_time.windows(2).all(|two| two[0].timestamp >= two[1].timestamp), "{by_time:?}");
        let latest = runtime.block_on(client.query(LatestParams::default())).expect("an answer");
        let mut types: Vec<_> = latest.events.iter().map(|it| it.event_type.to_string()).collect();
        types.sort();
        assert_eq!(types, ["a/1", "a/2", "b/1", "b/2"]);
        assert!(latest.events.contains(&second[0]), "the newest of b/1");
        for server_id in [1, 2] {
            let of_it = ServerParams { server_id, ..ServerParams::default() };
            let found = runtime.block_on(client.query(of_it)).expect("an answer").events;
            assert_eq!(found, of(server_id));
        }
    };
    cluster.nodes.iter().for_each(finds_all);
    cluster.nodes[0].kill();
    cluster.nodes[0].run();
    finds_all(&cluster.nodes[0]);

    let metrics = get(cluster.nodes[0].page, "/metrics", "").body;
    for stream in ["hat-1", "hat-2"] {
        let line = format!("hat_cluster_serving{{stream=\"{stream}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }
    let status = format!("cluster status {} --server-id 2", cluster.nats.urls());
    assert_eq!(crate::process::hat(&status).json()[0]["stream"], "hat-2");

    // without one of its streams a node does not serve
    cluster.nats.answer("$JS.API.STREAM.DELETE.hat-2", "");
    let line = cluster.nodes[0].says("this node has stopped");
    assert!(line.contains("hat-2"), "{line}");
    cluster.nodes[0].becomes(runtime, Status::Standby);
    // nor does one begin whose shards are no shards
    let wrong =
        format!("serve --store {} --cluster {}", cluster.folder.of("w"), cluster.nats.urls());
    let failed = crate::process::hat(&format!("{wrong} --listen 127.0.0.1:0 --cluster-shard 1=b"));
    assert!(failed.failed(2).contains("server id 1 is given to two shards"), "{failed:?}");
}
