//! `hat doctor`: what is wrong on the way to an event server, step by step, and what to do about
//! it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use hat_aio::eventer::Notification;
use hat_aio::{Address, Runtime, SocketOptions, tcp};
use hat_core::eventer::{EventType, LatestParams, Timestamp};

use crate::args::{ConnectArgs, DoctorArgs};
use crate::client::{Interest, ServerClient};
use crate::exit::{Failure, shown};
use crate::output;
use crate::runtime::{connect_unix, within};

/// Queries that are timed.
const QUERIES: usize = 10;

/// How long the server may take to tell of its own event.
const PATIENCE: Duration = Duration::from_secs(2);

/// Clients that come and go, so that the least that one was held up is known.
const READINGS: usize = 4;

/// Clocks further apart than this mislead people who read times.
const CLOCK: f64 = 1.0;

pub(crate) async fn doctor<R: Runtime>(args: DoctorArgs) -> Result<()> {
    let DoctorArgs { connect, .. } = args;
    let address = connect.address();
    name_and_tcp::<R>(&connect, &address).await?;
    over_tls::<R>(&connect, &address).await?;
    let server = taken::<R>(&connect, &address).await?;
    clock::<R>(&connect).await?;
    round_trip::<R>(&server, &connect).await?;
    server.client.close().await;
    Ok(())
}

/// A step that went well.
fn ok(step: &str, text: &str) -> Result<()> {
    line("ok", step, text)
}

/// A step that failed: nothing after it can go well.
fn failed(step: &str, error: anyhow::Error, todo: &str) -> anyhow::Error {
    let told = line("FAIL", step, &format!("{error:#}"));
    told.and_then(|()| line("", "", &format!("→ {todo}"))).err().unwrap_or(error)
}

fn line(mark: &str, step: &str, text: &str) -> Result<()> {
    let text = format!("{mark:<5} {step:<11} {}", shown(text));
    output::print(text.trim_end())
}

/// The step that a Unix socket has in place of a name and TCP.
async fn unix_socket<R: Runtime>(path: &Path, time: Duration) -> Result<()> {
    let start = Instant::now();
    let connected = within::<R, _>(time, connect_unix::<R>(path)).await;
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {time:?}"));
    match connected.unwrap_or_else(|| Err(late())) {
        Ok(_) => {
            let took = millis(start.elapsed());
            ok("socket", &format!("{} accepts connections ({took})", path.display()))
        }
        Err(error) => {
            let todo = match error.kind() {
                io::ErrorKind::NotFound => {
                    "the file does not exist: check that the server runs, and that its --listen is this path"
                }
                io::ErrorKind::ConnectionRefused => {
                    "the file was left by a server that no longer runs: start it again"
                }
                io::ErrorKind::PermissionDenied => {
                    "the server's umask and the folder's permissions decide who may connect"
                }
                io::ErrorKind::TimedOut => {
                    "the server does not accept the clients that wait: it may hang"
                }
                _ => "check the path",
            };
            let error = anyhow::Error::from(error).context(path.display().to_string());
            Err(failed("socket", no_connection(&error), todo))
        }
    }
}

async fn name_and_tcp<R: Runtime>(connect: &ConnectArgs, address: &Address) -> Result<()> {
    let time = connect.timeout();
    if let Some(path) = address.unix_path() {
        return unix_socket::<R>(path, time).await;
    }
    let start = Instant::now();
    let found = within::<R, _>(time, R::resolve(address.host(), address.port())).await;
    let took = millis(start.elapsed());
    let found = match found {
        None => {
            let error = Failure::TimedOut { address: address.clone(), time }.into();
            return Err(failed(
                "name",
                error,
                "the name server does not answer: check /etc/resolv.conf and the network",
            ));
        }
        Some(Err(error)) => {
            let error =
                anyhow::Error::from(error).context(format!("no address of `{}`", address.host()));
            let error = no_connection(&error);
            return Err(failed(
                "name",
                error,
                "check the spelling, /etc/hosts and the name server, or write an IP address",
            ));
        }
        Some(Ok(found)) if found.is_empty() => {
            let error =
                no_connection(&anyhow::anyhow!("the name `{}` has no address", address.host()));
            return Err(failed("name", error, "write an IP address"));
        }
        Some(Ok(found)) => found,
    };
    let shown: Vec<_> = found.iter().map(|found| found.ip().to_string()).collect();
    ok("name", &format!("{} is {} ({took})", address.host(), shown.join(", ")))?;

    let mut last = None;
    let mut connected = false;
    for target in found {
        let options = SocketOptions::default();
        let start = Instant::now();
        match within::<R, _>(time, R::connect(target, &options)).await {
            Some(Ok(_)) => {
                connected = true;
                ok("TCP", &format!("{target} accepts connections ({})", millis(start.elapsed())))?;
            }
            Some(Err(error)) => {
                line("warn", "TCP", &format!("{target}: {error}"))?;
                last = Some(anyhow::Error::from(error));
            }
            None => {
                line(
                    "warn",
                    "TCP",
                    &format!("{target}: no answer within {} s", time.as_secs_f64()),
                )?;
                last = Some(anyhow::anyhow!("no answer within {} s", time.as_secs_f64()));
            }
        }
    }
    if connected {
        return Ok(());
    }
    let error = last.unwrap_or_else(|| anyhow::anyhow!("no address"));
    let refused = error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
    let todo = match refused {
        true => {
            "nothing listens there: check that the server runs, on this port, and not only on 127.0.0.1 (`hat serve --listen`)"
        }
        false => {
            "there is no reply: a firewall may block it, the address may be wrong, or the machine off"
        }
    };
    Err(failed("TCP", no_connection(&error), todo))
}

