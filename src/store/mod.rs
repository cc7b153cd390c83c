//! Floor 8: what users hold: the store and its three handles.

mod handles;
mod retry;
mod scan;
mod subscription;

pub use handles::{EventCategory, EventLog, EventStream};
pub use retry::retry_on_conflict;
pub use scan::{Scan, ScanIter, Visit};
pub use subscription::{Cancellation, Subscription};

use crate::adapters::log::LogAdapter;
use crate::adapters::memory::MemoryAdapter;
use crate::adapters::{Capabilities, Stats, StorageAdapter};
use crate::vocabulary::error::{AppendError, OpenError, ReadError};
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::identifier::{Category, Log, Stream};
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::payload::{Codec, Payload, PayloadError};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::selector::Selector;
use crate::vocabulary::ticket::Ticket;
use crate::vocabulary::time::{Clock, SystemClock, Timestamp};
use crate::vocabulary::transaction::{Receipt, StoredTransaction, Transaction};
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use subscription::Wanted;

/// An event store: append events to streams under conditions, read them back in order.
///
/// Cheap to clone; clones are the same store. Send one to every thread.
///
/// ```
/// use stratalog::{stream_is_empty, EventStore, NewEvent};
/// # fn main() -> stratalog::Result<()> {
/// let store = EventStore::in_memory();
/// let account = store.stream("accounts", "acc-42");
/// account.publish_if([NewEvent::new("account-opened", "Ada")?], stream_is_empty())?;
/// let owner: String = account.read()?[0].decode()?;
/// assert_eq!(owner, "Ada");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "database")]
#[derive(Clone)]
pub struct EventStore {
    shared: Arc<Shared>,
}

/// What clones of a store share: behind one reference, since every handle has it.
struct Shared {
    adapter: Arc<dyn StorageAdapter>,
    codec: Codec,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for EventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventStore").field(&self.shared.adapter).finish()
    }
}

