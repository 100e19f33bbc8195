//! The component's end of a connection to a monitor.
//!
//! ```text
//!         offered, and ready           shown to all         offer gone, or not ready
//! Idle ──────────────────> Answered ────────────> Active ──────────────────────> Ending
//!  ^ token none               │ token = offered     │ Incoming::Activate         │ or ::Deactivate
//!  └───── offer changed ──────┘                                                  │
//!  └─────────────────────── Component::deactivated ──────────────────────────────┘
//! ```

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use bytestring::ByteString;

use super::message::{
    BlessingResponse, CLIENT, CLOSE, ClientMessage, ComponentInfo, SERVER, ServerMessage,
};
use super::{Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::chatter::{self, Message, SendOptions};
use crate::options::More;
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::sbs::{Decode, Reader};
use crate::time::Instant;

/// Bytes of a message's type that an error shows: four times the longest that there is.
const MAX_NAME: usize = 128;

/// Limits of a component, in those of the Chatter connection below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Chatter connection. Its dialect must stay [`HatChatter`](chatter::Dialect::HatChatter).
    /// A message may have 1 MiB by default: some thousands of components, where a plant has dozens,
    /// and some 20 MiB once decoded at the worst.
    pub chatter: chatter::Config,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        let chatter = chatter::Config { max_message: 1024 * 1024, ..chatter::Config::default() };
        Self { chatter, more: More::default() }
    }
}

/// The plant as the monitor last showed it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// This component; `None` as long as the monitor does not show it.
    pub own: Option<ComponentInfo>,
    /// All components, this one among them.
    pub components: Arc<[ComponentInfo]>,
}

/// What [`Component::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The monitor shows something else than before.
    State(State),
    /// The component is blessed and everybody can see that it knows: its work may begin.
    Activate,
    /// The blessing is over: end the work, then call [`Component::deactivated`].
    Deactivate,
    /// The monitor wants the component to end. The deployed component ends its work, then closes.
    CloseRequest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No token is shown.
    Idle,
    /// The token that was offered is sent; the monitor has not shown it yet.
    Answered(i64),
    /// Everybody has seen it.
    Active(i64),
    /// The application ends its work; the token is kept meanwhile.
    Ending(i64),
}

/// The component's end of a connection to a monitor, from the moment that the byte stream is up.
///
/// - **Application**: [`set_ready`](Self::set_ready), [`set_data`](Self::set_data),
///   [`deactivated`](Self::deactivated), [`close`](Protocol::close).
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
/// - **Introspection**: [`state`](Self::state), [`is_active`](Self::is_active),
///   [`response`](Self::response).
#[derive(Debug)]
pub struct Component {
    chatter: chatter::Connection,
    over: Option<Error>,
    /// What was last said, or is to be.
    said: ClientMessage,
    /// It could not be queued yet.
    unsent: bool,
    phase: Phase,
    state: State,
    /// What the application is still to be told, in order: two at the most come of one message.
    told: VecDeque<Incoming>,
}

impl Component {
    /// A component whose connection has been up since `now`. It is not ready; who it is is queued
    /// at once.
    ///
    /// `data` is JSON: what other components should know.
    ///
    /// # Errors
    ///
    /// [`SendFault`], where that is larger than a message may be.
    pub fn new(
        config: Config,
        name: impl Into<ByteString>,
        group: impl Into<ByteString>,
        data: impl Into<ByteString>,
        now: Instant,
    ) -> Result<Self, SendFault> {
        let said = ClientMessage {
            name: name.into(),
            group: group.into(),
            data: data.into(),
            blessing_res: BlessingResponse::default(),
        };
        let mut component = Self {
            chatter: chatter::Connection::new(config.chatter, now),
            over: None,
            said,
            unsent: true,
            phase: Phase::Idle,
            state: State::default(),
            told: VecDeque::new(),
        };
        component.send()?;
        Ok(component)
    }

    /// Says whether the component would take a blessing. An active one that is no longer ready is
    /// told to end its work.
    pub fn set_ready(&mut self, ready: bool) {
        if self.said.blessing_res.ready != ready {
            self.said.blessing_res.ready = ready;
            self.say();
            self.settle();
        }
    }

    /// Says what other components should know, as JSON.
    ///
    /// # Errors
    ///
    /// [`SendFault`], where it is larger than a message may be; the monitor keeps what it has then.
    pub fn set_data(&mut self, data: impl Into<ByteString>) -> Result<(), SendFault> {
        let before = core::mem::replace(&mut self.said.data, data.into());
        if before == self.said.data {
            return Ok(());
        }
        match self.send() {
            Err(fault @ SendFault::TooLarge { .. }) => {
                self.said.data = before;
                Err(fault)
            }
            // what does not fit now is sent when there is room
            _ => Ok(()),
        }
    }

