//! Stored events by their revisions, many at once.

use super::handle::Database;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::number::{Revision, SequenceNumber};
use std::collections::HashMap;

/// How many events may lie between two that are wanted for both to be read in one go: reading over a few costs less than looking
/// up anew.
const GAP: u64 = 8;

/// The stored events of these revisions, as far as there are any up to `basis`. In memory, all of them.
///
/// # Errors
/// [`ReadError`].
pub(super) fn stored_at(
    database: &Database,
    basis: Revision,
    revisions: &[Revision],
) -> Result<HashMap<Revision, Event>, ReadError> {
    let is_stored = |revision: &Revision| *revision > Revision::EMPTY && *revision <= basis;
    let mut wanted: Vec<Revision> = revisions.iter().copied().filter(is_stored).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = HashMap::with_capacity(wanted.len());
    for run in wanted.chunk_by(|one, next| next.get() - one.get() <= GAP + 1) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let scan = database.store().log().scan().from(number_of(*first)).until(number_of(*last));
        for event in scan {
            let event = event?;
            if run.binary_search(&event.revision()).is_ok() {
                found.insert(event.revision(), database.event(event));
            }
        }
    }
    Ok(found)
}

/// The sequence number of the event that brought a revision above 0.
fn number_of(revision: Revision) -> SequenceNumber {
    SequenceNumber::new(revision.get().saturating_sub(1))
}