impl EventStore {
    /// Opens the store in a directory, or makes one there, with the default options: every append is on disk when it returns.
    ///
    /// # Errors
    /// [`OpenError::AlreadyOpen`] while another handle or process has it open, [`OpenError::NotAStore`] where the directory holds
    /// something else, [`OpenError::Corrupt`] for damage that a crash does not explain; see [`OpenError`] for the others.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(path, Options::default())
    }

    /// Opens the store in a directory with options of your choice.
    ///
    /// # Errors
    /// As [`open`](Self::open); also [`OpenError::NotFound`] and [`OpenError::AlreadyExists`] as [`Options::mode`] has it,
    /// [`OpenError::InvalidOption`] and [`OpenError::SettingConflict`] for options that cannot be.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let adapter = LogAdapter::open(path, &options)?;
        let shared = Shared { adapter: Arc::new(adapter), codec: options.codec, clock: options.clock };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// A store on an adapter of your choice.
    #[must_use]
    pub fn new(adapter: impl StorageAdapter + 'static) -> Self {
        Self::from_arc(Arc::new(adapter))
    }

    /// A store on an adapter that is shared already.
    #[must_use]
    pub fn from_arc(adapter: Arc<dyn StorageAdapter>) -> Self {
        Self { shared: Arc::new(Shared { adapter, codec: Codec::default(), clock: Arc::new(SystemClock) }) }
    }

    /// A store in this process's memory, which ends with it: for tests and prototypes.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(MemoryAdapter::new())
    }

    /// The adapter below.
    #[must_use]
    pub fn adapter(&self) -> &Arc<dyn StorageAdapter> {
        &self.shared.adapter
    }

    /// The whole log, for reading. Does no input or output.
    #[must_use]
    pub fn log(&self) -> EventLog {
        EventLog::new(self.clone(), Log::new())
    }

    /// A category, for reading and for publishing to several of its streams at once. Does no input or output: categories exist
    /// implicitly, and an unknown one reads as empty.
    #[must_use]
    pub fn category(&self, category: impl Into<Arc<str>>) -> EventCategory {
        EventCategory::new(self.clone(), Category::new(category))
    }

    /// A stream, for publishing and reading. Does no input or output: streams exist implicitly, and an unknown one reads as
    /// empty.
    #[must_use]
    pub fn stream(&self, category: impl Into<Arc<str>>, stream: impl Into<Arc<str>>) -> EventStream {
        EventStream::new(self.clone(), Stream::new(category, stream))
    }

    /// A subscription to the events that a selector selects: those there are, and then those that come. Those of a category or
    /// stream alone are found faster by the subscriptions of their handles.
    pub fn subscribe(&self, selector: impl Into<Selector>) -> Subscription {
        self.follow(Wanted::Selected(selector.into()))
    }

    /// A new event with a typed payload in the store's codec ([`Options::codec`](crate::Options::codec)), observed now by the
    /// store's clock.
    ///
    /// # Errors
    /// [`PayloadError::Encode`] when the payload cannot be written.
    pub fn event<T: Serialize + ?Sized>(
        &self,
        name: impl Into<Arc<str>>,
        payload: &T,
    ) -> Result<NewEvent, PayloadError> {
        Ok(NewEvent::from_payload(name, Payload::encode(self.shared.codec, payload)?).with_clock(&*self.shared.clock))
    }

    /// Appends a transaction, all or none. Under an id that the log has with the same content it writes nothing and returns the
    /// first receipt.
    ///
    /// # Errors
    /// [`AppendError::Unmet`] when a condition does not hold, [`AppendError::DuplicateTransaction`] when the id is taken by other
    /// content; else as [`EventStream::publish`].
    pub fn append(&self, transaction: Transaction) -> Result<Receipt, AppendError> {
        transaction.lend(|append| self.shared.adapter.append(append))
    }

    /// Appends a transaction without waiting for anything, neither for its turn nor for the disk, and gives a [`Ticket`] that
    /// tells what became of it: first whether it was accepted, then that it is durable. So one thread keeps thousands of durable
    /// appends in flight.
    ///
    /// Deferred appends of one thread come into the log in the order of the calls, and before what that thread appends later.
    /// They are made durable by themselves, many with one sync: with [`Durability::Sync`] as fast as the disk goes, with
    /// [`Durability::Interval`] within the interval, with [`Durability::Os`] when a ticket is waited for. Readers see them as
    /// they see others: with [`Durability::Sync`] once they are durable. A custom condition may be asked more than once.
    ///
    /// # Errors
    /// [`AppendError::Full`] when too much is in flight ([`Options::deferred_bytes`](crate::Options::deferred_bytes)): wait for
    /// a ticket, and try again. [`AppendError::Limit`] and others that need no judgement: nothing was written. What the log has
    /// to be asked for the ticket tells.
    ///
    /// ```
    /// use stratalog::{EventStore, NewEvent, transaction};
    /// # fn main() -> stratalog::Result<()> {
    /// let store = EventStore::in_memory();
    /// let mut tickets = Vec::new();
    /// for number in 0..1_000 {
    ///     tickets.push(store.append_deferred(transaction().stream("c", "s", [NewEvent::new("counted", &number)?]))?);
    /// }
    /// for ticket in tickets {
    ///     ticket.durable()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn append_deferred(&self, transaction: Transaction) -> Result<Ticket, AppendError> {
        transaction.lend(|append| self.shared.adapter.append_deferred(append))
    }

    /// Appends stored transactions of another store as they are, with their ids, numbers and times, only onto a log that ends
    /// exactly before them. Returns the log's revision after them.
    ///
    /// # Errors
    /// [`AppendError::NotContiguous`] where one does not continue the log, [`AppendError::DuplicateTransaction`] where its id is
    /// taken; then the whole transactions before it are there. Else as [`EventStream::publish`].
    pub fn append_verbatim(&self, transactions: &[StoredTransaction]) -> Result<Revision, AppendError> {
        self.shared.adapter.append_verbatim(transactions)
    }

    /// The transactions in order, from the one that holds the event after revision `from` on; those with system records alone
    /// are among them. The iterator sees the log as it is now, and ends after its first error.
    ///
    /// # Errors
    /// [`ReadError`], here or in place of a transaction.
    pub fn transactions(
        &self,
        from: Revision,
    ) -> Result<impl Iterator<Item = Result<StoredTransaction, ReadError>> + use<>, ReadError> {
        let mut cursor = self.shared.adapter.transactions(from)?;
        Ok(std::iter::from_fn(move || cursor.next_transaction().transpose()))
    }

    /// The transaction of this id, or `None` where there is none.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when it is damaged; else as every [`ReadError`].
    pub fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, ReadError> {
        self.shared.adapter.transaction(id)
    }

    /// The events that an append to this store wrote, read back in order; none for an append without events.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when one is damaged; else as every [`ReadError`].
    pub fn events_of(&self, receipt: &Receipt) -> Result<Vec<StoredEvent>, ReadError> {
        let (Some(first), Some(last)) = (receipt.first_sequence_number(), receipt.last_sequence_number()) else {
            return Ok(Vec::new());
        };
        self.log().scan().from(first).until(last).collect()
    }

    /// The value of a system record: the one set last, or `None` where none is set.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn record(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, ReadError> {
        self.shared.adapter.record(namespace, key)
    }

    /// All system records of a namespace: keys and values, in order of the keys' bytes.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn records(&self, namespace: &str) -> Result<Vec<(Arc<str>, Bytes)>, ReadError> {
        self.shared.adapter.records(namespace)
    }

    /// The names of all categories that have events, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn categories(&self) -> Result<Vec<String>, ReadError> {
        self.shared.adapter.categories()
    }

    /// How many events the log holds now, for readers. With [`Durability::Sync`] those are on disk.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn revision(&self) -> Result<Revision, ReadError> {
        self.shared.adapter.revision()
    }

    /// What `Ok` from an append means.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.shared.adapter.durability()
    }

    /// Up to which revision the log would survive a power cut: 0 in memory.
    #[must_use]
    pub fn durable_revision(&self) -> Revision {
        self.shared.adapter.durable_revision()
    }

    /// Makes everything appended so far durable, and returns the revision up to which that is.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it fails, and from then on; [`AppendError::Closed`], [`AppendError::ReadOnly`] and
    /// [`AppendError::CalledFromCondition`] as at an append.
    pub fn sync(&self) -> Result<Revision, AppendError> {
        self.shared.adapter.sync()
    }

    /// Waits until the log is durable up to `revision`. It does not make it so: [`sync`](Self::sync) does, or
    /// [`Durability::Interval`].
    ///
    /// # Errors
    /// [`ReadError::TimedOut`] after `timeout`, [`ReadError::Poisoned`] when it never will be, [`ReadError::NotReached`] when the
    /// log does not hold so many events.
    pub fn wait_durable(&self, revision: Revision, timeout: Duration) -> Result<(), ReadError> {
        self.shared.adapter.wait_durable(revision, timeout)
    }

    /// What the adapter can do.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.shared.adapter.capabilities()
    }

    /// Figures about the store: how much it holds, on disk and in memory.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub fn stats(&self) -> Result<Stats, ReadError> {
        self.shared.adapter.stats()
    }

    /// Makes everything durable and ends the store. Clones are closed too; events that were read stay valid. Dropping the last
    /// clone closes as well, but cannot report an error. Closing a closed store does nothing.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it cannot be made durable: the store is closed all the same. [`AppendError::NoSpace`] and
    /// [`AppendError::Io`] when the file that was made ready for the next segment cannot be removed: everything is durable, and
    /// the store closed; the next opening removes the file. [`AppendError::TimedOut`] when an appender that is judging a
    /// condition did not come to an end within [`Options::append_deadline`], and [`AppendError::CalledFromCondition`] from
    /// inside a custom condition: the store stays open. [`AppendError::TimedOut`] also when a write to the disk does not end:
    /// nothing is taken any more then, the store stays locked, and closing may be tried again. [`AppendError::Forked`] in a
    /// forked child, whose parent still has the store.
    pub fn close(&self) -> Result<(), AppendError> {
        self.shared.adapter.close()
    }

    /// The time by the store's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn scan(&self, query: ScanQuery) -> Scan {
        Scan::new(Arc::clone(&self.shared.adapter), query)
    }

    fn follow(&self, wanted: Wanted) -> Subscription {
        Subscription::new(Arc::clone(&self.shared.adapter), wanted)
    }
}
