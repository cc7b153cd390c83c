//! Queries by selectors against a plain filter over everything: random ones by the thousand, and what the rarest finds cost.

#![expect(clippy::unwrap_used, reason = "a test that cannot make its store has failed")]

use fastrand::Rng;
use std::ops::ControlFlow;
use stratalog::{
    Access, Durability, EventStore, Explanation, NewEvent, Options, Revision, SelectQuery, Selector, SequenceNumber,
    StoredEvent, Timestamp, must_not_exist, transaction,
};

/// The smallest segments there are.
const SMALL: u64 = 16 << 10;

/// How many random queries are asked, unless the environment says so.
fn queries() -> usize {
    std::env::var("STRATALOG_TEST_QUERIES").map_or(10_000, |number| number.parse().unwrap())
}

fn name(random: &mut Rng, kind: &str, many: u32) -> String {
    match random.u32(0..14) {
        0 => String::new(),
        1 => kind.to_owned(),
        // Some are frequent and some rare.
        2..7 => format!("{kind}-{}", random.u32(0..3)),
        _ => format!("{kind}-{}", random.u32(0..many)),
    }
}

fn time(random: &mut Rng) -> Timestamp {
    Timestamp::from_unix(random.i64(0..100_000), 0).unwrap()
}

/// A store of some thousand events in segments and parts with and without index files.
fn fill(store: &EventStore, random: &mut Rng, count: usize) -> Vec<StoredEvent> {
    while store.revision().unwrap().get() < count as u64 {
        let events = (0..random.usize(1..6)).fold(transaction(), |all, _| {
            let event = NewEvent::empty(name(random, "n", 20)).with_occurred_at(time(random));
            all.stream(name(random, "c", 5), name(random, "s", 400), [event])
        });
        store.append(events).unwrap();
    }
    store.log().read().unwrap()
}

fn selector(random: &mut Rng, events: &[StoredEvent], depth: u32) -> Selector {
    if depth > 0 && random.u32(0..6) < 3 {
        let (one, other) = (selector(random, events, depth - 1), selector(random, events, depth - 1));
        return if random.u32(0..3) == 0 { one & other } else { one | other };
    }
    let event = &events[random.usize(0..events.len())];
    let start = |random: &mut Rng, name: &str| name.get(..random.usize(0..=name.len())).unwrap_or_default().to_owned();
    match random.u32(0..9) {
        0 => Selector::category(event.category()),
        1 => Selector::stream(event.stream()),
        2 => Selector::name(event.name()),
        3 => Selector::category_prefix(start(random, event.category())),
        4 => Selector::stream_prefix(start(random, event.stream())),
        5 => Selector::name_prefix(start(random, event.name())),
        6 => Selector::no_stream(),
        7 => Selector::category(event.category()) & Selector::stream(event.stream()),
        _ => Selector::name("never"),
    }
}

fn query(random: &mut Rng, events: &[StoredEvent]) -> SelectQuery {
    let mut query = SelectQuery::new(selector(random, events, 4));
    let number = |random: &mut Rng| SequenceNumber::new(random.u64(0..events.len() as u64 + 10));
    if random.u32(0..4) == 0 {
        query.from = Some(number(random));
    }
    if random.u32(0..4) == 0 {
        query.until = Some(number(random));
    }
    if random.u32(0..4) == 0 {
        query.at = Some(Revision::new(number(random).get()));
    }
    if random.u32(0..4) == 0 {
        query.occurred_until = Some(time(random));
    }
    if random.u32(0..3) == 0 {
        query.limit = Some([0, 1, 2, 63, 64, 65, 500][random.usize(0..7)]);
    }
    query.reverse = random.bool();
    query
}

/// What the query should find, by the plainest means.
fn filtered(query: &SelectQuery, events: &[StoredEvent]) -> Vec<u64> {
    let is_meant = |event: &&StoredEvent| {
        let number = event.sequence_number();
        query.from.is_none_or(|from| from <= number)
            && query.until.is_none_or(|until| number <= until)
            && query.at.is_none_or(|at| number.get() < at.get())
            && query.occurred_until.is_none_or(|until| event.occurred_at() <= until)
            && query.selector.matches(*event)
    };
    let mut found: Vec<u64> = events.iter().filter(is_meant).map(|event| event.sequence_number().get()).collect();
    if query.reverse {
        found.reverse();
    }
    found.truncate(query.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap()));
    found
}

fn found(store: &EventStore, query: &SelectQuery) -> (Vec<u64>, Explanation) {
    let mut found = Vec::new();
    let mut cursor = store.adapter().select(query).unwrap();
    cursor
        .visit(&mut |event| {
            found.push(event.sequence_number().get());
            ControlFlow::Continue(())
        })
        .unwrap();
    let explanation = cursor.explanation();
    (found, explanation)
}

