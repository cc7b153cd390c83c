//! What one measurement gives, and the records of it.

use crate::error::{Error, Result};
use crate::workloads::Footprint;
use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// What one measurement gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The figure, in the workload's unit.
    pub value: f64,
    /// How many events it is about.
    pub events: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// CPU time of all threads, user and system, in nanoseconds for each event.
    pub cpu_ns: Option<f64>,
    /// How many events one sync made durable, where that is known.
    pub events_a_sync: Option<f64>,
    /// How many events there were for each flush of the whole disk, which others may share.
    pub events_a_flush: Option<f64>,
    /// How many events one read of the disk brought, where the store was not in memory.
    pub events_a_read: Option<f64>,
    /// Kibibytes that were read from disk for each event.
    pub kib_an_event: Option<f64>,
    /// How long calls took, where each was timed.
    pub latency: Option<Latency>,
    /// How far behind its time each was done, where calls came at a steady pace.
    pub late: Option<Latency>,
    /// Events a second that were reached of that pace.
    pub reached: Option<f64>,
    /// Bytes on disk for each event, where the store was measured after it was closed; without room that holds nothing yet.
    pub bytes_an_event: Option<f64>,
    /// Mebibytes on disk that hold nothing yet.
    pub ready_mib: Option<f64>,
    /// Mebibytes of anonymous memory that opening the store and using it added to the process.
    pub memory_mib: Option<f64>,
    /// Mebibytes of the process that are anonymous, and that are its own and dirty: (anonymous, private and dirty).
    pub resident_mib: Option<(f64, f64)>,
    /// Milliseconds until a first stream was read, from the begin of opening.
    pub first_read_ms: Option<f64>,
    /// Milliseconds that a sync took just before, of one page.
    pub sync_ms: Option<f64>,
    /// Look-ups in sealed segments for each name that was new, where the engine counts them.
    pub lookups_a_miss: Option<f64>,
}

impl Measured {
    /// With what its events take on disk.
    #[must_use]
    pub fn with_footprint(self, footprint: Footprint) -> Self {
        let bytes_an_event = Some(footprint.used as f64 / self.events.max(1) as f64);
        Self { bytes_an_event, ready_mib: Some(footprint.ready as f64 / f64::from(1 << 20)), ..self }
    }
}

/// How long calls took, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the calls took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// 999 of 1,000 took no longer.
    pub p999: f64,
    /// 9,999 of 10,000 took no longer.
    #[serde(default)]
    pub p9999: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    /// What a histogram of nanoseconds says.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), p9999: at(0.999_9), max: histogram.max() as f64 / 1e3 }
    }
}

/// An empty histogram of nanoseconds, up to a minute, to three digits.
///
/// # Errors
/// Never: the bounds are good.
pub fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(100, 60_000_000_000, 3).map_err(|error| Error::Broken(error.to_string()))
}

/// How much memory the process had before a store was opened.
pub struct Memory(Option<f64>);

impl Memory {
    /// What it has now.
    pub fn now() -> Self {
        let of = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
            line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()
        };
        Self(std::fs::read_to_string("/proc/self/status").ok().and_then(of).map(|kib| kib / 1_024.0))
    }

    /// The measurement, with what was added since.
    pub fn added(self, measured: Measured) -> Measured {
        let memory_mib = Self::now().0.zip(self.0).map(|(now, before)| (now - before).max(0.0));
        Measured { memory_mib, ..measured }
    }
}

/// A clock over wall and CPU time.
pub struct Watch {
    begun: Instant,
    cpu: Duration,
}

impl Watch {
    /// Begins now.
    pub fn start() -> Self {
        Self { cpu: cpu(), begun: Instant::now() }
    }

    /// How long ago it began.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// So many events were done by now: their rate.
    pub fn rate(&self, events: u64) -> Measured {
        let seconds = self.begun.elapsed().as_secs_f64();
        let cpu = cpu().saturating_sub(self.cpu).as_secs_f64() * 1e9 / events.max(1) as f64;
        Measured { value: events as f64 / seconds, events, seconds, cpu_ns: Some(cpu), ..Measured::default() }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// What came of one engine under one workload in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was measured.
    Measured(Box<Measured>),
    /// It cannot be compared, for this reason.
    NotComparable(String),
    /// It could be and was not, for this reason.
    LeftOut(String),
    /// It failed, like this.
    Failed(String),
}

/// One record, a file of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The engine, or the limit.
    pub engine: String,
    /// The workload.
    pub workload: String,
    /// The round, from 1.
    pub round: usize,
    /// How busy the machine was just before: its load over one minute.
    pub load: Option<f64>,
    /// What came of it.
    pub outcome: Outcome,
}

/// Writes a value into a file, as JSON.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|source| Error::Json { path: path.to_owned(), source })?;
    std::fs::write(path, text + "\n").map_err(Error::io(path))
}

/// Reads a value from a file of JSON.
///
/// # Errors
/// When there is no such file, or it does not hold such a value.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_filled_is_seen() {
        let memory = Memory::now();
        let filled = vec![1_u8; 32 << 20];
        let added = memory.added(Measured::default()).memory_mib.unwrap();
        assert!((31.0..64.0).contains(&added), "{added} for {} bytes", std::hint::black_box(&filled).len());
    }

    #[test]
    fn a_histogram_gives_microseconds() {
        let mut histogram = histogram().unwrap();
        (1..=1_000).for_each(|n| histogram.record(n * 1_000).unwrap());
        let Latency { p50, p99, max, .. } = Latency::of(&histogram);
        assert!((499.0..502.0).contains(&p50) && (989.0..992.0).contains(&p99), "{p50} {p99}");
        assert!((999.0..1_001.0).contains(&max), "{max}");
    }
}
