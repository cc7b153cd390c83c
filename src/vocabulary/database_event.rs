//! Events as a database gives them, stored or speculated: with the source that CloudEvents wants.

use super::attributes::{AttributeValue, Attributes};
use super::cloud_event::{self, AttributeFault, CloudEvent, CloudEventError, DatabaseSource, RECORDED_TIME, SEQUENCE};
use super::event::{EventFields, EventId, EventRef, Given, StoredEvent};
use super::identifier::Stream;
use super::number::Revision;
use super::payload::{Payload, PayloadError, PayloadRef};
use super::strict;
use super::time::Timestamp;
use serde::de::DeserializeOwned;
use std::fmt;
use std::sync::Arc;

/// An event of a database, stored or speculated. Cloning is cheap: it shares its bytes.
///
/// As a [`CloudEvent`] its source is a URI, and two attributes are added that nobody else may set: `sequence`, its revision as
/// decimal text, and `recordedtime`, when the log took it.
///
/// ```
/// use stratalog::{CloudEvent, Event};
///
/// # fn main() -> Result<(), stratalog::CloudEventError> {
/// let json = r#"{"specversion":"1.0","id":"e-1","source":"https://events.example/db/bank/streams/accounts","type":"opened",
///     "subject":"acc-42","time":"2024-01-01T00:00:00Z","sequence":"7","recordedtime":"2024-01-02T00:00:00Z"}"#;
/// let event = Event::from_cloud_event(CloudEvent::from_json(json)?)?;
/// assert_eq!((event.category(), event.stream(), event.revision().get()), ("accounts", "acc-42", 7));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Event {
    event: StoredEvent,
    database: DatabaseSource,
}

/// An event that cannot be said as a CloudEvent: which, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event {id} at revision {revision} is no CloudEvent: {reason}")]
#[non_exhaustive]
pub struct NoCloudEvent {
    /// The event's id.
    pub id: EventId,
    /// The event's revision.
    pub revision: Revision,
    /// The rule that it breaks.
    pub reason: CloudEventError,
}

impl Event {
    /// An event of the store as one of this database.
    #[must_use]
    pub fn new(event: StoredEvent, database: DatabaseSource) -> Self {
        Self { event, database }
    }

    /// The event's id: the producer's, or the one the store made.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.event.id()
    }

    /// Where it comes from: `{base_uri}/db/{database}/streams/{category}`, with the category percent-encoded.
    #[must_use]
    pub fn source(&self) -> String {
        self.database.of(self.category())
    }

    /// The database that it comes from.
    #[must_use]
    pub fn database(&self) -> &DatabaseSource {
        &self.database
    }

    /// The name of the category.
    #[must_use]
    pub fn category(&self) -> &str {
        self.event.category()
    }

    /// The name of the stream; empty where it has none.
    #[doc(alias = "subject")]
    #[must_use]
    pub fn stream(&self) -> &str {
        self.event.stream()
    }

    /// The stream's identifier.
    #[must_use]
    pub fn stream_id(&self) -> Stream {
        self.event.stream_id()
    }

    /// The event's name.
    #[doc(alias = "event_type")]
    #[must_use]
    pub fn name(&self) -> &str {
        self.event.name()
    }

    /// The revision of the database right after this event.
    #[doc(alias = "sequence")]
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.event.revision()
    }

    /// When it happened: its effective time.
    #[doc(alias = "time")]
    #[must_use]
    pub fn occurred_at(&self) -> Timestamp {
        self.event.occurred_at()
    }

    /// When the log took it.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.event.recorded_at()
    }

    /// The payload, not decoded.
    #[doc(alias = "data")]
    #[must_use]
    pub fn payload(&self) -> PayloadRef<'_> {
        self.event.payload()
    }

    /// Reads the payload as a `T`.
    ///
    /// # Errors
    /// [`PayloadError::Decode`] when the bytes are not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.event.decode()
    }

    /// The attributes in the producer's order, without those that the database sets.
    #[doc(alias = "extensions")]
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        self.event.attributes()
    }

    /// The event, borrowed, for what takes those of the store. What CloudEvents has no word for is not in one that was read from
    /// there: its position is 0.
    #[must_use]
    pub fn as_ref(&self) -> EventRef<'_> {
        self.event.as_ref()
    }

    /// The event as a CloudEvent. MessagePack becomes JSON. What CloudEvents has no word for is left out: position, time of
    /// observation, metadata, transaction, the number of a schema's version.
    ///
    /// # Errors
    /// [`NoCloudEvent`] for an event that breaks CloudEvents' rules, or whose payload JSON cannot say.
    pub fn to_cloud_event(&self) -> Result<CloudEvent, NoCloudEvent> {
        self.spoken().map_err(|reason| self.unspoken(reason))
    }

    /// The event as a CloudEvent for those who hold to EvidentSource's rules for names, which what the store API wrote need not
    /// keep.
    ///
    /// # Errors
    /// [`NoCloudEvent`] as [`Event::to_cloud_event`] does, and for the first name outside the rules.
    pub fn to_strict_cloud_event(&self) -> Result<CloudEvent, NoCloudEvent> {
        let names = strict::stream(&self.stream_id())
            .and_then(|()| strict::event(self.name(), Some(&self.id()), self.attributes()));
        names.map_err(CloudEventError::Name).and_then(|()| self.spoken()).map_err(|reason| self.unspoken(reason))
    }

    fn unspoken(&self, reason: CloudEventError) -> NoCloudEvent {
        NoCloudEvent { id: self.id(), revision: self.revision(), reason }
    }

    fn spoken(&self) -> Result<CloudEvent, CloudEventError> {
        let payload = Payload { bytes: self.event.payload_bytes(), ..described(self.payload()) };
        let mut event = CloudEvent {
            id: self.id().to_string().into(),
            source: self.source().into(),
            event_type: self.name().into(),
            subject: (!self.stream().is_empty()).then(|| self.stream().into()),
            time: Some(self.occurred_at()),
            payload: cloud_event::speakable(payload)?,
            extensions: self.attributes().clone(),
        };
        for name in [SEQUENCE, RECORDED_TIME] {
            if event.extensions.get(name).is_some() {
                return Err(AttributeFault::Reserved { name: name.into() }.into());
            }
        }
        event.extensions.set(SEQUENCE, self.revision().to_string());
        event.extensions.set(RECORDED_TIME, self.recorded_at());
        event.check()?;
        Ok(event)
    }

    /// A CloudEvent that a database gave as an event of it.
    ///
    /// # Errors
    /// [`CloudEventError::Source`] when its source is not a database's, [`CloudEventError::Missing`] without `time`, `sequence`
    /// or `recordedtime`, [`CloudEventError::WrongType`] or [`CloudEventError::Time`] where these are none, and what
    /// [`CloudEvent::check`] finds.
    pub fn from_cloud_event(event: CloudEvent) -> Result<Self, CloudEventError> {
        event.check()?;
        let (database, category) = DatabaseSource::parse(&event.source)?;
        let time = event.time.ok_or(CloudEventError::Missing { attribute: "time" })?;
        let sequence_number = sequence_number(&event.extensions)?;
        let recorded_at = recorded_time(&event.extensions)?;
        let is_own = |(name, _): &(&str, _)| !cloud_event::is_set_by_database(name);
        let own = event.extensions.iter().filter(is_own).map(|(name, value)| (name.into(), value.clone()));
        let attributes = Attributes::from_distinct(own.collect());
        let event = StoredEvent::from_fields(EventFields {
            id: EventId::new(event.id),
            category: &category,
            stream: event.subject.as_deref().unwrap_or_default(),
            name: &event.event_type,
            payload: event.payload.as_ref(),
            metadata: None,
            attributes: (!attributes.is_empty()).then(|| Arc::new(attributes)),
            // CloudEvents does not say it.
            position: 0,
            sequence_number,
            observed_at: recorded_at,
            occurred_at: time,
            recorded_at,
            given: Given { id: true, observed_at: false, occurred_at: true },
            transaction_id: None,
            transaction_first: sequence_number,
            transaction_count: 1,
        });
        Ok(Self { event, database })
    }
}

