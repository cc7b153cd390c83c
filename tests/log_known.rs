//! A store that remembers few names, or all of them, answers as one in memory does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::collections::HashMap;
use std::time::Duration;
use stratalog::{
    Condition, Durability, EventStore, FixedClock, Options, Position, Timestamp, position_is, stream_is_empty,
    transaction,
};

/// A row of numbers, the same every time.
struct Row(u64);

impl Row {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// The same step on a store, for both to be compared.
fn step(store: &EventStore, seed: u64, next: &HashMap<(u64, u64), u64>) -> Result<(u64, Option<Position>), String> {
    let mut row = Row(seed);
    let kind = row.below(6);
    let mut whole = transaction();
    if row.below(3) == 0 {
        // Some ids come twice, with the same content or with other.
        whole = whole.id(format!("t-{}", row.below(40)));
    }
    for part in 0..1 + row.below(3) {
        let (category, stream) = (row.below(4), row.below(30));
        let last = next.get(&(category, stream)).and_then(|next| next.checked_sub(1)).map(Position::new);
        let condition = match (kind, part) {
            (0, _) => Condition::any(),
            // Refused, unless the stream is empty.
            (1, 0) => stream_is_empty(),
            // Refused: nothing stands there.
            (2, 0) => position_is(1_000_000),
            _ => position_is(last),
        };
        let events = (0..row.below(3)).map(|number| event(&format!("n{}", row.below(3)), number)).collect::<Vec<_>>();
        whole = whole.stream_if(format!("category-{category}"), format!("{stream:033}"), events, condition);
    }
    match store.append(whole) {
        Ok(receipt) => Ok((receipt.revision().get(), receipt.last_position())),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn with_whatever_memory_of_names_a_store_answers_as_one_without_files_does() {
    let clock = FixedClock("2024-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    for (known, durability) in [
        (0, Durability::Os),
        (3, Durability::Sync),
        (20, Durability::Interval(Duration::from_secs(1))),
        (1 << 21, Durability::Os),
    ] {
        let (_dir, path) = place();
        let options = || -> Options { small().durability(durability).known_streams(known).clock(clock) };
        let reference = stratalog::adapters::memory::MemoryAdapter::with_options(&Options::new().clock(clock));
        let (reference, mut store) = (EventStore::new(reference), open(&path, options()));
        let (mut refused, mut next) = (0, HashMap::new());
        for seed in 0..500 {
            let expected = step(&reference, seed, &next);
            assert_eq!(step(&store, seed, &next), expected, "step {seed} of a store that knows {known}");
            refused += u32::from(expected.is_err());
            next.clear();
            for event in reference.log().read().unwrap() {
                let number = |name: &str| name.trim_start_matches("category-").parse::<u64>().unwrap();
                next.insert((number(event.category()), number(event.stream())), event.position().get() + 1);
            }
            if seed % 150 == 149 {
                store.close().unwrap();
                store = open(&path, options());
            }
        }
        assert!(refused > 100 && store.stats().unwrap().segments > 3, "{refused} refused");
        assert_eq!(rows(&store).len(), rows(&reference).len());
    }
}

/// What the writer does not remember is asked of the indexes, whose filters answer for streams that are new.
#[test]
fn a_new_stream_is_hardly_ever_searched_for() {
    let (_dir, path) = place();
    let options = || small().known_streams(0);
    let store = open(&path, options());
    for number in 0..3_000 {
        store.stream("c", format!("old-{number}")).publish([event("e", number)]).unwrap();
    }
    store.close().unwrap();
    let store = open(&path, options());
    assert!(store.stats().unwrap().segments > 12, "{:?}", store.stats());
    for number in 0..2_000 {
        store.stream("c", format!("old-{number}")).publish([event("e", number)]).unwrap();
    }
    assert_eq!(store.stats().unwrap().index_misses, 0, "those are there");
    for number in 0..2_000 {
        store.stream("c", format!("new-{number}")).publish_if([event("e", number)], stream_is_empty()).unwrap();
    }
    let stats = store.stats().unwrap();
    assert!(stats.index_misses == 2_000 && stats.index_searches_in_vain <= 20, "{stats:?}");
}