/// Asks random queries of a store that holds these events, each by the indexes, some by a forced scan too. How many found some.
fn ask(store: &EventStore, random: &mut Rng, events: &[StoredEvent], many: usize) -> usize {
    let mut fruitful = 0;
    for round in 0..many {
        let mut query = query(random, events);
        let expected = filtered(&query, events);
        fruitful += usize::from((1..=1_000).contains(&expected.len()));
        let accesses: &[Access] = if round % 16 == 0 { &[Access::Index, Access::Scan] } else { &[Access::Index] };
        for access in accesses {
            query.access = *access;
            let (found, explanation) = found(store, &query);
            assert_eq!(found, expected, "{query:?}");
            assert_eq!(explanation.found, expected.len() as u64, "{explanation}");
        }
    }
    fruitful
}

#[test]
fn random_queries_find_what_a_filter_over_everything_finds() {
    let seed = Rng::new().get_seed();
    let mut random = Rng::with_seed(seed);
    let (rounds, mut fruitful) = (queries() / 1_250, 0);
    for round in 0..rounds {
        let directory = tempfile::tempdir().unwrap();
        let options = || Options::new().durability(Durability::Os).segment_bytes(SMALL, SMALL << (round % 5));
        let mut store = EventStore::open_with(directory.path(), options()).unwrap();
        let events = fill(&store, &mut random, [40, 700, 2_000, 5_000][round % 4]);
        if round % 2 == 1 {
            store.close().unwrap();
            store = EventStore::open_with(directory.path(), options()).unwrap();
        }
        fruitful += ask(&store, &mut random, &events, 1_250);
    }
    let asked = rounds * 1_250;
    assert!(fruitful * 3 >= asked, "{fruitful} of {asked} found 1 to 1,000 events (seed {seed})");
}

#[test]
fn queries_find_the_same_while_events_come() {
    let mut random = Rng::with_seed(9);
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new().durability(Durability::Os).segment_bytes(SMALL, SMALL);
    let store = EventStore::open_with(directory.path(), options).unwrap();
    fill(&store, &mut random, 500);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| fill(&store, &mut Rng::with_seed(10), 8_000).len());
        while !writer.is_finished() {
            let events = store.log().read().unwrap();
            let mut query = query(&mut random, &events);
            let at = query.at.map_or(events.len() as u64, |at| at.get().min(events.len() as u64));
            query.at = Some(Revision::new(at));
            assert_eq!(found(&store, &query).0, filtered(&query, &events), "{query:?}");
        }
    });
}

/// A million events in a thousand streams, and ten of a stream that is like no other.
fn big(directory: &std::path::Path) -> EventStore {
    let options = Options::new().durability(Durability::Os).segment_bytes(5 << 20, 5 << 20);
    let store = EventStore::open_with(directory, options).unwrap();
    let mut random = Rng::with_seed(4);
    for block in 0..1_000_u64 {
        let events = (0..1_000).fold(transaction(), |all, number| {
            let event = NewEvent::empty(["opened", "closed"][random.usize(0..2)]).with_metadata(vec![7; 64]);
            let (category, stream) = match (block % 100, number) {
                (50, 500) => ("c0".to_owned(), "rare-one".to_owned()),
                _ => (format!("c{}", random.u32(0..10)), format!("s{}", random.u32(0..100_000))),
            };
            all.stream(category, stream, [event])
        });
        store.append(events).unwrap();
    }
    store
}

#[test]
#[ignore = "takes a minute unless it is optimised: scripts/queries runs it"]
fn ten_of_a_million_are_found_by_looking_at_few() {
    let directory = tempfile::tempdir().unwrap();
    let store = big(directory.path());
    for selector in [
        Selector::stream("rare-one"),
        Selector::stream_prefix("rare"),
        Selector::category("c0") & Selector::stream("rare-one"),
        Selector::category("c0") & Selector::stream_prefix("rare"),
        Selector::name_prefix("") & Selector::stream_prefix("rare-"),
    ] {
        for reverse in [false, true] {
            let mut query = SelectQuery::new(selector.clone());
            query.reverse = reverse;
            let (found, explanation) = found(&store, &query);
            assert_eq!(found.len(), 10, "{selector}");
            let looked_at = explanation.names + explanation.entries + explanation.frames;
            assert!(looked_at < 1_000, "{selector}: {explanation}");
        }
    }
    // A name that is never there costs next to no look-up in index files.
    let before = store.stats().unwrap();
    assert!(before.segments >= 16, "{before:?}");
    for number in 0..10_000 {
        let fresh = transaction().stream("c0", "fresh", [NewEvent::empty("opened")]);
        let key = Selector::category("c0") & Selector::stream(format!("never-{number}"));
        store.append(fresh.when(must_not_exist(key))).unwrap();
    }
    let after = store.stats().unwrap();
    let misses = after.index_misses - before.index_misses;
    let in_vain = after.index_searches_in_vain - before.index_searches_in_vain;
    assert!(misses >= 10_000 && in_vain * 20 <= misses, "{in_vain} searches for {misses} misses");
}
