//! Cases about what comes back: payloads, attributes and times exactly as they were given.

use super::support::{append, builder, event, events, read, save, stream};
use super::{Bench, Outcome, case_list, support};
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::condition::Condition;
use crate::vocabulary::options::Options;
use crate::vocabulary::payload::{Codec, Payload, PayloadKind};
use crate::vocabulary::time::{Clock, Timestamp};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

case_list!(fidelity:
    json_payloads_keep_their_value,
    payloads_of_every_kind_keep_their_bytes,
    content_type_schema_and_schema_version_are_kept,
    payloads_of_many_sizes_round_trip,
    attributes_of_all_kinds_keep_value_and_order,
    times_round_trip_to_the_microsecond,
    times_round_trip_to_the_nanosecond,
    given_fields_stay_recognisable,
    recorded_times_never_go_backwards,
    visited_events_are_the_ones_that_are_read,
);

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(""),
        json!("text with \" and \\ and \u{1f980} and \u{0} and \n"),
        json!({}),
        json!([]),
        json!({"": null, "nested": {"deeper": [1, [2, {"three": []}]]}, "empty": {}}),
        json!([0, -1, i64::MIN, i64::MAX, u64::MAX]),
        json!([0.1, -2.5, 1e300, 1e-300, 0.30000000000000004]),
    ]
}

fn json_payloads_keep_their_value(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    for codec in [Codec::Json, Codec::MessagePack] {
        for value in values() {
            let payload = Payload::encode(codec, &value).unwrap();
            append(&store, &stream, &[builder().with_payload(payload).build()], None).unwrap();
            let found = store.stream(stream.category(), stream.stream()).latest().unwrap().unwrap();
            assert_eq!(found.payload().to_json().unwrap(), value);
            assert_eq!(found.decode::<Value>().unwrap(), value);
        }
    }
    assert_eq!(read(&store, &stream).len(), 2 * values().len());
}

fn payloads_of_every_kind_keep_their_bytes(bench: &Bench<'_>) -> Outcome {
    let (store, stream) = (bench.store(), stream());
    if !store.capabilities().any_payload {
        let binary = builder().with_payload(Payload::binary(vec![0xff])).build();
        return support::lacks(append(&store, &stream, &[binary], None));
    }
    let all_bytes: Vec<u8> = (0..=255).collect();
    let payloads = [
        (PayloadKind::None, Payload::none()),
        (PayloadKind::Text, Payload::text("")),
        (PayloadKind::Text, Payload::text("z\u{e4}hlen \u{1f980}\0\n")),
        (PayloadKind::Binary, Payload::binary("")),
        (PayloadKind::Binary, Payload::binary(all_bytes)),
        (PayloadKind::Json, Payload::json_text(" { \"b\" : 1.0 , \"a\" : 1e2,\"a\":2 }\n").unwrap()),
        (PayloadKind::Json, Payload::encode(Codec::Json, &values()).unwrap()),
        (PayloadKind::MessagePack, Payload::encode(Codec::MessagePack, &values()).unwrap()),
        (PayloadKind::MessagePack, Payload::encode(Codec::MessagePack, &(1_u8, f64::NAN.is_nan())).unwrap()),
    ];
    let batch: Vec<_> = payloads.iter().map(|(_, payload)| builder().with_payload(payload.clone()).build()).collect();
    let saved = save(&store, &stream, &batch);
    let found = read(&store, &stream);
    for (event, (kind, payload)) in found.iter().zip(&payloads) {
        assert_eq!(event.payload().kind(), *kind);
        assert_eq!(event.payload(), payload.as_ref());
        assert_eq!(event.payload_bytes(), payload.as_ref().bytes());
        assert_eq!(event.detach(), *event);
    }
    assert_eq!(found, saved);
    Outcome::Passed
}

