//! permessage-deflate: messages that travel compressed (RFC 7692).
//!
//! ```text
//! client ── Sec-WebSocket-Extensions: permessage-deflate; … ──> server      an offer, or several
//!        <─ Sec-WebSocket-Extensions: permessage-deflate; … ───             the one that is taken
//!
//! message ──DEFLATE, flushed──> … 00 00 ff ff ──without these four──> frames, RSV1 in the first
//! ```
//!
//! Both ends keep the last 32 KiB of what went each way, unless `server_no_context_takeover` or
//! `client_no_context_takeover` was agreed on: then each message stands for itself.

mod codec;
mod negotiate;

pub(super) use codec::{Deflater, Inflater};
pub use negotiate::DeflateAgreement;
pub(super) use negotiate::{accepted, offer};

/// How to compress, where the peer can. Off unless
/// [`Config::deflate`](super::Config::deflate) has it.
///
/// ```
/// use bytes::Buf;
/// use hat_core::buffer::RecvBuf;
/// use hat_core::protocol::{Polled, Protocol};
/// use hat_core::time::Instant;
/// use hat_core::ws::{Config, Connection, Deflate, Incoming, Request, Response};
///
/// fn written(from: &mut Connection) -> bytes::Bytes {
///     let queued = from.queued();
///     from.tx().copy_to_bytes(queued)
/// }
///
/// let now = Instant::ORIGIN;
/// let config = Config { deflate: Some(Deflate::default()), ..Config::default() };
/// let request = Request::new("plant.example", "/ws");
/// let mut client = Connection::connect(config.clone(), request, now)?;
/// let mut server = Connection::accept(config, now);
/// let (mut client_rx, mut server_rx) = (RecvBuf::new(), RecvBuf::new());
///
/// server_rx.feed(&written(&mut client));
/// let asked = server.poll(&mut server_rx, now)?;
/// assert!(matches!(asked, Polled::Incoming(Incoming::Request(_))));
/// server.confirm(&Response::default())?;
/// client_rx.feed(&written(&mut server));
/// let Polled::Incoming(Incoming::Open(_)) = client.poll(&mut client_rx, now)? else { panic!() };
///
/// // a server's, and a client's with its mask
/// let text = "plant/boiler/temperature ".repeat(1000);
/// server.send_text(&text.clone().into())?;
/// assert!(server.queued() < 500);
/// client_rx.feed(&written(&mut server));
/// let told = client.poll(&mut client_rx, now)?;
/// assert_eq!(told, Polled::Incoming(Incoming::Text(text.clone().into())));
/// client.send_text(&text.clone().into())?;
/// assert!(client.queued() < 500);
/// server_rx.feed(&written(&mut client));
/// let told = server.poll(&mut server_rx, now)?;
/// assert_eq!(told, Polled::Incoming(Incoming::Text(text.into())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// How hard to try, from 1, which is fast, to 10. Default: 2: JSON gets nearly as small as by
    /// more.
    pub level: u8,
    /// The smallest message that is compressed, in bytes. Default: 256: a smaller one fits a packet
    /// as it is, and gains nothing.
    pub min_size: usize,
    /// Whether what was sent before helps to compress what follows. It costs some 350 KiB of memory
    /// for each connection, and 32 KiB for what is received. Default: false: memory is taken while
    /// a message is at work, and no longer. Messages are decompressed either way, as the peer needs
    /// it.
    pub context_takeover: bool,
}

impl Default for Deflate {
    fn default() -> Self {
        Self { level: 2, min_size: 256, context_takeover: false }
    }
}
