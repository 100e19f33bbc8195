//! What goes wrong is said, and survived where it can be.

use hat_aio::Address;
use hat_core::eventer::Status;
use hat_core::json::{Array, Value};
use hat_tokio::juggler;

use crate::http::get;
use crate::nats::{TIME_LIMIT, until};
use crate::nodes::{Node, events, events_after};
use crate::{Cluster, NEW};

#[test]
fn without_a_majority_a_node_says_so_and_answers_queries() {
    let test = "without_a_majority_a_node_says_so_and_answers_queries";
    let Some(mut cluster) = Cluster::start(test, 3, "") else { return };
    let register = |cluster: &Cluster, name: &str| {
        let client = cluster.nodes[0].ready(&cluster.runtime);
        let answer = cluster.runtime.block_on(client.register_with_response(&events(&[name])));
        answer.expect("a connection")
    };
    let before = register(&cluster, "before").expect("registered");
    // nobody registers anything meanwhile: the node has to notice by itself
    let leader = until("a leader", || cluster.nats.leader());
    let count = cluster.nats.len();
    [leader, (leader + 1) % count].iter().for_each(|number| cluster.nats.kill(*number));
    cluster.nodes[0].becomes(&cluster.runtime, Status::Standby);
    cluster.nodes[0].says("the cluster has no majority");
    let page = cluster.nodes[0].page;
    let health = get(page, "/healthz", "");
    assert!(health.status == 503 && health.body.contains("no majority"), "{}", health.body);
    let metric = |name: &str| {
        let text = get(page, "/metrics", "").body;
        let start = format!("{name}{{stream=\"hat-1\"}}");
        let line = text.lines().find(|line| line.split(' ').next() == Some(&start));
        let value = line.and_then(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("{name}: {text}"))
    };
    assert_eq!(metric("hat_cluster_serving"), 0.0);
    assert_eq!(metric("hat_cluster_stopped"), 0.0);
    assert!(metric("hat_cluster_silence_seconds") > 5.0);
    assert_eq!(metric("hat_cluster_applied_sequence"), metric("hat_cluster_last_sequence"));
    cluster.runtime.block_on(async {
        let client = juggler::connect(Address::from(page), juggler::ConnectOptions::default());
        let client = client.await.expect("the page");
        let path = "/server/reason".parse().expect("a pointer");
        let shown = async {
            let mut state = client.state();
            while !state.get(&path).is_some_and(|it| it.to_string().contains("no majority")) {
                state = client.changed().await.expect("the connection stays");
            }
        };
        tokio::time::timeout(TIME_LIMIT, shown).await.expect("the page says why");
        // three nodes that answer, or did, and three servers that keep the stream, or did
        let stream = async {
            let names =
                |list: &str| format!("/server/cluster/0/{list}").parse().expect("a pointer");
            let (servers, nodes) = (names("servers"), names("nodes"));
            loop {
                let state = client.state();
                let count = |path| state.get(path).and_then(Value::as_array).map_or(0, Array::len);
                if (count(&servers), count(&nodes)) == (3, 3) {
                    return;
                }
                client.changed().await.expect("the connection stays");
            }
        };
        tokio::time::timeout(TIME_LIMIT, stream).await.expect("the page shows the cluster");
    });
    let client = cluster.runtime.block_on(cluster.nodes[0].client()).expect("a client");
    let answer = cluster.runtime.block_on(client.register_with_response(&events(&["without"])));
    assert_eq!(answer.expect("a connection"), None);
    let found = cluster.runtime.block_on(events_after(&client, None));
    assert_eq!(found, Some(before.clone()));
    (0..count).for_each(|number| cluster.nats.run(number));
    let after = register(&cluster, "after").expect("registered");
    assert_eq!(metric("hat_cluster_serving"), 1.0);
    assert_eq!(get(page, "/healthz", "").status, 200);
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let found = cluster.runtime.block_on(events_after(&client, None));
    assert_eq!(found, Some([before, after].concat()));
}

#[test]
fn a_registration_without_a_majority_fails_in_time() {
    let test = "a_registration_without_a_majority_fails_in_time";
    let Some(mut cluster) = Cluster::start(test, 3, "") else { return };
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let leader = until("a leader", || cluster.nats.leader());
    let count = cluster.nats.len();
    [leader, (leader + 1) % count].iter().for_each(|number| cluster.nats.kill(*number));
    // the node serves still, and takes it
    let answer = cluster.runtime.block_on(client.register_with_response(&events(&["lost"])));
    assert_eq!(answer.expect("a connection"), None);
    cluster.nodes[0].says("not acknowledged by the cluster within 20 s");
}

