//! Cases about appending stored transactions as they are: copies, and what does not continue a log.

use super::support::{append, builder, event, events, read_log, save, snapshot, stream, transactions};
use super::{Bench, Outcome, case_list, support};
use crate::store::EventStore;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::{EventFields, StoredEvent};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{StoredTransaction, SystemRecord, transaction};
use std::time::Duration;

case_list!(verbatim:
    a_copied_log_is_equal_event_by_event_and_transaction_by_transaction,
    a_log_can_be_copied_piece_by_piece,
    a_copy_remembers_transaction_ids,
    a_copied_log_goes_on_as_any_other,
    transactions_that_do_not_continue_the_log_are_refused,
    a_wrong_transaction_leaves_at_most_those_before_it,
    copying_nothing_changes_nothing,
);

/// A log with all that a transaction can hold, as far as the adapter holds it.
fn filled(bench: &Bench<'_>) -> EventStore {
    let store = bench.store();
    let able = store.capabilities();
    for index in 0..6 {
        save(&store, &Stream::new("c", format!("s-{}", index % 3)), &events(3));
        let mut whole = transaction().stream("c", "s-1", events(1)).stream("d", "s-1", events(2));
        if able.transaction_ids {
            whole = whole.id(format!("t-{index}"));
        }
        if able.attributes {
            let rich = builder().with_id(format!("given-{index}")).with_attribute("a", index).with_metadata("").build();
            whole = whole.attribute("principal", "ada").stream("", "", [rich]);
        }
        if able.system_records {
            whole = whole.record(SystemRecord::set("n", format!("k-{}", index % 2), format!("v-{index}")));
            store.append(transaction().record(SystemRecord::remove("n", "k-1"))).unwrap();
        }
        store.append(whole).unwrap();
    }
    store
}

/// Copies, or says that the adapter cannot.
fn copy(to: &EventStore, transactions: &[StoredTransaction]) -> Result<(), Outcome> {
    match to.append_verbatim(transactions) {
        Ok(revision) => {
            assert_eq!(revision, to.revision().unwrap());
            Ok(())
        }
        refused @ Err(AppendError::Unsupported { .. }) => Err(support::lacks(refused)),
        Err(error) => panic!("not copied: {error}"),
    }
}

fn assert_copied(from: &EventStore, to: &EventStore) {
    assert_eq!(snapshot(to), snapshot(from));
    for (copied, original) in read_log(to).iter().zip(&read_log(from)) {
        assert_eq!(copied.transaction_id(), original.transaction_id());
        assert_eq!(copied.transaction_revision(), original.transaction_revision());
        assert_eq!(copied.has_given_id(), original.has_given_id());
        assert_eq!(copied.has_given_observed_at(), original.has_given_observed_at());
        assert_eq!(copied.has_given_occurred_at(), original.has_given_occurred_at());
    }
    if from.capabilities().system_records {
        assert_eq!(to.records("n").unwrap(), from.records("n").unwrap());
    }
}

fn a_copied_log_is_equal_event_by_event_and_transaction_by_transaction(bench: &Bench<'_>) -> Outcome {
    let (from, to) = (filled(bench), bench.store());
    match copy(&to, &transactions(&from)) {
        Ok(()) => assert_copied(&from, &to),
        Err(outcome) => return outcome,
    }
    Outcome::Passed
}

fn a_log_can_be_copied_piece_by_piece(bench: &Bench<'_>) -> Outcome {
    let (from, to) = (filled(bench), bench.store());
    for piece in transactions(&from).chunks(4) {
        if let Err(outcome) = copy(&to, piece) {
            return outcome;
        }
    }
    assert_copied(&from, &to);
    Outcome::Passed
}

fn a_copy_remembers_transaction_ids(bench: &Bench<'_>) -> Outcome {
    let (from, to) = (bench.store(), bench.store());
    let given = events(2);
    let whole = || transaction().id("t").stream("c", "s", given.clone());
    if !from.capabilities().transaction_ids {
        return support::lacks(from.append(whole()));
    }
    let first = from.append(whole()).unwrap();
    let all = transactions(&from);
    if let Err(outcome) = copy(&to, &all) {
        return outcome;
    }
    let again = to.append(whole()).unwrap();
    assert!(again.is_repeat() && again == first);
    let mut second = all[0].clone();
    second.basis = Revision::new(2);
    second.events = vec![];
    let outcome = to.append_verbatim(&[second]);
    assert!(matches!(outcome, Err(AppendError::DuplicateTransaction { .. })), "{outcome:?}");
    assert_copied(&from, &to);
    Outcome::Passed
}

