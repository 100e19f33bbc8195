/// Names `connect` and `listen` of what stands on HTTP for one runtime: what a runtime crate with
/// the feature `web` is for its users.
#[macro_export]
macro_rules! web_on {
    ($runtime:ident) => {
        /// The HTTP front of WebSocket servers. See [`hat_aio::web`].
        pub mod web {
            pub use $crate::server::AcceptOptions;
            pub use $crate::web::{
                Client, EmbeddedFile, HtpasswdError, HyperStream, Limits, ListenError, Origins,
                PendingUpgrade, Routes, Upgrade, UpgradedStream, WebOptions, WebServer, http,
                hyper, upgrade,
            };

            /// A connection of this runtime, as it is or with TLS over it.
            pub type Stream = $crate::web::Socket<<super::$runtime as $crate::Runtime>::Stream>;

            /// Serves HTTP on `address`, on every address of its host. The application takes its
            /// WebSockets with `accept`.
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
    };
}
