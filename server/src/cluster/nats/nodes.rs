//! Nodes tell who asks how they are, and who asks puts it together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::{Client, jetstream};
use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::shared::Shared;
use super::watch::{replicas, stream_name};
use super::{ClusterError, ClusterOptions};
use crate::cluster::report::other_shards;
use crate::cluster::{ClusterReport, ClusterStatus};

/// How long nodes may take to answer, and the leader of the stream.
const PATIENCE: Duration = Duration::from_secs(2);

/// From one question of a node to the next: [`PATIENCE`] is between them, too.
const REST: Duration = Duration::from_secs(3);

/// Time before the options of nodes are compared: they may be about to be started with others.
const COMPARE: Duration = Duration::from_secs(10);

/// Nodes that are waited for at the most: a cluster has three or five.
pub(super) const MOST: usize = 1_024;

/// Where nodes are asked.
fn subject(server_id: i64) -> String {
    format!("hat.{server_id}.nodes")
}

/// Answers, for as long as the node runs.
pub(super) async fn answer(client: Client, server_id: i64, shared: Arc<Shared>) {
    loop {
        match client.subscribe(subject(server_id)).await {
            Ok(mut asked) => {
                while let Some(question) = asked.next().await {
                    let Some(reply) = question.reply else { continue };
                    let report = serde_json::to_vec(&shared.report()).unwrap_or_default();
                    // who asked asks again
                    let _ = client.publish(reply, report.into()).await;
                }
            }
            Err(error) => warn!(%error, "this node cannot answer queries for its status"),
        }
        sleep(PATIENCE).await;
    }
}

/// Asks all nodes how they are, again and again, for as long as this one runs; where it `compares`,
/// it says where others divide types otherwise among server ids.
pub(super) async fn follow(client: Client, server_id: i64, shared: Arc<Shared>, compares: bool) {
    let (start, mut said) = (Instant::now(), None);
    loop {
        let nodes = gather(&client, server_id).await;
        if compares && start.elapsed() >= COMPARE {
            let others = other_shards(&nodes, shared.shards());
            if let Some(others) = &others
                && said.as_ref() != Some(others)
            {
                let own = shared.shards();
                warn!(own, others, "the nodes of the cluster have different shards");
            }
            said = others;
        }
        shared.set_nodes(nodes);
        sleep(REST).await;
    }
}

impl ClusterStatus {
    /// Asks NATS, and all nodes of the server `server_id` that are there: it takes two seconds. On
    /// Tokio only.
    ///
    /// # Errors
    ///
    /// [`ClusterError`], where there is no NATS server.
    pub async fn ask(options: &ClusterOptions, server_id: i64) -> Result<Self, ClusterError> {
        tokio::runtime::Handle::try_current().map_err(|_| ClusterError::Runtime)?;
        let said = Arc::new(Mutex::new(None::<String>));
        let last = said.clone();
        let connect = options.connect(move |said| {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
        })?;
        let servers = options.servers()?;
        let unreachable = |error: String| ClusterError::Servers(error);
        let client = connect.connect(servers).await.map_err(|it| unreachable(it.to_string()))?;
        let connected = async {
            while client.connection_state() != async_nats::connection::State::Connected {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let connected = timeout(PATIENCE * 3, connected).await;
        connected.map_err(|_| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
            unreachable(said.unwrap_or_else(|| "no NATS server can be reached".into()))
        })?;
        let context = jetstream::ContextBuilder::new().timeout(PATIENCE).build(client.clone());
        let stream = context.get_stream(stream_name(server_id));
        let nodes = gather(&client, server_id);
        let (stream, nodes) = tokio::join!(stream, nodes);
        let mut status = Self { stream: stream_name(server_id), nodes, ..Self::default() };
        match stream {
            Ok(stream) => {
                let info = stream.cached_info();
                status.last = info.state.last_sequence;
                status.first = info.state.first_sequence;
                status.bytes = info.state.bytes;
                let cluster = info.cluster.as_ref();
                let leader = cluster.and_then(|it| it.leader.clone());
                status.leader = leader.or_else(|| Some(client.server_info().server_name));
                status.replicas = replicas(info);
            }
            Err(error) => status.reason = Some(error.to_string()),
        }
        Ok(status)
    }
}

/// The nodes of the server that answer: it takes two seconds.
pub(super) async fn gather(client: &Client, server_id: i64) -> Vec<ClusterReport> {
    let mut nodes: Vec<ClusterReport> = Vec::new();
    let inbox = client.new_inbox();
    let gathering = async {
        let mut answers = client.subscribe(inbox.clone()).await.ok()?;
        let asked = client.publish_with_reply(subject(server_id), inbox.clone(), "".into());
        asked.await.ok()?;
        while nodes.len() < MOST {
            let answer = answers.next().await?;
            // a node of another version says other things, or less
            nodes.extend(serde_json::from_slice::<ClusterReport>(&answer.payload));
        }
        Some(())
    };
    // nobody says how many there are: who has not answered by then is not there
    let _ = timeout(PATIENCE, gathering).await;
    nodes.sort_by(|one, two| one.node.cmp(&two.node));
    nodes
}
