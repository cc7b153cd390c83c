//! Cases about transactions over several streams and categories, and how they are read back.

use super::support::{event, events, positions, read, read_log, save, snapshot, stream, unmet};
use super::{Bench, Outcome, case_list, support};
use crate::store::EventStore;
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, position_is, stream_exists, stream_is_empty};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::transaction::{StoredTransaction, transaction};

case_list!(transactions:
    a_transaction_writes_to_several_categories,
    a_transaction_with_an_unmet_condition_writes_to_none,
    a_condition_without_events_guards_the_whole_transaction,
    events_keep_the_order_in_which_they_were_added,
    transactions_are_read_back_in_order,
    transactions_can_be_read_from_a_revision_on,
    a_transaction_is_found_by_its_id,
    attributes_of_a_transaction_are_kept,
    a_large_transaction_is_one_transaction,
);

/// Three streams of three categories, the first of which holds two events.
fn three_streams(store: &EventStore) -> [Stream; 3] {
    let streams = [stream(), stream(), stream()];
    save(store, &streams[0], &events(2));
    streams
}

fn a_transaction_writes_to_several_categories(bench: &Bench<'_>) {
    let store = bench.store();
    let [one, two, three] = three_streams(&store);
    let receipt = store
        .append(
            transaction()
                .stream_if(one.category(), one.stream(), events(1), position_is(1))
                .stream_if(two.category(), two.stream(), events(2), stream_is_empty())
                .stream(three.category(), three.stream(), events(3)),
        )
        .unwrap();
    assert_eq!((receipt.basis().get(), receipt.count()), (2, 6));
    assert_eq!(positions(&read(&store, &one)), [0, 1, 2]);
    assert_eq!(positions(&read(&store, &two)), [0, 1]);
    assert_eq!(positions(&read(&store, &three)), [0, 1, 2]);
    assert_eq!(receipt.last_position().map(|position| position.get()), Some(2));
    let written = store.events_of(&receipt).unwrap();
    assert_eq!(written, read_log(&store)[2..]);
    assert!(written.iter().all(|event| event.transaction_revision() == receipt.revision()));
}

fn a_transaction_with_an_unmet_condition_writes_to_none(bench: &Bench<'_>) {
    let store = bench.store();
    let streams = three_streams(&store);
    let before = snapshot(&store);
    let wrong = [stream_is_empty(), stream_exists(), position_is(0)];
    for (place, wrong) in wrong.into_iter().enumerate() {
        let mut whole = transaction();
        for (index, stream) in streams.iter().enumerate() {
            let condition = if index == place { wrong.clone() } else { Condition::any() };
            whole = whole.stream_if(stream.category(), stream.stream(), events(2), condition);
        }
        assert_eq!(unmet(store.append(whole)).stream, streams[place]);
        assert_eq!(snapshot(&store), before);
    }
}

fn a_condition_without_events_guards_the_whole_transaction(bench: &Bench<'_>) {
    let store = bench.store();
    let [one, two, _] = three_streams(&store);
    let guarded = |condition| {
        let whole = transaction().stream(two.category(), two.stream(), events(1));
        store.append(whole.stream_if(one.category(), one.stream(), [], condition))
    };
    let before = snapshot(&store);
    assert_eq!(unmet(guarded(position_is(0))).stream, one);
    assert_eq!(snapshot(&store), before);
    assert_eq!(guarded(position_is(1)).unwrap().count(), 1);
    assert_eq!((read(&store, &one).len(), read(&store, &two).len()), (2, 1));
}

fn events_keep_the_order_in_which_they_were_added(bench: &Bench<'_>) {
    let (store, one, two) = (bench.store(), stream(), stream());
    let submitted = events(5);
    let order = [&one, &two, &one, &one, &two];
    let mut whole = transaction();
    for (stream, event) in order.iter().zip(&submitted) {
        whole = whole.stream(stream.category(), stream.stream(), [event.clone()]);
    }
    store.append(whole).unwrap();
    let found = read_log(&store);
    for ((found, stream), submitted) in found.iter().zip(order).zip(&submitted) {
        assert_eq!((found.stream_id(), found.name()), (stream.clone(), submitted.name()));
    }
    assert_eq!(positions(&found), [0, 0, 1, 2, 1]);
}

