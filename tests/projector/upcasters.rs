//! Tests of upcasters: payloads of older schema versions.

use super::*;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use stratalog::{Codec, Payload, Upcasters};

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct NameV1 {
    first: String,
    last: String,
    id: Ipv4Addr,
}

#[derive(Debug, Serialize, Deserialize, PartialEq)]
struct NameV2 {
    whole: String,
    id: Ipv4Addr,
}

fn name_upcasters() -> Upcasters {
    Upcasters::new()
        .on("named", 0, |mut old: Value| {
            let (first, last) = old["name"].as_str().unwrap_or_default().split_once(' ').unwrap_or_default();
            old = json!({"first": first, "last": last, "id": old["id"]});
            old
        })
        .on("named", 1, |old: NameV1| NameV2 { whole: format!("{}, {}", old.last, old.first), id: old.id })
}

#[test]
fn upcasters_chain_from_the_events_version_to_the_newest() {
    let id = Ipv4Addr::new(10, 0, 0, 7);
    let v0 = json!({"name": "Ada Lovelace", "id": id.to_string()});
    let v1 = NameV1 { first: "Ada".into(), last: "Lovelace".into(), id };
    let v2 = NameV2 { whole: "Lovelace, Ada".into(), id };
    let events = [
        NewEvent::new("named", &v0).unwrap(),
        NewEvent::json("named", &v0).unwrap().with_schema_version(0),
        NewEvent::new("named", &v1).unwrap().with_schema_version(1),
        NewEvent::json("named", &v1).unwrap().with_schema_version(1),
        NewEvent::new("named", &v2).unwrap().with_schema_version(2),
    ];
    let stream = stream_of(events);
    let upcasters = name_upcasters();
    for event in stream.read().unwrap() {
        let kind = event.payload().kind();
        assert_eq!(upcasters.decode::<NameV2>(&event).unwrap(), v2, "{} {kind:?}", event.position());
        assert_eq!(upcasters.decode::<NameV2>(&event.as_ref()).unwrap(), v2);
    }
    let projector = Projector::new()
        .on("named", |names: &mut Vec<String>, name: NameV2| names.push(name.whole))
        .upcasters(upcasters);
    assert_eq!(projector.project(Vec::new(), &stream).unwrap().into_state(), vec!["Lovelace, Ada"; 5]);
}

#[test]
fn other_names_and_newer_versions_are_read_directly() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let upcasters = Upcasters::new().on("a", 1, move |old: Value| {
        counted.fetch_add(1, Ordering::Relaxed);
        old
    });
    let raw = Payload::encode(Codec::MessagePack, &f64::NAN).unwrap();
    let events = [
        NewEvent::from_payload("b", raw.clone()).with_schema_version(1),
        NewEvent::from_payload("a", raw.clone()),
        NewEvent::from_payload("a", raw.clone()).with_schema_version(2),
        NewEvent::from_payload("a", raw).with_schema_version(1),
    ];
    let events = stream_of(events).read().unwrap();
    for event in &events[..3] {
        assert!(upcasters.decode::<f64>(event).unwrap().is_nan(), "no detour through JSON, which has no NaN");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    let error = upcasters.decode::<f64>(&events[3]).unwrap_err();
    assert!(error.to_string().contains("no JSON form"), "{error}");
}

#[test]
fn between_functions_a_payload_stays_in_its_own_codec() {
    let upcasters = Upcasters::new()
        .on("ratio", 0, |old: (f64, f64)| old.0 / old.1)
        .on("seen", 0, |old: String| (old.clone(), old.parse::<Ipv4Addr>().unwrap_or(Ipv4Addr::UNSPECIFIED)))
        .on("seen", 1, |old: Value| old[1].clone());
    let (ratio, seen) = ((0.0, 0.0), "10.0.0.7");
    let events = [
        NewEvent::new("ratio", &ratio).unwrap(),
        NewEvent::json("seen", seen).unwrap(),
        NewEvent::from_payload("seen", Payload::text(seen)),
    ];
    let events = stream_of(events).read().unwrap();
    assert!(upcasters.decode::<f64>(&events[0]).unwrap().is_nan(), "JSON has no NaN, MessagePack has");
    for event in &events[1..] {
        assert_eq!(upcasters.decode::<String>(event).unwrap(), seen, "JSON writes an address as text");
    }
}

#[test]
fn an_upcaster_that_fails_is_a_typed_error() {
    let upcasters = Upcasters::new()
        .try_on("a", 0, |old: u32| if old < 10 { Ok(u64::from(old)) } else { Err("too big") })
        .on("b", 0, |old: u32| old);
    let events = [
        NewEvent::new("a", &9).unwrap(),
        NewEvent::new("a", &10).unwrap(),
        NewEvent::new("b", &"text").unwrap(),
        NewEvent::new("b", &1).unwrap(),
    ];
    let events = stream_of(events).read().unwrap();
    assert_eq!(upcasters.decode::<u64>(&events[0]).unwrap(), 9);
    let error = upcasters.decode::<u64>(&events[1]).unwrap_err();
    let ProjectionError::Upcaster { name, sequence_number, schema_version, reason } = error else { panic!("{error}") };
    assert_eq!((&*name, sequence_number.get(), schema_version, &*reason), ("a", 1, 0, "too big"));
    for (event, wanted) in [(&events[2], "before"), (&events[3], "after")] {
        let error = upcasters.decode::<String>(event).unwrap_err();
        assert!(matches!(error, ProjectionError::Payload { .. }), "{wanted}: {error}");
    }
}

#[test]
fn the_highest_version_ends_the_chain() {
    let upcasters = Upcasters::new().on("a", u32::MAX, |old: u32| old + 1);
    let events = stream_of([NewEvent::new("a", &1).unwrap().with_schema_version(u32::MAX)]).read().unwrap();
    assert_eq!(upcasters.decode::<u32>(&events[0]).unwrap(), 2);
    assert_eq!(format!("{upcasters:?}"), r#"Upcasters([("a", 4294967295)])"#);
}
