//! Cases about transaction ids: what is repeated is not written again.

use super::support::{append, builder, event, read_log, save, snapshot, stream, unmet};
use super::{Bench, Outcome, case_list, support};
use crate::store::EventStore;
use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::payload::Payload;
use crate::vocabulary::transaction::{SystemRecord, Transaction, transaction};

case_list!(repeats:
    a_repeated_transaction_returns_the_first_receipt,
    a_repeat_is_recognised_among_many_others,
    other_content_under_the_same_id_is_refused,
    a_transaction_id_is_looked_up_before_conditions,
    a_refused_transaction_does_not_take_its_id,
    an_empty_transaction_does_not_take_its_id,
    transactions_without_an_id_are_never_repeats,
);

/// A store with transaction ids, or why there is none.
fn store(bench: &Bench<'_>) -> Result<EventStore, Outcome> {
    let store = bench.store();
    if store.capabilities().transaction_ids {
        return Ok(store);
    }
    Err(support::lacks(store.append(support::one_event().id("t"))))
}

/// An event that is the same at every call, but for the time at which it is made.
fn same_event() -> NewEvent {
    builder().with_name("same").with_payload(Payload::json_text("{\"cents\":5}").unwrap()).build()
}

fn same(id: &str) -> Transaction {
    transaction().id(id).attribute("attempt", 1).stream("c", "s", [same_event(), same_event()])
}

fn a_repeated_transaction_returns_the_first_receipt(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) if store.capabilities().attributes => store,
        Ok(store) => return support::lacks(store.append(same("t-1"))),
        Err(outcome) => return outcome,
    };
    let first = store.append(same("t-1")).unwrap();
    assert!(!first.is_repeat());
    save(&store, &Stream::new("c", "s"), &[event()]);
    let before = snapshot(&store);
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        let again = store.append(same("t-1")).unwrap();
        assert!(again.is_repeat());
        assert_eq!(again, first);
        assert_eq!(store.events_of(&again).unwrap(), read_log(&store)[..2]);
        assert_eq!(snapshot(&store), before);
    }
    let other = store.append(same("t-2")).unwrap();
    assert!(!other.is_repeat());
    assert_eq!(other.basis().get(), 3);
    Outcome::Passed
}

fn a_repeat_is_recognised_among_many_others(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let whole = |index: u32| {
        let event = builder().with_name("e").with_payload(Payload::encode(Default::default(), &index).unwrap()).build();
        transaction().id(format!("t-{index}")).stream("c", format!("s-{}", index % 7), [event])
    };
    let receipts: Vec<_> = (0..300).map(|index| store.append(whole(index)).unwrap()).collect();
    for (index, first) in (0..).zip(&receipts) {
        let again = store.append(whole(index)).unwrap();
        assert!(again.is_repeat() && again == *first, "t-{index}");
    }
    assert_eq!(read_log(&store).len(), 300);
    Outcome::Passed
}

fn other_content_under_the_same_id_is_refused(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let whole = |events: Vec<NewEvent>| transaction().id("t").stream("c", "s", events);
    let first = store.append(whole(vec![same_event()])).unwrap();
    let before = snapshot(&store);
    let now = crate::vocabulary::time::Timestamp::UNIX_EPOCH;
    let others = [
        whole(vec![]),
        whole(vec![same_event(), same_event()]),
        whole(vec![builder().with_name("another").with_payload(same_event().payload().to_payload()).build()]),
        whole(vec![builder().with_name("same").with_payload(Payload::json_text("{\"cents\":6}").unwrap()).build()]),
        whole(vec![same_event().with_id("given")]),
        whole(vec![same_event().with_occurred_at(now)]),
        whole(vec![same_event().with_observed_at(now)]),
        transaction().id("t").stream("c", "another", [same_event()]),
        transaction().id("t").stream("another", "s", [same_event()]),
    ];
    for other in others {
        match store.append(other.clone()) {
            Err(AppendError::DuplicateTransaction { id, first: found }) => {
                assert_eq!((&*id, &*found), ("t", &first));
            }
            outcome => panic!("expected a refusal of {other:?}, found {outcome:?}"),
        }
        assert_eq!(snapshot(&store), before);
    }
    if store.capabilities().attributes {
        let with = [same_event().with_attribute("a", 1), same_event().with_metadata("")];
        for event in with {
            let outcome = store.append(whole(vec![event]));
            assert!(matches!(outcome, Err(AppendError::DuplicateTransaction { .. })), "{outcome:?}");
        }
    }
    if store.capabilities().system_records {
        let outcome = store.append(whole(vec![same_event()]).record(SystemRecord::set("n", "k", "v")));
        assert!(matches!(outcome, Err(AppendError::DuplicateTransaction { .. })), "{outcome:?}");
    }
    assert!(store.append(whole(vec![same_event()])).unwrap().is_repeat());
    Outcome::Passed
}

fn a_transaction_id_is_looked_up_before_conditions(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let whole = |condition: Condition| transaction().id("t").stream_if("c", "s", [same_event()], condition);
    let first = store.append(whole(stream_is_empty())).unwrap();
    // The condition held at first and does not hold now; the repeat is not judged again.
    for condition in [stream_is_empty(), position_is(9), Condition::custom("no", |_| false)] {
        let again = store.append(whole(condition)).unwrap();
        assert!(again.is_repeat() && again == first);
    }
    let other = transaction().id("t").stream_if("c", "s", [event()], stream_is_empty());
    assert!(matches!(store.append(other), Err(AppendError::DuplicateTransaction { .. })));
    Outcome::Passed
}

fn a_refused_transaction_does_not_take_its_id(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    unmet(store.append(transaction().id("t").stream_if("c", "s", [same_event()], position_is(0))));
    assert_eq!(store.transaction("t").unwrap(), None);
    let receipt = store.append(transaction().id("t").stream("c", "s", [event()])).unwrap();
    assert!(!receipt.is_repeat());
    Outcome::Passed
}

fn an_empty_transaction_does_not_take_its_id(bench: &Bench<'_>) -> Outcome {
    let store = match store(bench) {
        Ok(store) => store,
        Err(outcome) => return outcome,
    };
    let receipt = store.append(transaction().id("t")).unwrap();
    assert_eq!((receipt.count(), receipt.is_repeat()), (0, false));
    assert_eq!(store.transaction("t").unwrap(), None);
    assert!(support::transactions(&store).is_empty());
    assert!(!store.append(transaction().id("t").stream("c", "s", [event()])).unwrap().is_repeat());
    Outcome::Passed
}

fn transactions_without_an_id_are_never_repeats(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let content = [same_event()];
    for count in 1..=3 {
        assert!(!append(&store, &one, &content, None).unwrap().is_repeat());
        assert_eq!(read_log(&store).len(), count);
    }
}
