//! Floor 7: the storage contract and its implementations.

mod filtered;
pub mod log;
pub mod memory;

pub use crate::vocabulary::append::{Append, AppendPart};
pub use crate::vocabulary::select_query::{Access, Explanation, SelectQuery};
pub use crate::vocabulary::stats::Stats;
pub use crate::vocabulary::ticket::Ticket;

use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::event::{EventId, EventRef, StoredEvent};
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::options::Durability;
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::selector::{EventField, Selectable, Selector};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Receipt, StoredTransaction};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often who waits asks whether it is to, where an adapter cannot wake it.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What an adapter can do beyond the common contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The adapter's name, for messages.
    pub name: &'static str,
    /// Whether events survive the process.
    pub persistent: bool,
    /// Whether transactions have ids, so that retries are harmless.
    pub transaction_ids: bool,
    /// Whether attributes and metadata are kept.
    pub attributes: bool,
    /// Whether payloads may be text or bytes, not JSON alone.
    pub any_payload: bool,
    /// Whether system records are kept.
    pub system_records: bool,
    /// Whether sequence numbers are without gaps.
    pub gapless: bool,
    /// Whether times are kept to the nanosecond.
    pub nanoseconds: bool,
}

/// Events in order, a batch at a time. Dropping it ends the scan.
///
/// A cursor sees the log as it was when it was made. It blocks no writer, and no writer blocks it.
pub trait EventCursor: Send {
    /// Appends the next events to `batch`, some hundreds at most; none means the end, now and from then on.
    ///
    /// # Errors
    /// [`ReadError`]; the events before the error are in `batch`. After an error the cursor is at its end.
    fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError>;

    /// Lends the remaining events one by one, until the visitor breaks.
    ///
    /// # Errors
    /// [`ReadError`], after the events before the error were lent.
    fn visit(&mut self, visitor: &mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        let mut batch = Vec::new();
        loop {
            batch.clear();
            let outcome = self.next_batch(&mut batch);
            for event in &batch {
                if visitor(&event.as_ref()).is_break() {
                    return Ok(());
                }
            }
            outcome?;
            if batch.is_empty() {
                return Ok(());
            }
        }
    }

    /// What it took so far, where that is counted.
    fn explanation(&self) -> Explanation {
        Explanation::default()
    }
}

/// Transactions in order, one at a time.
pub trait TransactionCursor: Send {
    /// The next transaction, or none at the end.
    ///
    /// # Errors
    /// [`ReadError`]. After an error the cursor is at its end.
    fn next_transaction(&mut self) -> Result<Option<StoredTransaction>, ReadError>;
}

/// Where a store keeps its events. Every adapter passes the same conformance suite (`testing::conformance`).
///
/// Object-safe; shared by threads. The contract:
/// - an append checks its conditions and writes all its events as one step; two appenders can never both win;
/// - an append without events writes nothing, still checks its conditions, and consumes no number;
/// - sequence numbers and positions are 0-based and without gaps, whatever was refused in between;
/// - a scan sees whole transactions only, the same in log, category and stream;
/// - a transaction id is looked up before conditions: same content returns the first receipt, other content is refused;
/// - a ticket learns both of its steps, whatever happens; what it says is durable is visible;
/// - reads of unknown names are empty, and leave nothing behind.
pub trait StorageAdapter: Send + Sync + fmt::Debug {
    /// What the adapter can do.
    fn capabilities(&self) -> Capabilities;

