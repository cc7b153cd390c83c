//! Transactions as a database's log shows them: summary and detail.

use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::cloud_event::DatabaseSource;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::number::Revision;
use crate::vocabulary::proposal::Spoken;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::StoredTransaction;
use std::sync::Arc;

/// A transaction of a database, without its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionSummary {
    id: Option<Arc<str>>,
    basis: Revision,
    revision: Revision,
    recorded_at: Timestamp,
    attributes: Attributes,
}

impl TransactionSummary {
    /// The transaction's id, if it had one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The database's revision before the transaction.
    #[must_use]
    pub fn basis(&self) -> Revision {
        self.basis
    }

    /// The database's revision with the transaction: that of its last event.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// How many events it brought.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.revision.get() - self.basis.get()
    }

    /// When the log took it.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// The transaction's attributes, in order.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// What the transaction belongs to, as [`Proposal::correlation_id`](crate::Proposal::correlation_id) says it.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        Spoken(&self.attributes).correlation_id()
    }

    /// What brought it about, as [`Proposal::causation_id`](crate::Proposal::causation_id) says it.
    #[must_use]
    pub fn causation_id(&self) -> Option<&str> {
        Spoken(&self.attributes).causation_id()
    }

    /// Why it was made, as [`Proposal::message`](crate::Proposal::message) says it.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        Spoken(&self.attributes).message()
    }

    /// On whose behalf it was made, as [`Proposal::principal`](crate::Proposal::principal) says it, in order.
    pub fn principal(&self) -> impl Iterator<Item = (&str, &AttributeValue)> {
        Spoken(&self.attributes).principal()
    }
}

/// A transaction of a database with its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionDetail {
    summary: TransactionSummary,
    events: Vec<Event>,
}

impl TransactionDetail {
    pub(super) fn new(found: &StoredTransaction, source: &DatabaseSource) -> Self {
        let summary = TransactionSummary {
            id: found.id.clone(),
            basis: found.basis(),
            revision: found.revision(),
            recorded_at: found.recorded_at(),
            attributes: found.attributes().clone(),
        };
        let events = found.events().iter().map(|event| Event::new(event.clone(), source.clone())).collect();
        Self { summary, events }
    }

    /// The transaction without its events.
    #[must_use]
    pub fn summary(&self) -> &TransactionSummary {
        &self.summary
    }

    /// Its events, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Drops the events.
    #[must_use]
    pub fn into_summary(self) -> TransactionSummary {
        self.summary
    }

    /// Drops all but the events.
    #[must_use]
    pub fn into_events(self) -> Vec<Event> {
        self.events
    }
}
