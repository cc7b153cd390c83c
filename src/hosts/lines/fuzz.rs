//! The fuzz target of the import lines: any bytes are an event that comes back the same, or a typed error.

use super::{Form, Line, TransactionKey, parse, write};
use crate::store::EventStore;
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::transaction;

/// Reads the bytes as a line. What is an event is stored, written as a line, and read again: it must be the same submission.
///
/// # Panics
/// When the line does not come back the same.
pub fn lines(data: &[u8]) {
    let line = match parse(data) {
        Ok(line) => line,
        Err(error) => return assert!(!error.to_string().is_empty(), "an error says something"),
    };
    let Some(written) = stored_and_written(&line) else { return };
    let again = parse(&written);
    assert!(again.is_ok(), "{again:?} from {}", String::from_utf8_lossy(&written));
    let Ok(again) = again else { return };
    assert_eq!((&again.category, &again.stream), (&line.category, &line.stream));
    assert_eq!(submitted(&again.event), submitted(&line.event));
    match &line.key {
        TransactionKey::Id(_) => assert_eq!(again.key, line.key),
        // The store gives numbers of its own to groups, and none to a transaction of one event.
        TransactionKey::Group(_) | TransactionKey::Single => assert_eq!(again.key, TransactionKey::Single),
    }
    let stated = line.transaction_attributes.unwrap_or_default();
    assert_eq!(again.transaction_attributes.unwrap_or_default(), stated);
}

/// The line that the event is exported as; `None` where the store refuses it, or its payload is not what it says it is.
fn stored_and_written(line: &Line) -> Option<Vec<u8>> {
    let store = EventStore::in_memory();
    let mut append = transaction().stream(&*line.category, &*line.stream, [line.event.clone()]);
    if let TransactionKey::Id(id) = &line.key {
        append = append.id(&**id);
    }
    let attributes = line.transaction_attributes.clone().unwrap_or_default();
    for (name, value) in attributes.iter() {
        append = append.attribute(name, value.clone());
    }
    store.append(append).ok()?;
    let event = store.log().latest().ok().flatten()?;
    let mut written = Vec::new();
    write(&event.as_ref(), &attributes, Form::Export, &mut written).ok()?;
    Some(written)
}

/// The event without the time at which it was read, if the line states none.
fn submitted(event: &NewEvent) -> NewEvent {
    let mut event = event.clone();
    if !event.observed_given {
        event.observed_at = Timestamp::UNIX_EPOCH;
    }
    event
}
