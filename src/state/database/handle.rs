//! The live handle of a database: transacting, and choosing the database as it was.

use super::at::DatabaseAt;
use super::log::{TransactionDetail, TransactionSummary};
use super::origin::Origin;
use super::refusal::refusal;
use crate::state::functions::Functions;
use crate::store::EventStore;
use crate::vocabulary::cloud_event::DatabaseSource;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventId, StoredEvent};
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::proposal::Proposal;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::Receipt;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How many events a transaction may have as far as a database knows by itself; the store may want less.
const MOST_EVENTS: usize = 1 << 24;

/// A database by its name: the live handle. Cheap to clone; clones are the same database. Send one to every thread.
///
/// It is a store, with EvidentSource's rules for what is written. What it holds at a moment is a [`DatabaseAt`], which never
/// changes.
///
/// ```
/// use stratalog::{Catalog, ProspectiveEvent, Proposal, Selector, must_not_exist};
///
/// # fn main() -> stratalog::Result<()> {
/// let bank = Catalog::in_memory().create("bank")?;
/// let account = Selector::category("accounts") & Selector::stream("acc-42");
/// let opened = ProspectiveEvent::json("accounts", "opened", "Ada")?.with_stream("acc-42");
/// let receipt = bank.transact(Proposal::new([opened.clone()]).when(must_not_exist(account.clone())))?;
/// assert_eq!(receipt.revision().get(), 1);
/// assert!(bank.transact(Proposal::new([opened]).when(must_not_exist(account.clone()))).unwrap_err().is_conflict());
///
/// let now = bank.latest()?;
/// let owner: String = now.query(account).read()?[0].decode()?;
/// assert_eq!(owner, "Ada");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

/// What clones of a handle share.
struct Shared {
    store: EventStore,
    origin: Origin,
    max_events: usize,
    functions: Functions,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("source", self.source()).field("store", self.store()).finish()
    }
}

impl Database {
    /// The database that a store is, on any adapter. A store that is none yet becomes the one of this source: that is kept with
    /// the store, in system records. Clones of a store may become a database at once; it is the same one.
    ///
    /// # Errors
    /// [`DatabaseError::OtherSource`] where the store is another database, [`DatabaseError::Record`] where what is kept cannot be
    /// read, [`DatabaseError::Append`] and [`DatabaseError::Read`] of the store.
    pub fn new(store: EventStore, source: DatabaseSource) -> Result<Self, DatabaseError> {
        let database = Self::kept_or_new(store, &source, MOST_EVENTS)?;
        if *database.source() != source {
            return Err(DatabaseError::OtherSource { stored: database.source().clone(), given: source });
        }
        Ok(database)
    }

    /// The same, and where the store is a database already, that one.
    pub(super) fn kept_or_new(
        store: EventStore,
        source: &DatabaseSource,
        max_events: usize,
    ) -> Result<Self, DatabaseError> {
        let origin = Origin::of_or_new(&store, source)?;
        Ok(Self { shared: Arc::new(Shared { store, origin, max_events, functions: Functions::default() }) })
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.source().database()
    }

    /// Where its events come from: base URI and name.
    #[must_use]
    pub fn source(&self) -> &DatabaseSource {
        &self.shared.origin.source
    }

    /// The store below. What is appended there directly is in the database too, whatever its names.
    #[must_use]
    pub fn store(&self) -> &EventStore {
        &self.shared.store
    }