    /// The work that [`Incoming::Deactivate`] ends has ended: from now on the monitor may bless
    /// another. Does nothing at any other time.
    pub fn deactivated(&mut self) {
        if let Phase::Ending(_) = self.phase {
            self.phase = Phase::Idle;
            self.answer(None);
            self.settle();
        }
    }

    /// The plant as the monitor last showed it.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether the component is blessed: from [`Incoming::Activate`] to [`Incoming::Deactivate`].
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// What the component last answered.
    #[must_use]
    pub fn response(&self) -> BlessingResponse {
        self.said.blessing_res
    }

    /// Does what follows from what is offered, shown and wanted now.
    fn settle(&mut self) {
        let shown = self.state.own.as_ref();
        let offered = shown.and_then(|own| own.blessing_req.token);
        let answered = shown.and_then(|own| own.blessing_res.token);
        let ready = self.said.blessing_res.ready;
        match self.phase {
            Phase::Idle => {
                if let Some(token) = offered.filter(|_| ready) {
                    self.phase = Phase::Answered(token);
                    self.answer(Some(token));
                }
            }
            Phase::Answered(token) => {
                if ready && answered != Some(token) {
                    // as the deployed component: what was answered is waited for, whatever is
                    // offered meanwhile
                    return;
                }
                if ready && offered == Some(token) {
                    self.phase = Phase::Active(token);
                    self.told.push_back(Incoming::Activate);
                } else {
                    self.phase = Phase::Idle;
                    self.answer(None);
                    self.settle();
                }
            }
            Phase::Active(token) => {
                if !ready || offered != Some(token) {
                    self.phase = Phase::Ending(token);
                    self.told.push_back(Incoming::Deactivate);
                }
            }
            Phase::Ending(_) => {}
        }
    }

    fn answer(&mut self, token: Option<i64>) {
        self.said.blessing_res.token = token;
        self.say();
    }

    /// Queues what is said, now or as soon as there is room.
    fn say(&mut self) {
        // `unsent` remembers what a full queue refused; on a closed connection there is nobody to
        // tell
        let _ = self.send();
    }

    fn send(&mut self) -> Result<(), SendFault> {
        self.unsent = true;
        if self.over.is_some() {
            return Err(SendFault::Closed);
        }
        let name = chatter::Name::of(CLIENT);
        self.chatter.send_encoded(name, &self.said, SendOptions::default())?;
        self.unsent = false;
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Result<(), Error> {
        match &message.data.r#type[..] {
            SERVER => {
                let ServerMessage { cid, mid, components } = self.decode(message, SERVER)?;
                let own = components.iter().find(|info| info.cid == cid && info.mid == mid);
                let state = State { own: own.cloned(), components: components.into() };
                if state != self.state {
                    self.state = state.clone();
                    self.told.push_back(Incoming::State(state));
                    self.settle();
                }
                Ok(())
            }
            CLOSE => {
                self.told.push_back(Incoming::CloseRequest);
                Ok(())
            }
            other => {
                let message = other[..other.floor_char_boundary(MAX_NAME)].into();
                Err(Error::Unexpected { message })
            }
        }
    }

    /// The data of `message`. Bytes behind it are let pass as the deployed software does, unless
    /// the connection is strict.
    fn decode<T: Decode>(&self, message: &Message, name: &'static str) -> Result<T, Error> {
        let mut reader = Reader::new(&message.data.data);
        let decoded = T::decode(&mut reader).and_then(|value| {
            if self.chatter.config().strict {
                reader.finish()?;
            }
            Ok(value)
        });
        decoded.map_err(|error| Error::Malformed { message: name, error })
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let wait = loop {
            if let Some(told) = self.told.pop_front() {
                return Ok(Polled::Incoming(told));
            }
            match self.chatter.poll(rx, now)?.or_wait() {
                Ok(chatter::Incoming::Message(message)) => self.take(&message)?,
                // no conversation of this protocol has a timeout
                Ok(chatter::Incoming::Timeout(_)) => {}
                Err(wait) => break wait,
            }
        };
        if self.unsent {
            self.say();
        }
        Ok(wait)
    }
}

impl Protocol for Component {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        self.step(rx, now).map_err(|error| {
            self.chatter.close();
            self.over.insert(error).clone()
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.chatter.deadline().filter(|_| self.over.is_none())
    }

    fn stood_still(&mut self, time: Duration) {
        self.chatter.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.chatter.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.chatter.tx()
    }

    fn close(&mut self) {
        self.chatter.close();
    }

    fn is_closed(&self) -> bool {
        self.over.is_some() || self.chatter.is_closed()
    }
}
