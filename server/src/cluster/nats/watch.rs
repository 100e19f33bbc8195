//! Joins the stream, and asks its leader once a second whether it is still there.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State as Connection;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, RawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use tokio::sync::{Notify, watch as latest};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, info, warn};

use super::ClusterOptions;
use super::mark::StoredPosition;
use super::nodes::gather;
use super::shared::{Answer, Shared};
use crate::cluster::ReplicaReport;

/// Time between two questions.
const ROUND: Duration = Duration::from_secs(1);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// So often a leader must say the same that cannot be, before the node believes it; and so many
/// questions without an answer are a reason to ask another server.
const TIMES: u32 = 3;

/// So many answers in a row with messages that are not read, and none of them read meanwhile, are a
/// reason to read anew.
const STUCK: u32 = 5;

/// How long JetStream remembers ids: a retry within that is stored once. Later ones the rules pass
/// over.
const DUPLICATES: Duration = Duration::from_secs(120);

/// The stream of a server. NATS allows no dots in it.
pub(super) fn stream_name(server_id: i64) -> String {
    format!("hat-{server_id}")
}

/// The subject of its messages.
pub(super) fn subject(server_id: i64) -> String {
    format!("hat.{server_id}.sessions")
}

/// The stream, once it is known to be the right one.
#[derive(Clone, Debug)]
pub(super) struct JoinedStream {
    pub(super) stream: Stream,
    /// When it was made, in nanoseconds since 1970.
    pub(super) created: i64,
}

pub(super) struct Watch {
    client: Client,
    context: Context,
    server_id: i64,
    replicas: usize,
    /// Where there is no stream, this node makes it.
    is_new: bool,
    known: StoredPosition,
    join: latest::Sender<Option<JoinedStream>>,
    created: Option<i64>,
    silent: u32,
    wrong: u32,
    stuck: (u64, u32),
    said: String,
}

impl Watch {
    pub(super) fn new(
        client: Client,
        context: Context,
        options: &ClusterOptions,
        server_id: i64,
        known: StoredPosition,
        join: latest::Sender<Option<JoinedStream>>,
    ) -> Self {
        let (replicas, is_new) = (options.replicas, options.is_new);
        let (created, silent, wrong, stuck) = (None, 0, 0, (0, 0));
        let said = String::new();
        Self {
            client,
            context,
            server_id,
            replicas,
            is_new,
            known,
            join,
            created,
            silent,
            wrong,
            stuck,
            said,
        }
    }

    /// Until the node ends: where it stops nothing more is asked, and what was joined stays.
    pub(super) async fn run(mut self, shared: Arc<Shared>, restart: Arc<Notify>) {
        let mut rounds = interval(ROUND);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shared.has_stopped().is_none() {
            rounds.tick().await;
            // before it is asked: the stream is not shorter than what it was
            let (applied, crc) = shared.last_applied();
            let answer = timeout(PATIENCE, self.context.get_stream(shared.stream())).await;
            match answer {
                Ok(Ok(stream)) => {
                    let looked = timeout(PATIENCE, self.look(&stream, applied, crc)).await;
                    match looked
                        .unwrap_or_else(|_| Err(StreamError::Silent("it took too long".into())))
                    {
                        Ok(()) => self.good(&shared, stream.cached_info(), &restart),
                        Err(StreamError::Silent(reason)) => self.on_silence(&shared, reason).await,
                        Err(StreamError::Stream(reason)) => self.on_fault(&shared, reason),
                    }
                }
                Ok(Err(error)) => match error.kind() {
                    GetStreamErrorKind::JetStream(said)
                        if said.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                    {
                        self.on_missing(&shared).await;
                    }
                    GetStreamErrorKind::JetStream(said) => {
                        self.on_silence(&shared, said.to_string()).await;
                    }
                    _ => self.on_silence(&shared, error.to_string()).await,
                },
                Err(_) => {
                    let seconds = PATIENCE.as_secs();
                    self.on_silence(&shared, format!("no answer within {seconds} s")).await;
                }
            }
        }
        std::future::pending::<()>().await;
    }

    /// All is well.
    fn good(&mut self, shared: &Shared, info: &Info, restart: &Notify) {
        (self.silent, self.wrong) = (0, 0);
        shared.doubt(false);
        let cluster = info.cluster.as_ref();
        let last = info.state.last_sequence;
        let read = shared.read();
        self.stuck = match self.stuck {
            (before, times) if before == read && read < last => (read, times + 1),
            _ => (read, 0),
        };
        if self.stuck.1 >= STUCK {
            self.stuck.1 = 0;
            restart.notify_one();
        }
        let leader = cluster.and_then(|it| it.leader.clone());
        // one server by itself has no leader, and is one
        let leader = leader.or_else(|| Some(self.client.server_info().server_name));
        shared.set_max_message(info.config.max_message_size);
        shared.on_answer(Answer { leader, replicas: replicas(info), last });
    }

