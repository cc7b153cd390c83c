//! Payloads: nothing, text or bytes, typed through MessagePack or JSON, and their JSON view.

use bytes::Bytes;
use serde::de::value::{BorrowedBytesDeserializer, BorrowedStrDeserializer, UnitDeserializer};
use serde::{Serialize, de::Deserialize};
use std::sync::Arc;

/// How typed payloads are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// MessagePack with field names (`rmp_serde::to_vec_named`): compact, and readable without the type.
    #[default]
    MessagePack,
    /// JSON text.
    Json,
}

/// What a payload's bytes are. Each is distinct: no payload is not an empty text, and neither is an empty byte string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PayloadKind {
    /// No payload at all.
    #[default]
    None,
    /// Bytes that mean what their content type says.
    Binary,
    /// UTF-8 text that means what its content type says.
    Text,
    /// A typed value in MessagePack.
    MessagePack,
    /// A typed value in JSON text.
    Json,
}

/// A payload's data as CloudEvents sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// No payload.
    None,
    /// Text; JSON is text.
    Text(&'a str),
    /// Bytes; MessagePack is bytes.
    Binary(&'a [u8]),
}

/// A payload that could not be written, read, or shown as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value could not be written with the codec.
    #[error("the payload cannot be written as {codec:?}: {reason}")]
    Encode {
        /// The codec used.
        codec: Codec,
        /// The codec's own words.
        reason: String,
    },
    /// The bytes are not a value of the wanted type.
    #[error("the payload ({kind:?}, {length} bytes) cannot be read as {wanted}: {reason}")]
    Decode {
        /// What the payload is.
        kind: PayloadKind,
        /// Its length in bytes.
        length: usize,
        /// The Rust type that was asked for.
        wanted: &'static str,
        /// The codec's own words.
        reason: String,
    },
    /// The payload has no form as JSON: raw bytes, or MessagePack with keys that are not text, for example.
    #[error("the payload ({kind:?}, {length} bytes) has no JSON form: {reason}")]
    NoJsonForm {
        /// What the payload is.
        kind: PayloadKind,
        /// Its length in bytes.
        length: usize,
        /// Why not.
        reason: String,
    },
}

/// A payload with its content type and schema: what a [`NewEvent`](crate::NewEvent) carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload {
    pub(crate) kind: PayloadKind,
    pub(crate) bytes: Bytes,
    pub(crate) content_type: Option<Arc<str>>,
    pub(crate) schema: Option<Arc<str>>,
    pub(crate) schema_version: Option<u32>,
}

impl Payload {
    /// No payload.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Text as it is.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: PayloadKind::Text, bytes: Bytes::from(text.into()), ..Self::default() }
    }

    /// Bytes as they are.
    #[must_use]
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { kind: PayloadKind::Binary, bytes: bytes.into(), ..Self::default() }
    }

    /// A typed value, written with `codec`.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written, such as a map with keys that are not text in JSON.
    pub fn encode<T: Serialize + ?Sized>(codec: Codec, value: &T) -> Result<Self, PayloadError> {
        let refused = |reason: String| PayloadError::Encode { codec, reason };
        let (kind, bytes) = match codec {
            Codec::MessagePack => {
                (PayloadKind::MessagePack, rmp_serde::to_vec_named(value).map_err(|error| refused(error.to_string()))?)
            }
            Codec::Json => (PayloadKind::Json, serde_json::to_vec(value).map_err(|error| refused(error.to_string()))?),
        };
        Ok(Self { kind, bytes: bytes.into(), ..Self::default() })
    }

    /// JSON text as it is, checked to be one JSON value; spacing, key order and digits are kept.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when the text is not one JSON value.
    pub fn json_text(text: impl Into<String>) -> Result<Self, PayloadError> {
        let text = text.into();
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            return Err(PayloadError::Decode {
                kind: PayloadKind::Json,
                length: text.len(),
                wanted: "JSON",
                reason: error.to_string(),
            });
        }
        Ok(Self { kind: PayloadKind::Json, bytes: Bytes::from(text), ..Self::default() })
    }

    /// Says what the bytes mean, such as `text/csv`.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Names the schema of the bytes by its URI.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Numbers the shape of the payload, for [`Upcasters`](crate::Upcasters).
    #[must_use]
    pub fn with_schema_version(mut self, version: u32) -> Self {
        self.schema_version = Some(version);
        self
    }

    /// The payload, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> PayloadRef<'_> {
        PayloadRef {
            kind: self.kind,
            bytes: &self.bytes,
            content_type: self.content_type.as_deref(),
            schema: self.schema.as_deref(),
            schema_version: self.schema_version,
        }
    }
}

/// A borrowed payload. Nothing is decoded until asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadRef<'a> {
    pub(crate) kind: PayloadKind,
    pub(crate) bytes: &'a [u8],
    pub(crate) content_type: Option<&'a str>,
    pub(crate) schema: Option<&'a str>,
    pub(crate) schema_version: Option<u32>,
}

