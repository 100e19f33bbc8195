//! The HTTP handshake (RFC 6455 section 4): heads read and written, nothing else.

mod agreement;
mod head;
mod key;
mod request;
mod response;

pub use agreement::Agreement;
pub use head::Field;
pub(super) use head::{Found, find_end};
pub use key::accept_key;
pub(super) use key::{accept_of, new_key};
pub(super) use request::{PendingAnswer, parse as parse_request};
pub use request::{Request, RequestFault, check_request};
pub use response::{HandshakeFault, Response};
pub(super) use response::{check, confirm, parse as parse_response, refuse};
