//! What readers of the memory adapter hold: the lists as they were when they began.

use super::super::{EventCursor, TransactionCursor};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::transaction::StoredTransaction;
use std::sync::Arc;

/// The events that a query asks for, in its order.
pub(super) fn select(events: &[StoredEvent], query: &ScanQuery) -> Vec<StoredEvent> {
    let range = query.range(events.len() as u64);
    let positions = query.positions();
    let within = match (usize::try_from(range.start), usize::try_from(range.end)) {
        (Ok(start), Ok(end)) => events.get(start..end).unwrap_or_default(),
        _ => &[],
    };
    let wanted = |event: &&StoredEvent| {
        positions.contains(&event.position().get())
            && match &query.target {
                Identifier::Log(_) => true,
                Identifier::Category(category) => event.category() == category.category(),
                Identifier::Stream(stream) => {
                    event.category() == stream.category() && event.stream() == stream.stream()
                }
            }
    };
    let limit = usize::try_from(query.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    if query.reverse {
        within.iter().rev().filter(wanted).take(limit).cloned().collect()
    } else {
        within.iter().filter(wanted).take(limit).cloned().collect()
    }
}

pub(super) struct MemoryCursor {
    pub(super) rest: std::vec::IntoIter<StoredEvent>,
}

impl EventCursor for MemoryCursor {
    fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError> {
        batch.extend(self.rest.by_ref().take(256));
        Ok(())
    }
}

pub(super) struct MemoryTransactions {
    pub(super) transactions: Arc<Vec<StoredTransaction>>,
    pub(super) next: usize,
}

impl TransactionCursor for MemoryTransactions {
    fn next_transaction(&mut self) -> Result<Option<StoredTransaction>, ReadError> {
        let transaction = self.transactions.get(self.next).cloned();
        self.next += 1;
        Ok(transaction)
    }
}