#[test]
fn a_stream_that_is_another_one_stops_the_node_which_keeps_its_data() {
    let test = "a_stream_that_is_another_one_stops_the_node_which_keeps_its_data";
    let Some(mut cluster) = Cluster::start(test, 1, "") else { return };
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let mut all = Vec::new();
    for name in ["a", "b", "c"] {
        let answer = cluster.runtime.block_on(client.register_with_response(&events(&[name])));
        all.extend(answer.expect("a connection").expect("registered"));
    }
    // the stream goes, and another one comes that is shorter
    cluster.nats.answer("$JS.API.STREAM.DELETE.hat-1", "");
    cluster.nodes[0].says("this node has stopped");
    cluster.nodes[0].becomes(&cluster.runtime, Status::Standby);
    let config = r#"{"name":"hat-1","subjects":["hat.1.sessions"],"num_replicas":1}"#;
    cluster.nats.answer("$JS.API.STREAM.CREATE.hat-1", config);
    let stays = |cluster: &Cluster| {
        let client = cluster.runtime.block_on(cluster.nodes[0].client()).expect("a client");
        let answer = cluster.runtime.block_on(client.register_with_response(&events(&["d"])));
        assert_eq!(answer.expect("a connection"), None);
        let found = cluster.runtime.block_on(events_after(&client, None));
        assert_eq!(found.as_ref(), Some(&all));
    };
    stays(&cluster);
    cluster.nodes[0].end();
    cluster.nodes[0].run();
    cluster.nodes[0].says("the stream ends with message 0");
    stays(&cluster);
    cluster.nodes[0].end();
    // as long, and with something else in it
    for _ in 0..8 {
        cluster.nats.answer("hat.1.sessions", "something else");
    }
    cluster.nodes[0].run();
    cluster.nodes[0].says("the stream is another one");
    stays(&cluster);
}

#[test]
fn another_stream_is_not_taken_for_its_own_after_a_restart() {
    let test = "another_stream_is_not_taken_for_its_own_after_a_restart";
    let Some(mut cluster) = Cluster::start(test, 1, "") else { return };
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let answer = cluster.runtime.block_on(client.register_with_response(&events(&["a", "b"])));
    let all = answer.expect("a connection").expect("registered");
    // another stream comes in its place at once, and is longer
    cluster.nodes[0].signal("STOP");
    cluster.nats.answer("$JS.API.STREAM.DELETE.hat-1", "");
    let config = r#"{"name":"hat-1","subjects":["hat.1.sessions"],"num_replicas":1}"#;
    cluster.nats.answer("$JS.API.STREAM.CREATE.hat-1", config);
    let publish = |cluster: &Cluster| {
        for _ in 0..12 {
            cluster.nats.answer("hat.1.sessions", "something else");
        }
    };
    publish(&cluster);
    cluster.nodes[0].signal("CONT");
    cluster.nodes[0].says("this node has stopped");
    publish(&cluster);
    cluster.nodes[0].end();
    cluster.nodes[0].run();
    cluster.nodes[0].says("the stream is another one");
    let client = cluster.runtime.block_on(cluster.nodes[0].client()).expect("a client");
    assert_eq!(cluster.runtime.block_on(events_after(&client, None)), Some(all));
}

#[test]
fn a_stream_that_lost_its_end_and_has_grown_again_stops_the_node_at_work() {
    let test = "a_stream_that_lost_its_end_and_has_grown_again_stops_the_node_at_work";
    let Some(mut cluster) = Cluster::start(test, 1, "") else { return };
    let register = |cluster: &Cluster, name: &str| {
        let client = cluster.nodes[0].ready(&cluster.runtime);
        let answer = cluster.runtime.block_on(client.register_with_response(&events(&[name])));
        answer.expect("a connection").expect("registered")
    };
    let mut all = register(&cluster, "a");
    let kept = cluster.folder.of("kept");
    cluster.nats.kill(0);
    cluster.nats.keep(0, &kept);
    cluster.nats.run(0);
    all.extend(until("it is registered", || {
        let client = cluster.nodes[0].ready(&cluster.runtime);
        let what = events(&["b"]);
        cluster.runtime.block_on(client.register_with_response(&what)).ok()?
    }));
    // the end is lost, as by a power failure without `sync_interval: always`
    cluster.nodes[0].signal("STOP");
    cluster.nats.kill(0);
    cluster.nats.restore(0, &kept);
    cluster.nats.run(0);
    for _ in 0..6 {
        cluster.nats.answer("hat.1.sessions", "something else");
    }
    cluster.nodes[0].signal("CONT");
    let line = cluster.nodes[0].says("this node has stopped");
    assert!(line.contains("the stream is another one"), "{line}");
    cluster.nodes[0].becomes(&cluster.runtime, Status::Standby);
    let client = cluster.runtime.block_on(cluster.nodes[0].client()).expect("a client");
    assert_eq!(cluster.runtime.block_on(events_after(&client, None)), Some(all));
    cluster.nodes[0].end();
    cluster.nodes[0].run();
    cluster.nodes[0].says("the stream is another one");
}

