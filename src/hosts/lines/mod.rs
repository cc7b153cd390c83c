//! Events as JSON lines: what `stratalog import` reads and `stratalog export` writes, one event a line.
//!
//! | field | meaning |
//! |---|---|
//! | `transaction` | the transaction's id; consecutive lines of one id are one append |
//! | `group` | a number, on lines without `transaction` alone: consecutive lines of one group are one append without an id |
//! | `transaction_attributes` | the transaction's attributes, on its first line |
//! | `category`, `stream`, `name` | text; every line has them |
//! | `payload` | any JSON value, kept as it is to the byte |
//! | `payload_text` | or a payload of text that is not JSON |
//! | `payload_base64` | or a payload of bytes |
//! | `payload_json` | or JSON text in a string, where it cannot stand in a line as it is (line breaks) |
//! | `payload_messagepack` | or MessagePack in base64; `payload` beside it is its JSON form, and must agree |
//! | `content_type`, `schema`, `schema_version` | what the producer said of the payload |
//! | `id` | the event's id, if the producer gave it |
//! | `occurred_at`, `observed_at` | RFC 3339, if the producer gave them |
//! | `attributes` | an array of `{"name": …, "value": …}` in order, with a `"type"` where JSON has none of its own |
//! | `metadata` | bytes in base64 |
//!
//! An attribute's `type` is `bytes` (base64), `uri`, `uri_reference` or `time`; booleans, integers and strings have none.
//!
//! A line without `transaction` and `group` is an append of its own. Unknown fields are refused, never dropped.
//!
//! What the store made up by itself (ids and times that the producer left out, numbers, recorded times) is not written, so
//! that a line read back is the same submission: its transaction has the same digest. System records are no events: they are
//! not written either.

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod fuzz;
mod parse;
mod write;

pub use parse::parse;
pub use write::{Form, write, write_transaction};

use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::event::NewEvent;

/// One line, read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Which transaction the event belongs to.
    pub key: TransactionKey,
    /// The transaction's attributes, if the line states them.
    pub transaction_attributes: Option<Attributes>,
    /// The category.
    pub category: String,
    /// The stream within the category.
    pub stream: String,
    /// The event.
    pub event: NewEvent,
}

/// Which transaction a line belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionKey {
    /// The transaction of this id.
    Id(String),
    /// A transaction without an id, which consecutive lines of this number share.
    Group(u64),
    /// A transaction without an id that holds this event alone.
    Single,
}

impl TransactionKey {
    /// Whether a line of this key goes on with the transaction of the line before it.
    #[must_use]
    pub fn continues(&self, before: &TransactionKey) -> bool {
        !matches!(self, Self::Single) && self == before
    }
}

/// A line that is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line is not one JSON object.
    #[error("not a JSON object: {reason}: {given}")]
    NotAnObject {
        /// The JSON reader's words.
        reason: String,
        /// The start of the line.
        given: String,
    },
    /// A field that every line needs is not there.
    #[error("the field {field:?} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field that no line has.
    #[error("unknown field {field:?} with value {value}")]
    Unknown {
        /// The field.
        field: String,
        /// The start of its value, as JSON.
        value: String,
    },
    /// A field is there twice.
    #[error("the field {field:?} is there twice; the second time with value {value}")]
    Twice {
        /// The field.
        field: String,
        /// The start of its second value, as JSON.
        value: String,
    },
    /// A field's value is not what it must be.
    #[error("field {field:?} with value {value}: {reason}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// The start of its value, as JSON.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two fields that exclude each other.
    #[error("the fields {first:?} and {second:?} exclude each other")]
    Exclusive {
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

/// The start of a text, for an error message.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
