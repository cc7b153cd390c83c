//! Benchmark of reading: the whole log, one category, whole streams at random; verified or not, lent or owned.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/fill.rs"]
mod fill;
mod support;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use stratalog::{Durability, EventStore, Options, Scan};

const EVENTS: usize = 100_000;

fn scan(criterion: &mut Criterion) {
    let directory = support::directory();
    let store = support::open(directory.path(), Durability::Os);
    fill::fill(&store, EVENTS);
    store.close().unwrap();
    drop(store);
    for verified in [true, false] {
        let store = EventStore::open_with(directory.path(), Options::new().verify_reads(verified)).unwrap();
        let name = if verified { "scan/verified" } else { "scan/unverified" };
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        of_one(&mut group, "log", EVENTS, || store.log().scan());
        let (category, _) = support::names().swap_remove(0);
        let category = store.category(category);
        of_one(&mut group, "category", EVENTS / support::CATEGORIES, || category.scan());
        streams(&mut group, &store);
        group.finish();
    }
}

/// The same scan, lent and owned.
fn of_one(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, events: usize, scan: impl Fn() -> Scan) {
    group.throughput(Throughput::Elements(events as u64));
    group.bench_function(format!("{name}/visit"), |bencher| bencher.iter(|| assert_eq!(visit(scan()), events)));
    group.bench_function(format!("{name}/owned"), |bencher| bencher.iter(|| assert_eq!(own(scan()), events)));
}

/// One whole stream after the other.
fn streams(group: &mut BenchmarkGroup<'_, WallTime>, store: &EventStore) {
    let streams: Vec<_> =
        support::names().into_iter().map(|(category, stream)| store.stream(category, stream)).collect();
    let events = EVENTS / support::STREAMS;
    let mut random = fastrand::Rng::with_seed(1);
    group.throughput(Throughput::Elements(events as u64));
    group.bench_function("stream/visit", |bencher| {
        bencher.iter(|| assert_eq!(visit(streams[random.usize(..streams.len())].scan()), events));
    });
    group.bench_function("stream/owned", |bencher| {
        bencher.iter(|| assert_eq!(own(streams[random.usize(..streams.len())].scan()), events));
    });
}

fn visit(scan: Scan) -> usize {
    let mut events = 0;
    scan.visit(|event| {
        black_box(event.payload().bytes().first());
        events += 1;
    })
    .unwrap();
    events
}

fn own(scan: Scan) -> usize {
    scan.into_iter().filter(|event| black_box(event).is_ok()).count()
}

criterion_group!(benches, scan);
criterion_main!(benches);
