//! Where a target's events are in the parts ahead: looked up in many parts at once.

use super::snapshot::Snapshot;
use crate::index::sealed::{Damaged, Step};
use crate::index::{EntryId, ListPlace, PartIndex};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::identifier::Identifier;
use std::ops::Range;

/// Parts that are looked up at once: enough for the memory to bring in what all of them need together.
const PARTS: usize = 16;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) target: Identifier,
    /// The hash of the stream, where it is one.
    pub(super) hash: u64,
    /// Numbers and positions asked for.
    pub(super) range: Range<u64>,
    pub(super) positions: Range<u64>,
}

/// The events of the target that are left of one part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// The part's place in the list.
    pub(super) part: usize,
    pub(super) entry: EntryId,
    pub(super) list: ListPlace,
    /// Which of the entry's events are asked for.
    pub(super) start: u32,
    pub(super) end: u32,
    /// Whether the entry is the target's; else the first event tells.
    pub(super) is_sure: bool,
}

/// What was found in the parts that come next, in the order asked for.
#[derive(Debug)]
pub(super) struct FoundAhead {
    found: [Option<Found>; PARTS],
    next: usize,
    /// How many parts are looked up the next time.
    width: usize,
}

impl FoundAhead {
    /// Of a scan of so many events at most: where they are few, they may all be in the first part.
    pub(super) fn new(most: u64) -> Self {
        Self { found: [None; PARTS], next: PARTS, width: if most < 64 { 1 } else { PARTS } }
    }

    /// The part that comes next, if it is looked up.
    pub(super) fn first(&mut self) -> Option<&mut Found> {
        while let Some(found) = self.found.get(self.next) {
            match found {
                Some(found) if found.start < found.end => break,
                _ => self.next += 1,
            }
        }
        self.found.get_mut(self.next)?.as_mut()
    }

    /// Looks the target up in the parts that come next. Whether there were any.
    ///
    /// Each step needs what the memory has for the one before. It is asked for what a step needs for all parts before any of them
    /// takes it.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`], as all that asks the index.
    pub(super) fn look_up(
        &mut self,
        snapshot: &Snapshot,
        wanted: &Wanted,
        mut next_part: impl FnMut() -> Option<usize>,
    ) -> Result<bool, ReadError> {
        let mut parts = [0; PARTS];
        let mut count = 0;
        for slot in parts.iter_mut().take(self.width) {
            let Some(part) = next_part() else { break };
            *slot = part;
            count += 1;
        }
        self.width = PARTS.min(self.width * 4);
        (self.found, self.next) = ([None; PARTS], 0);
        let parts = || parts.iter().take(count).filter_map(|part| snapshot.segment(*part).map(|live| (*part, live)));
        if matches!(wanted.target, Identifier::Stream(_)) {
            parts().for_each(|(_, live)| live.index().prefetch_stream(wanted.hash));
        }
        for (slot, (part, live)) in self.found.iter_mut().zip(parts()) {
            *slot = live.ask(|index| wanted.likely(index))?.map(|(entry, is_sure)| {
                live.index().prefetch_list(entry, Step::Start);
                Found { part, entry, is_sure, list: ListPlace::default(), start: 0, end: 0 }
            });
        }
        let found = || self.found.iter().flatten();
        found().for_each(|found| {
            let live = snapshot.segment(found.part);
            live.inspect(|live| live.index().prefetch_list(found.entry, Step::List));
        });
        for found in self.found.iter_mut().flatten() {
            if let Some(live) = snapshot.segment(found.part) {
                let (list, range) = live.ask(|index| wanted.postings(index, found.entry))?;
                (found.list, found.start, found.end) = (list, range.start, range.end);
            }
        }
        Ok(count > 0)
    }
}

impl Wanted {
    /// The target's entry, and whether it is for sure.
    fn likely(&self, index: &PartIndex) -> Result<Option<(EntryId, bool)>, Damaged> {
        match &self.target {
            Identifier::Log(_) => Ok(None),
            Identifier::Category(category) => Ok(index.category(category.category())?.map(|entry| (entry, true))),
            Identifier::Stream(stream) => {
                let found = index.likely_stream(stream.category(), stream.stream(), self.hash)?;
                Ok(found.map(|likely| (likely.entry, likely.is_sure)))
            }
        }
    }

    /// Where the entry's list is, and which of its events are asked for.
    fn postings(&self, index: &PartIndex, entry: EntryId) -> Result<(ListPlace, Range<u32>), Damaged> {
        let list = index.place(entry)?;
        let start = match self.range.start <= index.base() {
            true => 0,
            false => index.count_below(entry, &list, self.range.start)?,
        };
        let end = index.count_below(entry, &list, self.range.end)?;
        // Mostly no positions are asked for, and then the first need not be known.
        if !matches!(self.target, Identifier::Stream(_)) || self.positions == (0..u64::MAX) {
            return Ok((list, start..end));
        }
        let first = index.first_position(entry)?;
        let within = |position: u64| u32::try_from(position.saturating_sub(first)).unwrap_or(u32::MAX);
        Ok((list, start.max(within(self.positions.start))..end.min(within(self.positions.end))))
    }
}
