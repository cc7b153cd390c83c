//! Which events a scan asks for, and where their frames are: all that a scan asks of indexes.

use super::LiveSegment;
use super::found::{FoundAhead, Wanted};
use super::snapshot::Snapshot;
use crate::index::{PostingPlace, stream_hash};
use crate::vocabulary::error::{Corruption, ReadError};
use crate::vocabulary::event::EventRef;
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::query::ScanQuery;
use std::ops::Range;

/// Events of one list at most: enough to look ahead, and few enough to stay near.
pub(super) const LIST: usize = 64;

/// Which numbers a scan asks for, in its order.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Its range is what is left of the numbers asked for; of a scan of the whole log it says what comes next.
    wanted: Wanted,
    reverse: bool,
    /// The part that comes next, by its place in the list; `None` behind the last.
    part: Option<usize>,
    /// The target's events in parts before that.
    found: FoundAhead,
    place: PostingPlace,
}

/// Some of the events that a scan asks for.
#[derive(Debug)]
pub(super) struct Piece {
    /// Events that follow each other, frame after frame; in a scan of the whole log.
    pub(super) run: Range<u64>,
    /// The part that they are in, by its place in the list.
    pub(super) part: usize,
    /// Events here and there, in the order asked for.
    pub(super) list: List,
}

/// Events, and where their frames begin.
#[derive(Debug)]
pub(super) struct List {
    items: [Item; LIST],
    /// Which are left.
    rest: Range<usize>,
}

/// An event, and where its frame begins.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) offset: u64,
    /// The part that it is in, by its place in the list.
    pub(super) part: u32,
    /// Whether it is the target's; else it tells whether it and all that follow in the part are.
    pub(super) is_sure: bool,
}

impl List {
    /// The next event.
    #[inline]
    pub(super) fn first(&self) -> Option<&Item> {
        self.items.get(self.rest.clone())?.first()
    }

    /// The events that come so many after the next, as far as they are there.
    #[inline]
    pub(super) fn ahead(&self, by: Range<usize>) -> &[Item] {
        let of = |by: usize| self.rest.start.saturating_add(by).min(self.rest.end);
        self.items.get(of(by.start)..of(by.end)).unwrap_or_default()
    }

    /// Whether a multiple of so many events was taken away.
    #[inline]
    pub(super) fn is_at_multiple_of(&self, many: usize) -> bool {
        self.rest.start.is_multiple_of(many)
    }

    /// How many events are left.
    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.rest.len() as u64
    }

    /// Takes the next event away.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.rest.start += 1;
    }

    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.rest = 0..0;
    }

    /// Says of all events from the one at `index` of those left on that they tell whether they are meant.
    pub(super) fn doubt(&mut self, index: u64) {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let left = self.items.get_mut(self.rest.clone()).unwrap_or_default();
        left.iter_mut().skip(index).for_each(|item| item.is_sure = false);
    }

    /// Takes all events away that come next and are in this part.
    pub(super) fn skip(&mut self, part: u32) {
        while self.first().is_some_and(|item| item.part == part) {
            self.advance();
        }
    }
}

impl Default for Piece {
    fn default() -> Self {
        let list = List { items: [Item::default(); LIST], rest: 0..0 };
        Self { run: 0..0, part: 0, list }
    }
}

impl Piece {
    pub(super) fn is_empty(&self) -> bool {
        self.run.is_empty() && self.list.rest.is_empty()
    }
}

impl Numbers {
    pub(super) fn new(query: &ScanQuery, snapshot: &Snapshot, seed: u64) -> Self {
        let range = query.range(snapshot.revision);
        let part = match (range.is_empty(), query.reverse) {
            (true, _) => None,
            (false, false) => snapshot.segment_of(range.start),
            (false, true) => snapshot.segment_of(range.end - 1),
        };
        let hash = match &query.target {
            Identifier::Stream(stream) => stream_hash(seed, stream.category(), stream.stream()),
            _ => 0,
        };
        let wanted = Wanted { target: query.target.clone(), hash, range, positions: query.positions() };
        let found = FoundAhead::new(query.limit.unwrap_or(u64::MAX));
        Self { wanted, reverse: query.reverse, part, found, place: PostingPlace::default() }
    }

    /// The next events, no more than `most` where they stand here and there. None is left when `piece` stays empty.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when the index does not know what it should.
    pub(super) fn next(&mut self, snapshot: &Snapshot, most: u64, piece: &mut Piece) -> Result<(), ReadError> {
        let most = usize::try_from(most).unwrap_or(LIST).min(LIST);
        if !matches!(self.wanted.target, Identifier::Log(_)) {
            return self.next_postings(snapshot, most, &mut piece.list);
        }
        while let (true, Some(part)) = (piece.is_empty(), self.part) {
            match (self.reverse, snapshot.segment(part)) {
                (true, Some(segment)) => self.previous_numbers(segment, part, most, &mut piece.list)?,
                _ => (piece.run, piece.part) = (self.next_run(snapshot, part), part),
            }
            if piece.is_empty() {
                self.part = following(snapshot, &self.wanted.range, self.reverse, part);
            }
        }
        Ok(())
    }

    /// Whether the event is the target's.
    pub(super) fn is_wanted(&self, event: &EventRef<'_>) -> bool {
        match &self.wanted.target {
            Identifier::Stream(stream) => {
                (event.parts.stream.of(event.data), event.parts.category.of(event.data))
                    == (stream.stream().as_bytes(), stream.category().as_bytes())
            }
            _ => true,
        }
    }

