//! Reads the stream in order, and makes of it what the rules say.
//!
//! The ordered consumer of the client goes on by itself after most faults. One that has delivered
//! nothing yet goes on from the beginning of the stream then, and not from where it was told to:
//! what comes again is the sign to make a new one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use smol::channel::Sender;
use tokio::sync::{Notify, watch as latest};
use tracing::{debug, warn};

use super::super::replica::{Fault, Outcome, Replica, State};
use super::applier::Batch;
use super::mark;
use super::shared::Shared;
use super::watch::{JoinedStream, another};

/// Messages that are asked for ahead, and applied at once, at the most. Each may be as large as
/// NATS lets it be, 1 MiB by default: some two hundred of them are in memory while much is to be
/// read, with those that wait for the store.
const BATCH: usize = 64;

/// Bytes that are applied at once, and one message more.
const BATCH_BYTES: usize = 8 << 20;

/// So many messages that the consumer has left out are asked for one by one; behind more of them,
/// another consumer is.
const MOST_MISSING: usize = 2 * BATCH;

/// Time after which what keeps it from reading is said again.
const REMINDER: Duration = Duration::from_secs(60);

/// Seconds that an event may be ahead of the time at which NATS stored it.
const MOST_AHEAD: i64 = 60;

/// Time between two attempts to read.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Reader {
    pub(super) replica: Replica,
    pub(super) shared: Arc<Shared>,
    pub(super) joined: latest::Receiver<Option<JoinedStream>>,
    pub(super) batches: Sender<Batch>,
    /// The watch sees that nothing comes although there is something.
    pub(super) restart: Arc<Notify>,
    /// When it was said last that events are ahead of their time.
    pub(super) said_ahead: Option<Instant>,
}

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    /// For good. What was taken before is right, and is applied.
    #[error("{0}")]
    Stopped(String),
    /// For good. What was taken before is not in the stream any more.
    #[error("{0}")]
    Another(String),
    /// It may go on from where it was.
    #[error("{0}")]
    Again(String),
    #[error("the node is stopping")]
    Closed,
}

fn again(error: impl ToString) -> ReadError {
    ReadError::Again(error.to_string())
}

