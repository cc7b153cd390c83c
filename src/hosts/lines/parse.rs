//! Reads one line into an event. Total: any bytes give an event or a typed error.

use super::{Line, LineError, TransactionKey, excerpt};
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::payload::{Payload, PayloadKind};
use crate::vocabulary::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Reads one line, with or without its line break.
///
/// # Errors
/// [`LineError`], with the field and the start of its value.
///
/// ```
/// use stratalog::hosts::lines;
/// let line = lines::parse(br#"{"category":"accounts","stream":"acc-42","name":"opened","payload":{"owner":"Ada"}}"#)?;
/// assert_eq!(line.event.name(), "opened");
/// assert_eq!(line.event.payload().bytes(), br#"{"owner":"Ada"}"#);
/// # Ok::<(), lines::LineError>(())
/// ```
pub fn parse(line: &[u8]) -> Result<Line, LineError> {
    let Object(pairs) = serde_json::from_slice(line).map_err(|error| LineError::NotAnObject {
        reason: error.to_string(),
        given: excerpt(&String::from_utf8_lossy(line.get(..400).unwrap_or(line))),
    })?;
    let mut fields = Fields::default();
    for (name, value) in pairs {
        let Some(slot) = fields.slot(&name) else {
            return Err(LineError::Unknown { field: name.into_owned(), value: excerpt(value.get()) });
        };
        if slot.replace(value).is_some() {
            return Err(LineError::Twice { field: name.into_owned(), value: excerpt(value.get()) });
        }
    }
    fields.line()
}

/// A JSON object's members in order, values not read yet.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        const MEMBERS: usize = 64;
        let mut pairs = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            if pairs.len() == MEMBERS {
                return Err(A::Error::custom(format_args!("more than {MEMBERS} members")));
            }
            pairs.push((name, value));
        }
        Ok(Object(pairs))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

macro_rules! fields {
    ($($field:ident),* $(,)?) => {
        /// The members a line may have.
        #[derive(Default)]
        struct Fields<'a> {
            $($field: Option<&'a RawValue>,)*
        }

        impl<'a> Fields<'a> {
            fn slot(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

fields!(
    transaction,
    group,
    transaction_attributes,
    category,
    stream,
    name,
    payload,
    payload_text,
    payload_base64,
    payload_json,
    payload_messagepack,
    content_type,
    schema,
    schema_version,
    id,
    occurred_at,
    observed_at,
    attributes,
    metadata,
);

impl Fields<'_> {
    fn line(&self) -> Result<Line, LineError> {
        let key = self.key()?;
        let name: String = required("name", self.name)?;
        let mut event = NewEvent::from_payload(name, self.payload()?);
        if let Some(id) = optional::<String>("id", self.id)? {
            event = event.with_id(id);
        }
        if let Some(time) = time("observed_at", self.observed_at)? {
            event = event.with_observed_at(time);
        }
        if let Some(time) = time("occurred_at", self.occurred_at)? {
            event = event.with_occurred_at(time);
        }
        if let Some(attributes) = attributes("attributes", self.attributes)? {
            event = event.with_attributes(attributes);
        }
        if let Some(metadata) = bytes("metadata", self.metadata)? {
            event = event.with_metadata(metadata);
        }
        Ok(Line {
            key,
            transaction_attributes: attributes("transaction_attributes", self.transaction_attributes)?,
            category: required("category", self.category)?,
            stream: required("stream", self.stream)?,
            event,
        })
    }

    fn key(&self) -> Result<TransactionKey, LineError> {
        let id = optional("transaction", self.transaction)?;
        let group = optional("group", self.group)?;
        match (id, group) {
            (Some(_), Some(_)) => Err(LineError::Exclusive { first: "transaction", second: "group" }),
            (Some(id), None) => Ok(TransactionKey::Id(id)),
            (None, Some(group)) => Ok(TransactionKey::Group(group)),
            (None, None) => Ok(TransactionKey::Single),
        }
    }

    fn payload(&self) -> Result<Payload, LineError> {
        let mut payload = self.bare_payload()?;
        if let Some(content_type) = optional::<String>("content_type", self.content_type)? {
            payload = payload.with_content_type(content_type);
        }
        if let Some(schema) = optional::<String>("schema", self.schema)? {
            payload = payload.with_schema(schema);
        }
        if let Some(version) = optional("schema_version", self.schema_version)? {
            payload = payload.with_schema_version(version);
        }
        Ok(payload)
    }

    fn bare_payload(&self) -> Result<Payload, LineError> {
        let given: Vec<&'static str> = [
            ("payload_messagepack", self.payload_messagepack),
            ("payload", self.payload),
            ("payload_text", self.payload_text),
            ("payload_base64", self.payload_base64),
            ("payload_json", self.payload_json),
        ]
        .into_iter()
        .filter_map(|(field, value)| value.map(|_| field))
        .collect();
        match given.as_slice() {
            [] | [_] | ["payload_messagepack", "payload"] => {}
            [first, second, ..] => return Err(LineError::Exclusive { first, second }),
        }
        if let Some(packed) = bytes("payload_messagepack", self.payload_messagepack)? {
            return self.message_pack(packed);
        }
        if let Some(text) = optional::<String>("payload_text", self.payload_text)? {
            return Ok(Payload::text(text));
        }
        if let Some(bytes) = bytes("payload_base64", self.payload_base64)? {
            return Ok(Payload::binary(bytes));
        }
        if let Some(text) = optional::<String>("payload_json", self.payload_json)? {
            return Payload::json_text(text).map_err(|error| invalid("payload_json", self.payload_json, &error));
        }
        match self.payload {
            Some(raw) => Payload::json_text(raw.get()).map_err(|error| invalid("payload", self.payload, &error)),
            None => Ok(Payload::none()),
        }
    }

    /// MessagePack as it is. The JSON form beside it must be what it would be written as, so that an edit of one is noticed.
    fn message_pack(&self, packed: Bytes) -> Result<Payload, LineError> {
        let payload = Payload { kind: PayloadKind::MessagePack, bytes: packed, ..Payload::default() };
        let Some(raw) = self.payload else { return Ok(payload) };
        let refused = |reason: &dyn fmt::Display| invalid("payload", self.payload, reason);
        let form = payload.as_ref().to_json().map_err(|error| refused(&error))?.to_string();
        if form != raw.get() {
            // Both sides go through the same reader, so that rounding is the same on both.
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).map_err(|error| refused(&error));
            if read(&form)? != read(raw.get())? {
                return Err(refused(&format_args!("payload_messagepack says {}", excerpt(&form))));
            }
        }
        Ok(payload)
    }
}

fn invalid(field: &'static str, raw: Option<&RawValue>, reason: &dyn fmt::Display) -> LineError {
    LineError::Invalid { field, value: excerpt(raw.map_or("", RawValue::get)), reason: reason.to_string() }
}

fn optional<T: DeserializeOwned>(field: &'static str, raw: Option<&RawValue>) -> Result<Option<T>, LineError> {
    raw.map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|error| invalid(field, raw, &without_place(&error.to_string())))
}

