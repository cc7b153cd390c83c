//! Events on their way into a database: what a client or a state change proposes.

use super::attributes::{AttributeValue, Attributes};
use super::cloud_event::{self, AttributeFault, CloudEvent, CloudEventError};
use super::event::{EventId, NewEvent};
use super::identifier::Stream;
use super::limit::LimitExceeded;
use super::payload::{Codec, Payload, PayloadError, PayloadRef};
use super::strict::{self, InvalidName};
use super::time::Timestamp;
use serde::Serialize;
use std::sync::Arc;

/// An event that is proposed to a database, with the stream that it goes to.
///
/// A database checks what it writes by EvidentSource's rules: see [`ProspectiveEvent::faults`]. Without an id it makes one
/// (UUID v7); without a time of occurrence, the time when it takes the event counts.
///
/// ```
/// use stratalog::{CloudEvent, ProspectiveEvent};
///
/// # fn main() -> stratalog::Result<()> {
/// let event = ProspectiveEvent::json("accounts", "money-deposited", &5)?.with_stream("acc-42").with_id("d-7");
/// assert!(event.faults().is_empty());
/// let json = event.to_cloud_event()?.to_json()?;
/// assert_eq!(ProspectiveEvent::from_cloud_event(CloudEvent::from_json(&json)?), event);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProspectiveEvent {
    category: Arc<str>,
    stream: Option<Arc<str>>,
    name: Arc<str>,
    payload: Payload,
    id: Option<EventId>,
    occurred_at: Option<Timestamp>,
    attributes: Attributes,
}

/// What is wrong with an event that is proposed to a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventFault {
    /// A name is outside the rules: the category's, the stream's, the event's, the event id's.
    #[doc(alias = "InvalidSource")]
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The category has, or gets by the same transaction, an event of this id already.
    #[error("the category {category:?} has an event with the id {id} already")]
    DuplicateEventId {
        /// The category.
        category: Arc<str>,
        /// The id.
        id: EventId,
    },
    /// An attribute that cannot be.
    #[error(transparent)]
    Attribute(#[from] AttributeFault),
    /// More of something than the store takes.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// The content type or the schema is there and empty.
    #[error("the {what} is empty")]
    Empty {
        /// Which.
        what: &'static str,
    },
}

