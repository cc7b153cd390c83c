//! Benchmark of opening a store that is there: after it was closed, and after its process was killed.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/stores.rs"]
mod stores;
mod support;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use std::path::Path;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore};
use support::is_test;
use tempfile::TempDir;

/// Set to anything, it adds ten million events to the sizes: 4 GB for each of two copies, and some minutes.
const LARGE: &str = "STRATALOG_BENCH_LARGE";
/// Events of a stream.
const EACH: usize = 100;

fn reopen(criterion: &mut Criterion) {
    let sizes: &[usize] = match (is_test(), std::env::var_os(LARGE).is_some()) {
        (true, _) => &[10_000],
        (false, false) => &[100_000, 1_000_000],
        (false, true) => &[100_000, 1_000_000, 10_000_000],
    };
    let mut group = criterion.benchmark_group("reopen");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    group.sampling_mode(SamplingMode::Flat);
    for &events in sizes {
        let directory = support::directory();
        let store = stores::open(directory.path(), Durability::Os);
        fill::fill(&store, events, events / EACH);
        // What a killed process leaves is what the files hold while it runs.
        let killed = copy(directory.path());
        store.close().unwrap();
        drop(store);
        group.bench_function(BenchmarkId::new("closed", events), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| open(directory.path(), events)).sum());
        });
        group.bench_function(BenchmarkId::new("killed", events), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| open(copy(killed.path()).path(), events)).sum());
        });
    }
    group.finish();
}

/// How long it takes to open the store.
fn open(path: &Path, events: usize) -> Duration {
    let begun = Instant::now();
    let store: EventStore = stores::open(path, Durability::Os);
    let elapsed = begun.elapsed();
    assert_eq!(store.revision().unwrap().get(), events as u64);
    store.close().unwrap();
    elapsed
}

/// Copies the files of a store to a directory of their own.
fn copy(from: &Path) -> TempDir {
    let to = support::directory();
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        // The next segment may be in the making, and is renamed when it is made.
        if !name.to_string_lossy().ends_with(".tmp") {
            std::fs::copy(from.join(&name), to.path().join(&name)).unwrap();
        }
    }
    to
}

criterion_group!(benches, reopen);
criterion_main!(benches);
