//! The three handles: a log, a category, a stream. Each is a name and a store; none holds anything open.

use super::subscription::Wanted;
use super::{EventStore, Scan, ScanIter, Subscription};
use crate::adapters::{Append, AppendPart};
use crate::vocabulary::append::StreamHint;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::condition::{Condition, IntoCondition};
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::identifier::{Category, Log, Stream};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::ticket::Ticket;
use crate::vocabulary::transaction::{Receipt, transaction};
use std::sync::Arc;

/// The whole log, for reading. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventLog {
    store: EventStore,
    log: Log,
}

/// A category, for reading and for publishing to several of its streams at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventCategory {
    store: EventStore,
    category: Category,
    defaults: Defaults,
}

/// A stream, for publishing and reading. Cheap to clone. One that is kept appends faster than one that is made for each append:
/// it remembers where its stream is found.
#[derive(Debug, Clone)]
pub struct EventStream {
    store: EventStore,
    stream: Stream,
    defaults: Defaults,
    hint: StreamHint,
}

/// The attributes that a handle's events carry; without any, nothing is kept and looked at.
#[derive(Debug, Clone, Default)]
struct Defaults(Option<Arc<Attributes>>);

impl Defaults {
    fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) {
        Arc::make_mut(self.0.get_or_insert_default()).set(name, value);
    }

    /// The event with the attributes that it lacks, after its own.
    #[inline]
    fn filled(&self, mut event: NewEvent) -> NewEvent {
        if let Some(defaults) = &self.0 {
            fill(&mut event, defaults);
        }
        event
    }
}

fn fill(event: &mut NewEvent, defaults: &Attributes) {
    for (name, value) in defaults.iter() {
        if event.attributes.get(name).is_none() {
            event.attributes.set(name, value.clone());
        }
    }
}

/// Reading is the same for all three: `reads!(type, field that identifies)`.
macro_rules! reads {
    ($handle:ty, $field:ident, $identifier:ty) => {
        impl $handle {
            /// What this handle reads.
            #[must_use]
            pub fn identifier(&self) -> &$identifier {
                &self.$field
            }

            /// The store.
            #[must_use]
            pub fn store(&self) -> &EventStore {
                &self.store
            }

            /// A scan, oldest first, of everything: narrow it, then iterate over it or visit it.
            pub fn scan(&self) -> Scan {
                self.store.scan(ScanQuery::new(self.$field.clone()))
            }

            /// A subscription, from the first event on: to those there are, and then to those that come.
            pub fn subscribe(&self) -> Subscription {
                self.store.follow(Wanted::Of(self.$field.clone().into()))
            }

            /// All events, in order, in memory. Prefer [`scan`](Self::scan) for more than fits there.
            ///
            /// # Errors
            /// [`ReadError::Corrupt`] when one is damaged; else as every [`ReadError`].
            pub fn read(&self) -> Result<Vec<StoredEvent>, ReadError> {
                self.scan().read()
            }

            /// The newest event, if there is one.
            ///
            /// # Errors
            /// [`ReadError::Corrupt`] when it is damaged; else as every [`ReadError`].
            pub fn latest(&self) -> Result<Option<StoredEvent>, ReadError> {
                self.store.shared.adapter.latest(&self.$field.clone().into())
            }
        }

        impl IntoIterator for &$handle {
            type Item = Result<StoredEvent, ReadError>;
            type IntoIter = ScanIter;

            fn into_iter(self) -> ScanIter {
                self.scan().into_iter()
            }
        }

        impl IntoIterator for $handle {
            type Item = Result<StoredEvent, ReadError>;
            type IntoIter = ScanIter;

            fn into_iter(self) -> ScanIter {
                self.scan().into_iter()
            }
        }
    };
}

reads!(EventLog, log, Log);
reads!(EventCategory, category, Category);
reads!(EventStream, stream, Stream);

impl EventLog {
    pub(super) fn new(store: EventStore, log: Log) -> Self {
        Self { store, log }
    }

    /// Narrows the log to a category.
    #[must_use]
    pub fn category(&self, category: impl Into<Arc<str>>) -> EventCategory {
        self.store.category(category)
    }

    /// Narrows the log to a stream.
    #[must_use]
    pub fn stream(&self, category: impl Into<Arc<str>>, stream: impl Into<Arc<str>>) -> EventStream {
        self.store.stream(category, stream)
    }

    /// The names of all categories that have events, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn categories(&self) -> Result<Vec<String>, ReadError> {
        self.store.categories()
    }
}

impl EventCategory {
    pub(super) fn new(store: EventStore, category: Category) -> Self {
        Self { store, category, defaults: Defaults::default() }
    }

