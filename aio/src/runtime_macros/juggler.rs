/// Names `connect`, and with the feature `web` `listen`, of Juggler for one runtime: what a runtime
/// crate with the feature `juggler` is for its users.
#[macro_export]
macro_rules! juggler_on {
    ($runtime:ident) => {
        /// Juggler 0.7: a JSON state that clients follow, requests and notifications; and 0.5 in
        /// `peer`. See [`hat_aio::juggler`] and [`hat_core::juggler`].
        pub mod juggler {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::json::{SetError, Value};
            pub use $crate::hat_core::juggler::client::Config as ClientConfig;
            pub use $crate::hat_core::juggler::server::Config as ServerConfig;
            pub use $crate::hat_core::juggler::{
                Config, Error as ProtocolError, PingRule, SendFault, State,
            };
            pub use $crate::hat_core::retry::{OnRejection, RetryConfig};
            pub use $crate::hat_core::ws::{Agreement, Deflate};
            pub use $crate::juggler::{
                Client, ConnectError, ConnectOptions, Error, Notice, NotificationStream,
                ReconnectOptions, ReconnectingClient, RequestError, StartError, StopReason, Update,
                UpdateStream, WhileDisconnected, WsOptions,
            };
            #[cfg(feature = "web")]
            pub use $crate::juggler::{
                Connection, ConnectionId, Handler, ListenOptions, SendError, Server, SharedState,
            };
            #[cfg(feature = "web")]
            pub use $crate::web::{ListenError, Origins, PendingUpgrade, WebOptions};

            /// Connects to the server at `address`, and waits until it takes the WebSocket.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<Client, ConnectError> {
                $crate::juggler::connect::<super::$runtime>(address, options).await
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
            ) -> Result<Client, ConnectError> {
                $crate::juggler::connect_on::<super::$runtime>(stream, options).await
            }

            /// Keeps a client connected to the server at `address`: when a connection ends,
            /// another one is made.
            ///
            /// # Errors
            ///
            /// [`StartError`], where no try would ever succeed.
            pub async fn keep_connected(
                address: impl $crate::IntoAddress,
                options: ReconnectOptions,
            ) -> Result<ReconnectingClient, StartError> {
                $crate::juggler::keep_connected::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host; `handler` serves the clients'
            /// requests.
            ///
            /// # Errors
            ///
            /// [`ListenError`].
            #[cfg(feature = "web")]
            pub async fn listen(
                address: impl $crate::IntoAddress,
                handler: impl Handler,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::juggler::listen::<super::$runtime>(address, handler, options).await
            }

            /// A server for WebSockets that another HTTP server takes by [`Server::upgrade`], and
            /// gives it each by [`Server::serve_on`].
            #[cfg(feature = "web")]
            pub fn serve(handler: impl Handler, options: ListenOptions) -> Server {
                $crate::juggler::serve::<super::$runtime>(handler, options)
            }

            /// Juggler 0.5: data, messages and calls both ways. See [`hat_aio::juggler::peer`].
            pub mod peer {
                pub use $crate::hat_core::json::Value;
                pub use $crate::hat_core::juggler::State;
                pub use $crate::hat_core::juggler::rpc::Actions;
                pub use $crate::hat_core::retry::{OnRejection, RetryConfig};
                pub use $crate::hat_core::ws::{Agreement, Deflate};
                pub use $crate::juggler::peer::{
                    Call, CallError, ConnectOptions, Connection, MessageOrCall, ReconnectOptions,
                    ReconnectingClient, RpcConnection, StopReason, Update, UpdateStream,
                };
                #[cfg(feature = "web")]
                pub use $crate::juggler::peer::{ListenOptions, Server, upgrade};
                pub use $crate::juggler::{
                    ConnectError, Error, StartError, WhileDisconnected, WsOptions,
                };
                #[cfg(feature = "web")]
                pub use $crate::web::{ListenError, Origins, PendingUpgrade, WebOptions};

                /// Connects to the server at `address`, and waits until it takes the WebSocket.
                ///
                /// # Errors
                ///
                /// [`ConnectError`].
                pub async fn connect(
                    address: impl $crate::IntoAddress,
                    options: ConnectOptions,
                ) -> Result<Connection, ConnectError> {
                    $crate::juggler::peer::connect::<super::super::$runtime>(address, options).await
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
                    $crate::juggler::peer::connect_on::<super::super::$runtime>(stream, options)
                        .await
                }

                /// The server's end of a WebSocket that another HTTP server took: see
                /// [`accept`]($crate::juggler::peer::accept).
                ///
                /// # Errors
                ///
                /// That of the stream, where it does not know its addresses.
                pub fn accept(
                    stream: impl $crate::runtime::Stream,
                    options: ConnectOptions,
                    agreement: Agreement,
                ) -> std::io::Result<Connection> {
                    type On = super::super::$runtime;
                    $crate::juggler::peer::accept::<On>(stream, options, agreement)
                }

                /// Keeps a client connected to the server at `address`: when a connection ends,
                /// another one is made.
                ///
                /// # Errors
                ///
                /// [`StartError`], where no try would ever succeed.
                pub async fn keep_connected(
                    address: impl $crate::IntoAddress,
                    options: ReconnectOptions,
                ) -> Result<ReconnectingClient, StartError> {
                    $crate::juggler::peer::keep_connected::<super::super::$runtime>(
                        address, options,
                    )
                    .await
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
                    $crate::juggler::peer::listen::<super::super::$runtime>(address, options).await
                }
            }
        }
    };
}
