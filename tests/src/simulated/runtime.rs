//! The runtime itself.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hat_aio::runtime::sleep;
use hat_aio::{Runtime, SocketOptions};

use super::net::{self, SimulatedListener};
use super::world::{self, World};
use super::{Habits, SimulatedStream, SimulatedTimer};
use crate::runtimes::TestRuntime;
use crate::simulation::Seed;

/// The runtime of the world that this thread [`run`](super::run)s.
#[derive(Clone, Copy, Debug)]
pub struct Simulated;

impl Runtime for Simulated {
    type Stream = SimulatedStream;
    type Listener = SimulatedListener;
    type Timer = SimulatedTimer;

    async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<SimulatedStream> {
        let world = World::current();
        let (hangs, refused, time) = {
            let mut inner = world.lock();
            let habits = inner.habits;
            let hangs = inner.random.chance(habits.hanging);
            let refused = inner.random.chance(habits.refused);
            (hangs, refused, inner.random.duration(Duration::from_millis(400)))
        };
        sleep::<Self>(if hangs { Duration::from_secs(130) } else { time }).await;
        if hangs {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if refused {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        net::connect(&world, address, options)
    }

    async fn bind(address: SocketAddr) -> io::Result<SimulatedListener> {
        net::bind(&World::current(), address)
    }

    async fn accept(
        listener: &SimulatedListener,
        options: &SocketOptions,
    ) -> io::Result<(SimulatedStream, SocketAddr)> {
        listener.accept(options).await
    }

    fn local_addr(listener: &SimulatedListener) -> io::Result<SocketAddr> {
        Ok(listener.address())
    }

    /// Every name is that of one host, but `several`, which has two more addresses where nobody
    /// listens.
    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let one: IpAddr = [10, 0, 0, 1].into();
        let all = match host {
            "several" => vec![[0xfd00, 0, 0, 0, 0, 0, 0, 9].into(), [10, 0, 0, 9].into(), one],
            _ => vec![one],
        };
        Ok(all.into_iter().map(|ip: IpAddr| SocketAddr::new(ip, port)).collect())
    }

    fn now() -> Instant {
        let world = World::current();
        let inner = world.lock();
        inner.real_time(inner.now)
    }

    fn timer(at: Instant) -> SimulatedTimer {
        SimulatedTimer::new(World::current(), at)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        World::current().spawn(task);
    }

    async fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let time = World::current().lock().random.duration(Duration::from_millis(5));
        sleep::<Self>(time).await;
        Ok(work())
    }

    fn seed() -> u64 {
        World::current().lock().random.any()
    }
}

impl TestRuntime for Simulated {
    const NAME: &'static str = "simulated";

    fn run_without_limit<T>(future: impl Future<Output = T>) -> T {
        let seed = Seed { number: 0, is_traced: false };
        world::run(seed, Habits::default(), future).0
    }
}
