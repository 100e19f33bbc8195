//! The arguments of a server that is one of a group.

use clap::Args as ClapArgs;
use hat_aio::Address;

use crate::conf::settings::{Lost, MonitorSettings};

#[derive(Debug, ClapArgs)]
pub(crate) struct RedundancyArgs {
    /// Run as one of a group of servers: register events only while the monitor (hat-monitor) at
    /// this address blesses this server, and copy the events of the others. With --cluster there is
    /// nothing to copy.
    ///
    /// The other servers connect to the address of --listen, so it must be reachable for them.
    #[arg(long, value_name = "HOST:PORT")]
    monitor: Option<Address>,
    /// The server's name at the monitor. [default: hat]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The group of servers, one of which is active. [default: event]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// What to do when the connection to the monitor is lost: stay (stand by, unless no other
    /// server is in the group) and connect again, or exit, as the deployed server does. [default:
    /// stay]
    #[arg(long, value_enum)]
    monitor_lost: Option<Lost>,
}

impl RedundancyArgs {
    /// What the arguments say.
    pub(crate) fn settings(&self) -> MonitorSettings {
        let (address, group) = (self.monitor.clone(), self.group.clone());
        MonitorSettings { address, group, lost: self.monitor_lost }
    }
}
