//! Cases about scans of a log, a category and a stream without bounds.

use super::support::{event, events, light, numbers, read, read_log, save, stream, stream_in};
use super::{Bench, case_list};
use crate::store::EventStore;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::SequenceNumber;
use crate::vocabulary::options::Options;
use crate::vocabulary::transaction::transaction;

case_list!(scans:
    log_scan_has_no_events_when_store_empty,
    log_scan_has_single_event_in_single_stream,
    log_scan_has_multiple_events_in_single_stream,
    log_scan_has_events_across_streams_in_sequence_order,
    log_scan_has_events_across_categories_in_sequence_order,
    category_scan_has_no_events_when_store_empty,
    category_scan_has_no_events_when_category_empty,
    category_scan_has_single_event_in_single_stream,
    category_scan_has_multiple_events_in_single_stream,
    category_scan_has_events_across_streams_in_sequence_order,
    category_scan_ignores_events_in_other_categories,
    stream_scan_has_no_events_when_store_empty,
    stream_scan_has_no_events_when_stream_empty,
    stream_scan_has_single_event,
    stream_scan_has_multiple_events,
    stream_scan_has_events_within_stream_in_sequence_order,
    stream_scan_ignores_events_in_other_streams,
    stream_scan_ignores_events_in_other_categories,
    scans_of_more_than_one_batch_are_complete,
    a_transaction_of_several_batches_is_complete,
);

fn read_category(store: &EventStore, category: &str) -> Vec<StoredEvent> {
    store.category(category).read().unwrap()
}

/// Saves to these streams in turn, 2, 1, 2, 1 events, and returns all in the order of saving.
fn interleave(store: &EventStore, one: &Stream, two: &Stream) -> Vec<StoredEvent> {
    let saves = [(one, 2), (two, 1), (one, 2), (two, 1)];
    saves.into_iter().flat_map(|(stream, count)| save(store, stream, &events(count))).collect()
}

fn of_stream(events: &[StoredEvent], stream: &Stream) -> Vec<StoredEvent> {
    events.iter().filter(|event| event.stream_id() == *stream).cloned().collect()
}

fn log_scan_has_no_events_when_store_empty(bench: &Bench<'_>) {
    assert_eq!(read_log(&bench.store()), []);
}

fn log_scan_has_single_event_in_single_stream(bench: &Bench<'_>) {
    let store = bench.store();
    let saved = save(&store, &stream(), &[event()]);
    assert_eq!(read_log(&store), saved);
}

fn log_scan_has_multiple_events_in_single_stream(bench: &Bench<'_>) {
    let store = bench.store();
    let saved = save(&store, &stream(), &events(5));
    assert_eq!(read_log(&store), saved);
}

fn log_scan_has_events_across_streams_in_sequence_order(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = interleave(&store, &one, &stream_in(one.category()));
    assert_eq!(read_log(&store), saved);
}

fn log_scan_has_events_across_categories_in_sequence_order(bench: &Bench<'_>) {
    let store = bench.store();
    let saved = interleave(&store, &stream(), &stream());
    assert_eq!(read_log(&store), saved);
}

fn category_scan_has_no_events_when_store_empty(bench: &Bench<'_>) {
    assert_eq!(read_category(&bench.store(), "unknown"), []);
}

fn category_scan_has_no_events_when_category_empty(bench: &Bench<'_>) {
    let store = bench.store();
    save(&store, &stream(), &events(2));
    assert_eq!(read_category(&store, "unknown"), []);
}

fn category_scan_has_single_event_in_single_stream(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = save(&store, &one, &[event()]);
    assert_eq!(read_category(&store, one.category()), saved);
}

fn category_scan_has_multiple_events_in_single_stream(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = save(&store, &one, &events(4));
    assert_eq!(read_category(&store, one.category()), saved);
}

fn category_scan_has_events_across_streams_in_sequence_order(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = interleave(&store, &one, &stream_in(one.category()));
    assert_eq!(read_category(&store, one.category()), saved);
}

