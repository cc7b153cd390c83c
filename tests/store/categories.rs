//! Tests of categories.

use super::*;

#[test]
fn have_no_events_initially() {
    on_both(|store| {
        assert_eq!(store.category("c").read().unwrap(), []);
        assert_eq!(store.category("c").streams().unwrap(), [""; 0]);
    });
}

#[test]
fn give_back_the_events_of_a_stream() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "s", "two")]);
        assert_eq!(store.category("c").read().unwrap(), store.stream("c", "s").read().unwrap());
    });
}

#[test]
fn read_across_streams_in_the_order_of_publishing() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two"), ("c", "s", "three")]);
        assert_eq!(names(&store.category("c").read().unwrap()), ["one", "two", "three"]);
        assert_eq!(store.category("c").streams().unwrap(), ["s", "t"]);
    });
}

#[test]
fn ignore_other_categories() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("d", "s", "two"), ("c", "t", "three")]);
        assert_eq!(names(&store.category("c").read().unwrap()), ["one", "three"]);
        assert_eq!(store.category("c").latest().unwrap().unwrap().name(), "three");
        assert_eq!(store.category("d").latest().unwrap().unwrap().name(), "two");
    });
}

#[test]
fn iterate_over_what_they_read() {
    on_both(|store| {
        publish_in_turn(&store, &[("c", "s", "one"), ("c", "t", "two")]);
        let category = store.category("c");
        let mut iterated = Vec::new();
        for event in &category {
            iterated.push(event.unwrap());
        }
        assert_eq!(names(&iterated), ["one", "two"]);
        assert_eq!(iterated, category.read().unwrap());
        publish_in_turn(&store, &[("c", "s", "three")]);
        assert_eq!((&category).into_iter().count(), 3, "each iteration begins anew");
        let by_value: Vec<StoredEvent> = category.clone().into_iter().map(Result::unwrap).collect();
        assert_eq!(by_value, category.read().unwrap());
    });
}

#[test]
fn narrow_to_a_stream() {
    on_both(|store| {
        store.category("c").stream("s").publish([NewEvent::empty("one")]).unwrap();
        assert_eq!(store.category("c").stream("s").identifier(), &Stream::new("c", "s"));
        publish_in_turn(&store, &[("c", "t", "two"), ("d", "s", "three")]);
        assert_eq!(names(&store.category("c").stream("s").read().unwrap()), ["one"]);
        assert_eq!(store.category("c").stream("s").read().unwrap(), store.stream("c", "s").read().unwrap());
    });
}

#[test]
fn publish_to_several_streams_at_once() {
    on_both(|store| {
        let category = store.category("c");
        let receipt = category.publish([("s", events(2)), ("t", events(3))]).unwrap();
        assert_eq!((receipt.count(), store.revision().unwrap().get()), (5, 5));
        assert_eq!(category.stream("s").read().unwrap().len(), 2);
        assert_eq!(category.stream("t").read().unwrap().len(), 3);
        assert_eq!(store.transactions(stratalog::Revision::EMPTY).unwrap().count(), 1);
    });
}

#[test]
fn publish_to_several_streams_on_conditions_of_their_own() {
    on_both(|store| {
        let category = store.category("c");
        category.stream("s").publish(events(1)).unwrap();
        let unmet =
            category.publish_if([("s", events(1), position_is(0)), ("t", events(1), stream_exists())]).unwrap_err();
        assert!(unmet.is_conflict());
        assert_eq!(store.revision().unwrap().get(), 1);
        category.publish_if([("s", events(1), position_is(0)), ("t", events(1), stream_is_empty())]).unwrap();
        assert_eq!(store.revision().unwrap().get(), 3);
    });
}
