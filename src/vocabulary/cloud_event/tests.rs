//! Tests of CloudEvents in JSON: what is written, what comes back, what is refused.

use super::*;
use bytes::Bytes;
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn plain(payload: Payload) -> CloudEvent {
    CloudEvent { payload, ..CloudEvent::new("e-1", "accounts", "opened") }
}

/// A good event in JSON with these members put in the place of others, or beside them.
fn with(members: Value) -> String {
    let mut event = json!({"specversion": "1.0", "id": "e-1", "source": "accounts", "type": "opened"});
    for (name, value) in members.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string()
}

fn read(members: Value) -> Result<CloudEvent, CloudEventError> {
    CloudEvent::from_json(&with(members))
}

#[test]
fn all_seven_kinds_are_written_in_order() {
    let event = CloudEvent {
        subject: Some("acc-42".into()),
        time: Some(at("2024-01-01T02:00:00.5+02:00")),
        payload: Payload::text("hello").with_content_type("text/plain").with_schema("urn:greeting"),
        extensions: Attributes::new()
            .with("z", "text")
            .with("low", i64::from(i32::MIN))
            .with("b", true)
            .with("raw", Bytes::from_static(&[0, 0xff, 0xfe]))
            .with("when", at("9999-12-31T23:59:59.999999999Z"))
            .with("uri", AttributeValue::Uri("https://a/b".into()))
            .with("a", AttributeValue::UriReference("../b".into())),
        ..CloudEvent::new("e-1", "accounts", "opened")
    };
    let json = event.to_json().unwrap();
    assert_eq!(
        json,
        concat!(
            r#"{"specversion":"1.0","id":"e-1","source":"accounts","type":"opened","subject":"acc-42","#,
            r#""time":"2024-01-01T00:00:00.5Z","datacontenttype":"text/plain","dataschema":"urn:greeting","#,
            r#""z":"text","low":-2147483648,"b":true,"raw":"AP/+","when":"9999-12-31T23:59:59.999999999Z","#,
            r#""uri":"https://a/b","a":"../b","data":"hello"}"#
        )
    );
    let back = CloudEvent::from_json(&json).unwrap();
    let names = |event: &CloudEvent| event.extensions.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&back), names(&event), "order is kept");
    assert_eq!(back.extensions.get("raw"), Some(&"AP/+".into()), "JSON has strings alone for four of the kinds");
    assert_eq!(back.extensions.get("low"), Some(&AttributeValue::Integer(i64::from(i32::MIN))));
    assert_eq!(back.extensions.get("b"), Some(&true.into()));
    assert_eq!(
        CloudEvent { extensions: Attributes::new(), ..back },
        CloudEvent { extensions: Attributes::new(), ..event }
    );
    assert_eq!(serde_json::from_str::<CloudEvent>(&json).unwrap().to_json().unwrap(), json);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::from_value::<CloudEvent>(value).unwrap().time, Some(at("2024-01-01T00:00:00.5Z")));
}

#[test]
fn payloads_keep_their_kind_and_bytes() {
    let text = r#"{ "z": 12345678901234567890123, "a": [1.10] }"#;
    for payload in [
        Payload::none(),
        Payload::none().with_content_type("text/plain").with_schema("urn:x"),
        Payload::binary(Bytes::new()),
        Payload::binary(vec![0, 255]).with_content_type("application/msgpack"),
        Payload::binary(b"{}".to_vec()).with_content_type("application/json"),
        Payload::text("").with_content_type("text/plain"),
        Payload::text("\"a\"\n\u{1f}\u{1f980}").with_content_type("text/csv"),
        Payload::json_text(text).unwrap(),
        Payload::json_text("null").unwrap(),
        Payload::json_text("\"text\"").unwrap().with_content_type("application/vnd.x+json; charset=utf-8"),
    ] {
        let event = plain(payload);
        let json = event.to_json().unwrap();
        assert_eq!(CloudEvent::from_json(&json).unwrap(), event, "{json}");
    }
    let json = plain(Payload::json_text(text).unwrap()).to_json().unwrap();
    assert!(json.ends_with(&format!("\"data\":{text}}}")), "to the digit: {json}");
}

