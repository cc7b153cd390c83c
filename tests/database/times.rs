//! Tests of choosing a database by revision, by recorded time and by effective time.

use super::*;
use stratalog::{EventStore, NewEvent};

#[test]
fn a_revision_within_a_transaction_is_that_of_its_last_event() {
    on_both(|database, clock| {
        database.transact([on_day("a", 1)]).unwrap();
        clock.set("2024-01-02T00:00:00Z");
        database.transact([on_day("b", 1), on_day("c", 1), on_day("d", 1)]).unwrap();
        clock.set("2024-01-03T00:00:00Z");
        database.transact([on_day("e", 1)]).unwrap();
        for (asked, given, day) in [(0, 0, 1), (1, 1, 1), (2, 4, 2), (3, 4, 2), (4, 4, 2), (5, 5, 3)] {
            let then = database.at_revision(revision(asked), AT_ONCE).unwrap();
            assert_eq!((then.revision(), then.basis()), (revision(given), revision(given)));
            assert_eq!(then.recorded_at(), day_of_january(day), "revision {asked}");
            assert_eq!(revisions(then.query(all())), (1..=given).collect::<Vec<_>>());
        }
        let now = database.latest().unwrap();
        assert_eq!((now.revision(), now.recorded_at()), (revision(5), day_of_january(3)));
        let before = now.at_effective_timestamp(day_of_january(9)).at_revision(revision(2), AT_ONCE).unwrap();
        assert_eq!((before.revision(), before.effective_at()), (revision(4), Some(day_of_january(9))));
    });
}

#[test]
fn a_revision_is_waited_for() {
    on_both(|database, _| {
        let waited = Duration::from_millis(20);
        let error = database.at_revision(revision(1), waited).unwrap_err();
        let DatabaseError::TimedOut { at, wanted, waited: told, name } = error else { panic!("{error}") };
        assert_eq!((at, wanted, told, &*name), (revision(0), revision(1), waited, "bank"));
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| database.at_revision(revision(2), Duration::from_secs(60)).unwrap());
            database.transact([with_id("a")]).unwrap();
            database.transact([with_id("b"), with_id("c")]).unwrap();
            assert_eq!(reader.join().unwrap().revision(), revision(3));
        });
    });
}

#[test]
fn a_recorded_time_gives_all_that_was_recorded_then_or_before() {
    on_both(|database, clock| {
        assert_eq!(database.created_at(), at(both::BEGIN));
        clock.set("2024-01-02T00:00:00Z");
        database.transact([on_day("a", 9)]).unwrap();
        database.transact([on_day("b", 9), on_day("c", 9)]).unwrap();
        clock.set("2024-01-04T00:00:00Z");
        database.transact([on_day("d", 1)]).unwrap();
        clock.set("2024-01-03T00:00:00Z");
        database.transact([on_day("e", 1)]).unwrap();
        let early = database.at_timestamp(at("2023-12-31T23:59:59.999999999Z")).unwrap_err();
        let DatabaseError::NotCreated { created_at, asked, .. } = early else { panic!("{early}") };
        assert_eq!((created_at, asked), (at(both::BEGIN), at("2023-12-31T23:59:59.999999999Z")));
        for (time, given, recorded) in [
            (both::BEGIN, 0, 1),
            ("2024-01-01T23:59:59.999999999Z", 0, 1),
            ("2024-01-02T00:00:00Z", 3, 2),
            ("2024-01-03T00:00:00Z", 3, 2),
            ("2024-01-04T00:00:00Z", 5, 4),
            ("9999-01-01T00:00:00Z", 5, 4),
        ] {
            let then = database.at_timestamp(at(time)).unwrap();
            assert_eq!((then.revision(), then.recorded_at()), (revision(given), day_of_january(recorded)), "{time}");
        }
    });
}

