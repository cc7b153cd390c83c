//! Stored events on their way out, owned or borrowed.

pub use super::id::EventId;
pub(crate) use super::id::IdRepr;
pub use super::new_event::NewEvent;

use super::attributes::Attributes;
use super::identifier::Stream;
use super::made_id::IdSeed;
use super::moment::Moment;
use super::number::{Position, Revision, SequenceNumber};
use super::payload::{PayloadError, PayloadKind, PayloadRef};
use super::time::Timestamp;
use bytes::Bytes;
use serde::de::{Deserialize, DeserializeOwned};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A run of bytes within an event's buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn of(self, data: &[u8]) -> &[u8] {
        data.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    #[inline]
    fn text(self, data: &[u8]) -> &str {
        // Checked when the event was decoded. Mapped bytes are read again here, so they are checked again.
        std::str::from_utf8(self.of(data)).unwrap_or_default()
    }
}

/// Which of an event's fields the producer gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) id: bool,
    pub(crate) observed_at: bool,
    pub(crate) occurred_at: bool,
}

/// Where a stored event's fields lie in its buffer, and those that are numbers.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) id: IdPart,
    pub(crate) category: Span,
    pub(crate) stream: Span,
    pub(crate) name: Span,
    pub(crate) payload: Span,
    pub(crate) payload_kind: PayloadKind,
    pub(crate) schema_version: Option<u32>,
    pub(crate) content_type: Option<Span>,
    pub(crate) schema: Option<Span>,
    pub(crate) metadata: Option<Span>,
    pub(crate) attributes: Option<Arc<Attributes>>,
    /// Whether any of the five before may be there: mostly none is, and none need be taken away.
    pub(crate) has_extras: bool,
    pub(crate) position: u64,
    pub(crate) sequence_number: u64,
    pub(crate) observed_at: Moment,
    /// After the time observed.
    pub(crate) occurred_at: Moment,
    pub(crate) given: Given,
    pub(crate) transaction: TransactionPart,
}

impl Parts {
    /// Takes away what most events do not have.
    #[cold]
    pub(crate) fn drop_extras(&mut self) {
        (self.schema_version, self.content_type, self.schema, self.metadata) = (None, None, None, None);
        (self.attributes, self.has_extras) = (None, false);
    }
}

impl Default for Parts {
    /// Of an event that is still to be read.
    fn default() -> Self {
        Self {
            id: IdPart::Uuid([0; 16]),
            category: Span::default(),
            stream: Span::default(),
            name: Span::default(),
            payload: Span::default(),
            payload_kind: PayloadKind::None,
            schema_version: None,
            content_type: None,
            schema: None,
            metadata: None,
            attributes: None,
            has_extras: false,
            position: 0,
            sequence_number: 0,
            observed_at: Moment::After(0),
            occurred_at: Moment::After(0),
            given: Given::default(),
            transaction: TransactionPart { id: None, first: 0, count: 0, recorded_at: Timestamp::UNIX_EPOCH },
        }
    }
}

/// What an event knows of its transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransactionPart {
    pub(crate) id: Option<Span>,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) recorded_at: Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum IdPart {
    Uuid([u8; 16]),
    /// The store's own, made again when it is asked for: mostly it is not.
    Made(IdSeed),
    Text(Span),
}

/// A stored event, borrowed: what [`visit`](crate::Scan::visit) lends. Copies nothing; decodes what is asked for.
#[derive(Clone)]
pub struct EventRef<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) parts: Parts,
}

/// A stored event, owned. Cloning is cheap: it shares its bytes.
///
/// An event read from a log on disk shares the mapped segment and keeps it mapped; [`StoredEvent::detach`] copies it out.
#[derive(Clone)]
pub struct StoredEvent {
    pub(crate) data: Bytes,
    pub(crate) parts: Parts,
}

/// The empty list that events without attributes share.
static NO_ATTRIBUTES: Attributes = Attributes::new();

/// What is said of a payload, which mostly is nothing: content type, schema, version of the schema.
#[cold]
fn described<'a>(parts: &Parts, data: &'a [u8]) -> (Option<&'a str>, Option<&'a str>, Option<u32>) {
    (parts.content_type.map(|span| span.text(data)), parts.schema.map(|span| span.text(data)), parts.schema_version)
}