impl Reader {
    /// Until the node ends. It does not return where the node stops: the way to the applier goes
    /// with it, and without that the whole server ends.
    pub(super) async fn run(mut self) {
        let mut said: Option<(String, Instant)> = None;
        loop {
            let joined = match self.joined.wait_for(Option::is_some).await {
                Ok(joined) => joined.clone(),
                Err(_) => return,
            };
            let Some(joined) = joined else { continue };
            self.may_read().await;
            match self.read(&joined).await {
                Ok(never) => match never {},
                Err(ReadError::Closed) => return,
                Err(ReadError::Stopped(reason)) => {
                    self.shared.stop_behind(self.replica.taken(), reason);
                    return std::future::pending().await;
                }
                Err(ReadError::Another(reason)) => {
                    self.shared.stop(reason);
                    return std::future::pending().await;
                }
                Err(ReadError::Again(reason)) => {
                    let is_said = |(before, at): &(String, Instant)| {
                        *before == reason && at.elapsed() < REMINDER
                    };
                    if !said.as_ref().is_some_and(is_said) {
                        warn!(reason, "the stream cannot be read: trying again");
                        said = Some((reason, Instant::now()));
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn read(&mut self, joined: &JoinedStream) -> Result<std::convert::Infallible, ReadError> {
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: self.replica.taken() + 1,
            },
            max_batch: BATCH as i64,
            ..pull::OrderedConfig::default()
        };
        debug!(from = self.replica.taken() + 1, "reading the stream");
        let consumer = joined.stream.create_consumer(config).await.map_err(again)?;
        let messages = consumer.messages().await.map_err(again)?;
        let mut messages = messages.ready_chunks(BATCH);
        let restart = self.restart.clone();
        loop {
            let chunk = tokio::select! {
                chunk = messages.next() => chunk.ok_or_else(|| again("the stream of messages has ended"))?,
                () = restart.notified() => return Err(again("no messages arrive, although there are more")),
            };
            self.may_read().await;
            let mut batch = Batch::default();
            let mut ended = None;
            for message in chunk {
                match message {
                    Ok(message) => {
                        let Ok(info) = message.info() else {
                            ended = Some(again("a message has no sequence number"));
                            break;
                        };
                        let sequence = info.stream_sequence;
                        // the client makes a new consumer by itself after many a fault
                        if info.consumer_sequence == 1
                            && let Err(error) = self.goes_on(&joined.stream).await
                        {
                            ended = Some(error);
                            break;
                        }
                        if let Err(error) =
                            self.take(&joined.stream, sequence, &message.payload, &mut batch).await
                        {
                            ended = Some(error);
                            break;
                        }
                        self.compare_clocks(info.published.unix_timestamp(), &batch);
                    }
                    Err(error) => {
                        ended = Some(again(error));
                        break;
                    }
                }
                if batch.bytes > BATCH_BYTES {
                    self.pass(joined.created, std::mem::take(&mut batch)).await?;
                }
            }
            self.pass(joined.created, batch).await?;
            if let Some(ended) = ended {
                return Err(ended);
            }
        }
    }

    /// Says where the last event is ahead of the time at which NATS stored it, in seconds since
    /// 1970: time never goes back, so one wrong clock sets that of all later events.
    fn compare_clocks(&mut self, stored: i64, batch: &Batch) {
        let Some(Outcome::Session { session, .. }) = batch.taken.last() else { return };
        let ahead = session.timestamp().s().saturating_sub(stored);
        if ahead > MOST_AHEAD && self.said_ahead.is_none_or(|at| at.elapsed() > REMINDER) {
            self.said_ahead = Some(Instant::now());
            let session = session.events().first().map(|event| event.id.session);
            warn!(
                ahead,
                session,
                "events have timestamps later than NATS stored them, by this many seconds, and so \
                 will all later events until the clock has caught up: the clock of a node, or of a \
                 NATS server, is wrong"
            );
        }
    }

    /// Before the first message of a consumer: whether the stream still has what was taken last. A
    /// stream that has lost its end, and has grown since, comes with other messages behind it.
    async fn goes_on(&self, stream: &Stream) -> Result<(), ReadError> {
        let State { taken, crc, .. } = *self.replica.state();
        if crc == 0 {
            return Ok(());
        }
        match stream.get_raw_message(taken).await {
            Ok(message) if crc32c::crc32c(&message.payload) == crc => Ok(()),
            Ok(_) => Err(ReadError::Another(another(taken))),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                // deleted, or too old; or not there yet, where a leader is behind for a moment
                let last = stream.get_info().await.map_err(again)?.state.last_sequence;
                match last < taken {
                    true => {
                        Err(again("the stream ends before the messages that were read from it"))
                    }
                    false => Ok(()),
                }
            }
            Err(error) => Err(again(error)),
        }
    }

    /// Until nobody doubts the stream; for ever where the node has stopped.
    async fn may_read(&self) {
        while !self.shared.may_read() {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What was taken goes to the store.
    async fn pass(&mut self, created: i64, mut batch: Batch) -> Result<(), ReadError> {
        if batch.taken.is_empty() {
            return Ok(());
        }
        batch.sequence = self.replica.taken();
        batch.crc = self.replica.state().crc;
        batch.fence = self.replica.state().fence();
        batch.mark = mark::encode(created, self.replica.state());
        self.shared.set_read(batch.sequence);
        self.batches.send(batch).await.map_err(|_| ReadError::Closed)
    }

    async fn take(
        &mut self,
        stream: &Stream,
        sequence: u64,
        bytes: &Bytes,
        batch: &mut Batch,
    ) -> Result<(), ReadError> {
        // a message before it that the consumer has left out
        let mut filled = None;
        loop {
            let (at, body) = match &filled {
                Some((at, body)) => (*at, body),
                None => (sequence, bytes),
            };
            let fault = match self.replica.take(at, body) {
                Ok(Outcome::Again) => return Err(again("messages arrive that were read before")),
                Ok(taken) => {
                    batch.add(taken, body.len());
                    if filled.take().is_none() {
                        return Ok(());
                    }
                    continue;
                }
                Err(fault) => fault,
            };
            match fault {
                Fault::Needs(_, part) => {
                    let bytes = fetch(stream, part, &fault).await?;
                    self.replica.fetched(part, &bytes);
                }
                Fault::Gap { taken, .. } => {
                    // the consumer may have left it out: what is there is used
                    let missing = fetch(stream, taken + 1, &fault).await?;
                    if batch.taken.len() >= MOST_MISSING || batch.bytes > BATCH_BYTES {
                        return Err(again(fault));
                    }
                    filled = Some((taken + 1, missing));
                }
                fault => return Err(ReadError::Stopped(fault.to_string())),
            }
        }
    }
}

/// A message that has to be there.
async fn fetch(stream: &Stream, sequence: u64, fault: &Fault) -> Result<Bytes, ReadError> {
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(message.payload),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
            Err(ReadError::Stopped(format!("{fault}; start over with a backup of another node")))
        }
        Err(error) => Err(again(error)),
    }
}
