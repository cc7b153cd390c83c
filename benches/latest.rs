//! Benchmark of the newest event: of the log, of a category, of a stream, of a stream that there is not; in memory or not.
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

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStream};
use support::is_test;

/// Events of a stream.
const EACH: usize = 100;

fn latest(criterion: &mut Criterion) {
    let events = if is_test() { 10_000 } else { 1_000_000 };
    let directory = support::directory();
    let store = stores::open(directory.path(), Durability::Os);
    fill::fill(&store, events, events / EACH);
    let names = stores::names(events / EACH);
    let mut random = fastrand::Rng::with_seed(1);
    let mut group = criterion.benchmark_group("latest");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.bench_function("log", |bencher| bencher.iter(|| assert!(store.log().latest().unwrap().is_some())));
    let category = store.category(names[0].0.clone());
    group.bench_function("category", |bencher| bencher.iter(|| assert!(category.latest().unwrap().is_some())));
    let streams: Vec<EventStream> =
        names.iter().map(|(category, stream)| store.stream(category.clone(), stream.clone())).collect();
    group.bench_function("stream", |bencher| {
        bencher.iter(|| assert!(streams[random.usize(..streams.len())].latest().unwrap().is_some()));
    });
    group.bench_function("stream, named anew", |bencher| {
        bencher.iter(|| {
            let (category, stream) = &names[random.usize(..names.len())];
            assert!(store.stream(category.clone(), stream.clone()).latest().unwrap().is_some());
        });
    });
    let missing = store.stream(names[0].0.clone(), "stream-of-no-events");
    group.bench_function("stream without events", |bencher| {
        bencher.iter(|| assert!(missing.latest().unwrap().is_none()));
    });
    store.close().unwrap();
    drop((streams, missing, category, store));

    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("stream, cold", |bencher| {
        bencher.iter_custom(|times| {
            let one = |_| {
                cold::forget(directory.path());
                let store = stores::open(directory.path(), Durability::Os);
                let (category, stream) = &names[random.usize(..names.len())];
                let stream = store.stream(category.clone(), stream.clone());
                let begun = Instant::now();
                assert!(stream.latest().unwrap().is_some());
                let elapsed = begun.elapsed();
                store.close().unwrap();
                elapsed
            };
            (0..times).map(one).sum()
        });
    });
    group.finish();
}

criterion_group!(benches, latest);
criterion_main!(benches);