fn content_type_schema_and_schema_version_are_kept(bench: &Bench<'_>) -> Outcome {
    let (store, stream) = (bench.store(), stream());
    let csv = || Payload::text("a,b").with_content_type("text/csv");
    if !store.capabilities().any_payload {
        return support::lacks(append(&store, &stream, &[builder().with_payload(csv()).build()], None));
    }
    let payloads = [
        csv(),
        csv().with_content_type(""),
        csv().with_schema("https://schemas.example/row"),
        csv().with_schema(""),
        csv().with_schema_version(0),
        csv().with_schema("urn:x").with_schema_version(u32::MAX),
        Payload::none().with_content_type("text/plain").with_schema("urn:none").with_schema_version(7),
        Payload::encode(Codec::MessagePack, &1).unwrap().with_content_type("application/vnd.example+msgpack"),
        Payload::binary(vec![1]).with_schema_version(1),
    ];
    let batch: Vec<_> = payloads.iter().map(|payload| builder().with_payload(payload.clone()).build()).collect();
    save(&store, &stream, &batch);
    for (event, payload) in read(&store, &stream).iter().zip(&payloads) {
        let (found, given) = (event.payload(), payload.as_ref());
        assert_eq!(found.content_type(), given.content_type());
        assert_eq!((found.schema(), found.schema_version()), (given.schema(), given.schema_version()));
        assert_eq!(found, given);
    }
    Outcome::Passed
}

fn payloads_of_many_sizes_round_trip(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let near = [8, 64, 128, 256, 512, 4_096, 65_536, 1 << 20];
    let sizes = (0..20).chain(near.into_iter().flat_map(|size| size - 2..=size + 2));
    for size in sizes {
        let text = crate::testing::data::random_ascii_alphanumerics_string(size);
        let payload = Payload::encode(Codec::Json, &text).unwrap();
        save(&store, &stream, &[builder().with_payload(payload).build()]);
        let found = store.stream(stream.category(), stream.stream()).latest().unwrap().unwrap();
        assert_eq!(found.decode::<String>().unwrap(), text);
    }
}

fn attributes_of_all_kinds_keep_value_and_order(bench: &Bench<'_>) -> Outcome {
    let (store, stream) = (bench.store(), stream());
    let attributes = Attributes::new()
        .with("z-true", true)
        .with("false", false)
        .with("least", i64::MIN)
        .with("most", i64::MAX)
        .with("a-text", "\u{1f980}\0")
        .with("", "")
        .with("bytes", Bytes::from_static(&[0, 255, 128]))
        .with("no-bytes", Bytes::new())
        .with("uri", AttributeValue::Uri("https://example.org/a?b#c".into()))
        .with("reference", AttributeValue::UriReference("../a".into()))
        .with("text-like-a-uri", "../a")
        .with("first", Timestamp::MIN)
        .with("last", Timestamp::MAX);
    let rich = builder().with_attributes(attributes.clone()).build();
    let outcome = append(&store, &stream, std::slice::from_ref(&rich), None);
    if !store.capabilities().attributes {
        return support::lacks(outcome);
    }
    outcome.unwrap();
    save(&store, &stream, &[event(), rich]);
    let found = read(&store, &stream);
    assert_eq!(found[0].attributes(), &attributes);
    assert!(found[1].attributes().is_empty());
    assert_eq!(found[2].attributes(), &attributes);
    let names: Vec<&str> = found[0].attributes().iter().map(|(name, _)| name).collect();
    assert_eq!(names, attributes.iter().map(|(name, _)| name).collect::<Vec<_>>());
    Outcome::Passed
}

/// Publishes events with these times, and checks that they come back.
fn times_come_back(bench: &Bench<'_>, times: &[&str]) {
    let (store, stream) = (bench.store(), stream());
    let times: Vec<Timestamp> = times.iter().map(|text| text.parse().unwrap()).collect();
    for occurred in &times {
        for observed in &times {
            let timed = builder().with_occurred_at(*occurred).with_observed_at(*observed).build();
            append(&store, &stream, &[timed], None).unwrap();
            let found = store.stream(stream.category(), stream.stream()).latest().unwrap().unwrap();
            assert_eq!((found.occurred_at(), found.observed_at()), (*occurred, *observed));
        }
    }
    let only_occurred = builder().with_occurred_at(times[0]).build();
    let saved = save(&store, &stream, &[only_occurred]);
    assert_eq!(saved[0].occurred_at(), times[0]);
    assert_ne!(saved[0].observed_at(), times[0]);
}

