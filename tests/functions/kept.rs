//! Tests of views that survive a restart, and of what keeps them from being trusted.

use super::*;
use bytes::Bytes;
use stratalog::{Durability, Options, QueryTemporality, SystemRecord, ViewDefinition, transaction};

/// Where rendered views are kept.
const NAMESPACE: &str = "stratalog.views";

/// Registers a counting view that is kept whenever ten events were folded.
fn kept(database: &Database, code: &str, temporality: QueryTemporality) -> Counting {
    let counting = Counting::default();
    let definition = ViewDefinition::new(of_account()).temporality(temporality).kept(code, 10);
    database.register_view_with("counting", definition, counting.clone()).unwrap();
    counting
}

fn deposits(database: &Database, count: usize) {
    database.transact((0..count).map(|_| deposited("a", 1)).collect::<Vec<_>>()).unwrap();
}

fn rendered(database: &Database) -> String {
    text(&database.latest().unwrap().view("counting", 1, account("a")).unwrap().unwrap())
}

fn records(database: &Database) -> Vec<(Arc<str>, Bytes)> {
    database.store().records(NAMESPACE).unwrap()
}

#[test]
fn a_kept_view_is_gone_on_from_after_a_restart() {
    for temporality in [QueryTemporality::Revision, QueryTemporality::EffectiveTime] {
        on_both(|database| {
            let counting = kept(&database, "1", temporality);
            deposits(&database, 9);
            rendered(&database);
            assert_eq!(records(&database), [], "too few to be kept");
            deposits(&database, 1);
            deposits(&database, 2);
            let revision = database.store().revision().unwrap();
            rendered(&database);
            assert_eq!((counting.taken(), records(&database).len()), ((2, 12), 1));
            assert_eq!(database.store().revision().unwrap(), revision, "it counts as no event");
            deposits(&database, 2);
            let again = anew(&database);
            let counting = kept(&again, "1", temporality);
            assert_eq!(rendered(&again), rendered(&database));
            assert_eq!(counting.taken(), (1, 2));
            // At a revision before it, from the start; and what is further stays.
            let early = again.at_revision(stratalog::Revision::new(10), std::time::Duration::ZERO).unwrap();
            let before = records(&again);
            early.view("counting", 1, account("a")).unwrap();
            assert_eq!((counting.taken(), records(&again)), ((1, 10), before));
        });
    }
}

#[test]
fn a_kept_view_is_there_when_the_store_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let options = Options::new().durability(Durability::Os);
        database(&EventStore::open_with(directory.path(), options).unwrap())
    };
    let mut folded = String::new();
    for restart in 0..100 {
        let database = open();
        let counting = kept(&database, "1", QueryTemporality::Revision);
        deposits(&database, 10);
        folded = rendered(&database);
        assert_eq!(counting.taken(), (1, 10), "restart {restart}");
        database.store().close().unwrap();
    }
    let database = open();
    database.set_view_cache_bytes(0);
    let counting = kept(&database, "2", QueryTemporality::Revision);
    assert_eq!(rendered(&database), folded);
    assert_eq!(counting.taken(), (1, 1_000));
}

#[test]
fn what_other_code_kept_or_what_is_damaged_is_not_gone_on_from() {
    on_both(|database| {
        kept(&database, "1", QueryTemporality::Revision);
        deposits(&database, 20);
        let expected = rendered(&database);
        let found = records(&database);
        let [(key, value)] = &found[..] else { panic!("one record") };
        let folds_all = |why: &str, code: &str, temporality| {
            let again = anew(&database);
            let counting = kept(&again, code, temporality);
            assert_eq!(rendered(&again), expected, "{why}");
            assert_eq!(counting.taken(), (1, 20), "{why}");
        };
        let set = |value: Vec<u8>| {
            let record = SystemRecord::set(NAMESPACE, Arc::clone(key), value);
            database.store().append(transaction().record(record)).unwrap();
        };
        folds_all("another order", "1", QueryTemporality::EffectiveTime);
        set(value.to_vec());
        for place in [0, 15, 16, value.len() / 2, value.len() - 1] {
            let mut damaged = value.to_vec();
            damaged[place] ^= 1;
            set(damaged);
            folds_all("a bit is wrong", "1", QueryTemporality::Revision);
        }
        for length in [0, 1, 16, 17, value.len() - 1] {
            set(value[..length].to_vec());
            folds_all("it is cut off", "1", QueryTemporality::Revision);
        }
        set(value.to_vec());
        let again = anew(&database);
        let counting = kept(&again, "1", QueryTemporality::Revision);
        assert_eq!((rendered(&again), counting.taken()), (expected.clone(), (0, 0)), "it is good again");
        folds_all("other code", "2", QueryTemporality::Revision);
    });
}

#[test]
fn a_view_kept_with_another_log_is_not_gone_on_from() {
    on_both(|database| {
        kept(&database, "1", QueryTemporality::Revision);
        deposits(&database, 20);
        rendered(&database);
        let found = records(&database);
        let [(key, value)] = &found[..] else { panic!("one record") };
        let other = self::database(&EventStore::in_memory());
        let counting = kept(&other, "1", QueryTemporality::Revision);
        let record = SystemRecord::set(NAMESPACE, Arc::clone(key), value.clone());
        other.store().append(transaction().record(record)).unwrap();
        deposits(&other, 30);
        rendered(&other);
        assert_eq!(counting.taken(), (1, 30));
    });
}

#[test]
fn big_views_and_bounded_ones_are_not_kept() {
    on_both(|database| {
        let counting = kept(&database, "1", QueryTemporality::Revision);
        deposits(&database, 20);
        let bounded = database.latest().unwrap().at_effective_timestamp(time(4_000_000_000));
        bounded.view("counting", 1, account("a")).unwrap();
        assert_eq!((records(&database), counting.taken()), (Vec::new(), (1, 20)));
        deposits(&database, 5_000);
        assert!(rendered(&database).len() > 64 << 10);
        assert_eq!(records(&database), []);
    });
}
