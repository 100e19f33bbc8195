//! Conversations with the deployed peers, flag by flag, and messages of every size.

use bytes::Bytes;
use hat_aio::chatter::SendOptions;
use hat_core::chatter::Message;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::chatter::{ASK, How, ONE};
use hat_tests::peers::skipped;

use super::link::{Setup, conv, seen};

/// More than any buffer between the two sides holds.
const LARGE: usize = 16 * 1024 * 1024;

fn flags(message: &Message) -> [bool; 3] {
    [message.first, message.last, message.token]
}

on_threaded_runtimes! {
    async fn conversations_that_we_start<R>() {
        if skipped("conversations_that_we_start") {
            return;
        }
        for setup in Setup::all() {
            let link = setup.link::<R>().await;
            let one = SendOptions::default();
            let conversation = link.send("question", SendOptions { last: false, ..one }).await;
            let question = link.theirs.receive(b"question");
            assert_eq!(question["conv"], seen(conversation));
            assert_eq!((&question["first"], &question["last"], &question["token"]), (&true.into(), &false.into(), &true.into()));

            let keep = How { conv: question["conv"].clone(), token: false, ..ASK };
            link.theirs.send(b"part", keep.clone());
            link.theirs.send(b"answer", How { token: true, ..keep });
            let (part, answer) = (link.receive(b"part").await, link.receive(b"answer").await);
            assert_eq!((part.conversation, flags(&part)), (conversation, [false, false, false]));
            assert_eq!((answer.conversation, flags(&answer)), (conversation, [false, false, true]));

            link.send("thanks", SendOptions { conversation: Some(conversation), token: false, ..one }).await;
            let thanks = link.theirs.receive(b"thanks");
            assert_eq!((&thanks["first"], &thanks["last"], &thanks["token"]), (&false.into(), &true.into(), &false.into()));
            assert_eq!(link.ours.open_conversations(), 0);
        }
    }

    async fn conversations_that_they_start<R>() {
        if skipped("conversations_that_they_start") {
            return;
        }
        for setup in Setup::all() {
            let link = setup.link::<R>().await;
            let asked = link.theirs.send(b"question", ASK);
            let question = link.receive(b"question").await;
            assert_eq!((seen(question.conversation), flags(&question)), (asked.clone(), [true, false, true]));
            let keep = SendOptions {
                conversation: Some(question.conversation), last: false, token: false, ..SendOptions::default()
            };
            assert_eq!(conv(link.send("part", keep).await), conv(question.conversation));
            link.send("answer", SendOptions { token: true, ..keep }).await;
            assert_eq!(link.theirs.receive(b"part")["token"], false);
            assert_eq!(link.theirs.receive(b"answer")["conv"], asked);
            link.theirs.send(b"thanks", How { conv: asked, ..ONE });
            assert_eq!(flags(&link.receive(b"thanks").await), [false, true, true]);
            assert_eq!(link.ours.open_conversations(), 0);
        }
    }

    async fn messages_of_every_size<R>() {
        if skipped("messages_of_every_size") {
            return;
        }
        for setup in Setup::all() {
            let link = setup.link::<R>().await;
            for size in [1, 1023, 1024, 65_535, 65_536, 1_000_000, LARGE] {
                let data: Bytes = (0..size).map(|index| (index % 251) as u8).collect();
                link.send(data.clone(), SendOptions::default()).await;
                let sending = link.theirs.start_send(&data, ONE);
                link.theirs.receive(&data);
                link.receive(&data).await;
                sending.expect();
            }
        }
    }

    async fn both_sides_send_a_lot_before_they_receive<R>() {
        if skipped("both_sides_send_a_lot_before_they_receive") {
            return;
        }
        for setup in Setup::all() {
            let link = setup.link::<R>().await;
            let data = |index: u8| vec![index; 100_000];
            let sends: Vec<_> =
                (0..50).map(|index| link.theirs.start_send(&data(index), ONE)).collect();
            for index in 0..50 {
                link.send(data(index), SendOptions::default()).await;
            }
            for index in 0..50 {
                link.theirs.receive(&data(index));
                link.receive(&data(index)).await;
            }
            sends.into_iter().for_each(|sent| drop(sent.expect()));
        }
    }
}
