//! Why a store did not append a proposal, said as a database says it: which events, and all of them.

use crate::adapters::StorageAdapter;
use crate::vocabulary::database_error::DatabaseError;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::EventId;
use crate::vocabulary::limit::{LimitExceeded, LimitedThing};
use crate::vocabulary::proposal::Proposal;
use crate::vocabulary::prospective_event::{EventFault, ProspectiveEvent};
use crate::vocabulary::strict::InvalidName;
use crate::vocabulary::transaction_error::{InvalidEvent, TransactionError};

/// The store's error as a database's: what is about the transaction becomes a [`TransactionError`], the rest stays what it is.
pub(super) fn refusal(adapter: &dyn StorageAdapter, proposal: &Proposal, error: AppendError) -> DatabaseError {
    let events = proposal.events();
    let faults = match &error {
        AppendError::DuplicateTransaction { id, .. } => return TransactionError::DuplicateId { id: id.clone() }.into(),
        AppendError::UnmetConditions(unmet) => return TransactionError::UnmetConditions(unmet.clone()).into(),
        AppendError::Limit(limit) => match limit.thing {
            LimitedThing::TransactionEvents => {
                return TransactionError::TooLarge { actual: limit.actual, max: limit.limit }.into();
            }
            LimitedThing::TransactionId => {
                let id = proposal.id_given().unwrap_or_default().into();
                return TransactionError::InvalidId { id, rule: "no longer than the store's limit" }.into();
            }
            _ => over_limit(events, *limit),
        },
        AppendError::DuplicateEventId { category, id, .. } => {
            let is_told = |event: &ProspectiveEvent, own: &EventId| event.category() == &**category && own == id;
            // The store tells of the first one it found. What is there stays there, so the others can be asked for now.
            let is_there = |event: &ProspectiveEvent, own: &EventId| {
                matches!(adapter.event_with_id(event.category(), own), Ok(Some(_)))
            };
            taken_ids(events, |event, own| is_told(event, own) || is_there(event, own))
        }
        AppendError::InvalidName { what, name, rule } => {
            let fault = InvalidName { what, name: name.clone(), rule };
            faults(events, |event| has_name(event, &fault).then(|| EventFault::Name(fault.clone())))
        }
        _ => Vec::new(),
    };
    // What no event explains is about the store.
    if faults.is_empty() { error.into() } else { TransactionError::InvalidEvents(faults).into() }
}

/// One fault for each event that has one.
fn faults(events: &[ProspectiveEvent], fault: impl Fn(&ProspectiveEvent) -> Option<EventFault>) -> Vec<InvalidEvent> {
    let of = |(index, event): (usize, &ProspectiveEvent)| {
        fault(event).map(|fault| InvalidEvent::new(index, event.id().cloned(), fault))
    };
    events.iter().enumerate().filter_map(of).collect()
}

/// The events whose ids are taken.
fn taken_ids(events: &[ProspectiveEvent], is_taken: impl Fn(&ProspectiveEvent, &EventId) -> bool) -> Vec<InvalidEvent> {
    faults(events, |event| {
        let id = event.id().filter(|id| is_taken(event, id))?;
        Some(EventFault::DuplicateEventId { category: event.category().into(), id: id.clone() })
    })
}

/// The events that have more of a thing than there may be.
fn over_limit(events: &[ProspectiveEvent], exceeded: LimitExceeded) -> Vec<InvalidEvent> {
    faults(events, |event| {
        let actual = measure(event, exceeded.thing) as u64;
        (actual > exceeded.limit).then_some(EventFault::Limit(LimitExceeded { actual, ..exceeded }))
    })
}

/// How much an event has of what is limited by event.
fn measure(event: &ProspectiveEvent, thing: LimitedThing) -> usize {
    let (payload, attributes) = (event.payload(), event.attributes());
    match thing {
        LimitedThing::CategoryName => event.category().len(),
        LimitedThing::StreamName => event.stream().len(),
        LimitedThing::EventName => event.name().len(),
        LimitedThing::EventId => event.id().map_or(0, EventId::text_len),
        LimitedThing::ContentType => payload.content_type.map_or(0, str::len),
        LimitedThing::Schema => payload.schema.map_or(0, str::len),
        LimitedThing::Payload => payload.bytes.len(),
        LimitedThing::Attributes => attributes.len(),
        LimitedThing::AttributeName => attributes.iter().map(|(name, _)| name.len()).max().unwrap_or(0),
        LimitedThing::AttributeValue => attributes.iter().map(|(_, value)| value.len()).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whether an event has the name that was refused.
fn has_name(event: &ProspectiveEvent, refused: &InvalidName) -> bool {
    match refused.what {
        "category" => event.category() == refused.name,
        "stream" => event.stream() == refused.name,
        "event" => event.name() == refused.name,
        "event id" => event.id().is_some_and(|id| id.to_string() == refused.name),
        "attribute" => event.attributes().get(&refused.name).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::memory::MemoryAdapter;

    fn proposal() -> Proposal {
        let event = |id: &str| ProspectiveEvent::empty("accounts", "opened").with_id(id).with_stream("acc-42");
        Proposal::new([event("a"), event("bb").with_attribute("tenant", "long"), event("cc")]).id("t")
    }

    fn limited(thing: LimitedThing, actual: u64, limit: u64) -> DatabaseError {
        refusal(&MemoryAdapter::new(), &proposal(), LimitExceeded { thing, actual, limit }.into())
    }

    fn places(error: &DatabaseError) -> Vec<usize> {
        let DatabaseError::Transaction(TransactionError::InvalidEvents(faults)) = error else { panic!("{error}") };
        faults.iter().map(|fault| fault.index).collect()
    }

    #[test]
    fn a_limit_is_told_of_every_event_beyond_it() {
        assert_eq!(places(&limited(LimitedThing::EventId, 2, 1)), [1, 2]);
        assert_eq!(places(&limited(LimitedThing::AttributeValue, 4, 3)), [1]);
        assert_eq!(places(&limited(LimitedThing::CategoryName, 8, 7)), [0, 1, 2]);
        let large = limited(LimitedThing::TransactionEvents, 3, 2);
        assert!(matches!(large, DatabaseError::Transaction(TransactionError::TooLarge { actual: 3, max: 2 })));
        let long = limited(LimitedThing::TransactionId, 1, 0);
        assert!(matches!(long, DatabaseError::Transaction(TransactionError::InvalidId { ref id, .. }) if &**id == "t"));
        let whole = limited(LimitedThing::TransactionBytes, 3, 2);
        assert!(matches!(whole, DatabaseError::Append(AppendError::Limit(_))), "{whole}");
    }

    #[test]
    fn a_name_is_told_of_every_event_that_has_it() {
        let refused = |what, name: &str| {
            let error = AppendError::InvalidName { what, name: name.into(), rule: "none" };
            refusal(&MemoryAdapter::new(), &proposal(), error)
        };
        assert_eq!(places(&refused("event id", "cc")), [2]);
        assert_eq!(places(&refused("attribute", "tenant")), [1]);
        assert_eq!(places(&refused("stream", "acc-42")), [0, 1, 2]);
        assert!(matches!(refused("event", "closed"), DatabaseError::Append(AppendError::InvalidName { .. })));
    }
}
