//! Which events a scan asks for, and where their frames are: all that a scan asks of indexes.

use super::LiveSegment;
use super::snapshot::Snapshot;
use crate::index::sealed::Damaged;
use crate::index::{EntryId, PartIndex, PostingPlace, stream_hash};
use crate::vocabulary::error::{Corruption, ReadError};
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::query::ScanQuery;
use std::ops::Range;

/// Events of one list at most: enough to look ahead, and few enough to stay near.
const LIST: usize = 64;

/// Which numbers a scan asks for, in its order.
#[derive(Debug)]
pub(super) struct Numbers {
    target: Identifier,
    /// What is left of the numbers asked for; of a scan of the whole log it says what comes next.
    range: Range<u64>,
    positions: Range<u64>,
    reverse: bool,
    /// The segment being read, by its place in the list; `None` behind the last.
    segment: Option<usize>,
    /// What is left of the segment's postings.
    postings: Option<(EntryId, Range<u32>)>,
    place: PostingPlace,
    /// The hash of the stream that is asked for.
    hash: u64,
}

/// Some of the events that a scan asks for, all in one segment.
#[derive(Debug)]
pub(super) struct Piece {
    /// By its place in the list.
    pub(super) segment: usize,
    /// Events that follow each other, frame after frame; in a scan of the whole log.
    pub(super) run: Range<u64>,
    /// Events here and there, in the order asked for.
    pub(super) list: List,
}

/// Numbers of events, and where their frames begin.
#[derive(Debug)]
pub(super) struct List {
    base: u64,
    ordinals: [u32; LIST],
    offsets: [u64; LIST],
    /// Which are left.
    rest: Range<usize>,
}

impl List {
    /// The next event's number, and where its frame begins.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, u64)> {
        let ordinal = self.ordinals.get(self.rest.clone())?.first()?;
        Some((self.base + u64::from(*ordinal), *self.offsets.get(self.rest.start)?))
    }

    /// Where the frame of the event begins that comes so many after the next.
    #[inline]
    pub(super) fn ahead(&self, by: usize) -> Option<u64> {
        self.offsets.get(..self.rest.end)?.get(self.rest.start + by).copied()
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
}

impl Default for Piece {
    fn default() -> Self {
        let list = List { base: 0, ordinals: [0; LIST], offsets: [0; LIST], rest: 0..0 };
        Self { segment: 0, run: 0..0, list }
    }
}

impl Piece {
    pub(super) fn is_empty(&self) -> bool {
        self.run.is_empty() && self.list.rest.is_empty()
    }
}

impl Numbers {
    /// # Errors
    /// [`ReadError::Corrupt`], as all that asks the index.
    pub(super) fn new(query: &ScanQuery, snapshot: &Snapshot, seed: u64) -> Result<Self, ReadError> {
        let range = query.range(snapshot.revision);
        let segment = match (range.is_empty(), query.reverse) {
            (true, _) => None,
            (false, false) => snapshot.segment_of(range.start),
            (false, true) => snapshot.segment_of(range.end - 1),
        };
        let mut numbers = Self {
            target: query.target.clone(),
            range,
            positions: query.positions(),
            reverse: query.reverse,
            segment,
            postings: None,
            place: PostingPlace::default(),
            hash: match &query.target {
                Identifier::Stream(stream) => stream_hash(seed, stream.category(), stream.stream()),
                _ => 0,
            },
        };
        numbers.postings = numbers.postings_of(snapshot)?;
        Ok(numbers)
    }

    /// The next events, no more than `most` where they stand here and there. None is left when `piece` stays empty.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when the index does not know what it should.
    pub(super) fn next(&mut self, snapshot: &Snapshot, most: u64, piece: &mut Piece) -> Result<(), ReadError> {
        let most = usize::try_from(most).unwrap_or(LIST).min(LIST);
        while let Some(segment) = self.segment.and_then(|index| snapshot.segment(index)) {
            piece.segment = self.segment.unwrap_or_default();
            match self.target {
                Identifier::Log(_) if !self.reverse => piece.run = self.next_run(snapshot, piece.segment),
                Identifier::Log(_) => self.previous_numbers(segment, most, &mut piece.list)?,
                _ => self.next_postings(segment, most, &mut piece.list)?,
            }
            if !piece.is_empty() {
                return Ok(());
            }
            self.next_segment(snapshot)?;
        }
        Ok(())
    }