fn times_round_trip_to_the_microsecond(bench: &Bench<'_>) {
    let times = [
        "2024-02-29T23:59:59.123456Z",
        "2024-02-29T23:59:59.123457Z",
        "2024-03-01T01:59:59.000001+02:00",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "1600-01-01T00:00:00Z",
    ];
    times_come_back(bench, &times);
}

fn times_round_trip_to_the_nanosecond(bench: &Bench<'_>) -> Outcome {
    if !bench.store().capabilities().nanoseconds {
        return Outcome::NotApplicable("times are kept to the microsecond".into());
    }
    let times = [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "1969-12-31T23:59:59.999999999Z",
        "2024-02-29T23:59:59.123456789Z",
        "2024-02-29T23:59:59.123456790Z",
    ];
    times_come_back(bench, &times);
    Outcome::Passed
}

fn given_fields_stay_recognisable(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let time: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let batch = [
        event(),
        builder().with_id("i").build(),
        builder().with_observed_at(time).build(),
        builder().with_occurred_at(time).build(),
        builder().with_observed_at(time).with_occurred_at(time).build(),
    ];
    let found = save(&store, &stream, &batch);
    let read = read(&store, &stream);
    assert_eq!(read, found);
    let given =
        read.iter().map(|event| (event.has_given_id(), event.has_given_observed_at(), event.has_given_occurred_at()));
    let expected =
        [(false, false, false), (true, false, false), (false, true, false), (false, false, true), (false, true, true)];
    assert!(given.eq(expected));
}

/// A clock that jumps back by two hours at every third reading, and on by one second otherwise.
#[derive(Debug, Default)]
struct Jumping(AtomicI64);

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let reading = self.0.fetch_add(1, Ordering::SeqCst);
        let back = if reading % 3 == 2 { 7_200 } else { 0 };
        Timestamp::from_unix(1_700_000_000 + reading - back, 0).unwrap()
    }
}

fn recorded_times_never_go_backwards(bench: &Bench<'_>) -> Outcome {
    if let Some(outcome) = bench.deaf() {
        return outcome;
    }
    let (store, stream) = (bench.store_with(&Options::new().clock(Jumping::default())), stream());
    let mut behind = 0;
    for count in 1..=12 {
        let receipt = append(&store, &stream, &events(count), Condition::any()).unwrap();
        behind += usize::from(receipt.clock_is_behind());
        let written = store.events_of(&receipt).unwrap();
        assert!(written.iter().all(|event| event.recorded_at() == receipt.recorded_at()));
    }
    assert!(behind > 0, "no receipt says that the clock is behind");
    let found = read(&store, &stream);
    assert!(found.is_sorted_by_key(|event| event.recorded_at()));
    assert!(support::transactions(&store).is_sorted_by_key(|known| known.recorded_at()));
    let (first, last) = (found[0].recorded_at(), found[found.len() - 1].recorded_at());
    assert!(last.saturating_since(first) < Duration::from_secs(3_600));
    assert!(first.unix_seconds() >= 1_699_990_000 && last.unix_seconds() < 1_700_010_000);
    Outcome::Passed
}

fn visited_events_are_the_ones_that_are_read(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let batch: Vec<_> = (0..10).map(|index| builder().with_id(format!("id-{index}")).build()).collect();
    let saved = save(&store, &stream, &batch);
    let (mut visited, mut detached) = (Vec::new(), Vec::new());
    store
        .log()
        .scan()
        .visit(|event| {
            assert_eq!(event.stream_id(), stream);
            assert!(event.decode::<Value>().unwrap().is_object());
            visited.push(event.id().to_string());
            detached.push(event.to_stored());
        })
        .unwrap();
    assert_eq!(visited, (0..10).map(|index| format!("id-{index}")).collect::<Vec<_>>());
    assert_eq!(detached, saved);
}
