//! What a runtime that changes one thing of another one leaves as it is.

/// The named items of `Runtime` for a runtime that stands on `$inner`, each as that has it: first
/// the types, then the functions. `sockets` stands for `Stream` and `Listener`, and for all that
/// makes them.
macro_rules! as_inner {
    ($inner:ident: $($item:ident),+) => {
        $($crate::delegating::as_inner!(@ $inner $item);)+
    };
    (@ $inner:ident sockets) => {
        type Stream = $inner::Stream;
        type Listener = $inner::Listener;

        fn connect(
            address: std::net::SocketAddr,
            options: &hat_aio::SocketOptions,
        ) -> impl Future<Output = std::io::Result<$inner::Stream>> + Send {
            $inner::connect(address, options)
        }

        fn bind(
            address: std::net::SocketAddr,
        ) -> impl Future<Output = std::io::Result<$inner::Listener>> + Send {
            $inner::bind(address)
        }

        fn accept(
            listener: &$inner::Listener,
            options: &hat_aio::SocketOptions,
        ) -> impl Future<Output = std::io::Result<($inner::Stream, std::net::SocketAddr)>> + Send
        {
            $inner::accept(listener, options)
        }

        fn connect_unix(
            path: &std::path::Path,
        ) -> impl Future<Output = std::io::Result<Box<dyn hat_aio::runtime::Stream>>> + Send {
            $inner::connect_unix(path)
        }

        #[cfg(unix)]
        fn listen_unix(
            listener: std::os::unix::net::UnixListener,
        ) -> std::io::Result<Box<dyn hat_aio::UnixListener>> {
            $inner::listen_unix(listener)
        }

        fn local_addr(listener: &$inner::Listener) -> std::io::Result<std::net::SocketAddr> {
            $inner::local_addr(listener)
        }
    };
    (@ $inner:ident resolve) => {
        fn resolve(
            host: &str,
            port: u16,
        ) -> impl Future<Output = std::io::Result<Vec<std::net::SocketAddr>>> + Send {
            $inner::resolve(host, port)
        }
    };
    (@ $inner:ident clock) => {
        type Timer = $inner::Timer;

        fn now() -> std::time::Instant {
            $inner::now()
        }

        fn timer(at: std::time::Instant) -> $inner::Timer {
            $inner::timer(at)
        }
    };
    (@ $inner:ident spawn) => {
        fn spawn(task: impl Future<Output = ()> + Send + 'static) {
            $inner::spawn(task);
        }
    };
    (@ $inner:ident unblock) => {
        fn unblock<T: Send + 'static>(
            work: impl FnOnce() -> T + Send + 'static,
        ) -> impl Future<Output = std::io::Result<T>> + Send {
            $inner::unblock(work)
        }
    };
}
pub(crate) use as_inner;
