//! Metrics for Prometheus. Every name, type and label is defined here (`definitions`).
//!
//! Label values are bounded: fixed words, names of sizes, and Kubernetes resources. No label
//! identifies a person.

mod definitions;
mod recording;
mod reference;

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use definitions::{BUILD, Kind, TASKS};
pub(crate) use recording::{
    QuestionTimer, count_discord_request, count_door_requests, count_end, count_reaper_action,
    count_scheduled_run, count_step_failure, count_watch_restart, record_acknowledgement,
    record_api_request, record_command, record_kubernetes_queue, record_kubernetes_request,
    record_save, record_start, set_discord_connected, set_held_back, set_leading, set_runners,
    set_sessions, set_unreachable_doors, set_unreadable_records, set_view_age,
};
pub use reference::reference;

/// Handle to the process's metrics.
#[derive(Clone)]
pub struct Metrics {
    exporter: PrometheusHandle,
    started: Instant,
}

impl Metrics {
    /// Installs the recorder, or returns the one that is installed. All bots of a process share it,
    /// because the sandbox can restart its bot.
    ///
    /// # Errors
    /// If another recorder is installed.
    pub fn start() -> anyhow::Result<Self> {
        static STARTED_ONCE: OnceLock<Metrics> = OnceLock::new();
        if let Some(metrics) = STARTED_ONCE.get() {
            return Ok(metrics.clone());
        }
        let mut builder = PrometheusBuilder::new();
        for metric in definitions::ALL {
            if let Kind::Histogram(buckets) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(name, buckets)?;
            }
        }
        let exporter = builder.install_recorder()?;
        #[cfg(target_os = "linux")]
        metrics_process::Collector::default().describe();
        describe();
        gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        recording::initialize();
        let metrics = Self {
            exporter,
            started: Instant::now(),
        };
        Ok(STARTED_ONCE.get_or_init(|| metrics).clone())
    }

    /// Time since the metrics were installed, which is right after the start of the process.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Renders all metrics in Prometheus's text format, version 0.0.4.
    pub fn text(&self) -> String {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            gauge!(TASKS).set(runtime.metrics().num_alive_tasks() as f64);
        }
        #[cfg(target_os = "linux")]
        metrics_process::Collector::default().collect();
        self.exporter.run_upkeep();
        self.exporter.render()
    }
}

fn describe() {
    for metric in definitions::ALL {
        let (name, help) = (metric.name, metric.help);
        match metric.kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Seconds => describe_gauge!(name, Unit::Seconds, help),
            Kind::Histogram(_) => describe_histogram!(name, Unit::Seconds, help),
        }
    }
}