    /// The same category, whose published events carry this attribute unless they have one of that name.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.defaults.set(name, value);
        self
    }

    /// Narrows the category to a stream; default attributes go along.
    #[must_use]
    pub fn stream(&self, stream: impl Into<Arc<str>>) -> EventStream {
        let stream = self.category.stream(stream);
        EventStream { store: self.store.clone(), stream, defaults: self.defaults.clone(), hint: StreamHint::default() }
    }

    /// The names of the category's streams that have events, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn streams(&self) -> Result<Vec<String>, ReadError> {
        self.store.shared.adapter.streams(self.category.category())
    }

    /// Appends events to several streams of the category, all or none, in the order given.
    ///
    /// # Errors
    /// As [`EventStream::publish`].
    pub fn publish<S, E>(&self, streams: impl IntoIterator<Item = (S, E)>) -> Result<Receipt, AppendError>
    where
        S: Into<Arc<str>>,
        E: IntoIterator<Item = NewEvent>,
    {
        self.publish_if(streams.into_iter().map(|(stream, events)| (stream, events, Condition::any())))
    }

    /// Appends events to several streams of the category, each on its condition, all or none, in the order given.
    ///
    /// # Errors
    /// [`AppendError::Unmet`] when one of the conditions does not hold; else as [`EventStream::publish`].
    pub fn publish_if<S, E, C>(&self, streams: impl IntoIterator<Item = (S, E, C)>) -> Result<Receipt, AppendError>
    where
        S: Into<Arc<str>>,
        E: IntoIterator<Item = NewEvent>,
        C: IntoCondition,
    {
        let mut whole = transaction();
        for (stream, events, condition) in streams {
            let events = events.into_iter().map(|event| self.defaults.filled(event));
            whole = whole.stream_if(self.category.category(), stream, events, condition);
        }
        self.store.append(whole)
    }
}

impl EventStream {
    pub(super) fn new(store: EventStore, stream: Stream) -> Self {
        Self { store, stream, defaults: Defaults::default(), hint: StreamHint::default() }
    }

    /// The same stream, whose published events carry this attribute unless they have one of that name.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.defaults.set(name, value);
        self
    }

    /// Appends events, all or none, in order. Without events it writes nothing.
    ///
    /// # Errors
    /// [`AppendError::Limit`] for too much at once; [`AppendError::TimedOut`] and [`AppendError::Unknown`] after
    /// [`Options::append_deadline`](crate::Options::append_deadline); [`AppendError::NoSpace`], [`AppendError::Io`] and
    /// [`AppendError::Poisoned`] when the disk fails; [`AppendError::Closed`] and the like when the store takes no appends.
    /// [`AppendError::retry`] says of each whether a retry is safe.
    pub fn publish(&self, events: impl IntoIterator<Item = NewEvent>) -> Result<Receipt, AppendError> {
        self.publish_if(events, Condition::any())
    }

    /// Appends events, all or none, in order, if the condition holds. Without events it checks the condition and writes
    /// nothing.
    ///
    /// # Errors
    /// [`AppendError::Unmet`] when the condition does not hold; else as [`publish`](Self::publish).
    pub fn publish_if(
        &self,
        events: impl IntoIterator<Item = NewEvent>,
        condition: impl IntoCondition,
    ) -> Result<Receipt, AppendError> {
        let adapter = &self.store.shared.adapter;
        self.lend(events, &condition.into_condition(), |append| adapter.append(append))
    }

    /// Appends events without waiting for anything; the [`Ticket`] tells what became of them. See
    /// [`EventStore::append_deferred`].
    ///
    /// # Errors
    /// As [`EventStore::append_deferred`].
    pub fn publish_deferred(&self, events: impl IntoIterator<Item = NewEvent>) -> Result<Ticket, AppendError> {
        self.publish_deferred_if(events, Condition::any())
    }

    /// Appends events without waiting for anything, if the condition holds when their turn comes; the [`Ticket`] tells.
    ///
    /// # Errors
    /// As [`EventStore::append_deferred`].
    pub fn publish_deferred_if(
        &self,
        events: impl IntoIterator<Item = NewEvent>,
        condition: impl IntoCondition,
    ) -> Result<Ticket, AppendError> {
        let adapter = &self.store.shared.adapter;
        self.lend(events, &condition.into_condition(), |append| adapter.append_deferred(append))
    }

    /// Lends events, with the attributes that the handle gives them, to whoever appends them.
    fn lend<T>(
        &self,
        events: impl IntoIterator<Item = NewEvent>,
        condition: &Condition,
        to: impl FnOnce(&Append<'_>) -> T,
    ) -> T {
        let to = |events: &[NewEvent]| {
            let part = AppendPart { stream: &self.stream, events, condition, hint: Some(&self.hint) };
            to(&Append::new(&Attributes::new(), &[part]))
        };
        let mut events = events.into_iter().map(|event| self.defaults.filled(event));
        if events.size_hint().1 != Some(1) {
            return to(&events.collect::<Vec<_>>());
        }
        // One event, which is what most publish, takes no memory for a list.
        let first = events.next();
        let second = first.as_ref().and_then(|_| events.next());
        if second.is_none() {
            return to(first.as_slice());
        }
        // Whose iterator promised less than it gives has its events published all the same.
        to(&first.into_iter().chain(second).chain(events).collect::<Vec<_>>())
    }
}
