//! Cases about queries by selectors, names at a revision, and revisions at a time.

use super::support::{light_event as event, read_log};
use super::{Bench, Outcome, case_list};
use crate::store::EventStore;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::options::Options;
use crate::vocabulary::select_query::{Access, SelectQuery};
use crate::vocabulary::selector::{EventField, Selector};
use crate::vocabulary::time::{SteppingClock, Timestamp};
use crate::vocabulary::transaction::transaction;
use std::ops::ControlFlow;
use std::time::Duration;

case_list!(selectors:
    comparisons_select_what_they_say,
    queries_keep_their_bounds_direction_and_limit,
    queries_see_whole_transactions_as_the_log_was,
    queries_keep_to_times_of_occurrence,
    queries_explain_themselves,
    names_are_those_of_a_revision,
    revisions_are_found_by_time,
    whoever_waits_for_a_revision_is_woken,
);

/// What is there, as category, stream and name: streams of one name in several categories, prefixes of each other, no streams.
const EVENTS: [[&str; 3]; 10] = [
    ["accounts", "a-1", "opened"],
    ["accounts", "a-12", "opened"],
    ["loans", "a-1", "opened"],
    ["accounts", "", "noted"],
    ["accounts", "a-1", "deposited"],
    ["acc", "A-1", "open"],
    ["", "", ""],
    ["loans", "é", "noted"],
    ["accounts", "a-1", "closed"],
    ["loans", "a-", "Opened"],
];

fn filled(bench: &Bench<'_>) -> EventStore {
    let store = bench.store();
    for [category, stream, name] in EVENTS {
        store.stream(category, stream).publish([NewEvent::empty(name)]).unwrap();
    }
    store
}

