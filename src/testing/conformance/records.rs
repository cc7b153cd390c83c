//! Cases about system records: as atomic as events, and invisible to all who read events.

use super::support::{event, events, read_log, save, snapshot, stream, unmet};
use super::{Bench, Outcome, case_list, support};
use crate::store::EventStore;
use crate::vocabulary::condition::position_is;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::number::Revision;
use crate::vocabulary::transaction::{SystemRecord, transaction};
use bytes::Bytes;

case_list!(records:
    a_record_is_set_replaced_and_removed,
    records_of_a_namespace_are_listed_by_key,
    records_are_invisible_to_readers_of_events,
    records_and_events_are_written_all_or_none,
    the_last_record_of_a_key_in_a_transaction_counts,
    the_stores_own_namespace_is_refused,
    a_transaction_of_records_alone_is_repeatable,
);

/// A store with system records, or why there is none.
fn store(bench: &Bench<'_>) -> Result<EventStore, Outcome> {
    let store = bench.store();
    if store.capabilities().system_records {
        return Ok(store);
    }
    Err(support::lacks(store.append(transaction().record(SystemRecord::set("n", "k", "v")))))
}

fn set(store: &EventStore, namespace: &str, key: &str, value: &'static str) {
    store.append(transaction().record(SystemRecord::set(namespace, key, value))).unwrap();
}

fn get(store: &EventStore, namespace: &str, key: &str) -> Option<Bytes> {
    store.record(namespace, key).unwrap()
}

fn a_record_is_set_replaced_and_removed(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    assert_eq!(get(&store, "n", "k"), None);
    for value in ["one", "two", "", "one"] {
        set(&store, "n", "k", value);
        assert_eq!(get(&store, "n", "k"), Some(Bytes::from(value)));
    }
    set(&store, "n", "other", "kept");
    for _ in 0..2 {
        store.append(transaction().record(SystemRecord::remove("n", "k"))).unwrap();
        assert_eq!(get(&store, "n", "k"), None);
    }
    assert_eq!(get(&store, "n", "other"), Some(Bytes::from("kept")));
    set(&store, "n", "k", "again");
    assert_eq!(get(&store, "n", "k"), Some(Bytes::from("again")));
    Outcome::Passed
}

fn records_of_a_namespace_are_listed_by_key(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    assert!(store.records("n").unwrap().is_empty());
    // Joined, some of these are the same text: a namespace ends where it ends.
    let keys = ["", "\0", "-", "10", "9", "a", "é"];
    for key in keys.iter().rev() {
        set(&store, "n", key, "v");
        set(&store, "na", key, "w");
    }
    set(&store, "", "na", "x");
    store.append(transaction().record(SystemRecord::remove("n", "9"))).unwrap();
    let found = store.records("n").unwrap();
    let names: Vec<&str> = found.iter().map(|(key, _)| &**key).collect();
    assert_eq!(names, ["", "\0", "-", "10", "a", "é"]);
    assert!(found.iter().all(|(_, value)| value == "v"));
    assert_eq!(store.records("na").unwrap().len(), keys.len());
    assert_eq!(store.records("").unwrap(), [("na".into(), Bytes::from("x"))]);
    Outcome::Passed
}

fn records_are_invisible_to_readers_of_events(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    set(&store, "n", "k", "v");
    assert_eq!(store.revision().unwrap(), Revision::EMPTY);
    assert!(store.log().latest().unwrap().is_none() && store.categories().unwrap().is_empty());
    let one = stream();
    let mut saved = save(&store, &one, &events(2));
    let receipt = store.append(transaction().record(SystemRecord::set("n", "k", "w"))).unwrap();
    assert_eq!((receipt.count(), receipt.basis(), receipt.revision()), (0, Revision::new(2), Revision::new(2)));
    assert_eq!((receipt.first_sequence_number(), receipt.last_position()), (None, None));
    saved.extend(save(&store, &one, &[event()]));
    assert_eq!(read_log(&store), saved);
    assert_eq!(super::support::numbers(&saved), [0, 1, 2]);
    assert_eq!(store.stats().unwrap().transactions, 2);
    assert_eq!(store.stats().unwrap().events, 3);
    let found = support::transactions(&store);
    let shape: Vec<_> = found.iter().map(|known| (known.events().len(), known.records().len())).collect();
    assert_eq!(shape, [(0, 1), (2, 0), (0, 1), (1, 0)]);
    assert_eq!(found[2].records(), [SystemRecord::set("n", "k", "w")]);
    Outcome::Passed
}

fn records_and_events_are_written_all_or_none(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let whole = |condition| {
        let whole = transaction().record(SystemRecord::set("n", "k", "v"));
        whole.stream_if("c", "s", [event()], condition)
    };
    let before = snapshot(&store);
    unmet(store.append(whole(position_is(3))));
    assert_eq!(get(&store, "n", "k"), None);
    assert_eq!(snapshot(&store), before);
    store.append(whole(position_is(None))).unwrap();
    assert_eq!(get(&store, "n", "k"), Some(Bytes::from("v")));
    let found = support::transactions(&store);
    assert_eq!((found.len(), found[0].events().len(), found[0].records().len()), (1, 1, 1));
    Outcome::Passed
}

fn the_last_record_of_a_key_in_a_transaction_counts(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let whole = transaction()
        .record(SystemRecord::set("n", "kept", "one"))
        .record(SystemRecord::remove("n", "kept"))
        .record(SystemRecord::set("n", "kept", "two"))
        .record(SystemRecord::set("n", "gone", "one"))
        .record(SystemRecord::remove("n", "gone"));
    store.append(whole).unwrap();
    assert_eq!(get(&store, "n", "kept"), Some(Bytes::from("two")));
    assert_eq!(get(&store, "n", "gone"), None);
    assert_eq!(support::transactions(&store)[0].records().len(), 5);
    Outcome::Passed
}

fn the_stores_own_namespace_is_refused(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    for record in [SystemRecord::set("stratalog", "k", "v"), SystemRecord::remove("stratalog", "k")] {
        let outcome = store.append(transaction().stream("c", "s", [event()]).record(record));
        let Err(AppendError::ReservedNamespace { namespace }) = outcome else {
            panic!("expected that the namespace is refused, found {outcome:?}");
        };
        assert_eq!(&*namespace, "stratalog");
        assert!(read_log(&store).is_empty());
    }
    set(&store, "stratalog2", "k", "v");
    Outcome::Passed
}

fn a_transaction_of_records_alone_is_repeatable(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) if store.capabilities().transaction_ids => store,
        Ok(store) => return support::lacks(store.append(support::one_event().id("t"))),
        Err(outcome) => return outcome,
    };
    let whole = |value: &'static str| transaction().id("t").record(SystemRecord::set("n", "k", value));
    let first = store.append(whole("v")).unwrap();
    set(&store, "n", "k", "later");
    let again = store.append(whole("v")).unwrap();
    assert!(again.is_repeat() && again == first);
    assert_eq!(get(&store, "n", "k"), Some(Bytes::from("later")));
    assert!(matches!(store.append(whole("w")), Err(AppendError::DuplicateTransaction { .. })));
    assert_eq!(store.transaction("t").unwrap().unwrap().records(), [SystemRecord::set("n", "k", "v")]);
    Outcome::Passed
}