impl<'a> PayloadRef<'a> {
    /// What the bytes are.
    #[must_use]
    pub fn kind(self) -> PayloadKind {
        self.kind
    }

    /// The bytes as stored.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there is no payload at all.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.kind == PayloadKind::None
    }

    /// What the producer said the bytes mean; `application/msgpack` or `application/json` for typed payloads it said
    /// nothing about.
    #[must_use]
    pub fn content_type(self) -> Option<&'a str> {
        self.content_type.or(match self.kind {
            PayloadKind::MessagePack => Some("application/msgpack"),
            PayloadKind::Json => Some("application/json"),
            _ => None,
        })
    }

    /// The schema's URI, if the producer named one.
    #[must_use]
    pub fn schema(self) -> Option<&'a str> {
        self.schema
    }

    /// The number of the payload's shape, if the producer gave one.
    #[must_use]
    pub fn schema_version(self) -> Option<u32> {
        self.schema_version
    }

    /// The payload as CloudEvents sees it: JSON is text, MessagePack is bytes.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when bytes marked as text are not UTF-8.
    pub fn data(self) -> Result<Data<'a>, PayloadError> {
        match self.kind {
            PayloadKind::None => Ok(Data::None),
            PayloadKind::Binary | PayloadKind::MessagePack => Ok(Data::Binary(self.bytes)),
            PayloadKind::Text | PayloadKind::Json => self.str("text").map(Data::Text),
        }
    }

    /// Reads the payload as a `T`: by its codec if it is typed, else by its content type (JSON or MessagePack), else as text
    /// or bytes; no payload reads as `()` or `None`.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when the bytes are not a `T`.
    pub fn decode<T: Deserialize<'a>>(self) -> Result<T, PayloadError> {
        let wanted = std::any::type_name::<T>();
        let refused = |reason: String| self.undecodable(wanted, reason);
        match self.form() {
            Form::Json => serde_json::from_slice(self.bytes).map_err(|error| refused(error.to_string())),
            Form::MessagePack => rmp_serde::from_slice(self.bytes).map_err(|error| refused(error.to_string())),
            Form::Text => {
                let text = BorrowedStrDeserializer::<serde::de::value::Error>::new(self.str(wanted)?);
                T::deserialize(text).map_err(|error| refused(error.to_string()))
            }
            Form::Bytes => {
                let bytes = BorrowedBytesDeserializer::<serde::de::value::Error>::new(self.bytes);
                T::deserialize(bytes).map_err(|error| refused(error.to_string()))
            }
            Form::Nothing => {
                let unit = UnitDeserializer::<serde::de::value::Error>::new();
                T::deserialize(unit).map_err(|error| refused(error.to_string()))
            }
        }
    }

    /// The payload as JSON: MessagePack is translated, text becomes a string unless its content type is JSON, no payload
    /// becomes null.
    ///
    /// # Errors
    /// [`PayloadError::NoJsonForm`] for raw bytes, for MessagePack with byte strings or keys that are not text, and for
    /// numbers that are not finite.
    pub fn to_json(self) -> Result<serde_json::Value, PayloadError> {
        let formless = |reason: String| PayloadError::NoJsonForm { kind: self.kind, length: self.bytes.len(), reason };
        match self.form() {
            Form::Json => serde_json::from_slice(self.bytes).map_err(|error| formless(error.to_string())),
            Form::MessagePack => {
                let value: StrictJson =
                    rmp_serde::from_slice(self.bytes).map_err(|error| formless(error.to_string()))?;
                Ok(value.0)
            }
            Form::Text => Ok(serde_json::Value::String(self.str("text")?.to_owned())),
            Form::Bytes => Err(formless("it is bytes".into())),
            Form::Nothing => Ok(serde_json::Value::Null),
        }
    }

    /// An owned copy.
    #[must_use]
    pub fn to_payload(self) -> Payload {
        Payload {
            kind: self.kind,
            bytes: Bytes::copy_from_slice(self.bytes),
            content_type: self.content_type.map(Arc::from),
            schema: self.schema.map(Arc::from),
            schema_version: self.schema_version,
        }
    }

    /// Whether the bytes are read as JSON or text, or are none; else as MessagePack or raw bytes.
    pub(crate) fn is_textual(self) -> bool {
        matches!(self.form(), Form::Json | Form::Text | Form::Nothing)
    }

    /// Whether the bytes are read as JSON.
    pub(crate) fn is_json(self) -> bool {
        matches!(self.form(), Form::Json)
    }

    fn form(self) -> Form {
        match (self.kind, self.content_type) {
            (PayloadKind::None, _) => Form::Nothing,
            (PayloadKind::MessagePack, _) => Form::MessagePack,
            (PayloadKind::Json, _) => Form::Json,
            (PayloadKind::Text | PayloadKind::Binary, Some(said)) if is_json(said) => Form::Json,
            (PayloadKind::Binary, Some(said)) if is_message_pack(said) => Form::MessagePack,
            (PayloadKind::Text, _) => Form::Text,
            (PayloadKind::Binary, _) => Form::Bytes,
        }
    }

    fn str(self, wanted: &'static str) -> Result<&'a str, PayloadError> {
        std::str::from_utf8(self.bytes).map_err(|error| self.undecodable(wanted, error.to_string()))
    }

    fn undecodable(self, wanted: &'static str, reason: String) -> PayloadError {
        PayloadError::Decode { kind: self.kind, length: self.bytes.len(), wanted, reason }
    }
}

