//! Selectors: which events are meant, by category, stream and name.

mod error;
mod node;
mod template;
mod tree;
mod wire;

pub use error::{BindError, SelectorError};
pub use node::{EventField, FieldValue, SelectorNode};
pub use template::{Operand, SelectorTemplate, parameter};

use super::event::{EventRef, StoredEvent};
use super::identifier::{Category, Stream};
use super::limit::LimitExceeded;
use super::strict;
use std::fmt;
use std::ops::{BitAnd, BitOr};
use std::sync::Arc;
use tree::{Tree, Value};

/// How many nodes a selector may have.
const MAX_NODES: usize = 4_096;

/// How many levels a selector may have: as deep as whoever walks it by calling itself can go, on a thread of any common size.
const MAX_DEPTH: usize = 1_024;

/// How many bytes all texts of a selector may have together.
const MAX_BYTES: usize = 1 << 20;

/// Which events are meant: comparisons of category, stream and name, joined by AND and OR.
///
/// A text is compared byte by byte, with all of a name or with its beginning. Any text can be compared with. An event without a
/// stream is one of the stream named "": [`Selector::no_stream`] selects it, and no prefix of a stream does.
///
/// Equality is structural: `a & b` differs from `b & a`, though both select the same. Cloning is cheap.
///
/// ```
/// use stratalog::{EventNames, Selector};
///
/// let deposits = Selector::category("accounts") & Selector::name("money-deposited");
/// let either = deposits.or(Selector::stream_prefix("audit-"));
/// assert!(either.matches(&EventNames::new("accounts", "acc-42", "money-deposited")));
/// assert!(!either.matches(&EventNames::new("accounts", "acc-42", "account-opened")));
/// assert!(either.matches(&EventNames::new("reports", "audit-2024", "account-opened")));
/// assert_eq!(
///     either.to_string(),
///     r#"(category is "accounts" and name is "money-deposited") or stream starts with "audit-""#,
/// );
/// ```
///
/// Many alternatives are joined by [`Iterator::reduce`]:
///
/// ```
/// # use stratalog::{EventNames, Selector};
/// let moved = ["money-deposited", "money-withdrawn"].into_iter().map(Selector::name).reduce(Selector::or);
/// assert!(moved.is_some_and(|moved| moved.matches(&EventNames::new("accounts", "acc-42", "money-withdrawn"))));
/// ```
///
/// # Limits
///
/// At most 4,096 nodes, 1,024 levels and 1 MiB of text, also from outside. What was built beyond that is refused where it is
/// used; [`Selector::check`] says so before. Building costs a copy of the nodes for each AND and OR.
///
/// # JSON
///
/// The list of nodes of [`Selector::nodes`]:
/// `[{"equals":{"category":"accounts"}},{"startsWith":{"name":"money-"}},{"and":[0,1]}]`.
#[doc(alias = "EventSelector")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Selector(Tree<Arc<str>>);

