//! This machine's counters as events, for the demo.

use std::cmp::Reverse;

use hat_core::eventer::{EventType, Json, RegisterEvent, Timestamp};
use serde_json::{Value, json};
use sysinfo::{NetworkData, Networks, System};

/// Network interfaces to tell of: those with the most traffic.
const INTERFACES: usize = 3;

/// Counters that this system does not have are left out.
pub(super) struct Machine {
    system: Option<System>,
    networks: Option<Networks>,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { system: System::new().ok(), networks: Networks::new_with_refreshed_list().ok() }
    }

    /// Load, memory and network as they are now.
    pub(super) fn events(&mut self) -> Vec<RegisterEvent> {
        let events = self.load().into_iter().chain(self.memory());
        events.chain(self.networks()).collect()
    }

    fn load(&self) -> Option<RegisterEvent> {
        let load = System::load_average().ok()?;
        let load = json!({"average": [load.one, load.five, load.fifteen]});
        Some(event(["load"], &load))
    }

    fn memory(&mut self) -> Option<RegisterEvent> {
        let system = self.system.as_mut()?;
        system.refresh_memory();
        let (used, total) = (system.used_memory(), system.total_memory());
        let memory = json!({"total MiB": total >> 20, "used MiB": used >> 20});
        Some(event(["memory"], &memory))
    }

    fn networks(&mut self) -> Vec<RegisterEvent> {
        let Some(networks) = &mut self.networks else { return Vec::new() };
        networks.refresh(true);
        let traffic = |data: &NetworkData| data.total_received() + data.total_transmitted();
        let mut networks: Vec<_> = networks.iter().filter(|(_, data)| traffic(data) > 0).collect();
        networks.sort_by_key(|(name, data)| (Reverse(traffic(data)), *name));
        let events = networks.into_iter().take(INTERFACES).map(|(name, data)| {
            let counters =
                json!({"received": data.total_received(), "sent": data.total_transmitted()});
            // a segment must not look like a part of a query
            let name = name.to_string_lossy().replace(['/', '?', '*'], "_");
            event(["network", &name], &counters)
        });
        events.collect()
    }
}

fn event<const N: usize>(segments: [&str; N], value: &Value) -> RegisterEvent {
    let segments = ["machine"].into_iter().chain(segments);
    RegisterEvent {
        event_type: EventType::from_segments(segments),
        source_timestamp: Some(Timestamp::now()),
        payload: Some(Json::from_value(value).into()),
    }
}