fn required<T: DeserializeOwned>(field: &'static str, raw: Option<&RawValue>) -> Result<T, LineError> {
    optional(field, raw)?.ok_or(LineError::Missing { field })
}

/// The JSON reader counts lines and columns within the value, which says nothing to who reads the error.
fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(words, _)| words)
}

fn time(field: &'static str, raw: Option<&RawValue>) -> Result<Option<Timestamp>, LineError> {
    let text: Option<String> = optional(field, raw)?;
    text.map(|text| text.parse()).transpose().map_err(|error: crate::InvalidTime| invalid(field, raw, &error.reason))
}

fn bytes(field: &'static str, raw: Option<&RawValue>) -> Result<Option<Bytes>, LineError> {
    let text: Option<String> = optional(field, raw)?;
    let decoded = text.map(|text| BASE64.decode(text)).transpose();
    decoded.map(|bytes| bytes.map(Bytes::from)).map_err(|error| invalid(field, raw, &error))
}

/// One attribute as a line states it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedAttribute {
    name: String,
    #[serde(default)]
    r#type: StatedType,
    value: StatedValue,
}

#[derive(serde::Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StatedType {
    #[default]
    Plain,
    Bytes,
    Uri,
    UriReference,
    Time,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum StatedValue {
    Boolean(bool),
    Integer(i64),
    String(String),
}

fn attributes(field: &'static str, raw: Option<&RawValue>) -> Result<Option<Attributes>, LineError> {
    let Some(stated) = optional::<Vec<StatedAttribute>>(field, raw)? else { return Ok(None) };
    let mut attributes = Attributes::new();
    for StatedAttribute { name, r#type, value } in stated {
        let refused = |reason: &dyn fmt::Display| invalid(field, raw, &format_args!("attribute {name:?}: {reason}"));
        if attributes.get(&name).is_some() {
            return Err(refused(&"it is there twice"));
        }
        let value = match (r#type, value) {
            (StatedType::Plain, StatedValue::Boolean(value)) => AttributeValue::Boolean(value),
            (StatedType::Plain, StatedValue::Integer(value)) => AttributeValue::Integer(value),
            (StatedType::Plain, StatedValue::String(text)) => AttributeValue::String(text.into()),
            (StatedType::Uri, StatedValue::String(text)) => AttributeValue::Uri(text.into()),
            (StatedType::UriReference, StatedValue::String(text)) => AttributeValue::UriReference(text.into()),
            (StatedType::Bytes, StatedValue::String(text)) => {
                AttributeValue::Bytes(BASE64.decode(text).map_err(|error| refused(&error))?.into())
            }
            (StatedType::Time, StatedValue::String(text)) => {
                AttributeValue::Time(text.parse().map_err(|error: crate::InvalidTime| refused(&error.reason))?)
            }
            _ => return Err(refused(&"a value of its type is a string")),
        };
        attributes.set(name.as_str(), value);
    }
    Ok(Some(attributes))
}
