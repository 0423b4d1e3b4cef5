//! What a phase took.

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// What one phase took in its process.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    /// Its name.
    pub(crate) phase: String,
    /// Rows that it was about.
    pub(crate) rows: u64,
    /// User and system time, in seconds.
    pub(crate) cpu_s: f64,
    /// The most memory that the process held, in bytes.
    pub(crate) peak_bytes: u64,
    /// The size of the bundles, where it made some.
    pub(crate) bundle_bytes: Option<u64>,
}

/// CPU time of this process so far, in seconds.
pub(crate) fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
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
            "phase": self.phase, "rows": self.rows, "cpu_s": self.cpu_s, "rows_per_cpu_s": self.per_cpu_s(),
            "peak_bytes": self.peak_bytes, "bundle_bytes": self.bundle_bytes, "bytes_a_row": self.bytes_a_row(),
        })
    }

    pub(crate) fn from_json(text: &str) -> Self {
        let value: Value = serde_json::from_str(text.trim()).unwrap();
        Self {
            phase: value["phase"].as_str().unwrap().to_owned(),
            rows: value["rows"].as_u64().unwrap(),
            cpu_s: value["cpu_s"].as_f64().unwrap(),
            peak_bytes: value["peak_bytes"].as_u64().unwrap(),
            bundle_bytes: value["bundle_bytes"].as_u64(),
        }
    }
}
