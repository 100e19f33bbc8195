//! The testee against the deployed peers and against itself: the same scenarios with every pair of
//! implementations, on both runtimes and in both directions.
#![allow(missing_docs, reason = "tests")]

mod eventer;
mod iso;
mod juggler;
mod link;
mod rules;
mod scenarios;
mod tls;

use std::process::Command;
use std::thread;

use hat_tests::peers::chatter::Layer;
use hat_tests::peers::{self, Peer};

use self::scenarios::SCENARIOS;

/// Who stands behind the line protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Implementation {
    /// The deployed Python software.
    Deployed,
    /// This library.
    Tokio,
    Smol,
}

impl Implementation {
    #[track_caller]
    fn start(self, layer: Layer) -> Peer {
        match (self, layer) {
            (Self::Deployed, Layer::Chatter) => Peer::today(),
            (Self::Deployed, Layer::Chatter05) => Peer::chatter05(),
            (Self::Tokio, _) => testee("tokio"),
            (Self::Smol, _) => testee("smol"),
        }
    }
}

#[track_caller]
fn testee(runtime: &str) -> Peer {
    Peer::command(command(runtime))
}

fn command(runtime: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hat-testee"));
    command.args(["--runtime", runtime]);
    command
}

/// Every scenario in all layers. The layers go at once, for much of it is waiting.
#[track_caller]
fn run(name: &str, client: Implementation, server: Implementation) {
    if [client, server].contains(&Implementation::Deployed) && peers::skipped(name) {
        return;
    }
    thread::scope(|scope| {
        for layer in [Layer::Chatter, Layer::Chatter05] {
            let layers = thread::Builder::new().name(format!("{name}, {layer:?}"));
            let run = move || run_layer(layer, &client.start(layer), &server.start(layer));
            layers.spawn_scoped(scope, run).expect("a thread");
        }
        let start = |it: Implementation| it.start(Layer::Chatter);
        let eventer = thread::Builder::new().name(format!("{name}, Eventer"));
        let run = move || run_eventer(&start(client), &start(server));
        eventer.spawn_scoped(scope, run).expect("a thread");
        let iso = thread::Builder::new().name(format!("{name}, TPKT and COTP"));
        let run = move || iso::scenarios(&start(client), &start(server));
        iso.spawn_scoped(scope, run).expect("a thread");
        let juggler = thread::Builder::new().name(format!("{name}, Juggler"));
        let run = move || run_juggler(juggler::SCENARIOS, &start(client), &start(server));
        juggler.spawn_scoped(scope, run).expect("a thread");
        let start05 = |it: Implementation| match it {
            Implementation::Deployed => Peer::juggler05(),
            ours => ours.start(Layer::Chatter05),
        };
        let juggler05 = thread::Builder::new().name(format!("{name}, Juggler 0.5"));
        let run = move || run_juggler(juggler::SCENARIOS05, &start05(client), &start05(server));
        juggler05.spawn_scoped(scope, run).expect("a thread");
        let tls = thread::Builder::new().name(format!("{name}, TLS"));
        let run = move || tls::scenarios(|layer| (client.start(layer), server.start(layer)));
        tls.spawn_scoped(scope, run).expect("a thread");
    });
}

/// One after the other, in two processes.
fn run_layer(layer: Layer, client: &Peer, server: &Peer) {
    for (scenario, run) in SCENARIOS {
        // captured, and shown where the scenario fails
        println!("{layer:?}: {scenario}");
        run(layer, client, server);
        reset(client, server);
    }
}

fn run_eventer(client: &Peer, server: &Peer) {
    for (scenario, run) in eventer::SCENARIOS {
        println!("Eventer: {scenario}");
        run(client, server);
        reset(client, server);
    }
}

fn run_juggler(scenarios: &[(&str, juggler::Scenario)], client: &Peer, server: &Peer) {
    for (scenario, run) in scenarios {
        println!("Juggler: {scenario}");
        run(client, server);
        reset(client, server);
    }
}

fn reset(client: &Peer, server: &Peer) {
    for peer in [client, server] {
        peer.expect("reset", serde_json::json!({}));
        // callbacks of objects that are forgotten now
        while peer.try_call().is_some() {}
    }
}

/// A test for every pair.
macro_rules! pairs {
    ($($name:ident: $client:ident to $server:ident;)+) => {
        $(#[test]
        fn $name() {
            run(stringify!($name), Implementation::$client, Implementation::$server);
        })+
    };
}

pairs! {
    deployed_to_tokio: Deployed to Tokio;
    deployed_to_smol: Deployed to Smol;
    tokio_to_deployed: Tokio to Deployed;
    tokio_to_tokio: Tokio to Tokio;
    tokio_to_smol: Tokio to Smol;
    smol_to_deployed: Smol to Deployed;
    smol_to_tokio: Smol to Tokio;
    smol_to_smol: Smol to Smol;
}
