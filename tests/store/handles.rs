//! Tests of what handles carry.

use super::*;

#[test]
fn add_default_attributes_to_what_they_publish() {
    let store = EventStore::in_memory();
    let stream = store.stream("c", "s").with_attribute("tenant", "t-1").with_attribute("trace", 7);
    stream.publish([NewEvent::empty("e"), NewEvent::empty("e").with_attribute("tenant", "own")]).unwrap();
    stream.publish_if([NewEvent::empty("e")], stream_exists()).unwrap();
    let found = stream.read().unwrap();
    assert_eq!(found[0].attributes(), &Attributes::new().with("tenant", "t-1").with("trace", 7));
    assert_eq!(found[1].attributes(), &Attributes::new().with("tenant", "own").with("trace", 7));
    assert_eq!(found[2].attributes(), found[0].attributes());
}

#[test]
fn leave_the_handle_they_were_made_from_as_it_is() {
    let store = EventStore::in_memory();
    let plain = store.stream("c", "s");
    let _with = plain.clone().with_attribute("tenant", "t-1");
    plain.publish([NewEvent::empty("e")]).unwrap();
    assert!(plain.read().unwrap()[0].attributes().is_empty());
}

#[test]
fn pass_default_attributes_from_a_category_to_its_streams() {
    let store = EventStore::in_memory();
    let category = store.category("c").with_attribute("tenant", "t-1");
    category.publish([("s", [NewEvent::empty("e")]), ("t", [NewEvent::empty("e")])]).unwrap();
    category.stream("u").with_attribute("trace", 7).publish([NewEvent::empty("e")]).unwrap();
    for event in category.read().unwrap() {
        assert_eq!(event.attributes().get("tenant"), Some(&AttributeValue::from("t-1")));
        assert_eq!(event.attributes().get("trace").is_some(), event.stream() == "u");
    }
}

#[test]
fn know_their_store_and_identifier() {
    let store = EventStore::in_memory();
    let stream = store.category("c").stream("s");
    stream.store().stream("d", "s").publish(events(1)).unwrap();
    assert_eq!(store.revision().unwrap().get(), 1);
    assert_eq!(stream.identifier().to_string(), "stream \"s\" of category \"c\"");
    assert_eq!(store.category("c").identifier().category(), "c");
    assert_eq!(store.log().identifier().to_string(), "log");
}
