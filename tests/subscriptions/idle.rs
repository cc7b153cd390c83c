//! Tests of what subscriptions that get nothing cost those who append.

use super::watched::{Counts, watched};
use super::*;
use std::sync::Arc;
use stratalog::adapters::log::LogAdapter;
use stratalog::adapters::memory::MemoryAdapter;
use stratalog::{Durability, Options};

/// Appends that nobody waits for.
const APPENDS: u64 = 2_000;

/// How often one that gets nothing went to sleep where an append would wake it, while others appended.
fn sleeps(store: &EventStore, counts: &Arc<Counts>, mut subscription: Subscription) -> u64 {
    subscription = subscription.only_new().unwrap();
    let begun = counts.sleeps.load(Ordering::Relaxed);
    let thread = thread::spawn(move || {
        let event = subscription.next_within(FOR_EVER).unwrap().unwrap();
        (event, subscription.checkpoint())
    });
    // So that it sleeps when the first of them wakes it.
    thread::sleep(Duration::from_millis(50));
    for _ in 0..APPENDS {
        publish(store, "b", "s", 1);
        // So fast that who sleeps is woken by about each of them.
        thread::sleep(Duration::from_micros(50));
    }
    let sleeps = counts.sleeps.load(Ordering::Relaxed) - begun;
    publish(store, "a", "s", 1);
    let (event, checkpoint) = thread.join().unwrap();
    assert_eq!((event.category(), checkpoint.get()), ("a", event.sequence_number().get() + 1));
    sleeps
}

fn is_seldom_woken((store, counts): (EventStore, Arc<Counts>)) {
    let subscriptions = [
        store.category("a").subscribe(),
        store.stream("a", "s").subscribe(),
        store.subscribe(Selector::category_prefix("a")),
    ];
    for subscription in subscriptions {
        let sleeps = sleeps(&store, &counts, subscription);
        assert!((1..=APPENDS / 8).contains(&sleeps), "{sleeps} sleeps in {APPENDS} appends");
    }
}

#[test]
fn one_that_gets_nothing_is_seldom_woken() {
    is_seldom_woken(watched(MemoryAdapter::new()));
    let directory = tempfile::tempdir().unwrap();
    is_seldom_woken(watched(LogAdapter::open(directory.path(), &Options::new().durability(Durability::Os)).unwrap()));
}

/// Waits for one event among others that are not wanted, and says how long it took to come.
#[test]
fn what_is_wanted_comes_soon_after_much_that_is_not() {
    on_both(|store| {
        for _ in 0..5 {
            let mut subscription = store.category("a").subscribe().only_new().unwrap();
            let thread = thread::spawn(move || (subscription.next_within(FOR_EVER), Instant::now()));
            for _ in 0..200 {
                publish(&store, "b", "s", 1);
                thread::sleep(Duration::from_micros(50));
            }
            let begun = Instant::now();
            publish(&store, "a", "s", 1);
            let (event, given) = thread.join().unwrap();
            assert!(event.unwrap().is_some());
            assert!(given.saturating_duration_since(begun) < PROMPTLY, "{:?}", given - begun);
        }
    });
}
