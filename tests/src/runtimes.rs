//! Every suite that uses async is one generic body that runs on every runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hat_aio::Runtime;
pub use hat_aio::runtime::{sleep, within};

use crate::peers::install;
#[cfg(target_os = "linux")]
use crate::peers::skip;

/// A test that takes longer hangs, unless a peer was installed meanwhile. Most need less than a
/// second.
const TIME_LIMIT: Duration = Duration::from_secs(240);

/// A runtime that can run a test.
pub trait TestRuntime: Runtime {
    /// Its name, for a process that is to run on the same one.
    const NAME: &'static str;

    /// Runs `test` on this thread; the tasks that it starts run on others, or on this one too.
    ///
    /// # Panics
    ///
    /// If the test takes longer than four minutes. One that blocks its thread for so long ends the
    /// process: nothing else could.
    fn run<T>(test: impl Future<Output = T>) -> T {
        let _watched = TestWatch::start();
        Self::run_without_limit(limited::<Self, T>(test))
    }

    /// The same for however long it takes: for processes that somebody else ends.
    fn run_without_limit<T>(future: impl Future<Output = T>) -> T;

    /// Does `work`, which waits for tasks of this runtime, where that stops none of them: some run
    /// everything on one thread.
    ///
    /// # Panics
    ///
    /// If the work does.
    fn elsewhere<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        async { Self::unblock(work).await.expect("no panic") }
    }
}

impl TestRuntime for hat_tokio::Tokio {
    const NAME: &'static str = "tokio";

    fn run_without_limit<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("a Tokio runtime");
        runtime.block_on(future)
    }
}

impl TestRuntime for hat_smol::Smol {
    const NAME: &'static str = "smol";

    fn run_without_limit<T>(future: impl Future<Output = T>) -> T {
        smol::block_on(future)
    }
}

impl TestRuntime for hat_smol::async_std::AsyncStd {
    const NAME: &'static str = "async-std";

    fn run_without_limit<T>(future: impl Future<Output = T>) -> T {
        async_std::task::block_on(future)
    }
}

#[cfg(target_os = "linux")]
impl TestRuntime for hat_compio::Compio {
    const NAME: &'static str = "compio";

    fn run_without_limit<T>(future: impl Future<Output = T>) -> T {
        compio::runtime::Runtime::new().expect("a ring").block_on(future)
    }
}

/// Whether a test has to be left out because the system allows no io_uring, as in many containers;
/// says so in one line.
#[cfg(target_os = "linux")]
pub fn has_no_ring(test_name: &str) -> bool {
    let ring = compio::runtime::Runtime::new();
    if let Err(error) = &ring {
        skip(test_name, &format!("no io_uring here: {error}"));
    }
    ring.is_err()
}

async fn limited<R: Runtime, T>(test: impl Future<Output = T>) -> T {
    let mut test = pin!(test);
    loop {
        let (_, installed) = install::state();
        if let Some(value) = within::<R, T>(TIME_LIMIT, test.as_mut()).await {
            return value;
        }
        // who had to install a peer first gets as long again
        assert!(install::state() != (false, installed), "the test hangs");
    }
}

/// A test that is under way, until this is dropped.
struct TestWatch(#[expect(dead_code, reason = "held for its drop")] mpsc::Sender<()>);

impl TestWatch {
    /// Ends the process where the test does not end: it blocks its thread then, since otherwise
    /// [`limited`] would have ended it.
    fn start() -> Self {
        let (ended, watching) = mpsc::channel();
        let name = thread::current().name().unwrap_or("a test").to_owned();
        thread::spawn(move || {
            let grace = TIME_LIMIT + Duration::from_secs(30);
            let mut before = install::state();
            while watching.recv_timeout(grace) == Err(mpsc::RecvTimeoutError::Timeout) {
                // an install has a limit of its own
                if install::state() == (false, before.1) {
                    eprintln!("{name} hangs in a call that blocks its thread");
                    std::process::abort();
                }
                before = install::state();
            }
        });
        Self(ended)
    }
}

/// Makes a test for each runtime of each generic body: `chatter::tokio`, `chatter::smol`, on Linux
/// `chatter::compio`, which runs everything on one thread, and with the feature `async-std-suites`
/// `chatter::async_std`.
#[macro_export]
macro_rules! on_every_runtime {
    ($($(#[$meta:meta])* async fn $name:ident<$runtime:ident>() $body:block)+) => {
        $($crate::tests_of_body! {
            $(#[$meta])* $name $runtime $body
            #[cfg(target_os = "linux")]
            #[test]
            fn compio() {
                use hat_compio::Compio;
                if $crate::runtimes::has_no_ring(stringify!($name)) {
                    return;
                }
                <Compio as $crate::runtimes::TestRuntime>::run(Box::pin(body::<Compio>()));
            }
        })+
    };
}

/// The same on those runtimes whose tasks run on other threads than the test: for bodies that block
/// their thread in calls of a peer, which waits for such a task.
#[macro_export]
macro_rules! on_threaded_runtimes {
    ($($(#[$meta:meta])* async fn $name:ident<$runtime:ident>() $body:block)+) => {
        $($crate::tests_of_body! { $(#[$meta])* $name $runtime $body })+
    };
}

/// The tests of one body: those that every body has, and `more`.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_of_body {
    ($(#[$meta:meta])* $name:ident $runtime:ident $body:block $($more:item)?) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn body<$runtime: $crate::runtimes::TestRuntime>() $body

            #[test]
            fn tokio() {
                let body = Box::pin(body::<hat_tokio::Tokio>());
                <hat_tokio::Tokio as $crate::runtimes::TestRuntime>::run(body);
            }

            #[test]
            fn smol() {
                let body = Box::pin(body::<hat_smol::Smol>());
                <hat_smol::Smol as $crate::runtimes::TestRuntime>::run(body);
            }

            #[cfg(feature = "async-std-suites")]
            #[test]
            fn async_std() {
                use hat_smol::async_std::AsyncStd;
                <AsyncStd as $crate::runtimes::TestRuntime>::run(Box::pin(body::<AsyncStd>()));
            }

            $($more)?
        }
    };
}
