//! Which events a cursor reads: those of a target, or those that a selector selects.

use super::numbers::{List, Numbers, Piece};
use super::selected::Selected;
use super::snapshot::Snapshot;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::EventRef;
use crate::vocabulary::select_query::Explanation;

/// Where a cursor's events come from.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most cursors read a target, and are not to cost one more allocation")]
pub(super) enum Source {
    Target(Numbers),
    Selector(Box<Selected>),
}

impl Source {
    /// The next events, no more than `most` where they stand here and there. None is left when `piece` stays empty.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when the index does not know what it should.
    pub(super) fn next(&mut self, snapshot: &Snapshot, most: u64, piece: &mut Piece) -> Result<(), ReadError> {
        match self {
            Source::Target(numbers) => numbers.next(snapshot, most, piece),
            Source::Selector(selected) => selected.next(snapshot, most, &mut piece.list),
        }
    }

    /// Whether an event is meant that was found by what may find others, too.
    pub(super) fn is_wanted(&self, event: &EventRef<'_>) -> bool {
        match self {
            Source::Target(numbers) => numbers.is_wanted(event),
            Source::Selector(selected) => selected.is_wanted(event),
        }
    }

    /// Goes on behind an event that is not meant, the first of the list.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when the index should have known.
    pub(super) fn skip(&mut self, snapshot: &Snapshot, list: &mut List, part: u32) -> Result<(), ReadError> {
        match self {
            Source::Target(numbers) => {
                // It was found by a hash that its stream shares with the target, which then has no event in the part.
                list.skip(part);
                numbers.skip(snapshot, part as usize)
            }
            Source::Selector(selected) => {
                list.advance();
                selected.pass();
                Ok(())
            }
        }
    }

    /// What it took so far, where that is counted.
    pub(super) fn explanation(&self) -> Explanation {
        match self {
            Source::Target(_) => Explanation::default(),
            Source::Selector(selected) => selected.explanation(),
        }
    }
}
