//! Tests of speculating: events that nobody wrote are seen like any other.

use super::*;
use stratalog::{AttributeValue, EventField, Selectable};

#[test]
fn speculated_events_are_numbered_like_stored_ones() {
    on_both(|database, clock| {
        database.transact([event("accounts", "a", "one"), event("accounts", "b", "two")]).unwrap();
        let now = database.latest().unwrap();
        clock.set("2024-01-09T00:00:00Z");
        let events = [event("accounts", "a", "x"), event("accounts", "c", "y"), event("accounts", "a", "z")];
        let would_be = now.speculate(events).unwrap();
        assert_eq!((would_be.basis(), would_be.revision()), (revision(2), revision(5)));
        assert_eq!((now.basis(), now.revision(), now.speculated().len()), (revision(2), revision(2), 0));
        let speculated = would_be.speculated();
        assert_eq!(speculated.iter().map(|event| event.revision().get()).collect::<Vec<_>>(), [3, 4, 5]);
        let positions: Vec<u64> = speculated.iter().map(|event| event.as_ref().position().get()).collect();
        assert_eq!(positions, [1, 0, 2]);
        let found = would_be.query(all()).read().unwrap();
        assert_eq!(names(&found), ["one", "two", "x", "y", "z"]);
        assert_eq!(&found[2..], speculated);
        for event in speculated {
            assert_eq!(event.source(), "https://events.example/db/bank/streams/accounts");
            assert_eq!((event.recorded_at(), event.occurred_at()), (now.recorded_at(), now.recorded_at()));
            assert_eq!(event.id().as_uuid().unwrap().get_version_num(), 7);
            assert_eq!(event.as_ref().transaction_basis(), revision(2));
            assert_eq!(event.as_ref().transaction_revision(), revision(5));
            let spoken = event.to_strict_cloud_event().unwrap();
            let sequence = AttributeValue::from(event.revision().to_string());
            assert_eq!(spoken.extensions.get("sequence"), Some(&sequence));
        }
        let mut ids: Vec<EventId> = found.iter().map(Event::id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        assert_eq!(database.store().revision().unwrap(), revision(2), "nothing is written");
    });
}

#[test]
fn speculation_stacks() {
    on_both(|database, _| {
        database.transact([on_day("one", 1)]).unwrap();
        let first = database.latest().unwrap().speculate([on_day("two", 4), on_day("three", 3)]).unwrap();
        let second = first.speculate([on_day("four", 2)]).unwrap();
        assert_eq!((second.basis(), second.revision()), (revision(1), revision(4)));
        assert_eq!(revisions(second.query(all())), [1, 2, 3, 4]);
        assert_eq!(revisions(first.query(all())), [1, 2, 3]);
        assert_eq!(second.speculated()[2].as_ref().position().get(), 3);
        let transactions: Vec<Vec<&str>> = second.speculated_transactions().map(names).collect();
        assert_eq!(transactions, [vec!["two", "three"], vec!["four"]]);
        assert_eq!(second.speculated()[2].as_ref().transaction_basis(), revision(3));
    });
}

#[test]
fn queries_see_them_in_either_order_and_direction() {
    on_both(|database, _| {
        database.transact([on_day("a", 2), on_day("b", 5)]).unwrap();
        let at = database.latest().unwrap().speculate([on_day("c", 1), on_day("d", 3), on_day("e", 5)]).unwrap();
        assert_eq!(revisions(at.query(all()).reverse()), [5, 4, 3, 2, 1]);
        assert_eq!(revisions(at.query(all()).by_effective_time()), [3, 1, 4, 2, 5]);
        assert_eq!(revisions(at.query(all()).by_effective_time().reverse()), [5, 2, 4, 1, 3]);
        for limit in 0..7_usize {
            let most = limit.min(5);
            assert_eq!(revisions(at.query(all()).limit(limit as u64)), [1, 2, 3, 4, 5][..most]);
            assert_eq!(revisions(at.query(all()).reverse().limit(limit as u64)), [5, 4, 3, 2, 1][..most]);
            assert_eq!(revisions(at.query(all()).by_effective_time().limit(limit as u64)), [3, 1, 4, 2, 5][..most]);
        }
        assert_eq!(revisions(at.query(all()).after(revision(1)).until(revision(4))), [2, 3, 4]);
        assert_eq!(revisions(at.query(all()).until(revision(2))), [1, 2]);
        assert_eq!(revisions(at.query(all()).after(revision(4))), [5]);
        let then = at.at_effective_timestamp(day_of_january(3));
        assert_eq!((revisions(then.query(all())), then.revision()), (vec![1, 3, 4], revision(5)));
        assert_eq!(then.speculated().len(), 3);
        assert_eq!(revisions(at.query(Selector::name("d") | Selector::name("b"))), [2, 4]);
    });
}

#[test]
fn an_effective_time_holds_for_what_is_speculated_behind_it() {
    on_both(|database, _| {
        database.transact([on_day("a", 1), on_day("b", 9)]).unwrap();
        let then = database.at_effective_timestamp(day_of_january(5)).unwrap();
        let would_be = then.speculate([on_day("c", 4), on_day("d", 6)]).unwrap();
        assert_eq!(would_be.effective_at(), Some(day_of_january(5)));
        assert_eq!(revisions(would_be.query(all())), [1, 3]);
    });
}

#[test]
fn lists_and_look_ups_see_them() {
    on_both(|database, _| {
        database.transact([event("accounts", "b", "opened").with_id("e-1")]).unwrap();
        let now = database.latest().unwrap();
        let events = [event("audits", "", "checked").with_id("e-1"), event("accounts", "a", "closed")];
        let at = now.speculate(events).unwrap();
        assert_eq!(at.categories().unwrap(), ["accounts", "audits"]);
        assert_eq!(at.streams().unwrap(), ["a", "b"], "no stream is no name");
        assert_eq!(at.event_names().unwrap(), ["checked", "closed", "opened"]);
        assert_eq!(now.event_names().unwrap(), ["opened"]);
        let id = EventId::from("e-1");
        assert_eq!(at.event("audits", &id).unwrap().unwrap().revision(), revision(2));
        assert_eq!(at.event("accounts", &id).unwrap().unwrap().revision(), revision(1));
        assert!(now.event("audits", &id).unwrap().is_none());
        let made = at.speculated()[1].id();
        assert_eq!(at.event("accounts", &made).unwrap().unwrap().field(EventField::Stream), "a");
        let found = at.events(&[revision(3), revision(1), revision(4), revision(0), revision(2)]).unwrap();
        let found: Vec<_> = found.iter().map(|event| event.as_ref().map(|event| event.revision().get())).collect();
        assert_eq!(found, [Some(3), Some(1), None, None, Some(2)]);
    });
}

#[test]
fn what_a_transaction_is_refused_for_speculation_is_too() {
    on_both(|database, _| {
        database.transact([with_id("e-1")]).unwrap();
        let now = database.latest().unwrap();
        let empty = now.speculate([]).unwrap_err();
        assert!(matches!(empty, DatabaseError::Transaction(TransactionError::Empty)), "{empty}");
        let bad = faults(now.speculate([event("t", "s", "n"), event("accounts", "s", " ")]));
        assert_eq!(bad.iter().map(|fault| fault.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(duplicates(now.speculate([with_id("a"), with_id("a")])), [(1, "a".to_owned())]);
        assert_eq!(duplicates(now.speculate([with_id("a"), with_id("e-1")])), [(1, "e-1".to_owned())]);
        let would_be = now.speculate([with_id("e-2"), event("audits", "", "n").with_id("e-1")]).unwrap();
        assert_eq!(duplicates(would_be.speculate([with_id("e-2")])), [(0, "e-2".to_owned())]);
        let hidden = now.at_effective_timestamp(Timestamp::MIN);
        assert_eq!(duplicates(hidden.speculate([with_id("e-1")])), [(0, "e-1".to_owned())], "seen or not");
        let before = database.at_revision(Revision::EMPTY, AT_ONCE).unwrap();
        assert!(before.speculate([with_id("e-1")]).is_ok(), "then it was free");
    });
}

#[test]
fn what_was_speculated_can_then_be_transacted() {
    on_both(|database, _| {
        database.transact([on_day("a", 1)]).unwrap();
        let events = || [on_day("b", 2).with_id("e-b"), on_day("c", 3).with_id("e-c")];
        let would_be = database.latest().unwrap().speculate(events()).unwrap();
        database.transact(events()).unwrap();
        let is = database.latest().unwrap();
        let (would_be, is) = (would_be.query(all()).read().unwrap(), is.query(all()).read().unwrap());
        assert_eq!(would_be, is, "under a clock that stands still");
    });
}
