//! An event server in one thread on mio, without any async runtime: `cargo run -p hat-core
//! --example eventer_mio -- 127.0.0.1:23012`.
//!
//! It registers events, tells everyone who subscribed, and answers queries for the latest event of
//! each type.

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::time::{Duration, Instant as Clock};

use hat_core::driver::Driver;
use hat_core::eventer::server::{Config, Connection, Incoming};
use hat_core::eventer::{
    EncodedEvents, Event, EventId, EventType, QueryParams, QueryResult, RegisterEvent, Status,
    Timestamp,
};
use hat_core::time::Instant;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:23012".into());
    let mut listener = TcpListener::bind(address.parse()?)?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

    let (mut server, mut events, origin) =
        (Server::default(), Events::with_capacity(256), Clock::now());
    loop {
        let now = Instant::from_origin(origin.elapsed());
        let deadline = server.clients.values().filter_map(Client::deadline).min();
        let wait = deadline.map(|at| at.since_origin().saturating_sub(now.since_origin()));
        // a deadline is kept to the millisecond above
        poll.poll(&mut events, wait.map(|wait| wait + Duration::from_millis(1)))?;
        for event in &events {
            if event.token() == LISTENER {
                server.accept(&listener, &poll, Instant::from_origin(origin.elapsed()))?;
            } else if let Some(client) = server.clients.get_mut(&event.token())
                && event.is_readable()
            {
                client.ready();
            }
        }
        server.turn(Instant::from_origin(origin.elapsed()));
    }
}

#[derive(Default)]
struct Server {
    clients: BTreeMap<Token, Client>,
    last_token: usize,
    last_session: i64,
    latest: BTreeMap<EventType, Event>,
}

type Client = Driver<Connection, TcpStream>;

impl Server {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll, now: Instant) -> io::Result<()> {
        while let Ok((mut socket, _)) = listener.accept() {
            self.last_token += 1;
            let token = Token(self.last_token);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut socket, token, interest)?;
            let machine = Connection::new(Config::default(), now);
            self.clients.insert(token, Driver::new(machine, socket));
        }
        Ok(())
    }

    /// Lets every client do what it can, until nothing moves: what one sends may be for another.
    fn turn(&mut self, now: Instant) {
        loop {
            let mut came = Vec::new();
            self.clients.retain(|&token, client| {
                loop {
                    match client.next(now) {
                        Ok(Some(incoming)) => came.push((token, incoming)),
                        Ok(None) => return true,
                        // the end of the client
                        Err(_) => return false,
                    }
                }
            });
            if came.is_empty() {
                return;
            }
            for (token, incoming) in came {
                // a client that takes no answer has gone, or is about to
                let _ = self.handle(token, incoming);
            }
        }
    }

    fn handle(&mut self, token: Token, incoming: Incoming) -> Result<(), Box<dyn Error>> {
        match incoming {
            Incoming::Init(_) => self.machine(token)?.accept(Status::Operational)?,
            Incoming::Register { events, request, .. } => {
                let registered = self.register(events);
                if let Some(request) = request {
                    self.machine(token)?.register_response(request, Some(&registered))?;
                }
            }
            Incoming::Query { params, request } => {
                let result = self.query(&params);
                self.machine(token)?.query_response(request, &result)?;
            }
            Incoming::Acked(_) => {}
        }
        Ok(())
    }

    fn machine(&mut self, token: Token) -> Result<&mut Connection, &'static str> {
        let client = self.clients.get_mut(&token).ok_or("the client is gone")?;
        Ok(client.machine())
    }

    fn register(&mut self, events: Vec<RegisterEvent>) -> Vec<Event> {
        self.last_session += 1;
        let timestamp = Timestamp::now();
        let event = |(instance, event): (i64, RegisterEvent)| Event {
            id: EventId::new(1, self.last_session, instance),
            event_type: event.event_type,
            timestamp,
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        let events: Vec<Event> = (1..).zip(events).map(event).collect();
        // encoded once, whoever gets it
        let encoded = EncodedEvents::new(&events);
        for client in self.clients.values_mut() {
            for persisted in [false, true] {
                // only to those who subscribed; one that is too slow for it misses them
                let _ = client.machine().notify(&encoded, persisted, false);
            }
        }
        self.latest.extend(events.iter().map(|event| (event.event_type.clone(), event.clone())));
        events
    }

    fn query(&self, params: &QueryParams) -> QueryResult {
        let QueryParams::Latest(params) = params else { return QueryResult::default() };
        let wanted = |event_type: &EventType| match &params.event_types {
            None => true,
            Some(queries) => queries.iter().any(|query| event_type.matches(query)),
        };
        let events =
            self.latest.iter().filter(|(it, _)| wanted(it)).map(|(_, event)| event.clone());
        QueryResult { events: events.collect(), more_follows: false }
    }
}
