//! Writes one stored event as a line.

use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::EventRef;
use crate::vocabulary::payload::{PayloadError, PayloadKind, PayloadRef};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::StoredTransaction;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::value::RawValue;

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// To be imported again: what the producer submitted, and nothing that the store made up.
    Export,
    /// To be read: also the numbers and times of the store and the id that it made. Not for import.
    Read,
}

/// Writes an event as one line, without a line break, at the end of `out`.
///
/// `transaction_attributes` are those of the event's transaction, on the transaction's first line alone.
///
/// # Errors
/// [`PayloadError::Decode`] when a payload marked as text or JSON is none; nothing of the line is left in `out` then.
pub fn write(
    event: &EventRef<'_>,
    transaction_attributes: &Attributes,
    form: Form,
    out: &mut Vec<u8>,
) -> Result<(), PayloadError> {
    let start = out.len();
    let written = Writer { out: &mut *out, first: true }.event(event, transaction_attributes, form);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Writes what a transaction is, without its events, as one line without a line break, at the end of `out`: its revisions, how
/// many events it has, when it was recorded, its id as `transaction`, and its attributes. Not for import.
pub fn write_transaction(transaction: &StoredTransaction, out: &mut Vec<u8>) {
    let mut writer = Writer { out, first: true };
    writer.out.push(b'{');
    writer.put("revision", &transaction.revision());
    writer.put("basis", &transaction.basis());
    writer.put("events", &transaction.events().len());
    writer.time("recorded_at", transaction.recorded_at());
    if let Some(id) = transaction.id() {
        writer.put("transaction", id);
    }
    writer.attributes("attributes", transaction.attributes());
    writer.out.push(b'}');
}

/// Puts members into an object.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

impl Writer<'_> {
    fn event(mut self, event: &EventRef<'_>, tx_attributes: &Attributes, form: Form) -> Result<(), PayloadError> {
        self.out.push(b'{');
        if form == Form::Read {
            self.put("sequence_number", &event.sequence_number());
            self.put("position", &event.position());
        }
        self.transaction(event, tx_attributes);
        self.put("category", event.category());
        self.put("stream", event.stream());
        self.put("name", event.name());
        if event.has_given_id() || form == Form::Read {
            self.put("id", &event.id().to_string());
        }
        self.payload(event.payload())?;
        if event.has_given_occurred_at() || form == Form::Read {
            self.time("occurred_at", event.occurred_at());
        }
        if event.has_given_observed_at() || form == Form::Read {
            self.time("observed_at", event.observed_at());
        }
        if form == Form::Read {
            self.time("recorded_at", event.recorded_at());
        }
        self.attributes("attributes", event.attributes());
        if let Some(metadata) = event.metadata() {
            self.put("metadata", &BASE64.encode(metadata));
        }
        self.out.push(b'}');
        Ok(())
    }

    fn transaction(&mut self, event: &EventRef<'_>, attributes: &Attributes) {
        let basis = event.transaction_basis().get();
        match event.transaction_id() {
            Some(id) => self.put("transaction", id),
            // Alone in its transaction, an event needs no mark to stay so.
            None if event.transaction_revision().get() == basis + 1 => {}
            None => self.put("group", &basis),
        }
        self.attributes("transaction_attributes", attributes);
    }

    fn payload(&mut self, payload: PayloadRef<'_>) -> Result<(), PayloadError> {
        match payload.kind() {
            PayloadKind::None => {}
            PayloadKind::Binary => self.put("payload_base64", &BASE64.encode(payload.bytes())),
            PayloadKind::Text => self.put("payload_text", text(payload)?),
            PayloadKind::Json => self.json(text(payload)?)?,
            PayloadKind::MessagePack => {
                if let Ok(json) = payload.to_json() {
                    self.put("payload", &json);
                }
                self.put("payload_messagepack", &BASE64.encode(payload.bytes()));
            }
        }
        if let Some(content_type) = payload.content_type {
            self.put("content_type", content_type);
        }
        if let Some(schema) = payload.schema() {
            self.put("schema", schema);
        }
        if let Some(version) = payload.schema_version() {
            self.put("schema_version", &version);
        }
        Ok(())
    }

    /// JSON text as it is, where it can stand in a line and comes back the same; else in a string.
    fn json(&mut self, text: &str) -> Result<(), PayloadError> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| PayloadError::Decode {
            kind: PayloadKind::Json,
            length: text.len(),
            wanted: "JSON",
            reason: error.to_string(),
        })?;
        if raw.get().len() == text.len() && !text.contains(['\n', '\r']) {
            self.put("payload", raw);
        } else {
            self.put("payload_json", text);
        }
        Ok(())
    }

    fn time(&mut self, field: &str, time: Timestamp) {
        self.put(field, &time);
    }

    fn attributes(&mut self, field: &str, attributes: &Attributes) {
        if attributes.is_empty() {
            return;
        }
        self.name(field);
        for (index, (name, value)) in attributes.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            let mut inner = Writer { out: &mut *self.out, first: true };
            inner.out.push(b'{');
            inner.put("name", name);
            match value {
                AttributeValue::Boolean(value) => inner.put("value", value),
                AttributeValue::Integer(value) => inner.put("value", value),
                AttributeValue::String(text) => inner.put("value", &**text),
                AttributeValue::Bytes(bytes) => inner.typed("bytes", &BASE64.encode(bytes)),
                AttributeValue::Uri(text) => inner.typed("uri", text),
                AttributeValue::UriReference(text) => inner.typed("uri_reference", text),
                AttributeValue::Time(time) => inner.typed("time", &time.to_string()),
            }
            inner.out.push(b'}');
        }
        self.out.push(b']');
    }

    fn typed(&mut self, kind: &str, value: &str) {
        self.put("type", kind);
        self.put("value", value);
    }

    fn name(&mut self, field: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.value(field);
        self.out.push(b':');
    }

    fn put<T: Serialize + ?Sized>(&mut self, field: &str, value: &T) {
        self.name(field);
        self.value(value);
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Writing to memory cannot fail, and all that is written here has a JSON form.
        let written = serde_json::to_writer(&mut *self.out, value);
        debug_assert!(written.is_ok(), "{written:?}");
    }
}

