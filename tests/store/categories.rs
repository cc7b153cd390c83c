//! Tests of categories.

use super::*;

#[test]
fn have_no_events_initially() {
    let store = EventStore::in_memory();
    assert_eq!(store.category("c").read().unwrap(), []);
    assert_eq!(store.category("c").streams().unwrap(), [""; 0]);
}

#[test]
fn give_back_the_events_of_a_stream() {
    let store = EventStore::in_memory();
    publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two")]);
    assert_eq!(store.category("c").read().unwrap(), store.stream("c", "s").read().unwrap());
}

#[test]
fn read_across_streams_in_the_order_of_publishing() {
    let store = EventStore::in_memory();
    publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two"), ("c", "s", "three")]);
    assert_eq!(names(&store.category("c").read().unwrap()), ["one", "two", "three"]);
    assert_eq!(store.category("c").streams().unwrap(), ["s", "t"]);
}

#[test]
fn ignore_other_categories() {
    let store = EventStore::in_memory();
    publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "t", "three")]);
    assert_eq!(names(&store.category("c").read().unwrap()), ["one", "three"]);
    assert_eq!(store.category("c").latest().unwrap().unwrap().name(), "three");
    assert_eq!(store.category("d").latest().unwrap().unwrap().name(), "two");
}

#[test]
fn iterate_over_what_they_read() {
    let store = EventStore::in_memory();
    publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two")]);
    let category = store.category("c");
    let iterated: Vec<StoredEvent> = (&category).into_iter().map(Result::unwrap).collect();
    assert_eq!(iterated, category.read().unwrap());
}

#[test]
fn narrow_to_a_stream() {
    let store = EventStore::in_memory();
    store.category("c").stream("s").publish([NewEvent::empty("one")]).unwrap();
    assert_eq!(store.category("c").stream("s").identifier(), &Stream::new("c", "s"));
    assert_eq!(names(&store.stream("c", "s").read().unwrap()), ["one"]);
}

#[test]
fn publish_to_several_streams_at_once() {
    let store = EventStore::in_memory();
    let category = store.category("c");
    let receipt = category.publish([("s", events(2)), ("t", events(3))]).unwrap();
    assert_eq!((receipt.count(), store.revision().unwrap().get()), (5, 5));
    assert_eq!(category.stream("s").read().unwrap().len(), 2);
    assert_eq!(category.stream("t").read().unwrap().len(), 3);
    assert_eq!(store.transactions(stratalog::Revision::EMPTY).unwrap().count(), 1);
}

#[test]
fn publish_to_several_streams_on_conditions_of_their_own() {
    let store = EventStore::in_memory();
    let category = store.category("c");
    category.stream("s").publish(events(1)).unwrap();
    let unmet = category.publish_if([("s", events(1), position_is(0)), ("t", events(1), stream_exists())]).unwrap_err();
    assert!(unmet.is_conflict());
    assert_eq!(store.revision().unwrap().get(), 1);
    category.publish_if([("s", events(1), position_is(0)), ("t", events(1), stream_is_empty())]).unwrap();
    assert_eq!(store.revision().unwrap().get(), 3);
}