/// Builders and the flat form, which selectors and templates have alike.
macro_rules! face {
    ($name:ident, $value:ty) => {
        impl $name {
            /// Events of this category.
            #[must_use]
            pub fn category(name: impl Into<$value>) -> Self {
                Self(Tree::leaf(SelectorNode::Equals(FieldValue::Category(name.into()))))
            }

            /// Events of categories whose names begin so.
            #[must_use]
            pub fn category_prefix(prefix: impl Into<$value>) -> Self {
                Self(Tree::leaf(SelectorNode::StartsWith(FieldValue::Category(prefix.into()))))
            }

            /// Events of the streams of this name, in any category. The empty name is [no stream](Self::no_stream).
            #[doc(alias = "subject")]
            #[must_use]
            pub fn stream(name: impl Into<$value>) -> Self {
                Self(Tree::leaf(SelectorNode::Equals(FieldValue::Stream(name.into()))))
            }

            /// Events without a stream, which are those of the streams named "", in any category.
            #[must_use]
            pub fn no_stream() -> Self {
                Self(Tree::leaf(SelectorNode::Equals(FieldValue::Stream("".into()))))
            }

            /// Events of streams whose names begin so, in any category; never those without a stream, not even for an empty
            /// prefix.
            #[must_use]
            pub fn stream_prefix(prefix: impl Into<$value>) -> Self {
                Self(Tree::leaf(SelectorNode::StartsWith(FieldValue::Stream(prefix.into()))))
            }

            /// Events of this name.
            #[doc(alias = "event_type")]
            #[must_use]
            pub fn name(name: impl Into<$value>) -> Self {
                Self(Tree::leaf(SelectorNode::Equals(FieldValue::Name(name.into()))))
            }

            /// Events whose names begin so.
            #[must_use]
            pub fn name_prefix(prefix: impl Into<$value>) -> Self {
                Self(Tree::leaf(SelectorNode::StartsWith(FieldValue::Name(prefix.into()))))
            }

            /// Events that both select. The same as `&`.
            #[must_use]
            pub fn and(self, other: impl Into<Self>) -> Self {
                Self(self.0.join(&other.into().0, SelectorNode::And))
            }

            /// Events that one of the two selects, or both. The same as `|`.
            #[must_use]
            pub fn or(self, other: impl Into<Self>) -> Self {
                Self(self.0.join(&other.into().0, SelectorNode::Or))
            }

            /// The flat form: the nodes in post-order, children before parents and left before right, the root last. Nothing is
            /// shared, so equal selectors have equal lists.
            #[must_use]
            pub fn nodes(&self) -> &[SelectorNode<$value>] {
                self.0.nodes()
            }

            /// Reads a flat form: any list in which every node stands behind those it joins. What several nodes join is read as
            /// often as it is used; what the last node does not reach is accepted and left out. Any text is accepted.
            ///
            /// # Errors
            /// [`SelectorError::Empty`], [`SelectorError::ForwardReference`], or [`SelectorError::Limit`]: of the list, and of
            /// what is left when nothing is shared.
            pub fn from_nodes(nodes: &[SelectorNode<$value>]) -> Result<Self, SelectorError> {
                Tree::from_nodes(nodes).map(Self)
            }

            /// Reads a flat form as [`from_nodes`](Self::from_nodes) does, and refuses what cannot be the name of an event
            /// that the database API wrote. Prefixes may be any text but the empty one.
            ///
            /// # Errors
            /// The same, and [`SelectorError::InvalidName`], also for nodes that are not reached.
            pub fn from_strict_nodes(nodes: &[SelectorNode<$value>]) -> Result<Self, SelectorError> {
                let selector = Self::from_nodes(nodes)?;
                for (index, node) in nodes.iter().enumerate() {
                    check_strict(node).map_err(|source| SelectorError::InvalidName { node: index, source })?;
                }
                Ok(selector)
            }
        }

        impl BitAnd for $name {
            type Output = Self;

            fn bitand(self, other: Self) -> Self {
                self.and(other)
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.or(other)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}
use face;

face!(Selector, Arc<str>);

impl Selector {
    /// Whether it selects the event.
    #[must_use]
    #[inline]
    pub fn matches(&self, event: &impl Selectable) -> bool {
        self.0.judge(|node| match node {
            SelectorNode::Equals(value) => event.field(value.field()) == &**value.value(),
            // An event without a stream has no stream that could begin with anything.
            SelectorNode::StartsWith(FieldValue::Stream(prefix)) => {
                let stream = event.field(EventField::Stream);
                !stream.is_empty() && stream.as_bytes().starts_with(prefix.as_bytes())
            }
            SelectorNode::StartsWith(value) => {
                event.field(value.field()).as_bytes().starts_with(value.value().as_bytes())
            }
            SelectorNode::And(..) | SelectorNode::Or(..) => false,
        })
    }

    /// The category and the stream that it names, if it is one of each and no more.
    pub(crate) fn names_stream(&self) -> Option<(&str, &str)> {
        use {
            FieldValue::{Category, Stream},
            SelectorNode::{And, Equals},
        };
        match self.nodes() {
            [Equals(Category(category)), Equals(Stream(stream)), And(..)]
            | [Equals(Stream(stream)), Equals(Category(category)), And(..)] => Some((category, stream)),
            _ => None,
        }
    }

    /// Whether it keeps the limits. Whoever takes a selector asks.
    ///
    /// # Errors
    /// What there is too much of.
    pub fn check(&self) -> Result<(), LimitExceeded> {
        self.0.check()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, |f, node| write_comparison(f, node, |f, text| write!(f, "{text:?}")))
    }
}

impl From<Category> for Selector {
    fn from(category: Category) -> Self {
        Self::category(category.category())
    }
}

impl From<Stream> for Selector {
    fn from(stream: Stream) -> Self {
        Self::category(stream.category()).and(Self::stream(stream.stream()))
    }
}

/// Writes a comparison as a sentence.
fn write_comparison<V: Value>(
    f: &mut fmt::Formatter<'_>,
    node: &SelectorNode<V>,
    value: impl Fn(&mut fmt::Formatter<'_>, &V) -> fmt::Result,
) -> fmt::Result {
    match node {
        SelectorNode::Equals(FieldValue::Stream(none)) if none.text() == Some("") => f.write_str("no stream"),
        SelectorNode::Equals(field) => {
            write!(f, "{} is ", field.field())?;
            value(f, field.value())
        }
        SelectorNode::StartsWith(field) => {
            write!(f, "{} starts with ", field.field())?;
            value(f, field.value())
        }
        SelectorNode::And(..) | SelectorNode::Or(..) => Ok(()),
    }
}

/// Checks what a node compares with against EvidentSource's rules. What is still to be bound is checked when it is.
fn check_strict(node: &SelectorNode<impl Value>) -> Result<(), strict::InvalidName> {
    match node {
        SelectorNode::Equals(field) => match (field.field(), field.value().text()) {
            (_, None) | (EventField::Stream, Some("")) => Ok(()),
            (EventField::Category, Some(name)) => strict::identifier("category", name),
            (EventField::Stream, Some(name)) => strict::text("stream", name),
            (EventField::Name, Some(name)) => strict::text("event", name),
        },
        SelectorNode::StartsWith(field) => {
            field.value().text().map_or(Ok(()), |prefix| strict::prefix(field.field().word(), prefix))
        }
        SelectorNode::And(..) | SelectorNode::Or(..) => Ok(()),
    }
}

/// What a selector can be asked about: an event, or its names. For the library's own types.
pub trait Selectable: sealed::Sealed {
    /// What stands in this field.
    fn field(&self, field: EventField) -> &str;
}

pub(crate) mod sealed {
    /// Keeps others from implementing a trait that may still grow.
    pub trait Sealed {}
}

/// The names of an event that selectors look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct EventNames<'a> {
    /// The name of the category.
    pub category: &'a str,
    /// The name of the stream; empty where there is none.
    pub stream: &'a str,
    /// The event's name.
    pub name: &'a str,
}

impl<'a> EventNames<'a> {
    /// These names.
    #[must_use]
    pub const fn new(category: &'a str, stream: &'a str, name: &'a str) -> Self {
        Self { category, stream, name }
    }
}

impl sealed::Sealed for EventNames<'_> {}

impl Selectable for EventNames<'_> {
    fn field(&self, field: EventField) -> &str {
        match field {
            EventField::Category => self.category,
            EventField::Stream => self.stream,
            EventField::Name => self.name,
        }
    }
}

/// For events that have the three names.
macro_rules! selectable {
    ($($event:ty),*) => {$(
        impl $crate::vocabulary::selector::sealed::Sealed for $event {}

        impl $crate::vocabulary::selector::Selectable for $event {
            #[inline]
            fn field(&self, field: $crate::vocabulary::selector::EventField) -> &str {
                match field {
                    $crate::vocabulary::selector::EventField::Category => self.category(),
                    $crate::vocabulary::selector::EventField::Stream => self.stream(),
                    $crate::vocabulary::selector::EventField::Name => self.name(),
                }
            }
        }
    )*};
}

pub(crate) use selectable;

selectable!(EventRef<'_>, StoredEvent);

#[cfg(test)]
mod tests;