fn numbers(store: &EventStore, query: &SelectQuery) -> Vec<u64> {
    let mut all: Vec<Vec<u64>> = Vec::new();
    for access in [Access::Best, Access::Index, Access::Scan] {
        let query = SelectQuery { access, ..query.clone() };
        let (mut visited, mut owned, mut cursor) = (Vec::new(), Vec::new(), store.adapter().select(&query).unwrap());
        store
            .adapter()
            .select(&query)
            .unwrap()
            .visit(&mut |event| {
                visited.push(event.sequence_number().get());
                ControlFlow::Continue(())
            })
            .unwrap();
        let mut before = usize::MAX;
        while owned.len() != before {
            before = owned.len();
            cursor.next_batch(&mut owned).unwrap();
        }
        let owned: Vec<u64> = owned.iter().map(|event: &StoredEvent| event.sequence_number().get()).collect();
        assert_eq!(visited, owned, "{query:?}");
        all.push(owned);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{query:?}: {all:?}");
    all.pop().unwrap_or_default()
}

fn comparisons_select_what_they_say(bench: &Bench<'_>) {
    let store = filled(bench);
    let either = Selector::name("opened").or(Selector::name("closed"));
    for (selector, expected) in [
        (Selector::category("accounts"), vec![0, 1, 3, 4, 8]),
        (Selector::category("account"), vec![]),
        (Selector::category(""), vec![6]),
        (Selector::category_prefix("acc"), vec![0, 1, 3, 4, 5, 8]),
        (Selector::category_prefix(""), (0..10).collect()),
        (Selector::stream("a-1"), vec![0, 2, 4, 8]),
        (Selector::stream(""), vec![3, 6]),
        (Selector::no_stream(), vec![3, 6]),
        (Selector::stream_prefix("a-1"), vec![0, 1, 2, 4, 8]),
        (Selector::stream_prefix("a-"), vec![0, 1, 2, 4, 8, 9]),
        (Selector::stream_prefix("\u{e9}"), vec![7]),
        (Selector::stream_prefix(""), vec![0, 1, 2, 4, 5, 7, 8, 9]),
        (Selector::name("opened"), vec![0, 1, 2]),
        (Selector::name("Opened"), vec![9]),
        (Selector::name_prefix("open"), vec![0, 1, 2, 5]),
        (Selector::name_prefix(""), (0..10).collect()),
        (Selector::category("accounts") & Selector::stream("a-1"), vec![0, 4, 8]),
        (Selector::category("loans") & Selector::stream_prefix("a"), vec![2, 9]),
        (Selector::category("loans") & Selector::category("accounts"), vec![]),
        (Selector::category("loans") & Selector::category("accounts") & Selector::stream("a-1"), vec![]),
        (Selector::stream("a-1") & Selector::stream("a-12"), vec![]),
        (Selector::category("loans") | Selector::stream("a-1"), vec![0, 2, 4, 7, 8, 9]),
        (Selector::category("accounts") & either.clone(), vec![0, 1, 8]),
        (Selector::no_stream() | Selector::stream("a-") & Selector::name("Opened"), vec![3, 6, 9]),
        ((Selector::stream_prefix("a-1") & Selector::name_prefix("")) & either, vec![0, 1, 2, 8]),
        (Selector::name("never") | Selector::category("never"), vec![]),
    ] {
        assert_eq!(numbers(&store, &SelectQuery::new(selector.clone())), expected, "{selector}");
    }
}

fn queries_keep_their_bounds_direction_and_limit(bench: &Bench<'_>) {
    let store = bench.store();
    let event = |number: usize| NewEvent::empty(["even", "odd"][number % 2]);
    store.append((0..700).fold(transaction(), |all, number| all.stream("c", "s", [event(number)]))).unwrap();
    let odd = SelectQuery::new(Selector::name("odd"));
    let all: Vec<u64> = (0..700).filter(|number| number % 2 == 1).collect();
    assert_eq!(numbers(&store, &odd), all);
    let number = |number| Some(SequenceNumber::new(number));
    for (from, until) in [(None, None), (number(0), number(0)), (number(3), number(3)), (number(4), number(650))] {
        for limit in [None, Some(0), Some(1), Some(64), Some(65), Some(300), Some(1_000)] {
            for reverse in [false, true] {
                let query = SelectQuery { from, until, limit, reverse, ..odd.clone() };
                let within = |found: &&u64| {
                    from.is_none_or(|from| from.get() <= **found) && until.is_none_or(|until| **found <= until.get())
                };
                let mut expected: Vec<u64> = all.iter().filter(within).copied().collect();
                if reverse {
                    expected.reverse();
                }
                expected.truncate(usize::try_from(limit.unwrap_or(u64::MAX)).unwrap());
                assert_eq!(numbers(&store, &query), expected, "{query:?}");
            }
        }
    }
}

fn queries_see_whole_transactions_as_the_log_was(bench: &Bench<'_>) {
    let store = filled(bench);
    let opened = SelectQuery::new(Selector::name_prefix("open"));
    let mut cursor = store.adapter().select(&opened).unwrap();
    store.stream("accounts", "late").publish([NewEvent::empty("opened"), NewEvent::empty("opened")]).unwrap();
    let mut batch = Vec::new();
    cursor.next_batch(&mut batch).unwrap();
    assert_eq!(batch.len(), 4, "a cursor sees the log as it was when it was made");
    for (at, expected) in [(0, vec![]), (2, vec![0, 1]), (10, vec![0, 1, 2, 5]), (99, vec![0, 1, 2, 5, 10, 11])] {
        let query = SelectQuery { at: Some(Revision::new(at)), ..opened.clone() };
        assert_eq!(numbers(&store, &query), expected);
    }
}

fn queries_keep_to_times_of_occurrence(bench: &Bench<'_>) {
    let store = bench.store();
    let day = |day: u64| Timestamp::from_unix(i64::try_from(day * 86_400).unwrap(), 0).unwrap();
    // They come in another order than they occurred in.
    let days: Vec<u64> = (0..600).map(|number| (number * 7) % 600).collect();
    for some in days.chunks(50) {
        let events = some.iter().map(|number| NewEvent::empty("e").with_occurred_at(day(*number)));
        store.stream("c", "s").publish(events).unwrap();
    }
    for until in [0, 1, 299, 598, 599, 700] {
        for reverse in [false, true] {
            let occurred_until = Some(day(until));
            let query = SelectQuery { occurred_until, reverse, ..SelectQuery::new(Selector::category("c")) };
            let mut expected: Vec<u64> =
                (0..).zip(&days).filter(|(_, day)| **day <= until).map(|(number, _)| number).collect();
            if reverse {
                expected.reverse();
            }
            assert_eq!(numbers(&store, &query), expected);
        }
    }
}

fn queries_explain_themselves(bench: &Bench<'_>) {
    let store = filled(bench);
    for access in [Access::Best, Access::Scan] {
        let query = SelectQuery { access, ..SelectQuery::new(Selector::stream("a-1") & Selector::name("opened")) };
        let mut cursor = store.adapter().select(&query).unwrap();
        cursor.visit(&mut |_| ControlFlow::Continue(())).unwrap();
        let explanation = cursor.explanation();
        assert_eq!(explanation.found, 2, "{explanation}");
        assert!(explanation.frames >= 2 && !explanation.plan.is_empty(), "{explanation}");
        if access == Access::Scan {
            assert_eq!(explanation.frames, 10, "{explanation}");
        }
    }
}

fn names_are_those_of_a_revision(bench: &Bench<'_>) {
    let store = filled(bench);
    let names = |field, at| store.adapter().names_at(field, Revision::new(at)).unwrap();
    assert_eq!(names(EventField::Category, 0), Vec::<String>::new());
    assert_eq!(names(EventField::Category, 3), ["accounts", "loans"]);
    assert_eq!(names(EventField::Category, 99), ["", "acc", "accounts", "loans"]);
    assert_eq!(names(EventField::Stream, 4), ["a-1", "a-12"]);
    assert_eq!(names(EventField::Stream, 10), ["A-1", "a-", "a-1", "a-12", "é"]);
    assert_eq!(names(EventField::Name, 5), ["deposited", "noted", "opened"]);
    assert_eq!(names(EventField::Name, 10), ["", "Opened", "closed", "deposited", "noted", "open", "opened"]);
}

fn revisions_are_found_by_time(bench: &Bench<'_>) -> Outcome {
    if let Some(deaf) = bench.deaf() {
        return deaf;
    }
    let start = Timestamp::from_unix(1_000_000, 0).unwrap();
    let clock = SteppingClock::new(start, Duration::from_secs(60));
    let store = bench.store_with(&Options::new().clock(clock));
    for number in 0..20 {
        store.append(transaction().stream("c", "s", (0..=number % 3).map(|_| event()))).unwrap();
    }
    let events = read_log(&store);
    let (first, last) = (events[0].recorded_at(), events[events.len() - 1].recorded_at());
    assert!(last > first);
    let step = last.saturating_since(first) / 50;
    let mut time = Timestamp::from_unix(999_000, 0).unwrap();
    while time <= last {
        let expected = events.iter().filter(|event| event.recorded_at() <= time).count() as u64;
        assert_eq!(store.adapter().revision_at(time).unwrap(), Revision::new(expected), "{time}");
        time = time.saturating_add(step);
    }
    assert_eq!(store.adapter().revision_at(last).unwrap().get(), events.len() as u64);
    Outcome::Passed
}

fn whoever_waits_for_a_revision_is_woken(bench: &Bench<'_>) {
    let (store, long) = (bench.store(), Duration::from_secs(30));
    let wait = |revision, timeout| store.adapter().wait_revision(Revision::new(revision), timeout);
    assert_eq!(wait(0, Duration::ZERO).unwrap(), Revision::EMPTY);
    let missed = wait(1, Duration::from_millis(20));
    assert!(matches!(missed, Err(ReadError::NotReached { at: Revision::EMPTY, wanted }) if wanted.get() == 1));
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (1..=3).map(|revision| scope.spawn(move || wait(revision, long))).collect();
        std::thread::sleep(Duration::from_millis(20));
        for _ in 0..3 {
            store.stream("c", "s").publish([event()]).unwrap();
        }
        for (revision, waiting) in (1..).zip(waiting) {
            assert!(waiting.join().unwrap().unwrap() >= Revision::new(revision));
        }
        let waiting = scope.spawn(move || wait(4, long));
        std::thread::sleep(Duration::from_millis(20));
        store.close().unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(ReadError::Closed)));
    });
}