#[test]
fn what_has_no_word_in_cloud_events_is_said_in_another() {
    let back = |payload| CloudEvent::from_json(&plain(payload).to_json().unwrap()).unwrap().payload;
    assert_eq!(back(Payload::text("a")), Payload::text("a").with_content_type("text/plain"));
    let json_as_text = Payload::text("[1]").with_content_type("application/json");
    assert_eq!(back(json_as_text), Payload::json_text("[1]").unwrap().with_content_type("application/json"));
    let packed = Payload::encode(Codec::MessagePack, &json!({"cents": 5})).unwrap().with_content_type("application/x");
    assert_eq!(back(packed), Payload::json_text(r#"{"cents":5}"#).unwrap().with_content_type("application/json"));
    let odd = Payload::json_text("7").unwrap().with_content_type("application/x");
    assert_eq!(back(odd), Payload::json_text("7").unwrap().with_content_type("application/json"));
    assert_eq!(back(Payload::text("a").with_schema_version(3)).schema_version, None);
}

#[test]
fn payloads_that_are_not_what_they_are_said_to_be_are_refused() {
    let broken = plain(Payload::text("{").with_content_type("text/json")).to_json();
    assert!(matches!(broken, Err(CloudEventError::Payload(PayloadError::NoJsonForm { length: 1, .. }))), "{broken:?}");
    let not_finite = plain(Payload::encode(Codec::MessagePack, &f64::NAN).unwrap());
    assert!(matches!(not_finite.to_json(), Err(CloudEventError::Payload(_))));
    assert!(serde_json::to_string(&not_finite).is_err());
    assert_eq!(
        read(json!({"datacontenttype": "text/plain", "data": {"a": 1}})),
        Err(CloudEventError::WrongType { member: "data".into(), expected: "a string", found: r#"{"a":1}"#.into() })
    );
    assert_eq!(read(json!({"data": 1, "data_base64": "AA=="})), Err(CloudEventError::DataTwice));
    for bad in ["?", "AA", "AA==\n", "A"] {
        assert!(matches!(read(json!({"data_base64": bad})), Err(CloudEventError::Base64 { .. })), "{bad:?}");
    }
}

#[test]
fn members_that_are_missing_empty_or_of_another_type_are_refused() {
    for name in ["specversion", "id", "source", "type"] {
        assert_eq!(read(json!({name: null})), Err(CloudEventError::Missing { attribute: name }));
        let refused = CloudEventError::WrongType { member: name.into(), expected: "a string", found: "7".into() };
        assert_eq!(read(json!({name: 7})), Err(refused));
    }
    for attribute in ["id", "source", "type", "subject", "datacontenttype", "dataschema"] {
        assert_eq!(read(json!({attribute: ""})), Err(CloudEventError::Empty { attribute }));
    }
    assert_eq!(read(json!({"specversion": "0.3"})), Err(CloudEventError::Version { found: "0.3".into() }));
    for time in ["", "yesterday", "2024-01-01", "2024-01-01T00:00:00", "10000-01-01T00:00:00Z"] {
        assert!(matches!(read(json!({"time": time})), Err(CloudEventError::Time { attribute: "time", .. })), "{time}");
    }
    let absent = read(json!({"subject": null, "time": null, "dataschema": null, "data_base64": null, "tenant": null}));
    assert_eq!(absent, Ok(plain(Payload::none())));
    for bad in ["", "[]", "7", "{", r#"{"id":"#, &with(json!({})).repeat(2), &"{\"a\":".repeat(100_000)] {
        let refused = CloudEvent::from_json(bad);
        assert!(matches!(refused, Err(CloudEventError::Syntax { .. })), "{:?}", &bad[..bad.len().min(40)]);
    }
}

#[test]
fn extensions_are_named_well_and_once_and_hold_32_bits() {
    for name in ["Tenant", "trace_parent", "a-b", "", "é", &"a".repeat(65)] {
        let Err(CloudEventError::Attribute(AttributeFault::Name(refused))) = read(json!({name: 1})) else {
            panic!("{name}")
        };
        assert_eq!((refused.what, &*refused.name), ("attribute", name));
    }
    for number in ["2147483648", "-2147483649", "9223372036854775808", "99999999999999999999999"] {
        let json = format!(r#"{{"n":{number},{}"#, &with(json!({}))[1..]);
        let refused = AttributeFault::IntegerOutOfRange { name: "n".into(), value: number.into() };
        assert_eq!(CloudEvent::from_json(&json), Err(refused.into()));
    }
    for value in [json!(1.5), json!(1e2), json!([1]), json!({"a": 1})] {
        assert!(matches!(read(json!({"n": value})), Err(CloudEventError::WrongType { member, .. }) if member == "n"));
    }
    for number in ["1e2", "1E2", "100.0", "-0.0"] {
        let json = format!(r#"{{"n":{number},{}"#, &with(json!({}))[1..]);
        assert!(matches!(CloudEvent::from_json(&json), Err(CloudEventError::WrongType { .. })), "{number}");
    }
    assert_eq!(read(json!({"n": -7})).unwrap().extensions.get("n"), Some(&AttributeValue::Integer(-7)));
    for twice in [r#"{"tenant":1,"tenant":1,"#, r#"{"id":"e-2","#, r#"{"data":1,"data":1,"#] {
        let json = format!("{twice}{}", &with(json!({}))[1..]);
        assert!(matches!(CloudEvent::from_json(&json), Err(CloudEventError::Repeated { .. })), "{json}");
    }
}

#[test]
fn what_cannot_be_is_not_written() {
    let written = |name: &str, value: AttributeValue| {
        let mut event = plain(Payload::none());
        event.extensions.set(name, value);
        event.to_json()
    };
    for name in OWN_NAMES {
        let refused = AttributeFault::Reserved { name: name.into() };
        assert_eq!(written(name, "x".into()), Err(refused.into()));
    }
    assert!(matches!(written("A", 1.into()), Err(CloudEventError::Attribute(AttributeFault::Name(_)))));
    let beyond = AttributeFault::IntegerOutOfRange { name: "n".into(), value: "2147483648".into() };
    assert_eq!(written("n", (1_i64 << 31).into()), Err(beyond.into()));
    assert_eq!(CloudEvent::new("", "a", "b").to_json(), Err(CloudEventError::Empty { attribute: "id" }));
}

#[test]
fn a_batch_is_an_array_and_tells_all_that_is_wrong() {
    let (one, two) = (plain(Payload::none()), CloudEvent::new("e-2", "accounts", "closed"));
    let json = CloudEvent::batch_to_json(&[one.clone(), two.clone()]).unwrap();
    assert_eq!(json, format!("[{},{}]", one.to_json().unwrap(), two.to_json().unwrap()));
    assert_eq!(CloudEvent::batch_from_json(&json).unwrap(), [one.clone(), two.clone()]);
    assert_eq!(serde_json::from_str::<Vec<CloudEvent>>(&json).unwrap(), [one.clone(), two]);
    assert_eq!(
        (CloudEvent::batch_from_json("[]").unwrap(), CloudEvent::batch_to_json(&[]).unwrap()),
        (vec![], "[]".into())
    );
    let places = |refused: InvalidBatch| refused.faults.iter().map(|(place, _)| *place).collect::<Vec<_>>();
    let (good, bad) = (with(json!({})), with(json!({"id": ""})));
    let refused = CloudEvent::batch_from_json(&format!("[{bad},{good},{bad}]")).unwrap_err();
    let shown = "2 of the batch's events cannot be read; at 0: the attribute id is empty";
    assert_eq!(refused.to_string(), shown);
    assert_eq!(places(refused), [0, 2]);
    let blank = CloudEvent::new("", "a", "b");
    assert_eq!(places(CloudEvent::batch_to_json(&[one, blank.clone(), blank]).unwrap_err()), [1, 2]);
    let refused = CloudEvent::batch_from_json(&good).unwrap_err();
    assert!(matches!(refused.faults[..], [(0, CloudEventError::Syntax { .. })]));
}
