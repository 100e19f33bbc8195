//! Machines of one network, on this one: network namespaces of Linux at a bridge, each with a cable
//! that can be pulled. Where none can be made, [`Machines::new`] says so in one line.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::namespaces::ip;
use crate::peers::skip;

/// The network. It goes when this is dropped; what runs on the machines has to end before.
#[derive(Debug)]
pub struct Machines {
    name: String,
    network: u32,
    count: usize,
}

impl Machines {
    /// Makes so many, for `test`; `None` where this system cannot.
    #[must_use]
    pub fn new(test: &str, count: usize) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // a network of eight addresses that nobody else uses; other processes run the same tests
        let network =
            (process.wrapping_mul(16).wrapping_add(number) << 3) & 0x003f_ffff | 0x6440_0000;
        let machines = Self { name: format!("hm{process:x}x{number:x}"), network, count };
        match machines.set_up() {
            Ok(()) => Some(machines),
            Err(reason) => {
                let hint = "network namespaces need root and iproute2";
                skip(test, &format!("{hint}: {reason}"));
                None
            }
        }
    }

    fn set_up(&self) -> Result<(), String> {
        let name = &self.name;
        ip(&format!("link add {name} type bridge"))?;
        ip(&format!("address add {}/29 dev {name}", self.here()))?;
        ip(&format!("link set {name} up"))?;
        for number in 0..self.count {
            let machine = self.machine(number);
            let address = self.address(number);
            for line in [
                format!("netns add {machine}"),
                format!("link add {machine}a type veth peer name eth0 netns {machine}"),
                format!("link set {machine}a master {name} up"),
                format!("-n {machine} link set lo up"),
                format!("-n {machine} address add {address}/29 dev eth0"),
                format!("-n {machine} link set eth0 up"),
            ] {
                ip(&line)?;
            }
        }
        Ok(())
    }

    /// The name of a machine, for `ip netns exec`.
    #[must_use]
    pub fn machine(&self, number: usize) -> String {
        format!("{}m{number}", self.name)
    }

    /// Our own address in the network.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 1)
    }

    /// The address of a machine.
    #[must_use]
    pub fn address(&self, number: usize) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 2 + number as u32)
    }

    /// Pulls the cable of a machine: nothing comes through, and nobody is told.
    pub fn pull(&self, number: usize) {
        ip(&format!("link set {}a down", self.machine(number))).expect("the cable is there");
    }

    /// Puts the cable back.
    pub fn plug(&self, number: usize) {
        ip(&format!("link set {}a up", self.machine(number))).expect("the cable is there");
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for number in 0..self.count {
            let _ = ip(&format!("netns delete {}", self.machine(number)));
        }
        let _ = ip(&format!("link delete {}", self.name));
    }
}

/// A command that runs a program on a machine, or here where there is none. It is the process of
/// the program itself: a signal to it reaches the program.
#[must_use]
pub fn command_on(machine: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let Some(machine) = machine else { return Command::new(program) };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", machine]).arg(program);
    command
}
