//! Databases: transacting, time travel, speculation, queries, the log of transactions, and catalogs; on both adapters.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod both;
mod catalogs;
mod difference;
mod logs;
mod queries;
mod races;
mod speculation;
mod times;
mod transactions;

use both::{ManualClock, on_both};
use std::time::Duration;
use stratalog::{
    Database, DatabaseAt, DatabaseError, Event, EventFault, EventId, InvalidEvent, Proposal, ProspectiveEvent, Query,
    Revision, Selector, Timestamp, TransactionError,
};

/// For what must be there already.
const AT_ONCE: Duration = Duration::ZERO;

fn event(category: &str, stream: &str, name: &str) -> ProspectiveEvent {
    let event = ProspectiveEvent::empty(category, name);
    if stream.is_empty() { event } else { event.with_stream(stream) }
}

/// An event of the category `accounts` that has this id.
fn with_id(id: &str) -> ProspectiveEvent {
    event("accounts", "acc-42", "opened").with_id(id)
}

/// An event of the category `accounts` that occurred on this day of January 2024.
fn on_day(name: &str, day: u32) -> ProspectiveEvent {
    event("accounts", "acc-42", name).with_occurred_at(day_of_january(day))
}

fn day_of_january(day: u32) -> Timestamp {
    at(&format!("2024-01-{day:02}T00:00:00Z"))
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn revision(number: u64) -> Revision {
    Revision::new(number)
}

/// Everything, since every name begins with nothing.
fn all() -> Selector {
    Selector::name_prefix("")
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(Event::name).collect()
}

fn revisions(query: Query) -> Vec<u64> {
    query.into_iter().map(|event| event.unwrap().revision().get()).collect()
}

/// The faults of a transaction that is refused for its events.
fn faults<T: std::fmt::Debug>(outcome: Result<T, DatabaseError>) -> Vec<InvalidEvent> {
    match outcome.unwrap_err() {
        DatabaseError::Transaction(TransactionError::InvalidEvents(faults)) => faults,
        other => panic!("{other}"),
    }
}

/// The places of events that are refused for their ids.
fn duplicates<T: std::fmt::Debug>(outcome: Result<T, DatabaseError>) -> Vec<(usize, String)> {
    let place = |fault: InvalidEvent| match fault.fault {
        EventFault::DuplicateEventId { id, .. } => {
            assert_eq!(fault.id.as_ref(), Some(&id));
            (fault.index, id.to_string())
        }
        other => panic!("{other}"),
    };
    faults(outcome).into_iter().map(place).collect()
}
