//! The two buffers between a machine and its socket.
//!
//! ```text
//!   socket ──read──> RecvBuf ──poll──> machine ──send──> SendQueue ──write──> socket
//!                  (driver's)                      (machine's)
//! ```
//!
//! [`RecvBuf`] belongs to whoever drives the machine, [`SendQueue`] to the machine, so both can be
//! borrowed at once.

mod cut;
mod recv;
mod send;
mod writer;

pub use recv::RecvBuf;
pub use send::SendQueue;
pub use writer::Writer;
pub(crate) use writer::{Room, write_word};
