//! A database as it was, is, or would be: a value that never changes.

use super::handle::Database;
use super::points::stored_at;
use super::query::Query;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventId, StoredEvent};
use crate::vocabulary::number::Revision;
use crate::vocabulary::selector::{EventField, Selectable, Selector};
use crate::vocabulary::time::Timestamp;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A database as it was, is, or would be: at a revision, perhaps with those events alone that occurred up to a time, perhaps with
/// events that were only speculated. Cheap to clone. It never changes, whatever is appended; it holds nothing open and blocks
/// nobody.
///
/// ```
/// use stratalog::{Catalog, ProspectiveEvent, Selector, Timestamp};
///
/// # fn main() -> stratalog::Result<()> {
/// let bank = Catalog::in_memory().create("bank")?;
/// let moved = |name: &str, time: &str| -> stratalog::Result<ProspectiveEvent> {
///     Ok(ProspectiveEvent::empty("accounts", name).with_stream("acc-42").with_occurred_at(time.parse::<Timestamp>()?))
/// };
/// bank.transact([moved("deposited", "2024-02-01T00:00:00Z")?, moved("withdrawn", "2024-01-01T00:00:00Z")?])?;
/// let now = bank.latest()?;
/// let would_be = now.speculate([moved("closed", "2024-03-01T00:00:00Z")?])?;
/// let january = would_be.at_effective_timestamp("2024-01-31T23:59:59Z".parse::<Timestamp>()?);
///
/// let account = Selector::stream("acc-42");
/// let names = |events: Vec<stratalog::Event>| events.iter().map(|event| event.name().to_owned()).collect::<Vec<_>>();
/// assert_eq!(names(now.query(account.clone()).by_effective_time().read()?), ["withdrawn", "deposited"]);
/// assert_eq!(names(would_be.query(account.clone()).reverse().limit(1).read()?), ["closed"]);
/// assert_eq!(names(january.query(account).read()?), ["withdrawn"]);
/// assert_eq!(bank.latest()?.revision().get(), 2, "what is speculated is not written");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "DatabaseAtRevision")]
#[doc(alias = "SpeculativeDatabase")]
#[derive(Clone)]
pub struct DatabaseAt {
    database: Database,
    basis: Revision,
    recorded_at: Timestamp,
    effective_at: Option<Timestamp>,
    /// In order; their revisions follow the basis without a gap.
    speculated: Arc<[Event]>,
}

impl fmt::Debug for DatabaseAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseAt")
            .field("database", &self.database.name())
            .field("basis", &self.basis)
            .field("revision", &self.revision())
            .field("recorded_at", &self.recorded_at)
            .field("effective_at", &self.effective_at)
            .finish_non_exhaustive()
    }
}

impl DatabaseAt {
    /// What is stored up to a revision that the database has reached and that no transaction straddles.
    pub(super) fn new(database: Database, basis: Revision, recorded_at: Timestamp) -> Self {
        Self { database, basis, recorded_at, effective_at: None, speculated: Arc::from([]) }
    }

    /// The same, with events that were speculated.
    pub(super) fn with_speculated(&self, speculated: Arc<[Event]>) -> Self {
        Self { speculated, ..self.clone() }
    }

    /// The database itself, as it goes on.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The revision of what this holds: the basis, and one more for each speculated event.
    #[must_use]
    pub fn revision(&self) -> Revision {
        Revision::new(self.basis.get() + self.speculated.len() as u64)
    }

    /// The revision up to which events are stored ones. The same as [`revision`](Self::revision) where none are speculated.
    #[must_use]
    pub fn basis(&self) -> Revision {
        self.basis
    }

    /// When the database came to its basis; at revision 0, when it was made.
    #[doc(alias = "revision_timestamp")]
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Up to and with which time of occurrence events are seen; `None` where all are.
    #[doc(alias = "effective_timestamp")]
    #[must_use]
    pub fn effective_at(&self) -> Option<Timestamp> {
        self.effective_at
    }

    /// The same revision, with those events alone that occurred at `time` or before. In the place of the time that it may have.
    #[must_use]
    pub fn at_effective_timestamp(&self, time: Timestamp) -> DatabaseAt {
        Self { effective_at: Some(time), ..self.clone() }
    }

    /// Another revision of the same database, with the same effective time and without what is speculated; waits for it as
    /// [`Database::at_revision`] does.
    ///
    /// # Errors
    /// As [`Database::at_revision`].
    pub fn at_revision(&self, revision: Revision, timeout: Duration) -> Result<DatabaseAt, DatabaseError> {
        let other = self.database.at_revision(revision, timeout)?;
        Ok(Self { effective_at: self.effective_at, ..other })
    }

