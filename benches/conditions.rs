//! Benchmark of appends on a condition over a selector, by the key it is about: never seen, written lately, or long ago.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/stores.rs"]
mod stores;
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stratalog::{
    AppendCondition, Durability, EventStore, Revision, Selector, must_exist, must_not_exist, transaction,
    unchanged_since,
};
use support::is_test;

/// Events of a stream.
const EACH: usize = 100;
const PAYLOAD: usize = 256;
/// Keys that were written lately, which appends take in turn.
const LATELY: usize = 100;

/// The key that an append is about: a stream of a category.
type Key = (Arc<str>, Arc<str>);

fn conditions(criterion: &mut Criterion) {
    let events = if is_test() { 10_000 } else { 1_000_000 };
    let mut group = criterion.benchmark_group("conditions");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let directory = support::directory();
    let store = stores::open(directory.path(), Durability::Os);
    let old = old_keys(&store, events);
    let lately: Vec<Key> = (0..LATELY).map(|number| key("lately", number)).collect();
    for key in &lately {
        append(&store, key, None);
    }
    let mut made = 0;
    let mut fresh = move || {
        made += 1;
        key("fresh", made)
    };
    group.bench_function("no condition", |bencher| {
        bencher.iter_custom(|calls| timed(calls, |call| append(&store, &lately[call % LATELY], None)));
    });
    group.bench_function("fresh key, must not exist", |bencher| {
        bencher.iter_custom(|calls| {
            timed(calls, |_| {
                let key = fresh();
                append(&store, &key, Some(must_not_exist(selector(&key))));
            })
        });
    });
    for (name, keys) in [("recent key", &lately), ("old key", &old)] {
        // The old ones are only asked about, so that they stay old.
        let to = |key: &Key| if name == "old key" { lately[0].clone() } else { key.clone() };
        group.bench_function(format!("{name}, must exist"), |bencher| {
            bencher.iter_custom(|calls| {
                timed(calls, |call| {
                    let key = &keys[call.wrapping_mul(7_919) % keys.len()];
                    append(&store, &to(key), Some(must_exist(selector(key))));
                })
            });
        });
        group.bench_function(format!("{name}, unchanged since now"), |bencher| {
            bencher.iter_custom(|calls| {
                timed(calls, |call| {
                    let key = &keys[call.wrapping_mul(7_919) % keys.len()];
                    let now = store.revision().unwrap();
                    append(&store, &to(key), Some(unchanged_since(selector(key), now)));
                })
            });
        });
    }
    group.finish();
    assert!(store.revision().unwrap() > Revision::new(events as u64));
}

/// Keys that the first events of the log are about, and no later one.
fn old_keys(store: &EventStore, events: usize) -> Vec<Key> {
    let old: Vec<Key> = (0..LATELY).map(|number| key("old", number)).collect();
    for key in &old {
        append(store, key, None);
    }
    fill::fill(store, events, events / EACH);
    old
}

fn key(kind: &str, number: usize) -> Key {
    (format!("category-{kind}").into(), format!("{kind}-{number:015}").into())
}

/// The events about a key.
fn selector((category, stream): &Key) -> Selector {
    Selector::category(category.clone()).and(Selector::stream(stream.clone()))
}

fn append(store: &EventStore, (category, stream): &Key, condition: Option<AppendCondition>) {
    let event = events::event(PAYLOAD);
    let mut whole = transaction().stream(category.clone(), stream.clone(), [event]);
    if let Some(condition) = condition {
        whole = whole.when(condition);
    }
    store.append(whole).unwrap();
}

/// How long so many calls take.
fn timed(calls: u64, mut call: impl FnMut(usize)) -> Duration {
    let calls = usize::try_from(calls).unwrap();
    let begun = Instant::now();
    (0..calls).for_each(&mut call);
    begun.elapsed()
}

criterion_group!(benches, conditions);
criterion_main!(benches);
