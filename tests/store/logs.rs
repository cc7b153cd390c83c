//! Tests of the whole log.

use super::*;

#[test]
fn read_everything_in_the_order_of_publishing() {
    on_both(|store| {
        assert_eq!(store.log().read().unwrap(), []);
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "t", "three")]);
        assert_eq!(names(&store.log().read().unwrap()), ["one", "two", "three"]);
        assert_eq!(store.log().latest().unwrap().unwrap().name(), "three");
        let iterated: Vec<StoredEvent> = store.log().into_iter().map(Result::unwrap).collect();
        assert_eq!(iterated, store.log().read().unwrap());
    });
}

#[test]
fn narrow_to_categories_and_streams() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two")]);
        let log = store.log();
        assert_eq!(log.categories().unwrap(), ["c", "d"]);
        assert_eq!(names(&log.category("d").read().unwrap()), ["two"]);
        assert_eq!(names(&log.stream("c", "s").read().unwrap()), ["one"]);
    });
}

#[test]
fn are_shared_by_clones_of_a_store_and_by_threads() {
    on_both(|store| {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = store.clone();
                scope.spawn(move || store.stream("c", thread.to_string()).publish(events(5)).unwrap());
            }
        });
        assert_eq!(store.log().read().unwrap().len(), 20);
    });
}
