//! A second host on this machine: a network namespace of Linux, with a cable to it that can be cut.
//! Where none can be made, [`Host::new`] says so in one line.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::peers::skip;

/// What a peer does there, in Python: connects (or listens and takes one connection), writes the
/// bytes of its arguments, and reads for ever. It says one line: that it is connected, or its port.
const PEER: &str = "
import socket, sys
role, host, port, first = sys.argv[1:]
if role == 'connect':
    peer = socket.create_connection((host, int(port)))
    print('ready', flush=True)
else:
    listener = socket.create_server((host, int(port)))
    print(listener.getsockname()[1], flush=True)
    peer, _ = listener.accept()
peer.sendall(bytes.fromhex(first))
while peer.recv(65536):
    pass
";

/// Another host. It goes, with its peers, when this is dropped.
#[derive(Debug)]
pub struct Host {
    name: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
    peers: Vec<Child>,
}

impl Host {
    /// Makes one, for `test`; `None` where this system cannot.
    #[must_use]
    pub fn new(test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // a network of four addresses; other processes run the same tests
        let network =
            (process.wrapping_mul(64).wrapping_add(count) << 2) & 0x00ff_ffff | 0x0a00_0000;
        let name = format!("hat{process:x}x{count:x}");
        let (here, there) = (Ipv4Addr::from(network + 1), Ipv4Addr::from(network + 2));
        let host = Self { name, here, there, peers: Vec::new() };
        match host.set_up() {
            Ok(()) => Some(host),
            Err(reason) => {
                let hint = "network namespaces need root and iproute2";
                skip(test, &format!("{hint}: {reason}"));
                None
            }
        }
    }

    fn set_up(&self) -> Result<(), String> {
        let Self { name, here, there, .. } = self;
        for line in [
            format!("netns add {name}"),
            format!("link add {name}a type veth peer name {name}b netns {name}"),
            format!("address add {here}/30 dev {name}a"),
            format!("link set {name}a up"),
            format!("-n {name} address add {there}/30 dev {name}b"),
            format!("-n {name} link set {name}b up"),
        ] {
            ip(&line)?;
        }
        Ok(())
    }

    /// Our address as the other host sees it.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        self.here
    }

    /// A peer there connects to `port` of ours, and writes `first`.
    pub fn connect(&mut self, port: u16, first: &str) {
        let here = self.here;
        let mut lines = self.peer("connect", here, port, first);
        assert_eq!(lines.next().as_deref(), Some("ready"));
    }

    /// A peer there listens, and writes `first` to who connects; its address.
    pub fn listen(&mut self, first: &str) -> SocketAddr {
        let there = self.there;
        let mut lines = self.peer("listen", there, 0, first);
        let port = lines.next().and_then(|line| line.parse().ok()).expect("a port");
        (there, port).into()
    }

    fn peer(
        &mut self,
        role: &str,
        host: Ipv4Addr,
        port: u16,
        first: &str,
    ) -> impl Iterator<Item = String> + use<> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "python3", "-c", PEER, role]);
        command.args([&host.to_string(), &port.to_string(), first]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("python3");
        let output = child.stdout.take().expect("its output");
        self.peers.push(child);
        BufReader::new(output).lines().map_while(Result::ok)
    }

    /// Cuts the cable: from now on nothing of what the other host says arrives, and nobody is told.
    pub fn cut(&self) {
        let here = self.here;
        ip(&format!("-n {} route add blackhole {here}/32", self.name)).expect("the route");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for peer in &mut self.peers {
            let _ = peer.kill();
            let _ = peer.wait();
        }
        // the cable goes with it
        let _ = ip(&format!("netns delete {}", self.name));
    }
}

/// Runs `ip`, and says what is wrong where it fails.
pub(crate) fn ip(line: &str) -> Result<(), String> {
    let output = Command::new("ip").args(line.split_whitespace()).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
