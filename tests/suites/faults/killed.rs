//! A peer that is killed. The system ends its connections, and that is told at once: no ping has to
//! find out.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use hat_aio::eventer::{ConnectOptions, RequestError, connect};
use hat_core::eventer::LatestParams;
use hat_tests::counting::CountingRuntime;
use hat_tests::on_threaded_runtimes;
use hat_tests::runtimes::within;

use crate::process::{Server, crowd};
use crate::{at_once, client, until};

on_threaded_runtimes! {
    async fn a_killed_server_fails_all_open_requests<R>() {
        struct Here;
        let mut server = Server::start::<R>();
        let options = ConnectOptions::default();
        let client = connect::<CountingRuntime<R, Here>>(server.address, "unanswered", options).await;
        let client = client.expect("taken");
        let params = LatestParams::default().into();
        let mut requests: Vec<_> = (0..1000).map(|_| Box::pin(client.query(&params))).collect();
        poll_fn(|cx| {
            requests.iter_mut().for_each(|it| assert!(it.as_mut().poll(cx).is_pending()));
            Poll::Ready(())
        })
        .await;
        client.drain().await.expect("written");

        server.process.kill();
        let all_fail = async {
            for request in requests {
                let error = request.await.expect_err("nobody is left to answer");
                assert!(matches!(error, RequestError::Ended(_)), "{error:?}");
            }
        };
        at_once::<R, _>(all_fail).await;
        drop(client);
        until::<R>(|| CountingRuntime::<R, Here>::tasks() == 0).await;
    }

    async fn clients_that_are_killed_are_gone_and_the_others_stay<R>() {
        let mut server = Server::start::<R>();
        let stays = client::<R>(server.address, "stays").await;
        let alone = server.report();
        let mut killed = crowd(server.address, 50);
        assert_eq!(server.report().connections, 51);
        killed.kill();
        until::<R>(|| server.report().tasks == alone.tasks).await;
        assert_eq!(server.report().connections, 1);
        stays.query(LatestParams::default()).await.expect("an answer");
    }

    async fn a_stopped_server_does_not_hang_a_request_that_is_given_up<R>() {
        let server = Server::start::<R>();
        let client = client::<R>(server.address, "unanswered").await;
        let params = LatestParams::default().into();
        for _ in 0..100 {
            let mut request = pin!(client.query(&params));
            let soon = std::time::Duration::from_millis(1);
            assert!(within::<R, _>(soon, request.as_mut()).await.is_none());
        }
        at_once::<R, _>(client.close()).await;
    }
}
