//! Selecting events by looking at all of them: for adapters without an index, and to hold the others against.

use super::{EventCursor, StorageAdapter};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::select_query::{Explanation, SelectQuery};
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::Timestamp;

/// The events of a scan that are selected.
pub(crate) struct Filtered {
    cursor: Box<dyn EventCursor>,
    selector: Selector,
    occurred_until: Option<Timestamp>,
    rest: u64,
    looked_at: Vec<StoredEvent>,
    explanation: Explanation,
}

impl Filtered {
    /// What a query asks for, from a scan of the whole log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn new(adapter: &(impl StorageAdapter + ?Sized), query: &SelectQuery) -> Result<Self, ReadError> {
        query.check()?;
        let plan = vec![format!("scan of the log for events where {}", query.selector)];
        Ok(Self {
            cursor: adapter.scan(&query.scan())?,
            selector: query.selector.clone(),
            occurred_until: query.occurred_until,
            rest: query.limit.unwrap_or(u64::MAX),
            looked_at: Vec::new(),
            explanation: Explanation { plan, ..Explanation::default() },
        })
    }
}

impl EventCursor for Filtered {
    fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError> {
        let begun = batch.len();
        while batch.len() == begun && self.rest > 0 {
            self.looked_at.clear();
            let outcome = self.cursor.next_batch(&mut self.looked_at);
            let is_end = self.looked_at.is_empty();
            for event in self.looked_at.drain(..) {
                if self.rest == 0 {
                    break;
                }
                self.explanation.frames += 1;
                let is_meant = self.selector.matches(&event)
                    && self.occurred_until.is_none_or(|until| event.occurred_at() <= until);
                if is_meant {
                    self.rest -= 1;
                    self.explanation.found += 1;
                    batch.push(event);
                }
            }
            if let Err(error) = outcome {
                self.rest = 0;
                return Err(error);
            }
            if is_end {
                self.rest = 0;
            }
        }
        Ok(())
    }

    fn explanation(&self) -> Explanation {
        self.explanation.clone()
    }
}