    /// Nobody answers. A server that is alive, and is not in touch with the others, is left.
    async fn on_silence(&mut self, shared: &Shared, reason: String) {
        if self.said != reason {
            debug!(reason, "the leader of the stream does not answer");
            self.said.clone_from(&reason);
        }
        shared.set_silent(reason);
        self.silent += 1;
        if self.silent.is_multiple_of(TIMES)
            && self.client.connection_state() == Connection::Connected
        {
            // where it cannot, it is trying already
            let _ = self.client.force_reconnect().await;
        }
    }

    /// The stream cannot be the one that was joined. A leader may be wrong for a moment, in which
    /// nothing is read or applied.
    fn on_fault(&mut self, shared: &Shared, reason: String) {
        self.wrong += 1;
        shared.doubt(true);
        let stream = shared.stream();
        warn!(stream, reason, times = self.wrong, "something is wrong with the stream");
        match self.wrong {
            TIMES.. => shared.stop(reason),
            _ => shared.set_silent(reason),
        }
    }

    /// There is no stream: a node that never had one makes it, where the cluster is new.
    async fn on_missing(&mut self, shared: &Shared) {
        if self.known.created.is_some() || self.created.is_some() {
            let reason =
                "the stream has been deleted; restore it, or start over with a new server id";
            return self.on_fault(shared, reason.into());
        }
        if !self.is_new {
            let reason = format!(
                "there is no stream {}: in a new cluster one node creates it (--cluster-new, \
                 once); if it was lost, restore it",
                shared.stream()
            );
            return shared.set_absent(reason);
        }
        if let Some(reason) = self.known_elsewhere().await {
            return shared.set_absent(reason);
        }
        let config = Config {
            name: stream_name(self.server_id),
            subjects: vec![subject(self.server_id)],
            description: Some(format!("Events of the server {}", self.server_id)),
            storage: StorageType::File,
            num_replicas: self.replicas,
            // what is old goes when somebody says so, and never because there is no room
            discard: DiscardPolicy::New,
            duplicate_window: DUPLICATES,
            first_sequence: (self.known.before > 0).then_some(self.known.before + 1),
            ..Config::default()
        };
        match timeout(PATIENCE * 5, self.context.create_stream(config)).await {
            Ok(Ok(_)) => info!(
                stream = shared.stream(),
                replicas = self.replicas,
                "created the stream of the cluster"
            ),
            Ok(Err(error)) => self.on_silence(shared, error.to_string()).await,
            Err(_) => self.on_silence(shared, "it did not create the stream".into()).await,
        }
    }

    /// Why the cluster is not new, where a node says so: it knows of ids that would be given again.
    async fn known_elsewhere(&self) -> Option<String> {
        let nodes = gather(&self.client, self.server_id).await;
        let known = nodes.iter().find(|node| node.stopped || node.applied > self.known.before)?;
        Some(format!(
            "the cluster is not new, but its stream has been deleted: the node {} has applied \
             message {} of it; restore the stream, or start over with a new server id",
            known.node, known.applied
        ))
    }

    /// Looks whether it is the stream that this node knows, or one to begin with.
    async fn look(&mut self, stream: &Stream, applied: u64, crc: u32) -> Result<(), StreamError> {
        let info = stream.cached_info();
        if info.cluster.as_ref().is_some_and(|it| it.name.is_some() && it.leader.is_none()) {
            return Err(StreamError::Silent("the stream has no leader".into()));
        }
        let created = nanoseconds(info);
        let state = &info.state;
        if state.last_sequence < applied {
            return Err(StreamError::Stream(format!(
                "the stream ends with message {}, but this node has applied message {applied} of it",
                state.last_sequence
            )));
        }
        if state.first_sequence > applied + 1 {
            return Err(StreamError::Stream(format!(
                "the stream begins with message {}, so this node misses the messages after \
                 {applied}; start over with a backup of another node",
                state.first_sequence
            )));
        }
        match self.known.created {
            None => self.begin(info)?,
            // each time: what a power failure took from its end may have come anew
            Some(before) => recognize(stream, before == created, applied, crc).await?,
        }
        if let Some(reason) = loses(&info.config) {
            return Err(StreamError::Stream(reason.into()));
        }
        if self.created == Some(created) {
            return Ok(());
        }
        let replicas = info.config.num_replicas;
        if replicas < self.replicas {
            return Err(StreamError::Stream(format!(
                "the stream has {replicas} replicas, and this node requires {}: add replicas with \
                 `nats stream edit`, or require fewer with --cluster-replicas",
                self.replicas
            )));
        }
        info!(
            stream = stream.cached_info().config.name,
            applied,
            last = state.last_sequence,
            "joined"
        );
        self.created = Some(created);
        self.known.created = Some(created);
        self.join.send_replace(Some(JoinedStream { stream: stream.clone(), created }));
        Ok(())
    }

