//! Builders of new and stored events, which fill in at random what a test does not care about.

use super::data;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::{EventFields, EventId, Given, NewEvent, StoredEvent};
use crate::vocabulary::number::{Position, SequenceNumber};
use crate::vocabulary::payload::{Codec, Payload};
use crate::vocabulary::time::{Clock, SystemClock, Timestamp};
use bytes::Bytes;
use std::sync::Arc;

/// A random payload in MessagePack.
fn random_payload() -> Payload {
    // A map of texts can always be written.
    Payload::encode(Codec::MessagePack, &data::random_event_payload()).unwrap_or_default()
}

/// Builds new events. What is not set is random (name, payload) or left out (id, times, attributes, metadata).
///
/// A builder does not change: each `with_` returns another, and one may be built from any number of times.
///
/// ```
/// use stratalog::{testing::NewEventBuilder, Payload};
/// let builder = NewEventBuilder::new().with_name("order-placed");
/// assert_eq!(builder.build().name(), "order-placed");
/// assert!(builder.with_payload(Payload::none()).build().payload().is_none());
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NewEventBuilder {
    name: Option<Arc<str>>,
    payload: Option<Payload>,
    id: Option<EventId>,
    observed_at: Option<Timestamp>,
    occurred_at: Option<Timestamp>,
    attributes: Attributes,
    metadata: Option<Bytes>,
    clock: Arc<dyn Clock>,
}

impl Default for NewEventBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl NewEventBuilder {
    /// A builder with nothing set.
    pub fn new() -> Self {
        Self {
            name: None,
            payload: None,
            id: None,
            observed_at: None,
            occurred_at: None,
            attributes: Attributes::new(),
            metadata: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets the name.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the payload. An empty one, and none at all, stay as they are.
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Sets the id.
    pub fn with_id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets when it was observed.
    pub fn with_observed_at(mut self, time: Timestamp) -> Self {
        self.observed_at = Some(time);
        self
    }

    /// Sets when it happened.
    pub fn with_occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// Sets an attribute.
    pub fn with_attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Puts all attributes in place of those set before.
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Sets the metadata.
    pub fn with_metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Takes default times from `clock` in place of the system's.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The event.
    #[must_use]
    pub fn build(&self) -> NewEvent {
        let name = self.name.clone().unwrap_or_else(|| data::random_event_name().into());
        let payload = self.payload.clone().unwrap_or_else(random_payload);
        let mut event =
            NewEvent::from_payload(name, payload).with_clock(&*self.clock).with_attributes(self.attributes.clone());
        event.id.clone_from(&self.id);
        event.metadata.clone_from(&self.metadata);
        event.occurred_at = self.occurred_at;
        match self.observed_at {
            Some(time) => event.with_observed_at(time),
            None => event,
        }
    }
}

/// Builds stored events without a store. What is not set is random (id, name, category, stream, payload), 0 (position and
/// sequence number), now (times) or left out (attributes, metadata, transaction id).
///
/// A builder does not change: each `with_` returns another, and one may be built from any number of times.
///
/// ```
/// use stratalog::{testing::StoredEventBuilder, Position};
/// let event = StoredEventBuilder::new().with_category("orders").with_position(7).build();
/// assert_eq!((event.category(), event.position()), ("orders", Position::new(7)));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct StoredEventBuilder {
    id: Option<EventId>,
    name: Option<Arc<str>>,
    category: Option<Arc<str>>,
    stream: Option<Arc<str>>,
    position: u64,
    sequence_number: u64,
    payload: Option<Payload>,
    observed_at: Option<Timestamp>,
    occurred_at: Option<Timestamp>,
    recorded_at: Option<Timestamp>,
    given: Given,
    attributes: Attributes,
    metadata: Option<Bytes>,
    transaction_id: Option<Arc<str>>,
    clock: Arc<dyn Clock>,
}

impl Default for StoredEventBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl StoredEventBuilder {
    /// A builder with nothing set.
    pub fn new() -> Self {
        Self {
            id: None,
            name: None,
            category: None,
            stream: None,
            position: 0,
            sequence_number: 0,
            payload: None,
            observed_at: None,
            occurred_at: None,
            recorded_at: None,
            given: Given::default(),
            attributes: Attributes::new(),
            metadata: None,
            transaction_id: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// A builder with all that a new event holds: name, payload, times, attributes, metadata, and its id if it has one.
    pub fn from_new_event(event: &NewEvent) -> Self {
        Self {
            id: event.id.clone(),
            name: Some(Arc::clone(&event.name)),
            payload: Some(event.payload.clone()),
            observed_at: Some(event.observed_at()),
            occurred_at: Some(event.occurred_at()),
            given: Given {
                id: event.id.is_some(),
                observed_at: event.observed_given,
                occurred_at: event.occurred_at.is_some(),
            },
            attributes: event.attributes.clone(),
            metadata: event.metadata.clone(),
            ..Self::new()
        }
    }

    /// Sets the id.
    pub fn with_id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self.given.id = true;
        self
    }

    /// Sets the name.
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the category's name.
    pub fn with_category(mut self, category: impl Into<Arc<str>>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Sets the stream's name.
    pub fn with_stream(mut self, stream: impl Into<Arc<str>>) -> Self {
        self.stream = Some(stream.into());
        self
    }

    /// Sets the place in the stream.
    pub fn with_position(mut self, position: impl IntoNumber<Position>) -> Self {
        self.position = position.into_number();
        self
    }

    /// Sets the place in the log.
    pub fn with_sequence_number(mut self, number: impl IntoNumber<SequenceNumber>) -> Self {
        self.sequence_number = number.into_number();
        self
    }

    /// Sets the payload. An empty one, and none at all, stay as they are.
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.payload = Some(payload);
        self
    }

    /// Sets when it was observed.
    pub fn with_observed_at(mut self, time: Timestamp) -> Self {
        self.observed_at = Some(time);
        self.given.observed_at = true;
        self
    }

    /// Sets when it happened.
    pub fn with_occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self.given.occurred_at = true;
        self
    }