#[test]
fn a_lost_stream_is_not_made_anew_by_a_node_with_an_empty_store() {
    let test = "a_lost_stream_is_not_made_anew_by_a_node_with_an_empty_store";
    let Some(cluster) = Cluster::start(test, 1, "") else { return };
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let answer = cluster.runtime.block_on(client.register_with_response(&events(&["a"])));
    answer.expect("a connection").expect("registered");
    cluster.nats.answer("$JS.API.STREAM.DELETE.hat-1", "");
    let urls = cluster.nats.urls();
    let said = [("", "there is no stream hat-1"), (NEW, "the cluster is not new")];
    for (number, (more, said)) in (1..).zip(said) {
        let store = cluster.folder.of(&format!("empty{number}"));
        let node = Node::start(number, &store, &urls, more);
        let line = node.says("does not serve yet");
        assert!(line.contains(said), "{line}");
        node.becomes(&cluster.runtime, Status::Standby);
    }
    let info = cluster.nats.ask("$JS.API.STREAM.INFO.hat-1", "").expect("an answer");
    assert_eq!(info["error"]["code"], 404, "{info}");
}

#[test]
fn a_message_that_is_missing_stops_the_node_that_needs_it() {
    let test = "a_message_that_is_missing_stops_the_node_that_needs_it";
    let Some(mut cluster) = Cluster::start(test, 1, "") else { return };
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let register = |name: &str| {
        let answer = cluster.runtime.block_on(client.register_with_response(&events(&[name])));
        answer.expect("a connection").expect("registered")
    };
    let answers: Vec<_> = ["a", "b", "c"].iter().map(|name| register(name)).collect();
    let lost = answers[1][0].id.session;
    let deleted =
        cluster.nats.answer("$JS.API.STREAM.MSG.DELETE.hat-1", &format!(r#"{{"seq":{lost}}}"#));
    assert_eq!(deleted["success"], true, "{deleted}");
    let store = cluster.folder.of("new");
    let node = Node::start(1, &store, &cluster.nats.urls(), "");
    let line = node.says("this node has stopped");
    assert!(line.contains("the messages between them are missing"), "{line}");
    node.becomes(&cluster.runtime, Status::Standby);
    let client = cluster.runtime.block_on(node.client()).expect("a client");
    let found = cluster.runtime.block_on(events_after(&client, None));
    assert_eq!(found.as_ref(), Some(&answers[0]), "what comes before it is here, and nothing else");
    // it has not ended: who looks after it is told why it does not serve
    let health = get(node.page, "/healthz", "");
    assert!(health.status == 503 && health.body.contains("are missing"), "{}", health.body);
    // the one that had it goes on
    cluster.nodes[0].end();
    cluster.nodes[0].run();
    cluster.nodes[0].ready(&cluster.runtime);
}

#[test]
fn a_full_jetstream_is_told_and_works_again_once_there_is_room() {
    let test = "a_full_jetstream_is_told_and_works_again_once_there_is_room";
    let Some(cluster) = Cluster::start(test, 1, "") else { return };
    let client = cluster.nodes[0].ready(&cluster.runtime);
    let register = |name: &str| {
        let answer = cluster.runtime.block_on(client.register_with_response(&events(&[name])));
        answer.expect("a connection")
    };
    let before = register("before").expect("registered");
    let limit = |most: i64| {
        let info = cluster.nats.answer("$JS.API.STREAM.INFO.hat-1", "");
        let mut config = info["config"].clone();
        config["max_msgs"] = most.into();
        cluster.nats.answer("$JS.API.STREAM.UPDATE.hat-1", &config.to_string());
    };
    limit(2);
    assert_eq!(register("full"), None);
    cluster.nodes[0].says("JetStream accepts no messages");
    limit(-1);
    let after = until("it works again", || register("after"));
    let found = cluster.runtime.block_on(events_after(&client, None)).expect("an answer");
    assert_eq!((&found[0], found.last()), (&before[0], after.last()));
}
