//! The nodes that a selector's flat form is made of, and what they compare.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What of an event a selector compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventField {
    /// The name of the category.
    Category,
    /// The name of the stream; empty where the event has none.
    #[doc(alias = "subject")]
    Stream,
    /// The event's name.
    #[doc(alias = "event_type")]
    Name,
}

impl EventField {
    /// The field in one word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Stream => "stream",
            Self::Name => "name",
        }
    }
}

impl fmt::Display for EventField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A field of events with what to compare it with: a text, or in a [`SelectorTemplate`](crate::SelectorTemplate) an
/// [`Operand`](crate::Operand).
///
/// As JSON: `{"category":"accounts"}`.
#[doc(alias = "EventAttribute")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum FieldValue<V = Arc<str>> {
    /// The name of the category.
    Category(V),
    /// The name of the stream; the empty one stands for "no stream".
    Stream(V),
    /// The event's name.
    Name(V),
}

impl<V> FieldValue<V> {
    /// Which field.
    #[must_use]
    pub const fn field(&self) -> EventField {
        match self {
            Self::Category(_) => EventField::Category,
            Self::Stream(_) => EventField::Stream,
            Self::Name(_) => EventField::Name,
        }
    }

    /// What it is compared with.
    #[must_use]
    pub const fn value(&self) -> &V {
        match self {
            Self::Category(value) | Self::Stream(value) | Self::Name(value) => value,
        }
    }

    /// The same field with another value.
    pub(crate) fn map<W>(&self, value: W) -> FieldValue<W> {
        match self {
            Self::Category(_) => FieldValue::Category(value),
            Self::Stream(_) => FieldValue::Stream(value),
            Self::Name(_) => FieldValue::Name(value),
        }
    }
}

impl FieldValue {
    /// This category.
    #[must_use]
    pub fn category(name: impl Into<Arc<str>>) -> Self {
        Self::Category(name.into())
    }

    /// This stream.
    #[must_use]
    pub fn stream(name: impl Into<Arc<str>>) -> Self {
        Self::Stream(name.into())
    }

    /// No stream, which is the stream named "".
    #[must_use]
    pub fn no_stream() -> Self {
        Self::Stream("".into())
    }

    /// This name of an event.
    #[must_use]
    pub fn name(name: impl Into<Arc<str>>) -> Self {
        Self::Name(name.into())
    }
}

/// One node of a selector's flat form: a comparison, or two nodes before it by their places in the list.
///
/// As JSON: `{"equals":{"category":"accounts"}}`, `{"startsWith":{"name":"money-"}}`, `{"and":[0,1]}`, `{"or":[0,1]}`.
#[doc(alias = "EventSelectorNode")]
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SelectorNode<V = Arc<str>> {
    /// The field is this text, byte by byte.
    Equals(FieldValue<V>),
    /// The field begins with this text, byte by byte. No text is the beginning of every category and name, and of every stream
    /// but the one named "", which stands for "no stream".
    StartsWith(FieldValue<V>),
    /// Both match.
    And(u32, u32),
    /// One of the two matches, or both.
    Or(u32, u32),
}

impl<V> SelectorNode<V> {
    /// The two nodes that it joins, if it does.
    pub(crate) const fn joined(&self) -> Option<(u32, u32)> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => Some((*left, *right)),
            Self::Equals(_) | Self::StartsWith(_) => None,
        }
    }

    /// What it compares, if it does.
    pub(crate) const fn compared(&self) -> Option<&FieldValue<V>> {
        match self {
            Self::Equals(value) | Self::StartsWith(value) => Some(value),
            Self::And(..) | Self::Or(..) => None,
        }
    }
}
