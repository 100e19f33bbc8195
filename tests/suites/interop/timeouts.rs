//! Timeouts of conversations, which dialect `Hat` has: cancelled by the next message in either
//! direction.

use std::time::Duration;

use hat_aio::chatter::SendOptions;
use hat_core::chatter::Incoming;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::{ASK, How, Layer, ONE};
use hat_tests::peers::skipped;
use serde_json::json;

use super::link::{Setup, seen};

const SOON: Duration = Duration::from_millis(500);

fn setups() -> impl Iterator<Item = Setup> {
    Setup::all_punctual().filter(|setup| setup.layer == Layer::Chatter05)
}

on_threaded_runtimes! {
    async fn ours<R>() {
        if skipped("ours") {
            return;
        }
        for setup in setups() {
            let link = setup.link::<R>().await;
            let ask = SendOptions { last: false, timeout: Some(SOON), ..SendOptions::default() };
            let answered = link.send("answered", ask).await;
            let unanswered = link.send("unanswered", ask).await;
            let message = link.theirs.receive(b"answered");
            link.theirs.send(b"answer", How { conv: message["conv"].clone(), ..ASK });
            assert_eq!(link.receive(b"answer").await.conversation, answered);
            assert_eq!(link.ours.next().await.expect("open"), Incoming::Timeout(unanswered));
            // reported, and still open
            let message = link.theirs.receive(b"unanswered");
            link.theirs.send(b"late", How { conv: message["conv"].clone(), ..ONE });
            assert_eq!(link.receive(b"late").await.conversation, unanswered);
        }
    }

    async fn theirs<R>() {
        if skipped("theirs") {
            return;
        }
        for setup in setups() {
            let link = setup.link::<R>().await;
            let ask = How { timeout: Some(SOON.as_secs_f64()), ..ASK };
            link.theirs.send(b"answered", ask.clone());
            let unanswered = link.theirs.send(b"unanswered", ask);
            let message = link.receive(b"answered").await;
            let answer = SendOptions { conversation: Some(message.conversation), last: false, ..SendOptions::default() };
            link.send("answer", answer).await;
            link.theirs.receive(b"answer");
            assert_eq!(link.theirs.event("conv_timeout"), json!({"conv": unanswered}));
            assert_eq!(link.theirs.try_event("conv_timeout"), None);
            let message = link.receive(b"unanswered").await;
            assert_eq!(seen(message.conversation), unanswered);
        }
    }
}
