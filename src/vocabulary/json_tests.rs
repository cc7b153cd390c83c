//! Tests of the events' JSON: keys, casing, order, round trips, refusals.

use super::super::payload::Codec;
use super::*;
use serde_json::json;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn plain(payload: Payload) -> NewEvent {
    NewEvent::from_payload("money-deposited", payload)
        .with_observed_at(at("2024-01-02T03:04:05.5Z"))
        .with_occurred_at(at("2024-01-01T00:00:00Z"))
}

fn full() -> NewEvent {
    plain(Payload::encode(Codec::Json, &json!({"cents": 5})).unwrap())
        .with_id("e-1")
        .with_attribute("z", "text")
        .with_attribute("a", 7)
        .with_attribute("b", true)
        .with_attribute("raw", Bytes::from_static(&[0, 0xab]))
        .with_attribute("when", at("2024-01-01T00:00:00Z"))
        .with_attribute("uri", AttributeValue::Uri("https://a/b".into()))
        .with_attribute("ref", AttributeValue::UriReference("../b".into()))
        .with_metadata(vec![0xde, 0xad, 0x01])
        .with_content_type("application/vnd.money+json")
        .with_schema("urn:money")
        .with_schema_version(3)
}

fn stored(event: &NewEvent) -> StoredEvent {
    StoredEvent::from_fields(EventFields {
        id: event.id().cloned().unwrap_or_else(|| "made".into()),
        category: "accounts",
        stream: "acc-42",
        name: event.name(),
        payload: event.payload(),
        metadata: event.metadata(),
        attributes: (!event.attributes().is_empty()).then(|| Arc::new(event.attributes().clone())),
        position: 1,
        sequence_number: 41,
        observed_at: event.observed_at(),
        occurred_at: event.occurred_at(),
        recorded_at: at("2024-01-02T03:04:06Z"),
        given: Given { id: false, observed_at: false, occurred_at: false },
        transaction_id: None,
        transaction_first: 41,
        transaction_count: 1,
    })
}

/// The top-level keys of a JSON object, as they stand in the text.
fn keys(json: &str) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_str::<Keys>(json).unwrap().0
}

#[test]
fn a_plain_new_event_has_logicblocks_four_keys() {
    let event = plain(Payload::encode(Codec::MessagePack, &json!({"cents": 5})).unwrap());
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        concat!(
            r#"{"name":"money-deposited","observedAt":"2024-01-02T03:04:05.5Z","#,
            r#""occurredAt":"2024-01-01T00:00:00Z","payload":{"cents":5}}"#
        )
    );
}

#[test]
fn a_plain_stored_event_has_logicblocks_nine_keys_and_the_recorded_time() {
    let payload = Payload::encode(Codec::MessagePack, &[1, 2]).unwrap();
    let event = stored(&plain(payload));
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        concat!(
            r#"{"category":"accounts","id":"made","name":"money-deposited","observedAt":"2024-01-02T03:04:05.5Z","#,
            r#""occurredAt":"2024-01-01T00:00:00Z","payload":[1,2],"position":1,"recordedAt":"2024-01-02T03:04:06Z","#,
            r#""sequence_number":41,"stream":"acc-42"}"#
        )
    );
}

#[test]
fn all_keys_are_sorted_by_their_bytes() {
    let new = serde_json::to_string(&full()).unwrap();
    let mut event = stored(&full());
    event = StoredEvent::from_fields(EventFields { transaction_id: Some("t-7"), ..EventFields::of(&event.as_ref()) });
    let stored = serde_json::to_string(&event).unwrap();
    for (json, count) in [(new, 10), (stored, 16)] {
        let keys = keys(&json);
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(keys.len(), count, "{keys:?}");
    }
}