/// With the exit code of a connection that did not come about.
fn no_connection(error: &anyhow::Error) -> anyhow::Error {
    Failure::Unreachable(format!("{error:#}")).into()
}

async fn over_tls<R: Runtime>(connect: &ConnectArgs, address: &Address) -> Result<()> {
    let tls = connect.tls.connector(address, connect.timeout());
    let Some(tls) = tls.map_err(|error| {
        failed("TLS", error.into(), "give PEM files with --tls-ca, --tls-cert and --tls-key")
    })?
    else {
        return line("-", "TLS", "not used (--tls)");
    };
    let options = tcp::ConnectOptions { tls: Some(tls), ..tcp::ConnectOptions::default() };
    let start = Instant::now();
    match tcp::connect::<R>(address.clone(), options).await {
        Ok(connection) => {
            let took = millis(start.elapsed());
            connection.close().await;
            ok("TLS", &format!("the server's certificate is valid ({took})"))
        }
        Err(error) => {
            let error = Failure::of_connect(error).into();
            Err(failed(
                "TLS",
                error,
                "give a private authority with --tls-ca, or another name with --tls-name; omit --tls for a server without TLS",
            ))
        }
    }
}

async fn taken<R: Runtime>(connect: &ConnectArgs, address: &Address) -> Result<ServerClient> {
    let start = Instant::now();
    let error = match ServerClient::new::<R>(connect, Interest::default()).await {
        Ok(server) => {
            let took = millis(start.elapsed());
            ok("protocol", &format!("an event server, {} ({took})", server.client.status()))?;
            match &connect.token {
                Some(_) => ok("token", "accepted by the server")?,
                None => ok("token", "none given, and the server requires none of this client")?,
            }
            return Ok(server);
        }
        Err(error) => error,
    };
    if let Some(Failure::Rejected { .. }) = error.downcast_ref() {
        ok("protocol", "an event server")?;
        return Err(failed(
            "token",
            error,
            "it must be the server's --token, or the token of its configuration: give it with --token or HAT_TOKEN",
        ));
    }
    let todo = match connect.tls.connector(address, connect.timeout()) {
        Ok(None) => {
            "another program listens there, or the server uses TLS (--tls); the default port is 23012"
        }
        _ => {
            "another program listens there, or the server does not use TLS; the default port is 23012"
        }
    };
    Err(failed("protocol", error, todo))
}

/// How far the server's clock is from ours, as NTP tells it apart from the time on the way (RFC
/// 5905 section 8): of an event that the server registers because of something that we did, its
/// timestamp lies between when we did it and when we were told. It is taken for the middle, and
/// half of the way there and back is how wrong that can be, whichever of both takes longer.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    /// Seconds that the server's clock is ahead.
    ahead: f64,
    /// Seconds, either way.
    within: f64,
}

impl Reading {
    /// Of a moment in seconds by the server's clock, between two by ours.
    fn new(before: f64, told: f64, after: f64) -> Self {
        let within = ((after - before) / 2.0).max(0.0);
        Self { ahead: told - (before + within), within }
    }

    /// The one that is the least uncertain: that was held up the least on the way.
    fn best(readings: &[Self]) -> Option<Self> {
        readings.iter().copied().min_by(|one, other| one.within.total_cmp(&other.within))
    }

    /// The clocks are apart for sure, and by more than people can pass over.
    fn is_wrong(&self) -> bool {
        self.ahead.abs() > CLOCK + self.within
    }

    /// In words.
    fn text(&self) -> String {
        let within = seconds(self.within);
        if self.ahead.abs() <= self.within {
            return format!(
                "no measurable difference to this machine's clock: less than {}",
                seconds(self.ahead.abs() + self.within)
            );
        }
        let way = if self.ahead < 0.0 { "behind" } else { "ahead of" };
        let ahead = seconds(self.ahead.abs());
        format!("the server's clock is {ahead} {way} this machine's, within {within}")
    }
}

