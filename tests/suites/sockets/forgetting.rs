//! A server that forgets events while it is asked for them, page by page.

use std::sync::Arc;

use hat_aio::eventer::{Client, ConnectOptions, connect};
use hat_core::eventer::{
    Event, EventType, Order, Pages, QueryParams, RegisterEvent, ServerParams, TimeseriesParams,
};
use hat_server::store::{MemoryStore, memory};
use hat_server::{EventServer, Options};
use hat_tests::on_every_runtime;
use hat_tests::runtimes::TestRuntime;

use super::local;

/// A server that keeps 100 events and gives 10 of them at a time, and a client of it.
async fn forgetful<R: TestRuntime>() -> (EventServer, Client) {
    let config = memory::Config { max_events: 100, max_results: 10, ..memory::Config::new(1) };
    let options = Options { own_events: false, ..Options::new(local(), 1) };
    let server = EventServer::start::<R>(options, Arc::new(MemoryStore::new(config))).await;
    let server = server.expect("listens");
    let address = server.addresses()[0];
    let client = connect::<R>(address, "client", ConnectOptions::default()).await;
    (server, client.expect("taken"))
}

async fn register(client: &Client, count: usize) {
    for _ in 0..count {
        let event = RegisterEvent::new(EventType::from_segments(["ev"]));
        let registered = client.register_with_response(&[event]).await.expect("answered");
        assert!(registered.is_some());
    }
}

/// All that `params` find, while so many are registered after each of the first two pages.
async fn all(client: &Client, params: QueryParams, meanwhile: usize) -> (Vec<Event>, bool) {
    let (mut pages, mut found, mut page) = (Pages::new(params), Vec::new(), 0);
    while let Some(params) = pages.query() {
        let events = pages.answered(client.query(&params).await.expect("answered"));
        page += usize::from(!events.is_empty());
        if page <= 2 && !events.is_empty() {
            register(client, meanwhile).await;
        }
        found.extend(events);
    }
    (found, pages.place_lost())
}

fn by_time(order: Order) -> QueryParams {
    TimeseriesParams { order, ..TimeseriesParams::default() }.into()
}

/// Each once, and in order.
#[track_caller]
fn is_sorted(found: &[Event]) {
    let keys = found
        .windows(2)
        .map(|pair| ((pair[0].timestamp, pair[0].id), (pair[1].timestamp, pair[1].id)));
    assert!(keys.into_iter().all(|(one, next)| one < next));
}

on_every_runtime! {
    async fn nothing_is_forgotten_meanwhile<R>() {
        let (server, client) = forgetful::<R>().await;
        register(&client, 60).await;
        let (found, lost) = all(&client, by_time(Order::Ascending), 5).await;
        is_sorted(&found);
        assert_eq!((found.len(), lost), (70, false));
        server.stop().await.expect("nothing is on a disk");
    }

    /// The page ends with an event that is gone when the next one is asked for: it goes on by the
    /// time, to the end of what there is, and says that the place was lost.
    async fn the_last_event_of_a_page_is_forgotten_meanwhile<R>() {
        let (server, client) = forgetful::<R>().await;
        register(&client, 100).await;
        let (found, lost) = all(&client, by_time(Order::Ascending), 100).await;
        is_sorted(&found);
        assert!(lost);
        // ten of the first hundred, ten of the second, and all of the third
        assert_eq!(found.len(), 120);
        let newest = found.last().expect("some").id;
        assert_eq!(newest.session, found[20].id.session + 99);
        server.stop().await.expect("nothing is on a disk");
    }

    /// From the newest on, with what is new left out.
    async fn from_the_newest_on_what_is_left_is_given<R>() {
        let (server, client) = forgetful::<R>().await;
        register(&client, 100).await;
        let (found, _) = all(&client, by_time(Order::Descending), 20).await;
        let mut ascending = found.clone();
        ascending.reverse();
        is_sorted(&ascending);
        // the oldest forty are gone by the time that they are asked for
        assert_eq!(found.len(), 60);
        server.stop().await.expect("nothing is on a disk");
    }

    async fn by_sessions_it_goes_on_behind_what_is_forgotten<R>() {
        let (server, client) = forgetful::<R>().await;
        register(&client, 100).await;
        let params = ServerParams { server_id: 1, ..ServerParams::default() };
        let (found, _) = all(&client, params.into(), 100).await;
        is_sorted(&found);
        assert_eq!(found.len(), 120);
        server.stop().await.expect("nothing is on a disk");
    }
}
