//! Tests of a database's events: their source, what the database sets, there and back.

use super::super::payload::Codec;
use super::super::selector::Selector;
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn database() -> DatabaseSource {
    DatabaseSource::new("https://events.example", "bank").unwrap()
}

fn stored(category: &str, stream: &str, payload: &Payload, attributes: Attributes) -> Event {
    let event = StoredEvent::from_fields(EventFields {
        id: "e-1".into(),
        category,
        stream,
        name: "opened",
        payload: payload.as_ref(),
        metadata: Some(b"m"),
        attributes: (!attributes.is_empty()).then(|| Arc::new(attributes)),
        position: 3,
        sequence_number: 41,
        observed_at: at("2024-01-02T00:00:00Z"),
        occurred_at: at("2024-01-01T00:00:00Z"),
        recorded_at: at("2024-01-03T00:00:00Z"),
        given: Given::default(),
        transaction_id: Some("t"),
        transaction_first: 40,
        transaction_count: 3,
    });
    Event::new(event, database())
}

fn plain() -> Event {
    stored("accounts", "acc-42", &Payload::json_text("5").unwrap(), Attributes::new().with("b", 7).with("a", "x"))
}

#[test]
fn the_source_is_a_uri_and_the_revision_an_attribute() {
    let spoken = plain().to_cloud_event().unwrap();
    assert_eq!(
        spoken.to_json().unwrap(),
        concat!(
            r#"{"specversion":"1.0","id":"e-1","source":"https://events.example/db/bank/streams/accounts","#,
            r#""type":"opened","subject":"acc-42","time":"2024-01-01T00:00:00Z","b":7,"a":"x","sequence":"42","#,
            r#""recordedtime":"2024-01-03T00:00:00Z","data":5}"#
        )
    );
    assert_eq!(spoken.extensions.get("recordedtime"), Some(&AttributeValue::Time(at("2024-01-03T00:00:00Z"))));
}

#[test]
fn events_go_there_and_back() {
    let none = Payload::none();
    for event in [
        plain(),
        stored("t", "", &none, Attributes::new()),
        stored("a/b é", "a\u{1f}b", &Payload::binary(vec![0, 1]), Attributes::new().with("n", true)),
    ] {
        let spoken = event.to_cloud_event().unwrap();
        assert_eq!(spoken.subject.is_none(), event.stream().is_empty());
        assert_eq!(Event::from_cloud_event(spoken.clone()), Ok(event.clone()));
        let read = CloudEvent::from_json(&spoken.to_json().unwrap()).unwrap();
        let back = Event::from_cloud_event(read).unwrap();
        assert_eq!(back, event);
        assert_eq!((back.source(), back.revision()), (event.source(), event.revision()));
    }
    let packed = stored("accounts", "", &Payload::encode(Codec::MessagePack, &[1]).unwrap(), Attributes::new());
    let back = Event::from_cloud_event(packed.to_cloud_event().unwrap()).unwrap();
    assert_eq!((back.decode::<[u8; 1]>().unwrap(), back.payload().content_type()), ([1], Some("application/json")));
}

#[test]
fn events_that_are_no_cloud_events_are_named_with_the_rule() {
    let none = Payload::none();
    let refused = |event: Event| event.to_cloud_event().unwrap_err();
    for name in ["sequence", "recordedtime", "type"] {
        let error = refused(stored("accounts", "", &none, Attributes::new().with(name, "7")));
        assert_eq!((error.id, error.revision), ("e-1".into(), Revision::new(42)));
        assert_eq!(error.reason, AttributeFault::Reserved { name: name.into() }.into());
    }
    let error = refused(stored("accounts", "", &none, Attributes::new().with("Tenant", "7")));
    assert!(error.to_string().starts_with("the event e-1 at revision 42 is no CloudEvent: the attribute \"Tenant\""));
    let error = refused(stored("accounts", "", &none, Attributes::new().with("n", i64::MAX)));
    assert!(matches!(error.reason, CloudEventError::Attribute(AttributeFault::IntegerOutOfRange { .. })));
    let not_finite = Payload::encode(Codec::MessagePack, &f64::INFINITY).unwrap();
    assert!(matches!(
        refused(stored("accounts", "", &not_finite, Attributes::new())).reason,
        CloudEventError::Payload(_)
    ));
}