    fn next_segment(&mut self, snapshot: &Snapshot) -> Result<(), ReadError> {
        let next = self.segment.and_then(|at| if self.reverse { at.checked_sub(1) } else { Some(at + 1) });
        self.segment = next.filter(|next| {
            snapshot.segment(*next).is_some_and(|next| match self.reverse {
                false => next.base() < self.range.end,
                true => next.base() + u64::from(next.index().count()) > self.range.start,
            })
        });
        self.place = PostingPlace::default();
        self.postings = self.postings_of(snapshot)?;
        Ok(())
    }

    /// What is left of a segment, all of it.
    fn next_run(&mut self, snapshot: &Snapshot, segment: usize) -> Range<u64> {
        let end = snapshot.segment(segment + 1).map_or(u64::MAX, |next| next.base());
        let run = self.range.start..self.range.end.min(end);
        self.range.start = run.end.max(run.start);
        run
    }

    /// The last events that are left of a segment, newest first.
    fn previous_numbers(&mut self, segment: &LiveSegment, most: usize, list: &mut List) -> Result<(), ReadError> {
        let start = self.range.start.max(segment.base());
        let end = self.range.end;
        let count = usize::try_from(end.saturating_sub(start)).unwrap_or(most).min(most);
        for (slot, number) in list.ordinals.iter_mut().zip((end - count as u64..end).rev()) {
            *slot = u32::try_from(number.saturating_sub(segment.base())).map_err(|_| gone(number))?;
        }
        self.range.end -= count as u64;
        self.find_frames(segment, count, list)
    }

    /// The next events of the target in a segment.
    fn next_postings(&mut self, segment: &LiveSegment, most: usize, list: &mut List) -> Result<(), ReadError> {
        let Some((entry, rest)) = &mut self.postings else {
            return Ok(());
        };
        let count = u32::try_from(most).unwrap_or_default().min(rest.end.saturating_sub(rest.start));
        let first = if self.reverse { rest.end - count } else { rest.start };
        if self.reverse {
            rest.end -= count;
        } else {
            rest.start += count;
        }
        let wanted = list.ordinals.get_mut(..count as usize).unwrap_or_default();
        let (entry, place) = (*entry, &mut self.place);
        if segment.ask(|index| index.ordinals_at(entry, first, place, wanted))? != wanted.len() {
            return Err(segment.corrupt(0, "the index knows fewer events of the target than it counts"));
        }
        if self.reverse {
            wanted.reverse();
        }
        self.find_frames(segment, count as usize, list)
    }

    fn find_frames(&self, segment: &LiveSegment, count: usize, list: &mut List) -> Result<(), ReadError> {
        let ordinals = list.ordinals.get(..count).unwrap_or_default();
        (list.base, list.rest) = (segment.base(), 0..count);
        if segment.ask(|index| index.frames_of(ordinals, &mut list.offsets))? {
            return Ok(());
        }
        Err(segment.corrupt(0, "the index does not know the frames of all of its events"))
    }

    /// The postings of the target in the current segment, within the bounds.
    fn postings_of(&self, snapshot: &Snapshot) -> Result<Option<(EntryId, Range<u32>)>, ReadError> {
        let Some(segment) = self.segment.and_then(|index| snapshot.segment(index)) else { return Ok(None) };
        Ok(segment.ask(|index| self.postings_in(index))?)
    }

    fn postings_in(&self, index: &PartIndex) -> Result<Option<(EntryId, Range<u32>)>, Damaged> {
        let entry = match &self.target {
            Identifier::Log(_) => None,
            Identifier::Category(category) => index.category(category.category())?,
            Identifier::Stream(stream) => index.stream(stream.category(), stream.stream(), self.hash)?,
        };
        let Some(entry) = entry else { return Ok(None) };
        let start = if self.range.start <= index.base() { 0 } else { index.count_below(entry, self.range.start)? };
        let end = index.count_below(entry, self.range.end)?;
        let mut range = start..end;
        // Mostly no positions are asked for, and then the first need not be known.
        if matches!(self.target, Identifier::Stream(_)) && self.positions != (0..u64::MAX) {
            let first = index.first_position(entry)?;
            let within = |position: u64| u32::try_from(position.saturating_sub(first)).unwrap_or(u32::MAX);
            range = range.start.max(within(self.positions.start))..range.end.min(within(self.positions.end));
        }
        Ok(Some((entry, range)))
    }
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
