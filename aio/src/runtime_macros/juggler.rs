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
            pub use $crate::juggler::{
                Client, ConnectError, ConnectOptions, Error, NotificationStream, Notified,
                RequestError, WsOptions,
            };
            #[cfg(feature = "web")]
            pub use $crate::juggler::{
                Connection, ConnectionId, Handler, ListenOptions, SendError, Server, SharedState,
            };
            #[cfg(feature = "web")]
            pub use $crate::web::{ListenError, WebOptions};

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

            /// Listens on `address`, on every address of its host; `handler` does what clients ask
            /// for.
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

            /// A server for WebSockets that another HTTP server takes, which gives it each by
            /// [`Server::serve_on`].
            #[cfg(feature = "web")]
            pub fn serve(handler: impl Handler, options: ListenOptions) -> Server {
                $crate::juggler::serve::<super::$runtime>(handler, options)
            }

            /// Juggler 0.5: data, messages and calls both ways. See [`hat_aio::juggler::peer`].
            pub mod peer {
                pub use $crate::hat_core::json::Value;
                pub use $crate::hat_core::juggler::State;
                pub use $crate::juggler::peer::{
                    Call, CallError, ConnectOptions, Connection, Received, RpcConnection,
                };
                #[cfg(feature = "web")]
                pub use $crate::juggler::peer::{ListenOptions, Server};
                pub use $crate::juggler::{ConnectError, Error, WsOptions};
                #[cfg(feature = "web")]
                pub use $crate::web::{ListenError, WebOptions};

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
