//! Tests of events as values.

use super::*;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn new_events_are_observed_and_occur_now_by_default() {
    let before = Timestamp::now();
    let event = NewEvent::empty("e");
    assert!((before..=Timestamp::now()).contains(&event.observed_at()));
    assert_eq!(event.occurred_at(), event.observed_at());
    assert!(event.id().is_none() && event.metadata().is_none() && event.payload().is_none());
}

#[test]
fn new_events_take_default_times_from_a_clock() {
    let clock = FixedClock(time("2024-01-01T00:00:00Z"));
    let event = NewEvent::empty("e").with_clock(&clock);
    assert_eq!((event.observed_at(), event.occurred_at()), (clock.0, clock.0));
}

#[test]
fn new_events_occur_when_they_are_observed_unless_said_otherwise() {
    let (early, late) = (time("2023-01-01T00:00:00Z"), time("2024-01-01T00:00:00Z"));
    let event = NewEvent::empty("e").with_observed_at(early);
    assert_eq!((event.observed_at(), event.occurred_at()), (early, early));
    let event = NewEvent::empty("e").with_observed_at(late).with_occurred_at(early);
    assert_eq!((event.observed_at(), event.occurred_at()), (late, early));
    let event = NewEvent::empty("e").with_clock(&FixedClock(late)).with_occurred_at(early);
    assert_eq!((event.observed_at(), event.occurred_at()), (late, early));
}

fn new_event() -> NewEvent {
    NewEvent::from_payload("name", Payload::text("payload"))
        .with_id("id")
        .with_observed_at(time("2024-01-01T00:00:00Z"))
        .with_occurred_at(time("2023-01-01T00:00:00Z"))
        .with_attribute("a", 1)
        .with_metadata("metadata")
}

/// The new event with one field each changed.
fn other_new_events() -> Vec<NewEvent> {
    let payload = |payload: Payload| {
        NewEvent::from_payload("name", payload)
            .with_id("id")
            .with_observed_at(new_event().observed_at())
            .with_occurred_at(new_event().occurred_at())
            .with_attributes(new_event().attributes().clone())
            .with_metadata("metadata")
    };
    vec![
        NewEventBuilder::new()
            .with_name("other")
            .with_payload(Payload::text("payload"))
            .with_id("id")
            .with_observed_at(new_event().observed_at())
            .with_occurred_at(new_event().occurred_at())
            .with_attribute("a", 1)
            .with_metadata("metadata")
            .build(),
        payload(Payload::text("other")),
        payload(Payload::binary("payload")),
        payload(Payload::text("payload").with_content_type("text/plain")),
        payload(Payload::text("payload").with_schema("urn:x")),
        payload(Payload::text("payload").with_schema_version(0)),
        new_event().with_id("other"),
        new_event().with_observed_at(time("2024-01-01T00:00:00.000000001Z")),
        new_event().with_occurred_at(time("2023-01-01T00:00:00.000000001Z")),
        new_event().with_attribute("a", 2),
        new_event().with_attribute("b", 1),
        new_event().with_metadata("other"),
        NewEvent::from_payload("name", Payload::text("payload"))
            .with_id("id")
            .with_clock(&FixedClock(new_event().observed_at()))
            .with_occurred_at(new_event().occurred_at())
            .with_attribute("a", 1)
            .with_metadata("metadata"),
    ]
}

#[test]
fn new_events_are_equal_and_hash_alike_when_every_field_is_equal() {
    assert_eq!(new_event(), new_event());
    assert_eq!(hash_of(&new_event()), hash_of(&new_event()));
    let elsewhere = new_event().with_observed_at(time("2024-01-01T02:00:00+02:00"));
    assert_eq!(elsewhere, new_event());
    assert_eq!(hash_of(&elsewhere), hash_of(&new_event()));
}

#[test]
fn new_events_differ_in_every_field() {
    for (index, other) in other_new_events().iter().enumerate() {
        assert_ne!(*other, new_event(), "{index}");
        assert_ne!(hash_of(other), hash_of(&new_event()), "{index}");
    }
}

