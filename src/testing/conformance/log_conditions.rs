//! Cases about conditions on the log, over selectors, and about ids that are given only once.

use super::support::{at_once, light_event as event, read_log};
use super::{Bench, case_list};
use crate::store::EventStore;
use crate::vocabulary::append_condition::{
    AppendCondition, UnmetAppendCondition, at_revision, fail_if_events_match, must_exist, must_not_exist,
    unchanged_since,
};
use crate::vocabulary::condition::stream_is_empty;
use crate::vocabulary::error::{AppendError, Retry};
use crate::vocabulary::event::{EventId, NewEvent};
use crate::vocabulary::number::Revision;
use crate::vocabulary::selector::Selector;
use crate::vocabulary::transaction::{Receipt, Transaction, transaction};

case_list!(log_conditions:
    min_max_and_range_hold_as_the_table_says,
    named_conditions_are_what_they_say,
    conditions_on_the_log_see_the_state_before_the_transaction,
    every_unmet_condition_on_the_log_is_reported,
    conditions_on_streams_and_on_the_log_must_all_hold,
    conditions_without_events_are_checked_and_write_nothing,
    a_repeat_is_answered_before_conditions_on_the_log,
    deferred_appends_are_judged_by_conditions_on_the_log,
    a_selector_beyond_its_limits_is_refused,
    simultaneous_appends_that_must_not_exist_write_once,
    simultaneous_appends_under_unchanged_since_lose_no_update,
    given_ids_are_unique_within_their_category,
    given_ids_are_unique_within_a_transaction,
    given_ids_differ_from_those_the_store_made,
    simultaneous_appends_of_one_id_write_once,
);

fn revision(number: u64) -> Revision {
    Revision::new(number)
}

/// Four events: "opened" at revision 1 and 3 in stream "one", "closed" at 2 in "two", "noted" at 4 in no stream.
fn filled(bench: &Bench<'_>) -> EventStore {
    let store = bench.store();
    for (stream, name) in [("one", "opened"), ("two", "closed"), ("one", "opened"), ("", "noted")] {
        store.stream("accounts", stream).publish([named(name)]).unwrap();
    }
    store
}

fn named(name: &str) -> NewEvent {
    NewEvent::empty(name).with_clock(&super::support::Microseconds)
}

fn attempt(store: &EventStore, conditions: impl IntoIterator<Item = AppendCondition>) -> Result<Receipt, AppendError> {
    let tried = transaction().stream("accounts", "three", [event()]);
    store.append(conditions.into_iter().fold(tried, Transaction::when))
}

#[track_caller]
fn unmet(outcome: Result<Receipt, AppendError>) -> Vec<UnmetAppendCondition> {
    match outcome {
        Err(error @ AppendError::UnmetConditions(_)) => {
            assert!(error.is_conflict() && error.retry() == Retry::AfterReading);
            let AppendError::UnmetConditions(unmet) = error else { return Vec::new() };
            unmet
        }
        other => panic!("conditions on the log that do not hold are told: {other:?}"),
    }
}

fn min_max_and_range_hold_as_the_table_says(bench: &Bench<'_>) {
    let opened = || Selector::name("opened");
    let never = || Selector::name("renamed");
    let range = |selector, min, max| AppendCondition::range(selector, revision(min)..=revision(max)).unwrap();
    for (condition, holds) in [
        (AppendCondition::min(opened(), revision(0)), true),
        (AppendCondition::min(opened(), revision(3)), true),
        (AppendCondition::min(opened(), revision(4)), false),
        (AppendCondition::max(opened(), revision(2)), false),
        (AppendCondition::max(opened(), revision(3)), true),
        (AppendCondition::max(opened(), revision(u64::MAX)), true),
        (range(opened(), 2, 3), true),
        (range(opened(), 3, 9), true),
        (range(opened(), 1, 2), false),
        (range(opened(), 4, 9), false),
        // Nothing matches: Min and Range fail, Max holds.
        (AppendCondition::min(never(), revision(0)), false),
        (AppendCondition::max(never(), revision(0)), true),
        (range(never(), 0, u64::MAX), false),
        (at_revision(never(), revision(0)), false),
    ] {
        let store = filled(bench);
        let outcome = attempt(&store, [condition.clone()]);
        assert_eq!(outcome.is_ok(), holds, "{condition}: {outcome:?}");
        if !holds {
            let latest = (condition.selector() == &opened()).then(|| revision(3));
            let unmet = unmet(outcome);
            assert_eq!((unmet.len(), &unmet[0].condition, unmet[0].actual), (1, &condition, latest));
            assert_eq!(read_log(&store).len(), 4, "nothing is written");
        }
    }
}

