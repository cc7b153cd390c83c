//! Cases about the newest event, the lists of names, and reads of what is not there.

use super::support::{event, events, save, snapshot, stream, stream_in};
use super::{Bench, case_list};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Position;

case_list!(views:
    latest_of_a_stream,
    latest_of_a_category,
    latest_of_the_log,
    categories_are_listed_in_order_of_their_bytes,
    streams_are_listed_in_order_of_their_bytes,
    reads_of_unknown_names_are_empty_and_leave_nothing_behind,
    stats_count_what_is_there,
);

fn latest_of_a_stream(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let handle = store.stream(one.category(), one.stream());
    assert_eq!(handle.latest().unwrap(), None);
    save(&store, &stream_in(one.category()), &[event()]);
    assert_eq!(handle.latest().unwrap(), None);
    for count in [1, 3] {
        let saved = save(&store, &one, &events(count));
        save(&store, &stream_in(one.category()), &[event()]);
        save(&store, &Stream::new("another", one.stream()), &[event()]);
        assert_eq!(handle.latest().unwrap().as_ref(), saved.last());
    }
}

fn latest_of_a_category(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let handle = store.category(one.category());
    assert_eq!(handle.latest().unwrap(), None);
    save(&store, &stream(), &[event()]);
    assert_eq!(handle.latest().unwrap(), None);
    for stream in [one.clone(), stream_in(one.category()), one.clone()] {
        let saved = save(&store, &stream, &events(2));
        save(&store, &super::support::stream(), &[event()]);
        assert_eq!(handle.latest().unwrap().as_ref(), saved.last());
    }
}

fn latest_of_the_log(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    assert_eq!(store.log().latest().unwrap(), None);
    for stream in [one.clone(), stream(), one] {
        let saved = save(&store, &stream, &events(2));
        assert_eq!(store.log().latest().unwrap().as_ref(), saved.last());
    }
}

/// Names in order of their bytes, which is neither that of letters nor that of lengths.
const ORDERED: [&str; 9] = ["", "\0", "-", "10", "9", "A", "a", "aa", "é"];

fn categories_are_listed_in_order_of_their_bytes(bench: &Bench<'_>) {
    let store = bench.store();
    assert!(store.categories().unwrap().is_empty());
    for name in ORDERED.iter().rev().chain(&ORDERED) {
        save(&store, &stream_in(name), &[event()]);
    }
    assert_eq!(store.categories().unwrap(), ORDERED);
    assert_eq!(store.log().categories().unwrap(), ORDERED);
}

fn streams_are_listed_in_order_of_their_bytes(bench: &Bench<'_>) {
    let store = bench.store();
    for name in ORDERED.iter().rev().chain(&ORDERED) {
        save(&store, &Stream::new("listed", *name), &[event()]);
        save(&store, &stream_in("another"), &[event()]);
    }
    assert_eq!(store.category("listed").streams().unwrap(), ORDERED);
    assert_eq!(store.category("another").streams().unwrap().len(), 2 * ORDERED.len());
    assert!(store.category("liste").streams().unwrap().is_empty());
}

fn reads_of_unknown_names_are_empty_and_leave_nothing_behind(bench: &Bench<'_>) {
    let store = bench.store();
    save(&store, &Stream::new("known", "known"), &events(2));
    // Not how many bytes the log has: a store that is idle for a moment may note that all is durable.
    let figures = || crate::vocabulary::stats::Stats { log_bytes: 0, ..store.stats().unwrap() };
    let (before, stats) = (snapshot(&store), figures());
    for index in 0..200 {
        let (category, name) = (format!("unknown-{index}"), format!("{index}"));
        for stream in [store.stream(category.as_str(), name.as_str()), store.stream("known", name.as_str())] {
            assert!(stream.read().unwrap().is_empty());
            assert!(stream.scan().reverse().from_position(Position::new(0)).read().unwrap().is_empty());
            assert!(stream.latest().unwrap().is_none());
        }
        let category = store.category(category.as_str());
        assert!(category.read().unwrap().is_empty() && category.latest().unwrap().is_none());
        assert!(category.streams().unwrap().is_empty());
    }
    assert_eq!(store.categories().unwrap(), ["known"]);
    assert_eq!(store.category("known").streams().unwrap(), ["known"]);
    assert_eq!(figures(), stats);
    assert_eq!(snapshot(&store), before);
}

fn stats_count_what_is_there(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.transactions, stats.categories, stats.streams), (0, 0, 0, 0));
    save(&store, &one, &events(3));
    save(&store, &stream_in(one.category()), &events(2));
    save(&store, &one, &[event()]);
    let saved = save(&store, &stream(), &[event()]);
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.transactions, stats.categories, stats.streams), (7, 4, 2, 3));
    assert_eq!(stats.last_recorded_at, Some(saved[0].recorded_at()));
    assert!(stats.first_recorded_at <= stats.last_recorded_at);
}
