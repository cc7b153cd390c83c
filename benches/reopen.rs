//! Benchmark of opening a store that is there: after it was closed, and after its process was killed.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/fill.rs"]
mod fill;
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::path::Path;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore};
use tempfile::TempDir;

/// Set to anything, it adds a million events to the sizes.
const LARGE: &str = "STRATALOG_BENCH_LARGE";

fn reopen(criterion: &mut Criterion) {
    let mut sizes = vec![100_000];
    if std::env::var_os(LARGE).is_some() {
        sizes.push(1_000_000);
    }
    let mut group = criterion.benchmark_group("reopen");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    for events in sizes {
        group.throughput(Throughput::Elements(events as u64));
        let directory = support::directory();
        let store = support::open(directory.path(), Durability::Os);
        fill::fill(&store, events);
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
    let store: EventStore = support::open(path, Durability::Os);
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
