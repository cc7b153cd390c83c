//! Reading events: which numbers a scan asks for, and the events behind them.

use super::Engine;
use super::live::LiveSegment;
use super::snapshot::Snapshot;
use crate::disk::RegionBytes;
use crate::format::decode::{EventFault, FrameCheck, FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::FrameHeader;
use crate::format::transaction::Sections;
use crate::index::sealed::Damaged;
use crate::index::stream_hash;
use crate::index::{EntryId, PartIndex, PostingPlace};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventRef, Parts, StoredEvent};
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::query::ScanQuery;
use bytes::Bytes;
use std::cell::Cell;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Events of one batch.
const BATCH: usize = 256;

/// A scan under way. Sees the log as it was when the scan began.
#[derive(Debug)]
pub(crate) struct Cursor {
    snapshot: Snapshot,
    numbers: Numbers,
    /// How many more events are asked for.
    rest: u64,
    frames: Frames,
    /// The bytes of the segment last read from, for owned events.
    bytes: Option<(usize, Bytes)>,
}

impl Engine {
    /// Begins a scan.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn scan(&self, query: &ScanQuery) -> Result<Cursor, ReadError> {
        query.check()?;
        let snapshot = self.snapshot()?;
        let numbers = Numbers::new(query, &snapshot, self.hash_seed)?;
        // After a failed sync nobody knows what the system's memory will show of what was not durable.
        let verify = self.settings.verify_reads || self.poison().is_some();
        let frames = Frames::new(self.seed, verify);
        Ok(Cursor { snapshot, numbers, rest: query.limit.unwrap_or(u64::MAX), frames, bytes: None })
    }

    /// The newest event of a target.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError> {
        let mut query = ScanQuery::new(target.clone());
        (query.reverse, query.limit) = (true, Some(1));
        self.scan(&query)?.next_event()
    }
}

impl Cursor {
    fn next_number(&mut self) -> Result<Option<u64>, ReadError> {
        let Some(rest) = self.rest.checked_sub(1) else { return Ok(None) };
        self.rest = rest;
        let number = self.numbers.next(&self.snapshot).inspect_err(|_| self.rest = 0)?;
        if number.is_none() {
            self.rest = 0;
        }
        Ok(number)
    }

    /// The next event, owned.
    fn next_event(&mut self) -> Result<Option<StoredEvent>, ReadError> {
        let Some(number) = self.next_number()? else {
            return Ok(None);
        };
        let found = self.frames.event(&self.snapshot, number).inspect_err(|_| self.rest = 0)?;
        let (start, end) = (found.offset, found.offset + found.frame.len() as u64);
        let (index, parts) = (found.segment, found.parts);
        let data = match &self.bytes {
            Some((known, bytes)) if *known == index => bytes,
            _ => {
                let segment = self.snapshot.segment(index).ok_or_else(|| gone(number))?;
                let owner = RegionBytes::new(Arc::clone(&segment.region), u64::MAX);
                &self.bytes.insert((index, Bytes::from_owner(owner))).1
            }
        };
        let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end)) else {
            return Err(gone(number));
        };
        // The owner holds all that was published when it was made, and a scan reads nothing that was not published before.
        Ok(Some(StoredEvent { data: data.slice(start..end), parts }))
    }

    /// Appends the next events to `batch`.
    ///
    /// # Errors
    /// [`ReadError`]; after one the cursor is at its end.
    pub(crate) fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError> {
        for _ in 0..BATCH {
            match self.next_event()? {
                Some(event) => batch.push(event),
                None => break,
            }
        }
        Ok(())
    }

    /// Lends the remaining events.
    ///
    /// # Errors
    /// [`ReadError`]; after one the cursor is at its end.
    pub(crate) fn visit(&mut self, visitor: &mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        while let Some(number) = self.next_number()? {
            let found = self.frames.event(&self.snapshot, number).inspect_err(|_| self.rest = 0)?;
            if visitor(&EventRef { data: found.frame, parts: found.parts }).is_break() {
                self.rest = 0;
                break;
            }
        }
        Ok(())
    }
}

/// Which numbers a scan asks for, in its order.
#[derive(Debug)]
struct Numbers {
    target: Identifier,
    /// What is left of the numbers asked for.
    range: Range<u64>,
    positions: Range<u64>,
    reverse: bool,
    /// The segment being read, by its place in the list; `None` before the first and behind the last.
    segment: Option<usize>,
    /// What is left of the segment's postings.
    postings: Option<(EntryId, Range<u32>)>,
    place: PostingPlace,
    /// The hash of the stream that is asked for.
    hash: u64,
}

