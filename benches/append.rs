//! Benchmark of appends on an expected version: one event a call and 100, `Os` and `Sync`, one thread and four.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore, EventStream, Position, position_is};

/// A stream, and the position of its last event.
type Known = (EventStream, Option<Position>);

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for durability in [Durability::Os, Durability::Sync] {
        for events in [1, 100] {
            for threads in [1, 4] {
                let name = format!("{durability:?}/{events} a call");
                group.throughput(Throughput::Elements(events as u64));
                group.bench_function(BenchmarkId::new(name, format!("{threads} threads")), |bencher| {
                    bencher.iter_custom(|calls| appends(durability, events, threads, calls));
                });
            }
        }
    }
    group.finish();
}

/// How long it takes that many threads to make so many calls together, in a store of their own.
fn appends(durability: Durability, events: usize, threads: usize, calls: u64) -> Duration {
    let directory = support::directory();
    let store = support::open(directory.path(), durability);
    let mut streams: Vec<Vec<Known>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, (category, stream)) in support::names().into_iter().enumerate() {
        streams[number % threads].push((store.stream(category, stream), None));
    }
    let start = Barrier::new(threads + 1);
    let elapsed = std::thread::scope(|scope| {
        let work = |(number, streams): (usize, Vec<Known>)| {
            let share = calls / threads as u64 + u64::from((number as u64) < calls % threads as u64);
            let start = &start;
            scope.spawn(move || {
                start.wait();
                publish(streams, events, share);
            })
        };
        let running: Vec<_> = streams.into_iter().enumerate().map(work).collect();
        start.wait();
        let begun = Instant::now();
        running.into_iter().for_each(|thread| thread.join().unwrap());
        begun.elapsed()
    });
    assert_events(&store, calls * events as u64);
    elapsed
}

/// Publishes to one stream after the other, each time on the position of its last event.
fn publish(mut streams: Vec<Known>, events: usize, calls: u64) {
    let event = support::event();
    let count = streams.len();
    for call in 0..usize::try_from(calls).unwrap() {
        let (stream, last) = &mut streams[call.wrapping_mul(7_919) % count];
        let receipt = stream.publish_if(std::iter::repeat_n(event.clone(), events), position_is(*last)).unwrap();
        *last = receipt.last_position();
    }
}

fn assert_events(store: &EventStore, expected: u64) {
    assert_eq!(store.revision().unwrap().get(), expected);
}

criterion_group!(benches, append);
criterion_main!(benches);