fn named_conditions_are_what_they_say(bench: &Bench<'_>) {
    let store = filled(bench);
    let two = || Selector::category("accounts") & Selector::stream("two");
    for condition in [
        must_exist(two()),
        must_not_exist(Selector::stream("four")),
        fail_if_events_match(Selector::category("loans")),
        unchanged_since(two(), revision(2)),
        at_revision(two(), revision(2)),
        must_exist(Selector::no_stream()),
        must_not_exist(Selector::stream_prefix("\u{1}x") | Selector::name_prefix("\u{1}x")),
        must_exist(Selector::stream_prefix("tw") & Selector::category_prefix("acc")),
    ] {
        let before = store.revision().unwrap();
        attempt(&store, [condition.clone()]).unwrap();
        assert!(store.revision().unwrap() > before, "{condition}");
    }
    for condition in [
        must_exist(Selector::stream("four")),
        must_not_exist(two()),
        unchanged_since(two(), revision(1)),
        at_revision(two(), revision(3)),
        must_not_exist(Selector::no_stream()),
        must_exist(Selector::category("loans") & Selector::stream("two")),
    ] {
        unmet(attempt(&store, [condition]));
    }
}

fn conditions_on_the_log_see_the_state_before_the_transaction(bench: &Bench<'_>) {
    let store = bench.store();
    let create = || {
        let created = transaction().stream("accounts", "one", [named("opened"), named("opened")]);
        created.when(must_not_exist(Selector::name("opened")))
    };
    assert_eq!(store.append(create()).unwrap().count(), 2);
    assert_eq!(unmet(store.append(create()))[0].actual, Some(revision(2)));
    let needs_itself =
        transaction().stream("accounts", "one", [named("closed")]).when(must_exist(Selector::name("closed")));
    assert_eq!(unmet(store.append(needs_itself))[0].actual, None);
}

fn every_unmet_condition_on_the_log_is_reported(bench: &Bench<'_>) {
    let store = filled(bench);
    let conditions = [
        must_not_exist(Selector::name("opened")),
        must_exist(Selector::name("opened")),
        must_exist(Selector::name("renamed")),
        at_revision(Selector::stream("two"), revision(1)),
    ];
    let unmet = unmet(attempt(&store, conditions.clone()));
    let told: Vec<_> = unmet.iter().map(|unmet| (&unmet.condition, unmet.actual)).collect();
    let latest = [Some(revision(3)), None, Some(revision(2))];
    assert_eq!(told, [&conditions[0], &conditions[2], &conditions[3]].into_iter().zip(latest).collect::<Vec<_>>());
}

fn conditions_on_streams_and_on_the_log_must_all_hold(bench: &Bench<'_>) {
    let store = filled(bench);
    let with = |stream: &str, condition: AppendCondition| {
        store.append(transaction().stream_if("accounts", stream, [event()], stream_is_empty()).when(condition))
    };
    assert!(matches!(with("one", must_exist(Selector::name("opened"))), Err(AppendError::Unmet(_))));
    unmet(with("three", must_exist(Selector::name("renamed"))));
    with("three", must_exist(Selector::name("opened"))).unwrap();
}

fn conditions_without_events_are_checked_and_write_nothing(bench: &Bench<'_>) {
    let store = filled(bench);
    let receipt = store.append(transaction().when(must_exist(Selector::name("opened")))).unwrap();
    assert_eq!((receipt.count(), receipt.revision()), (0, revision(4)));
    unmet(store.append(transaction().when(must_not_exist(Selector::name("opened")))));
    assert_eq!(store.revision().unwrap(), revision(4));
}

fn a_repeat_is_answered_before_conditions_on_the_log(bench: &Bench<'_>) {
    if !bench.store().capabilities().transaction_ids {
        return;
    }
    let (store, event) = (bench.store(), named("opened"));
    let open = || {
        let opened = transaction().id("t-1").stream("accounts", "one", [event.clone()]);
        opened.when(must_not_exist(Selector::stream("one")))
    };
    let first = store.append(open()).unwrap();
    let again = store.append(open()).unwrap();
    assert!(again.is_repeat() && again == first);
}

fn deferred_appends_are_judged_by_conditions_on_the_log(bench: &Bench<'_>) {
    let store = bench.store();
    let open = || {
        let opened = transaction().stream("accounts", "one", [named("opened")]);
        store.append_deferred(opened.when(must_not_exist(Selector::stream("one")))).unwrap()
    };
    let tickets: Vec<_> = (0..20).map(|_| open()).collect();
    let outcomes: Vec<_> = tickets.iter().map(|ticket| ticket.durable()).collect();
    assert!(outcomes[0].is_ok(), "deferred appends of one thread are judged in the order of the calls");
    for outcome in outcomes.into_iter().skip(1) {
        assert_eq!(unmet(outcome)[0].actual, Some(revision(1)));
    }
}

fn a_selector_beyond_its_limits_is_refused(bench: &Bench<'_>) {
    let store = bench.store();
    let long = Selector::name("n".repeat(2 << 20));
    let outcome = attempt(&store, [must_not_exist(long.clone())]);
    assert!(matches!(outcome, Err(AppendError::Limit(_))), "{outcome:?}");
    let query = crate::vocabulary::select_query::SelectQuery::new(long);
    assert!(matches!(store.adapter().select(&query), Err(crate::vocabulary::error::ReadError::Limit(_))));
}

