//! CloudEvents 1.0: the event as other systems speak of it, in their words.

mod json;
mod source;

pub use json::InvalidBatch;
pub use source::{DatabaseSource, InvalidSource};

use super::attributes::{AttributeValue, Attributes};
use super::payload::{Codec, Payload, PayloadError, PayloadKind};
use super::strict::{self, InvalidName};
use super::time::{InvalidTime, Timestamp};
use std::sync::Arc;

/// The names that CloudEvents and its JSON form have themselves.
const OWN_NAMES: [&str; 10] =
    ["data", "data_base64", "datacontenttype", "dataschema", "id", "source", "specversion", "subject", "time", "type"];

/// The attribute in which a stored event carries its revision, as decimal text.
pub(crate) const SEQUENCE: &str = "sequence";

/// The attribute in which a stored event carries the time when the log took it.
pub(crate) const RECORDED_TIME: &str = "recordedtime";

/// An event of CloudEvents 1.0, in the words of CloudEvents.
///
/// Read and written by [`CloudEvent::from_json`] and [`CloudEvent::to_json`], or serde, in the JSON event format: *structured*
/// is one event, *batch* an array of them. Becomes a [`ProspectiveEvent`](crate::ProspectiveEvent) or an
/// [`Event`](crate::Event), which check more.
///
/// ```
/// use stratalog::CloudEvent;
///
/// # fn main() -> Result<(), stratalog::CloudEventError> {
/// let json = r#"{"specversion":"1.0","id":"e-1","source":"accounts","type":"deposited","subject":"acc-42","data":[5]}"#;
/// let event = CloudEvent::from_json(json)?;
/// assert_eq!((&*event.source, event.subject.as_deref()), ("accounts", Some("acc-42")));
/// assert_eq!(event.payload.as_ref().to_json()?[0], 5);
/// assert_eq!(event.to_json()?, json);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CloudEvent {
    /// `id`. Not empty.
    pub id: Arc<str>,
    /// `source`: of an event to be appended the category, of a stored one a URI. Not empty.
    pub source: Arc<str>,
    /// `type`: the event's name. Not empty.
    pub event_type: Arc<str>,
    /// `subject`: the stream within the category. Not empty.
    pub subject: Option<Arc<str>>,
    /// `time`: when it happened.
    pub time: Option<Timestamp>,
    /// The data, `datacontenttype` and `dataschema`. JSON, text or bytes: MessagePack is written as JSON.
    pub payload: Payload,
    /// All other attributes.
    pub extensions: Attributes,
}

/// What is wrong with an attribute beyond those that CloudEvents has itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeFault {
    /// The name is not 1 to 64 lower-case letters and digits.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The name is one that CloudEvents has itself, or that the database sets.
    #[error("the attribute {name:?} cannot be set: it is CloudEvents' own or the database's")]
    Reserved {
        /// The name.
        name: Arc<str>,
    },
    /// There are two of the name.
    #[error("the attribute {name:?} is there twice")]
    Repeated {
        /// The name.
        name: Arc<str>,
    },
    /// The integer does not fit into the 32 bits that CloudEvents gives it.
    #[error("the attribute {name:?} is {value}, which is beyond 32 bits")]
    IntegerOutOfRange {
        /// The name.
        name: Arc<str>,
        /// The value, as it was given.
        value: String,
    },
}

