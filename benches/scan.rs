//! Benchmark of reading: log, category, stream; forward, reverse, limited; in memory or not; verified or not; lent or owned.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/cold.rs"]
mod cold;
#[path = "support/events.rs"]
mod events;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/stores.rs"]
mod stores;
mod support;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use stores::{CATEGORIES, names};
use stratalog::{Durability, EventStore, Options, Scan};
use support::is_test;

/// Events of a limited scan.
const LIMIT: u64 = 10;
/// Events of a stream.
const EACH: usize = 100;

/// What is scanned.
#[derive(Debug, Clone, Copy)]
enum Of {
    Log,
    Category,
    Stream,
}

/// How far, and which way.
#[derive(Debug, Clone, Copy)]
enum Way {
    Forward,
    Reverse,
    Limited,
}

fn scan(criterion: &mut Criterion) {
    let events = if is_test() { 10_000 } else { 1_000_000 };
    let directory = support::directory();
    let store = stores::open(directory.path(), Durability::Os);
    fill::fill(&store, events, events / EACH);
    store.close().unwrap();
    drop(store);
    for verified in [true, false] {
        let options = Options::new().verify_reads(verified);
        let name = if verified { "scan/verified" } else { "scan/unverified" };
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
        warm(&mut group, &EventStore::open_with(directory.path(), options.clone()).unwrap(), events);
        group.sampling_mode(SamplingMode::Flat);
        for of in [Of::Log, Of::Category, Of::Stream] {
            group.throughput(Throughput::Elements(count(of, Way::Forward, events) as u64));
            group.bench_function(format!("cold/{of:?}"), |bencher| {
                bencher.iter_custom(|times| {
                    (0..times).map(|time| cold(directory.path(), &options, of, events, time)).sum()
                });
            });
        }
        group.finish();
    }
}

/// How many events a scan gives.
fn count(of: Of, way: Way, events: usize) -> usize {
    match (way, of) {
        (Way::Limited, _) => usize::try_from(LIMIT).unwrap(),
        (_, Of::Log) => events,
        (_, Of::Category) => events / CATEGORIES,
        (_, Of::Stream) => EACH,
    }
}

/// Scans of what is in memory, of streams and categories at random.
fn warm(group: &mut BenchmarkGroup<'_, WallTime>, store: &EventStore, events: usize) {
    let names = names(events / EACH);
    let mut random = fastrand::Rng::with_seed(1);
    for of in [Of::Log, Of::Category, Of::Stream] {
        for way in [Way::Forward, Way::Reverse, Way::Limited] {
            let count = count(of, way, events);
            group.throughput(Throughput::Elements(count as u64));
            let mut next = || begin(store, of, way, &names[random.usize(..names.len())]);
            group.bench_function(format!("{of:?}/{way:?}/visit"), |bencher| {
                bencher.iter(|| assert_eq!(visit(next()), count));
            });
            group.bench_function(format!("{of:?}/{way:?}/owned"), |bencher| {
                bencher.iter(|| assert_eq!(own(next()), count));
            });
        }
    }
}

fn begin(store: &EventStore, of: Of, way: Way, name: &(std::sync::Arc<str>, std::sync::Arc<str>)) -> Scan {
    let (category, stream) = name;
    let scan = match of {
        Of::Log => store.log().scan(),
        Of::Category => store.category(category.clone()).scan(),
        Of::Stream => store.stream(category.clone(), stream.clone()).scan(),
    };
    match way {
        Way::Forward => scan,
        Way::Reverse => scan.reverse(),
        Way::Limited => scan.limit(LIMIT),
    }
}

/// How long a scan takes right after opening, when nothing of the store is in memory but what opening read.
fn cold(path: &Path, options: &Options, of: Of, events: usize, time: u64) -> Duration {
    let names = names(events / EACH);
    cold::forget(path);
    let store = EventStore::open_with(path, options.clone()).unwrap();
    let name = &names[(usize::try_from(time).unwrap() + 1).wrapping_mul(7_919) % names.len()];
    let begun = Instant::now();
    assert_eq!(visit(begin(&store, of, Way::Forward, name)), count(of, Way::Forward, events));
    let elapsed = begun.elapsed();
    store.close().unwrap();
    elapsed
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
