//! Speculating: the database as it would be with events that nobody has written.

use super::at::DatabaseAt;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventFields, EventId, Given, StoredEvent};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::made_id::IdSeed;
use crate::vocabulary::prospective_event::{EventFault, ProspectiveEvent};
use crate::vocabulary::transaction_error::{InvalidEvent, TransactionError, check_proposal};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl DatabaseAt {
    /// The database as it would be with these events behind what it holds now, as one transaction. Nothing is written. What it
    /// gives can be speculated on again. Whoever reads it finds these events as if they were stored: their revisions follow this
    /// one's, their positions follow those of their streams, and without an id they get one (UUID v7).
    ///
    /// They are recorded when the basis was, and without a time of occurrence they also occurred then: no clock is asked, so what
    /// follows from a database and the events alone is the same each time it is worked out; and who asks for the events up to
    /// [`recorded_at`](Self::recorded_at) sees them.
    ///
    /// Costs a look-up for each event with an id and each stream, and a copy of references to what is speculated already.
    ///
    /// # Errors
    /// [`DatabaseError::Transaction`] for what a transaction would be refused for:
    /// [`TransactionError::Empty`], [`TransactionError::TooLarge`], [`TransactionError::InvalidEvents`], also where an id is
    /// taken at this revision. Limits that only the store knows, as of a payload's bytes, are not held against the events.
    /// [`DatabaseError::Read`].
    #[doc(alias = "speculate_with_transaction")]
    pub fn speculate(&self, events: impl IntoIterator<Item = ProspectiveEvent>) -> Result<DatabaseAt, DatabaseError> {
        let events: Vec<ProspectiveEvent> = events.into_iter().collect();
        check_proposal(None, &events, &[], self.database().max_events())?;
        self.refuse_taken_ids(&events)?;
        let mut next_positions = self.next_positions(&events)?;
        let seed = IdSeed::of(uuid::Uuid::new_v4().as_bytes());
        let first = self.revision().get();
        let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
        let mut speculated = self.speculated().to_vec();
        speculated.reserve_exact(events.len());
        for (sequence_number, event) in (first..).zip(&events) {
            let position = next_positions.entry(event.stream_id()).or_default();
            let made = || EventId::from(uuid::Uuid::from_bytes(seed.make(sequence_number, self.recorded_at())));
            let stored = StoredEvent::from_fields(EventFields {
                id: event.id().cloned().unwrap_or_else(made),
                category: event.category(),
                stream: event.stream(),
                name: event.name(),
                payload: event.payload(),
                metadata: None,
                attributes: (!event.attributes().is_empty()).then(|| Arc::new(event.attributes().clone())),
                position: *position,
                sequence_number,
                observed_at: self.recorded_at(),
                occurred_at: event.occurred_at().unwrap_or_else(|| self.recorded_at()),
                recorded_at: self.recorded_at(),
                given: Given {
                    id: event.id().is_some(),
                    observed_at: false,
                    occurred_at: event.occurred_at().is_some(),
                },
                transaction_id: None,
                transaction_first: first,
                transaction_count: count,
            });
            *position += 1;
            speculated.push(self.database().event(stored));
        }
        Ok(self.with_speculated(speculated.into()))
    }

    /// Refuses events whose ids their categories have already at this revision, speculated ones among them.
    fn refuse_taken_ids(&self, events: &[ProspectiveEvent]) -> Result<(), DatabaseError> {
        let speculated: HashSet<(&str, EventId)> =
            self.speculated().iter().map(|event| (event.category(), event.id())).collect();
        let mut taken = Vec::new();
        for (index, event) in events.iter().enumerate() {
            let Some(id) = event.id() else { continue };
            if speculated.contains(&(event.category(), id.clone())) || self.has_stored(event.category(), id)? {
                let fault = EventFault::DuplicateEventId { category: event.category().into(), id: id.clone() };
                taken.push(InvalidEvent::new(index, Some(id.clone()), fault));
            }
        }
        if taken.is_empty() { Ok(()) } else { Err(TransactionError::InvalidEvents(taken).into()) }
    }

    /// The positions that the next events of these events' streams have.
    fn next_positions(&self, events: &[ProspectiveEvent]) -> Result<HashMap<Stream, u64>, ReadError> {
        let mut next: HashMap<Stream, u64> = HashMap::new();
        for event in self.speculated() {
            next.insert(event.stream_id(), event.as_ref().position().get() + 1);
        }
        for event in events {
            let stream = event.stream_id();
            if next.contains_key(&stream) {
                continue;
            }
            let handle = self.database().store().stream(event.category(), event.stream());
            let last = handle.scan().at(self.basis()).reverse().limit(1).into_iter().next().transpose()?;
            next.insert(stream, last.map_or(0, |last| last.position().get() + 1));
        }
        Ok(next)
    }
}