#[test]
fn additions_stand_only_where_there_is_something_to_say() {
    let json: Value = serde_json::to_value(stored(&full())).unwrap();
    assert_eq!(json["metadata"], "dead01");
    assert_eq!(json["contentType"], "application/vnd.money+json");
    assert_eq!((&json["schema"], &json["schemaVersion"]), (&json!("urn:money"), &json!(3)));
    assert_eq!(
        json["attributes"],
        json!([
            {"kind": "string", "name": "z", "value": "text"},
            {"kind": "integer", "name": "a", "value": 7},
            {"kind": "boolean", "name": "b", "value": true},
            {"kind": "bytes", "name": "raw", "value": "00ab"},
            {"kind": "time", "name": "when", "value": "2024-01-01T00:00:00Z"},
            {"kind": "uri", "name": "uri", "value": "https://a/b"},
            {"kind": "uriReference", "name": "ref", "value": "../b"},
        ])
    );
    assert!(json.get("transaction").is_none());
    let empty = plain(Payload::none()).with_metadata(Bytes::new());
    assert!(serde_json::to_string(&empty).unwrap().contains(r#""metadata":"""#), "empty is not absent");
}

#[test]
fn new_events_round_trip() {
    for event in [full(), plain(Payload::none()), plain(Payload::none()).with_metadata(Bytes::new())] {
        let json = serde_json::to_string(&event).unwrap();
        let back: NewEvent = serde_json::from_str(&json).unwrap();
        assert_eq!(back, event);
        assert!(back.observed_given && back.occurred_at.is_some());
        assert_eq!(serde_json::from_value::<NewEvent>(serde_json::to_value(&event).unwrap()).unwrap(), event);
    }
}

#[test]
fn stored_events_round_trip_and_count_as_given() {
    let event = stored(&full());
    let event =
        StoredEvent::from_fields(EventFields { transaction_id: Some("t-7"), ..EventFields::of(&event.as_ref()) });
    let back: StoredEvent = serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap();
    assert_eq!(back, event);
    assert_eq!(back.transaction_id(), Some("t-7"));
    assert!(back.has_given_id() && back.has_given_observed_at() && back.has_given_occurred_at());
    assert_eq!((back.transaction_basis().get(), back.transaction_revision().get()), (41, 42));
}

#[test]
fn what_logicblocks_writes_can_be_read() {
    let json = r#"{"category":"c","id":"i","name":"n","observedAt":"2024-01-01T02:00:00+02:00",
        "occurredAt":"2024-01-01T00:00:00+00:00","payload":{"a":1},"position":0,"sequence_number":0,"stream":"s"}"#;
    let event: StoredEvent = serde_json::from_str(json).unwrap();
    assert_eq!(event.observed_at(), at("2024-01-01T00:00:00Z"));
    assert_eq!(event.recorded_at(), event.observed_at());
    assert_eq!(event.payload().to_json().unwrap(), json!({"a": 1}));
}

#[test]
fn payloads_show_as_json_by_their_kind() {
    let shown = |payload: Payload| serde_json::to_value(plain(payload)).map(|json| json["payload"].clone());
    assert_eq!(shown(Payload::none()).unwrap(), Value::Null);
    assert_eq!(shown(Payload::text("a \"b\"")).unwrap(), json!("a \"b\""));
    assert_eq!(shown(Payload::text("[1]").with_content_type("application/json")).unwrap(), json!([1]));
    assert_eq!(shown(Payload::binary(b"[2]".to_vec()).with_content_type("application/json")).unwrap(), json!([2]));
}

#[test]
fn json_payloads_keep_digits_and_key_order_but_no_spacing() {
    let text = "{ \"z\" : 12345678901234567890123 ,\n \"a\" :\t[ 1.10, \"a \\\" b \\\\\" ] }";
    let json = serde_json::to_string(&plain(Payload::json_text(text).unwrap())).unwrap();
    let compact = r#"{"z":12345678901234567890123,"a":[1.10,"a \" b \\"]}"#;
    assert!(json.ends_with(&format!("\"payload\":{compact}}}")), "{json}");
    let back: NewEvent = serde_json::from_str(&json).unwrap();
    assert_eq!((back.payload().kind(), back.payload().bytes()), (PayloadKind::Json, compact.as_bytes()));
}

#[test]
fn what_has_no_json_form_is_an_error_that_says_so() {
    let bytes = serde_json::to_string(&plain(Payload::binary(vec![1, 2]))).unwrap_err().to_string();
    assert!(bytes.contains("no JSON form") && bytes.contains("it is bytes"), "{bytes}");
    let codec = Codec::MessagePack;
    let nan = serde_json::to_string(&stored(&plain(Payload::encode(codec, &f64::NAN).unwrap()))).unwrap_err();
    assert!(nan.to_string().contains("not finite"), "{nan}");
    let broken = Payload::text("{").with_content_type("application/json");
    let broken = serde_json::to_string(&plain(broken)).unwrap_err().to_string();
    assert!(broken.contains("no JSON form"), "{broken}");
}

#[test]
fn equal_events_give_equal_json() {
    let (one, other) = (stored(&full()), stored(&full()));
    let other = EventFields { given: Given { id: true, ..Given::default() }, ..EventFields::of(&other.as_ref()) };
    let other = StoredEvent::from_fields(EventFields { transaction_first: 30, transaction_count: 15, ..other });
    assert_eq!(one, other);
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
    let elsewhere =
        StoredEvent::from_fields(EventFields { transaction_id: Some("t"), ..EventFields::of(&one.as_ref()) });
    assert_ne!(one, elsewhere, "JSON shows the transaction's id, so it counts");
}

#[test]
fn bad_json_is_refused_not_bent() {
    let good = serde_json::to_value(stored(&full())).unwrap();
    let broken = [
        ("position", json!(-1)),
        ("sequence_number", json!(u64::MAX)),
        ("sequenceNumber", json!(1)),
        ("observedAt", json!("yesterday")),
        ("metadata", json!("abc")),
        ("metadata", json!("+1")),
        ("metadata", json!("éé")),
        ("attributes", json!([{"kind": "integer", "name": "a", "value": "1"}])),
        ("attributes", json!([{"kind": "colour", "name": "a", "value": "red"}])),
        (
            "attributes",
            json!([{"kind": "boolean", "name": "a", "value": true}, {"kind": "integer", "name": "a", "value": 1}]),
        ),
    ];
    assert!(serde_json::from_value::<StoredEvent>(good.clone()).is_ok());
    for (key, value) in broken {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(serde_json::from_value::<StoredEvent>(bad).is_err(), "{key}");
    }
    for key in
        ["category", "id", "name", "observedAt", "occurredAt", "payload", "position", "sequence_number", "stream"]
    {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(key);
        assert!(serde_json::from_value::<StoredEvent>(bad).is_err(), "{key}");
    }
}
