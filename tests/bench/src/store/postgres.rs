//! PostgreSQL's protocol, as much of it as `INSERT … RETURNING` needs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use hat_aio::Runtime;
use hat_core::eventer::{Payload, RegisterEvent};
use hat_tokio::Tokio;
use smol::channel::unbounded;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::register::Drive;
use super::{batches, bytes_of, clients};
use crate::side;

const TABLE: &str = "CREATE TABLE event (id bigserial PRIMARY KEY, type text NOT NULL, time timestamptz NOT NULL DEFAULT clock_timestamp(), \
                     source timestamptz, payload json); \
                     CREATE INDEX ON event (time); CREATE INDEX ON event (source); CREATE INDEX ON event (type, time); CREATE INDEX ON event (type, source)";

struct Postgres {
    stream: BufReader<TcpStream>,
}

impl Postgres {
    /// Connects once the server takes clients.
    async fn connect(port: u16) -> anyhow::Result<Self> {
        let start = Instant::now();
        loop {
            let mut it = Self { stream: BufReader::new(clients::socket(port).await?) };
            let start_up = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
            it.stream.get_mut().write_all(start_up).await?;
            match it.answers().await {
                Ok(_) => return Ok(it),
                Err(error) if start.elapsed() > Duration::from_secs(40) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Runs a statement, and gives how many rows it returned.
    async fn run(&mut self, statement: &str) -> anyhow::Result<usize> {
        let mut out = vec![b'Q'];
        out.extend_from_slice(&(statement.len() as u32 + 5).to_be_bytes());
        out.extend_from_slice(statement.as_bytes());
        out.push(0);
        self.stream.get_mut().write_all(&out).await?;
        self.answers().await
    }

    /// Everything until it is ready for the next one: the rows.
    async fn answers(&mut self) -> anyhow::Result<usize> {
        let mut rows = 0;
        loop {
            let kind = self.stream.read_u8().await?;
            let len = self.stream.read_u32().await?;
            ensure!(len >= 4, "a length of {len}");
            let mut body = vec![0; len as usize - 4];
            self.stream.read_exact(&mut body).await?;
            match kind {
                b'D' => rows += 1,
                b'Z' => return Ok(rows),
                b'E' => bail!("{}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }
}

fn statement(events: &[RegisterEvent]) -> String {
    let mut out = String::from("INSERT INTO event (type, source, payload) VALUES ");
    for (event, at) in events.iter().zip(0..) {
        let comma = if at == 0 { "" } else { "," };
        let source = event.source_timestamp.map_or(0, hat_core::eventer::Timestamp::s);
        let payload = match &event.payload {
            Some(Payload::Json(json)) => json.text(),
            _ => "null",
        };
        // writing to a text does not fail; there is no quote in it
        let _ = write!(out, "{comma}('{}',to_timestamp({source}),'{payload}')", event.event_type);
    }
    out + " RETURNING id, time"
}

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let statements: Vec<_> =
        batches(drive.batch, drive.types).iter().map(|batch| statement(batch)).collect();
    let mut all = vec![Postgres::connect(drive.port).await?];
    all[0].run(TABLE).await?;
    for _ in 1..drive.open {
        all.push(Postgres::connect(drive.port).await?);
    }
    side::ready();
    let start = Instant::now();
    let until = start + Duration::from_millis(drive.milliseconds);
    let (sender, done) = unbounded();
    for (mut client, first) in all.into_iter().zip(0..) {
        let (statements, sender, batch) = (statements.clone(), sender.clone(), drive.batch);
        Tokio::spawn(async move {
            let work = async {
                let mut events = 0;
                for statement in statements.iter().cycle().skip(first % statements.len()) {
                    if Instant::now() >= until {
                        break;
                    }
                    ensure!(client.run(statement).await? == batch, "not all are inserted");
                    events += batch;
                }
                Ok(events)
            };
            // unbounded: it has room
            let _ = sender.send(work.await).await;
        });
    }
    let mut events = 0;
    for _ in 0..drive.open {
        events += done.recv().await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    let bytes = bytes_of(&drive.folder) as f64 / events as f64;
    let numbers = [("events", events as f64), ("answered", seconds), ("bytes", bytes)];
    side::done(&[&numbers[..], &[("seconds", seconds)]].concat());
    Ok(())
}
