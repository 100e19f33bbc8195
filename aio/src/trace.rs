//! What the driver and the servers report to `tracing`; nothing without its feature.

use std::fmt::Display;
use std::net::SocketAddr;

use hat_core::protocol::TooLarge;

#[cfg(feature = "tracing")]
mod events {
    use super::*;

    /// The life of one connection, as a span.
    #[derive(Debug)]
    pub(crate) struct Life(tracing::Span);

    impl Life {
        pub(crate) fn opened(protocol: &str, local: SocketAddr, remote: SocketAddr) -> Self {
            let span = tracing::debug_span!("connection", protocol, %local, %remote);
            span.in_scope(|| tracing::debug!("opened"));
            Self(span)
        }

        pub(crate) fn closed(&self, reason: &impl Display) {
            self.0.in_scope(|| tracing::debug!(%reason, "closed"));
        }

        /// The other side ended the connection while ours did not read.
        pub(crate) fn ended_unread(&self) {
            let text = "the connection ended while the application received too slowly for the \
                        socket to be read: the peer may have closed it for that reason";
            self.0.in_scope(|| tracing::warn!("{text}"));
        }

        /// A message ended the connection by its size. The span of the connection is not shown
        /// where warnings are.
        pub(crate) fn too_large(&self, protocol: &str, remote: SocketAddr, message: &TooLarge) {
            let _entered = self.0.enter();
            match message {
                TooLarge::Received { size, limit } => tracing::warn!(
                    protocol,
                    %remote,
                    size,
                    limit,
                    "a message is larger than the limit: the connection is closed"
                ),
                TooLarge::Refused { size, reason } => tracing::warn!(
                    protocol,
                    %remote,
                    largest = size,
                    reason = &**reason,
                    "the peer closed the connection because a message was larger than its limit"
                ),
                TooLarge::Unanswered { size } => tracing::warn!(
                    protocol,
                    %remote,
                    size,
                    "the connection ended after a large message that was not answered: the peer \
                     may have a smaller limit"
                ),
                _ => {}
            }
        }

        pub(crate) fn enter(&self) -> impl Drop + '_ {
            self.0.enter()
        }
    }

    pub(crate) fn accept_failed(error: &impl Display) {
        tracing::warn!(%error, "cannot accept a connection, trying again");
    }

    /// What a client was to be told, or told us, and is not: it is closed, or its answer cut.
    pub(crate) fn refused(
        client: &crate::eventer::ConnectionInfo,
        what: &str,
        reason: &impl Display,
    ) {
        let (id, remote, name) = (client.id, client.remote_address, &*client.client_name);
        tracing::error!(%id, %remote, name, %reason, "{what}");
    }

    /// The same of a peer of Juggler, which is closed.
    #[cfg(feature = "juggler")]
    pub(crate) fn cut(remote: SocketAddr, client: Option<&str>, what: &str, reason: &impl Display) {
        tracing::error!(%remote, client, %reason, "{what}: its connection is closed");
    }

    #[cfg(feature = "web")]
    pub(crate) fn htpasswd_failed(error: &impl Display) {
        tracing::error!(%error, "nobody is admitted until the password file is valid");
    }

    #[cfg(feature = "web")]
    pub(crate) fn host_refused(remote: &str, host: &str) {
        let hint = "if the name is this server's, allow it: WebOptions::hosts, or --web-origin with the origin of the page";
        tracing::warn!(remote, ?host, hint, "refused a request for an unknown host name");
    }

    #[cfg(feature = "web")]
    pub(crate) fn origin_refused(remote: &str, origin: &str) {
        let hint = "to allow this origin, add it: WebOptions::origins, or --web-origin";
        tracing::warn!(remote, ?origin, hint, "refused a WebSocket from a page of another origin");
    }

    #[cfg(feature = "web")]
    pub(crate) fn password_refused(remote: &str, user: Option<&str>) {
        let hint = "if the user is known, set the password in the htpasswd file";
        tracing::warn!(remote, ?user, hint, "refused a wrong user or password");
    }

    /// Said once until nobody waits any more.
    #[cfg(feature = "web")]
    pub(crate) fn passwords_crowded() {
        let text = "too many passwords wait to be verified: more are refused for now, which \
                    somebody who guesses passwords may be the cause of";
        tracing::warn!("{text}");
    }

    #[cfg(feature = "web")]
    pub(crate) fn user_gone(remote: &str, user: Option<&str>) {
        let text = "closed the WebSocket of a user who was removed from the htpasswd file or whose \
                    password changed there";
        tracing::warn!(remote, ?user, "{text}");
    }

    #[cfg(feature = "web")]
    pub(crate) fn file_failed(path: &str, error: &impl Display) {
        tracing::warn!(path, %error, "cannot read a file");
    }

    pub(crate) fn handshake_failed(remote: Option<SocketAddr>, error: &impl Display) {
        let remote = remote.map(tracing::field::display);
        tracing::info!(remote, %error, "the handshake of a connection failed");
    }
}

#[cfg(not(feature = "tracing"))]
mod events {
    use super::*;

    #[derive(Debug)]
    pub(crate) struct Life;

    #[derive(Debug)]
    pub(crate) struct SpanGuard;

    impl Drop for SpanGuard {
        fn drop(&mut self) {}
    }

    impl Life {
        pub(crate) fn opened(_protocol: &str, _local: SocketAddr, _remote: SocketAddr) -> Self {
            Self
        }

        pub(crate) fn closed(&self, _reason: &impl Display) {}

        pub(crate) fn ended_unread(&self) {}

        pub(crate) fn too_large(&self, _protocol: &str, _remote: SocketAddr, _message: &TooLarge) {}

        pub(crate) fn enter(&self) -> SpanGuard {
            SpanGuard
        }
    }

    pub(crate) fn accept_failed(_error: &impl Display) {}

    pub(crate) fn refused(
        _client: &crate::eventer::ConnectionInfo,
        _what: &str,
        _reason: &impl Display,
    ) {
    }

    #[cfg(feature = "juggler")]
    pub(crate) fn cut(
        _remote: SocketAddr,
        _client: Option<&str>,
        _what: &str,
        _reason: &impl Display,
    ) {
    }

    #[cfg(feature = "web")]
    pub(crate) fn htpasswd_failed(_error: &impl Display) {}

    #[cfg(feature = "web")]
    pub(crate) fn host_refused(_remote: &str, _host: &str) {}

    #[cfg(feature = "web")]
    pub(crate) fn origin_refused(_remote: &str, _origin: &str) {}

    #[cfg(feature = "web")]
    pub(crate) fn password_refused(_remote: &str, _user: Option<&str>) {}

    #[cfg(feature = "web")]
    pub(crate) fn passwords_crowded() {}

    #[cfg(feature = "web")]
    pub(crate) fn user_gone(_remote: &str, _user: Option<&str>) {}

    #[cfg(feature = "web")]
    pub(crate) fn file_failed(_path: &str, _error: &impl Display) {}

    pub(crate) fn handshake_failed(_remote: Option<SocketAddr>, _error: &impl Display) {}
}

#[cfg(feature = "juggler")]
pub(crate) use events::cut;
pub(crate) use events::{Life, accept_failed, handshake_failed, refused};
#[cfg(feature = "web")]
pub(crate) use events::{
    file_failed, host_refused, htpasswd_failed, origin_refused, password_refused,
    passwords_crowded, user_gone,
};