    /// The speculated events, in order, whatever the effective time.
    #[must_use]
    pub fn speculated(&self) -> &[Event] {
        &self.speculated
    }

    /// The same, by [`speculate`](Self::speculate): one slice for each call.
    pub fn speculated_transactions(&self) -> impl Iterator<Item = &[Event]> {
        self.speculated.chunk_by(|one, other| one.as_ref().transaction_basis() == other.as_ref().transaction_basis())
    }

    /// The events that a selector selects, in order of their revisions unless it is told otherwise. Nothing is read until the
    /// query is iterated over.
    #[doc(alias = "query_events")]
    pub fn query(&self, selector: impl Into<Selector>) -> Query {
        Query::new(self.clone(), selector.into())
    }

    /// The names of all categories that have events at this revision, in order of their bytes, whatever the effective time.
    ///
    /// # Errors
    /// As every [`ReadError`].
    #[doc(alias = "list_streams")]
    pub fn categories(&self) -> Result<Vec<String>, ReadError> {
        self.names(EventField::Category)
    }

    /// The names of all streams that have events at this revision, of whatever category, each once, in order of their bytes;
    /// whatever the effective time. "No stream" is no name.
    ///
    /// # Errors
    /// As every [`ReadError`].
    #[doc(alias = "list_subjects")]
    pub fn streams(&self) -> Result<Vec<String>, ReadError> {
        self.names(EventField::Stream)
    }

    /// The names of all events that there are at this revision, each once, in order of their bytes, whatever the effective time.
    ///
    /// # Errors
    /// As every [`ReadError`].
    #[doc(alias = "list_event_types")]
    pub fn event_names(&self) -> Result<Vec<String>, ReadError> {
        self.names(EventField::Name)
    }

    fn names(&self, field: EventField) -> Result<Vec<String>, ReadError> {
        let stored = self.database.store().adapter().names_at(field, self.basis)?;
        if self.speculated.is_empty() {
            return Ok(stored);
        }
        let mut names: BTreeSet<String> = stored.into_iter().collect();
        let speculated = self.speculated.iter().map(|event| event.field(field));
        names.extend(speculated.filter(|name| field != EventField::Stream || !name.is_empty()).map(str::to_owned));
        Ok(names.into_iter().collect())
    }

    /// The event of this id in a category, or `None` where there is none at this revision, or none that occurred by the effective
    /// time.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when it is damaged; else as every [`ReadError`].
    pub fn event(&self, category: &str, id: &EventId) -> Result<Option<Event>, ReadError> {
        let is_meant = |event: &&Event| event.category() == category && event.id() == *id;
        let found = match self.speculated.iter().find(is_meant) {
            Some(speculated) => Some(speculated.clone()),
            None => self.stored_with_id(category, id)?.map(|event| self.database.event(event)),
        };
        Ok(found.filter(|event| self.is_seen(event)))
    }

    /// Whether a stored event of this category has the id at this revision.
    pub(super) fn has_stored(&self, category: &str, id: &EventId) -> Result<bool, ReadError> {
        Ok(self.stored_with_id(category, id)?.is_some())
    }

    fn stored_with_id(&self, category: &str, id: &EventId) -> Result<Option<StoredEvent>, ReadError> {
        let stored = self.database.store().adapter().event_with_id(category, id)?;
        Ok(stored.filter(|event| event.revision() <= self.basis))
    }

    /// The events of these revisions, in the order asked for; `None` for those that there are not at this revision, or that did
    /// not occur by the effective time. Costs a look-up each, less for those that follow each other.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when one is damaged; else as every [`ReadError`].
    pub fn events(&self, revisions: &[Revision]) -> Result<Vec<Option<Event>>, ReadError> {
        let stored = stored_at(&self.database, self.basis, revisions)?;
        let of = |revision: &Revision| {
            let found = stored.get(revision).cloned().or_else(|| self.speculated_at(*revision).cloned());
            found.filter(|event| self.is_seen(event))
        };
        Ok(revisions.iter().map(of).collect())
    }

    /// The speculated event of a revision, if it is one.
    fn speculated_at(&self, revision: Revision) -> Option<&Event> {
        let place = revision.get().checked_sub(self.basis.get() + 1)?;
        self.speculated.get(usize::try_from(place).ok()?)
    }

    fn is_seen(&self, event: &Event) -> bool {
        self.effective_at.is_none_or(|until| event.occurred_at() <= until)
    }
}