impl Numbers {
    fn new(query: &ScanQuery, snapshot: &Snapshot, seed: u64) -> Result<Self, ReadError> {
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

    fn next(&mut self, snapshot: &Snapshot) -> Result<Option<u64>, ReadError> {
        if matches!(self.target, Identifier::Log(_)) {
            return Ok(if self.reverse { self.range.next_back() } else { self.range.next() });
        }
        loop {
            let Some(index) = self.segment else { return Ok(None) };
            if let Some((entry, rest)) = &mut self.postings {
                let at = if self.reverse { rest.next_back() } else { rest.next() };
                if let (Some(at), Some(segment)) = (at, snapshot.segment(index)) {
                    let (entry, place) = (*entry, Cell::new(self.place));
                    let number = segment.ask(|index| {
                        let mut looked = place.get();
                        let number = index.event_at(entry, at, &mut looked);
                        place.set(looked);
                        number
                    });
                    self.place = place.get();
                    return Ok(number?);
                }
            }
            self.segment = if self.reverse { index.checked_sub(1) } else { Some(index + 1) };
            let next = self.segment.and_then(|next| snapshot.segment(next));
            let within = next.is_some_and(|next| match self.reverse {
                false => next.base() < self.range.end,
                true => next.base() + u64::from(next.index().count()) > self.range.start,
            });
            if !within {
                self.segment = None;
                return Ok(None);
            }
            self.place = PostingPlace::default();
            self.postings = self.postings_of(snapshot)?;
        }
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
        if matches!(self.target, Identifier::Stream(_)) {
            let first = index.first_position(entry)?;
            let within = |position: u64| u32::try_from(position.saturating_sub(first)).unwrap_or(u32::MAX);
            range = range.start.max(within(self.positions.start))..range.end.min(within(self.positions.end));
        }
        Ok(Some((entry, range)))
    }
}

/// Finds events in frames, and remembers the frame last read: neighbours share it.
#[derive(Debug)]
struct Frames {
    open: Option<OpenFrame>,
    seed: IdSeed,
    verify: bool,
}

/// A frame whose covered part is verified.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    segment: usize,
    offset: u64,
    header: FrameHeader,
    sections: Sections,
    names: NameCache,
}

/// An event, and where it was found.
struct Found<'s> {
    frame: &'s [u8],
    parts: Parts,
    segment: usize,
    offset: u64,
}

impl Frames {
    fn new(seed: IdSeed, verify: bool) -> Self {
        Self { open: None, seed, verify }
    }

    /// The event with this number, which is below the snapshot's revision.
    fn event<'s>(&mut self, snapshot: &'s Snapshot, number: u64) -> Result<Found<'s>, ReadError> {
        let index = match self.open {
            Some(open) if open.holds(number) => open.segment,
            _ => snapshot.segment_of(number).ok_or_else(|| gone(number))?,
        };
        let segment = snapshot.segment(index).ok_or_else(|| gone(number))?;
        let mut open = match self.open {
            Some(open) if open.holds(number) => open,
            _ => self.open_frame(segment, index, number)?,
        };
        let end = open.offset + u64::from(open.header.length);
        let frame = segment
            .region
            .slice(open.offset..end)
            .ok_or_else(|| segment.corrupt(open.offset, "the frame reaches beyond what is published"))?;
        let view = FrameView { bytes: frame, header: open.header, sections: open.sections };
        let check = self.verify.then(|| FrameCheck::new(segment.header.salt, open.offset));
        let in_frame = u32::try_from(number - open.header.sequence).unwrap_or(u32::MAX);
        let parts = view.event(in_frame, self.seed, check, &mut open.names).map_err(|fault| {
            let what = match fault {
                EventFault::Checksum => "has another checksum than its frame says",
                EventFault::Malformed => "makes no sense",
            };
            segment.corrupt(open.offset, format!("event {in_frame} of the frame (sequence number {number}) {what}"))
        })?;
        self.open = Some(open);
        Ok(Found { frame, parts, segment: index, offset: open.offset })
    }

    fn open_frame(&self, segment: &LiveSegment, index: usize, number: u64) -> Result<OpenFrame, ReadError> {
        let offset = segment.ask(|index| index.frame_of(number))?.ok_or_else(|| gone(number))?;
        let published = segment.region.published();
        let view = segment.region.slice(offset..published).and_then(FrameView::open);
        let view = view.ok_or_else(|| segment.corrupt(offset, "no frame stands where the index says one does"))?;
        if self.verify && !view.verify(segment.header.salt, offset) {
            return Err(segment.corrupt(offset, "the frame's checksum does not fit"));
        }
        let (header, sections) = (view.header, view.sections);
        let open = OpenFrame { segment: index, offset, header, sections, names: NameCache::default() };
        if open.holds(number) {
            Ok(open)
        } else {
            Err(segment.corrupt(offset, format!("the frame does not hold the event with sequence number {number}")))
        }
    }
}

impl OpenFrame {
    fn holds(&self, number: u64) -> bool {
        number.checked_sub(self.header.sequence).is_some_and(|within| within < u64::from(self.header.count))
    }
}

/// An event below the revision that no segment holds. The index says where every event is, so this means memory was damaged.
fn gone(number: u64) -> ReadError {
    crate::vocabulary::error::Corruption {
        segment: 0,
        offset: 0,
        what: format!("no segment holds the event with sequence number {number}"),
    }
    .into()
}
