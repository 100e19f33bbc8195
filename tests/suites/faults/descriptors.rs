//! No descriptors left: connections wait with the system, the server tries again ever more slowly
//! (from 5 ms to 1 s), and goes on as soon as there are some. `AcceptOptions::max_connections` is
//! there to keep it from coming to that.

use std::net::TcpStream;
use std::time::Duration;

use hat_core::eventer::LatestParams;
use hat_tests::on_threaded_runtimes;
use hat_tests::runtimes::sleep;

use crate::process::Server;
use crate::{at_once, client, init, until};

on_threaded_runtimes! {
    async fn taking_connections_backs_off_and_recovers<R>() {
        let mut server = Server::with_descriptors::<R>("64");
        let first = client::<R>(server.address, "first").await;
        let mut others = Vec::new();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(server.address).expect("the system takes it");
            std::io::Write::write_all(&mut stream, &init("other").1).expect("written");
            others.push(stream);
        }
        let mut taken = 0;
        until::<R>(|| std::mem::replace(&mut taken, server.report().connections) == taken && taken > 30).await;
        // a server that tries without a pause would use all of this second
        let before = server.process.ticks();
        sleep::<R>(Duration::from_secs(1)).await;
        let used = server.process.ticks() - before;
        assert!(used < 50, "{used} hundredths of a second for nothing");
        let full = server.report().connections;
        assert!((30..64).contains(&full), "{full}");
        let params = LatestParams::default().into();
        at_once::<R, _>(first.query(&params)).await.expect("those that are taken are served");

        // what waited is taken as soon as there is room
        others.truncate(0);
        let last = at_once::<R, _>(client::<R>(server.address, "last")).await;
        last.query(&params).await.expect("an answer");
        until::<R>(|| server.report().connections == 2).await;
    }
}
