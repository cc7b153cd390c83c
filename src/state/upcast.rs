//! Upcasters: functions that bring the payload of an older schema version up to the next one, at reading.

use crate::vocabulary::error::ProjectionError;
use crate::vocabulary::event::{EventRef, StoredEvent};
use crate::vocabulary::number::SequenceNumber;
use crate::vocabulary::payload::{Codec, Payload, PayloadError, PayloadRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// From a payload of one version to one of the next.
type Step = dyn Fn(PayloadRef<'_>) -> Result<Payload, Failure> + Send + Sync;

/// A name's functions, by the version that each takes.
type Steps = BTreeMap<u32, Arc<Step>>;

/// Why a step failed.
enum Failure {
    /// The payload is not what the function takes, or what it returned cannot be written.
    Payload(PayloadError),
    /// The function refused it.
    Refused(String),
}

/// Functions by (event name, schema version), each of which turns a payload of that version into one of the next.
///
/// A typed read goes through the event's function for its version, then through the one for the next version, and so on until
/// there is none; what comes out is read as the wanted type. An event
/// [without a schema version](crate::NewEvent::with_schema_version) counts as version 0. What is stored never changes; a
/// payload for which no function is registered is read directly.
///
/// A function takes and returns types of your own, or [`serde_json::Value`]. Between functions a payload is carried in JSON if
/// it was JSON or text, or if a function returned a `Value`; else in MessagePack.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use stratalog::{EventStore, NewEvent, Upcasters};
/// #[derive(Serialize, Deserialize)]
/// struct OpenedV0 { owner: String }
/// #[derive(Serialize, Deserialize)]
/// struct Opened { owner: String, currency: String }
/// # fn main() -> stratalog::Result<()> {
///
/// let upcasters = Upcasters::new()
///     .on("account-opened", 0, |old: OpenedV0| Opened { owner: old.owner, currency: "EUR".into() });
/// let stream = EventStore::in_memory().stream("accounts", "acc-42");
/// stream.publish([NewEvent::new("account-opened", &OpenedV0 { owner: "Ada".into() })?])?;
/// let opened: Opened = upcasters.decode(&stream.read()?[0])?;
/// assert_eq!(opened.currency, "EUR");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Upcasters {
    // A name's versions are few; looking up the name alone costs no allocation.
    steps: Arc<HashMap<Arc<str>, Steps>>,
}

impl Upcasters {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers the function that turns a payload of `schema_version` into one of `schema_version + 1`, in place of an
    /// earlier one. A function that can fail goes to [`try_on`](Self::try_on): here a `Result` would be taken for the payload.
    #[must_use]
    pub fn on<Old, New>(
        self,
        name: impl Into<Arc<str>>,
        schema_version: u32,
        upcast: impl Fn(Old) -> New + Send + Sync + 'static,
    ) -> Self
    where
        Old: DeserializeOwned + 'static,
        New: Serialize + 'static,
    {
        self.with(name.into(), schema_version, move |payload| {
            write(payload, &upcast(read(payload).map_err(Failure::Payload)?))
        })
    }

    /// Registers a function that can fail; else as [`on`](Self::on). Its error is told by [`ProjectionError::Upcaster`].
    #[must_use]
    pub fn try_on<Old, New, E>(
        self,
        name: impl Into<Arc<str>>,
        schema_version: u32,
        upcast: impl Fn(Old) -> Result<New, E> + Send + Sync + 'static,
    ) -> Self
    where
        Old: DeserializeOwned + 'static,
        New: Serialize + 'static,
        E: fmt::Display,
    {
        self.with(name.into(), schema_version, move |payload| {
            let old = read(payload).map_err(Failure::Payload)?;
            write(payload, &upcast(old).map_err(|error| Failure::Refused(error.to_string()))?)
        })
    }

    fn with(
        mut self,
        name: Arc<str>,
        schema_version: u32,
        step: impl Fn(PayloadRef<'_>) -> Result<Payload, Failure> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.steps).entry(name).or_default().insert(schema_version, Arc::new(step));
        self
    }

    /// Reads the event's payload as a `T`, brought up to date first.
    ///
    /// # Errors
    /// [`ProjectionError::Payload`] when the payload, in the end or on its way, is not what is wanted;
    /// [`ProjectionError::Upcaster`] when a function refuses it. Both name the event.
    pub fn decode<T: DeserializeOwned>(&self, event: &impl TypedEvent) -> Result<T, ProjectionError> {
        let payload = self.upcast(event)?;
        let decoded = payload.as_ref().map_or_else(|| event.payload().decode(), |payload| payload.as_ref().decode());
        decoded.map_err(|source| ProjectionError::Payload {
            name: event.name().to_owned(),
            sequence_number: event.sequence_number(),
            source,
        })
    }

    /// The event's payload brought up to date, or `None` where there is nothing to do.
    fn upcast(&self, event: &impl TypedEvent) -> Result<Option<Payload>, ProjectionError> {
        let Some(steps) = self.steps.get(event.name()) else { return Ok(None) };
        let mut version = event.payload().schema_version().unwrap_or(0);
        let mut carried: Option<Payload> = None;
        while let Some(step) = steps.get(&version) {
            let payload = carried.as_ref().map_or_else(|| event.payload(), Payload::as_ref);
            let next = step(payload).map_err(|failure| failure.at(event, version))?;
            let Some(next_version) = version.checked_add(1) else { return Ok(Some(next)) };
            version = next_version;
            carried = Some(next.with_schema_version(version));
        }
        Ok(carried)
    }
}

impl Failure {
    fn at(self, event: &impl TypedEvent, schema_version: u32) -> ProjectionError {
        let (name, sequence_number) = (event.name().to_owned(), event.sequence_number());
        match self {
            Failure::Payload(source) => ProjectionError::Payload { name, sequence_number, source },
            Failure::Refused(reason) => ProjectionError::Upcaster { name, sequence_number, schema_version, reason },
        }
    }
}

/// The payload as what a function takes. A `Value` is read strictly: what JSON cannot say is refused, not bent.
fn read<Old: DeserializeOwned + 'static>(payload: PayloadRef<'_>) -> Result<Old, PayloadError> {
    if TypeId::of::<Old>() == TypeId::of::<Value>() {
        let value: Box<dyn Any> = Box::new(payload.to_json()?);
        if let Ok(value) = value.downcast::<Old>() {
            return Ok(*value);
        }
    }
    payload.decode()
}

/// What a function returned, as the payload for the next step.
fn write<New: Serialize + 'static>(payload: PayloadRef<'_>, new: &New) -> Result<Payload, Failure> {
    let is_value = TypeId::of::<New>() == TypeId::of::<Value>();
    let codec = if is_value || payload.is_textual() { Codec::Json } else { Codec::MessagePack };
    Payload::encode(codec, new).map_err(Failure::Payload)
}

impl fmt::Debug for Upcasters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys: Vec<(&str, u32)> = self
            .steps
            .iter()
            .flat_map(|(name, versions)| versions.keys().map(move |version| (&**name, *version)))
            .collect();
        keys.sort_unstable();
        f.debug_tuple("Upcasters").field(&keys).finish()
    }
}

/// An event with a payload that can be read as a type: [`StoredEvent`] or [`EventRef`].
pub trait TypedEvent: sealed::Sealed {
    /// The event's name.
    fn name(&self) -> &str;
    /// The event's place in the log.
    fn sequence_number(&self) -> SequenceNumber;
    /// The payload, not decoded.
    fn payload(&self) -> PayloadRef<'_>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::StoredEvent {}
    impl Sealed for super::EventRef<'_> {}
}

macro_rules! typed_event {
    ($event:ty) => {
        impl TypedEvent for $event {
            fn name(&self) -> &str {
                self.name()
            }

            fn sequence_number(&self) -> SequenceNumber {
                self.sequence_number()
            }

            fn payload(&self) -> PayloadRef<'_> {
                self.payload()
            }
        }
    };
}

typed_event!(StoredEvent);
typed_event!(EventRef<'_>);