fn category_scan_ignores_events_in_other_categories(bench: &Bench<'_>) {
    let (store, one, two) = (bench.store(), stream(), stream());
    let saved = interleave(&store, &one, &two);
    assert_eq!(read_category(&store, one.category()), of_stream(&saved, &one));
    assert_eq!(read_category(&store, two.category()), of_stream(&saved, &two));
}

fn stream_scan_has_no_events_when_store_empty(bench: &Bench<'_>) {
    assert_eq!(read(&bench.store(), &stream()), []);
}

fn stream_scan_has_no_events_when_stream_empty(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    save(&store, &stream_in(one.category()), &events(2));
    assert_eq!(read(&store, &one), []);
}

fn stream_scan_has_single_event(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = save(&store, &one, &[event()]);
    assert_eq!(read(&store, &one), saved);
}

fn stream_scan_has_multiple_events(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = save(&store, &one, &events(4));
    assert_eq!(read(&store, &one), saved);
}

fn stream_scan_has_events_within_stream_in_sequence_order(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved: Vec<_> = [2, 1, 2, 1].into_iter().flat_map(|count| save(&store, &one, &events(count))).collect();
    assert_eq!(read(&store, &one), saved);
}

fn stream_scan_ignores_events_in_other_streams(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let two = stream_in(one.category());
    let saved = interleave(&store, &one, &two);
    assert_eq!(read(&store, &one), of_stream(&saved, &one));
    assert_eq!(read(&store, &two), of_stream(&saved, &two));
}

fn stream_scan_ignores_events_in_other_categories(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let two = Stream::new("another", one.stream());
    let saved = interleave(&store, &one, &two);
    assert_eq!(read(&store, &one), of_stream(&saved, &one));
    assert_eq!(read(&store, &two), of_stream(&saved, &two));
}

fn scans_of_more_than_one_batch_are_complete(bench: &Bench<'_>) {
    let (store, one, two) = (bench.store(), stream(), stream());
    let mut saved = Vec::new();
    for _ in 0..15 {
        saved.extend(save(&store, &one, &events(70)));
        saved.extend(save(&store, &two, &events(30)));
    }
    assert_eq!(read_log(&store), saved);
    assert_eq!(read(&store, &one), of_stream(&saved, &one));
    assert_eq!(read_category(&store, two.category()), of_stream(&saved, &two));
    let mut visited = Vec::new();
    store.log().scan().visit(|event| visited.push(event.to_stored())).unwrap();
    assert_eq!(visited, saved);
    saved.reverse();
    assert_eq!(store.log().scan().reverse().read().unwrap(), saved);
}

fn a_transaction_of_several_batches_is_complete(bench: &Bench<'_>) {
    let unverified = Options::new().verify_reads(false);
    for store in [bench.store(), bench.store_with(&unverified)] {
        let (one, two) = (stream(), stream());
        let three = stream_in(one.category());
        save(&store, &two, &events(1));
        let parts = [&one, &two, &three].map(|stream| (stream, light(290)));
        let transaction = parts.iter().fold(transaction(), |transaction, (stream, events)| {
            transaction.stream(stream.category(), stream.stream(), events.clone())
        });
        store.append(transaction).unwrap();
        save(&store, &one, &events(1));
        let mut all = Vec::new();
        store.log().scan().visit(|event| all.push(event.to_stored())).unwrap();
        assert_eq!(numbers(&all), (0..872).collect::<Vec<u64>>());
        assert_eq!(read_log(&store), all);
        assert_eq!(read_category(&store, one.category()), of_category(&all, one.category()));
        for stream in [&one, &two, &three] {
            assert_eq!(read(&store, stream), of_stream(&all, stream));
        }
        let newest = store.log().scan().reverse().limit(300).read().unwrap();
        assert!(newest.iter().eq(all.iter().rev().take(300)));
        let middle = store.log().scan().after(SequenceNumber::new(399)).limit(300).read().unwrap();
        assert_eq!(middle, all[400..700]);
    }
}

fn of_category(events: &[StoredEvent], category: &str) -> Vec<StoredEvent> {
    events.iter().filter(|event| event.category() == category).cloned().collect()
}