/// Why something is no CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloudEventError {
    /// It is not one object in JSON, or not an array of them where a batch is read.
    #[error("not a CloudEvent in JSON: {reason}")]
    Syntax {
        /// The parser's own words.
        reason: String,
    },
    /// Another version of CloudEvents.
    #[error("CloudEvents {found:?}, and only 1.0 is known")]
    Version {
        /// The version.
        found: String,
    },
    /// An attribute is missing that every CloudEvent has.
    #[error("the attribute {attribute} is missing")]
    Missing {
        /// The attribute.
        attribute: &'static str,
    },
    /// An attribute is empty that must not be.
    #[error("the attribute {attribute} is empty")]
    Empty {
        /// The attribute.
        attribute: &'static str,
    },
    /// A member of the object is there twice.
    #[error("the member {member:?} is there twice")]
    Repeated {
        /// The member.
        member: String,
    },
    /// A member has another type than it must have.
    #[error("the member {member:?} is not {expected}: {found}")]
    WrongType {
        /// The member.
        member: String,
        /// What it must be.
        expected: &'static str,
        /// The beginning of what it is.
        found: String,
    },
    /// A time is none.
    #[error("the attribute {attribute}: {source}")]
    Time {
        /// The attribute.
        attribute: &'static str,
        /// What is wrong with it.
        source: InvalidTime,
    },
    /// There are `data` and `data_base64`.
    #[error("both data and data_base64")]
    DataTwice,
    /// `data_base64` is not base64.
    #[error("data_base64 is not base64: {reason}")]
    Base64 {
        /// What is wrong with it.
        reason: String,
    },
    /// An extension attribute that cannot be.
    #[error(transparent)]
    Attribute(#[from] AttributeFault),
    /// A name outside EvidentSource's rules. Only where strict names are asked for.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The payload cannot be written as CloudEvents has it.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The source of a stored event is not a database's.
    #[error(transparent)]
    Source(#[from] InvalidSource),
}

impl CloudEvent {
    /// An event without subject, time, data and extensions.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, source: impl Into<Arc<str>>, event_type: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            event_type: event_type.into(),
            subject: None,
            time: None,
            payload: Payload::none(),
            extensions: Attributes::new(),
        }
    }

    /// Checks the rules of CloudEvents that types do not keep. Whatever reads or writes JSON does it too.
    ///
    /// # Errors
    /// [`CloudEventError::Empty`] or [`CloudEventError::Attribute`]: the first that is found.
    pub fn check(&self) -> Result<(), CloudEventError> {
        let payload = self.payload.as_ref();
        for (attribute, text) in [
            ("id", Some(&*self.id)),
            ("source", Some(&*self.source)),
            ("type", Some(&*self.event_type)),
            ("subject", self.subject.as_deref()),
            ("datacontenttype", payload.content_type),
            ("dataschema", payload.schema),
        ] {
            if text == Some("") {
                return Err(CloudEventError::Empty { attribute });
            }
        }
        Ok(self.extensions.iter().try_for_each(|(name, value)| check_attribute(name, value))?)
    }
}

/// Checks an attribute beyond those that CloudEvents has itself.
///
/// # Errors
/// A name outside the rules, a name of CloudEvents' own, an integer beyond 32 bits.
pub(crate) fn check_attribute(name: &str, value: &AttributeValue) -> Result<(), AttributeFault> {
    if OWN_NAMES.contains(&name) {
        return Err(AttributeFault::Reserved { name: name.into() });
    }
    strict::attribute(name)?;
    match value {
        AttributeValue::Integer(value) if i32::try_from(*value).is_err() => {
            Err(AttributeFault::IntegerOutOfRange { name: name.into(), value: value.to_string() })
        }
        _ => Ok(()),
    }
}

/// Whether the database sets this attribute of a stored event, so that nobody else may.
pub(crate) fn is_set_by_database(name: &str) -> bool {
    [SEQUENCE, RECORDED_TIME].contains(&name)
}

/// A payload as CloudEvents has it: MessagePack as JSON, and no number of a schema's version.
///
/// # Errors
/// MessagePack that JSON cannot say.
pub(crate) fn speakable(payload: Payload) -> Result<Payload, PayloadError> {
    let spoken = if payload.kind == PayloadKind::MessagePack {
        let json = Payload::encode(Codec::Json, &payload.as_ref().to_json()?)?;
        Payload { schema: payload.schema, ..json.with_content_type("application/json") }
    } else {
        payload
    };
    Ok(Payload { schema_version: None, ..spoken })
}

#[cfg(test)]
mod tests;
