//! New events: what a producer hands to the store.

use super::attributes::Attributes;
use super::id::EventId;
use super::payload::{Codec, Payload, PayloadError, PayloadRef};
use super::time::{Clock, Timestamp};
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// An event on its way in.
///
/// What the caller leaves out (id, times) is filled in and stays recognisable as a default: it costs no bytes beyond what
/// differs, and does not count when a repeated transaction is compared with the first. Two new events are equal when every field
/// is, and was given or left out alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NewEvent {
    pub(crate) name: Arc<str>,
    pub(crate) payload: Payload,
    pub(crate) id: Option<EventId>,
    pub(crate) observed_at: Timestamp,
    pub(crate) observed_given: bool,
    pub(crate) occurred_at: Option<Timestamp>,
    pub(crate) attributes: Attributes,
    pub(crate) metadata: Option<Bytes>,
}

impl NewEvent {
    /// An event with a typed payload in MessagePack, observed now.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn new<T: Serialize + ?Sized>(name: impl Into<Arc<str>>, payload: &T) -> Result<Self, PayloadError> {
        Ok(Self::from_payload(name, Payload::encode(Codec::MessagePack, payload)?))
    }

    /// An event with a typed payload in JSON, observed now.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn json<T: Serialize + ?Sized>(name: impl Into<Arc<str>>, payload: &T) -> Result<Self, PayloadError> {
        Ok(Self::from_payload(name, Payload::encode(Codec::Json, payload)?))
    }

    /// An event with a ready payload, observed now.
    #[must_use]
    pub fn from_payload(name: impl Into<Arc<str>>, payload: Payload) -> Self {
        Self {
            name: name.into(),
            payload,
            id: None,
            observed_at: Timestamp::now(),
            observed_given: false,
            occurred_at: None,
            attributes: Attributes::new(),
            metadata: None,
        }
    }

    /// An event without a payload, observed now.
    #[must_use]
    pub fn empty(name: impl Into<Arc<str>>) -> Self {
        Self::from_payload(name, Payload::none())
    }

    /// Gives the event an id. Without one the store makes a UUID v7.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When the producer learned of it. Without this: when the `NewEvent` was made.
    #[must_use]
    pub fn with_observed_at(mut self, time: Timestamp) -> Self {
        self.observed_at = time;
        self.observed_given = true;
        self
    }

    /// When it happened. Without this: when it was observed.
    #[must_use]
    pub fn with_occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// Takes the default time of observation from `clock` in place of the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: &dyn Clock) -> Self {
        if !self.observed_given {
            self.observed_at = clock.now();
        }
        self
    }

    /// Sets an attribute, in place if the name is there.
    #[must_use]
    pub fn with_attribute(
        mut self,
        name: impl Into<Arc<str>>,
        value: impl Into<super::attributes::AttributeValue>,
    ) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Puts all attributes in place of those set before.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self
    }

    /// Attaches metadata. No bytes are metadata too: empty is not absent.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    /// Says what the payload's bytes mean.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.payload.content_type = Some(content_type.into());
        self
    }

    /// Names the payload's schema by its URI.
    #[must_use]
    pub fn with_schema(mut self, schema: impl Into<Arc<str>>) -> Self {
        self.payload.schema = Some(schema.into());
        self
    }

    /// Numbers the payload's shape, for [`Upcasters`](crate::Upcasters).
    #[must_use]
    pub fn with_schema_version(mut self, version: u32) -> Self {
        self.payload.schema_version = Some(version);
        self
    }

    /// Whether it carries nothing but its name, its payload, and when it was made.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        let payload = &self.payload;
        self.id.is_none()
            && !self.observed_given
            && self.occurred_at.is_none()
            && self.attributes.is_empty()
            && self.metadata.is_none()
            && payload.content_type.is_none()
            && payload.schema.is_none()
            && payload.schema_version.is_none()
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> PayloadRef<'_> {
        self.payload.as_ref()
    }

    /// The id, if the producer gave one.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// When the producer learned of it.
    #[must_use]
    pub fn observed_at(&self) -> Timestamp {
        self.observed_at
    }

    /// When it happened.
    #[must_use]
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at.unwrap_or(self.observed_at)
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The metadata, if any.
    #[must_use]
    pub fn metadata(&self) -> Option<&[u8]> {
        self.metadata.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_occurred_at_still_observes_now() {
        let clock = super::super::time::FixedClock("2024-01-01T00:00:00Z".parse().unwrap());
        let long_ago: Timestamp = "1999-01-01T00:00:00Z".parse().unwrap();
        let event = NewEvent::empty("e").with_clock(&clock).with_occurred_at(long_ago);
        assert_eq!((event.observed_at(), event.occurred_at()), (clock.0, long_ago));
        let event = NewEvent::empty("e").with_observed_at(long_ago).with_clock(&clock);
        assert_eq!((event.observed_at(), event.occurred_at()), (long_ago, long_ago));
    }
}
