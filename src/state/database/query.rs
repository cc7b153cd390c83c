//! Queries of a database: built step by step, then iterated over.

use super::at::DatabaseAt;
use super::by_effective_time::{BUDGET, ByEffectiveTime};
use super::by_revision::ByRevision;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::select_query::{Access, Explanation, SelectQuery};
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::Timestamp;
use std::fmt;

/// A query of a [`DatabaseAt`]: the events that a selector selects, stored and speculated ones alike. Nothing is read until it is
/// iterated over; it gives the same events whenever that is.
///
/// Events come in order of their revisions, or with [`by_effective_time`](Self::by_effective_time) in order of their times of
/// occurrence, and of their revisions where these are equal. Bounds are in that order whatever the direction; the limit counts
/// after ordering.
///
/// By revision, events are read as they are asked for, some hundreds at once. By effective time all that are selected are looked
/// at before the first is given, and again for each 32 MiB of them; no more are held at once, one event in any case.
///
/// ```
/// use stratalog::{Catalog, ProspectiveEvent, Revision, Selector, Timestamp};
///
/// # fn main() -> stratalog::Result<()> {
/// let bank = Catalog::in_memory().create("bank")?;
/// let counted = |name: &str, day: u8| -> stratalog::Result<ProspectiveEvent> {
///     let time: Timestamp = format!("2024-01-{day:02}T00:00:00Z").parse()?;
///     Ok(ProspectiveEvent::empty("counts", name).with_occurred_at(time))
/// };
/// bank.transact([counted("third", 3)?, counted("first", 1)?, counted("second", 2)?])?;
/// let now = bank.latest()?;
/// let names = |query: stratalog::Query| -> stratalog::Result<Vec<String>> {
///     Ok(query.read()?.iter().map(|event| event.name().to_owned()).collect())
/// };
/// let counts = || now.query(Selector::category("counts"));
/// assert_eq!(names(counts().after(Revision::new(1)))?, ["first", "second"]);
/// assert_eq!(names(counts().by_effective_time().reverse().limit(2))?, ["third", "second"]);
///
/// // A page at a time: what comes behind the last event read.
/// let page = counts().by_effective_time().limit(1).read()?;
/// let (time, revision) = (page[0].occurred_at(), Revision::new(page[0].revision().get() + 1));
/// assert_eq!(names(counts().effective_from(time, revision))?, ["second", "third"]);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "database-query")]
#[derive(Debug, Clone)]
#[must_use = "a query reads nothing until it is iterated over or read"]
pub struct Query {
    at: DatabaseAt,
    selector: Selector,
    after: Revision,
    until: Option<Revision>,
    effective_from: Option<(Timestamp, Revision)>,
    effective_until: Option<Timestamp>,
    by_effective_time: bool,
    reverse: bool,
    limit: Option<u64>,
    access: Access,
}

impl Query {
    pub(super) fn new(at: DatabaseAt, selector: Selector) -> Self {
        Self {
            at,
            selector,
            after: Revision::EMPTY,
            until: None,
            effective_from: None,
            effective_until: None,
            by_effective_time: false,
            reverse: false,
            limit: None,
            access: Access::Best,
        }
    }

    /// Only events of revisions after this one.
    pub fn after(mut self, revision: Revision) -> Self {
        self.after = revision;
        self
    }

    /// Only events of this revision and later ones: another way to say [`after`](Self::after) the one before.
    #[doc(alias = "start_at")]
    pub fn from(self, revision: Revision) -> Self {
        self.after(Revision::new(revision.get().saturating_sub(1)))
    }

    /// Only events of revisions up to and with this one.
    pub fn until(mut self, revision: Revision) -> Self {
        self.until = Some(revision);
        self
    }

    /// In order of effective time: only events that occurred at `time` and have this revision or a later one, or that occurred
    /// later. Who has read up to an event goes on from its time and the revision after its own.
    #[doc(alias = "range-cursor")]
    pub fn effective_from(mut self, time: Timestamp, revision: Revision) -> Self {
        self.effective_from = Some((time, revision));
        self.by_effective_time = true;
        self
    }

