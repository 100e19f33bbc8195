//! What is agreed on beside the WebSocket itself, for HTTP servers that answer the request.

use alloc::string::String;

use bytestring::ByteString;

use super::head;
use crate::ws::{Deflate, DeflateAgreement};

/// What a server and a client agreed on in the handshake, where an HTTP server that has read the
/// head itself answers it: the rules of [`Connection::accept`](super::super::Connection::accept),
/// to be asked once [`check_request`](super::check_request) has let the request pass.
///
/// ```
/// use hat_core::ws::{Deflate, Agreement};
///
/// let fields: [(&str, &[u8]); 2] = [
///     ("sec-websocket-protocol", b"plant.v2, plant.v1"),
///     ("sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),
/// ];
/// let ours = ["plant.v1".into()];
/// let agreed = Agreement::of(fields.into_iter(), &ours, Some(Deflate::default()));
/// assert_eq!(agreed.subprotocol.as_deref(), Some("plant.v1"));
/// // what the answer has to say, beside `Sec-WebSocket-Accept`
/// let headers: Vec<_> = agreed.headers().collect();
/// assert_eq!(headers[0], ("Sec-WebSocket-Protocol", "plant.v1".into()));
/// assert_eq!(headers[1].0, "Sec-WebSocket-Extensions");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The subprotocol that is spoken; `None` where none is.
    pub subprotocol: Option<ByteString>,
    /// How messages travel compressed; `None` where they do not. For
    /// [`Connection::with_deflate`](super::super::Connection::with_deflate).
    pub deflate: Option<DeflateAgreement>,
}

impl Agreement {
    /// What a server agrees on with the client whose request has `fields`, all of them, with names
    /// in any case: the first of the client's subprotocols that is among `subprotocols`, and
    /// compression as `deflate` where the client offers what we can do.
    #[must_use]
    pub fn of<'a>(
        fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
        subprotocols: &[ByteString],
        deflate: Option<Deflate>,
    ) -> Self {
        let mut offered = head::members(&fields, "sec-websocket-protocol").map(head::text);
        let subprotocol = offered.find(|it| subprotocols.contains(it));
        let deflate = deflate.and_then(|deflate| {
            let offers = head::members(&fields, "sec-websocket-extensions");
            let offers = offers.filter_map(|offer| core::str::from_utf8(offer).ok());
            DeflateAgreement::answer(deflate, offers).map(|(agreed, _)| agreed)
        });
        Self { subprotocol, deflate }
    }

    /// The header fields of the answer that say so, by name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let subprotocol = self.subprotocol.as_deref().map(Into::into);
        let extensions = self.deflate.map(DeflateAgreement::header);
        let subprotocol = subprotocol.map(|value| ("Sec-WebSocket-Protocol", value));
        let extensions = extensions.map(|value| ("Sec-WebSocket-Extensions", value));
        subprotocol.into_iter().chain(extensions)
    }
}
