//! What a phase took.

use std::collections::BTreeMap;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// What one phase took in its process.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Its name.
    pub(crate) phase: String,
    /// Rows that it was about.
    pub(crate) rows: u64,
    /// User and system time of the process and of the database's server, in seconds.
    pub(crate) cpu_s: f64,
    /// So much of it was the server's.
    pub(crate) server_cpu_s: Option<f64>,
    /// The most memory that the process held, in bytes.
    pub(crate) peak_bytes: u64,
    /// The size of the bundles, where it made some.
    pub(crate) bundle_bytes: Option<u64>,
}

/// CPU time from a moment on, of this process and of the server.
pub(crate) struct Meter {
    client_s: f64,
    server: Option<(u32, BTreeMap<u32, f64>)>,
}

impl Meter {
    /// From now on; with the process of the server that has begun all others, where there is a server.
    pub(crate) fn start(postmaster: Option<u32>) -> Self {
        let server = postmaster.map(|postmaster| (postmaster, server_s(postmaster)));
        Self { client_s: cpu_s(), server }
    }

    /// Seconds of this process, and of the server.
    pub(crate) fn read(&self) -> (f64, Option<f64>) {
        let client = cpu_s() - self.client_s;
        let server = self.server.as_ref().map(|(postmaster, before)| {
            let of = |(process, now): (u32, f64)| now - before.get(&process).copied().unwrap_or(0.0);
            server_s(*postmaster).into_iter().map(of).sum()
        });
        (client, server)
    }
}

fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The process that began another one; none where the system does not tell.
pub(crate) fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// CPU seconds of every process of a server, but not of those that sweep up after everybody in their own time.
fn server_s(postmaster: u32) -> BTreeMap<u32, f64> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let Some(process) = entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if process != postmaster && parent(process) != Some(postmaster) {
            continue;
        }
        let read = |of: &str| std::fs::read_to_string(format!("/proc/{process}/{of}")).unwrap_or_default();
        if read("cmdline").contains("autovacuum worker") {
            continue;
        }
        let nanoseconds = read("schedstat").split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
        all.extend(nanoseconds.map(|nanoseconds| (process, nanoseconds / 1e9)));
    }
    all
}

/// The most memory that this process has held, in bytes; 0 where the system does not tell.
pub(crate) fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

impl Measured {
    pub(crate) fn per_cpu_s(&self) -> f64 {
        self.rows as f64 / self.cpu_s.max(1e-9)
    }

    pub(crate) fn bytes_a_row(&self) -> Option<f64> {
        Some(self.bundle_bytes? as f64 / self.rows as f64)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "phase": self.phase, "rows": self.rows, "cpu_s": self.cpu_s, "server_cpu_s": self.server_cpu_s,
            "rows_per_cpu_s": self.per_cpu_s(), "peak_bytes": self.peak_bytes, "bundle_bytes": self.bundle_bytes,
            "bytes_a_row": self.bytes_a_row(),
        })
    }

    pub(crate) fn from_json(text: &str) -> Self {
        let value: Value = serde_json::from_str(text.trim()).unwrap();
        Self {
            phase: value["phase"].as_str().unwrap().to_owned(),
            rows: value["rows"].as_u64().unwrap(),
            cpu_s: value["cpu_s"].as_f64().unwrap(),
            server_cpu_s: value["server_cpu_s"].as_f64(),
            peak_bytes: value["peak_bytes"].as_u64().unwrap(),
            bundle_bytes: value["bundle_bytes"].as_u64(),
        }
    }
}
