//! The JSON event format of CloudEvents: one event, or a batch of them.

use super::{CloudEvent, CloudEventError};
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::payload::{self, Payload, PayloadError, PayloadKind};
use crate::vocabulary::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// How much of a wrong value an error shows, in characters.
const SHOWN: usize = 80;

/// What is wrong with the events of a batch: all of them, each by its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of the batch's events cannot be read; at {}: {}", faults.len(), first_of(faults).0, first_of(faults).1)]
#[non_exhaustive]
pub struct InvalidBatch {
    /// Places and faults. Place 0 where the text is no array.
    pub faults: Vec<(usize, CloudEventError)>,
}

fn first_of(faults: &[(usize, CloudEventError)]) -> (usize, String) {
    faults.first().map(|(place, fault)| (*place, fault.to_string())).unwrap_or_default()
}

impl CloudEvent {
    /// Reads one event in the JSON format. Attributes keep their order; strings are all of one kind there, so bytes, URIs and
    /// times among the extensions come back as strings. Members that are null count as absent, `data` apart.
    ///
    /// # Errors
    /// [`CloudEventError`]: the first that is found.
    pub fn from_json(json: &str) -> Result<Self, CloudEventError> {
        serde_json::from_str::<Members>(json).map_err(syntax)?.into_event()
    }

    /// Reads a batch of events in the JSON format.
    ///
    /// # Errors
    /// [`InvalidBatch`], with what is wrong with each.
    pub fn batch_from_json(json: &str) -> Result<Vec<Self>, InvalidBatch> {
        let batch = serde_json::from_str::<Vec<Members>>(json);
        let batch = batch.map_err(|error| InvalidBatch { faults: vec![(0, syntax(error))] })?;
        let (mut events, mut faults) = (Vec::with_capacity(batch.len()), Vec::new());
        for (place, members) in batch.into_iter().enumerate() {
            match members.into_event() {
                Ok(event) => events.push(event),
                Err(fault) => faults.push((place, fault)),
            }
        }
        if faults.is_empty() { Ok(events) } else { Err(InvalidBatch { faults }) }
    }

    /// Writes the event in the JSON format. Text without a content type is said to be `text/plain`, since it would be taken for
    /// JSON.
    ///
    /// # Errors
    /// What [`CloudEvent::check`] finds, and a payload that is said to be JSON and is not.
    pub fn to_json(&self) -> Result<String, CloudEventError> {
        let form = Form { event: self, data: self.checked_data()? };
        serde_json::to_string(&form).map_err(syntax)
    }

    /// Writes a batch in the JSON format.
    ///
    /// # Errors
    /// [`InvalidBatch`], with what is wrong with each.
    pub fn batch_to_json(events: &[Self]) -> Result<String, InvalidBatch> {
        let (mut forms, mut faults) = (Vec::with_capacity(events.len()), Vec::new());
        for (place, event) in events.iter().enumerate() {
            match event.checked_data() {
                Ok(data) => forms.push(Form { event, data }),
                Err(fault) => faults.push((place, fault)),
            }
        }
        if !faults.is_empty() {
            return Err(InvalidBatch { faults });
        }
        serde_json::to_string(&forms).map_err(|error| InvalidBatch { faults: vec![(0, syntax(error))] })
    }

    fn checked_data(&self) -> Result<Data, CloudEventError> {
        self.check()?;
        Ok(Data::of(&self.payload)?)
    }
}

fn syntax(error: serde_json::Error) -> CloudEventError {
    CloudEventError::Syntax { reason: error.to_string() }
}

/// The JSON event format, for `serde_json` only.
impl Serialize for CloudEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.checked_data().map_err(S::Error::custom)?;
        Form { event: self, data }.serialize(serializer)
    }
}

/// The JSON event format, for `serde_json` only.
impl<'de> Deserialize<'de> for CloudEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Members::deserialize(deserializer)?.into_event().map_err(D::Error::custom)
    }
}

/// The data member, and what is said of it where the producer said nothing.
enum Data {
    None,
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
}

impl Data {
    fn of(payload: &Payload) -> Result<Self, PayloadError> {
        let borrowed = payload.as_ref();
        let formless =
            |reason: String| PayloadError::NoJsonForm { kind: payload.kind, length: payload.bytes.len(), reason };
        let raw = |text: String| RawValue::from_string(text).map_err(|error| formless(error.to_string()));
        let text = || String::from_utf8(payload.bytes.to_vec()).map_err(|error| formless(error.to_string()));
        Ok(match payload.kind {
            PayloadKind::None => Self::None,
            PayloadKind::Binary => Self::Base64(BASE64.encode(&payload.bytes)),
            PayloadKind::MessagePack => Self::Json(raw(borrowed.to_json()?.to_string())?),
            PayloadKind::Json => Self::Json(raw(text()?)?),
            PayloadKind::Text if borrowed.is_json() => Self::Json(raw(text()?)?),
            PayloadKind::Text => Self::Text(text()?),
        })
    }
}

/// An event on its way out.
struct Form<'a> {
    event: &'a CloudEvent,
    data: Data,
}

impl Form<'_> {
    /// The content type to name: one that the data as written has.
    fn content_type(&self) -> Option<&str> {
        let payload = &self.event.payload;
        match (payload.kind, &payload.content_type) {
            // It is written as JSON, whatever it was.
            (PayloadKind::MessagePack, _) => Some("application/json"),
            // A name that does not say JSON would make a reader take the value for something else.
            (PayloadKind::Json, Some(said)) if !payload::is_json(said) => Some("application/json"),
            (PayloadKind::Text, None) => Some("text/plain"),
            (_, said) => said.as_deref(),
        }
    }
}