    /// Sets when the log took it.
    pub fn with_recorded_at(mut self, time: Timestamp) -> Self {
        self.recorded_at = Some(time);
        self
    }

    /// Sets an attribute.
    pub fn with_attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Puts all attributes in place of those set before.
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Sets the metadata.
    pub fn with_metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Sets the id of its transaction.
    pub fn with_transaction_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.transaction_id = Some(id.into());
        self
    }

    /// Takes default times from `clock` in place of the system's.
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The event, as if it had been appended alone.
    #[must_use]
    pub fn build(&self) -> StoredEvent {
        let or_random = |name: &Option<Arc<str>>, random: fn() -> String| match name {
            Some(name) => Arc::clone(name),
            None => random().into(),
        };
        let name = or_random(&self.name, data::random_event_name);
        let category = or_random(&self.category, data::random_event_category_name);
        let stream = or_random(&self.stream, data::random_event_stream_name);
        let payload = self.payload.clone().unwrap_or_else(random_payload);
        let now = self.clock.now();
        let observed_at = self.observed_at.unwrap_or(now);
        StoredEvent::from_fields(EventFields {
            id: self.id.clone().unwrap_or_else(data::random_event_id),
            category: &category,
            stream: &stream,
            name: &name,
            payload: payload.as_ref(),
            metadata: self.metadata.as_deref(),
            attributes: (!self.attributes.is_empty()).then(|| Arc::new(self.attributes.clone())),
            position: self.position,
            sequence_number: self.sequence_number,
            observed_at,
            occurred_at: self.occurred_at.unwrap_or(observed_at),
            recorded_at: self.recorded_at.unwrap_or(now),
            given: self.given,
            transaction_id: self.transaction_id.as_deref(),
            transaction_first: self.sequence_number,
            transaction_count: 1,
        })
    }
}

/// A plain number, or the counter of the model that it stands for.
pub trait IntoNumber<Counter> {
    /// The plain number.
    fn into_number(self) -> u64;
}

impl<Counter> IntoNumber<Counter> for u64 {
    fn into_number(self) -> u64 {
        self
    }
}

impl IntoNumber<Position> for Position {
    fn into_number(self) -> u64 {
        self.get()
    }
}

impl IntoNumber<SequenceNumber> for SequenceNumber {
    fn into_number(self) -> u64 {
        self.get()
    }
}

#[cfg(test)]
mod tests;
