//! Metrics of a server, for Prometheus.
//!
//! Every name says its unit; those that end in `_total` only grow, from the start of the process.

use std::fmt;

use hat_core::eventer::Status;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Metric, Registry};

use crate::cluster::ClusterReport;
use crate::engine_handle::Report;
use crate::store::Health;

/// What the text is, for HTTP.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The statuses of an event server.
const STATUSES: [Status; 4] =
    [Status::Standby, Status::Starting, Status::Operational, Status::Stopping];

type Labels = Vec<(&'static str, String)>;

/// The metrics in Prometheus' text format. `started` is when the process did, in seconds since
/// 1970.
///
/// # Errors
///
/// None that a `String` can have.
pub fn text(report: &Report, started: f64) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("hat");
    let mut all = Metrics(&mut registry);
    all.server(report, started);
    all.registrations(report);
    all.store(report);
    all.mirrors(report);
    all.cluster(report);
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

fn leaders(stream: &ClusterReport) -> u64 {
    stream.leader.is_some().into()
}

fn stream_label(stream: &ClusterReport) -> Labels {
    vec![("stream", stream.stream.clone())]
}

struct Metrics<'a>(&'a mut Registry);

impl Metrics<'_> {
    fn add(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.0.register(name, help, metric);
    }

    fn count(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, help, ConstCounter::new(value));
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.add(name, help, ConstGauge::new(value.cast_signed()));
    }

    fn server(&mut self, report: &Report, started: f64) {
        let start = ConstGauge::new(started);
        self.add("start_time_seconds", "Start time of the process since 1970", start);
        let family = Family::<Labels, Gauge>::default();
        for status in STATUSES {
            let is = i64::from(report.status == status);
            family.get_or_create(&vec![("status", status.to_string())]).set(is);
        }
        self.add("status", "1 for the current status of the server", family);
        self.gauge("connected_clients", "Clients that are connected", report.clients as u64);
        let help =
            "Clients that were disconnected because they read their notifications too slowly";
        self.count("cut_clients", help, report.cut);
    }

    fn registrations(&mut self, report: &Report) {
        self.count("registered_events", "Events registered", report.events);
        self.count("registered_sessions", "Sessions registered", report.sessions);
        let help =
            "Registrations refused because of their content, including those without a response";
        self.count("refused_registrations", help, report.refused);
        let help = "Registrations that failed because of the status or the store, including those without a response";
        self.count("failed_registrations", help, report.failed);
        let waiting = report.log.waiting as u64;
        self.gauge(
            "waiting_registrations",
            "Registrations and copies that are waiting for the store",
            waiting,
        );
    }

    fn store(&mut self, report: &Report) {
        let works = matches!(report.health, Health::Good);
        self.gauge("store_working", "1 if registered events become durable", u64::from(works));
        if let Some(stats) = &report.stats {
            self.gauge("store_events", "Events in the store", stats.events);
            self.gauge("store_types", "Types that have a latest event", stats.types);
            self.gauge("store_size_bytes", "Size of the store on the disk", stats.disk_bytes);
            let help = "Events that are not in the indexes on the disk yet";
            self.gauge("store_unindexed_events", help, stats.tail_events);
        }
        let log = &report.log;
        self.count("store_syncs", "Syncs of the store to the disk", log.syncs);
        self.count(
            "store_failed_syncs",
            "Syncs of the store to the disk that failed",
            log.failed_syncs,
        );
        let time = ConstCounter::new(log.sync_time.as_secs_f64());
        self.add("store_sync_time_seconds", "Time taken by syncs of the store to the disk", time);
    }

    /// By stream: a node has one for each of its server ids.
    fn cluster(&mut self, report: &Report) {
        if report.cluster.is_empty() {
            return;
        }
        let mut gauge = |name, help, of: fn(&ClusterReport) -> u64| {
            let family = Family::<Labels, Gauge>::default();
            for stream in &report.cluster {
                let value = i64::try_from(of(stream)).unwrap_or(i64::MAX);
                family.get_or_create(&stream_label(stream)).set(value);
            }
            self.add(name, help, family);
        };
        let help = "1 if this node can register events and notify clients";
        gauge("cluster_serving", help, |it| it.serves.into());
        let help = "1 if this node registers events: under a monitor, one node does";
        gauge("cluster_active", help, |it| it.active.unwrap_or(it.serves).into());
        let help = "1 if this node has stopped for good, because the stream is not the one that it has applied";
        gauge("cluster_stopped", help, |it| it.stopped.into());
        let help = "The last message of the stream that this node has applied";
        gauge("cluster_applied_sequence", help, |it| it.applied);
        let help = "The last message of the stream, as of the last answer of its leader";
        gauge("cluster_last_sequence", help, |it| it.last);
        let help = "Messages of the stream that this node has not applied yet";
        gauge("cluster_lag_messages", help, ClusterReport::lag);
        let help = "Replicas of the stream on NATS servers";
        gauge("cluster_replicas", help, |it| it.replicas.len() as u64 + leaders(it));
        let help = "Replicas of the stream that are up to date with their leader";
        gauge("cluster_current_replicas", help, |it| {
            it.replicas.iter().filter(|one| one.current && !one.offline).count() as u64
                + leaders(it)
        });
        let silence = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        let given_up = Family::<Labels, prometheus_client::metrics::counter::Counter>::default();
        let fenced = Family::<Labels, prometheus_client::metrics::counter::Counter>::default();
        for stream in &report.cluster {
            fenced.get_or_create(&stream_label(stream)).inc_by(stream.fenced);
            if let Some(time) = stream.answered {
                silence.get_or_create(&stream_label(stream)).set(time.as_secs_f64());
            }
            given_up.get_or_create(&stream_label(stream)).inc_by(stream.given_up);
        }
        self.add("cluster_silence_seconds", "Time since the last answer of the leader", silence);
        let help = "Registrations that failed because the cluster took too long";
        self.add("cluster_given_up", help, given_up);
        let help = "How often another node has taken over from this one while it was active";
        self.add("cluster_fenced", help, fenced);
    }

    fn mirrors(&mut self, report: &Report) {
        if report.mirrors.is_empty() {
            return;
        }
        let connected = Family::<Labels, Gauge>::default();
        let synced = Family::<Labels, Gauge>::default();
        let events = Family::<Labels, prometheus_client::metrics::counter::Counter>::default();
        let again = Family::<Labels, prometheus_client::metrics::counter::Counter>::default();
        let lag = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
        for mirror in &report.mirrors {
            let labels = vec![("server_id", mirror.server_id.to_string())];
            connected.get_or_create(&labels).set(i64::from(mirror.connected));
            synced.get_or_create(&labels).set(i64::from(mirror.synced));
            events.get_or_create(&labels).inc_by(mirror.events);
            again.get_or_create(&labels).inc_by(mirror.given_again);
            if let Some(time) = mirror.lag {
                lag.get_or_create(&labels).set(time.as_secs_f64());
            }
        }
        self.add("mirror_connected", "1 if the other server is connected", connected);
        self.add("mirror_synced", "1 if all events of the other server have been copied", synced);
        self.add("mirrored_events", "Events of the other server that have been copied", events);
        let help = "Events of the other server that were not copied, because other events here have their ids";
        self.add("mirror_ids_given_again", help, again);
        let help = "Time from the timestamp of the last copied event until it was stored here";
        self.add("mirror_lag_seconds", help, lag);
    }
}
