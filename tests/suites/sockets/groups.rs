//! A server of a group is one that others connect to.

use std::sync::Arc;

use hat_aio::Address;
use hat_server::redundancy::MonitorOptions;
use hat_server::store::{MemoryStore, memory};
use hat_server::{EventServer, Options, StartError};
use hat_tests::on_every_runtime;

use super::local;

on_every_runtime! {
    async fn a_server_of_a_group_listens_on_no_unix_socket<R>() {
        let path = std::env::temp_dir().join(format!("hat-group-{}.sock", std::process::id()));
        let listen: Address = format!("unix:{}", path.display()).parse().expect("an address");
        let monitor = Some(MonitorOptions::new(local(), "group"));
        let options = Options { monitor, ..Options::new(listen, 1) };
        let store = Arc::new(MemoryStore::new(memory::Config::new(1)));
        let error = EventServer::start::<R>(options, store).await.expect_err("a group");
        assert!(matches!(error, StartError::UnixInGroup(_)), "{error}");
        assert!(error.to_string().contains("HOST:PORT"), "{error}");
        assert!(!path.exists());
    }
}