#[test]
fn an_effective_time_gives_what_occurred_then_or_before() {
    on_both(|database, _| {
        database.transact([on_day("a", 3), on_day("b", 1), on_day("c", 2), on_day("d", 2)]).unwrap();
        for (day, seen) in [(1, vec![2]), (2, vec![2, 3, 4]), (3, vec![1, 2, 3, 4]), (4, vec![1, 2, 3, 4])] {
            let then = database.at_effective_timestamp(day_of_january(day)).unwrap();
            assert_eq!(revisions(then.query(all())), seen, "day {day}, in order of revisions");
            assert_eq!((then.revision(), then.effective_at()), (revision(4), Some(day_of_january(day))));
        }
        let short = database.at_effective_timestamp(at("2024-01-01T23:59:59.999999999Z")).unwrap();
        assert_eq!(revisions(short.query(all())), [2]);
        assert_eq!(revisions(short.at_effective_timestamp(day_of_january(2)).query(all())), [2, 3, 4], "replaced");
        assert!(revisions(short.at_effective_timestamp(Timestamp::MIN).query(all())).is_empty());
    });
}

#[test]
fn recorded_and_effective_time_go_together() {
    on_both(|database, clock| {
        clock.set("2024-01-10T00:00:00Z");
        database.transact([on_day("a", 1), on_day("b", 20)]).unwrap();
        clock.set("2024-01-20T00:00:00Z");
        database.transact([on_day("late", 1)]).unwrap();
        let known = |recorded: u32, effective: u32| {
            let then = database.at_timestamp(day_of_january(recorded)).unwrap();
            revisions(then.at_effective_timestamp(day_of_january(effective)).query(all()))
        };
        assert_eq!((known(10, 5), known(20, 5), known(10, 20)), (vec![1], vec![1, 3], vec![1, 2]));
    });
}

#[test]
fn what_it_holds_never_changes() {
    on_both(|database, _| {
        database.transact([on_day("a", 2), on_day("b", 1)]).unwrap();
        let then = database.latest().unwrap();
        let (query, ordered) = (then.query(all()), then.query(all()).by_effective_time());
        database.transact([on_day("c", 1)]).unwrap();
        assert_eq!(revisions(query), [1, 2], "what is asked later too");
        assert_eq!(revisions(ordered), [2, 1]);
        assert_eq!(then.event_names().unwrap(), ["a", "b"]);
        assert_eq!(revisions(database.latest().unwrap().query(all())), [1, 2, 3]);
    });
}

#[test]
fn a_store_with_events_becomes_a_database_once() {
    both::on_both_stores(|store, clock| {
        store.stream("accounts", "a").publish([NewEvent::empty("old")]).unwrap();
        clock.set("2024-01-09T00:00:00Z");
        let database = Database::new(store.clone(), both::source()).unwrap();
        assert_eq!(database.created_at(), at(both::BEGIN), "it was there from its first event on");
        assert_eq!(revisions(database.at_timestamp(at(both::BEGIN)).unwrap().query(all())), [1]);
        clock.set("2024-01-10T00:00:00Z");
        let again = Database::new(store.clone(), both::source()).unwrap();
        assert_eq!((again.created_at(), again.name()), (at(both::BEGIN), "bank"));
        for (base, name) in [("https://events.example", "bunk"), ("https://other.example", "bank")] {
            let given = stratalog::DatabaseSource::new(base, name).unwrap();
            let error = Database::new(store.clone(), given.clone()).unwrap_err();
            let DatabaseError::OtherSource { stored, given: told } = error else { panic!("{error}") };
            assert_eq!((stored, told), (both::source(), given));
        }
        assert_eq!(store.revision().unwrap(), revision(1), "what is kept about it is no event");
    });
}

#[test]
fn many_threads_may_make_it_at_once() {
    both::on_both_stores(|store, _| {
        let created: Vec<Timestamp> = std::thread::scope(|scope| {
            let make = |_| scope.spawn(|| Database::new(store.clone(), both::source()).unwrap().created_at());
            let threads: Vec<_> = (0..8).map(make).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(created, [at(both::BEGIN); 8]);
        let records: usize =
            store.transactions(Revision::EMPTY).unwrap().map(|found| found.unwrap().records().len()).sum();
        assert_eq!(records, 2, "name and base URI, once");
    });
}

#[test]
fn when_it_was_made_is_kept() {
    let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::new());
    for day in [1, 5] {
        clock.set(&format!("2024-01-{day:02}T00:00:00Z"));
        let store = EventStore::open_with(directory.path(), both::options(&clock)).unwrap();
        let database = Database::new(store, both::source()).unwrap();
        assert_eq!(database.created_at(), at(both::BEGIN));
        database.transact([on_day("a", day)]).unwrap();
        database.store().close().unwrap();
    }
}
