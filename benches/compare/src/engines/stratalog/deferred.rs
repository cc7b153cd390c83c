//! Deferred appends of Stratalog.

use super::NAME;
use crate::data::Data;
use crate::engine::Call;
use crate::error::{Of, Result};
use std::collections::VecDeque;
use std::sync::Arc;
use stratalog::{
    AppendError, EventStore, NewEvent, Payload, Position, Ticket, position_is, stream_is_empty, transaction,
};

/// Tickets that are held before it is asked what became of the oldest.
const HELD: usize = 1_000;

/// Appends one event a call. Where the store has no room, waits until the oldest that was not asked about is on disk. Each append
/// is asked about once: whether it was accepted, and of the last whether it is on disk.
pub fn append(store: &EventStore, data: &Data, calls: &mut dyn Iterator<Item = Call>) -> Result<()> {
    let mut held: VecDeque<Ticket> = VecDeque::with_capacity(HELD);
    for call in calls {
        let ticket = loop {
            match one(store, data, call) {
                Ok(ticket) => break ticket,
                Err(AppendError::Full { .. }) => match held.pop_front() {
                    Some(oldest) => drop(oldest.durable().of(NAME)?),
                    None => drop(store.sync().of(NAME)?),
                },
                Err(error) => return Err(error).of(NAME),
            }
        };
        if held.len() == HELD
            && let Some(oldest) = held.pop_front()
        {
            oldest.accepted().of(NAME)?;
        }
        held.push_back(ticket);
    }
    let last = held.pop_back();
    for ticket in held {
        ticket.accepted().of(NAME)?;
    }
    last.map_or(Ok(()), |last| last.durable().map(drop).of(NAME))
}

fn one(store: &EventStore, data: &Data, call: Call) -> Result<Ticket, AppendError> {
    let stream = &data.streams[call.stream];
    let payload = Payload::binary(data.payload(call.event).to_vec());
    let event = NewEvent::from_payload(Arc::clone(&data.event_name), payload);
    let (category, name) = (Arc::clone(&stream.category), Arc::clone(&stream.name));
    let append = match call.expected.checked_sub(1) {
        None => transaction().stream_if(category, name, [event], stream_is_empty()),
        Some(last) => transaction().stream_if(category, name, [event], position_is(Position::new(last))),
    };
    store.append_deferred(append)
}
