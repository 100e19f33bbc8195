/// Names `connect` and `listen` of every protocol for one runtime: what a runtime crate is for its
/// users.
///
/// ```ignore
/// hat_aio::protocols_on!(MyRuntime);
/// let connection = chatter::connect("localhost:23012", ConnectOptions::default()).await?;
/// ```
#[macro_export]
macro_rules! protocols_on {
    ($runtime:ident) => {
        pub use sbs::ByteString;
        /// The state machines under the handles, and all that their crate has: what has a place of
        /// its own here is there too.
        pub use $crate::hat_core as machines;
        pub use $crate::hat_core::{json, sbs, ws};
        pub use $crate::{
            Address, ConnectError, ConnectionId, Error, HandshakeFailure, IntoAddress, IoStream,
            Keepalive, ListenError, Runtime, SocketOptions, UnixListener, address, bytes,
            reconnect, runtime, server,
        };

        /// TLS under every protocol. See [`hat_aio::tls`].
        pub mod tls {
            pub use $crate::tls::*;
        }

        /// Chatter: messages in conversations. See [`hat_aio::chatter`] and [`hat_core::chatter`].
        pub mod chatter {
            pub use $crate::chatter::{
                ConnectOptions, Connection, Error, InboxLimits, IncomingStream, ListenOptions,
                RequestError, SendOptions, Server,
            };
            pub use $crate::hat_core::chatter::{
                Config, Conversation, Data, Dialect, Error as ProtocolError, Incoming, Message,
                PingRule, SendError, SendFault, Violation,
            };
            pub use $crate::server::AcceptOptions;
            pub use $crate::{ConnectError, ListenError};

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn connect(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<Connection, ConnectError> {
                $crate::chatter::connect::<super::$runtime>(address, options).await
            }

            /// A connection over a stream that there is already: see
            /// [`IoStream`]($crate::IoStream).
            ///
            /// # Errors
            ///
            /// That of the stream, where it does not know its addresses.
            pub fn connect_on(
                stream: impl $crate::runtime::Stream,
                options: &ConnectOptions,
            ) -> std::io::Result<Connection> {
                $crate::chatter::connect_on::<super::$runtime>(stream, options)
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn listen(
                address: impl $crate::IntoAddress,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::chatter::listen::<super::$runtime>(address, options).await
            }
        }

        /// Eventer: the client and the server of events. See [`hat_aio::eventer`] and
        /// [`hat_core::eventer`].
        pub mod eventer {
            pub use $crate::ListenError;
            pub use $crate::chatter::InboxLimits;
            pub use $crate::eventer::{
                Client, ConnectError, ConnectOptions, ConnectionId, ConnectionInfo, Error, Events,
                Handler, ListenOptions, Notification, NotificationStream, Notifier,
                ReconnectOptions, ReconnectingClient, RequestError, Server, StartError, StopReason,
                Update, UpdateStream, WhileDisconnected,
            };
            pub use $crate::hat_core::eventer::client::Config as ClientConfig;
            pub use $crate::hat_core::eventer::reconnect::{
                CatchUpConfig, Gap, OnRejection, Position, RetryConfig,
            };
            pub use $crate::hat_core::eventer::server::{ClientInfo, Config as ServerConfig};
            pub use $crate::hat_core::eventer::{
                Binary, Error as ProtocolError, Event, EventId, EventType, Json, JsonError,
                LatestParams, Order, OrderBy, ParseError, Payload, QueryParams, QueryResult,
                RegisterEvent, ServerParams, Status, Subscription, SubscriptionError,
                TimeseriesParams, Timestamp, TimestampError, UnknownName,
            };
            pub use $crate::server::AcceptOptions;

            /// Connects to the event server at `address` as `name`, and waits until the server
            /// accepts the client.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl $crate::IntoAddress,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                options: ConnectOptions,
            ) -> Result<Client, ConnectError> {
                $crate::eventer::connect::<super::$runtime>(address, name, options).await
            }

            /// As [`connect`], over a stream that there is already: see
            /// [`IoStream`]($crate::IoStream).
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect_on(
                stream: impl $crate::runtime::Stream,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                options: ConnectOptions,
            ) -> Result<Client, ConnectError> {
                $crate::eventer::connect_on::<super::$runtime>(stream, name, options).await
            }

            /// Keeps a client connected to the event server at `address` as `name`: when a
            /// connection ends, another one is made.
            ///
            /// # Errors
            ///
            /// [`StartError`], where no try would ever succeed.
            pub async fn keep_connected(
                address: impl $crate::IntoAddress,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                options: ReconnectOptions,
            ) -> Result<ReconnectingClient, StartError> {
                $crate::eventer::keep_connected::<super::$runtime>(address, name, options).await
            }

            /// Listens on `address`, on every address of its host; `handler` serves the clients'
            /// requests.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn listen(
                address: impl $crate::IntoAddress,
                handler: impl Handler,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::eventer::listen::<super::$runtime>(address, handler, options).await
            }

            /// As [`listen`], with a handler that notifies the clients itself: it is made from the
            /// [`Notifier`].
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn listen_with<H: Handler>(
                address: impl $crate::IntoAddress,
                handler: impl FnOnce(Notifier) -> H,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::eventer::listen_with::<super::$runtime, H>(address, handler, options).await
            }
        }

        /// Observer: a component of a redundant plant and its monitor. See [`hat_aio::observer`]
        /// and [`hat_core::observer`].
        pub mod observer {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::observer::{
                BlessingRequest, BlessingResponse, ComponentInfo, Config, Error as ProtocolError,
                Incoming, SendFault, State,
            };
            pub use $crate::observer::{Component, ConnectError, ConnectOptions, Error};

            /// Connects to the monitor at `address` as component `name` of `group`.
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect(
                address: impl $crate::IntoAddress,
                name: impl Into<$crate::hat_core::sbs::ByteString>,
                group: impl Into<$crate::hat_core::sbs::ByteString>,
                options: ConnectOptions,
            ) -> Result<Component, ConnectError> {
                $crate::observer::connect::<super::$runtime>(address, name, group, options).await
            }
        }

        /// Plain TCP. See [`hat_aio::tcp`].
        pub mod tcp {
            pub use $crate::hat_core::tcp::{Config, Error as ProtocolError, SendError, SendFault};
            pub use $crate::server::AcceptOptions;
            pub use $crate::tcp::{
                ConnectOptions, Connection, ConnectionInfo, Error, ListenOptions, Server,
            };
            pub use $crate::{ConnectError, ListenError};

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn connect(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<Connection, ConnectError> {
                $crate::tcp::connect::<super::$runtime>(address, options).await
            }

            /// A connection over a stream that there is already: see
            /// [`IoStream`]($crate::IoStream).
            ///
            /// # Errors
            ///
            /// That of the stream, where it does not know its addresses.
            pub fn connect_on(
                stream: impl $crate::runtime::Stream,
                options: &ConnectOptions,
            ) -> std::io::Result<Connection> {
                $crate::tcp::connect_on::<super::$runtime>(stream, options)
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn listen(
                address: impl $crate::IntoAddress,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::tcp::listen::<super::$runtime>(address, options).await
            }
        }

        /// TPKT: packets with one TPDU each. See [`hat_aio::tpkt`].
        pub mod tpkt {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::hat_core::tpkt::{
                Config, Error as ProtocolError, SendError, SendFault,
            };
            pub use $crate::server::AcceptOptions;
            pub use $crate::tpkt::{ConnectOptions, Connection, Error, ListenOptions, Server};
            pub use $crate::{ConnectError, ListenError};

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn connect(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<Connection, ConnectError> {
                $crate::tpkt::connect::<super::$runtime>(address, options).await
            }

            /// A connection over a stream that there is already: see
            /// [`IoStream`]($crate::IoStream).
            ///
            /// # Errors
            ///
            /// That of the stream, where it does not know its addresses.
            pub fn connect_on(
                stream: impl $crate::runtime::Stream,
                options: &ConnectOptions,
            ) -> std::io::Result<Connection> {
                $crate::tpkt::connect_on::<super::$runtime>(stream, options)
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// What [`ConnectError`] or [`ListenError`] says.
            pub async fn listen(
                address: impl $crate::IntoAddress,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::tpkt::listen::<super::$runtime>(address, options).await
            }
        }

        /// COTP: ISO transport over TCP. See [`hat_aio::cotp`].
        pub mod cotp {
            pub use $crate::chatter::InboxLimits;
            pub use $crate::cotp::{
                ConnectError, ConnectOptions, Connection, ConnectionInfo, DEFAULT_PORT, Decide,
                Decision, Error, ListenError, ListenOptions, OnError, Part, RawConnection,
                RawStream, Server,
            };
            pub use $crate::hat_core::cotp::{
                Answer, Cause, Config, ConfigError, ConnectRequest, Diagnostic,
                Error as ProtocolError, Info, Policy, Reason, Receive, Response, Selector,
                SendError, SendFault, Stage, TpduSize, Violation,
            };
            pub use $crate::server::AcceptOptions;
            pub use $crate::socket::Socket;

            /// Connects to `address`; every address of its host is tried.
            ///
            /// # Errors
            ///
            /// [`ConnectError`], [`ListenError`].
            pub async fn connect(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<Connection, ConnectError> {
                $crate::cotp::connect::<super::$runtime>(address, options).await
            }

            /// Asks for a connection over a stream that there is already: see
            /// [`IoStream`]($crate::IoStream).
            ///
            /// # Errors
            ///
            /// [`OnError`].
            pub async fn connect_on(
                stream: impl $crate::runtime::Stream,
                options: &ConnectOptions,
            ) -> Result<Connection, OnError> {
                $crate::cotp::connect_on::<super::$runtime>(stream, options).await
            }

            /// Waits for the request of the peer over a stream that there is already, and confirms
            /// it.
            ///
            /// # Errors
            ///
            /// [`OnError`].
            pub async fn serve_on(
                stream: impl $crate::runtime::Stream,
                options: &ListenOptions,
            ) -> Result<Connection, OnError> {
                $crate::cotp::serve_on::<super::$runtime>(stream, options).await
            }

            /// Listens on `address`, on every address of its host.
            ///
            /// # Errors
            ///
            /// [`ConnectError`], [`ListenError`].
            pub async fn listen(
                address: impl $crate::IntoAddress,
                options: ListenOptions,
            ) -> Result<Server, ListenError> {
                $crate::cotp::listen::<super::$runtime>(address, options).await
            }

            /// A server of [`listen_raw`].
            pub type RawServer =
                $crate::cotp::RawServer<<super::$runtime as $crate::Runtime>::Stream>;

            /// Connects to `address`, and gives the stream behind the handshake: see
            /// [`connect_raw`]($crate::cotp::connect_raw).
            ///
            /// # Errors
            ///
            /// [`ConnectError`].
            pub async fn connect_raw(
                address: impl $crate::IntoAddress,
                options: ConnectOptions,
            ) -> Result<
                RawConnection<Socket<<super::$runtime as $crate::Runtime>::Stream>>,
                ConnectError,
            > {
                $crate::cotp::connect_raw::<super::$runtime>(address, options).await
            }

            /// Listens on `address`, and gives the stream of each connection behind its handshake:
            /// see [`listen_raw`]($crate::cotp::listen_raw).
            ///
            /// # Errors
            ///
            /// [`ListenError`].
            pub async fn listen_raw(
                address: impl $crate::IntoAddress,
                options: ListenOptions,
            ) -> Result<RawServer, ListenError> {
                $crate::cotp::listen_raw::<super::$runtime>(address, options).await
            }
        }
    };
}