#[test]
fn names_are_checked_where_it_is_asked_for() {
    let none = Payload::none();
    for good in [plain(), stored("accounts", "", &none, Attributes::new())] {
        assert_eq!(good.to_strict_cloud_event(), good.to_cloud_event());
    }
    for (event, what) in [
        (stored("t", "s", &none, Attributes::new()), "category"),
        (stored("accounts", " ", &none, Attributes::new()), "stream"),
        (stored("accounts", "s", &none, Attributes::new().with("A", 1)), "attribute"),
    ] {
        let refused = event.to_strict_cloud_event().unwrap_err();
        assert_eq!((&refused.id, refused.revision), (&"e-1".into(), Revision::new(42)));
        assert!(matches!(&refused.reason, CloudEventError::Name(name) if name.what == what), "{refused}");
    }
}

#[test]
fn cloud_events_that_no_database_gave_are_refused() {
    let good = plain().to_cloud_event().unwrap();
    let read = |change: &dyn Fn(&mut CloudEvent)| {
        let mut event = good.clone();
        change(&mut event);
        Event::from_cloud_event(event)
    };
    let without = |name: &str| {
        let others = good.extensions.iter().filter(|(known, _)| *known != name);
        let extensions = others.map(|(name, value)| (name, value.clone())).collect();
        Event::from_cloud_event(CloudEvent { extensions, ..good.clone() })
    };
    assert!(matches!(read(&|event| event.source = "accounts".into()), Err(CloudEventError::Source(_))));
    assert_eq!(read(&|event| event.time = None), Err(CloudEventError::Missing { attribute: "time" }));
    assert_eq!(read(&|event| event.id = "".into()), Err(CloudEventError::Empty { attribute: "id" }));
    for attribute in ["sequence", "recordedtime"] {
        assert_eq!(without(attribute), Err(CloudEventError::Missing { attribute }));
    }
    for bad in ["0", "-1", "+1", "", "x", "1.0", "18446744073709551616"] {
        let refused = read(&|event| event.extensions.set("sequence", bad));
        assert!(matches!(refused, Err(CloudEventError::WrongType { ref found, .. }) if found == bad), "{bad}");
    }
    let padded = read(&|event| event.extensions.set("sequence", "00000000000000000007")).unwrap();
    assert_eq!(padded.revision(), Revision::new(7));
    assert_eq!(read(&|event| event.extensions.set("sequence", 7)).unwrap().revision(), Revision::new(7));
    let late = read(&|event| event.extensions.set("recordedtime", "late"));
    assert!(matches!(late, Err(CloudEventError::Time { attribute: "recordedtime", .. })));
    assert!(matches!(read(&|event| event.extensions.set("recordedtime", 7)), Err(CloudEventError::WrongType { .. })));
}

#[test]
fn events_differ_in_every_field_that_a_database_tells() {
    let none = Payload::none();
    let one = stored("accounts", "s", &none, Attributes::new());
    assert_eq!(one, one.clone());
    let elsewhere = Event::new(one.event.clone(), DatabaseSource::new("https://events.example", "bank2").unwrap());
    for other in [
        elsewhere,
        stored("accounts2", "s", &none, Attributes::new()),
        stored("accounts", "s2", &none, Attributes::new()),
        stored("accounts", "s", &Payload::text(""), Attributes::new()),
        stored("accounts", "s", &none, Attributes::new().with("a", 1)),
    ] {
        assert_ne!(one, other);
    }
    let selector = Selector::stream_prefix("s");
    assert!(selector.matches(&one) && !selector.matches(&stored("accounts", "", &none, Attributes::new())));
}