    /// Appends a transaction, all or none.
    ///
    /// # Errors
    /// [`AppendError::Unmet`] when a condition does not hold, [`AppendError::DuplicateTransaction`] when the id is taken by other
    /// content, [`AppendError::Unsupported`] for what the adapter cannot hold; else any [`AppendError`], whose
    /// [`retry`](AppendError::retry) must be true.
    fn append(&self, append: &Append<'_>) -> Result<Receipt, AppendError>;

    /// Appends a transaction, all or none, without waiting for anything: the ticket tells what became of it. What has to wait is
    /// copied. Deferred appends of one thread are judged in the order of the calls, and before what that thread appends later.
    ///
    /// # Errors
    /// [`AppendError::Full`] when too much is in flight, and what can be told without judging it: [`AppendError::Limit`],
    /// [`AppendError::Closed`] and the like. Nothing was written then, and nothing will be.
    fn append_deferred(&self, append: &Append<'_>) -> Result<Ticket, AppendError>;

    /// Appends stored transactions with their own ids, numbers and times, only onto a log that ends exactly before them: for
    /// copy, restore and salvage. All or, after an error, a prefix of whole transactions. Returns the log's revision after them.
    ///
    /// # Errors
    /// [`AppendError::NotContiguous`] where one does not continue the log; else as [`StorageAdapter::append`].
    fn append_verbatim(&self, transactions: &[StoredTransaction]) -> Result<Revision, AppendError>;

    /// How many events the log holds now, for readers.
    ///
    /// # Errors
    /// [`ReadError`].
    fn revision(&self) -> Result<Revision, ReadError>;

    /// A cursor over the events that `query` asks for, in its order, as the log is now.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::PositionsNeedStream`] for positions on a scan of a log or category.
    fn scan(&self, query: &ScanQuery) -> Result<Box<dyn EventCursor>, ReadError>;

    /// What [`scan`](Self::scan) gives, also when the store is closed: for a subscription, which gives what was visible before it
    /// ends. An adapter that cannot read then refuses, as this does unless it is told better.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    fn scan_even_closed(&self, query: &ScanQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        self.scan(query)
    }

    /// A cursor over the events that a selector selects, as the log is now.
    ///
    /// An adapter without indexes looks at every event within the bounds, as this does unless it is told better.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Limit`] for a selector beyond its limits.
    fn select(&self, query: &SelectQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        Ok(Box::new(filtered::Filtered::new(self, query)?))
    }

    /// The event of this id in a category, be the id its producer's or made by the store; or `None` where there is none. Where
    /// several have it, which only a verbatim append can bring about, the newest.
    ///
    /// # Errors
    /// [`ReadError`].
    fn event_with_id(&self, category: &str, id: &EventId) -> Result<Option<StoredEvent>, ReadError> {
        let query = SelectQuery { reverse: true, ..SelectQuery::new(Selector::category(category)) };
        let mut found = None;
        self.select(&query)?.visit(&mut |event| {
            if event.id() == *id {
                found = Some(event.to_stored());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The names of all categories, streams or events that occur in the log as it was at revision `at`, each once, in order of
    /// their bytes. "No stream" is no name.
    ///
    /// # Errors
    /// [`ReadError`].
    fn names_at(&self, field: EventField, at: Revision) -> Result<Vec<String>, ReadError> {
        let mut names = BTreeSet::new();
        let query = ScanQuery { at: Some(at), ..ScanQuery::default() };
        self.scan(&query)?.visit(&mut |event| {
            let name = event.field(field);
            let is_none = field == EventField::Stream && name.is_empty();
            if !is_none && !names.contains(name) {
                names.insert(name.to_owned());
            }
            ControlFlow::Continue(())
        })?;
        Ok(names.into_iter().collect())
    }

    /// The log's revision when the clock showed `time`: with all transactions that were recorded then or before.
    ///
    /// # Errors
    /// [`ReadError`].
    fn revision_at(&self, time: Timestamp) -> Result<Revision, ReadError> {
        let (mut low, mut high) = (0, self.revision()?.get());
        while low < high {
            let middle = low + (high - low) / 2;
            let from = Some(SequenceNumber::new(middle));
            let query = ScanQuery { from, limit: Some(1), ..ScanQuery::default() };
            let mut is_before = false;
            self.scan(&query)?.visit(&mut |event| {
                is_before = event.recorded_at() <= time;
                ControlFlow::Break(())
            })?;
            if is_before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Revision::new(low))
    }

    /// Waits until the log holds so many events for readers, and gives the revision that it has then. Does not wait for what is
    /// there already.
    ///
    /// # Errors
    /// [`ReadError::NotReached`] after `timeout`; [`ReadError::Closed`] when the store is closed meanwhile,
    /// [`ReadError::Poisoned`] when it takes no more appends.
    fn wait_revision(&self, revision: Revision, timeout: Duration) -> Result<Revision, ReadError>;

    /// [`wait_revision`](Self::wait_revision) that can be called off: ends once `is_off`, which is asked at the beginning and
    /// after every [`wake`](Self::wake).
    ///
    /// An adapter whose sleepers cannot be woken asks every 20 ms, as this does unless it is told better.
    ///
    /// # Errors
    /// [`ReadError::Cancelled`] when it was called off; else as [`wait_revision`](Self::wait_revision).
    fn wait_unless(
        &self,
        revision: Revision,
        timeout: Duration,
        is_off: &dyn Fn() -> bool,
    ) -> Result<Revision, ReadError> {
        let begun = Instant::now();
        loop {
            if is_off() {
                return Err(ReadError::Cancelled);
            }
            let rest = timeout.saturating_sub(begun.elapsed());
            match self.wait_revision(revision, rest.min(ASK_AGAIN)) {
                Err(ReadError::NotReached { .. }) if rest > ASK_AGAIN => {}
                outcome => return outcome,
            }
        }
    }

    /// Has all who wait in [`wait_unless`](Self::wait_unless) ask again whether they are to. Waits for nothing itself.
    fn wake(&self) {}

    /// The newest event of a target, or `None` where it has none.
    ///
    /// # Errors
    /// [`ReadError`].
    fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError>;

    /// The names of all categories with events, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    fn categories(&self) -> Result<Vec<String>, ReadError>;

    /// The names of a category's streams with events, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    fn streams(&self, category: &str) -> Result<Vec<String>, ReadError>;

    /// Transactions in order, from the one that brought the event after `from` on: those with events, and those with system
    /// records alone among them.
    ///
    /// # Errors
    /// [`ReadError`].
    fn transactions(&self, from: Revision) -> Result<Box<dyn TransactionCursor>, ReadError>;

    /// The transaction of this id, or `None` where there is none.
    ///
    /// # Errors
    /// [`ReadError`].
    fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, ReadError>;

    /// The value of a system record: the one set last, or `None` where none is set.
    ///
    /// # Errors
    /// [`ReadError`].
    fn record(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, ReadError>;

    /// All system records of a namespace by key, in order of the keys' bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    fn records(&self, namespace: &str) -> Result<Vec<(Arc<str>, Bytes)>, ReadError>;

    /// What `Ok` from an append means.
    fn durability(&self) -> Durability;

    /// Up to which revision the log would survive a power cut; 0 where it would not.
    fn durable_revision(&self) -> Revision;

    /// Makes everything appended so far durable, and returns the revision up to which that is.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it fails, and from then on.
    fn sync(&self) -> Result<Revision, AppendError>;

    /// Waits until the log is durable up to `revision`.
    ///
    /// # Errors
    /// [`ReadError::TimedOut`] after `timeout`, [`ReadError::Poisoned`] when it never will be,
    /// [`ReadError::NotReached`] when the log does not hold so many events.
    fn wait_durable(&self, revision: Revision, timeout: Duration) -> Result<(), ReadError>;

    /// Figures about the store.
    ///
    /// # Errors
    /// [`ReadError`].
    fn stats(&self) -> Result<Stats, ReadError>;

    /// Makes everything durable and ends the store. Later appends and reads are refused; events that were read stay valid.
    /// Closing what is closed does nothing.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it cannot be made durable; [`AppendError::NoSpace`] and [`AppendError::Io`] when all is
    /// durable and something else failed; [`AppendError::TimedOut`] when an appender is still at work, and the store then stays
    /// open.
    fn close(&self) -> Result<(), AppendError>;
}
