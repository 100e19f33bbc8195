use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};

use super::Error;
use super::setup::{Decide, Decision};
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::{Inbox, InboxLimits};
use crate::runtime::{Runtime, Stream};
use crate::shared::Close;
use crate::shared::ConnectionSlot;
use crate::shared::{Delivered, Session, Wait};
use hat_core::cotp::{
    AnswerError, ConnectRequest, Connection as Machine, Diagnostic, Error as MachineError,
    Incoming, Info, Reason, SendError,
};

/// Diagnostics that are kept until somebody asks: a peer departs from the standard in a few ways,
/// over and over.
const DIAGNOSTICS: usize = 64;

/// Expedited data that is kept until somebody asks, each of at most 16 octets; with more of it the
/// connection ends.
const EXPEDITED: usize = 1024;

/// Who is connected with whom, and what was agreed: see [`Info`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Our address.
    pub local_address: SocketAddr,
    /// The peer's address.
    pub remote_address: SocketAddr,
    /// Selectors, TPDU size, references.
    pub agreed: Info,
}

impl Deref for ConnectionInfo {
    type Target = Info;

    fn deref(&self) -> &Info {
        &self.agreed
    }
}

/// A message, or with [`Receive::Parts`](hat_core::cotp::Receive::Parts) a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The octets.
    pub data: Bytes,
    /// The message ends with them.
    pub end: bool,
}

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Handle<CotpSession>,
}

struct CotpSession {
    machine: Machine,
    /// The application decides about requests.
    asks: bool,
    /// A request that waits for the decision.
    asked: Option<Box<ConnectRequest>>,
    inbox: Inbox<Part>,
    /// Parts of a message that is wanted whole.
    gathered: BytesMut,
    expedited: VecDeque<Bytes>,
    diagnostics: VecDeque<Diagnostic>,
    established: bool,
    /// What was wrong with the application's answer to the request.
    wrong_answer: Option<AnswerError>,
    /// The peer sends no more.
    ended: bool,
}

impl Session for CotpSession {
    type Protocol = Machine;

    const NAME: &'static str = "cotp";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        self.inbox.has_room()
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, memory: usize) -> Delivered {
        match incoming {
            Incoming::Connect(request) if self.asks => self.asked = Some(request),
            Incoming::Connect(_) => {
                self.answer(Decision::Confirm(Default::default()));
                return Delivered::Inbox;
            }
            Incoming::Connected(_) => self.established = true,
            Incoming::Data { data, end } => {
                let weight = data.len().max(memory);
                self.inbox.push(Part { data, end }, weight);
            }
            Incoming::Expedited(data) if self.expedited.len() < EXPEDITED => {
                // a few octets, without the memory that they were read to
                self.expedited.push_back(Bytes::copy_from_slice(&data));
            }
            Incoming::Expedited(_) => {
                // whoever agrees on expedited data must take it: dropping it would be silent
                self.machine.fail(MachineError::ExpeditedOverflow { limit: EXPEDITED });
                return Delivered::Nothing;
            }
            Incoming::Diagnostic(diagnostic) if self.diagnostics.len() < DIAGNOSTICS => {
                self.diagnostics.push_back(diagnostic);
                return Delivered::Nothing;
            }
            Incoming::HalfClosed => self.ended = true,
            Incoming::Diagnostic(_) => return Delivered::Nothing,
        }
        Delivered::Inbox
    }

    fn ended(&mut self, _wake: &mut Vec<Waker>) {
        // as with plain TCP: that the peer sends no more may have been a cut
        self.ended = false;
    }
}

impl CotpSession {
    fn answer(&mut self, decision: Decision) {
        let answered = match decision {
            Decision::Refuse(reason, information) => self.machine.refuse(reason, information),
            Decision::Confirm(response) => {
                self.machine.confirm(&response).map(|_| self.established = true)
            }
        };
        if let Err(error) = answered {
            // the request cannot be left without an answer
            let _ = self.machine.refuse(Reason::NotSpecified, None);
            self.wrong_answer = Some(error);
        }
    }

    /// The next message, gathered of its parts.
    fn message(&mut self) -> Option<Result<Bytes, Error>> {
        while let Some(Part { data, end }) = self.inbox.pop() {
            let limit = self.machine.config().max_tsdu;
            if data.len() > limit - self.gathered.len() {
                self.gathered = BytesMut::new();
                while self.inbox.pop().is_some() {}
                let error = MachineError::TsduTooLarge { limit };
                self.machine.fail(error.clone());
                return Some(Err(error.into()));
            }
            match (end, self.gathered.is_empty()) {
                (true, true) => return Some(Ok(data)),
                (true, false) => {
                    self.gathered.extend_from_slice(&data);
                    return Some(Ok(self.gathered.split().freeze()));
                }
                (false, _) => self.gathered.extend_from_slice(&data),
            }
        }
        None
    }

    /// What is there; the end, where nothing more will come.
    fn or_end<T>(&self, there: Option<T>) -> Option<Result<T, Error>> {
        match there {
            Some(there) => Some(Ok(there)),
            None if self.ended => Some(Err(hat_core::cotp::Error::Closed.into())),
            None => None,
        }
    }
}