impl Serialize for Form<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &event.id)?;
        map.serialize_entry("source", &event.source)?;
        map.serialize_entry("type", &event.event_type)?;
        if let Some(subject) = &event.subject {
            map.serialize_entry("subject", subject)?;
        }
        if let Some(time) = &event.time {
            map.serialize_entry("time", time)?;
        }
        if let Some(content_type) = self.content_type() {
            map.serialize_entry("datacontenttype", content_type)?;
        }
        if let Some(schema) = &event.payload.schema {
            map.serialize_entry("dataschema", schema)?;
        }
        for (name, value) in event.extensions.iter() {
            match value {
                AttributeValue::Boolean(value) => map.serialize_entry(name, value)?,
                AttributeValue::Integer(value) => map.serialize_entry(name, value)?,
                AttributeValue::Bytes(bytes) => map.serialize_entry(name, &BASE64.encode(bytes))?,
                AttributeValue::Time(time) => map.serialize_entry(name, time)?,
                AttributeValue::String(text) | AttributeValue::Uri(text) | AttributeValue::UriReference(text) => {
                    map.serialize_entry(name, text)?;
                }
            }
        }
        match &self.data {
            Data::None => {}
            Data::Json(value) => map.serialize_entry("data", value)?,
            Data::Text(text) => map.serialize_entry("data", text)?,
            Data::Base64(text) => map.serialize_entry("data_base64", text)?,
        }
        map.end()
    }
}

/// The members of an object in their order, each once, and still to be read.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

impl Members {
    fn into_event(self) -> Result<CloudEvent, CloudEventError> {
        let mut seen = HashSet::new();
        if let Some((member, _)) = self.0.iter().find(|(name, _)| !seen.insert(&**name)) {
            return Err(CloudEventError::Repeated { member: member.clone() });
        }
        match self.text("specversion")? {
            None => return Err(CloudEventError::Missing { attribute: "specversion" }),
            Some(version) if &*version != "1.0" => {
                return Err(CloudEventError::Version { found: version.to_string() });
            }
            Some(_) => {}
        }
        let required = |attribute| self.text(attribute)?.ok_or(CloudEventError::Missing { attribute });
        let time = self.text("time")?.map(|text| text.parse::<Timestamp>());
        let event = CloudEvent {
            id: required("id")?,
            source: required("source")?,
            event_type: required("type")?,
            subject: self.text("subject")?,
            time: time.transpose().map_err(|source| CloudEventError::Time { attribute: "time", source })?,
            payload: self.payload()?,
            extensions: self.extensions()?,
        };
        event.check()?;
        Ok(event)
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| &**value)
    }

    /// A member that is a string, unless it is absent or null.
    fn text(&self, name: &'static str) -> Result<Option<Arc<str>>, CloudEventError> {
        match self.get(name) {
            Some(value) if value.get() != "null" => string(name, value).map(|text| Some(text.into())),
            _ => Ok(None),
        }
    }

    fn payload(&self) -> Result<Payload, CloudEventError> {
        let content_type = self.text("datacontenttype")?;
        let is_json = content_type.as_deref().is_none_or(payload::is_json);
        let encoded = self.text("data_base64")?;
        let payload = match (self.get("data"), encoded) {
            (Some(_), Some(_)) => return Err(CloudEventError::DataTwice),
            (None, None) => Payload::none(),
            (None, Some(encoded)) => {
                let bytes = BASE64.decode(encoded.as_bytes());
                Payload::binary(bytes.map_err(|error| CloudEventError::Base64 { reason: error.to_string() })?)
            }
            (Some(value), None) if is_json => Payload {
                kind: PayloadKind::Json,
                bytes: Bytes::copy_from_slice(value.get().as_bytes()),
                ..Payload::default()
            },
            (Some(value), None) => Payload::text(string("data", value)?),
        };
        Ok(Payload { content_type, schema: self.text("dataschema")?, ..payload })
    }

    fn extensions(&self) -> Result<Attributes, CloudEventError> {
        let is_extension =
            |(name, value): &&(String, Box<RawValue>)| !super::OWN_NAMES.contains(&&**name) && value.get() != "null";
        let read = |(name, value): &(String, Box<RawValue>)| Ok((name.as_str().into(), extension(name, value)?));
        // No member is there twice: that was looked at first.
        let extensions: Result<_, CloudEventError> = self.0.iter().filter(is_extension).map(read).collect();
        extensions.map(Attributes::from_distinct)
    }
}

fn string(name: &str, value: &RawValue) -> Result<String, CloudEventError> {
    serde_json::from_str(value.get()).map_err(|_| wrong_type(name, "a string", value))
}

fn extension(name: &str, value: &RawValue) -> Result<AttributeValue, CloudEventError> {
    let expected = "a string, a boolean or a whole number";
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => Ok(string(name, value)?.into()),
        Some(b't') => Ok(true.into()),
        Some(b'f') => Ok(false.into()),
        // A number in JSON may have a fraction or an exponent; an integer of CloudEvents has neither.
        Some(b'-' | b'0'..=b'9') if !json.contains(['.', 'e', 'E']) => json
            .parse::<i64>()
            .map(Into::into)
            .map_err(|_| super::AttributeFault::IntegerOutOfRange { name: name.into(), value: shown(json) }.into()),
        _ => Err(wrong_type(name, expected, value)),
    }
}

fn wrong_type(member: &str, expected: &'static str, value: &RawValue) -> CloudEventError {
    CloudEventError::WrongType { member: member.to_owned(), expected, found: shown(value.get()) }
}

fn shown(json: &str) -> String {
    json.chars().take(SHOWN).collect()
}
