//! The arguments of a server that is one of a group.

use clap::Args as ClapArgs;
use hat_aio::Address;

use crate::conf::settings::{Lost, MonitorSettings};

#[derive(Debug, ClapArgs)]
pub(crate) struct RedundancyArgs {
    /// Be one of a group of servers: register events only while the monitor (hat-monitor) at this
    /// address says so, and copy those of the others.
    ///
    /// The address of --listen is what others are told: it must be one that they can connect to.
    #[arg(long, value_name = "HOST:PORT")]
    monitor: Option<Address>,
    /// What the server is called at the monitor. [default: hat]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The group of servers of which one is active. [default: event]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// What to do when the monitor is gone: stay (stand by, unless there is no other server in the
    /// group) and connect again, or exit, as the
    /// deployed server does. [default: stay]
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