impl Connection {
    pub(super) fn start<R: Runtime>(
        stream: impl Stream,
        machine: Machine,
        asks: bool,
        inbox: InboxLimits,
        slot: ConnectionSlot,
    ) -> io::Result<Self> {
        let session = |_| CotpSession {
            machine,
            asks,
            asked: None,
            inbox: Inbox::new(inbox),
            gathered: BytesMut::new(),
            expedited: VecDeque::new(),
            diagnostics: VecDeque::new(),
            established: false,
            wrong_answer: None,
            ended: false,
        };
        Ok(Self { handle: Handle::start::<R>(stream, session, slot)? })
    }

    pub(super) fn closer(&self) -> Arc<dyn Close> {
        self.handle.shared().clone()
    }

    /// Answers the request as `decide` says. Nothing is answered where the peer leaves before.
    pub(super) async fn decide(&self, decide: &Decide) {
        let asked = self.handle.wait(Wait::Incoming, |session| session.asked.take()).await;
        let Ok(request) = asked else { return };
        let mut deciding = decide.about(*request);
        let mut ended = pin!(self.handle.ended());
        let decision = poll_fn(|cx| match ended.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => deciding.as_mut().poll(cx).map(Some),
        });
        if let Some(decision) = decision.await {
            self.handle.call(|session| session.answer(decision));
        }
    }

    /// What was wrong with the application's answer to the request, if it was refused for that.
    pub(super) fn wrong_answer(&self) -> Option<AnswerError> {
        self.handle.look(|session| session.wrong_answer)
    }

    /// Waits until the handshake is done.
    pub(super) async fn established(&self) -> Result<(), Error> {
        self.handle.wait(Wait::Incoming, |session| session.established.then_some(())).await
    }

    /// Queues a message of any length, waiting while 256 KiB are queued. It is cut into TPDUs
    /// without a copy.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, for every reason except a full queue.
    pub async fn send(&self, data: impl Into<Bytes>) -> Result<(), SendError> {
        self.send_by(data.into(), Machine::send).await
    }

    /// Queues a part of a message whose length need not be known yet, waiting while 256 KiB are
    /// queued; `end` says that it is the last one. Before that, only parts can be sent. Cancel
    /// safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, for every reason except a full queue.
    pub async fn send_part(&self, data: impl Into<Bytes>, end: bool) -> Result<(), SendError> {
        self.send_by(data.into(), |machine, data| machine.send_part(data, end)).await
    }

    /// Queues expedited data of 1 to 16 octets, where it was agreed on, waiting while 256 KiB are
    /// queued. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, for every reason except a full queue.
    pub async fn send_expedited(&self, data: impl Into<Bytes>) -> Result<(), SendError> {
        self.send_by(data.into(), Machine::send_expedited).await
    }

    async fn send_by(
        &self,
        data: Bytes,
        send: impl Fn(&mut Machine, Bytes) -> Result<(), SendError>,
    ) -> Result<(), SendError> {
        self.handle.send_data(data, |session, data| send(&mut session.machine, data)).await
    }

    /// The next message. With [`Receive::Parts`](hat_core::cotp::Receive::Parts) it is gathered
    /// here, and one of more than [`max_tsdu`](hat_core::cotp::Config::max_tsdu) octets ends the
    /// connection: [`receive_part`](Self::receive_part) has no such limit.
    ///
    /// Messages that arrived before the connection ended are returned first. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over; [`Closed`](hat_core::cotp::Error::Closed) also where only the
    /// peer has ended its side.
    pub async fn receive(&self) -> Result<Bytes, Error> {
        let take = |session: &mut CotpSession| {
            let message = session.message().transpose();
            message.map_or_else(|error| Some(Err(error)), |message| session.or_end(message))
        };
        let message = self.handle.wait(Wait::Incoming, take).await?;
        if message.is_err() {
            // the driver learns of the end from the machine
            self.handle.call(|_| ());
        }
        message
    }

    /// The next part of a message, as it came; with
    /// [`Receive::Whole`](hat_core::cotp::Receive::Whole) the next message. What a
    /// [`receive`](Self::receive) that was dropped has gathered comes first, as one part. Cancel
    /// safe.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](Self::receive).
    pub async fn receive_part(&self) -> Result<Part, Error> {
        let take = |session: &mut CotpSession| {
            let part = match session.gathered.is_empty() {
                true => session.inbox.pop(),
                false => Some(Part { data: session.gathered.split().freeze(), end: false }),
            };
            session.or_end(part)
        };
        self.handle.wait(Wait::Incoming, take).await?
    }

    /// The next expedited data. At most 1024 of them are kept: one more that nobody took ends the
    /// connection. Cancel safe.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](Self::receive).
    pub async fn receive_expedited(&self) -> Result<Bytes, Error> {
        let take = |session: &mut CotpSession| {
            let data = session.expedited.pop_front();
            session.or_end(data)
        };
        self.handle.wait(Wait::Incoming, take).await?
    }

    /// In which ways the peer departed from the standard since this was asked last; at most 64 are
    /// kept.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.handle.look(|session| session.diagnostics.drain(..).collect())
    }

    /// Who is connected with whom, and what was agreed.
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        let shared = self.handle.shared();
        let agreed = self.handle.look(|session| session.machine.info().cloned());
        ConnectionInfo {
            local_address: shared.local,
            remote_address: shared.remote,
            // connections are handed out once they are established
            agreed: agreed.unwrap_or_default(),
        }
    }

    of_every_connection!();
}
