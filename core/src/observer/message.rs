//! The messages, and the names that they travel under in Chatter's `type`. Each is a conversation
//! of its own.

use alloc::vec::Vec;

use bytestring::ByteString;

use crate::sbs;

/// The name of [`ClientMessage`].
pub const CLIENT: &str = "HatObserver.MsgClient";
/// The name of [`ServerMessage`].
pub const SERVER: &str = "HatObserver.MsgServer";
/// The name of the monitor's wish that the component ends. It has no data.
pub const CLOSE: &str = "HatObserver.MsgClose";

sbs::record! {
    /// What the monitor offers a component, by `HatObserver.BlessingReq`.
    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    pub struct BlessingRequest {
        /// The token to answer with; `None`: the component is not blessed.
        pub token: Option<i64>,
        /// When it was blessed, in seconds since 1970.
        pub timestamp: Option<f64>,
    }
}

sbs::record! {
    /// What a component answers, by `HatObserver.BlessingRes`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct BlessingResponse {
        /// The token that the component works under, or is about to; `None` when it does nothing.
        pub token: Option<i64>,
        /// It would take a blessing.
        pub ready: bool,
    }
}

sbs::record! {
    /// What a component says of itself, by `HatObserver.MsgClient`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ClientMessage {
        /// Its name, for people.
        pub name: ByteString,
        /// The group of components of which one is blessed.
        pub group: ByteString,
        /// What others should know of it, as JSON: of an event server its id and address.
        pub data: ByteString,
        /// Its answer to what the monitor offers.
        pub blessing_res: BlessingResponse,
    }
}

sbs::record! {
    /// A component, as monitors show it to all, by `HatObserver.ComponentInfo`.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ComponentInfo {
        /// The number of its connection at its monitor.
        pub cid: i64,
        /// The number of its monitor.
        pub mid: i64,
        /// Its name; `None` until it has said anything.
        pub name: Option<ByteString>,
        /// Its group; `None` until it has said anything.
        pub group: Option<ByteString>,
        /// Its data, as JSON.
        pub data: ByteString,
        /// The lower, the sooner it is blessed.
        pub rank: i64,
        /// What its monitor offers it.
        pub blessing_req: BlessingRequest,
        /// What it answered.
        pub blessing_res: BlessingResponse,
    }
}

impl ComponentInfo {
    /// The token under which this component works, if it does: the one that was offered, answered.
    #[must_use]
    pub fn active_token(&self) -> Option<i64> {
        self.blessing_req.token.filter(|_| self.blessing_req.token == self.blessing_res.token)
    }
}

sbs::record! {
    /// Who the component is, and all components there are, by `HatObserver.MsgServer`.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ServerMessage {
        /// The component's own number.
        pub cid: i64,
        /// The number of its monitor; 0 as long as that has not found its place among monitors.
        pub mid: i64,
        /// All components of all monitors.
        pub components: Vec<ComponentInfo>,
    }
}