async fn clock<R: Runtime>(connect: &ConnectArgs) -> Result<()> {
    let nonce = Timestamp::now();
    let name = format!("hat-doctor-{}-{}", std::process::id(), nonce.us());
    let types = vec![EventType::from_segments(["event", "?", "eventer", &name])];
    let follower = ServerClient::new::<R>(connect, Interest { types, ..Interest::default() }).await;
    let Ok(follower) = follower else {
        return line("warn", "clock", "unknown: the second connection failed");
    };
    let connect = connect.named(&name);
    let mut readings = Vec::new();
    for _ in 0..READINGS {
        let taken = within::<R, _>(PATIENCE, readings_of_one::<R>(&connect, &follower)).await;
        match taken {
            Some(taken) if !taken.is_empty() => readings.extend(taken),
            _ => break,
        }
    }
    follower.client.close().await;
    let Some(best) = Reading::best(&readings) else {
        return line("-", "clock", "unknown: the server does not register its own events");
    };
    if best.is_wrong() {
        line("warn", "clock", &best.text())?;
        return line(
            "",
            "",
            "→ synchronize both clocks by NTP: timestamps of events are the server's",
        );
    }
    ok("clock", &best.text())
}

/// A client comes, and goes: the server registers an event of either. The second takes one way
/// there and one back, the first those of a connection's beginning, too.
async fn readings_of_one<R: Runtime>(
    connect: &ConnectArgs,
    follower: &ServerClient,
) -> Vec<Reading> {
    let now = || Timestamp::now().as_secs_f64();
    let told = async || {
        loop {
            match follower.next().await {
                Ok(Notification::Events(events)) => {
                    let told = events.first()?.timestamp.as_secs_f64();
                    break Some((told, now()));
                }
                Ok(_) => {}
                Err(_) => break None,
            }
        }
    };
    let mut readings = Vec::new();
    let before = now();
    let Ok(caller) = ServerClient::new::<R>(connect, Interest::default()).await else {
        return readings;
    };
    let Some((moment, after)) = told().await else { return readings };
    readings.push(Reading::new(before, moment, after));
    let before = now();
    let (_, gone) = smol::future::zip(caller.client.close(), told()).await;
    readings.extend(gone.map(|(moment, after)| Reading::new(before, moment, after)));
    readings
}

async fn round_trip<R: Runtime>(server: &ServerClient, connect: &ConnectArgs) -> Result<()> {
    let nothing = LatestParams { event_types: Some(Vec::new()) }.into();
    let mut times = Vec::new();
    for _ in 0..QUERIES {
        let start = Instant::now();
        match within::<R, _>(connect.timeout(), server.query(&nothing)).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                return Err(failed(
                    "round trip",
                    error,
                    "see the server's log for the reason why it closed the connection",
                ));
            }
            None => {
                let (address, time) = (server.address.clone(), connect.timeout());
                return Err(failed(
                    "round trip",
                    Failure::Silent { address, time }.into(),
                    "the server takes clients and does not answer: its disk may hang",
                ));
            }
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let most = times.last().copied().unwrap_or_default();
    let text = format!(
        "median {}, maximum {}, of {QUERIES} queries",
        millis(times[QUERIES / 2]),
        millis(most)
    );
    ok("round trip", &text)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn seconds(time: f64) -> String {
    if time < 1.0 { format!("{:.1} ms", time * 1e3) } else { format!("{time:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_apart_from_the_way() {
        // ours is right, and it takes 0.8 s there and 0.2 s back
        let slow = Reading::new(100.0, 100.8, 101.0);
        assert!(!slow.is_wrong() && (slow.ahead - 0.3).abs() < 1e-9 && slow.within == 0.5);
        assert_eq!(
            slow.text(),
            "no measurable difference to this machine's clock: less than 800.0 ms"
        );
        // the server's is two seconds ahead, on the same line
        let wrong = Reading::new(100.0, 102.8, 101.0);
        assert!(wrong.is_wrong());
        let text = "the server's clock is 2.3 s ahead of this machine's, within 500.0 ms";
        assert_eq!(wrong.text(), text);
        // a quick answer says more than a slow one
        let quick = Reading::new(110.0, 108.001, 110.002);
        assert_eq!(Reading::best(&[slow, quick, wrong]), Some(quick));
        let text = "the server's clock is 2.0 s behind this machine's, within 1.0 ms";
        assert!(quick.is_wrong() && quick.text() == text, "{}", quick.text());
        // a clock that was set back between the two
        assert_eq!(Reading::new(100.0, 100.0, 99.0).within, 0.0);
    }
}