fn text(payload: PayloadRef<'_>) -> Result<&str, PayloadError> {
    std::str::from_utf8(payload.bytes()).map_err(|error| PayloadError::Decode {
        kind: payload.kind(),
        length: payload.bytes().len(),
        wanted: "text",
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{LineError, TransactionKey, parse};
    use super::*;
    use crate::{EventStore, NewEvent, Payload, transaction};
    use bytes::Bytes;

    /// Stores one event, writes it, reads the line back.
    fn line_of(event: NewEvent) -> (String, NewEvent) {
        let store = EventStore::in_memory();
        store.append(transaction().stream("c", "s", [event])).unwrap();
        let stored = store.log().latest().unwrap().unwrap();
        let mut line = Vec::new();
        write(&stored.as_ref(), &Attributes::new(), Form::Export, &mut line).unwrap();
        let text = String::from_utf8(line).unwrap();
        assert!(!text.contains('\n'));
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!((read.key, &*read.category, &*read.stream), (TransactionKey::Single, "c", "s"));
        (text, read.event)
    }

    #[test]
    fn what_was_left_out_is_not_written() {
        let (line, _) = line_of(NewEvent::empty("n"));
        assert_eq!(line, r#"{"category":"c","stream":"s","name":"n"}"#);
    }

    #[test]
    fn every_kind_of_payload_comes_back_to_the_byte() {
        let payloads = [
            Payload::none(),
            Payload::text(""),
            Payload::text("line\nbreak \u{0} \"quoted\""),
            Payload::binary(Bytes::new()),
            Payload::binary(vec![0_u8, 255, 10]),
            Payload::json_text("null").unwrap(),
            Payload::json_text(r#"{"b": 1.50, "a":[1e400, 12345678901234567890123]}"#).unwrap(),
            Payload::json_text(" {\n}\r\n").unwrap(),
            Payload::json_text(" 1").unwrap().with_content_type("application/json"),
            Payload::encode(crate::Codec::MessagePack, &serde_json::json!({"z": 0.1, "a": [1, -1, null]})).unwrap(),
            Payload::encode(crate::Codec::MessagePack, &f64::NAN).unwrap(),
            Payload::encode(crate::Codec::MessagePack, &0.1_f32).unwrap(),
            Payload::text("a,b")
                .with_content_type("text/csv")
                .with_schema("https://x.example/s")
                .with_schema_version(0),
        ];
        for payload in payloads {
            let (line, event) = line_of(NewEvent::from_payload("n", payload.clone()));
            assert_eq!(event.payload, payload, "{line}");
        }
    }

    #[test]
    fn id_times_attributes_and_metadata_come_back() {
        let attributes = Attributes::new()
            .with("z", true)
            .with("n", i64::MIN)
            .with("a", "text")
            .with("b", AttributeValue::Bytes(Bytes::from_static(b"\xff\x00")))
            .with("u", AttributeValue::Uri("https://x.example".into()))
            .with("r", AttributeValue::UriReference("../y".into()))
            .with("t", Timestamp::MAX);
        let event = NewEvent::empty("n")
            .with_id("order \"7\"")
            .with_observed_at(Timestamp::MIN)
            .with_occurred_at(Timestamp::UNIX_EPOCH)
            .with_attributes(attributes)
            .with_metadata(Bytes::new());
        let (line, read) = line_of(event.clone());
        assert_eq!(read, event, "{line}");
        let uuid =
            NewEvent::empty("n").with_id("0190d2c1-7b5e-7000-8000-0123456789ab").with_observed_at(Timestamp::MIN);
        assert_eq!(line_of(uuid.clone()).1, uuid);
    }

    #[test]
    fn errors_name_the_field_and_the_value() {
        let refused = |line: &str| parse(line.as_bytes()).unwrap_err();
        let with = |rest: &str| format!(r#"{{"category":"c","stream":"s","name":"n",{rest}}}"#);
        assert_eq!(refused(r#"{"category":"c","stream":"s"}"#), LineError::Missing { field: "name" });
        let field = |line: &str| match refused(line) {
            LineError::Invalid { field, value, .. } => (field, value),
            other => panic!("{other}"),
        };
        assert_eq!(field(&with(r#""occurred_at":"yesterday""#)), ("occurred_at", "\"yesterday\"".into()));
        assert_eq!(field(&with(r#""transaction":7"#)), ("transaction", "7".into()));
        assert_eq!(field(&with(r#""group":-1"#)), ("group", "-1".into()));
        assert_eq!(field(&with(r#""payload_base64":"?""#)), ("payload_base64", "\"?\"".into()));
        assert_eq!(field(&with(r#""schema_version":4294967296"#)), ("schema_version", "4294967296".into()));
        assert_eq!(field(&with(r#""attributes":[{"name":"a","value":1.5}]"#)).0, "attributes");
        assert_eq!(field(&with(r#""attributes":[{"name":"a","value":1},{"name":"a","value":2}]"#)).0, "attributes");
        assert_eq!(field(&with(r#""payload_messagepack":"AQ==","payload":2"#)), ("payload", "2".into()));
        assert!(matches!(refused(&with(r#""paylod":1"#)), LineError::Unknown { field, .. } if field == "paylod"));
        assert!(matches!(refused(&with(r#""name":"m""#)), LineError::Twice { field, .. } if field == "name"));
        assert!(matches!(refused(&with(r#""payload":1,"payload_text":"t""#)), LineError::Exclusive { .. }));
        assert!(matches!(refused(&with(r#""transaction":"t","group":1"#)), LineError::Exclusive { .. }));
        for line in ["", "[]", "{", "{}{}", "\u{feff}{}", "7", "null"] {
            assert!(matches!(refused(line), LineError::NotAnObject { .. } | LineError::Missing { .. }), "{line:?}");
        }
        assert!(parse(b"{\"category\":\"\xff\"}").is_err());
    }

    #[test]
    fn events_without_a_transaction_id_stay_together() {
        let store = EventStore::in_memory();
        let two = || [NewEvent::empty("a"), NewEvent::empty("b")];
        store.append(transaction().attribute("why", "test").stream("c", "s", two())).unwrap();
        store.append(transaction().stream("c", "s", two())).unwrap();
        let mut keys = Vec::new();
        for event in store.log().read().unwrap() {
            let mut line = Vec::new();
            write(&event.as_ref(), &Attributes::new(), Form::Export, &mut line).unwrap();
            keys.push(parse(&line).unwrap().key);
        }
        assert!(keys[1].continues(&keys[0]) && !keys[2].continues(&keys[1]) && keys[3].continues(&keys[2]));
        assert!(!TransactionKey::Single.continues(&TransactionKey::Single));
    }

    #[test]
    fn any_bytes_are_an_event_that_comes_back_or_an_error() {
        let seed =
            br#"{"group":1,"category":"c","stream":"s","name":"n","payload":{"a":[1,"\u00e9"]},"metadata":"AA==",
            "attributes":[{"name":"a","type":"bytes","value":"AA=="}],"occurred_at":"2024-01-01T00:00:00Z","id":"i"}"#;
        let mut state = 1_u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut read = 0;
        for _ in 0..20_000 {
            let mut line = seed.to_vec();
            for _ in 0..=random(3) {
                let at = random(line.len());
                match random(4) {
                    0 => line[at] = u8::try_from(random(256)).unwrap(),
                    1 => line[at] = seed[random(seed.len())],
                    2 => drop(line.remove(at)),
                    _ => line.truncate(at.max(8)),
                }
            }
            let Ok(first) = parse(&line) else { continue };
            read += 1;
            let (text, event) = line_of(first.event.clone());
            // A time that the line left out was taken from the clock.
            assert!(event == first.event || !first.event.observed_given, "{text}");
            assert_eq!(event.payload, first.event.payload, "{text}");
            assert_eq!(event.attributes, first.event.attributes, "{text}");
        }
        assert!(read > 200, "{read} of 20,000 lines were events");
    }
}
