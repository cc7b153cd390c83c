//! `query`: the events that are meant, by category, stream and name, of the log as it is or was.

use crate::args::QueryArgs;
use crate::exit::Failure;
use crate::output::{Output, aside, plain};
use crate::{open, read};
use serde_json::json;
use std::time::Duration;
use stratalog::adapters::{EventCursor, Explanation, SelectQuery};
use stratalog::{EventStore, ReadError, Revision, Selector, SequenceNumber, StoredEvent};

pub(crate) fn run(arguments: &QueryArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let mut query = SelectQuery::new(selector(arguments));
    query.at = at(&store, arguments)?;
    query.occurred_until = arguments.effective;
    query.reverse = arguments.reverse;
    query.limit = arguments.limit;
    let mut cursor = store.adapter().select(&query)?;
    if out.json {
        read::as_json(|visitor| cursor.visit(visitor), out)?;
    } else {
        let events = Events { cursor: &mut *cursor, batch: Vec::new().into_iter(), failed: None };
        read::as_table(events, out)?;
    }
    if arguments.explain { explain(&cursor.explanation(), out) } else { Ok(()) }
}

/// What must hold of an event.
fn selector(arguments: &QueryArgs) -> Selector {
    let all = [
        arguments.category.as_deref().map(Selector::category),
        arguments.category_prefix.as_deref().map(Selector::category_prefix),
        arguments.stream.as_deref().map(Selector::stream),
        arguments.stream_prefix.as_deref().map(Selector::stream_prefix),
        arguments.no_stream.then(Selector::no_stream),
        arguments.name.as_deref().map(Selector::name),
        arguments.name_prefix.as_deref().map(Selector::name_prefix),
    ];
    // Every category's name begins with nothing.
    all.into_iter().flatten().reduce(Selector::and).unwrap_or_else(|| Selector::category_prefix(""))
}

/// The revision of the log that was asked for.
fn at(store: &EventStore, arguments: &QueryArgs) -> Result<Option<Revision>, ReadError> {
    let of_revision = arguments.at_revision.map(|revision| whole(store, revision)).transpose()?;
    let of_time = arguments.at.map(|time| store.adapter().revision_at(time)).transpose()?;
    Ok(of_revision.into_iter().chain(of_time).min())
}

/// The revision of the whole transaction that a revision stands in.
fn whole(store: &EventStore, revision: u64) -> Result<Revision, ReadError> {
    let wanted = Revision::new(revision);
    store.adapter().wait_revision(wanted, Duration::ZERO)?;
    let Some(last) = revision.checked_sub(1) else { return Ok(wanted) };
    let event = store.log().scan().from(SequenceNumber::new(last)).limit(1).into_iter().next().transpose()?;
    Ok(event.map_or(wanted, |event| event.transaction_revision()))
}

fn explain(explanation: &Explanation, out: &mut Output) -> Result<(), Failure> {
    if !out.json {
        return explanation.to_string().lines().try_for_each(|line| out.line(plain(line)));
    }
    let explanation = json!({
        "plan": explanation.plan,
        "parts": explanation.parts,
        "parts_without": explanation.parts_without,
        "names": explanation.names,
        "entries": explanation.entries,
        "frames": explanation.frames,
        "found": explanation.found,
    });
    aside(&explanation, out)
}

/// The events of a cursor, one by one. Ends after the first error.
struct Events<'a> {
    cursor: &'a mut dyn EventCursor,
    batch: std::vec::IntoIter<StoredEvent>,
    failed: Option<ReadError>,
}

impl Iterator for Events<'_> {
    type Item = Result<StoredEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.as_slice().is_empty() && self.failed.is_none() {
            let mut batch = Vec::new();
            self.failed = self.cursor.next_batch(&mut batch).err();
            self.batch = batch.into_iter();
        }
        self.batch.next().map(Ok).or_else(|| self.failed.take().map(Err))
    }
}