    /// Only events that occurred at `time` or before, and by the effective time of the database, if it has one. Does not change
    /// the order.
    #[doc(alias = "end_at")]
    pub fn effective_until(mut self, time: Timestamp) -> Self {
        self.effective_until = Some(time);
        self
    }

    /// In order of effective time.
    pub fn by_effective_time(mut self) -> Self {
        self.by_effective_time = true;
        self
    }

    /// The last of the order first.
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// At most so many events; 0 is none.
    pub fn limit(mut self, events: u64) -> Self {
        self.limit = Some(events);
        self
    }

    /// How the adapter finds the events. Whatever it is, they are the same.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// All events of the query, in memory.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when one is damaged, [`ReadError::Limit`] for a selector beyond its limits; else as every
    /// [`ReadError`]. The events before the error are dropped.
    pub fn read(self) -> Result<Vec<Event>, ReadError> {
        self.into_iter().collect()
    }

    /// Runs the query, and tells how the events were found and what that took. The events are dropped.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn explain(self) -> Result<Explanation, ReadError> {
        let mut source = self.source();
        while source.next()?.is_some() {}
        Ok(source.explanation())
    }

    /// The database that is asked.
    pub(super) fn database_at(&self) -> &DatabaseAt {
        &self.at
    }

    /// Whether the last of the order comes first.
    pub(super) fn is_reverse(&self) -> bool {
        self.reverse
    }

    /// At most so many events.
    pub(super) fn most(&self) -> u64 {
        self.limit.unwrap_or(u64::MAX)
    }

    /// What the adapter is asked, without a limit.
    pub(super) fn stored(&self) -> SelectQuery {
        let at = self.until.map_or(self.at.basis(), |until| until.min(self.at.basis()));
        SelectQuery {
            from: (self.after > Revision::EMPTY).then(|| SequenceNumber::new(self.after.get())),
            at: Some(at),
            occurred_until: self.occurred_until(),
            reverse: self.reverse,
            access: self.access,
            ..SelectQuery::new(self.selector.clone())
        }
    }

    /// The speculated events that are meant, in order of their revisions.
    pub(super) fn speculated(&self) -> Vec<Event> {
        let is_meant = |event: &&Event| {
            event.revision() > self.after
                && self.until.is_none_or(|until| event.revision() <= until)
                && self.occurred_until().is_none_or(|until| event.occurred_at() <= until)
                && self.is_from(event.occurred_at(), event.revision())
                && self.selector.matches(*event)
        };
        self.at.speculated().iter().filter(is_meant).cloned().collect()
    }

    /// Whether an event is not before the effective time asked for.
    pub(super) fn is_from(&self, occurred_at: Timestamp, revision: Revision) -> bool {
        self.effective_from.is_none_or(|from| (occurred_at, revision) >= from)
    }

    fn occurred_until(&self) -> Option<Timestamp> {
        match (self.at.effective_at(), self.effective_until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    fn source(self) -> Source {
        if self.by_effective_time {
            Source::ByEffectiveTime(Box::new(ByEffectiveTime::new(self, BUDGET)))
        } else {
            Source::ByRevision(Box::new(ByRevision::new(&self)))
        }
    }
}

impl IntoIterator for Query {
    type Item = Result<Event, ReadError>;
    type IntoIter = QueryIter;

    fn into_iter(self) -> QueryIter {
        QueryIter(Some(self.source()))
    }
}

/// Iterates over the events of a query. Ends after the first error.
pub struct QueryIter(Option<Source>);

/// Where the events come from.
enum Source {
    ByRevision(Box<ByRevision>),
    ByEffectiveTime(Box<ByEffectiveTime>),
}

impl Source {
    fn next(&mut self) -> Result<Option<Event>, ReadError> {
        match self {
            Self::ByRevision(source) => source.next(),
            Self::ByEffectiveTime(source) => source.next(),
        }
    }

    fn explanation(&self) -> Explanation {
        match self {
            Self::ByRevision(source) => source.explanation(),
            Self::ByEffectiveTime(source) => source.explanation(),
        }
    }
}

impl fmt::Debug for QueryIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryIter").field("is_at_its_end", &self.0.is_none()).finish()
    }
}

impl Iterator for QueryIter {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.as_mut()?.next();
        if !matches!(next, Ok(Some(_))) {
            self.0 = None;
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for QueryIter {}