    /// Takes away what was found in a part by a hash that another stream has as well: the target's events are not there.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] if they are.
    pub(super) fn skip(&mut self, snapshot: &Snapshot, part: usize) -> Result<(), ReadError> {
        if let Some(found) = self.found.first().filter(|found| found.part == part) {
            found.end = found.start;
            self.place.clear();
        }
        if let (Some(live), Identifier::Stream(stream)) = (snapshot.segment(part), &self.wanted.target) {
            let is_there = live.ask(|index| index.stream(stream.category(), stream.stream(), self.wanted.hash))?;
            if is_there.is_some() {
                return Err(live.corrupt(0, "the index takes another stream for the one that is asked for"));
            }
        }
        Ok(())
    }

    /// What is left of a part, all of it.
    fn next_run(&mut self, snapshot: &Snapshot, part: usize) -> Range<u64> {
        let end = snapshot.segment(part + 1).map_or(u64::MAX, |next| next.base());
        let range = &mut self.wanted.range;
        let run = range.start..range.end.min(end);
        range.start = run.end.max(run.start);
        run
    }

    /// The last events that are left of a part, newest first.
    fn previous_numbers(
        &mut self,
        segment: &LiveSegment,
        part: usize,
        most: usize,
        list: &mut List,
    ) -> Result<(), ReadError> {
        let range = &mut self.wanted.range;
        let start = range.start.max(segment.base());
        let count = usize::try_from(range.end.saturating_sub(start)).unwrap_or(most).min(most);
        let mut ordinals = [0; LIST];
        for (slot, number) in ordinals.iter_mut().zip((range.end - count as u64..range.end).rev()) {
            *slot = u32::try_from(number.saturating_sub(segment.base())).map_err(|_| gone(number))?;
        }
        range.end -= count as u64;
        list.rest = 0..0;
        list.add(segment, part, true, ordinals.get(..count).unwrap_or_default())
    }

    /// The next events of the target, of as many parts as are looked up.
    fn next_postings(&mut self, snapshot: &Snapshot, most: usize, list: &mut List) -> Result<(), ReadError> {
        list.rest = 0..0;
        let (mut ordinals, mut groups, mut done) = ([0; LIST], [(0, 0, true); LIST], 0);
        let mut group = 0;
        while done < most {
            let Some(found) = self.found.first() else {
                let Self { wanted, reverse, part, found, .. } = self;
                let next = || part.inspect(|at| *part = following(snapshot, &wanted.range, *reverse, *at));
                if done > 0 || !found.look_up(snapshot, wanted, next)? {
                    break;
                }
                continue;
            };
            let Some(segment) = snapshot.segment(found.part) else { break };
            let left = found.end - found.start;
            let count = u32::try_from(most - done).unwrap_or_default().min(left);
            let first = if self.reverse { found.end - count } else { found.start };
            let end = done + count as usize;
            let slots = ordinals.get_mut(done..end).unwrap_or_default();
            let (entry, head, place) = (found.entry, found.list, &mut self.place);
            if segment.ask(|index| index.ordinals_at(entry, &head, first, place, slots))? != slots.len() {
                return Err(segment.corrupt(0, "the index knows fewer events of the target than it counts"));
            }
            segment.index().prefetch_frames(slots);
            if self.reverse {
                slots.reverse();
                found.end -= count;
            } else {
                found.start += count;
            }
            if let Some(slot) = groups.get_mut(group) {
                *slot = (found.part, end, found.is_sure);
            }
            // Of what comes later, the first event has told.
            found.is_sure = true;
            if count == left {
                self.place.clear();
            }
            (done, group) = (end, group + 1);
        }
        let mut start = 0;
        for (part, end, is_sure) in groups.into_iter().take(group) {
            if let Some(segment) = snapshot.segment(part) {
                list.add(segment, part, is_sure, ordinals.get(start..end).unwrap_or_default())?;
            }
            start = end;
        }
        Ok(())
    }
}

impl List {
    /// Adds events of one part.
    pub(super) fn add(
        &mut self,
        segment: &LiveSegment,
        part: usize,
        is_sure: bool,
        ordinals: &[u32],
    ) -> Result<(), ReadError> {
        let mut offsets = [0; LIST];
        if !segment.ask(|index| index.frames_of(ordinals, &mut offsets))? {
            return Err(segment.corrupt(0, "the index does not know the frames of all of its events"));
        }
        let (base, part) = (segment.base(), u32::try_from(part).map_err(|_| gone(segment.base()))?);
        let slots = self.items.get_mut(self.rest.end..).unwrap_or_default();
        for (item, (ordinal, offset)) in slots.iter_mut().zip(ordinals.iter().zip(offsets)) {
            *item = Item { number: base + u64::from(*ordinal), offset, part, is_sure: true };
        }
        if let Some(first) = slots.first_mut() {
            first.is_sure = is_sure;
        }
        self.rest.end += ordinals.len();
        Ok(())
    }
}

/// The part that comes after another, if it has any of these numbers.
pub(super) fn following(snapshot: &Snapshot, range: &Range<u64>, reverse: bool, part: usize) -> Option<usize> {
    let next = if reverse { part.checked_sub(1) } else { Some(part + 1) };
    next.filter(|next| {
        snapshot.segment(*next).is_some_and(|next| match reverse {
            false => next.base() < range.end,
            true => next.base() + u64::from(next.index().count()) > range.start,
        })
    })
}

/// Where the frame begins that holds the event with this number.
pub(super) fn frame_of(segment: &LiveSegment, number: u64) -> Result<u64, ReadError> {
    segment.ask(|index| index.frame_of(number))?.ok_or_else(|| gone(number))
}

/// An event below the revision that no segment holds. The index says where every event is, so this means memory was damaged.
pub(super) fn gone(number: u64) -> ReadError {
    Corruption { segment: 0, offset: 0, what: format!("no segment holds the event with sequence number {number}") }
        .into()
}
