//! Observer: how a component of a redundant plant talks to its monitor, on top of Chatter.
//!
//! ```text
//! component                                     monitor
//!   │ ── MsgClient  name, group, data, answer ─── │   at once, and whenever the answer changes
//!   │ ───────────── MsgServer  cid, mid, components │   whenever any component changes
//!   │ ───────────────────────────────── MsgClose  │   the component should end
//! ```
//!
//! Of each group the monitor *blesses* one component (or all): it shows a token in that component's
//! [`BlessingRequest`]. A component that is ready answers with the same token, and once the monitor
//! shows that answer to everybody the component is **active**. It stays so until it is no longer
//! ready, or the monitor shows another token or none. It then ends its work first and takes its
//! token back last: the monitor blesses nobody else before.
//!
//! [`Component`] is that side as a state machine. The monitor's own side, and what monitors say to
//! each other, are not here.
//!
//! The source of the rules is the schema `HatObserver` and the behaviour of `hat-monitor` 0.8.

mod component;
mod error;
mod message;

pub use component::{Component, Config, Incoming, State};
pub use error::{Error, SendFault};
pub use message::{
    BlessingRequest, BlessingResponse, CLIENT, CLOSE, ClientMessage, ComponentInfo, SERVER,
    ServerMessage,
};
