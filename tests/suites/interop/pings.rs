//! Pings both ways: a side that answers is kept, one that does not is given up.

use std::time::Duration;

use hat_aio::chatter::{InboxLimits, SendOptions};
use hat_core::chatter::{Error, PingRule};
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::{Layer, ONE};
use hat_tests::peers::skipped;
use hat_tests::runtimes::sleep;

use super::link::Setup;

/// From one ping to the next: short, and yet time enough for an answer on a slow machine.
const PERIOD: Duration = Duration::from_millis(400);

fn pings(layer: Layer) -> PingRule {
    match layer {
        Layer::Chatter => PingRule::WhenIdle { delay: PERIOD, timeout: PERIOD },
        Layer::Chatter05 => PingRule::Every { interval: PERIOD },
    }
}

/// With pings of ours.
fn we_ping(mut setup: Setup) -> Setup {
    setup.options.config.ping = pings(setup.layer);
    setup
}

/// With pings of theirs.
fn they_ping(setup: Setup) -> Setup {
    let pings = setup.layer.pings(PERIOD.as_secs_f64());
    setup.also(&pings)
}

on_threaded_runtimes! {
    async fn who_answers_is_kept<R>() {
        if skipped("who_answers_is_kept") {
            return;
        }
        let mut links = Vec::new();
        for setup in Setup::all_punctual() {
            links.push(we_ping(setup.clone()).link::<R>().await);
            links.push(they_ping(setup.clone()).link::<R>().await);
            links.push(they_ping(we_ping(setup)).link::<R>().await);
        }
        sleep::<R>(PERIOD * 4).await;
        for link in links {
            assert!(link.ours.end_reason().is_none() && link.theirs.try_event("closing").is_none());
            link.works().await;
            // ping and pong are no conversations of the application
            assert_eq!(link.ours.open_conversations(), 0);
        }
    }

    /// A deployed peer whose application takes nothing does not answer pings either.
    async fn we_give_up_who_does_not_answer<R>() {
        if skipped("we_give_up_who_does_not_answer") {
            return;
        }
        let mut links = Vec::new();
        for setup in Setup::all_punctual() {
            let queue = setup.layer.queue(1);
            let link = we_ping(setup).also(&queue).link::<R>().await;
            for _ in 0..3 {
                link.send("not received", SendOptions::default()).await;
            }
            links.push(link);
        }
        for link in links {
            let end = link.ours.receive().await.expect_err("no answer");
            assert!(matches!(end.protocol(), Some(Error::PingTimeout)), "{end:?}");
        }
    }

    /// Nor do we, where our application takes nothing.
    async fn they_give_us_up_when_we_do_not_answer<R>() {
        if skipped("they_give_us_up_when_we_do_not_answer") {
            return;
        }
        let mut links = Vec::new();
        for mut setup in Setup::all_punctual() {
            setup.options.inbox = InboxLimits { messages: 1, ..InboxLimits::default() };
            let link = they_ping(setup).link::<R>().await;
            for _ in 0..3 {
                link.theirs.send(b"not received", ONE);
            }
            links.push(link);
        }
        for link in links {
            link.theirs.closes();
            // what came before is still to be had
            link.receive(b"not received").await;
        }
    }
}
