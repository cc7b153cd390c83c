//! Tests of waiting for events, and of what ends it.

use super::watched::Least;
use super::*;
use std::sync::mpsc;
use stratalog::adapters::log::LogAdapter;
use stratalog::adapters::memory::MemoryAdapter;
use stratalog::{Durability, Options};

/// How long a thread is given to fall asleep.
const ASLEEP: Duration = Duration::from_millis(60);

fn all_kinds(store: &EventStore) -> [Subscription; 4] {
    [
        store.log().subscribe(),
        store.category("a").subscribe(),
        store.stream("a", "s").subscribe(),
        store.subscribe(Selector::category("a")),
    ]
}

#[test]
fn one_that_sleeps_is_woken_by_what_comes() {
    on_both(|store| {
        for mut subscription in all_kinds(&store) {
            subscription = subscription.only_new().unwrap();
            let thread = thread::spawn(move || (subscription.next_within(FOR_EVER), Instant::now()));
            thread::sleep(ASLEEP);
            let begun = Instant::now();
            publish(&store, "a", "s", 1);
            let (event, woken) = thread.join().unwrap();
            assert_eq!(event.unwrap().unwrap().revision(), store.revision().unwrap());
            assert!(woken - begun < PROMPTLY, "{:?}", woken - begun);
        }
    });
}

#[test]
fn a_deadline_is_kept() {
    on_both(|store| {
        for mut subscription in all_kinds(&store) {
            for timeout in [Duration::ZERO, Duration::from_millis(30)] {
                let begun = Instant::now();
                assert!(subscription.next_within(timeout).unwrap().is_none());
                assert!(begun.elapsed() >= timeout && begun.elapsed() < timeout + PROMPTLY, "{:?}", begun.elapsed());
            }
        }
        publish(&store, "a", "s", 1);
        for mut subscription in all_kinds(&store) {
            assert!(subscription.next_within(Duration::ZERO).unwrap().is_some(), "what is there needs no time");
        }
    });
}

/// While others append what it does not want, which wakes it over and over.
#[test]
fn a_deadline_is_kept_in_a_crowd() {
    on_both(|store| {
        let (stop, stopped) = mpsc::channel::<()>();
        let writer = {
            let store = store.clone();
            thread::spawn(move || {
                while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                    publish(&store, "b", "s", 1);
                    thread::sleep(Duration::from_micros(100));
                }
            })
        };
        let mut subscription = store.category("a").subscribe();
        let begun = Instant::now();
        assert!(subscription.next_within(Duration::from_millis(50)).unwrap().is_none());
        let elapsed = begun.elapsed();
        drop(stop);
        writer.join().unwrap();
        assert!(elapsed >= Duration::from_millis(50) && elapsed < PROMPTLY, "{elapsed:?}");
    });
}

/// Calls off a subscription that sleeps, and looks when it learns of that.
fn is_called_off(mut subscription: Subscription) {
    let cancellation = subscription.cancellation();
    let thread = thread::spawn(move || {
        let first = subscription.next().unwrap().unwrap().sequence_number().get();
        let told = subscription.next_within(FOR_EVER);
        let woken = Instant::now();
        assert!(matches!(told, Err(ReadError::Cancelled)), "{told:?}");
        (first, subscription, woken)
    });
    thread::sleep(ASLEEP);
    assert!(!cancellation.is_cancelled());
    let begun = Instant::now();
    cancellation.clone().cancel();
    let (first, mut subscription, woken) = thread.join().unwrap();
    assert!(woken - begun < PROMPTLY, "{:?}", woken - begun);
    assert!(cancellation.is_cancelled() && subscription.next().is_none());
    assert!(matches!(subscription.next_within(FOR_EVER), Err(ReadError::Cancelled)));
    assert!(matches!(subscription.try_next(), Err(ReadError::Cancelled)));
    assert_eq!(subscription.checkpoint().get(), first + 1);
}

#[test]
fn one_that_sleeps_is_called_off_at_once() {
    on_both(|store| {
        publish(&store, "a", "s", 1);
        for subscription in all_kinds(&store) {
            is_called_off(subscription);
        }
    });
}

#[test]
fn one_is_called_off_where_nobody_can_wake_it() {
    let store = EventStore::new(Least { below: MemoryAdapter::new() });
    publish(&store, "a", "s", 1);
    for subscription in all_kinds(&store) {
        is_called_off(subscription);
    }
}

