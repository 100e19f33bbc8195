//! The runtimes do what `Runtime` says: those that come with this project, the one that the
//! simulation runs on, and one whose sockets stay on their thread.
#![allow(missing_docs, reason = "tests")]

mod local;
#[cfg(target_os = "linux")]
mod rings;

use std::time::Duration;

use hat_aio::{Runtime, conformance};
use hat_tests::on_every_runtime;
use hat_tests::simulated::{Habits, Simulated, run};
use hat_tests::simulation::{Random, Seed, Shape};

use local::Local;

async fn conforms_at_all<R: Runtime>() {
    conformance::all::<R>().await;
    conformance::waking_from_another_thread::<R>().await;
    conformance::much_blocking_work::<R>().await;
}

on_every_runtime! {
    async fn conforms<R>() {
        conforms_at_all::<R>().await;
    }
}

/// Whose other suites are for long runs.
#[cfg(not(feature = "async-std-suites"))]
#[test]
fn async_std_conforms() {
    use hat_smol::async_std::AsyncStd;

    <AsyncStd as hat_tests::runtimes::TestRuntime>::run(Box::pin(conforms_at_all::<AsyncStd>()));
}

#[test]
fn the_simulated_runtime_conforms() {
    let latency = Duration::from_millis(1);
    let shape = Shape { latency, jitter: latency, window: 50_000, piece: 5_000, read: 3_000 };
    for number in 0..5 {
        // what is pending for no reason is no pending read of nothing
        let calm = Habits::calm(&mut Random::new(number));
        let habits = Habits { yields: 0, shape: Some(shape), ..calm };
        run(Seed { number, is_traced: false }, habits, conformance::all::<Simulated>());
    }
}

#[test]
fn a_runtime_whose_sockets_stay_on_their_thread_conforms() {
    Local::block_on(async {
        conformance::all::<Local>().await;
        conformance::waking_from_another_thread::<Local>().await;
    });
}

/// The protocols run on it as on any other, and its handles are used from other threads.
#[test]
fn protocols_run_on_a_runtime_whose_sockets_stay_on_their_thread() {
    use hat_aio::chatter::{SendOptions, connect, listen};
    use hat_core::chatter::Data;

    Local::block_on(async {
        let server = listen::<Local>("127.0.0.1:0", Default::default()).await.expect("a port");
        let client = connect::<Local>(server.addresses()[0], Default::default()).await;
        let (client, accepted) = (client.expect("connected"), server.accept().await);
        let accepted = accepted.expect("the other end");
        let elsewhere = std::thread::spawn(move || {
            let sent = client.try_send(Data::new("Test.Hello", "hello"), SendOptions::default());
            sent.map(|_| client).expect("there is room")
        });
        assert_eq!(accepted.receive().await.expect("received").data.data, "hello");
        drop(elsewhere.join().expect("no panic"));
        let end = accepted.receive().await.expect_err("the end");
        assert!(end.protocol().is_some(), "an orderly end, and not {end}");
        server.close().await;
    });
}
