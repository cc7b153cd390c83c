//! A transaction on its way into an adapter, and the check that it keeps the limits.

use super::append_condition::AppendCondition;
use super::attributes::Attributes;
use super::condition::Condition;
use super::error::{AppendError, LimitExceeded, LimitedThing};
use super::event::NewEvent;
use super::identifier::Stream;
use super::number::Revision;
use super::options::Limits;
use super::strict;
use super::time::Timestamp;
use super::transaction::{StoredTransaction, StreamEvents, SystemRecord, Transaction};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A transaction on its way into an adapter, borrowed from whoever appends.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Append<'a> {
    /// The transaction's id.
    pub id: Option<&'a Arc<str>>,
    /// The transaction's attributes.
    pub attributes: &'a Attributes,
    /// The events by stream, in order. One stream may occur several times.
    pub parts: &'a [AppendPart<'a>],
    /// The system records, in order.
    pub records: &'a [SystemRecord],
    /// What must hold of the log before the transaction, beside the conditions on streams.
    pub when: &'a [AppendCondition],
    /// Whether events to which their producer gave no time of observation are observed when they are recorded: what a database
    /// promises. Otherwise they were when they were made.
    pub observed_when_recorded: bool,
}

impl Append<'_> {
    /// How many events there are.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.parts.iter().map(|part| part.events.len()).sum()
    }
}

/// The events of one stream, and what must hold of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AppendPart<'a> {
    /// The stream.
    pub stream: &'a Stream,
    /// Its new events.
    pub events: &'a [NewEvent],
    /// What must hold of the stream before the transaction.
    pub condition: &'a Condition,
    /// Where the store's writer found the stream last, if whoever appends keeps such notes.
    pub(crate) hint: Option<&'a StreamHint>,
}

/// A note that a store's writer leaves in a handle: where it found the handle's stream. What it says is looked at, not believed;
/// so it may be stale, and may come from several threads in any order. Means something to the store that left it alone.
#[derive(Debug, Default)]
pub(crate) struct StreamHint(AtomicU64);

impl StreamHint {
    /// What was left last; 0 if nothing was.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Leaves a note.
    #[inline]
    pub(crate) fn set(&self, note: u64) {
        self.0.store(note, Ordering::Relaxed);
    }
}

impl Clone for StreamHint {
    fn clone(&self) -> Self {
        Self(AtomicU64::new(self.get()))
    }
}

impl<'a> AppendPart<'a> {
    /// Events for a stream under a condition.
    #[must_use]
    pub fn new(stream: &'a Stream, events: &'a [NewEvent], condition: &'a Condition) -> Self {
        Self { stream, events, condition, hint: None }
    }
}

impl<'a> Append<'a> {
    /// A transaction of these parts, without id, attributes and records.
    #[must_use]
    pub fn new(attributes: &'a Attributes, parts: &'a [AppendPart<'a>]) -> Self {
        Self { id: None, attributes, parts, records: &[], when: &[], observed_when_recorded: false }
    }
}

impl Append<'_> {
    /// A copy that owns what it holds. Names and payloads are shared, not copied.
    pub(crate) fn owned(&self) -> Transaction {
        let owned = |part: &AppendPart<'_>| StreamEvents {
            stream: part.stream.clone(),
            events: part.events.to_vec(),
            condition: part.condition.clone(),
        };
        Transaction {
            id: self.id.cloned(),
            attributes: self.attributes.clone(),
            parts: self.parts.iter().map(owned).collect(),
            records: self.records.to_vec(),
            when: self.when.to_vec(),
            observed_when_recorded: self.observed_when_recorded,
        }
    }
}

impl Transaction {
    /// Lends the transaction to whoever appends it.
    pub(crate) fn lend<T>(&self, to: impl FnOnce(&Append<'_>) -> T) -> T {
        let parts: Vec<AppendPart<'_>> =
            self.parts.iter().map(|part| AppendPart::new(&part.stream, &part.events, &part.condition)).collect();
        to(&Append {
            id: self.id.as_ref(),
            attributes: &self.attributes,
            parts: &parts,
            records: &self.records,
            when: &self.when,
            observed_when_recorded: self.observed_when_recorded,
        })
    }
}

/// The append that most are: one event that carries what every event does, and no more, and keeps all limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainAppend<'a> {
    pub(crate) part: &'a AppendPart<'a>,
    pub(crate) event: &'a NewEvent,
}

impl<'a> PlainAppend<'a> {
    /// The append as a plain one, if it is one. What it refuses, [`check`] tells the reason of, if there is one.
    #[inline]
    pub(crate) fn of(append: &Append<'a>, limits: &Limits) -> Option<Self> {
        let ([part], None, true) = (append.parts, append.id, append.attributes.is_empty()) else { return None };
        let ([event], true) = (part.events, append.records.is_empty()) else { return None };
        if !append.when.is_empty() || append.observed_when_recorded {
            return None;
        }
        let (category, stream) = (part.stream.category().len(), part.stream.stream().len());
        let (name, payload) = (event.name().len(), event.payload.bytes.len());
        let content = category + stream + name + payload;
        let fits = category.max(stream).max(name) <= limits.name_bytes
            && payload <= limits.payload_bytes
            && content <= limits.transaction_bytes
            && limits.transaction_events > 0;
        (fits && event.is_plain()).then_some(Self { part, event })
    }
}

