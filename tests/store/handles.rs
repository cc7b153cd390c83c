//! Tests of what handles carry.

use super::*;

#[test]
fn add_default_attributes_to_what_they_publish() {
    on_both(|store| {
        let stream = store.stream("c", "s").with_attribute("tenant", "t-1").with_attribute("trace", 7);
        stream.publish([NewEvent::empty("e"), NewEvent::empty("e").with_attribute("tenant", "own")]).unwrap();
        stream.publish_if([NewEvent::empty("e")], stream_exists()).unwrap();
        stream.publish_deferred([NewEvent::empty("e"), NewEvent::empty("e")]).unwrap().durable().unwrap();
        let found = stream.read().unwrap();
        assert_eq!((found.len(), found[4].attributes()), (5, found[0].attributes()));
        assert_eq!(found[0].attributes(), &Attributes::new().with("tenant", "t-1").with("trace", 7));
        assert_eq!(found[1].attributes(), &Attributes::new().with("tenant", "own").with("trace", 7));
        assert_eq!(found[2].attributes(), found[0].attributes());
    });
}

#[test]
fn leave_the_handle_they_were_made_from_as_it_is() {
    on_both(|store| {
        let plain = store.stream("c", "s");
        let _with = plain.clone().with_attribute("tenant", "t-1");
        plain.publish([NewEvent::empty("e")]).unwrap();
        assert!(plain.read().unwrap()[0].attributes().is_empty());
    });
}

#[test]
fn pass_default_attributes_from_a_category_to_its_streams() {
    on_both(|store| {
        let category = store.category("c").with_attribute("tenant", "t-1");
        category.publish([("s", [NewEvent::empty("e")]), ("t", [NewEvent::empty("e")])]).unwrap();
        category.stream("u").with_attribute("trace", 7).publish([NewEvent::empty("e")]).unwrap();
        for event in category.read().unwrap() {
            assert_eq!(event.attributes().get("tenant"), Some(&AttributeValue::from("t-1")));
            assert_eq!(event.attributes().get("trace").is_some(), event.stream() == "u");
        }
    });
}

#[test]
fn know_their_store_and_identifier() {
    on_both(|store| {
        let stream = store.category("c").stream("s");
        assert_eq!(stream.identifier(), &Stream::new("c", "s"));
        assert_eq!((stream.identifier().category(), stream.identifier().stream()), ("c", "s"));
        assert_eq!(store.category("c").identifier(), &Category::new("c"));
        assert_eq!(store.category("c").identifier().category(), "c");
        assert_eq!(store.log().identifier(), &Log::new());
        stream.store().stream("d", "s").publish(events(1)).unwrap();
        store.category("c").store().stream("d", "s").publish(events(1)).unwrap();
        store.log().store().stream("d", "s").publish(events(1)).unwrap();
        assert_eq!(store.stream("d", "s").read().unwrap().len(), 3);
    });
}

#[test]
fn lead_to_the_adapter_below() {
    on_both(|store| {
        let adapter = Arc::clone(store.adapter());
        let again = EventStore::from_arc(Arc::clone(&adapter));
        for store in [
            &store,
            &again,
            again.log().store(),
            again.category("c").store(),
            again.stream("c", "s").store(),
            again.clone().category("c").stream("s").store(),
        ] {
            assert!(Arc::ptr_eq(store.adapter(), &adapter));
        }
        assert!(["memory", "log"].contains(&adapter.capabilities().name));
        again.stream("c", "s").publish(events(2)).unwrap();
        assert_eq!((adapter.revision().unwrap().get(), store.stream("c", "s").read().unwrap().len()), (2, 2));
    });
}

#[test]
fn are_made_without_input_or_output() {
    on_both(|store| {
        store.stream("c", "s").publish(events(1)).unwrap();
        let before = store.stats().unwrap();
        let again = EventStore::from_arc(Arc::clone(store.adapter()));
        let _handles = (again.log(), again.category("unknown"), again.stream("unknown", "s"), again.log().scan());
        assert_eq!(store.stats().unwrap(), before);
        store.close().unwrap();
        let late = EventStore::from_arc(Arc::clone(store.adapter())).category("c").stream("s");
        assert!(matches!(late.read(), Err(ReadError::Closed)), "the first read is what looks");
    });
}