fn a_copied_log_goes_on_as_any_other(bench: &Bench<'_>) -> Outcome {
    let (from, to) = (filled(bench), bench.store());
    if let Err(outcome) = copy(&to, &transactions(&from)) {
        return outcome;
    }
    let one = Stream::new("c", "s-1");
    let last = support::read(&from, &one).last().map(StoredEvent::position);
    let receipt = append(&to, &one, &[event()], crate::vocabulary::condition::position_is(last)).unwrap();
    assert_eq!(receipt.basis(), from.revision().unwrap());
    assert_eq!(receipt.last_position().map(|position| position.get()), last.map(|last| last.get() + 1));
    Outcome::Passed
}

/// The event with fields changed.
fn changed(event: &StoredEvent, change: impl FnOnce(&mut EventFields<'_>)) -> StoredEvent {
    let event = event.as_ref();
    let mut fields = EventFields::of(&event);
    change(&mut fields);
    StoredEvent::from_fields(fields)
}

/// The transaction after those of a short log, wrong in one way each.
fn wrong_ones(next: &StoredTransaction, last: Timestamp) -> Vec<(&'static str, StoredTransaction)> {
    let with = |change: &dyn Fn(&mut StoredTransaction)| {
        let mut wrong = next.clone();
        change(&mut wrong);
        wrong
    };
    let earlier = Timestamp::from_unix_nanoseconds(last.unix_nanoseconds() - 1).unwrap();
    vec![
        ("basis too low", with(&|wrong| wrong.basis = Revision::new(wrong.basis.get() - 1))),
        ("basis too high", with(&|wrong| wrong.basis = Revision::new(wrong.basis.get() + 1))),
        ("basis of an empty log", with(&|wrong| wrong.basis = Revision::EMPTY)),
        (
            "sequence too low",
            with(&|wrong| wrong.events[0] = changed(&next.events[0], |event| event.sequence_number -= 1)),
        ),
        ("sequence gap", with(&|wrong| wrong.events[1] = changed(&next.events[1], |event| event.sequence_number += 1))),
        ("position too low", with(&|wrong| wrong.events[0] = changed(&next.events[0], |event| event.position -= 1))),
        ("position gap", with(&|wrong| wrong.events[1] = changed(&next.events[1], |event| event.position += 1))),
        ("another stream", with(&|wrong| wrong.events[1] = changed(&next.events[1], |event| event.stream = "another"))),
        ("events swapped", with(&|wrong| wrong.events.swap(0, 1))),
        ("an event missing", with(&|wrong| drop(wrong.events.remove(0)))),
        ("an earlier time", with(&|wrong| wrong.recorded_at = earlier)),
        ("an id without a digest", with(&|wrong| wrong.id = Some("t".into()))),
    ]
}

fn transactions_that_do_not_continue_the_log_are_refused(bench: &Bench<'_>) -> Outcome {
    let (from, to) = (bench.store(), bench.store());
    let one = stream();
    for count in [2, 1, 3] {
        append(&from, &one, &events(count), None).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let all = transactions(&from);
    if let Err(outcome) = copy(&to, &all[..2]) {
        return outcome;
    }
    let before = snapshot(&to);
    for (what, wrong) in wrong_ones(&all[2], all[1].recorded_at()) {
        let outcome = to.append_verbatim(&[wrong]);
        assert!(matches!(outcome, Err(AppendError::NotContiguous { .. })), "{what}: {outcome:?}");
        assert_eq!(snapshot(&to), before, "{what}");
    }
    for again in &all[..2] {
        let outcome = to.append_verbatim(std::slice::from_ref(again));
        assert!(matches!(outcome, Err(AppendError::NotContiguous { .. })), "{outcome:?}");
    }
    assert_eq!(copy(&to, &all[2..]), Ok(()));
    assert_copied(&from, &to);
    Outcome::Passed
}

fn a_wrong_transaction_leaves_at_most_those_before_it(bench: &Bench<'_>) -> Outcome {
    let (from, to) = (filled(bench), bench.store());
    let all = transactions(&from);
    let mut broken = all.clone();
    broken.remove(6);
    match to.append_verbatim(&broken) {
        Err(AppendError::NotContiguous { .. }) => {}
        refused @ Err(AppendError::Unsupported { .. }) => return support::lacks(refused),
        other => panic!("expected a refusal, found {other:?}"),
    }
    let there = transactions(&to);
    assert!(there.len() <= 6);
    assert_eq!(there, all[..there.len()]);
    assert_eq!(copy(&to, &all[there.len()..]), Ok(()));
    assert_copied(&from, &to);
    Outcome::Passed
}

fn copying_nothing_changes_nothing(bench: &Bench<'_>) -> Outcome {
    let store = filled(bench);
    let before = snapshot(&store);
    match copy(&store, &[]) {
        Ok(()) => assert_eq!(snapshot(&store), before),
        Err(outcome) => return outcome,
    }
    Outcome::Passed
}