/// The namespace of the store's own system records.
pub(crate) const OWN_NAMESPACE: &str = "stratalog";

/// Checks an append against the limits and, in a store with strict names, against EvidentSource's rules for names. Gives the
/// bytes of its content.
///
/// # Errors
/// The first thing that is too much or outside the rules.
pub(crate) fn check(append: &Append<'_>, limits: &Limits, strict_names: bool) -> Result<usize, AppendError> {
    if let Some(id) = append.id {
        LimitExceeded::check(LimitedThing::TransactionId, id.len(), limits.transaction_id_bytes)?;
    }
    LimitExceeded::check(LimitedThing::TransactionEvents, append.event_count(), limits.transaction_events)?;
    // The bytes of the transaction's content: about the least that it takes as stored, however it is laid out.
    let mut bytes = append.id.map_or(0, |id| id.len()) + check_attributes(append.attributes, limits)?;
    for part in append.parts {
        let (category, stream) = (part.stream.category().len(), part.stream.stream().len());
        LimitExceeded::check(LimitedThing::CategoryName, category, limits.name_bytes)?;
        LimitExceeded::check(LimitedThing::StreamName, stream, limits.name_bytes)?;
        if part.events.is_empty() {
            continue;
        }
        bytes += category + stream;
        if strict_names {
            strict::stream(part.stream)?;
        }
        for event in part.events {
            bytes += check_event(event, limits)?;
            if strict_names {
                strict::event(event.name(), event.id(), event.attributes())?;
            }
        }
    }
    for condition in append.when {
        condition.selector().check()?;
    }
    for record in append.records {
        if &*record.namespace == OWN_NAMESPACE {
            return Err(AppendError::ReservedNamespace { namespace: Arc::clone(&record.namespace) });
        }
        bytes += check_record(record, limits)?;
    }
    LimitExceeded::check(LimitedThing::TransactionBytes, bytes, limits.transaction_bytes)?;
    Ok(bytes)
}

/// Checks that a stored transaction continues a log at `revision` whose last time is `last_recorded_at`; `next_position` hands
/// out the next position of a stream at each call.
///
/// # Errors
/// [`AppendError::NotContiguous`] for the first thing that does not fit.
pub(crate) fn check_continues(
    transaction: &StoredTransaction,
    revision: Revision,
    last_recorded_at: Option<Timestamp>,
    mut next_position: impl FnMut(&Stream) -> Result<u64, AppendError>,
) -> Result<(), AppendError> {
    let refused = |what, expected: String, actual: String| Err(AppendError::NotContiguous { what, expected, actual });
    if transaction.basis != revision {
        return refused("revision before the transaction", revision.to_string(), transaction.basis.to_string());
    }
    if let Some(last) = last_recorded_at.filter(|last| transaction.recorded_at < *last) {
        return refused("recorded time", format!("{last} or later"), transaction.recorded_at.to_string());
    }
    if transaction.id.is_some() != transaction.digest.is_some() {
        return refused("digest", "one exactly with an id".into(), format!("{:?}", transaction.digest));
    }
    for (index, event) in transaction.events.iter().enumerate() {
        let number = revision.get() + index as u64;
        if event.sequence_number().get() != number {
            return refused("sequence number", number.to_string(), event.sequence_number().to_string());
        }
        let position = next_position(&event.stream_id())?;
        if event.position().get() != position {
            return refused("position", position.to_string(), event.position().to_string());
        }
    }
    Ok(())
}

/// Checks the names of a stored transaction against EvidentSource's rules, for a store with strict names.
///
/// # Errors
/// [`AppendError::InvalidName`] for the first one that breaks them.
pub(crate) fn check_strict(transaction: &StoredTransaction) -> Result<(), AppendError> {
    for event in &transaction.events {
        strict::stream(&event.stream_id())?;
        let id = event.id();
        strict::event(event.name(), Some(&id), event.attributes())?;
    }
    Ok(())
}

/// Checks that no two events of the append have the same id in one category, as far as their producers gave them ids.
///
/// # Errors
/// [`AppendError::DuplicateEventId`] for the first that is there twice.
pub(crate) fn check_ids(append: &Append<'_>) -> Result<(), AppendError> {
    let mut seen = HashSet::new();
    for part in append.parts {
        for id in part.events.iter().filter_map(NewEvent::id) {
            if !seen.insert((part.stream.category(), id)) {
                let (category, id) = (part.stream.category().into(), id.clone());
                return Err(AppendError::DuplicateEventId { category, id, revision: None });
            }
        }
    }
    Ok(())
}

