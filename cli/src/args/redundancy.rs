//! One server of several.

use clap::{Args as ClapArgs, ValueEnum};
use hat_aio::Address;
use hat_server::redundancy::{MonitorLost, MonitorOptions};

#[derive(Debug, ClapArgs)]
pub(crate) struct RedundancyArgs {
    /// Be one of a group of servers: register events only while the monitor (hat-monitor) at this
    /// address says so, and copy those of the others.
    ///
    /// The address of --listen is what others are told: it must be one that they can connect to.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) monitor: Option<Address>,
    /// What the server is called at the monitor.
    #[arg(long, value_name = "NAME", default_value = "hat")]
    pub(crate) name: String,
    /// The group of servers of which one is active.
    #[arg(long, value_name = "GROUP", default_value = "event", requires = "monitor")]
    pub(crate) group: String,
    /// What to do when the monitor is gone: stay (stand by, unless there is no other server in the
    /// group) and connect again, or exit, as the deployed server does.
    #[arg(long, value_enum, default_value_t = Lost::Stay, requires = "monitor")]
    pub(crate) monitor_lost: Lost,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Lost {
    Stay,
    Exit,
}

impl RedundancyArgs {
    /// The monitor, where there is one.
    pub(crate) fn options(&self) -> Option<MonitorOptions> {
        let lost = match self.monitor_lost {
            Lost::Stay => MonitorLost::Stay,
            Lost::Exit => MonitorLost::Exit,
        };
        let options = MonitorOptions::new(self.monitor.clone()?, self.group.clone());
        Some(MonitorOptions { lost, ..options })
    }
}