fn stored() -> StoredEventBuilder {
    StoredEventBuilder::from_new_event(&new_event())
        .with_category("category")
        .with_stream("stream")
        .with_position(3)
        .with_sequence_number(5)
        .with_recorded_at(time("2025-01-01T00:00:00Z"))
}

/// The stored event with one field each changed.
fn other_stored_events() -> Vec<StoredEvent> {
    vec![
        stored().with_id("other").build(),
        stored().with_name("other").build(),
        stored().with_category("other").build(),
        stored().with_stream("other").build(),
        stored().with_position(4).build(),
        stored().with_sequence_number(6).build(),
        stored().with_payload(Payload::text("other")).build(),
        stored().with_payload(Payload::binary("payload")).build(),
        stored().with_observed_at(time("2024-01-01T00:00:01Z")).build(),
        stored().with_occurred_at(time("2024-01-01T00:00:01Z")).build(),
        stored().with_recorded_at(time("2025-01-01T00:00:01Z")).build(),
        stored().with_attribute("a", 2).build(),
        stored().with_attributes(Attributes::new()).build(),
        stored().with_metadata("").build(),
        stored().with_transaction_id("t").build(),
    ]
}

#[test]
fn stored_events_are_equal_and_hash_alike_when_every_field_is_equal() {
    assert_eq!(stored().build(), stored().build());
    assert_eq!(hash_of(&stored().build()), hash_of(&stored().build()));
    let event = stored().build();
    assert_eq!(event.detach(), event);
    assert_eq!(event.as_ref(), stored().build().as_ref());
    assert_eq!(event.as_ref().to_stored(), event);
}

#[test]
fn stored_events_differ_in_every_field() {
    for (index, other) in other_stored_events().iter().enumerate() {
        assert_ne!(*other, stored().build(), "{index}");
        assert_ne!(hash_of(other), hash_of(&stored().build()), "{index}");
    }
    let all: std::collections::HashSet<StoredEvent> = other_stored_events().into_iter().collect();
    assert_eq!(all.len(), other_stored_events().len());
}

#[test]
fn stored_events_show_all_their_fields() {
    let shown = format!("{:?}", stored().build());
    let fields = ["id", "name", "stream", "category", "position", "sequence_number", "payload", "attributes"];
    for field in fields.into_iter().chain(["metadata", "observed_at", "occurred_at", "recorded_at", "transaction_id"]) {
        assert!(shown.contains(&format!("{field}: ")), "{field} in {shown}");
    }
    for value in ["name", "stream", "category", "Position(3)", "SequenceNumber(5)", "2024-01-01T00:00:00Z"] {
        assert!(shown.contains(value), "{value} in {shown}");
    }
    assert_eq!(format!("{:?}", stored().build().as_ref()), shown);
}

#[test]
fn new_events_show_all_their_fields() {
    let shown = format!("{:?}", new_event());
    for field in ["name", "payload", "id", "observed_at", "occurred_at", "attributes", "metadata"] {
        assert!(shown.contains(&format!("{field}: ")), "{field} in {shown}");
    }
}

#[test]
fn ids_made_by_the_store_are_uuids_of_version_seven() {
    on_both(|store| {
        random_stream(&store).publish(events(100)).unwrap();
        let ids: BTreeSet<_> = store.log().read().unwrap().iter().map(StoredEvent::id).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.as_uuid().is_some_and(|uuid| uuid.get_version_num() == 7)));
    });
}

#[test]
fn typed_payloads_come_back_as_the_type() {
    on_both(|store| {
        let stream = random_stream(&store);
        let payload = data::random_event_payload();
        stream.publish([NewEvent::new("e", &payload).unwrap(), NewEvent::json("e", &payload).unwrap()]).unwrap();
        stream.publish([store.event("e", &payload).unwrap()]).unwrap();
        for event in stream.read().unwrap() {
            assert_eq!(event.decode::<std::collections::BTreeMap<String, String>>().unwrap(), payload);
            assert!(event.decode::<u64>().is_err());
        }
        assert_eq!(Options::default().codec, Codec::MessagePack);
    });
}