macro_rules! accessors {
    ($life:lifetime, $self:ident, $data:expr) => {
        /// The event's id: the producer's, or the one the store made (UUID v7).
        #[must_use]
        pub fn id(&$self) -> EventId {
            match $self.parts.id {
                IdPart::Uuid(bytes) => EventId(IdRepr::Uuid(bytes)),
                IdPart::Made(seed) => {
                    EventId(IdRepr::Uuid(seed.make($self.parts.sequence_number, $self.recorded_at())))
                }
                IdPart::Text(span) => EventId::new(span.text($data)),
            }
        }

        /// The event's name, such as `order-placed`. Does not touch the payload.
        #[doc(alias = "event_type")]
        #[must_use]
        #[inline]
        pub fn name(&$self) -> &$life str {
            $self.parts.name.text($data)
        }

        /// The name of the category.
        #[must_use]
        #[inline]
        pub fn category(&$self) -> &$life str {
            $self.parts.category.text($data)
        }

        /// The name of the stream within its category.
        #[doc(alias = "subject")]
        #[must_use]
        #[inline]
        pub fn stream(&$self) -> &$life str {
            $self.parts.stream.text($data)
        }

        /// The stream's identifier.
        #[must_use]
        pub fn stream_id(&$self) -> Stream {
            Stream::new($self.category(), $self.stream())
        }

        /// The place in the stream.
        #[must_use]
        #[inline]
        pub fn position(&$self) -> Position {
            Position::new($self.parts.position)
        }

        /// The place in the log.
        #[must_use]
        #[inline]
        pub fn sequence_number(&$self) -> SequenceNumber {
            SequenceNumber::new($self.parts.sequence_number)
        }

        /// The revision of the log right after this event: one more than its sequence number.
        #[must_use]
        #[inline]
        pub fn revision(&$self) -> Revision {
            Revision::new($self.parts.sequence_number + 1)
        }

        /// When it happened.
        #[must_use]
        pub fn occurred_at(&$self) -> Timestamp {
            $self.parts.occurred_at.from($self.observed_at())
        }

        /// When the producer learned of it.
        #[must_use]
        pub fn observed_at(&$self) -> Timestamp {
            $self.parts.observed_at.from($self.recorded_at())
        }

        /// When the log took it. Never goes backwards along the log.
        #[must_use]
        pub fn recorded_at(&$self) -> Timestamp {
            $self.parts.transaction.recorded_at
        }

        /// The payload, not decoded.
        #[must_use]
        #[inline]
        pub fn payload(&$self) -> PayloadRef<$life> {
            let (content_type, schema, schema_version) =
                if $self.parts.has_extras { described(&$self.parts, $data) } else { (None, None, None) };
            let (kind, bytes) = ($self.parts.payload_kind, $self.parts.payload.of($data));
            PayloadRef { kind, bytes, content_type, schema, schema_version }
        }

        /// The attributes in the producer's order.
        #[must_use]
        pub fn attributes(&$self) -> &Attributes {
            $self.parts.attributes.as_deref().unwrap_or(&NO_ATTRIBUTES)
        }

        /// The metadata, if the producer attached any; empty is not absent.
        #[must_use]
        #[inline]
        pub fn metadata(&$self) -> Option<&$life [u8]> {
            $self.parts.metadata.map(|span| span.of($data))
        }

        /// The id of the transaction that brought the event, if it had one.
        #[must_use]
        pub fn transaction_id(&$self) -> Option<&$life str> {
            $self.parts.transaction.id.map(|span| span.text($data))
        }

        /// The revision of the log right after the event's whole transaction.
        #[must_use]
        pub fn transaction_revision(&$self) -> Revision {
            Revision::new($self.parts.transaction.first + u64::from($self.parts.transaction.count))
        }

        /// The revision of the log right before the event's transaction.
        #[must_use]
        pub fn transaction_basis(&$self) -> Revision {
            Revision::new($self.parts.transaction.first)
        }

        /// Whether the producer gave the id; else the store made it.
        #[must_use]
        pub fn has_given_id(&$self) -> bool {
            $self.parts.given.id
        }

        /// Whether the producer gave the time of observation.
        #[must_use]
        pub fn has_given_observed_at(&$self) -> bool {
            $self.parts.given.observed_at
        }

        /// Whether the producer gave the time of occurrence.
        #[must_use]
        pub fn has_given_occurred_at(&$self) -> bool {
            $self.parts.given.occurred_at
        }
    };
}

impl<'a> EventRef<'a> {
    accessors!('a, self, self.data);

    /// Reads the payload as a `T`, which may borrow from the event.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when the bytes are not a `T`.
    pub fn decode<T: Deserialize<'a>>(&self) -> Result<T, PayloadError> {
        self.payload().decode()
    }

    /// An owned copy.
    #[must_use]
    pub fn to_stored(&self) -> StoredEvent {
        StoredEvent::from_fields(EventFields::of(self))
    }
}

impl StoredEvent {
    accessors!('_, self, &self.data);

    /// Reads the payload as a `T`.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when the bytes are not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.payload().decode()
    }

    /// The payload's bytes, sharing the event's memory.
    #[must_use]
    pub fn payload_bytes(&self) -> Bytes {
        let span = self.parts.payload;
        self.data.slice(span.start as usize..span.end as usize)
    }

