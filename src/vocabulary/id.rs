//! Event ids: text, with UUIDs kept as bytes.

use std::fmt;
use std::sync::Arc;

/// An event's id. Text that is a UUID in its canonical form is kept as 16 bytes; both print the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub(crate) IdRepr);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum IdRepr {
    Uuid([u8; 16]),
    Text(Arc<str>),
}

impl EventId {
    /// The id of this text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self(match canonical_uuid(&text) {
            Some(bytes) => IdRepr::Uuid(bytes),
            None => IdRepr::Text(text),
        })
    }

    /// The id as a UUID, if it is one in canonical form.
    #[must_use]
    pub fn as_uuid(&self) -> Option<uuid::Uuid> {
        match &self.0 {
            IdRepr::Uuid(bytes) => Some(uuid::Uuid::from_bytes(*bytes)),
            IdRepr::Text(_) => None,
        }
    }

    /// Length in bytes of the id's text.
    pub(crate) fn text_len(&self) -> usize {
        match &self.0 {
            IdRepr::Uuid(_) => 36,
            IdRepr::Text(text) => text.len(),
        }
    }

    /// Length in bytes of the id as it is kept.
    pub(crate) fn stored_len(&self) -> usize {
        match &self.0 {
            IdRepr::Uuid(bytes) => bytes.len(),
            IdRepr::Text(text) => text.len(),
        }
    }
}

/// The bytes of a UUID written in lower case with hyphens, the one spelling that comes back the same.
fn canonical_uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let parsed = uuid::Uuid::try_parse(text).ok()?;
    let mut buffer = uuid::Uuid::encode_buffer();
    (parsed.hyphenated().encode_lower(&mut buffer) == text).then(|| parsed.into_bytes())
}

impl From<uuid::Uuid> for EventId {
    fn from(uuid: uuid::Uuid) -> Self {
        Self(IdRepr::Uuid(uuid.into_bytes()))
    }
}

impl From<&str> for EventId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for EventId {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            IdRepr::Uuid(bytes) => uuid::Uuid::from_bytes(*bytes).hyphenated().fmt(f),
            IdRepr::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_uuid_is_packed_and_prints_the_same() {
        let text = "0190d2c1-7b5e-7000-8000-0123456789ab";
        assert!(EventId::from(text).as_uuid().is_some());
        assert_eq!(EventId::from(text).to_string(), text);
        for other in ["0190D2C1-7B5E-7000-8000-0123456789AB", "order-7", "", "0190d2c17b5e700080000123456789ab"] {
            assert!(EventId::from(other).as_uuid().is_none(), "{other}");
            assert_eq!(EventId::from(other).to_string(), other);
        }
    }
}