fn simultaneous_appends_that_must_not_exist_write_once(bench: &Bench<'_>) {
    let store = bench.store();
    for round in 0..bench.options.repeats {
        let stream = format!("account-{round}");
        let outcomes = at_once(bench.options.threads.min(8), |_| {
            let opened = transaction().stream("accounts", stream.as_str(), [event()]);
            store.append(opened.when(must_not_exist(Selector::stream(stream.as_str()))))
        });
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{outcomes:?}");
        for lost in outcomes.into_iter().filter(Result::is_err) {
            unmet(lost);
        }
    }
}

fn simultaneous_appends_under_unchanged_since_lose_no_update(bench: &Bench<'_>) {
    let (store, threads) = (bench.store(), bench.options.threads.min(8));
    let counted = || Selector::category("counters") & Selector::name("counted");
    let each = (bench.options.repeats / 10).max(2);
    at_once(threads, |_| {
        for _ in 0..each {
            loop {
                let seen = store.revision().unwrap();
                let count = store.category("counters").scan().at(seen).read().unwrap().len();
                let counted_again = transaction().stream("counters", format!("c{count}"), [named("counted")]);
                match store.append(counted_again.when(unchanged_since(counted(), seen))) {
                    Ok(_) => break,
                    Err(error) => assert!(error.is_conflict(), "{error:?}"),
                }
            }
        }
    });
    let streams = store.category("counters").streams().unwrap();
    assert_eq!(streams.len(), threads * each, "each saw all that came before it");
}

#[track_caller]
fn taken(outcome: Result<Receipt, AppendError>) -> (String, EventId, Option<Revision>) {
    match outcome {
        Err(AppendError::DuplicateEventId { category, id, revision }) => (category.to_string(), id, revision),
        other => panic!("an id that is taken is told: {other:?}"),
    }
}

fn given_ids_are_unique_within_their_category(bench: &Bench<'_>) {
    let store = bench.store();
    let with_id = |id: &str| event().with_id(id);
    for id in ["e-1", "0190d2c1-7b5e-7000-8000-0123456789ab", " e-1", "E-1"] {
        store.stream("accounts", "one").publish([event(), with_id(id)]).unwrap();
    }
    for (number, id) in (1..).zip(["e-1", "0190d2c1-7b5e-7000-8000-0123456789ab"]) {
        for stream in ["one", "another"] {
            let outcome = store.stream("accounts", stream).publish([event(), with_id(id)]);
            assert_eq!(taken(outcome), ("accounts".into(), id.into(), Some(revision(number * 2))));
        }
        store.stream("loans", "one").publish([with_id(id)]).unwrap();
        let found = store.adapter().event_with_id("accounts", &id.into()).unwrap().unwrap();
        assert_eq!((found.revision(), found.category()), (revision(number * 2), "accounts"));
    }
    assert_eq!(store.adapter().event_with_id("accounts", &"e-2".into()).unwrap(), None);
    assert_eq!(store.adapter().event_with_id("nowhere", &"e-1".into()).unwrap(), None);
    assert_eq!(store.revision().unwrap(), revision(10));
}

fn given_ids_are_unique_within_a_transaction(bench: &Bench<'_>) {
    let store = bench.store();
    let twice = |category: &'static str| {
        let first = transaction().stream("accounts", "one", [event().with_id("e")]);
        store.append(first.stream(category, "two", [event().with_id("e")]))
    };
    assert_eq!(taken(twice("accounts")), ("accounts".into(), "e".into(), None));
    assert_eq!(store.revision().unwrap(), Revision::EMPTY);
    twice("loans").unwrap();
}

fn given_ids_differ_from_those_the_store_made(bench: &Bench<'_>) {
    let store = bench.store();
    store.stream("accounts", "one").publish([event(), event()]).unwrap();
    let made = store.log().read().unwrap()[1].id();
    let found = store.adapter().event_with_id("accounts", &made).unwrap().unwrap();
    assert_eq!(found.revision(), revision(2));
    let outcome = store.stream("accounts", "two").publish([event().with_id(made.clone())]);
    assert_eq!(taken(outcome), ("accounts".into(), made.clone(), Some(revision(2))));
    store.stream("loans", "one").publish([event().with_id(made.clone())]).unwrap();
    let outcome = store.stream("loans", "two").publish([event().with_id(made.clone())]);
    assert_eq!(taken(outcome).2, Some(revision(3)));
}

fn simultaneous_appends_of_one_id_write_once(bench: &Bench<'_>) {
    let store = bench.store();
    for round in 0..bench.options.repeats {
        let id = format!("e-{round}");
        let outcomes = at_once(bench.options.threads.min(8), |thread| {
            store.stream("accounts", format!("{thread}")).publish([event().with_id(id.as_str())])
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for lost in outcomes.into_iter().filter(Result::is_err) {
            taken(lost);
        }
    }
}
