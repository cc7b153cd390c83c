//! Tests of queries: order, direction, bounds, limit, and what they tell of themselves.

use super::*;
use stratalog::{Access, NewEvent, ReadError};

/// Events that occurred on these days of January, one a transaction.
fn on_days(database: &Database, days: &[u32]) -> DatabaseAt {
    for day in days {
        database.transact([on_day(&format!("day-{day}"), *day)]).unwrap();
    }
    database.latest().unwrap()
}

#[test]
fn come_oldest_first_or_newest_first() {
    on_both(|database, _| {
        let now = on_days(&database, &[3, 1, 2]);
        assert_eq!(revisions(now.query(all())), [1, 2, 3]);
        assert_eq!(revisions(now.query(all()).reverse()), [3, 2, 1]);
        assert_eq!(revisions(now.query(all()).by_effective_time()), [2, 3, 1]);
        assert_eq!(revisions(now.query(all()).by_effective_time().reverse()), [1, 3, 2]);
    });
}

#[test]
fn are_limited_after_ordering() {
    on_both(|database, _| {
        let now = on_days(&database, &[3, 1, 2]);
        assert_eq!(revisions(now.query(all()).limit(2)), [1, 2]);
        assert_eq!(revisions(now.query(all()).reverse().limit(2)), [3, 2]);
        assert_eq!(revisions(now.query(all()).by_effective_time().limit(2)), [2, 3]);
        assert_eq!(revisions(now.query(all()).by_effective_time().reverse().limit(1)), [1]);
        for query in [now.query(all()), now.query(all()).reverse(), now.query(all()).by_effective_time()] {
            assert!(revisions(query.limit(0)).is_empty());
        }
    });
}

#[test]
fn are_bounded_by_revisions_in_order_whatever_the_direction() {
    on_both(|database, _| {
        let now = on_days(&database, &[4, 3, 2, 1]);
        let bounded = || now.query(all()).after(revision(1)).until(revision(3));
        assert_eq!(revisions(bounded()), [2, 3]);
        assert_eq!(revisions(bounded().reverse()), [3, 2]);
        assert_eq!(revisions(bounded().by_effective_time()), [3, 2]);
        assert_eq!(revisions(now.query(all()).from(revision(3))), [3, 4], "the start is included");
        assert_eq!(revisions(now.query(all()).from(revision(0))), [1, 2, 3, 4]);
        assert_eq!(revisions(now.query(all()).until(revision(9))), [1, 2, 3, 4]);
        for none in [
            now.query(all()).until(revision(0)),
            now.query(all()).after(revision(4)),
            now.query(all()).after(revision(u64::MAX)),
            now.query(all()).after(revision(2)).until(revision(2)),
        ] {
            assert!(revisions(none).is_empty());
        }
    });
}

#[test]
fn by_effective_time_go_on_from_time_and_revision() {
    on_both(|database, _| {
        let now = on_days(&database, &[2, 1, 2, 3, 2]);
        let from = |day: u32, number: u64| now.query(all()).effective_from(day_of_january(day), revision(number));
        assert_eq!(revisions(from(1, 0)), [2, 1, 3, 5, 4]);
        assert_eq!(revisions(from(2, 0)), [1, 3, 5, 4]);
        assert_eq!(revisions(from(2, 3)), [3, 5, 4], "the start is included");
        assert_eq!(revisions(from(2, 4)), [5, 4]);
        assert_eq!(revisions(from(2, 4).reverse()), [4, 5], "the same bound from the other end");
        assert_eq!(revisions(from(2, 1).effective_until(day_of_january(2))), [1, 3, 5], "the end is included");
        let short = at("2024-01-01T23:59:59.999999999Z");
        assert!(revisions(from(2, 0).effective_until(short)).is_empty());
        let mut pages = Vec::new();
        let (mut time, mut number) = (Timestamp::MIN, revision(0));
        loop {
            let page = now.query(all()).effective_from(time, number).limit(2).read().unwrap();
            let Some(last) = page.last() else { break };
            (time, number) = (last.occurred_at(), revision(last.revision().get() + 1));
            pages.push(page.iter().map(|event| event.revision().get()).collect::<Vec<_>>());
        }
        assert_eq!(pages, [vec![2, 1], vec![3, 5], vec![4]]);
    });
}

#[test]
fn an_effective_end_alone_keeps_the_order_of_revisions() {
    on_both(|database, _| {
        let now = on_days(&database, &[3, 1, 2]);
        assert_eq!(revisions(now.query(all()).effective_until(day_of_january(2))), [2, 3]);
        let then = now.at_effective_timestamp(day_of_january(1));
        assert_eq!(revisions(then.query(all()).effective_until(day_of_january(2))), [2], "the earlier of the two");
        assert_eq!(revisions(then.query(all()).effective_until(Timestamp::MIN)), [0; 0]);
    });
}

