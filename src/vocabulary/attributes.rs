//! Attributes: an ordered list of named, typed values on an event or a transaction.

use super::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

/// The value of an attribute: one of the seven kinds of CloudEvents.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeValue {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Bytes),
    /// An absolute URI. Not checked by the store.
    Uri(Arc<str>),
    /// A URI reference, which may be relative. Not checked by the store.
    UriReference(Arc<str>),
    /// An instant.
    Time(Timestamp),
}

impl AttributeValue {
    /// How many bytes the value holds; what the limit on attribute values counts.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Boolean(_) => 1,
            Self::Integer(_) => 8,
            Self::String(text) | Self::Uri(text) | Self::UriReference(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Time(_) => 12,
        }
    }

    /// Whether the value is an empty text or no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for AttributeValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for AttributeValue {
    fn from(value: i32) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl From<&str> for AttributeValue {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for AttributeValue {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Bytes> for AttributeValue {
    fn from(value: Bytes) -> Self {
        Self::Bytes(value)
    }
}

impl From<Timestamp> for AttributeValue {
    fn from(value: Timestamp) -> Self {
        Self::Time(value)
    }
}

/// An ordered list of attributes with distinct names.
///
/// Order is kept and counts in comparisons. Look-up is linear: attributes are few.
#[doc(alias = "extensions")]
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Attributes(Vec<(Arc<str>, AttributeValue)>);

impl Attributes {
    /// No attributes.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// These attributes, whose names the caller has seen to be distinct: without looking each up among all others.
    pub(crate) fn from_distinct(attributes: Vec<(Arc<str>, AttributeValue)>) -> Self {
        Self(attributes)
    }

    /// Sets an attribute: in place if the name is there, else at the end.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds an attribute at the end, and replaces none.
    ///
    /// # Errors
    /// [`AttributeFault::Repeated`](crate::AttributeFault::Repeated) when there is one of this name, which stays as it is.
    pub fn insert(
        &mut self,
        name: impl Into<Arc<str>>,
        value: impl Into<AttributeValue>,
    ) -> Result<(), super::cloud_event::AttributeFault> {
        let name = name.into();
        if self.get(&name).is_some() {
            return Err(super::cloud_event::AttributeFault::Repeated { name });
        }
        self.0.push((name, value.into()));
        Ok(())
    }

    /// [`Attributes::set`], for building.
    #[must_use]
    pub fn with(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.set(name, value);
        self
    }

    /// The value of the attribute of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Arc<str>>, V: Into<AttributeValue>> FromIterator<(N, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut attributes = Self::new();
        for (name, value) in pairs {
            attributes.set(name, value);
        }
        attributes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_a_repeated_name_replaces_in_place() {
        let attributes = Attributes::new().with("b", 1).with("a", true).with("b", "two");
        let names: Vec<&str> = attributes.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(attributes.get("b"), Some(&AttributeValue::from("two")));
        assert_ne!(attributes, Attributes::new().with("a", true).with("b", "two"));
    }

    #[test]
    fn inserting_replaces_nothing() {
        let mut attributes = Attributes::new().with("b", 1);
        assert!(attributes.insert("a", true).is_ok());
        assert_eq!(attributes.insert("b", 2).unwrap_err().to_string(), "the attribute \"b\" is there twice");
        assert_eq!(attributes, Attributes::new().with("b", 1).with("a", true));
    }
}
