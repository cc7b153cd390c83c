//! Benchmark of appends: by events a call, bytes of a payload, durability, threads, and condition.
//!
//! All of it takes a quarter of an hour; a filter picks a part: `cargo bench --bench append -- "Sync/1 x 256 B"`.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/percentiles.rs"]
mod percentiles;
#[path = "support/stores.rs"]
mod stores;
mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use percentiles::Percentiles;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use stratalog::{Durability, EventStore, EventStream, Position, position_is, stream_is_empty};
use support::is_test;

/// Streams that appends go to, where they are not new.
const STREAMS: usize = 10_000;
/// How often `Interval` syncs.
const INTERVAL: Duration = Duration::from_millis(100);
/// Bytes of a transaction's payloads at most: what is above the default limits is left out.
const MOST: usize = 32 << 20;

/// A stream, and the position of its last event.
type Known = (EventStream, Option<Position>);

/// What an append asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Nothing,
    Position,
    NewStream,
}

/// One cell of the matrix.
#[derive(Clone, Copy)]
struct Cell {
    durability: Durability,
    events: usize,
    payload: usize,
    threads: usize,
    asked: Asked,
}

fn append(criterion: &mut Criterion) {
    let (events, payloads, threads): (&[usize], &[usize], &[usize]) = if is_test() {
        (&[1, 100], &[256], &[1, 4])
    } else {
        (&[1, 10, 100, 1_000], &[64, 256, 4 << 10, 1 << 20], &[1, 2, 4, 8])
    };
    let mut group = criterion.benchmark_group("append");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    for (kind, durability) in
        [("Os", Durability::Os), ("Interval", Durability::Interval(INTERVAL)), ("Sync", Durability::Sync)]
    {
        for (&events, &payload) in
            events.iter().flat_map(|events| payloads.iter().map(move |payload| (events, payload)))
        {
            if events * payload > MOST {
                continue;
            }
            group.throughput(Throughput::Elements(events as u64));
            for &threads in threads {
                for asked in [Asked::Nothing, Asked::Position, Asked::NewStream] {
                    let cell = Cell { durability, events, payload, threads, asked };
                    let name = format!("{kind}/{events} x {payload} B");
                    let id = BenchmarkId::new(&name, format!("{threads} threads/{asked:?}"));
                    // Of calls that share syncs, a mean says too little.
                    let mut times = (durability == Durability::Sync).then(Percentiles::new);
                    group.bench_function(id, |bencher| bencher.iter_custom(|calls| appends(cell, calls, &mut times)));
                    if let Some(times) = times.filter(|_| !is_test()) {
                        times.print(&format!("append/{name}/{threads} threads/{asked:?}"));
                    }
                }
            }
        }
    }
    group.finish();
}

/// How long it takes that many threads to make so many calls together, in a store of their own.
fn appends(cell: Cell, calls: u64, times: &mut Option<Percentiles>) -> Duration {
    let Cell { durability, events, threads, asked, .. } = cell;
    let directory = support::directory();
    let store = stores::open(directory.path(), durability);
    let new = if asked == Asked::NewStream { usize::try_from(calls).unwrap() } else { STREAMS };
    let mut streams: Vec<Vec<Known>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, (category, stream)) in stores::names(new).into_iter().enumerate() {
        streams[number % threads].push((store.stream(category, stream), None));
    }
    let start = Barrier::new(threads + 1);
    let is_timed = times.is_some();
    let elapsed = std::thread::scope(|scope| {
        let work = |(number, streams): (usize, Vec<Known>)| {
            let share = calls / threads as u64 + u64::from((number as u64) < calls % threads as u64);
            let start = &start;
            scope.spawn(move || {
                start.wait();
                publish(streams, cell, share, is_timed)
            })
        };
        let running: Vec<_> = streams.into_iter().enumerate().map(work).collect();
        start.wait();
        let begun = Instant::now();
        let done: Vec<_> = running.into_iter().map(|thread| thread.join().unwrap()).collect();
        let elapsed = begun.elapsed();
        if let Some(times) = times {
            done.iter().flatten().for_each(|one| times.add(one));
        }
        elapsed
    });
    assert_events(&store, calls * events as u64);
    elapsed
}

/// Publishes to one stream after the other.
fn publish(mut streams: Vec<Known>, cell: Cell, calls: u64, is_timed: bool) -> Option<Percentiles> {
    let event = events::event(cell.payload);
    let count = streams.len();
    let mut times = is_timed.then(Percentiles::new);
    for call in 0..usize::try_from(calls).unwrap() {
        let begun = is_timed.then(Instant::now);
        let events = std::iter::repeat_n(event.clone(), cell.events);
        match cell.asked {
            Asked::Nothing => drop(streams[call.wrapping_mul(7_919) % count].0.publish(events).unwrap()),
            Asked::Position => {
                let (stream, last) = &mut streams[call.wrapping_mul(7_919) % count];
                *last = stream.publish_if(events, position_is(*last)).unwrap().last_position();
            }
            Asked::NewStream => drop(streams[call].0.publish_if(events, stream_is_empty()).unwrap()),
        }
        if let (Some(times), Some(begun)) = (&mut times, begun) {
            times.record(begun.elapsed());
        }
    }
    times
}

fn assert_events(store: &EventStore, expected: u64) {
    assert_eq!(store.revision().unwrap().get(), expected);
}

criterion_group!(benches, append);
criterion_main!(benches);
