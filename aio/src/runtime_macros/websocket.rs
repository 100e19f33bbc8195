/// Names `connect`, `accept` and the like of WebSocket for one runtime: what a runtime crate with
/// the feature `websocket` is for its users.
#[macro_export]
macro_rules! websocket_on {
    ($runtime:ident) => {
        /// WebSocket: text and binary messages both ways. See [`hat_aio::websocket`] and
        /// [`hat_core::ws`].
        pub mod websocket {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::ws::{
                Agreement, Config, Deflate, Error as ProtocolError, PingRule, Request, Response,
                SendError as SendFault, code,
            };
            #[cfg(feature = "web")]
            pub use $crate::web::{ListenError, WebOptions};
            #[cfg(feature = "web")]
            pub use $crate::web::{Origins, PendingUpgrade};
            pub use $crate::websocket::{
                ConnectError, ConnectOptions, Connection, Error, Message, MessageStream, PeerClose,
                SendError, WsOptions,
            };
            #[cfg(feature = "web")]
            pub use $crate::websocket::{ListenOptions, Server, upgrade};

            /// Connects to the server at `address`, and waits until it takes the WebSocket.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<Connection, ConnectError> {
                $crate::websocket::connect::<super::$runtime>(address, options).await
            }

            /// As [`connect`], over a stream that there is already: see
            /// [`IoStream`]($crate::IoStream).
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect_on(
                stream: impl $crate::runtime::Stream,
                options: ConnectOptions,
            ) -> Result<Connection, ConnectError> {
                $crate::websocket::connect_on::<super::$runtime>(stream, options).await
            }

            /// The server's end of a WebSocket whose handshake is done, by another HTTP server:
            /// see [`accept`]($crate::websocket::accept).
            ///
            /// # Errors
            ///
            /// That of the stream, where it does not know its addresses.
            pub fn accept(
                stream: impl $crate::runtime::Stream,
                options: &ConnectOptions,
                agreement: Agreement,
            ) -> std::io::Result<Connection> {
                $crate::websocket::accept::<super::$runtime>(stream, options, agreement)
            }

            /// Waits for the request of a client over a stream that there is already, and takes
            /// it: see [`serve_on`]($crate::websocket::serve_on).
            ///
            /// # Errors
            ///
            /// Why a connection could not be established.
            pub async fn serve_on(
                stream: impl $crate::runtime::Stream,
                options: &ConnectOptions,
            ) -> Result<Connection, Error> {
                $crate::websocket::serve_on::<super::$runtime>(stream, options).await
            }

            /// Listens on `address`, on every address of its host, with a web server.
            ///
            /// # Errors
            ///
            /// [`ListenError`].
            #[cfg(feature = "web")]
            pub async fn listen(
                address: impl $crate::IntoAddress,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::websocket::listen::<super::$runtime>(address, options).await
            }
        }
    };
}
