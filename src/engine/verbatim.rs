//! Appending stored transactions as they are: what copies, restores and salvages need.

use super::Engine;
use super::append::too_much;
use super::seat::Seat;
use crate::format::encode::TransactionSource;
use crate::format::event::EventSource;
use crate::index::{Addition, Spot};
use crate::vocabulary::append::{OWN_NAMESPACE, check_continues, check_strict};
use crate::vocabulary::error::{AppendError, LimitedThing};
use crate::vocabulary::event::{EventId, IdRepr, StoredEvent};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::transaction::StoredTransaction;
use std::collections::HashMap;

/// A transaction's id is this long at most, whatever the limits.
const ID_BYTES: usize = 255;

impl Engine {
    /// Appends stored transactions with their own ids, numbers and times.
    ///
    /// # Errors
    /// [`AppendError::NotContiguous`]; then the transactions before the one that does not fit are there.
    pub(crate) fn append_verbatim(&self, transactions: &[StoredTransaction]) -> Result<Revision, AppendError> {
        self.admit_append()?;
        let mut seat = self.take_seat()?;
        let outcome = transactions.iter().try_for_each(|transaction| self.stage_verbatim(&mut seat, transaction));
        let (place, revision) = (seat.place(), seat.sequence);
        drop(seat);
        self.wait_visible(place)?;
        outcome.map(|()| Revision::new(revision))
    }

    fn stage_verbatim(&self, seat: &mut Seat, transaction: &StoredTransaction) -> Result<(), AppendError> {
        if let Some(own) = transaction.records.iter().find(|record| &*record.namespace == OWN_NAMESPACE) {
            return Err(AppendError::ReservedNamespace { namespace: own.namespace.clone() });
        }
        if self.settings.strict_names {
            check_strict(transaction)?;
        }
        if let Some(id) = &transaction.id {
            if id.len() > ID_BYTES {
                return Err(too_much(LimitedThing::TransactionId, id.len() as u64, ID_BYTES as u64));
            }
            if let Some(first) = self.taken_id(seat, id)? {
                return Err(AppendError::DuplicateTransaction { id: id.clone(), first: Box::new(first) });
            }
        }
        let mut next: HashMap<Stream, u64> = HashMap::new();
        check_continues(transaction, Revision::new(seat.sequence), Some(seat.recorded_at), |stream| {
            let position = match next.get(stream) {
                Some(position) => *position,
                None => self.known_position(seat, stream, Spot::default())?.0,
            };
            next.insert(stream.clone(), position + 1);
            Ok(position)
        })?;
        if transaction.events.is_empty() && transaction.records.is_empty() {
            return Ok(());
        }
        // Ids are compared with what this store would make: one made by the store that is restored here takes no bytes again.
        let ids: Vec<EventId> = transaction.events.iter().map(StoredEvent::id).collect();
        let made =
            |event: &StoredEvent| IdRepr::Uuid(self.seed.make(event.parts.sequence_number, transaction.recorded_at));
        let sources = || {
            transaction.events.iter().zip(&ids).map(|(event, id)| EventSource {
                id: Some(id).filter(|id| event.parts.given.id || id.0 != made(event)),
                category: event.category(),
                stream: event.stream(),
                name: event.name(),
                payload: event.payload(),
                metadata: event.metadata(),
                attributes: event.attributes(),
                position: event.parts.position,
                observed_at: event.observed_at(),
                occurred_at: event.occurred_at(),
                given: event.parts.given,
            })
        };
        let source = TransactionSource {
            id: transaction.id.as_deref().zip(transaction.digest),
            attributes: &transaction.attributes,
            records: &transaction.records,
        };
        let additions = transaction.events.iter().zip(&ids).map(|(event, id)| Addition {
            id: Some(id).filter(|id| id.0 != made(event)),
            ..Addition::new(event.category(), event.stream(), event.name(), event.parts.position)
        });
        self.put_transaction(seat, source, transaction.recorded_at, sources, additions)
    }
}
