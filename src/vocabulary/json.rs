//! Events as JSON: logicblocks' keys, in the order of their bytes, and Stratalog's additions where there is something to say.

use super::attributes::{AttributeValue, Attributes};
use super::event::{EventFields, EventId, Given, NewEvent, StoredEvent};
use super::payload::{Payload, PayloadError, PayloadKind, PayloadRef};
use super::time::Timestamp;
use bytes::Bytes;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::sync::Arc;

// The fields of both forms stand in the order of their keys' bytes; a test holds them to it.

/// A new event's JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewForm<'a> {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<AttributeForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Hex>,
    name: Cow<'a, str>,
    observed_at: Timestamp,
    occurred_at: Timestamp,
    payload: PayloadForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema_version: Option<u32>,
}

/// A stored event's JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredForm<'a> {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<AttributeForm>,
    category: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Cow<'a, str>>,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Hex>,
    name: Cow<'a, str>,
    observed_at: Timestamp,
    occurred_at: Timestamp,
    payload: PayloadForm,
    position: u64,
    #[serde(default)]
    recorded_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema_version: Option<u32>,
    #[serde(rename = "sequence_number")]
    sequence_number: u64,
    stream: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<Cow<'a, str>>,
}

/// As logicblocks writes it: `{"name":…,"observedAt":…,"occurredAt":…,"payload":…}`, keys sorted, times in RFC 3339 with `Z`.
/// Where there is something to say, these keys of Stratalog's own are added in their places: `attributes` (an array, in order,
/// of `{"kind":…,"name":…,"value":…}` with the kinds `boolean`, `bytes`, `integer`, `string`, `time`, `uri`, `uriReference`),
/// `contentType`, `id`, `metadata`, `schema` and `schemaVersion`. Bytes are text in lower-case hexadecimal.
///
/// A payload in MessagePack is shown as JSON, text as a string, no payload as `null`, and JSON as it is, to the digit, but
/// without spacing. Raw bytes, and MessagePack that JSON cannot say, are an error. For `serde_json` only.
impl Serialize for NewEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = NewForm {
            attributes: attribute_forms(self.attributes()),
            content_type: self.payload.content_type.as_deref().map(Cow::Borrowed),
            id: self.id.as_ref().map(EventId::to_string),
            metadata: self.metadata.clone().map(Hex),
            name: Cow::Borrowed(self.name()),
            observed_at: self.observed_at(),
            occurred_at: self.occurred_at(),
            payload: PayloadForm::of(self.payload()).map_err(S::Error::custom)?,
            schema: self.payload.schema.as_deref().map(Cow::Borrowed),
            schema_version: self.payload.schema_version,
        };
        form.serialize(serializer)
    }
}

/// The inverse of the JSON form. The payload comes back as JSON (`null` as none), and the times count as given by the
/// producer. Keys that are neither logicblocks' nor Stratalog's are an error, so that nothing is lost in silence.
impl<'de> Deserialize<'de> for NewEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = NewForm::deserialize(deserializer)?;
        Ok(NewEvent {
            name: form.name.into(),
            payload: Payload {
                content_type: form.content_type.map(Arc::from),
                schema: form.schema.map(Arc::from),
                schema_version: form.schema_version,
                ..form.payload.into_payload()
            },
            id: form.id.map(EventId::from),
            observed_at: form.observed_at,
            observed_given: true,
            occurred_at: Some(form.occurred_at),
            attributes: attributes_of(form.attributes).map_err(D::Error::custom)?,
            metadata: form.metadata.map(|hex| hex.0),
        })
    }
}

/// As logicblocks writes it, keys sorted, in its mixed casing: `category`, `id`, `name`, `observedAt`, `occurredAt`, `payload`,
/// `position`, `sequence_number`, `stream`. Stratalog always adds `recordedAt`; and, where there is something to say, the keys
/// that it adds to a [`NewEvent`], and `transaction`: the transaction's id. Payloads and bytes as there.
impl Serialize for StoredEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload = self.payload();
        let form = StoredForm {
            attributes: attribute_forms(self.attributes()),
            category: Cow::Borrowed(self.category()),
            content_type: payload.content_type.map(Cow::Borrowed),
            id: self.id().to_string(),
            metadata: self.metadata().map(|bytes| Hex(Bytes::copy_from_slice(bytes))),
            name: Cow::Borrowed(self.name()),
            observed_at: self.observed_at(),
            occurred_at: self.occurred_at(),
            payload: PayloadForm::of(payload).map_err(S::Error::custom)?,
            position: self.position().get(),
            recorded_at: Some(self.recorded_at()),
            schema: payload.schema.map(Cow::Borrowed),
            schema_version: payload.schema_version,
            sequence_number: self.sequence_number().get(),
            stream: Cow::Borrowed(self.stream()),
            transaction: self.transaction_id().map(Cow::Borrowed),
        };
        form.serialize(serializer)
    }
}