impl ProspectiveEvent {
    /// An event with a typed payload in MessagePack.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn new<T: Serialize + ?Sized>(
        category: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
        payload: &T,
    ) -> Result<Self, PayloadError> {
        Ok(Self::from_payload(category, name, Payload::encode(Codec::MessagePack, payload)?))
    }

    /// An event with a typed payload in JSON.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the value cannot be written.
    pub fn json<T: Serialize + ?Sized>(
        category: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
        payload: &T,
    ) -> Result<Self, PayloadError> {
        Ok(Self::from_payload(category, name, Payload::encode(Codec::Json, payload)?))
    }

    /// An event with a ready payload.
    #[must_use]
    pub fn from_payload(category: impl Into<Arc<str>>, name: impl Into<Arc<str>>, payload: Payload) -> Self {
        Self {
            category: category.into(),
            stream: None,
            name: name.into(),
            payload,
            id: None,
            occurred_at: None,
            attributes: Attributes::new(),
        }
    }

    /// An event without a payload.
    #[must_use]
    pub fn empty(category: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::from_payload(category, name, Payload::none())
    }

    /// Sends the event to a stream of its category. Without this, it is one without a stream. The empty name is refused by the
    /// database: who means "no stream" leaves it out.
    #[doc(alias = "subject")]
    #[must_use]
    pub fn with_stream(mut self, stream: impl Into<Arc<str>>) -> Self {
        self.stream = Some(stream.into());
        self
    }

    /// Gives the event an id, which must be the only one of its category. Without one the database makes one.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<EventId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// When it happened, or will: its effective time. Without this: when the database takes it.
    #[doc(alias = "time")]
    #[must_use]
    pub fn with_occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// Sets an attribute, in place if the name is there.
    #[doc(alias = "extension")]
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Puts all attributes in place of those set before.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
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

    /// The name of the category.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The name of the stream; empty where it has none.
    #[must_use]
    pub fn stream(&self) -> &str {
        self.stream.as_deref().unwrap_or_default()
    }

    /// The stream's identifier.
    #[must_use]
    pub fn stream_id(&self) -> Stream {
        Stream::new(Arc::clone(&self.category), self.stream())
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

    /// The id, if the caller gave one.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.as_ref()
    }

    /// When it happened, if the caller said so.
    #[must_use]
    pub fn occurred_at(&self) -> Option<Timestamp> {
        self.occurred_at
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// All that is wrong with the event by itself, by EvidentSource's rules: names, attributes that are not named by 1 to 64 of
    /// a-z 0-9, that are CloudEvents' own, or that the database sets (`sequence`, `recordedtime`), integers beyond 32 bits.
    /// None if it can be written.
    #[must_use]
    pub fn faults(&self) -> Vec<EventFault> {
        let id = self.id.as_ref().map(EventId::to_string);
        let names = [
            strict::identifier("category", &self.category).err(),
            self.stream.as_deref().and_then(|stream| strict::text("stream", stream).err()),
            strict::text("event", &self.name).err(),
            id.and_then(|id| strict::text("event id", &id).err()),
        ];
        let mut faults: Vec<EventFault> = names.into_iter().flatten().map(EventFault::Name).collect();
        for (what, text) in [("content type", &self.payload.content_type), ("schema", &self.payload.schema)] {
            if text.as_deref() == Some("") {
                faults.push(EventFault::Empty { what });
            }
        }
        for (name, value) in self.attributes.iter() {
            let fault = match cloud_event::check_attribute(name, value) {
                Err(fault) => fault,
                Ok(()) if cloud_event::is_set_by_database(name) => AttributeFault::Reserved { name: name.into() },
                Ok(()) => continue,
            };
            faults.push(fault.into());
        }
        faults
    }

    /// The event for the store's own API, with the stream that it goes to. `taken_at` is when the database takes it: the time of
    /// observation, and of occurrence where the event has none.
    #[must_use]
    pub fn to_new_event(&self, taken_at: Timestamp) -> NewEvent {
        NewEvent {
            name: Arc::clone(&self.name),
            payload: self.payload.clone(),
            id: self.id.clone(),
            observed_at: taken_at,
            observed_given: false,
            occurred_at: self.occurred_at,
            attributes: self.attributes.clone(),
            metadata: None,
        }
    }

    /// The event as a CloudEvent, whose source is the category. MessagePack becomes JSON; the number of a schema's version is
    /// lost.
    ///
    /// # Errors
    /// [`CloudEventError::Missing`] without an id, what [`CloudEvent::check`] finds, [`CloudEventError::Payload`] for MessagePack
    /// that JSON cannot say.
    pub fn to_cloud_event(&self) -> Result<CloudEvent, CloudEventError> {
        let id = self.id.as_ref().ok_or(CloudEventError::Missing { attribute: "id" })?;
        let event = CloudEvent {
            id: id.to_string().into(),
            source: Arc::clone(&self.category),
            event_type: Arc::clone(&self.name),
            subject: self.stream.clone(),
            time: self.occurred_at,
            payload: cloud_event::speakable(self.payload.clone())?,
            extensions: self.attributes.clone(),
        };
        event.check()?;
        Ok(event)
    }

    /// A CloudEvent as a proposal: its source is the category as it stands there. Nothing is checked here: see
    /// [`ProspectiveEvent::faults`].
    #[must_use]
    pub fn from_cloud_event(event: CloudEvent) -> Self {
        Self {
            category: event.source,
            stream: event.subject,
            name: event.event_type,
            payload: event.payload,
            id: Some(EventId::new(event.id)),
            occurred_at: event.time,
            attributes: event.extensions,
        }
    }
}

