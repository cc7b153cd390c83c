//! The events of a query in order of their revisions: what is stored, and behind it what is speculated.

use super::handle::Database;
use super::query::Query;
use crate::adapters::EventCursor;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::select_query::{Explanation, SelectQuery};

/// Stored events that are selected, one by one. The adapter is not asked before the first is.
pub(super) struct Selected {
    query: SelectQuery,
    cursor: Option<Box<dyn EventCursor>>,
    batch: std::vec::IntoIter<StoredEvent>,
    failed: Option<ReadError>,
    is_over: bool,
}

impl Selected {
    pub(super) fn new(query: SelectQuery) -> Self {
        Self { query, cursor: None, batch: Vec::new().into_iter(), failed: None, is_over: false }
    }

    /// The next event, or `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`], after the events before it.
    pub(super) fn next(&mut self, database: &Database) -> Result<Option<StoredEvent>, ReadError> {
        loop {
            if let Some(event) = self.batch.next() {
                return Ok(Some(event));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.is_over {
                return Ok(None);
            }
            let cursor = match &mut self.cursor {
                Some(cursor) => cursor,
                None => self.cursor.insert(database.store().adapter().select(&self.query)?),
            };
            let mut batch = Vec::new();
            self.failed = cursor.next_batch(&mut batch).err();
            self.is_over = batch.is_empty() || self.failed.is_some();
            self.batch = batch.into_iter();
        }
    }

    /// What it took so far.
    pub(super) fn explanation(&self) -> Explanation {
        self.cursor.as_ref().map(|cursor| cursor.explanation()).unwrap_or_default()
    }
}

/// The events of a query in order of their revisions.
pub(super) struct ByRevision {
    database: Database,
    stored: Selected,
    /// In the query's order.
    speculated: std::vec::IntoIter<Event>,
    speculated_count: usize,
    /// Whether what is speculated comes before what is stored: it does from the end.
    reverse: bool,
    rest: u64,
}

impl ByRevision {
    pub(super) fn new(query: &Query) -> Self {
        let (rest, reverse) = (query.most(), query.is_reverse());
        let mut speculated = query.speculated();
        if reverse {
            speculated.reverse();
        }
        let stored = if reverse { rest.saturating_sub(speculated.len() as u64) } else { rest };
        let limit = (rest < u64::MAX).then_some(stored);
        Self {
            database: query.database_at().database().clone(),
            stored: Selected::new(SelectQuery { limit, ..query.stored() }),
            speculated_count: speculated.len(),
            speculated: speculated.into_iter(),
            reverse,
            rest,
        }
    }

    /// The next event, or `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`], after the events before it.
    pub(super) fn next(&mut self) -> Result<Option<Event>, ReadError> {
        if self.rest == 0 {
            return Ok(None);
        }
        let speculated = if self.reverse { self.speculated.next() } else { None };
        let next = match speculated {
            Some(event) => Some(event),
            None => match self.stored.next(&self.database)? {
                Some(event) => Some(self.database.event(event)),
                None => self.speculated.next(),
            },
        };
        self.rest -= u64::from(next.is_some());
        Ok(next)
    }

    /// What it took so far.
    pub(super) fn explanation(&self) -> Explanation {
        let mut explanation = self.stored.explanation();
        if self.speculated_count > 0 {
            explanation.plan.push(format!("{} speculated events, in memory", self.speculated_count));
            explanation.found += (self.speculated_count - self.speculated.len()) as u64;
        }
        explanation
    }
}
