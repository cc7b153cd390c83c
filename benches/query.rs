//! Benchmark of queries by each kind of selector, on a million events: all that match, and the newest ten.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/stores.rs"]
mod stores;
mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::ops::ControlFlow;
use std::time::Duration;
use stratalog::adapters::SelectQuery;
use stratalog::{Access, Durability, EventStore, NewEvent, Selector};
use support::is_test;

/// Events of a stream.
const EACH: usize = 100;
/// Events of a query that asks for the newest alone.
const LIMIT: u64 = 10;
/// Events of a name that few have.
const RARE: u64 = 10;

/// A selector, and how many events it selects.
type Case = (&'static str, Selector, u64);

fn query(criterion: &mut Criterion) {
    let events = if is_test() { 10_000 } else { 1_000_000 };
    let directory = support::directory();
    let store = stores::open(directory.path(), Durability::Os);
    fill(&store, events);
    let cases = cases(events as u64);
    let mut group = criterion.benchmark_group("query");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    for (name, selector, count) in &cases {
        let all = SelectQuery::new(selector.clone());
        let mut newest = all.clone();
        (newest.reverse, newest.limit) = (true, Some(LIMIT));
        group.throughput(Throughput::Elements((*count).max(1)));
        group.bench_function(format!("{name}/all"), |bencher| {
            bencher.iter(|| assert_eq!(visited(&store, &all), *count));
        });
        group.throughput(Throughput::Elements(LIMIT.min(*count).max(1)));
        group.bench_function(format!("{name}/newest {LIMIT}"), |bencher| {
            bencher.iter(|| assert_eq!(visited(&store, &newest), LIMIT.min(*count)));
        });
    }
    // What the same takes without an index.
    for (name, selector, count) in cases.iter().filter(|(name, ..)| *name == "rare name") {
        let mut scanned = SelectQuery::new(selector.clone());
        scanned.access = Access::Scan;
        group.throughput(Throughput::Elements(*count));
        group.bench_function(format!("{name}/all, by a scan"), |bencher| {
            bencher.iter(|| assert_eq!(visited(&store, &scanned), *count));
        });
    }
    group.finish();
}

/// Events of the usual names, and among them a few of a name of their own.
fn fill(store: &EventStore, events: usize) {
    let parts = usize::try_from(RARE).unwrap();
    for _ in 0..RARE {
        fill::fill(store, events / parts, events / EACH);
        store.stream("category-of-its-own", "s").publish([NewEvent::empty("something-rare")]).unwrap();
    }
    store.sync().unwrap();
}

fn cases(events: u64) -> [Case; 9] {
    let names = stores::names(2);
    let ((category, stream), (other, _)) = (&names[0], &names[1]);
    let streams = events / EACH as u64;
    let of_category = events / stores::CATEGORIES as u64;
    let is = |category: &std::sync::Arc<str>| Selector::category(category.clone());
    let of_stream = || Selector::stream(stream.clone());
    // Those of ten streams, where there are so many.
    let prefix = "stream-000000000012";
    let begins = (0..streams).filter(|number| format!("stream-{number:013}").starts_with(prefix)).count() as u64;
    [
        ("category", is(category), of_category),
        ("category and stream", is(category).and(of_stream()), EACH as u64),
        ("stream in any category", of_stream(), EACH as u64),
        ("stream prefix", Selector::stream_prefix(prefix), begins * EACH as u64),
        ("name", Selector::name("something-happened-x"), events),
        ("rare name", Selector::name("something-rare"), RARE),
        ("rare name in a category", is(category).and(Selector::name("something-rare")), 0),
        ("category prefix and stream", Selector::category_prefix("category-0").and(of_stream()), EACH as u64),
        ("either of two categories", is(category).or(is(other)), 2 * of_category),
    ]
}

/// How many events a query lends.
fn visited(store: &EventStore, query: &SelectQuery) -> u64 {
    let mut count = 0;
    let mut visit = |_: &stratalog::EventRef<'_>| {
        count += 1;
        ControlFlow::Continue(())
    };
    store.adapter().select(query).unwrap().visit(&mut visit).unwrap();
    count
}

criterion_group!(benches, query);
criterion_main!(benches);