/// How a payload's bytes are to be read.
enum Form {
    Nothing,
    Bytes,
    Text,
    MessagePack,
    Json,
}

/// A content type without its parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a content type says JSON, as CloudEvents has it: `*/json` or `*/*+json`, whatever its parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let media = media_type(content_type);
    let end = media.get(media.len().saturating_sub(5)..);
    end.is_some_and(|end| ["/json", "+json"].iter().any(|known| end.eq_ignore_ascii_case(known)))
}

/// Whether a content type says MessagePack, whatever its parameters.
pub(crate) fn is_message_pack(content_type: &str) -> bool {
    let media = media_type(content_type);
    ["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"]
        .iter()
        .any(|known| media.eq_ignore_ascii_case(known))
}

/// JSON that refuses what JSON cannot say, where `serde_json::Value` alone would turn it into null or an array.
struct StrictJson(serde_json::Value);

impl<'de> Deserialize<'de> for StrictJson {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictJsonVisitor).map(StrictJson)
    }
}

struct StrictJsonVisitor;

impl<'de> serde::de::Visitor<'de> for StrictJsonVisitor {
    type Value = serde_json::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value that JSON can say")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        serde_json::Number::from_f64(value)
            .map(serde_json::Value::Number)
            .ok_or_else(|| E::custom(format_args!("the number {value} is not finite")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: serde::de::Error>(self, value: &[u8]) -> Result<Self::Value, E> {
        Err(E::custom(format_args!("it holds a byte string of {} bytes", value.len())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(StrictJson(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = serde_json::Map::new();
        while let Some((key, StrictJson(value))) = map.next_entry::<String, StrictJson>()? {
            entries.insert(key, value);
        }
        Ok(entries.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn typed_payloads_round_trip_with_both_codecs() {
        let value = BTreeMap::from([("cents".to_owned(), 1_u64 << 60)]);
        for codec in [Codec::MessagePack, Codec::Json] {
            let payload = Payload::encode(codec, &value).unwrap();
            assert_eq!(payload.as_ref().decode::<BTreeMap<String, u64>>().unwrap(), value);
            assert_eq!(payload.as_ref().to_json().unwrap(), serde_json::json!({"cents": 1_u64 << 60}));
        }
    }

    #[test]
    fn nothing_empty_text_and_no_bytes_are_three_things() {
        assert_ne!(Payload::none(), Payload::text(""));
        assert_ne!(Payload::text(""), Payload::binary(Bytes::new()));
        assert_eq!(Payload::none().as_ref().decode::<Option<u8>>().unwrap(), None);
        assert_eq!(Payload::text("").as_ref().decode::<String>().unwrap(), "");
    }

    #[test]
    fn what_json_cannot_say_is_an_error_and_not_null() {
        let not_finite = Payload::encode(Codec::MessagePack, &f64::NAN).unwrap();
        assert!(matches!(not_finite.as_ref().to_json(), Err(PayloadError::NoJsonForm { .. })));
        let by_number = Payload::encode(Codec::MessagePack, &BTreeMap::from([(1, "one")])).unwrap();
        assert!(matches!(by_number.as_ref().to_json(), Err(PayloadError::NoJsonForm { .. })));
        assert!(matches!(Payload::binary("raw").as_ref().to_json(), Err(PayloadError::NoJsonForm { .. })));
    }

    #[test]
    fn text_with_a_json_content_type_is_json() {
        let payload = Payload::text(r#"{"a":1}"#).with_content_type("application/problem+JSON; charset=utf-8");
        assert_eq!(payload.as_ref().to_json().unwrap(), serde_json::json!({"a": 1}));
        assert!(Payload::json_text("{} {}").is_err());
        for said in ["application/json", "text/JSON ;charset=utf-8", "application/vnd.money+json"] {
            assert!(is_json(said), "{said}");
        }
        for said in ["", "json", "text/plain", "application/jsonl", "application/json5", "text/é"] {
            assert!(!is_json(said), "{said}");
        }
    }

    #[test]
    fn a_wrong_type_says_what_was_wanted() {
        let error = Payload::encode(Codec::Json, "text").unwrap().as_ref().decode::<u8>().unwrap_err();
        assert!(matches!(error, PayloadError::Decode { wanted: "u8", length: 6, .. }), "{error:?}");
    }
}