    /// A node that has applied nothing of any stream begins with the first message of one.
    fn begin(&self, info: &Info) -> Result<(), StreamError> {
        let first = info.config.first_sequence.unwrap_or(1).max(1);
        let before = self.known.before;
        if before + 1 == first {
            return Ok(());
        }
        Err(StreamError::Stream(match before {
            0 => format!(
                "the events before message {first} of the stream are only in the store of the node \
                 that created it; start with a backup of a node that has them"
            ),
            _ => format!(
                "the store has sessions of this server up to {before}, and the stream begins with \
                 message {first}: they do not belong to the same history; start with an empty \
                 store, or with a backup of another node"
            ),
        }))
    }
}

/// Why a stream of this configuration would not keep what it acknowledges. That what is old goes
/// after a time that somebody chose is no such reason.
fn loses(config: &Config) -> Option<&'static str> {
    if config.storage != StorageType::File {
        return Some("the stream is not stored on disk");
    }
    if config.retention != RetentionPolicy::Limits {
        return Some("the stream removes messages that were read: set its retention to `limits`");
    }
    let is_dropping =
        config.discard != DiscardPolicy::New && (config.max_bytes > 0 || config.max_messages > 0);
    if is_dropping {
        return Some(
            "the stream drops old messages when it is full: set its discard policy to `new`",
        );
    }
    if config.max_messages_per_subject > 0 {
        return Some("the stream limits the messages of a subject");
    }
    if config.no_ack {
        return Some("the stream does not acknowledge messages");
    }
    let is_copy = config.mirror.is_some()
        || config.sources.as_ref().is_some_and(|sources| !sources.is_empty());
    if is_copy {
        return Some("the stream mirrors or collects other streams");
    }
    None
}

/// What is said of a stream whose message `applied` is another one.
pub(super) fn another(applied: u64) -> String {
    format!(
        "the stream is another one: its message {applied} is not the one that this node has \
         applied; start over with a new server id, or restore the stream"
    )
}

/// Whether the message that was applied last is the one in the stream; where it is not there any
/// more, the time when the stream was made has to do.
async fn recognize(stream: &Stream, same: bool, applied: u64, crc: u32) -> Result<(), StreamError> {
    let by_time = match same {
        true => Ok(()),
        false => Err(StreamError::Stream(another(applied))),
    };
    if crc == 0 {
        return by_time;
    }
    match stream.get_raw_message(applied).await {
        Ok(message) if crc32c::crc32c(&message.payload) == crc => Ok(()),
        Ok(_) => Err(StreamError::Stream(another(applied))),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => by_time,
        Err(error) => Err(StreamError::Silent(error.to_string())),
    }
}

/// What a look can come to.
enum StreamError {
    Silent(String),
    Stream(String),
}

/// The servers that follow the leader.
pub(super) fn replicas(info: &Info) -> Vec<ReplicaReport> {
    let followers = info.cluster.as_ref().map(|it| &it.replicas[..]).unwrap_or_default();
    let report = |one: &async_nats::jetstream::stream::PeerInfo| ReplicaReport {
        name: one.name.clone(),
        current: one.current,
        offline: one.offline,
        lag: one.lag.unwrap_or_default(),
    };
    followers.iter().map(report).collect()
}

fn nanoseconds(info: &Info) -> i64 {
    i64::try_from(info.created.unix_timestamp_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_would_lose_what_it_acknowledged_is_named() {
        let good = Config {
            discard: DiscardPolicy::New,
            max_age: Duration::from_secs(86_400),
            max_messages: 10,
            max_messages_per_subject: -1,
            ..Config::default()
        };
        assert_eq!(loses(&good), None);
        let bad = [
            Config { storage: StorageType::Memory, ..good.clone() },
            Config { retention: RetentionPolicy::WorkQueue, ..good.clone() },
            Config { discard: DiscardPolicy::Old, ..good.clone() },
            Config { max_messages_per_subject: 1, ..good.clone() },
            Config { no_ack: true, ..good.clone() },
            Config { sources: Some(vec![Default::default()]), ..good.clone() },
        ];
        for config in bad {
            assert!(loses(&config).is_some(), "{config:?}");
        }
        let endless = Config { discard: DiscardPolicy::Old, max_messages: -1, ..good };
        assert_eq!(loses(&endless), None);
    }
}
