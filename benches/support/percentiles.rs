//! How long calls took, where a mean would mislead.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

use hdrhistogram::Histogram;
use std::io::Write;
use std::time::Duration;

/// How long calls took.
pub struct Percentiles(Histogram<u64>);

impl Percentiles {
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap())
    }

    pub fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).unwrap();
    }

    /// One line to standard output; nothing where nothing was timed.
    pub fn print(&self, name: &str) {
        if self.0.is_empty() {
            return;
        }
        let at = |quantile| Duration::from_nanos(self.0.value_at_quantile(quantile));
        let max = Duration::from_nanos(self.0.max());
        let (p50, p99, p999, p9999) = (at(0.5), at(0.99), at(0.999), at(0.999_9));
        let calls = self.0.len();
        let text = format!(
            "{name:<44} {calls} calls: p50 {p50:.1?}, p99 {p99:.1?}, p99.9 {p999:.1?}, p99.99 {p9999:.1?}, max {max:.1?}\n"
        );
        // Where nobody listens there is nobody to tell.
        let _told = std::io::stdout().write_all(text.as_bytes());
    }
}