/// Checks a record, and counts its bytes.
fn check_record(record: &SystemRecord, limits: &Limits) -> Result<usize, LimitExceeded> {
    let key = record.namespace.len() + record.key.len();
    LimitExceeded::check(LimitedThing::RecordKey, key, limits.record_key_bytes)?;
    let value = record.value.as_ref().map_or(0, bytes::Bytes::len);
    LimitExceeded::check(LimitedThing::RecordValue, value, limits.record_value_bytes)?;
    Ok(key + value)
}

/// Checks an event, and counts its bytes.
fn check_event(event: &NewEvent, limits: &Limits) -> Result<usize, LimitExceeded> {
    let payload = event.payload();
    LimitExceeded::check(LimitedThing::EventName, event.name().len(), limits.name_bytes)?;
    LimitExceeded::check(LimitedThing::Payload, payload.bytes.len(), limits.payload_bytes)?;
    let mut bytes = event.name().len() + payload.bytes.len();
    if let Some(id) = event.id() {
        LimitExceeded::check(LimitedThing::EventId, id.text_len(), limits.name_bytes)?;
        bytes += id.stored_len();
    }
    if let Some(content_type) = payload.content_type {
        LimitExceeded::check(LimitedThing::ContentType, content_type.len(), limits.name_bytes)?;
        bytes += content_type.len();
    }
    if let Some(schema) = payload.schema {
        LimitExceeded::check(LimitedThing::Schema, schema.len(), limits.name_bytes)?;
        bytes += schema.len();
    }
    if let Some(metadata) = event.metadata() {
        LimitExceeded::check(LimitedThing::Metadata, metadata.len(), limits.metadata_bytes)?;
        bytes += metadata.len();
    }
    Ok(bytes + check_attributes(event.attributes(), limits)?)
}

/// Checks attributes, and counts their bytes.
fn check_attributes(attributes: &Attributes, limits: &Limits) -> Result<usize, LimitExceeded> {
    LimitExceeded::check(LimitedThing::Attributes, attributes.len(), limits.attributes)?;
    let mut bytes = 0;
    for (name, value) in attributes.iter() {
        LimitExceeded::check(LimitedThing::AttributeName, name.len(), limits.attribute_name_bytes)?;
        LimitExceeded::check(LimitedThing::AttributeValue, value.len(), limits.attribute_value_bytes)?;
        bytes += name.len() + value.len();
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_append(category: &str, event: NewEvent, strict: bool) -> Result<usize, AppendError> {
        let (stream, events, any) = (Stream::new(category, "s"), [event], Condition::any());
        let parts = [AppendPart::new(&stream, &events, &any)];
        check(&Append::new(&Attributes::new(), &parts), &Limits::default(), strict)
    }

    #[test]
    fn a_limit_says_what_how_much_and_how_much_is_allowed() {
        let error = try_append("c", NewEvent::empty("n".repeat(4_097)), false).unwrap_err();
        let AppendError::Limit(limit) = error else { panic!("{error}") };
        assert_eq!((limit.thing, limit.actual, limit.limit), (LimitedThing::EventName, 4_097, 4_096));
        assert!(try_append("c", NewEvent::empty("n".repeat(4_096)), false).is_ok());
        assert!(try_append(&"c".repeat(4_097), NewEvent::empty("n"), false).is_err());
    }

    #[test]
    fn names_of_categories_and_streams_count_as_content() {
        let (stream, events, any) =
            (Stream::new("c".repeat(40), "s".repeat(30)), [NewEvent::empty("n")], Condition::any());
        let (with, without) = ([AppendPart::new(&stream, &events, &any)], [AppendPart::new(&stream, &[], &any)]);
        let try_with = |parts: &[AppendPart<'_>], transaction_bytes| {
            check(&Append::new(&Attributes::new(), parts), &Limits { transaction_bytes, ..Limits::default() }, false)
        };
        assert!(try_with(&with, 71).is_ok() && try_with(&without, 0).is_ok());
        let error = try_with(&with, 70).unwrap_err();
        assert!(matches!(&error, AppendError::Limit(limit) if limit.actual == 71), "{error}");
    }

    #[test]
    fn strict_names_refuse_what_evidentsource_does() {
        for category in ["t", ".github", "", " ", "a\u{1f}b", &"c".repeat(300)] {
            let outcome = try_append(category, NewEvent::empty("n"), true);
            assert!(matches!(outcome, Err(AppendError::InvalidName { .. })), "{category:?}");
            assert!(try_append(category, NewEvent::empty("n"), false).is_ok(), "{category:?}");
        }
        assert!(try_append("accounts", NewEvent::empty("n").with_attribute("tenant", "t"), true).is_ok());
        assert!(try_append("accounts", NewEvent::empty("n").with_attribute("Tenant", "t"), true).is_err());
    }
}
