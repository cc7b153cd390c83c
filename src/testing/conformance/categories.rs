//! Cases about saving to several streams of one category at once.

use super::support::{append, event, events, positions, read, read_log, save, snapshot, stream_in};
use super::{Bench, case_list, support};
use crate::store::EventStore;
use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::transaction::Receipt;

case_list!(categories:
    a_category_save_writes_each_stream_from_position_zero,
    a_category_save_continues_existing_streams,
    one_failing_condition_rolls_back_all_streams,
    a_category_save_writes_if_all_streams_are_empty,
    a_category_save_writes_if_position_and_empty_conditions_hold,
    a_category_save_writes_nothing_if_any_empty_condition_is_unmet,
    a_category_save_writes_nothing_if_any_position_condition_is_unmet,
    a_category_save_without_events_writes_nothing,
);

const CATEGORY: &str = "category-save";

/// Appends to several streams of the category, each on its condition.
fn publish(store: &EventStore, parts: Vec<(&Stream, Vec<NewEvent>, Condition)>) -> Result<Receipt, AppendError> {
    let parts = parts.into_iter().map(|(stream, events, condition)| (stream.stream(), events, condition));
    store.category(CATEGORY).publish_if(parts)
}

fn two_streams() -> (Stream, Stream) {
    (stream_in(CATEGORY), stream_in(CATEGORY))
}

fn a_category_save_writes_each_stream_from_position_zero(bench: &Bench<'_>) {
    let (store, (one, two)) = (bench.store(), two_streams());
    let (first, second) = (events(2), events(3));
    let receipt =
        store.category(CATEGORY).publish([(one.stream(), first.clone()), (two.stream(), second.clone())]).unwrap();
    assert_eq!(receipt.count(), 5);
    assert_eq!(positions(&read(&store, &one)), [0, 1]);
    assert_eq!(positions(&read(&store, &two)), [0, 1, 2]);
    let found = store.category(CATEGORY).read().unwrap();
    let submitted: Vec<NewEvent> = first.into_iter().chain(second).collect();
    assert_eq!(found.len(), 5);
    for (event, submitted) in found.iter().zip(&submitted) {
        assert_eq!((event.name(), event.payload()), (submitted.name(), submitted.payload()));
        assert_eq!(event.transaction_revision(), receipt.revision());
    }
    assert_eq!(store.events_of(&receipt).unwrap(), found);
}

fn a_category_save_continues_existing_streams(bench: &Bench<'_>) {
    let (store, (one, two)) = (bench.store(), two_streams());
    save(&store, &one, &events(3));
    publish(&store, vec![(&one, events(2), Condition::any()), (&two, events(1), Condition::any())]).unwrap();
    publish(
        &store,
        vec![
            (&two, events(1), Condition::any()),
            (&one, events(1), Condition::any()),
            (&two, events(1), Condition::any()),
        ],
    )
    .unwrap();
    assert_eq!(positions(&read(&store, &one)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(positions(&read(&store, &two)), [0, 1, 2]);
}

fn one_failing_condition_rolls_back_all_streams(bench: &Bench<'_>) {
    let (store, (one, two)) = (bench.store(), two_streams());
    save(&store, &two, &[event()]);
    let before = snapshot(&store);
    let parts = vec![(&one, events(2), stream_is_empty()), (&two, events(2), stream_is_empty())];
    assert_eq!(support::unmet(publish(&store, parts)).stream, two);
    assert_eq!(read_log(&store).len(), 1);
    assert_eq!(snapshot(&store), before);
}

fn a_category_save_writes_if_all_streams_are_empty(bench: &Bench<'_>) {
    let (store, (one, two)) = (bench.store(), two_streams());
    save(&store, &stream_in(CATEGORY), &[event()]);
    let parts = vec![(&one, events(1), stream_is_empty()), (&two, events(2), stream_is_empty())];
    publish(&store, parts).unwrap();
    assert_eq!((read(&store, &one).len(), read(&store, &two).len()), (1, 2));
}

fn a_category_save_writes_if_position_and_empty_conditions_hold(bench: &Bench<'_>) {
    let (store, (one, two)) = (bench.store(), two_streams());
    save(&store, &one, &[event()]);
    let parts = vec![(&one, events(1), position_is(0)), (&two, events(1), stream_is_empty())];
    publish(&store, parts).unwrap();
    assert_eq!(positions(&read(&store, &one)), [0, 1]);
    assert_eq!(positions(&read(&store, &two)), [0]);
}

fn a_category_save_writes_nothing_if_any_empty_condition_is_unmet(bench: &Bench<'_>) {
    for unmet_first in [true, false] {
        let (store, (full, empty)) = (bench.store(), two_streams());
        save(&store, &full, &[event()]);
        let before = snapshot(&store);
        let mut parts = vec![(&full, events(1), stream_is_empty()), (&empty, events(1), stream_is_empty())];
        if !unmet_first {
            parts.reverse();
        }
        assert_eq!(support::unmet(publish(&store, parts)).stream, full);
        assert_eq!(snapshot(&store), before);
    }
}

fn a_category_save_writes_nothing_if_any_position_condition_is_unmet(bench: &Bench<'_>) {
    for wrong in 0..2 {
        let (store, (one, two)) = (bench.store(), two_streams());
        append(&store, &one, &events(2), None).unwrap();
        append(&store, &two, &events(2), None).unwrap();
        let before = snapshot(&store);
        let expected = |index| position_is(if index == wrong { 0 } else { 1 });
        let parts = vec![(&one, events(1), expected(0)), (&two, events(1), expected(1))];
        let unmet = support::unmet(publish(&store, parts));
        assert_eq!(unmet.actual.map(|position| position.get()), Some(1));
        assert_eq!(snapshot(&store), before);
    }
}

fn a_category_save_without_events_writes_nothing(bench: &Bench<'_>) {
    let (store, (one, two)) = (bench.store(), two_streams());
    assert_eq!(publish(&store, vec![]).unwrap().count(), 0);
    let parts = vec![(&one, vec![], stream_is_empty()), (&two, vec![], Condition::any())];
    assert_eq!(publish(&store, parts).unwrap().count(), 0);
    assert!(read_log(&store).is_empty() && support::transactions(&store).is_empty());
    let parts = vec![(&one, vec![event()], stream_is_empty()), (&two, vec![], position_is(0))];
    assert_eq!(support::unmet(publish(&store, parts)).stream, two);
    assert!(read_log(&store).is_empty());
}
