//! A component of a redundant plant, and its monitor, on a runtime.

use std::sync::Arc;

use bytestring::ByteString;

use crate::handle::{Handle, of_every_connection};
use crate::inbox::{Inbox, InboxLimits};
use crate::runtime::Runtime;
use crate::shared::{ConnectionSlot, Delivered, Session, Wait};
use crate::{IntoAddress, SocketOptions, net, tls};
use hat_core::observer::{Component as Machine, ComponentInfo, Config, Incoming, SendFault, State};
use hat_core::options::More;

/// Why a connection ended.
pub type Error = crate::Error<hat_core::observer::Error>;

/// What a component says of itself, and its limits.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// What other components should know, as JSON. Default: `null`.
    pub data: ByteString,
    /// The protocol: pings, limits.
    pub config: Config,
    /// What may wait for [`Component::next`] before nothing more is read.
    pub inbox: InboxLimits,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            data: ByteString::from_static("null"),
            config: Config::default(),
            inbox: InboxLimits::default(),
            tls: None,
            socket: SocketOptions::default(),
            more: More::default(),
        }
    }
}

/// Why a component could not connect.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] crate::ConnectError),
    /// What the component says of itself is larger than a message may be.
    #[error("the component's registration cannot be sent: {0}")]
    Hello(SendFault),
}

/// Connects to the monitor at `address` as component `name` of `group`. It is not ready: see
/// [`Component::set_ready`].
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl IntoAddress,
    name: impl Into<ByteString>,
    group: impl Into<ByteString>,
    options: ConnectOptions,
) -> Result<Component, ConnectError> {
    let address = address.into_address().map_err(crate::ConnectError::from)?;
    let origin = hat_core::time::Instant::ORIGIN;
    let machine = Machine::new(options.config, name, group, options.data, origin);
    let machine = machine.map_err(ConnectError::Hello)?;
    let session = ComponentSession { machine, inbox: Inbox::new(options.inbox) };
    let stream = net::connect::<R>(&address, options.tls.as_ref(), &options.socket).await?;
    let failed = |error| crate::ConnectError::Connect { address, error: Arc::new(error) };
    let handle =
        Handle::start::<R>(stream, |_| session, ConnectionSlot::nowhere()).map_err(failed)?;
    Ok(Component { handle })
}

struct ComponentSession {
    machine: Machine,
    inbox: Inbox<Incoming>,
}

impl Session for ComponentSession {
    type Protocol = Machine;

    const NAME: &'static str = "observer component";

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
        let weight = match &incoming {
            Incoming::State(state) => {
                let data = |info: &ComponentInfo| size_of::<ComponentInfo>() + info.data.len();
                state.components.iter().map(data).sum()
            }
            _ => 0,
        };
        self.inbox.push(incoming, weight.max(memory));
        Delivered::Inbox
    }
}

/// A component at a monitor. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone, Debug)]
pub struct Component {
    handle: Handle<ComponentSession>,
}

impl Component {
    /// What the monitor tells next: the plant, that the work begins, that it ends, that the
    /// component should close. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn next(&self) -> Result<Incoming, Error> {
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    /// Says whether the component would take a blessing. An active one that is no longer ready is
    /// told to end its work.
    pub fn set_ready(&self, ready: bool) {
        self.handle.call(|session| session.machine.set_ready(ready));
    }

    /// Says what other components should know, as JSON.
    ///
    /// # Errors
    ///
    /// [`SendFault`], where it is larger than a message may be; the monitor keeps what it has then.
    pub fn set_data(&self, data: impl Into<ByteString>) -> Result<(), SendFault> {
        self.handle.call(|session| session.machine.set_data(data))
    }

    /// The work that [`Incoming::Deactivate`] ends has ended: from now on the monitor may bless
    /// another.
    pub fn deactivated(&self) {
        self.handle.call(|session| session.machine.deactivated());
    }

    /// The plant as the monitor last showed it.
    #[must_use]
    pub fn state(&self) -> State {
        self.handle.look(|session| session.machine.state().clone())
    }

    /// Whether the component is blessed, and was not told otherwise.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.handle.look(|session| session.machine.is_active())
    }

    of_every_connection!();
}
