//! What nodes are to clients while all is well.

use hat_aio::eventer::Notification;
use hat_core::eventer::{Event, Payload, RegisterEvent};

use crate::Cluster;
use crate::nats::until;
use crate::nodes::{client, events, events_after};

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
