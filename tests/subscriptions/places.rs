//! Tests of where subscriptions begin, what they give, and where another one goes on.

use super::watched::watched;
use super::*;
use stratalog::adapters::log::LogAdapter;
use stratalog::adapters::memory::MemoryAdapter;
use stratalog::{Durability, Options};

#[test]
fn each_kind_gives_what_it_is_to() {
    on_both(|store| {
        let give = |name: &str| [NewEvent::empty(name)];
        for _ in 0..100 {
            store
                .append(
                    transaction()
                        .stream("a", "1", give("opened"))
                        .stream("a", "2", give("opened"))
                        .stream("b", "1", give("closed"))
                        .stream("", "", give("closed")),
                )
                .unwrap();
        }
        let picked = |of: &[u64]| -> Vec<u64> { (0..400).filter(|number| of.contains(&(number % 4))).collect() };
        assert_eq!(numbers(&mut store.log().subscribe()), picked(&[0, 1, 2, 3]));
        assert_eq!(numbers(&mut store.category("a").subscribe()), picked(&[0, 1]));
        assert_eq!(numbers(&mut store.stream("b", "1").subscribe()), picked(&[2]));
        assert_eq!(numbers(&mut store.subscribe(Selector::stream("1"))), picked(&[0, 2]));
        let selector = Selector::name("closed").and(Selector::no_stream()).or(Selector::stream("2"));
        assert_eq!(numbers(&mut store.subscribe(selector)), picked(&[1, 3]));
        assert!(numbers(&mut store.category("no such").subscribe()).is_empty());
    });
}

#[test]
fn one_begins_where_it_is_told_to() {
    on_both(|store| {
        publish(&store, "a", "1", 5);
        let log = store.log();
        assert_eq!(numbers(&mut log.subscribe().from(SequenceNumber::new(3))), [3, 4]);
        assert_eq!(numbers(&mut log.subscribe().after(SequenceNumber::new(3))), [4]);
        let mut new = log.subscribe().only_new().unwrap();
        let mut later = log.subscribe().from(SequenceNumber::new(6));
        let mut never = log.subscribe().after(SequenceNumber::new(u64::MAX));
        assert_eq!((new.checkpoint().get(), later.checkpoint().get()), (5, 6));
        assert!(numbers(&mut new).is_empty() && numbers(&mut later).is_empty());
        publish(&store, "a", "1", 3);
        assert_eq!(numbers(&mut new), [5, 6, 7]);
        assert_eq!(numbers(&mut later), [6, 7], "one that begins beyond the end waits for that number");
        assert!(numbers(&mut never).is_empty());
        assert_eq!(numbers(&mut new.from(SequenceNumber::new(7))), [7], "it can be set back");
        store.close().unwrap();
        assert!(matches!(log.subscribe().only_new(), Err(ReadError::Closed)));
    });
}

#[test]
fn the_place_is_behind_what_was_given_and_what_is_not_meant() {
    on_both(|store| {
        for (category, count) in [("a", 2), ("b", 300), ("a", 1), ("b", 300)] {
            publish(&store, category, "s", count);
        }
        let subscriptions = [
            store.category("a").subscribe(),
            store.stream("a", "s").subscribe(),
            store.subscribe(Selector::category("a")),
        ];
        for mut subscription in subscriptions {
            let mut places = vec![subscription.checkpoint().get()];
            while let Some(event) = subscription.try_next().unwrap() {
                let place = subscription.checkpoint().get();
                assert!(place > event.sequence_number().get(), "what was given is not given again");
                places.push(place);
            }
            places.push(subscription.checkpoint().get());
            // Between two events it may stand at either end of what lies between them.
            assert_eq!((places[0], places[1], places[4]), (0, 1, 603), "{places:?}");
            assert!((2..=302).contains(&places[2]) && (303..=603).contains(&places[3]), "{places:?}");
        }
    });
}

/// Checks that what was looked at is not looked at again: not by the subscription, and not by one that goes on for it.
fn looks_once((store, counts): (EventStore, std::sync::Arc<watched::Counts>)) {
    publish(&store, "b", "s", 500);
    type Subscribe = fn(&EventStore) -> Subscription;
    let kinds: [Subscribe; 3] =
        [|s| s.category("a").subscribe(), |s| s.stream("a", "s").subscribe(), |s| s.subscribe(Selector::name("m"))];
    let mut end = 500;
    for subscribe in kinds {
        counts.ranges.lock().unwrap().clear();
        let mut subscription = subscribe(&store);
        assert!(subscription.next_within(Duration::ZERO).unwrap().is_none());
        assert_eq!(subscription.checkpoint().get(), end);
        publish(&store, "b", "s", 10);
        assert!(subscription.next_within(Duration::from_millis(20)).unwrap().is_none());
        let mut another = subscribe(&store).from(subscription.checkpoint());
        publish(&store, "b", "s", 10);
        assert!(another.next_within(Duration::ZERO).unwrap().is_none());
        let ranges = std::mem::take(&mut *counts.ranges.lock().unwrap());
        assert_eq!(ranges, [(0, end - 1), (end, end + 9), (end + 10, end + 19)]);
        end += 20;
    }
}

#[test]
fn what_was_looked_at_is_not_looked_at_again() {
    looks_once(watched(MemoryAdapter::new()));
    let directory = tempfile::tempdir().unwrap();
    looks_once(watched(LogAdapter::open(directory.path(), &Options::new().durability(Durability::Os)).unwrap()));
}

/// More than one piece of the log lies between the two events.
#[test]
fn a_long_way_between_two_events_is_gone_in_one_call() {
    on_both(|store| {
        publish(&store, "a", "s", 1);
        for _ in 0..2 {
            publish(&store, "b", "s", 70_000);
        }
        publish(&store, "a", "s", 1);
        assert_eq!(numbers(&mut store.category("a").subscribe()), [0, 140_001]);
        assert_eq!(numbers(&mut store.subscribe(Selector::category("a"))), [0, 140_001]);
        let mut subscription = store.category("a").subscribe().from(SequenceNumber::new(1));
        let event = subscription.next_within(FOR_EVER).unwrap().unwrap();
        assert_eq!((event.sequence_number().get(), subscription.checkpoint().get()), (140_001, 140_002));
        // Without time it goes a part of the way, and gets there all the same.
        let mut hasty = store.subscribe(Selector::category("a")).from(SequenceNumber::new(1));
        let mut calls = 1;
        while hasty.next_within(Duration::ZERO).unwrap().is_none() {
            calls += 1;
            assert!(calls < 100, "it stands still at {}", hasty.checkpoint());
        }
        assert!(calls > 1, "a call without time goes over all of it");
    });
}
