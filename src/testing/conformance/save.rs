//! Cases about saving to one stream.

use super::support::{append, builder, event, events, numbers, positions, read, read_log, save, snapshot, stream};
use super::{Bench, Outcome, case_list, support};
use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
use crate::vocabulary::payload::Payload;
use std::collections::BTreeSet;

case_list!(save:
    stores_single_event_for_later_retrieval,
    stores_multiple_events_in_same_stream,
    stores_multiple_events_in_sequential_saves,
    numbers_start_at_zero_and_have_no_gaps,
    omitted_metadata_reads_back_as_absent,
    empty_metadata_stays_empty,
    an_empty_save_writes_nothing_and_consumes_no_number,
    an_empty_save_still_checks_its_condition,
    ids_are_distinct_and_given_ones_are_kept,
    changing_the_payload_after_publishing_changes_nothing,
    the_receipt_says_what_was_written,
);

fn stores_single_event_for_later_retrieval(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save(&store, &stream, &[event()]);
    assert_eq!(positions(&saved), [0]);
    assert_eq!(read(&store, &stream), saved);
}

fn stores_multiple_events_in_same_stream(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let saved = save(&store, &stream, &events(2));
    assert_eq!(positions(&saved), [0, 1]);
    assert_eq!(read(&store, &stream), saved);
}

fn stores_multiple_events_in_sequential_saves(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let mut saved = save(&store, &stream, &[event()]);
    saved.extend(save(&store, &stream, &[event()]));
    assert_eq!(positions(&saved), [0, 1]);
    assert_eq!(read(&store, &stream), saved);
}

fn numbers_start_at_zero_and_have_no_gaps(bench: &Bench<'_>) -> Outcome {
    let store = bench.store();
    let (one, two) = (stream(), stream());
    for count in [1, 3, 2] {
        save(&store, &one, &events(count));
        support::unmet(append(&store, &two, &events(2), position_is(77)));
        save(&store, &two, &events(count));
    }
    assert_eq!(positions(&read(&store, &one)), [0, 1, 2, 3, 4, 5]);
    assert_eq!(positions(&read(&store, &two)), [0, 1, 2, 3, 4, 5]);
    let found = numbers(&read_log(&store));
    assert!(found.is_sorted_by(|one, two| one < two));
    if !store.capabilities().gapless {
        return Outcome::NotApplicable("sequence numbers may have gaps".into());
    }
    assert_eq!(found, (0..12).collect::<Vec<u64>>());
    assert_eq!(store.revision().unwrap().get(), 12);
    Outcome::Passed
}

fn omitted_metadata_reads_back_as_absent(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream, &[event()]);
    assert_eq!(read(&store, &stream)[0].metadata(), None);
}

fn empty_metadata_stays_empty(bench: &Bench<'_>) -> Outcome {
    let (store, stream) = (bench.store(), stream());
    let with = |metadata: &'static str| builder().with_metadata(metadata).build();
    if !store.capabilities().attributes {
        return support::lacks(append(&store, &stream, &[with("{}")], None));
    }
    let metadata = ["", "{}", "null", "\0\u{1f980}"];
    let saved = save(&store, &stream, &metadata.map(with));
    let found = read(&store, &stream);
    for (event, metadata) in found.iter().zip(metadata) {
        assert_eq!(event.metadata(), Some(metadata.as_bytes()));
    }
    assert_eq!(found, saved);
    Outcome::Passed
}

fn an_empty_save_writes_nothing_and_consumes_no_number(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    for condition in [Condition::any(), stream_is_empty()] {
        let receipt = append(&store, &stream, &[], condition).unwrap();
        assert_eq!((receipt.count(), receipt.basis().get(), receipt.revision().get()), (0, 0, 0));
        assert_eq!((receipt.first_sequence_number(), receipt.last_position()), (None, None));
    }
    assert!(store.categories().unwrap().is_empty() && support::transactions(&store).is_empty());
    save(&store, &stream, &[event()]);
    let before = snapshot(&store);
    assert_eq!(append(&store, &stream, &[], position_is(0)).unwrap().count(), 0);
    assert_eq!(snapshot(&store), before);
    assert_eq!(positions(&save(&store, &stream, &[event()])), [1]);
}

fn an_empty_save_still_checks_its_condition(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    assert_eq!(support::unmet(append(&store, &stream, &[], position_is(0))).actual, None);
    let saved = save(&store, &stream, &[event()]);
    let unmet = support::unmet(append(&store, &stream, &[], stream_is_empty()));
    assert_eq!(unmet.actual, Some(saved[0].position()));
    assert_eq!(read_log(&store), saved);
}

fn ids_are_distinct_and_given_ones_are_kept(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    for _ in 0..20 {
        save(&store, &stream, &events(10));
    }
    let ids: BTreeSet<_> = read(&store, &stream).iter().map(|event| event.id()).collect();
    assert_eq!(ids.len(), 200);
    let given = ["order-7", "", "0190d2c1-7b5e-7000-8000-0123456789ab", "0190D2C1-7B5E-7000-8000-0123456789AB", "ü"];
    let saved = save(&store, &stream, &given.map(|id| builder().with_id(id).build()));
    let found = read(&store, &stream).split_off(200);
    assert_eq!(found, saved);
    for (event, id) in found.iter().zip(given) {
        assert_eq!(event.id().to_string(), id);
        assert!(event.has_given_id());
    }
    assert!(!read(&store, &stream)[0].has_given_id());
}

fn changing_the_payload_after_publishing_changes_nothing(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let mut text = String::from("\"before\"");
    save(&store, &stream, &[builder().with_payload(Payload::json_text(text.as_str()).unwrap()).build()]);
    text.clear();
    text.push_str("\"beyond\"");
    let found = read(&store, &stream);
    assert_eq!(found[0].payload().to_json().unwrap(), serde_json::json!("before"));
}

fn the_receipt_says_what_was_written(bench: &Bench<'_>) {
    let (store, one, two) = (bench.store(), stream(), stream());
    save(&store, &one, &events(3));
    let receipt = append(&store, &two, &events(2), None).unwrap();
    assert_eq!((receipt.basis().get(), receipt.revision().get(), receipt.count()), (3, 5, 2));
    assert_eq!(receipt.first_sequence_number().map(|number| number.get()), Some(3));
    assert_eq!(receipt.last_sequence_number().map(|number| number.get()), Some(4));
    assert_eq!(receipt.last_position().map(|position| position.get()), Some(1));
    assert_eq!(receipt.durability(), store.durability());
    assert!(!receipt.is_repeat() && receipt.transaction_id().is_none());
    let found = store.events_of(&receipt).unwrap();
    assert_eq!(found, read(&store, &two));
    for event in &found {
        assert_eq!(event.recorded_at(), receipt.recorded_at());
        assert_eq!((event.transaction_basis(), event.transaction_revision()), (receipt.basis(), receipt.revision()));
        assert_eq!(event.transaction_id(), None);
    }
}