    /// When the database was made: the recorded time of the log's first transaction.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.shared.origin.created_at
    }

    /// The state views and state changes that are registered here.
    pub(crate) fn functions(&self) -> &Functions {
        &self.shared.functions
    }

    /// How many events a transaction may have here.
    pub(super) fn max_events(&self) -> usize {
        self.shared.max_events
    }

    /// Appends events, all or none, under the proposal's conditions. An event without a time of occurrence occurred when it was
    /// recorded. Under a transaction id that the database has with the same content nothing is written, and the receipt is the
    /// first one's.
    ///
    /// Costs an append to the store, and a check of every name and attribute before.
    ///
    /// # Errors
    /// [`DatabaseError::Transaction`]: the first of these that there is anything of, each with all that is wrong:
    /// [`TransactionError::Empty`](crate::TransactionError::Empty),
    /// [`InvalidId`](crate::TransactionError::InvalidId), [`TooLarge`](crate::TransactionError::TooLarge),
    /// [`InvalidConditions`](crate::TransactionError::InvalidConditions),
    /// [`InvalidEvents`](crate::TransactionError::InvalidEvents), [`DuplicateId`](crate::TransactionError::DuplicateId) when the
    /// transaction id is taken by other content, [`UnmetConditions`](crate::TransactionError::UnmetConditions), and again
    /// `InvalidEvents` for ids of events that their category has already. [`DatabaseError::Append`] for what is about the store.
    pub fn transact(&self, proposal: impl Into<Proposal>) -> Result<Receipt, DatabaseError> {
        let proposal = proposal.into();
        proposal.check(self.max_events())?;
        let transaction = proposal.to_transaction(Timestamp::now());
        let appended = self.store().append(transaction);
        appended.map_err(|error| refusal(&**self.store().adapter(), &proposal, error))
    }

    /// The database as it is now.
    ///
    /// # Errors
    /// [`DatabaseError::Read`].
    #[doc(alias = "latest_database")]
    pub fn latest(&self) -> Result<DatabaseAt, DatabaseError> {
        let newest = self.store().log().latest()?;
        Ok(self.after(newest.as_ref()))
    }

    /// The database as it was at a revision; waits until it has reached that. A revision in the midst of a transaction is that of
    /// the transaction's last event, which [`DatabaseAt::revision`] tells.
    ///
    /// # Errors
    /// [`DatabaseError::TimedOut`] after `timeout`, [`DatabaseError::Read`].
    #[doc(alias = "database_at_revision")]
    pub fn at_revision(&self, revision: Revision, timeout: Duration) -> Result<DatabaseAt, DatabaseError> {
        match self.store().adapter().wait_revision(revision, timeout) {
            Ok(_) => Ok(self.at(revision)?),
            Err(ReadError::NotReached { at, wanted }) => {
                Err(DatabaseError::TimedOut { name: self.name().into(), at, wanted, waited: timeout })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The database as it was when the clock showed `time`: with all transactions that were recorded then or before.
    ///
    /// # Errors
    /// [`DatabaseError::NotCreated`] for a time before [`Database::created_at`], [`DatabaseError::Read`].
    #[doc(alias = "database_at_timestamp")]
    pub fn at_timestamp(&self, time: Timestamp) -> Result<DatabaseAt, DatabaseError> {
        let created_at = self.created_at();
        if time < created_at {
            return Err(DatabaseError::NotCreated { name: self.name().into(), created_at, asked: time });
        }
        let revision = self.store().adapter().revision_at(time)?;
        Ok(self.at(revision)?)
    }

    /// The database as it is now, with those events alone that occurred at `time` or before.
    ///
    /// # Errors
    /// [`DatabaseError::Read`].
    pub fn at_effective_timestamp(&self, time: Timestamp) -> Result<DatabaseAt, DatabaseError> {
        Ok(self.latest()?.at_effective_timestamp(time))
    }

    /// The transaction of this id, or `None` where there is none.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when it is damaged; else as every [`ReadError`].
    pub fn transaction(&self, id: &str) -> Result<Option<TransactionDetail>, ReadError> {
        let found = self.store().transaction(id)?.filter(|found| !found.events().is_empty());
        Ok(found.map(|found| TransactionDetail::new(&found, self.source())))
    }

    /// The receipt of the transaction of this id, as a repeat of it would return, or `None` where there is none.
    ///
    /// # Errors
    /// As [`Database::transaction`].
    pub fn receipt(&self, id: &str) -> Result<Option<Receipt>, ReadError> {
        let found = self.store().transaction(id)?.filter(|found| !found.events().is_empty());
        Ok(found.map(|found| Receipt {
            transaction_id: found.id.clone(),
            basis: found.basis(),
            count: u32::try_from(found.events().len()).unwrap_or(u32::MAX),
            recorded_at: found.recorded_at(),
            durability: self.store().durability(),
            last_position: found.events().last().map(StoredEvent::position),
            repeat: true,
            clock_behind: false,
        }))
    }

    /// The log of transactions, without their events, from the one that holds the event of revision `from` on, up to now;
    /// revision 0 is the whole log. What the store keeps beside events is not shown. Reads the events all the same: costs the
    /// same as [`Database::log_detail`]. The iterator ends after its first error.
    ///
    /// # Errors
    /// [`ReadError`], here or in place of a transaction.
    #[doc(alias = "log_from")]
    pub fn log(
        &self,
        from: Revision,
    ) -> Result<impl Iterator<Item = Result<TransactionSummary, ReadError>> + use<>, ReadError> {
        Ok(self.log_detail(from)?.map(|detail| Ok(detail?.into_summary())))
    }

    /// The log of transactions with their events; see [`Database::log`].
    ///
    /// # Errors
    /// [`ReadError`], here or in place of a transaction.
    #[doc(alias = "log_detail_from")]
    pub fn log_detail(
        &self,
        from: Revision,
    ) -> Result<impl Iterator<Item = Result<TransactionDetail, ReadError>> + use<>, ReadError> {
        let source = self.source().clone();
        let transactions = self.store().transactions(Revision::new(from.get().saturating_sub(1)))?;
        Ok(transactions.filter_map(move |found| match found {
            Ok(found) if found.events().is_empty() => None,
            Ok(found) => Some(Ok(TransactionDetail::new(&found, &source))),
            Err(error) => Some(Err(error)),
        }))
    }

    /// The events that a transaction of this database brought, in order.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when one is damaged; else as every [`ReadError`].
    pub fn events_of(&self, receipt: &Receipt) -> Result<Vec<Event>, ReadError> {
        Ok(self.store().events_of(receipt)?.into_iter().map(|event| self.event(event)).collect())
    }

    /// The ids of the events that a transaction of this database brought, in order: the id that was given, if one was, and the
    /// one that the event has. They are the same where one was given.
    ///
    /// # Errors
    /// As [`Database::events_of`].
    pub fn event_ids(&self, receipt: &Receipt) -> Result<Vec<(Option<EventId>, EventId)>, ReadError> {
        let pair = |event: &StoredEvent| (event.has_given_id().then(|| event.id()), event.id());
        Ok(self.store().events_of(receipt)?.iter().map(pair).collect())
    }

    /// An event of the store as one of this database.
    pub(super) fn event(&self, event: StoredEvent) -> Event {
        Event::new(event, self.source().clone())
    }

    /// The database at a revision that it has reached, or at that of the transaction which holds it.
    pub(super) fn at(&self, revision: Revision) -> Result<DatabaseAt, ReadError> {
        let Some(last) = revision.get().checked_sub(1).map(SequenceNumber::new) else { return Ok(self.after(None)) };
        match self.store().log().scan().from(last).until(last).into_iter().next() {
            Some(event) => Ok(self.after(Some(&event?))),
            None => Err(ReadError::NotReached { at: self.store().revision()?, wanted: revision }),
        }
    }

    /// The database right after the transaction of an event, or before all.
    fn after(&self, event: Option<&StoredEvent>) -> DatabaseAt {
        let (revision, recorded_at) = match event {
            Some(event) => (event.transaction_revision(), event.recorded_at()),
            None => (Revision::EMPTY, self.created_at()),
        };
        DatabaseAt::new(self.clone(), revision, recorded_at)
    }
}
