/// Names `connect` and `listen` of every protocol for one runtime: what a runtime crate is for its users.
///
/// ```ignore
/// hat_core::protocols_on!(MyRuntime);
/// let connection = chatter::connect("localhost:23012".parse::<Address>()?, Options::default()).await?;
/// ```
#[macro_export]
macro_rules! protocols_on {
    ($runtime:ident) => {
        /// TLS under every protocol. See [`hat_core::aio::tls`].
        pub mod tls {
            pub use $crate::aio::tls::*;
        }

        /// Chatter: messages in conversations. See [`hat_core::aio::chatter`] and [`hat_core::chatter`].
        pub mod chatter {
            pub use $crate::aio::chatter::{
                Connection, Error, InboxLimits, IncomingStream, Options, SendOptions, Server,
            };
            pub use $crate::aio::server::ServerOptions;
            pub use $crate::chatter::{
                Config, Conversation, Data, Dialect, Incoming, Message, PingRule, SendError,
                SendFault,
            };

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn connect(
                address: impl Into<$crate::aio::Address>,
                options: Options,
            ) -> Result<Connection, $crate::aio::ConnectError> {
                $crate::aio::chatter::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::aio::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::aio::ConnectError> {
                $crate::aio::chatter::listen::<super::$runtime>(address, options, server).await
            }
        }

        /// Eventer: the client and the server of events. See [`hat_core::aio::eventer`] and [`hat_core::eventer`].
        pub mod eventer {
            pub use $crate::aio::chatter::InboxLimits;
            pub use $crate::aio::eventer::{
                Client, ClientOptions, ConnectError, ConnectionId, ConnectionInfo, Error, Events,
                Handler, ListenOptions, Notification, NotificationStream, Notifier,
                ReconnectOptions, Reconnecting, RequestError, Server, Stopped, Update,
                UpdateStream, WhileDisconnected,
            };
            pub use $crate::aio::server::ServerOptions;
            pub use $crate::eventer::reconnect::{CatchUpConfig, OnRejection, RetryConfig};
            pub use $crate::eventer::{
                Event, EventId, EventType, Json, LatestParams, Order, OrderBy, Payload,
                QueryParams, QueryResult, RegisterEvent, ServerParams, Status, Subscription,
                SubscriptionError, TimeseriesParams, Timestamp,
            };

            /// Connects to the event server at `address` as `name`, and waits until it takes the client.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl Into<$crate::aio::Address>,
                name: impl Into<$crate::sbs::ByteString>,
                options: ClientOptions,
            ) -> Result<Client, ConnectError> {
                $crate::aio::eventer::connect::<super::$runtime>(address, name, options).await
            }

            /// Keeps a client connected to the event server at `address` as `name`: when a connection ends, another one is made.
            ///
            /// # Errors
            ///
            /// [`SubscriptionError`], where the subscriptions are none.
            pub async fn keep_connected(
                address: impl Into<$crate::aio::Address>,
                name: impl Into<$crate::sbs::ByteString>,
                options: ReconnectOptions,
            ) -> Result<Reconnecting, SubscriptionError> {
                $crate::aio::eventer::keep_connected::<super::$runtime>(address, name, options)
                    .await
            }

            /// Listens on `address`, on every address of its host; `handler` does what clients ask for.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::aio::Address>,
                handler: impl Handler,
                options: ListenOptions,
            ) -> Result<Server, $crate::aio::ConnectError> {
                $crate::aio::eventer::listen::<super::$runtime>(address, handler, options).await
            }

            /// As [`listen`], with a handler that itself tells the clients: it is made from what does that.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn listen_with<H: Handler>(
                address: impl Into<$crate::aio::Address>,
                handler: impl FnOnce(Notifier) -> H,
                options: ListenOptions,
            ) -> Result<Server, $crate::aio::ConnectError> {
                $crate::aio::eventer::listen_with::<super::$runtime, H>(address, handler, options)
                    .await
            }
        }

        /// Plain TCP. See [`hat_core::aio::tcp`].
        pub mod tcp {
            pub use $crate::aio::server::ServerOptions;
            pub use $crate::aio::tcp::{Connection, ConnectionInfo, Error, Options, Server};
            pub use $crate::tcp::Config;

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn connect(
                address: impl Into<$crate::aio::Address>,
                options: Options,
            ) -> Result<Connection, $crate::aio::ConnectError> {
                $crate::aio::tcp::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::aio::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::aio::ConnectError> {
                $crate::aio::tcp::listen::<super::$runtime>(address, options, server).await
            }
        }

        /// TPKT: packets with one TPDU each. See [`hat_core::aio::tpkt`].
        pub mod tpkt {
            pub use $crate::aio::chatter::InboxLimits;
            pub use $crate::aio::server::ServerOptions;
            pub use $crate::aio::tpkt::{Connection, Error, Options, Server};
            pub use $crate::tpkt::{Config, SendError, SendFault};

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn connect(
                address: impl Into<$crate::aio::Address>,
                options: Options,
            ) -> Result<Connection, $crate::aio::ConnectError> {
                $crate::aio::tpkt::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::aio::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::aio::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::aio::ConnectError> {
                $crate::aio::tpkt::listen::<super::$runtime>(address, options, server).await
            }
        }

        /// COTP: ISO transport over TCP. See [`hat_core::aio::cotp`].
        pub mod cotp {
            pub use $crate::aio::chatter::InboxLimits;
            pub use $crate::aio::cotp::{
                Connection, ConnectionInfo, DEFAULT_PORT, Decide, Decision, Error, Options, Part,
                Server, SetupError,
            };
            pub use $crate::aio::server::ServerOptions;
            pub use $crate::cotp::{
                Config, Diagnostic, Policy, Reason, Receive, Response, Selector, SendError,
                SendFault, TpduSize,
            };

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`SetupError`]($crate::aio::cotp::SetupError).
            pub async fn connect(
                address: impl Into<$crate::aio::Address>,
                options: Options,
            ) -> Result<Connection, $crate::aio::cotp::SetupError> {
                $crate::aio::cotp::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`SetupError`]($crate::aio::cotp::SetupError).
            pub async fn listen(
                address: impl Into<$crate::aio::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::aio::cotp::SetupError> {
                $crate::aio::cotp::listen::<super::$runtime>(address, options, server).await
            }
        }
    };
}