/// All of a payload but its bytes.
fn described(payload: PayloadRef<'_>) -> Payload {
    PayloadRef { bytes: &[], ..payload }.to_payload()
}

/// The event's sequence number, which is one less than its revision.
fn sequence_number(extensions: &Attributes) -> Result<u64, CloudEventError> {
    let wrong = |found: String| CloudEventError::WrongType {
        member: SEQUENCE.to_owned(),
        expected: "a revision from 1 on, in decimal digits",
        found,
    };
    let text = match extensions.get(SEQUENCE) {
        None => return Err(CloudEventError::Missing { attribute: SEQUENCE }),
        Some(AttributeValue::String(text)) => text.to_string(),
        Some(AttributeValue::Integer(number)) => number.to_string(),
        Some(other) => return Err(wrong(format!("{other:?}"))),
    };
    let digits = Some(&text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse::<u64>().ok()?.checked_sub(1)).ok_or_else(|| wrong(text.clone()))
}

/// When the log took the event.
fn recorded_time(extensions: &Attributes) -> Result<Timestamp, CloudEventError> {
    match extensions.get(RECORDED_TIME) {
        None => Err(CloudEventError::Missing { attribute: RECORDED_TIME }),
        Some(AttributeValue::Time(time)) => Ok(*time),
        Some(AttributeValue::String(text)) => {
            text.parse().map_err(|source| CloudEventError::Time { attribute: RECORDED_TIME, source })
        }
        Some(other) => Err(CloudEventError::WrongType {
            member: RECORDED_TIME.to_owned(),
            expected: "a time",
            found: format!("{other:?}"),
        }),
    }
}

/// Events are equal when all is that a database tells of them, the database included.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.revision() == other.revision()
            && self.id() == other.id()
            && self.database == other.database
            && (self.category(), self.stream(), self.name()) == (other.category(), other.stream(), other.name())
            && self.payload() == other.payload()
            && (self.occurred_at(), self.recorded_at()) == (other.occurred_at(), other.recorded_at())
            && self.attributes() == other.attributes()
    }
}

impl Eq for Event {}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id())
            .field("source", &self.source())
            .field("stream", &self.stream())
            .field("name", &self.name())
            .field("revision", &self.revision())
            .field("occurred_at", &self.occurred_at())
            .field("recorded_at", &self.recorded_at())
            .field("payload", &self.payload())
            .field("attributes", self.attributes())
            .finish()
    }
}

super::selector::selectable!(Event);

#[cfg(test)]
#[path = "database_event_tests.rs"]
mod tests;