fn transactions_are_read_back_in_order(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    assert!(support::transactions(&store).is_empty());
    let mut receipts = Vec::new();
    for count in [1, 4, 2] {
        receipts.push(support::append(&store, &one, &events(count), None).unwrap());
    }
    let found = support::transactions(&store);
    assert_eq!(found.len(), 3);
    for (found, receipt) in found.iter().zip(&receipts) {
        assert_eq!((found.basis(), found.revision()), (receipt.basis(), receipt.revision()));
        assert_eq!(found.recorded_at(), receipt.recorded_at());
        assert_eq!((found.id(), found.digest()), (None, None));
        assert_eq!(found.events(), store.events_of(receipt).unwrap());
        assert!(found.records().is_empty() && found.attributes().is_empty());
    }
}

fn transactions_can_be_read_from_a_revision_on(bench: &Bench<'_>) {
    let store = bench.store();
    for count in [1, 4, 2, 1] {
        save(&store, &stream(), &events(count));
    }
    let all = support::transactions(&store);
    for from in 0..=8 {
        let found: Vec<StoredTransaction> =
            store.transactions(Revision::new(from)).unwrap().map(Result::unwrap).collect();
        let expected: Vec<_> = all.iter().filter(|known| known.revision().get() > from).cloned().collect();
        assert_eq!(found, expected, "from {from}");
    }
    assert_eq!(store.transactions(Revision::new(100)).unwrap().count(), 0);
}

fn a_transaction_is_found_by_its_id(bench: &Bench<'_>) -> Outcome {
    let (store, one) = (bench.store(), stream());
    let whole = || transaction().stream(one.category(), one.stream(), events(2));
    if !store.capabilities().transaction_ids {
        return support::lacks(store.append(whole().id("t")));
    }
    store.append(whole()).unwrap();
    for id in ["t-1", "", "t-\u{fc}\0", &"t".repeat(255)] {
        assert_eq!(store.transaction(id).unwrap(), None);
        let receipt = store.append(whole().id(id)).unwrap();
        assert_eq!(receipt.transaction_id(), Some(id));
        let found = store.transaction(id).unwrap().unwrap();
        assert_eq!((found.id(), found.basis()), (Some(id), receipt.basis()));
        assert!(found.digest().is_some());
        assert_eq!(found.events(), store.events_of(&receipt).unwrap());
        assert!(found.events().iter().all(|event| event.transaction_id() == Some(id)));
        assert_eq!(support::transactions(&store).last(), Some(&found));
    }
    assert_eq!(store.transaction("t").unwrap(), None);
    Outcome::Passed
}

fn attributes_of_a_transaction_are_kept(bench: &Bench<'_>) -> Outcome {
    let (store, one) = (bench.store(), stream());
    let whole = transaction().attribute("principal", "ada").attribute("attempt", 2).attribute("a", true);
    let outcome = store.append(whole.stream(one.category(), one.stream(), [event()]));
    if !store.capabilities().attributes {
        return support::lacks(outcome);
    }
    outcome.unwrap();
    let found = &support::transactions(&store)[0];
    let expected = Attributes::new().with("principal", "ada").with("attempt", 2).with("a", true);
    assert_eq!(found.attributes(), &expected);
    assert!(found.events()[0].attributes().is_empty());
    Outcome::Passed
}

fn a_large_transaction_is_one_transaction(bench: &Bench<'_>) {
    let (store, one, two) = (bench.store(), stream(), stream());
    let whole = transaction().stream(one.category(), one.stream(), events(2_000)).stream(
        two.category(),
        two.stream(),
        events(1_000),
    );
    let receipt = store.append(whole).unwrap();
    assert_eq!((receipt.count(), store.revision().unwrap().get()), (3_000, 3_000));
    assert_eq!((read(&store, &one).len(), read(&store, &two).len()), (2_000, 1_000));
    let found = support::transactions(&store);
    assert_eq!((found.len(), found[0].events().len()), (1, 3_000));
}