#[test]
fn one_that_is_called_off_gives_nothing_more_and_another_goes_on() {
    on_both(|store| {
        publish(&store, "a", "s", 100);
        for (kind, mut subscription) in all_kinds(&store).into_iter().enumerate() {
            let given: Vec<u64> =
                subscription.by_ref().take(40).map(|event| event.unwrap().sequence_number().get()).collect();
            assert_eq!(given, (0..40).collect::<Vec<_>>());
            subscription.cancellation().cancel();
            assert!(subscription.next().is_none());
            assert!(matches!(subscription.next_within(FOR_EVER), Err(ReadError::Cancelled)));
            let another = all_kinds(&store).into_iter().nth(kind).unwrap();
            assert_eq!(numbers(&mut another.from(subscription.checkpoint())), (40..100).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_cancellation_keeps_no_store_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = EventStore::open(directory.path()).unwrap();
    let subscription = store.log().subscribe();
    let cancellation = subscription.cancellation();
    drop(store);
    assert!(EventStore::open(directory.path()).is_err(), "a subscription keeps it open");
    drop(subscription);
    drop(EventStore::open(directory.path()).unwrap());
    cancellation.cancel();
    assert!(cancellation.is_cancelled());
}

#[test]
fn what_was_visible_comes_before_the_store_is_closed() {
    on_both(|store| {
        for _ in 0..150 {
            store
                .append(transaction().stream("a", "s", [NewEvent::empty("n")]).stream("b", "s", [NewEvent::empty("n")]))
                .unwrap();
        }
        let [mut log, mut category, mut stream, mut selector] = all_kinds(&store);
        for _ in 0..10 {
            assert!(log.try_next().unwrap().is_some() && category.try_next().unwrap().is_some());
        }
        publish(&store, "a", "s", 400);
        store.close().unwrap();
        let rest = |subscription: &mut Subscription| {
            let told: Vec<_> = subscription.by_ref().collect();
            let (last, events) = told.split_last().unwrap();
            assert!(matches!(last, Err(ReadError::Closed)), "{last:?}");
            assert!(matches!(subscription.try_next(), Err(ReadError::Closed)), "it stays so");
            assert!(matches!(subscription.next_within(FOR_EVER), Err(ReadError::Closed)), "it stays so");
            assert!(subscription.next().is_none());
            assert_eq!(subscription.checkpoint().get(), 700);
            events.iter().map(|event| event.as_ref().unwrap().sequence_number().get()).collect::<Vec<_>>()
        };
        let of_a: Vec<u64> = (0..700).filter(|number| number % 2 == 0 || *number >= 300).collect();
        assert_eq!(rest(&mut log), (10..700).collect::<Vec<_>>());
        assert_eq!(rest(&mut category), of_a[10..]);
        assert_eq!(rest(&mut stream), of_a);
        assert_eq!(rest(&mut selector), of_a);
    });
}

#[test]
fn an_adapter_that_cannot_be_read_when_it_is_closed_ends_subscriptions_at_once() {
    let store = EventStore::new(Least { below: MemoryAdapter::new() });
    publish(&store, "a", "s", 2);
    let mut subscription = store.log().subscribe();
    store.close().unwrap();
    assert!(matches!(subscription.next(), Some(Err(ReadError::Closed))));
    assert!(subscription.next().is_none());
}

#[test]
fn closing_wakes_those_that_sleep() {
    on_both(|store| {
        publish(&store, "a", "s", 1);
        let threads = all_kinds(&store).map(|mut subscription| {
            thread::spawn(move || {
                assert!(subscription.next().unwrap().is_ok());
                (subscription.next_within(FOR_EVER), Instant::now())
            })
        });
        thread::sleep(ASLEEP);
        let begun = Instant::now();
        store.close().unwrap();
        for thread in threads {
            let (told, woken) = thread.join().unwrap();
            assert!(matches!(told, Err(ReadError::Closed)), "{told:?}");
            assert!(woken.saturating_duration_since(begun) < PROMPTLY * 2, "{:?}", woken - begun);
        }
    });
}

#[test]
fn a_transaction_is_there_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let log = |name: &str, durability| {
        let options = Options::new().durability(durability).segment_bytes(16 << 10, 16 << 10);
        EventStore::new(LogAdapter::open(path(name), &options).unwrap())
    };
    for store in [EventStore::in_memory(), log("os", Durability::Os), log("sync", Durability::Sync)] {
        let writer = {
            let store = store.clone();
            thread::spawn(move || {
                for count in 0..150_usize {
                    let many = || (0..1 + count % 5).map(|_| NewEvent::empty("n"));
                    store.append(transaction().stream("a", "s", many()).stream("a", "t", many())).unwrap();
                }
            })
        };
        let mut subscription = store.category("a").subscribe();
        let mut seen = 0;
        while seen < 900 {
            let first = subscription.next_within(FOR_EVER).unwrap().unwrap();
            assert_eq!(first.sequence_number().get(), seen);
            for number in seen + 1..first.transaction_revision().get() {
                let next = subscription.try_next().unwrap();
                assert_eq!(next.map(|event| event.sequence_number().get()), Some(number), "part of a transaction");
            }
            seen = first.transaction_revision().get();
        }
        writer.join().unwrap();
        assert!(subscription.try_next().unwrap().is_none());
    }
}

#[test]
fn calls_from_inside_a_condition_are_refused() {
    on_both(|store| {
        publish(&store, "a", "s", 1);
        let subscription = std::sync::Mutex::new(store.log().subscribe());
        let condition = stratalog::Condition::custom("subscribes", move |_| {
            matches!(subscription.lock().unwrap().next_within(FOR_EVER), Err(ReadError::CalledFromCondition))
        });
        store.stream("a", "s").publish_if([NewEvent::empty("n")], condition).unwrap();
        // Calling off waits for nothing, and so may be done there.
        let mut waiting = store.log().subscribe().only_new().unwrap();
        let cancellation = waiting.cancellation();
        let thread = thread::spawn(move || waiting.next_within(FOR_EVER));
        thread::sleep(ASLEEP);
        let condition = stratalog::Condition::custom("calls off", move |_| {
            cancellation.cancel();
            false
        });
        store.stream("a", "s").publish_if([NewEvent::empty("n")], condition).unwrap_err();
        assert!(matches!(thread.join().unwrap(), Err(ReadError::Cancelled)));
    });
}