/// The inverse of the JSON form, with the payload as JSON (`null` as none) and id and times as given by the producer. JSON has
/// no extent of the transaction: the event reads back as one of a transaction of itself alone. Without `recordedAt`, as
/// logicblocks writes, the recorded time is the observed one. Unknown keys are an error.
impl<'de> Deserialize<'de> for StoredEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = StoredForm::deserialize(deserializer)?;
        if form.sequence_number == u64::MAX {
            return Err(D::Error::custom("the sequence number leaves no room for a revision after it"));
        }
        let attributes = attributes_of(form.attributes).map_err(D::Error::custom)?;
        let payload = form.payload.into_payload();
        Ok(StoredEvent::from_fields(EventFields {
            id: EventId::from(form.id),
            category: &form.category,
            stream: &form.stream,
            name: &form.name,
            payload: PayloadRef {
                kind: payload.kind,
                bytes: &payload.bytes,
                content_type: form.content_type.as_deref(),
                schema: form.schema.as_deref(),
                schema_version: form.schema_version,
            },
            metadata: form.metadata.as_ref().map(|hex| &*hex.0),
            attributes: (!attributes.is_empty()).then(|| Arc::new(attributes)),
            position: form.position,
            sequence_number: form.sequence_number,
            observed_at: form.observed_at,
            occurred_at: form.occurred_at,
            recorded_at: form.recorded_at.unwrap_or(form.observed_at),
            given: Given { id: true, observed_at: true, occurred_at: true },
            transaction_id: form.transaction.as_deref(),
            transaction_first: form.sequence_number,
            transaction_count: 1,
        }))
    }
}

/// A payload's JSON: always raw on its way in, so that digits and key order are kept.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct PayloadForm(Box<RawValue>);

impl PayloadForm {
    fn of(payload: PayloadRef<'_>) -> Result<Self, PayloadError> {
        let formless =
            |reason: String| PayloadError::NoJsonForm { kind: payload.kind, length: payload.bytes.len(), reason };
        let text = if payload.is_json() {
            let text: &RawValue = serde_json::from_slice(payload.bytes).map_err(|error| formless(error.to_string()))?;
            without_spacing(text.get())
        } else {
            serde_json::to_string(&payload.to_json()?).map_err(|error| formless(error.to_string()))?
        };
        RawValue::from_string(text).map(Self).map_err(|error| formless(error.to_string()))
    }

    fn into_payload(self) -> Payload {
        match self.0.get() {
            "null" => Payload::none(),
            text => Payload {
                kind: PayloadKind::Json,
                bytes: Bytes::copy_from_slice(text.as_bytes()),
                ..Payload::default()
            },
        }
    }
}

/// Valid JSON text without the spacing between its tokens.
fn without_spacing(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let token = |character: &char| {
        (quoted, escaped) = match character {
            '"' if !escaped => (!quoted, false),
            '\\' if !escaped => (quoted, true),
            _ => (quoted, false),
        };
        quoted || !matches!(character, ' ' | '\t' | '\n' | '\r')
    };
    json.chars().filter(token).collect()
}

/// Bytes as text in lower-case hexadecimal.
struct Hex(Bytes);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let refused = || D::Error::custom(format_args!("{text:?} is not bytes in hexadecimal"));
        if !text.len().is_multiple_of(2) {
            return Err(refused());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pairs = text.as_bytes().chunks_exact(2).map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        pairs.collect::<Option<Vec<u8>>>().map(|bytes| Hex(bytes.into())).ok_or_else(refused)
    }
}

/// One attribute's JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributeForm {
    kind: Kind,
    name: Arc<str>,
    value: Value,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Boolean,
    Bytes,
    Integer,
    String,
    Time,
    Uri,
    UriReference,
}

fn attribute_forms(attributes: &Attributes) -> Vec<AttributeForm> {
    let form = |(name, value): (&str, &AttributeValue)| {
        let (kind, value) = match value {
            AttributeValue::Boolean(value) => (Kind::Boolean, Value::from(*value)),
            AttributeValue::Bytes(bytes) => (Kind::Bytes, Value::from(hex(bytes))),
            AttributeValue::Integer(value) => (Kind::Integer, Value::from(*value)),
            AttributeValue::String(text) => (Kind::String, Value::from(&**text)),
            AttributeValue::Time(time) => (Kind::Time, Value::from(time.to_string())),
            AttributeValue::Uri(text) => (Kind::Uri, Value::from(&**text)),
            AttributeValue::UriReference(text) => (Kind::UriReference, Value::from(&**text)),
        };
        AttributeForm { kind, name: name.into(), value }
    };
    attributes.iter().map(form).collect()
}

fn attributes_of(forms: Vec<AttributeForm>) -> Result<Attributes, serde_json::Error> {
    let mut attributes = Attributes::new();
    for AttributeForm { kind, name, value } in forms {
        let text = |value| serde_json::from_value::<String>(value).map(Arc::from);
        let value = match kind {
            Kind::Boolean => AttributeValue::Boolean(serde_json::from_value(value)?),
            Kind::Bytes => AttributeValue::Bytes(serde_json::from_value::<Hex>(value)?.0),
            Kind::Integer => AttributeValue::Integer(serde_json::from_value(value)?),
            Kind::String => AttributeValue::String(text(value)?),
            Kind::Time => AttributeValue::Time(serde_json::from_value(value)?),
            Kind::Uri => AttributeValue::Uri(text(value)?),
            Kind::UriReference => AttributeValue::UriReference(text(value)?),
        };
        attributes.insert(name, value).map_err(serde::de::Error::custom)?;
    }
    Ok(attributes)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
