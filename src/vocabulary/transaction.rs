//! Transactions: what is appended all or none, its receipt, and how it is read back.

use super::append_condition::AppendCondition;
use super::attributes::{AttributeValue, Attributes};
use super::condition::{Condition, IntoCondition};
use super::event::{NewEvent, StoredEvent};
use super::identifier::Stream;
use super::number::{Position, Revision, SequenceNumber};
use super::options::Durability;
use super::time::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

/// Events of any streams and categories, appended all or none.
///
/// Events keep the order in which they are added. Conditions see the state before the transaction.
///
/// ```
/// use stratalog::{position_is, transaction, EventStore, NewEvent};
/// # fn main() -> stratalog::Result<()> {
/// let store = EventStore::in_memory();
/// let receipt = store.append(
///     transaction()
///         .id("transfer-7")
///         .stream_if("accounts", "acc-42", [NewEvent::empty("debited")], position_is(None))
///         .stream("accounts", "acc-43", [NewEvent::empty("credited")]),
/// )?;
/// assert_eq!(receipt.count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    pub(crate) id: Option<Arc<str>>,
    pub(crate) attributes: Attributes,
    pub(crate) parts: Vec<StreamEvents>,
    pub(crate) records: Vec<SystemRecord>,
    pub(crate) when: Vec<AppendCondition>,
    pub(crate) observed_when_recorded: bool,
}

/// The events of one stream within a transaction, and the condition on that stream.
#[derive(Debug, Clone)]
pub(crate) struct StreamEvents {
    pub(crate) stream: Stream,
    pub(crate) events: Vec<NewEvent>,
    pub(crate) condition: Condition,
}

/// A new, empty transaction.
#[must_use]
pub fn transaction() -> Transaction {
    Transaction::default()
}

impl Transaction {
    /// Gives the transaction an id, up to 255 bytes, which makes a retry harmless: the same id with the same content returns
    /// the first receipt and writes nothing; with other content it is refused.
    #[must_use]
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets an attribute of the transaction, such as a correlation id or a principal.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<Arc<str>>, value: impl Into<AttributeValue>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Adds events to a stream.
    #[must_use]
    pub fn stream(
        self,
        category: impl Into<Arc<str>>,
        stream: impl Into<Arc<str>>,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        self.stream_if(category, stream, events, Condition::any())
    }

    /// Adds events to a stream on a condition. Without events, the condition alone.
    #[must_use]
    pub fn stream_if(
        mut self,
        category: impl Into<Arc<str>>,
        stream: impl Into<Arc<str>>,
        events: impl IntoIterator<Item = NewEvent>,
        condition: impl IntoCondition,
    ) -> Self {
        self.parts.push(StreamEvents {
            stream: Stream::new(category, stream),
            events: events.into_iter().collect(),
            condition: condition.into_condition(),
        });
        self
    }

    /// Adds a system record.
    #[must_use]
    pub fn record(mut self, record: SystemRecord) -> Self {
        self.records.push(record);
        self
    }

    /// Adds a condition on the log: what must hold of the latest event that a selector selects. All must hold, beside those on
    /// streams; of those that do not, every one is reported.
    #[must_use]
    pub fn when(mut self, condition: AppendCondition) -> Self {
        self.when.push(condition);
        self
    }

    /// How many events the transaction holds.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.parts.iter().map(|part| part.events.len()).sum()
    }
}

/// A piece of the store's own bookkeeping: same atomicity as events, but no number, and invisible to scans.
///
/// The latest record of a (namespace, key) counts. A record without a value removes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SystemRecord {
    /// Whose record it is; `stratalog` is the store's own and refused from outside.
    pub namespace: Arc<str>,
    /// Which of that namespace's.
    pub key: Arc<str>,
    /// What it holds; `None` removes it.
    pub value: Option<Bytes>,
}

impl SystemRecord {
    /// A record that sets a value.
    #[must_use]
    pub fn set(namespace: impl Into<Arc<str>>, key: impl Into<Arc<str>>, value: impl Into<Bytes>) -> Self {
        Self { namespace: namespace.into(), key: key.into(), value: Some(value.into()) }
    }

