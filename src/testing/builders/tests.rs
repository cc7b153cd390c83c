//! Tests of the builders.

use super::*;
use crate::vocabulary::time::FixedClock;
use std::collections::BTreeMap;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_new_event_is_random_where_nothing_is_set() {
    let (one, two) = (NewEventBuilder::new().build(), NewEventBuilder::new().build());
    assert_eq!(one.name().len(), 15);
    assert_ne!(one.name(), two.name());
    assert_ne!(one.payload(), two.payload());
    assert!((1..=10).contains(&one.payload().decode::<BTreeMap<String, String>>().unwrap().len()));
    assert!(one.id().is_none() && one.metadata().is_none() && one.attributes().is_empty());
    assert_eq!(one.observed_at(), one.occurred_at());
}

#[test]
fn a_new_event_keeps_what_is_set() {
    let (observed, occurred) = (time("2024-02-03T04:05:06Z"), time("2023-02-03T04:05:06Z"));
    let builder = NewEventBuilder::new()
        .with_name("n")
        .with_payload(Payload::text("t"))
        .with_id("i")
        .with_observed_at(observed)
        .with_occurred_at(occurred)
        .with_attribute("a", 1)
        .with_metadata("m");
    let event = builder.build();
    assert_eq!(event, builder.build());
    assert_eq!((event.name(), event.payload().bytes()), ("n", b"t".as_slice()));
    assert_eq!(event.id(), Some(&EventId::new("i")));
    assert_eq!((event.observed_at(), event.occurred_at()), (observed, occurred));
    assert_eq!(event.attributes().get("a"), Some(&AttributeValue::Integer(1)));
    assert_eq!(event.metadata(), Some(b"m".as_slice()));
    let other = builder.clone().with_attributes(Attributes::new().with("b", 2)).build();
    assert!(other.attributes().get("a").is_none() && other.attributes().get("b").is_some());
}

#[test]
fn an_empty_payload_stays_empty_in_both() {
    let empty = [Payload::none(), Payload::text(""), Payload::binary(""), Payload::json_text("{}").unwrap()];
    for payload in empty {
        assert_eq!(NewEventBuilder::new().with_payload(payload.clone()).build().payload(), payload.as_ref());
        assert_eq!(StoredEventBuilder::new().with_payload(payload.clone()).build().payload(), payload.as_ref());
    }
}

#[test]
fn default_times_come_from_the_clock() {
    let clock = FixedClock(time("2001-01-01T00:00:00Z"));
    let event = NewEventBuilder::new().with_clock(clock).build();
    assert_eq!((event.observed_at(), event.occurred_at()), (clock.0, clock.0));
    let event = StoredEventBuilder::new().with_clock(clock).build();
    assert_eq!((event.observed_at(), event.occurred_at(), event.recorded_at()), (clock.0, clock.0, clock.0));
    assert!(!event.has_given_observed_at() && !event.has_given_occurred_at());
}

#[test]
fn a_stored_event_stands_first_and_is_random_where_nothing_is_set() {
    let (one, two) = (StoredEventBuilder::new().build(), StoredEventBuilder::new().build());
    assert_eq!((one.position(), one.sequence_number()), (Position::new(0), SequenceNumber::new(0)));
    assert_eq!((one.name().len(), one.category().len(), one.stream().len()), (15, 10, 42));
    assert_ne!(one.id(), two.id());
    assert_ne!((one.name(), one.category(), one.stream()), (two.name(), two.category(), two.stream()));
    assert_ne!(one.payload(), two.payload());
    assert_eq!((one.transaction_basis().get(), one.transaction_revision().get()), (0, 1));
}

#[test]
fn a_stored_event_keeps_what_is_set() {
    let times = [time("2024-02-03T04:05:06Z"), time("2023-02-03T04:05:06Z"), time("2025-02-03T04:05:06Z")];
    let event = StoredEventBuilder::new()
        .with_id("i")
        .with_name("n")
        .with_category("c")
        .with_stream("s")
        .with_position(Position::new(3))
        .with_sequence_number(9)
        .with_payload(Payload::text("t"))
        .with_observed_at(times[0])
        .with_occurred_at(times[1])
        .with_recorded_at(times[2])
        .with_attribute("a", true)
        .with_metadata("")
        .with_transaction_id("t-1")
        .build();
    assert_eq!((event.id(), event.name()), (EventId::new("i"), "n"));
    assert_eq!((event.category(), event.stream()), ("c", "s"));
    assert_eq!((event.position(), event.sequence_number()), (Position::new(3), SequenceNumber::new(9)));
    assert_eq!(event.payload(), Payload::text("t").as_ref());
    assert_eq!([event.observed_at(), event.occurred_at(), event.recorded_at()], times);
    assert_eq!(event.attributes(), &Attributes::new().with("a", true));
    assert_eq!(event.metadata(), Some(b"".as_slice()));
    assert_eq!(event.transaction_id(), Some("t-1"));
}

#[test]
fn a_stored_event_from_a_new_one_holds_all_of_it() {
    let new = NewEventBuilder::new().with_id("i").with_attribute("a", 1).with_metadata("m").build();
    let event = StoredEventBuilder::from_new_event(&new).build();
    assert_eq!((event.name(), event.payload()), (new.name(), new.payload()));
    assert_eq!((event.observed_at(), event.occurred_at()), (new.observed_at(), new.occurred_at()));
    assert_eq!((event.attributes(), event.metadata()), (new.attributes(), new.metadata()));
    assert_eq!(Some(&event.id()), new.id());
    assert!(event.has_given_id() && !event.has_given_observed_at() && !event.has_given_occurred_at());
}
