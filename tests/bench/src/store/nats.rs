//! NATS JetStream, as much of it as publishing needs: a message is a request, and is acknowledged
//! once it is on the disk.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hat_core::sbs;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::register::Drive;
use super::{batches, bytes_of, clients};
use crate::side::{self, latencies::Latencies};

struct Nats {
    stream: BufReader<TcpStream>,
}

impl Nats {
    async fn publish(&mut self, subject: &str, payload: &[u8]) -> anyhow::Result<()> {
        let mut out = format!("PUB {subject} inbox.1 {}\r\n", payload.len()).into_bytes();
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
        Ok(self.stream.get_mut().write_all(&out).await?)
    }

    /// The next message: an answer to something that was published.
    async fn answer(&mut self) -> anyhow::Result<String> {
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line).await? > 0, "the server has gone");
            match line.split_whitespace().next() {
                Some("MSG") => {
                    let len: usize = line.split_whitespace().last().context("a length")?.parse()?;
                    let mut payload = vec![0; len + 2];
                    self.stream.read_exact(&mut payload).await?;
                    let text = String::from_utf8(payload)?;
                    ensure!(!text.contains("\"error\""), "{text}");
                    return Ok(text);
                }
                Some("PING") => self.stream.get_mut().write_all(b"PONG\r\n").await?,
                Some("-ERR") => bail!("{line}"),
                _ => {}
            }
        }
    }
}

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let stream = BufReader::new(clients::socket(drive.port).await?);
    let mut nats = Nats { stream };
    let connect = b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB inbox.* 1\r\n";
    nats.stream.get_mut().write_all(connect).await?;
    let create = format!(
        r#"{{"name":"EVENTS","subjects":["events"],"storage":"file","num_replicas":{}}}"#,
        drive.replicas
    );
    let start = Instant::now();
    loop {
        nats.publish("$JS.API.STREAM.CREATE.EVENTS", create.as_bytes()).await?;
        // without a leader nobody answers
        let answer = tokio::time::timeout(Duration::from_secs(2), nats.answer()).await;
        match answer.unwrap_or_else(|_| bail!("nobody answers")) {
            Ok(_) => break,
            // servers that have not found each other yet
            Err(_) if start.elapsed() < clients::PATIENCE => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error),
        }
    }
    let payloads: Vec<_> = batches(drive.batch, drive.types).iter().map(sbs::encode).collect();
    side::ready();
    let start = Instant::now();
    let until = start + Duration::from_millis(drive.milliseconds);
    let mut latencies = Latencies::default();
    let (mut events, mut open) = (0, VecDeque::<Instant>::new());
    // a stream acknowledges in the order in which it is published to
    for payload in payloads.iter().cycle() {
        if open.len() == drive.open {
            nats.answer().await?;
            events += drive.batch;
            latencies.push(open.pop_front().context("it is open")?.elapsed());
        }
        if Instant::now() >= until {
            break;
        }
        open.push_back(Instant::now());
        nats.publish("events", payload).await?;
    }
    for asked in open {
        nats.answer().await?;
        events += drive.batch;
        latencies.push(asked.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let bytes = bytes_of(&drive.folder) as f64 / events as f64;
    let numbers = [("events", events as f64), ("answered", seconds), ("bytes", bytes)];
    side::done(&[&numbers[..], &latencies.percentiles(), &[("seconds", seconds)]].concat());
    Ok(())
}