super::selector::selectable!(ProspectiveEvent);

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> ProspectiveEvent {
        ProspectiveEvent::empty("accounts", "opened").with_stream("acc-42").with_id("e-1")
    }

    /// All faults, as text.
    fn faults(event: &ProspectiveEvent) -> Vec<String> {
        event.faults().iter().map(EventFault::to_string).collect()
    }

    #[test]
    fn all_faults_are_told_at_once() {
        assert!(good().faults().is_empty());
        let bad = ProspectiveEvent::empty("t", " ")
            .with_stream("")
            .with_id("a\u{1f}b")
            .with_content_type("")
            .with_schema("")
            .with_attribute("Tenant", "t")
            .with_attribute("tenant", "t")
            .with_attribute("subject", "s")
            .with_attribute("data_base64", "s")
            .with_attribute("sequence", "7")
            .with_attribute("recordedtime", "now")
            .with_attribute("high", i64::from(i32::MAX) + 1);
        let found = faults(&bad);
        let beginnings = [
            "the category \"t\" is",
            "the stream \"\" is",
            "the event \" \" is",
            "the event id \"a\\u{1f}b\" is",
            "the content type is empty",
            "the schema is empty",
            "the attribute \"Tenant\" is outside",
            "the attribute \"subject\" cannot be set",
            "the attribute \"data_base64\" cannot be set",
            "the attribute \"sequence\" cannot be set",
            "the attribute \"recordedtime\" cannot be set",
            "the attribute \"high\" is 2147483648, which is beyond 32 bits",
        ];
        assert_eq!(found.len(), beginnings.len(), "{found:#?}");
        for (found, beginning) in found.iter().zip(beginnings) {
            assert!(found.starts_with(beginning), "{found}");
        }
    }

    #[test]
    fn what_is_at_the_edge_of_the_rules_is_good() {
        let event = ProspectiveEvent::empty("ab", "n".repeat(255))
            .with_attribute("a".repeat(64), i64::from(i32::MIN))
            .with_attribute("0", i64::from(i32::MAX));
        assert_eq!(faults(&event), [""; 0], "no stream and no id are good");
        assert_eq!(event.stream_id(), Stream::new("ab", ""));
        let low = good().with_attribute("low", i64::from(i32::MIN) - 1);
        assert!(matches!(
            low.faults()[..],
            [EventFault::Attribute(AttributeFault::IntegerOutOfRange { ref value, .. })] if value == "-2147483649"
        ));
    }

    #[test]
    fn the_time_when_it_is_taken_stands_in_for_those_left_out() {
        let (taken, earlier) = (Timestamp::UNIX_EPOCH, Timestamp::MIN);
        let event = good().to_new_event(taken);
        assert_eq!((event.observed_at(), event.occurred_at(), event.observed_given), (taken, taken, false));
        let event = good().with_occurred_at(earlier).with_attribute("b", true).to_new_event(taken);
        assert_eq!((event.observed_at(), event.occurred_at()), (taken, earlier));
        assert_eq!((event.name(), event.id(), event.attributes().len()), ("opened", Some(&EventId::from("e-1")), 1));
    }

    #[test]
    fn cloud_events_go_there_and_back() {
        let full = ProspectiveEvent::from_payload("accounts", "opened", Payload::text("hello"))
            .with_stream("acc-42")
            .with_id("0190d2c1-7b5e-7000-8000-0123456789ab")
            .with_occurred_at(Timestamp::UNIX_EPOCH)
            .with_content_type("text/plain")
            .with_schema("urn:greeting")
            .with_attributes(Attributes::new().with("z", 7).with("a", "text").with("m", false));
        let packed =
            Payload::encode(Codec::MessagePack, &[1, 2]).unwrap().with_schema("urn:two").with_schema_version(3);
        let packed = ProspectiveEvent::from_payload("accounts", "opened", packed).with_id("e");
        let json = packed.to_cloud_event().unwrap();
        let expected =
            Payload::json_text("[1,2]").unwrap().with_content_type("application/json").with_schema("urn:two");
        assert_eq!(json.payload, expected, "MessagePack is said in JSON");
        let numbered = Payload::text("a").with_schema_version(3);
        let numbered = ProspectiveEvent::from_payload("accounts", "opened", numbered).with_id("e").to_cloud_event();
        assert_eq!(numbered.unwrap().payload, Payload::text("a"), "CloudEvents has no such number");
        for event in [good(), full, ProspectiveEvent::from_cloud_event(json)] {
            let there = event.to_cloud_event().unwrap();
            assert_eq!(&*there.source, "accounts");
            let back = CloudEvent::from_json(&there.to_json().unwrap()).unwrap();
            assert_eq!(ProspectiveEvent::from_cloud_event(back), event);
        }
        let nameless = ProspectiveEvent::empty("accounts", "opened").to_cloud_event();
        assert_eq!(nameless, Err(CloudEventError::Missing { attribute: "id" }));
        let refused = good().with_attribute("type", "x").to_cloud_event();
        assert_eq!(refused, Err(CloudEventError::Attribute(AttributeFault::Reserved { name: "type".into() })));
        let not_finite = ProspectiveEvent::new("accounts", "opened", &f64::NAN).unwrap().with_id("e").to_cloud_event();
        assert!(matches!(not_finite, Err(CloudEventError::Payload(PayloadError::NoJsonForm { .. }))));
    }

    #[test]
    fn proposals_are_selected_like_stored_events() {
        use crate::vocabulary::selector::Selector;
        let selector = Selector::category("accounts") & Selector::name("opened");
        assert!(selector.matches(&good()));
        assert!(!(selector & Selector::no_stream()).matches(&good()));
        assert!(Selector::no_stream().matches(&ProspectiveEvent::empty("accounts", "opened")));
    }
}
