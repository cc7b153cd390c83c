//! Benchmark of deferred appends: one thread, one event of 256 bytes a transaction, until all are durable.
//!
//! Beside it stands what one thread does that waits for each append to be in the page cache: `Os, not deferred`.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/stores.rs"]
mod stores;
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use stratalog::{AppendError, Durability, EventStream, Ticket};
use support::is_test;

const STREAMS: usize = 10_000;
const PAYLOAD: usize = 256;
/// Tickets that are held before the oldest is asked.
const HELD: usize = 1_000;

fn deferred(criterion: &mut Criterion) {
    let appends: u64 = if is_test() { 2_000 } else { 1_000_000 };
    let mut group = criterion.benchmark_group("deferred");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(appends));
    for (name, durability, is_deferred) in
        [("Os, not deferred", Durability::Os, false), ("Os", Durability::Os, true), ("Sync", Durability::Sync, true)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| run(durability, is_deferred, appends)).sum());
        });
    }
    group.finish();
}

/// How long it takes to make so many appends, each an event of its own, durable.
fn run(durability: Durability, is_deferred: bool, appends: u64) -> Duration {
    let directory = support::directory();
    let store = stores::open(directory.path(), durability);
    let names = stores::names(STREAMS).into_iter();
    let streams: Vec<EventStream> = names.map(|(category, stream)| store.stream(category, stream)).collect();
    let count = usize::try_from(appends).unwrap();
    let begun = Instant::now();
    if is_deferred {
        defer(&streams, count);
    } else {
        let event = events::event(PAYLOAD);
        for call in 0..count {
            streams[call.wrapping_mul(7_919) % STREAMS].publish([event.clone()]).unwrap();
        }
    }
    let elapsed = begun.elapsed();
    assert_eq!(store.revision().unwrap().get(), appends);
    elapsed
}

/// Defers, and looks into each ticket once; where there is no room, waits for the oldest that it holds.
fn defer(streams: &[EventStream], count: usize) {
    let event = events::event(PAYLOAD);
    let mut held: VecDeque<Ticket> = VecDeque::with_capacity(HELD);
    for call in 0..count {
        let stream = &streams[call.wrapping_mul(7_919) % STREAMS];
        let ticket = loop {
            match stream.publish_deferred([event.clone()]) {
                Err(AppendError::Full { .. }) => drop(held.pop_front().unwrap().durable().unwrap()),
                deferred => break deferred.unwrap(),
            }
        };
        if held.len() == HELD {
            held.pop_front().unwrap().accepted().unwrap();
        }
        held.push_back(ticket);
    }
    held.pop_back().unwrap().durable().unwrap();
    for ticket in held {
        ticket.durable().unwrap();
    }
}

criterion_group!(benches, deferred);
criterion_main!(benches);
