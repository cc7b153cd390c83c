//! Tests of the log of transactions and of lists of names.

use super::*;
use stratalog::{SystemRecord, transaction};

/// Basis and revision of each transaction from a revision on, from both forms of the log.
fn extents(database: &Database, from: u64) -> Vec<(u64, u64)> {
    let short: Vec<_> = database.log(revision(from)).unwrap().map(Result::unwrap).collect();
    let whole: Vec<_> = database.log_detail(revision(from)).unwrap().map(Result::unwrap).collect();
    assert!(whole.iter().map(|detail| detail.summary()).eq(&short));
    for detail in &whole {
        let found: Vec<u64> = detail.events().iter().map(|event| event.revision().get()).collect();
        let (basis, end) = (detail.summary().basis().get(), detail.summary().revision().get());
        assert_eq!(found, (basis + 1..=end).collect::<Vec<_>>());
    }
    short.iter().map(|summary| (summary.basis().get(), summary.revision().get())).collect()
}

#[test]
fn begins_with_the_transaction_that_has_the_revision() {
    on_both(|database, _| {
        assert!(extents(&database, 0).is_empty());
        database.transact([on_day("a", 1)]).unwrap();
        database.transact([on_day("b", 1), on_day("c", 1), on_day("d", 1)]).unwrap();
        database.transact([on_day("e", 1)]).unwrap();
        let whole = [(0, 1), (1, 4), (4, 5)];
        for (from, first) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (5, 2), (6, 3), (99, 3)] {
            assert_eq!(extents(&database, from), whole[first..], "from {from}");
        }
    });
}

#[test]
fn shows_transactions_with_events_alone() {
    on_both(|database, _| {
        let record = || transaction().record(SystemRecord::set("n", "k", "v"));
        database.store().append(record().id("record")).unwrap();
        database.transact(Proposal::new([on_day("a", 1)]).id("t-1")).unwrap();
        database.store().append(record()).unwrap();
        database.transact([on_day("b", 1), on_day("c", 1)]).unwrap();
        database.store().append(record()).unwrap();
        assert_eq!(extents(&database, 0), [(0, 1), (1, 3)]);
        assert_eq!(extents(&database, 2), [(1, 3)]);
        assert!(extents(&database, 4).is_empty());
        assert!(database.transaction("record").unwrap().is_none());
        assert!(database.receipt("record").unwrap().is_none());
    });
}

#[test]
fn a_transaction_is_found_by_its_id() {
    on_both(|database, clock| {
        clock.set("2024-01-02T00:00:00Z");
        database.transact(Proposal::new([on_day("a", 1), on_day("b", 1)]).id("t-1")).unwrap();
        database.transact([on_day("c", 1)]).unwrap();
        let found = database.transaction("t-1").unwrap().unwrap();
        assert_eq!((found.summary().id(), found.summary().recorded_at()), (Some("t-1"), day_of_january(2)));
        assert_eq!(names(found.events()), ["a", "b"]);
        assert_eq!(found.events()[0].source(), "https://events.example/db/bank/streams/accounts");
        assert_eq!(names(&found.clone().into_events()), ["a", "b"]);
        assert_eq!(found.clone().into_summary(), *found.summary());
        assert!(database.transaction("t-2").unwrap().is_none());
        let unnamed = database.log(revision(3)).unwrap().next().unwrap().unwrap();
        assert_eq!((unnamed.id(), unnamed.event_count()), (None, 1));
    });
}

#[test]
fn lists_of_names_are_in_order_as_of_the_revision() {
    on_both(|database, _| {
        for (category, stream, name) in
            [("zebras", "b", "x"), ("Apes", "", "y"), ("apes", "é", "x"), ("apes", "Z", "w"), ("apes", "b", "x")]
        {
            database.transact([event(category, stream, name)]).unwrap();
        }
        let lists = |number: u64| {
            let at = database.at_revision(revision(number), AT_ONCE).unwrap();
            [at.categories().unwrap(), at.streams().unwrap(), at.event_names().unwrap()]
        };
        assert_eq!(lists(0), [[""; 0]; 3]);
        assert_eq!(lists(2), [vec!["Apes", "zebras"], vec!["b"], vec!["x", "y"]]);
        assert_eq!(lists(5), [vec!["Apes", "apes", "zebras"], vec!["Z", "b", "é"], vec!["w", "x", "y"]]);
    });
}
