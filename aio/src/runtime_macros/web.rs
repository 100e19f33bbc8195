/// Names `connect` and `listen` of what stands on HTTP for one runtime: what a runtime crate with the feature `web` is for its users.
#[macro_export]
macro_rules! web_on {
    ($runtime:ident) => {
        /// The HTTP front of WebSocket servers. See [`hat_aio::web`].
        pub mod web {
            pub use $crate::server::AcceptOptions;
            pub use $crate::web::{
                Client, EmbeddedFile, HtpasswdError, Limits, ListenError, Origins, Routes, Upgrade,
                Upgraded, WebOptions, WebServer, http,
            };

            /// A connection of this runtime, as it is or with TLS over it.
            pub type Stream = $crate::web::Socket<<super::$runtime as $crate::Runtime>::Stream>;

            /// Serves HTTP on `address`, on every address of its host. The application takes its WebSockets with `accept`.
            ///
            /// # Errors
            ///
            /// [`ListenError`].
            pub async fn listen(
                address: impl $crate::IntoAddress,
                options: WebOptions,
            ) -> Result<WebServer<Stream>, ListenError> {
                $crate::web::listen::<super::$runtime>(address, options).await
            }
        }

        /// Juggler 0.7: a JSON state that clients follow, requests and notifications; and 0.5 in `peer`. See [`hat_aio::juggler`]
        /// and [`hat_core::juggler`].
        pub mod juggler {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::json::Value;
            pub use $crate::hat_core::juggler::State;
            pub use $crate::juggler::{
                Client, ConnectError, ConnectOptions, Connection, ConnectionId, Error, Handler,
                ListenOptions, NotificationStream, Notified, RequestError, SendError, Server,
                SharedState, WsOptions,
            };
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

            /// Listens on `address`, on every address of its host; `handler` does what clients ask for.
            ///
            /// # Errors
            ///
            /// [`ListenError`].
            pub async fn listen(
                address: impl $crate::IntoAddress,
                handler: impl Handler,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::juggler::listen::<super::$runtime>(address, handler, options).await
            }

            /// Juggler 0.5: data, messages and calls both ways. See [`hat_aio::juggler::peer`].
            pub mod peer {
                pub use $crate::hat_core::json::Value;
                pub use $crate::hat_core::juggler::State;
                pub use $crate::juggler::peer::{
                    Call, CallError, ConnectOptions, Connection, ListenOptions, Received, Server,
                };
                pub use $crate::juggler::{ConnectError, Error, WsOptions};
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
