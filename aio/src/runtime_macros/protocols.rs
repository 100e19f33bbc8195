/// Names `connect` and `listen` of every protocol for one runtime: what a runtime crate is for its users.
///
/// ```ignore
/// hat_aio::protocols_on!(MyRuntime);
/// let connection = chatter::connect("localhost:23012".parse::<Address>()?, Options::default()).await?;
/// ```
#[macro_export]
macro_rules! protocols_on {
    ($runtime:ident) => {
        /// TLS under every protocol. See [`hat_aio::tls`].
        pub mod tls {
            pub use $crate::tls::*;
        }

        /// Chatter: messages in conversations. See [`hat_aio::chatter`] and [`hat_core::chatter`].
        pub mod chatter {
            pub use $crate::chatter::{
                Connection, Error, InboxLimits, IncomingStream, Options, SendOptions, Server,
            };
            pub use $crate::hat_core::chatter::{
                Config, Conversation, Data, Dialect, Incoming, Message, PingRule, SendError,
                SendFault,
            };
            pub use $crate::server::ServerOptions;

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn connect(
                address: impl Into<$crate::Address>,
                options: Options,
            ) -> Result<Connection, $crate::ConnectError> {
                $crate::chatter::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::ConnectError> {
                $crate::chatter::listen::<super::$runtime>(address, options, server).await
            }
        }

        /// Eventer: the client and the server of events. See [`hat_aio::eventer`] and [`hat_core::eventer`].
        pub mod eventer {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::eventer::{
                Client, ClientOptions, ConnectError, ConnectionId, ConnectionInfo, Error, Events,
                Handler, ListenOptions, Notification, NotificationStream, Notifier,
                ReconnectOptions, Reconnecting, RequestError, Server, Stopped, Update,
                UpdateStream, WhileDisconnected,
            };
            pub use $crate::hat_core::eventer::reconnect::{
                CatchUpConfig, Gap, OnRejection, Position, RetryConfig,
            };
            pub use $crate::hat_core::eventer::{
                Event, EventId, EventType, Json, LatestParams, Order, OrderBy, Payload,
                QueryParams, QueryResult, RegisterEvent, ServerParams, Status, Subscription,
                SubscriptionError, TimeseriesParams, Timestamp,
            };
            pub use $crate::server::ServerOptions;

            /// Connects to the event server at `address` as `name`, and waits until it takes the client.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl Into<$crate::Address>,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                options: ClientOptions,
            ) -> Result<Client, ConnectError> {
                $crate::eventer::connect::<super::$runtime>(address, name, options).await
            }

            /// Keeps a client connected to the event server at `address` as `name`: when a connection ends, another one is made.
            ///
            /// # Errors
            ///
            /// [`SubscriptionError`], where the subscriptions are none.
            pub async fn keep_connected(
                address: impl Into<$crate::Address>,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                options: ReconnectOptions,
            ) -> Result<Reconnecting, SubscriptionError> {
                $crate::eventer::keep_connected::<super::$runtime>(address, name, options).await
            }

            /// Listens on `address`, on every address of its host; `handler` does what clients ask for.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::Address>,
                handler: impl Handler,
                options: ListenOptions,
            ) -> Result<Server, $crate::ConnectError> {
                $crate::eventer::listen::<super::$runtime>(address, handler, options).await
            }

            /// As [`listen`], with a handler that itself tells the clients: it is made from what does that.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn listen_with<H: Handler>(
                address: impl Into<$crate::Address>,
                handler: impl FnOnce(Notifier) -> H,
                options: ListenOptions,
            ) -> Result<Server, $crate::ConnectError> {
                $crate::eventer::listen_with::<super::$runtime, H>(address, handler, options).await
            }
        }

        /// Observer: a component of a redundant plant and its monitor. See [`hat_aio::observer`] and [`hat_core::observer`].
        pub mod observer {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::observer::{
                BlessingRequest, BlessingResponse, ComponentInfo, Config, Incoming, SendFault,
                State,
            };
            pub use $crate::observer::{Component, ConnectError, Error, Options};

            /// Connects to the monitor at `address` as component `name` of `group`.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl Into<$crate::Address>,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                group: impl Into<$crate::hat_core::sbs::ByteString>,
                options: Options,
            ) -> Result<Component, ConnectError> {
                $crate::observer::connect::<super::$runtime>(address, name, group, options).await
            }
        }

        /// Plain TCP. See [`hat_aio::tcp`].
        pub mod tcp {
            pub use $crate::hat_core::tcp::{Config, SendError, SendFault};
            pub use $crate::server::ServerOptions;
            pub use $crate::tcp::{Connection, ConnectionInfo, Error, Options, Server};

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn connect(
                address: impl Into<$crate::Address>,
                options: Options,
            ) -> Result<Connection, $crate::ConnectError> {
                $crate::tcp::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::ConnectError> {
                $crate::tcp::listen::<super::$runtime>(address, options, server).await
            }
        }

        /// TPKT: packets with one TPDU each. See [`hat_aio::tpkt`].
        pub mod tpkt {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::tpkt::{Config, SendError, SendFault};
            pub use $crate::server::ServerOptions;
            pub use $crate::tpkt::{Connection, Error, Options, Server};

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn connect(
                address: impl Into<$crate::Address>,
                options: Options,
            ) -> Result<Connection, $crate::ConnectError> {
                $crate::tpkt::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`]($crate::ConnectError).
            pub async fn listen(
                address: impl Into<$crate::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::ConnectError> {
                $crate::tpkt::listen::<super::$runtime>(address, options, server).await
            }
        }

        /// COTP: ISO transport over TCP. See [`hat_aio::cotp`].
        pub mod cotp {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::cotp::{
                Connection, ConnectionInfo, DEFAULT_PORT, Decide, Decision, Error, Options, Part,
                Server, SetupError,
            };
            pub use $crate::hat_core::cotp::{
                Config, Diagnostic, Policy, Reason, Receive, Response, Selector, SendError,
                SendFault, TpduSize,
            };
            pub use $crate::server::ServerOptions;

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`SetupError`]($crate::cotp::SetupError).
            pub async fn connect(
                address: impl Into<$crate::Address>,
                options: Options,
            ) -> Result<Connection, $crate::cotp::SetupError> {
                $crate::cotp::connect::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`SetupError`]($crate::cotp::SetupError).
            pub async fn listen(
                address: impl Into<$crate::Address>,
                options: Options,
                server: ServerOptions,
            ) -> Result<Server, $crate::cotp::SetupError> {
                $crate::cotp::listen::<super::$runtime>(address, options, server).await
            }
        }
    };
}