#[test]
fn find_the_same_by_index_and_by_scan_and_say_how() {
    on_both(|database, _| {
        let now = on_days(&database, &[3, 1, 2]);
        let of = |access: Access| now.query(Selector::name("day-1") | Selector::name("day-3")).access(access);
        for access in [Access::Best, Access::Index, Access::Scan] {
            assert_eq!(revisions(of(access)), [1, 2]);
            assert_eq!(revisions(of(access).by_effective_time()), [2, 1]);
            let told = of(access).explain().unwrap();
            assert_eq!((told.found, told.plan.is_empty()), (2, false), "{told}");
            let told = of(access).by_effective_time().limit(1).explain().unwrap();
            assert_eq!(told.found, 1, "{told}");
        }
    });
}

#[test]
fn give_what_the_store_was_told_directly_too() {
    on_both(|database, _| {
        database.transact([on_day("a", 1)]).unwrap();
        database.store().stream("accounts", "").publish([NewEvent::empty("b")]).unwrap();
        let now = database.latest().unwrap();
        assert_eq!(revisions(now.query(Selector::category("accounts"))), [1, 2]);
        assert_eq!(revisions(now.query(Selector::no_stream())), [2]);
        assert_eq!(revisions(now.query(Selector::stream_prefix(""))), [1]);
    });
}

#[test]
fn end_with_their_first_error() {
    on_both(|database, _| {
        let now = on_days(&database, &[1, 2]);
        let long = Selector::name("x".repeat((1 << 20) + 1));
        for query in [now.query(long.clone()), now.query(long).by_effective_time()] {
            let mut found = query.into_iter();
            assert!(matches!(found.next(), Some(Err(ReadError::Limit(_)))));
            assert!(found.next().is_none());
        }
        let query = now.query(all());
        database.store().close().unwrap();
        assert!(matches!(query.clone().read(), Err(ReadError::Closed)));
        assert!(matches!(query.by_effective_time().explain(), Err(ReadError::Closed)));
    });
}

#[test]
fn events_by_revision_are_in_the_order_asked_for() {
    on_both(|database, _| {
        let now = on_days(&database, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        let asked = [14, 2, 0, 3, 15, 2, u64::MAX].map(revision);
        let found = now.events(&asked).unwrap();
        let found: Vec<_> = found.iter().map(|event| event.as_ref().map(|event| event.revision().get())).collect();
        assert_eq!(found, [Some(14), Some(2), None, Some(3), None, Some(2), None]);
        let then = now.at_effective_timestamp(day_of_january(2));
        assert_eq!(then.events(&asked).unwrap().iter().flatten().count(), 2, "2 twice");
        assert!(now.events(&[]).unwrap().is_empty());
    });
}

#[test]
fn an_event_is_found_by_its_id_from_its_revision_on() {
    on_both(|database, _| {
        database.transact([with_id("e-1").with_occurred_at(day_of_january(5))]).unwrap();
        database.transact([event("audits", "", "n").with_id("e-1"), with_id("e-2")]).unwrap();
        let (id, now) = (EventId::from("e-1"), database.latest().unwrap());
        let of = |at: &DatabaseAt, category: &str| at.event(category, &id).unwrap().map(|event| event.revision().get());
        assert_eq!((of(&now, "accounts"), of(&now, "audits"), of(&now, "reports")), (Some(1), Some(2), None));
        let first = database.at_revision(revision(1), AT_ONCE).unwrap();
        assert_eq!((of(&first, "accounts"), of(&first, "audits")), (Some(1), None));
        let then = now.at_effective_timestamp(day_of_january(4));
        assert_eq!((of(&then, "accounts"), of(&then, "audits")), (None, Some(2)));
        let made = database.transact([on_day("x", 1)]).unwrap();
        let made = database.event_ids(&made).unwrap()[0].1.clone();
        let found = database.latest().unwrap().event("accounts", &made).unwrap().unwrap();
        assert_eq!((found.revision(), found.id()), (revision(4), made));
    });
}

#[test]
fn more_than_is_held_at_once_is_in_order() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    let store = stratalog::EventStore::open_with(directory.path(), both::options(&clock)).unwrap();
    let database = Database::new(store, both::source()).unwrap();
    let payload = stratalog::Payload::text("x".repeat(10_000));
    let event = |number: i64| {
        let time = Timestamp::from_unix((number * 7_919) % 5_021, 0).unwrap();
        ProspectiveEvent::from_payload("counts", "counted", payload.clone()).with_occurred_at(time)
    };
    for begin in (0..8_000).step_by(1_000) {
        database.transact((begin..begin + 1_000).map(event).collect::<Vec<_>>()).unwrap();
    }
    let now = database.latest().unwrap();
    let key = |event: Result<Event, ReadError>| {
        let event = event.unwrap();
        (event.occurred_at(), event.revision().get())
    };
    let mut expected: Vec<(Timestamp, u64)> = now.query(all()).into_iter().map(key).collect();
    expected.sort_unstable();
    let ordered = || now.query(all()).by_effective_time();
    assert!(ordered().into_iter().map(key).eq(expected.iter().copied()), "80 MB");
    let told = ordered().explain().unwrap();
    assert!(told.plan.iter().any(|line| line.contains("looked at 3 times")), "{told}");
    expected.reverse();
    assert!(ordered().reverse().limit(7_000).into_iter().map(key).eq(expected[..7_000].iter().copied()));
}