    /// The event, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> EventRef<'_> {
        EventRef { data: &self.data, parts: self.parts.clone() }
    }

    /// The same event with its own copy of its bytes, so that it keeps no segment mapped.
    #[must_use]
    pub fn detach(&self) -> StoredEvent {
        self.as_ref().to_stored()
    }

    /// Builds an event from its fields: one buffer for all that is text or bytes.
    pub(crate) fn from_fields(fields: EventFields<'_>) -> StoredEvent {
        let payload = fields.payload;
        let mut buffer = Packer(Vec::with_capacity(
            fields.category.len() + fields.stream.len() + fields.name.len() + payload.bytes.len() + 64,
        ));
        let id = match &fields.id.0 {
            IdRepr::Uuid(bytes) => IdPart::Uuid(*bytes),
            IdRepr::Text(text) => IdPart::Text(buffer.put(text.as_bytes())),
        };
        let parts = Parts {
            id,
            category: buffer.put(fields.category.as_bytes()),
            stream: buffer.put(fields.stream.as_bytes()),
            name: buffer.put(fields.name.as_bytes()),
            payload: buffer.put(payload.bytes),
            payload_kind: payload.kind,
            schema_version: payload.schema_version,
            content_type: payload.content_type.map(|text| buffer.put(text.as_bytes())),
            schema: payload.schema.map(|text| buffer.put(text.as_bytes())),
            metadata: fields.metadata.map(|bytes| buffer.put(bytes)),
            attributes: fields.attributes,
            has_extras: true,
            position: fields.position,
            sequence_number: fields.sequence_number,
            observed_at: Moment::At(fields.observed_at),
            occurred_at: Moment::At(fields.occurred_at),
            given: fields.given,
            transaction: TransactionPart {
                id: fields.transaction_id.map(|text| buffer.put(text.as_bytes())),
                first: fields.transaction_first,
                count: fields.transaction_count,
                recorded_at: fields.recorded_at,
            },
        };
        StoredEvent { data: Bytes::from(buffer.0), parts }
    }
}

/// Appends runs to a buffer and says where they lie.
struct Packer(Vec<u8>);

impl Packer {
    fn put(&mut self, bytes: &[u8]) -> Span {
        // An event's fields are limited to far less than 4 GiB together; beyond that the span is empty, never wrong.
        let start = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(bytes);
        Span { start, end: u32::try_from(self.0.len()).unwrap_or(start) }
    }
}

/// All fields of a stored event, for building one.
#[derive(Debug, Clone)]
pub(crate) struct EventFields<'a> {
    pub(crate) id: EventId,
    pub(crate) category: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) name: &'a str,
    pub(crate) payload: PayloadRef<'a>,
    pub(crate) metadata: Option<&'a [u8]>,
    pub(crate) attributes: Option<Arc<Attributes>>,
    pub(crate) position: u64,
    pub(crate) sequence_number: u64,
    pub(crate) observed_at: Timestamp,
    pub(crate) occurred_at: Timestamp,
    pub(crate) recorded_at: Timestamp,
    pub(crate) given: Given,
    pub(crate) transaction_id: Option<&'a str>,
    pub(crate) transaction_first: u64,
    pub(crate) transaction_count: u32,
}

impl<'a> EventFields<'a> {
    /// The fields of an event that is there.
    pub(crate) fn of(event: &EventRef<'a>) -> Self {
        Self {
            id: event.id(),
            category: event.category(),
            stream: event.stream(),
            name: event.name(),
            payload: event.payload(),
            metadata: event.metadata(),
            attributes: event.parts.attributes.clone(),
            position: event.parts.position,
            sequence_number: event.parts.sequence_number,
            observed_at: event.observed_at(),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
            given: event.parts.given,
            transaction_id: event.transaction_id(),
            transaction_first: event.parts.transaction.first,
            transaction_count: event.parts.transaction.count,
        }
    }
}

/// Events are equal when all that describes them is: every field of theirs, but not which of them were defaults, nor their
/// transaction's extent.
impl PartialEq for EventRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.parts.sequence_number == other.parts.sequence_number
            && self.parts.position == other.parts.position
            && self.id() == other.id()
            && self.name() == other.name()
            && self.category() == other.category()
            && self.stream() == other.stream()
            && self.payload() == other.payload()
            && self.occurred_at() == other.occurred_at()
            && self.observed_at() == other.observed_at()
            && self.recorded_at() == other.recorded_at()
            && self.attributes() == other.attributes()
            && self.metadata() == other.metadata()
            && self.transaction_id() == other.transaction_id()
    }
}

impl Eq for EventRef<'_> {}

impl PartialEq for StoredEvent {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for StoredEvent {}

impl Hash for StoredEvent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.id(), self.name(), self.category(), self.stream()).hash(state);
        (self.position(), self.sequence_number(), self.payload()).hash(state);
        (self.occurred_at(), self.observed_at(), self.recorded_at()).hash(state);
        (self.attributes(), self.metadata(), self.transaction_id()).hash(state);
    }
}

impl fmt::Debug for EventRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredEvent")
            .field("id", &self.id())
            .field("name", &self.name())
            .field("stream", &self.stream())
            .field("category", &self.category())
            .field("position", &self.position())
            .field("sequence_number", &self.sequence_number())
            .field("payload", &self.payload())
            .field("attributes", self.attributes())
            .field("metadata", &self.metadata())
            .field("observed_at", &self.observed_at())
            .field("occurred_at", &self.occurred_at())
            .field("recorded_at", &self.recorded_at())
            .field("transaction_id", &self.transaction_id())
            .finish()
    }
}

impl fmt::Debug for StoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_ref(), f)
    }
}
