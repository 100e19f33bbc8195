//! Publishes, in the order that it is given messages, many of them at a time. What is too large
//! for one message is chopped.

use std::sync::Arc;
use std::time::Instant;

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::message::{Body, HEAD, MAX_PARTS, Message};
use super::super::outbox::Publish;
use super::driver::ACKNOWLEDGED;
use super::shared::Shared;
use super::watch::{stream_name, subject};

/// Bytes of a message that NATS counts beside ours: its headers, which have the id.
const ROOM: usize = 1_024;

/// Bytes of a message that names parts: its check, and each name.
const CHECK: usize = 4;
const NAME: usize = 8;

/// Errors of JetStream that say "not now": 10008, no leader of all; 10009, not this one; 10158, the
/// same id is being stored.
const NOT_NOW: [u64; 3] = [10_008, 10_009, 10_158];

/// What is to be published, and what became of it.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) publish: Publish,
    pub(super) since: Instant,
    /// Why it may not be stored; `None` where it is.
    pub(super) failure: Option<Failure>,
}

#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) text: Arc<str>,
    pub(super) kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// It may be stored, or will be when it is published again.
    Passing,
    /// JetStream has said no, and will for some time: it is full, say.
    Refusal,
    /// Nothing of it that counts is stored, and nothing will be: it is too large.
    Impossible,
}

pub(super) struct Publisher {
    context: Context,
    shared: Arc<Shared>,
    stream: String,
    subject: String,
    results: mpsc::UnboundedSender<Publication>,
}

impl Publisher {
    pub(super) fn new(
        context: Context,
        shared: Arc<Shared>,
        server_id: i64,
        results: mpsc::UnboundedSender<Publication>,
    ) -> Self {
        let (stream, subject) = (stream_name(server_id), subject(server_id));
        Self { context, shared, stream, subject, results }
    }

    pub(super) async fn run(self, mut publishes: mpsc::UnboundedReceiver<Publication>) {
        let this = Arc::new(self);
        while let Some(published) = publishes.recv().await {
            if published.since.elapsed() > ACKNOWLEDGED {
                let (text, kind) = ("NATS accepts no messages".into(), FailureKind::Passing);
                let failure = Failure { text, kind };
                this.done(published, Some(failure));
                continue;
            }
            let bytes = published.publish.message.encode();
            let most = this.context.client().max_payload().min(this.shared.max_message());
            let most = most.saturating_sub(ROOM).max(HEAD * 2);
            let this = this.clone();
            if bytes.len() > most {
                tokio::spawn(async move {
                    let became = this.chop(&published.publish, most).await;
                    this.done(published, became.err());
                });
                continue;
            }
            match this.send(bytes, &published.publish.id).await {
                Ok(acknowledged) => {
                    tokio::spawn(async move {
                        let became = acknowledged.await;
                        this.done(published, became.err().map(Failure::from));
                    });
                }
                Err(error) => this.done(published, Some(error.into())),
            }
        }
    }

    fn done(&self, mut published: Publication, failure: Option<Failure>) {
        published.failure = failure;
        // where the driver has ended, nobody wants to know
        let _ = self.results.send(published);
    }

    async fn send(&self, bytes: Bytes, id: &str) -> Result<PublishAckFuture, PublishError> {
        let message = PublishMessage::build().payload(bytes).message_id(id);
        let message = message.expected_stream(&self.stream);
        self.context.send_publish(self.subject.clone(), message).await
    }

    /// The parts of a session, and then the session itself, which names them: until that one is
    /// there, nobody sees anything of it.
    async fn chop(&self, publish: &Publish, most: usize) -> Result<(), Failure> {
        let Message { place, timestamp, body } = publish.message.clone();
        let Body::Session(bytes) = body else {
            return Err(PublishError::new(PublishErrorKind::MaxPayloadExceeded).into());
        };
        let size = most - HEAD;
        // the message that names them has to fit, too
        let most_parts = MAX_PARTS.min((size - CHECK) / NAME);
        if bytes.len().div_ceil(size) > most_parts {
            let text = format!(
                "the events take {} bytes, and NATS takes messages of {most} bytes, of which a \
                 session has at most {most_parts}: register fewer events at once",
                bytes.len()
            );
            return Err(Failure { text: text.into(), kind: FailureKind::Impossible });
        }
        let mut acknowledged = Vec::new();
        for (number, start) in (0..bytes.len()).step_by(size).enumerate() {
            let part = Body::Part(bytes.slice(start..bytes.len().min(start + size)));
            let part = Message { place, timestamp, body: part }.encode();
            let id = part_id(&publish.id, size, number);
            acknowledged.push(self.send(part, &id).await?);
        }
        let mut sequences = Vec::with_capacity(acknowledged.len());
        for one in acknowledged {
            sequences.push(one.await?.sequence);
        }
        let whole = Body::Parted(crc32c::crc32c(&bytes), sequences);
        let whole = Message { place, timestamp, body: whole }.encode();
        self.send(whole, &publish.id).await?.await?;
        Ok(())
    }
}

/// The id of a part. Where a retry is chopped otherwise, because the limit of a message is another
/// one meanwhile, the parts of the first attempt are not taken for its own.
fn part_id(id: &str, size: usize, number: usize) -> String {
    format!("{id}-{size}-{number}")
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        use std::error::Error as _;
        let said = error.source().and_then(|it| it.downcast_ref::<jetstream::Error>());
        let not_now = |said: &jetstream::Error| NOT_NOW.contains(&said.error_code().0);
        let is_refusal = match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => true,
            _ => said.is_some_and(|said| !not_now(said)),
        };
        let text = match said {
            Some(said) => said.to_string(),
            None => error.to_string(),
        };
        let kind = if is_refusal { FailureKind::Refusal } else { FailureKind::Passing };
        Self { text: text.into(), kind }
    }
}
