//! `hat serve --cluster` as processes, and clients of them.

use std::net::SocketAddr;
use std::time::Duration;

use hat_aio::eventer::{Client, ConnectOptions, connect};
use hat_aio::{Address, SocketOptions};
use hat_core::eventer::{Event, EventId, RegisterEvent, ServerParams, Status};
use hat_tests::machines::{Machines, command_on};
use hat_tests::peers;
use hat_tokio::Tokio;

use crate::nats::until;
use crate::process::{Hat, Server};

/// A node: it keeps its address and its store when it is killed.
pub(crate) struct Node {
    args: String,
    machine: Option<String>,
    pub(crate) address: String,
    /// Where its page is, and what programs ask for.
    pub(crate) page: SocketAddr,
    server: Option<Server>,
}

impl Node {
    pub(crate) fn start(number: usize, store: &str, urls: &str, more: &str) -> Self {
        let (address, page) = (peers::unused_addr().to_string(), peers::unused_addr());
        let args = format!(
            "--listen {address} --store {store} --cluster {urls} --name h{number} --web {page} {more}"
        );
        Self::of(address, page, args)
    }

    /// One with these arguments, which make it listen on `address`.
    pub(crate) fn of(address: String, page: SocketAddr, args: String) -> Self {
        let mut node = Self { args, machine: None, address, page, server: None };
        node.run();
        node
    }

    /// One on a machine.
    pub(crate) fn on(machines: &Machines, number: usize, store: &str, urls: &str) -> Self {
        let host = machines.address(number);
        let (address, page) = (format!("{host}:23012"), (host, 8080).into());
        let args = format!(
            "--listen {address} --store {store} --cluster {urls} --name h{number} --web {page} {}",
            crate::NEW
        );
        let machine = Some(machines.machine(number));
        let mut node = Self { args, machine, address, page, server: None };
        node.run();
        node
    }

    pub(crate) fn run(&mut self) {
        if self.server.is_none() {
            let command = command_on(self.machine.as_deref(), env!("CARGO_BIN_EXE_hat"));
            let args = format!("serve --runtime tokio --no-own-events {}", self.args);
            let hat = Hat::start_by(command, &args, "", &[]);
            self.server = Some(Server::of(hat, true));
        }
    }

    fn hat(&self) -> &Hat {
        &self.server.as_ref().expect("it runs").hat
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    /// SIGTERM, to its end.
    pub(crate) fn end(&mut self) {
        if let Some(server) = self.server.take() {
            server.hat.signal("TERM");
            assert_eq!(server.hat.end().code, Some(0));
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        self.hat().signal(name);
    }

    /// Waits for a line of its log.
    pub(crate) fn says(&self, what: &str) -> String {
        loop {
            let line = self.hat().error_line();
            if line.contains(what) {
                return line;
            }
        }
    }

    /// A client, of any status.
    pub(crate) async fn client(&self) -> Option<Client> {
        client(&self.address, Vec::new()).await
    }

    /// A client, once the node serves.
    pub(crate) fn ready(&self, runtime: &tokio::runtime::Runtime) -> Client {
        until("the node serves", || {
            runtime.block_on(async {
                let client = self.client().await?;
                (client.status() == Status::Operational).then_some(client)
            })
        })
    }

    /// Waits until the node tells this status.
    pub(crate) fn becomes(&self, runtime: &tokio::runtime::Runtime, status: Status) {
        until("the status", || {
            runtime.block_on(async { (self.client().await?.status() == status).then_some(()) })
        });
    }
}

/// A client of a node that may not be there.
pub(crate) async fn client(address: &str, subscriptions: Vec<&str>) -> Option<Client> {
    let address: Address = address.parse().expect("an address");
    let limit = Duration::from_secs(10);
    let options = ConnectOptions {
        subscriptions: subscriptions.into_iter().map(Into::into).collect(),
        socket: SocketOptions { connect_timeout: limit, ..SocketOptions::default() },
        ..ConnectOptions::default()
    };
    connect::<Tokio>(address, "oracle", options).await.ok()
}

/// All events of the server after one of them.
pub(crate) async fn events_after(client: &Client, last: Option<EventId>) -> Option<Vec<Event>> {
    events_of(client, 1, last).await
}

/// The same of one of several ids.
pub(crate) async fn events_of(
    client: &Client,
    server_id: i64,
    mut last: Option<EventId>,
) -> Option<Vec<Event>> {
    let mut events = Vec::new();
    loop {
        let params = ServerParams {
            server_id,
            persisted: true,
            last_event_id: last,
            ..ServerParams::default()
        };
        let page = client.query(params).await.ok()?;
        events.extend(page.events);
        last = events.last().map(|event| event.id).or(last);
        if !page.more_follows {
            return Some(events);
        }
    }
}

/// Events of these types, without payloads.
pub(crate) fn events(types: &[&str]) -> Vec<RegisterEvent> {
    types.iter().map(|one| RegisterEvent::new(*one)).collect()
}