    /// A record that removes a value.
    #[must_use]
    pub fn remove(namespace: impl Into<Arc<str>>, key: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), key: key.into(), value: None }
    }
}

/// What an append did.
///
/// The receipt of a repeated transaction is equal to the first one's, and says that it [is a repeat](Receipt::is_repeat).
#[derive(Debug, Clone)]
pub struct Receipt {
    pub(crate) transaction_id: Option<Arc<str>>,
    pub(crate) basis: Revision,
    pub(crate) count: u32,
    pub(crate) recorded_at: Timestamp,
    pub(crate) durability: Durability,
    pub(crate) last_position: Option<Position>,
    pub(crate) repeat: bool,
    pub(crate) clock_behind: bool,
}

impl Receipt {
    /// The transaction's id, if it had one.
    #[must_use]
    pub fn transaction_id(&self) -> Option<&str> {
        self.transaction_id.as_deref()
    }

    /// The log's revision before the transaction.
    #[must_use]
    pub fn basis(&self) -> Revision {
        self.basis
    }

    /// The log's revision with the transaction: `basis + count`.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision::new(self.basis.get() + u64::from(self.count))
    }

    /// How many events were appended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// The sequence number of the first event, if there was one.
    #[must_use]
    pub fn first_sequence_number(&self) -> Option<SequenceNumber> {
        (self.count > 0).then(|| SequenceNumber::new(self.basis.get()))
    }

    /// The sequence number of the last event, if there was one.
    #[must_use]
    pub fn last_sequence_number(&self) -> Option<SequenceNumber> {
        (self.count > 0).then(|| SequenceNumber::new(self.revision().get() - 1))
    }

    /// The position, in its stream, of the transaction's last event, if there was one: for an append to one stream, what
    /// [`position_is`](crate::position_is) of the next one wants.
    #[must_use]
    pub fn last_position(&self) -> Option<Position> {
        self.last_position
    }

    /// When the log took the transaction.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// What `Ok` meant: how safe the transaction is.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether the transaction was there already under this id, so that nothing was written now.
    #[must_use]
    pub fn is_repeat(&self) -> bool {
        self.repeat
    }

    /// Whether the clock is more than an hour behind the log's last time, which `recorded_at` therefore repeats.
    #[must_use]
    pub fn clock_is_behind(&self) -> bool {
        self.clock_behind
    }
}

/// Receipts are equal when they are of the same transaction, repeated or not.
impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        self.transaction_id == other.transaction_id
            && self.basis == other.basis
            && self.count == other.count
            && self.recorded_at == other.recorded_at
            && self.last_position == other.last_position
    }
}

impl Eq for Receipt {}

/// A 128-bit digest of what a caller submitted under a transaction id (xxHash3 of its content, defaults left out).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub(crate) u128);

/// A transaction as the log holds it: for copies, exports and audits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTransaction {
    pub(crate) id: Option<Arc<str>>,
    pub(crate) digest: Option<Digest>,
    pub(crate) attributes: Attributes,
    pub(crate) basis: Revision,
    pub(crate) recorded_at: Timestamp,
    pub(crate) events: Vec<StoredEvent>,
    pub(crate) records: Vec<SystemRecord>,
}

impl StoredTransaction {
    /// The transaction's id, if it had one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The digest of what was submitted; present exactly when there is an id.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The transaction's attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// The log's revision before the transaction.
    #[must_use]
    pub fn basis(&self) -> Revision {
        self.basis
    }

    /// The log's revision with the transaction.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision::new(self.basis.get() + self.events.len() as u64)
    }

    /// When the log took it.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Its events, in order.
    #[must_use]
    pub fn events(&self) -> &[StoredEvent] {
        &self.events
    }

    /// Its system records, in order.
    #[must_use]
    pub fn records(&self) -> &[SystemRecord] {
        &self.records
    }
}
