//! Limits: what there may be too much of, and the error that says so.

use std::fmt;

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitedThing {
    /// Bytes of a category's name.
    CategoryName,
    /// Bytes of a stream's name.
    StreamName,
    /// Bytes of an event's name.
    EventName,
    /// Bytes of an event's id.
    EventId,
    /// Bytes of a content type.
    ContentType,
    /// Bytes of a schema's URI.
    Schema,
    /// Bytes of a payload.
    Payload,
    /// Bytes of an event's metadata.
    Metadata,
    /// Number of attributes of an event or transaction.
    Attributes,
    /// Bytes of an attribute's name.
    AttributeName,
    /// Bytes of an attribute's value.
    AttributeValue,
    /// Bytes of a transaction's id.
    TransactionId,
    /// Number of events of a transaction.
    TransactionEvents,
    /// Bytes of a transaction as stored.
    TransactionBytes,
    /// Bytes of a system record's namespace and key.
    RecordKey,
    /// Bytes of a system record's value.
    RecordValue,
    /// Events of the log: sequence numbers run out.
    LogEvents,
    /// Nodes of a selector: comparisons, ANDs and ORs together.
    SelectorNodes,
    /// Levels of a selector: ANDs and ORs within each other, and the comparison inside.
    SelectorDepth,
    /// Bytes of all texts that a selector compares with.
    SelectorBytes,
}

impl fmt::Display for LimitedThing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CategoryName => "bytes of category name",
            Self::StreamName => "bytes of stream name",
            Self::EventName => "bytes of event name",
            Self::EventId => "bytes of event id",
            Self::ContentType => "bytes of content type",
            Self::Schema => "bytes of schema URI",
            Self::Payload => "bytes of payload",
            Self::Metadata => "bytes of metadata",
            Self::Attributes => "attributes",
            Self::AttributeName => "bytes of attribute name",
            Self::AttributeValue => "bytes of attribute value",
            Self::TransactionId => "bytes of transaction id",
            Self::TransactionEvents => "events in a transaction",
            Self::TransactionBytes => "bytes in a transaction",
            Self::RecordKey => "bytes of system record namespace and key",
            Self::RecordValue => "bytes of system record value",
            Self::LogEvents => "events in the log",
            Self::SelectorNodes => "nodes in a selector",
            Self::SelectorDepth => "levels in a selector",
            Self::SelectorBytes => "bytes of text in a selector",
        })
    }
}

/// A limit that an append or a selector exceeds. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many {thing}: {actual}, at most {limit} allowed")]
#[non_exhaustive]
pub struct LimitExceeded {
    /// What there is too much of.
    pub thing: LimitedThing,
    /// How much there is.
    pub actual: u64,
    /// How much there may be.
    pub limit: u64,
}

impl LimitExceeded {
    pub(crate) fn check(thing: LimitedThing, actual: usize, limit: usize) -> Result<(), Self> {
        if actual > limit {
            return Err(Self { thing, actual: actual as u64, limit: limit as u64 });
        }
        Ok(())
    }
}
