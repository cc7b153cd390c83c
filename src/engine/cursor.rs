//! Reading events: the frames of the events that a scan asks for, and the events in them.

use super::ahead::{Ahead, SHORT_BYTES, provided, published};
use super::numbers::{Numbers, Piece, frame_of, gone};
use super::snapshot::Snapshot;
use super::{Engine, LiveSegment};
use crate::disk::RegionBytes;
use crate::format::decode::{EventFault, FrameCheck, FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::FrameHeader;
use crate::format::place::aligned;
use crate::format::plain::{self, Stand};
use crate::format::transaction::Sections;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventRef, Parts, StoredEvent};
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::query::ScanQuery;
use bytes::Bytes;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Events of one batch.
const BATCH: u64 = 256;
/// How far ahead of a frame the memory is asked for those that follow it.
const AHEAD_BYTES: u64 = 1_024;
/// How many frames ahead the memory is asked for, where they stand here and there.
const AHEAD_FRAMES: usize = 6;
/// Bytes that are asked for of each of them: of a longer frame, the memory brings in the rest by itself.
const FRAME_BYTES: u64 = 384;

/// A scan under way. Sees the log as it was when the scan began.
#[derive(Debug)]
pub(crate) struct Cursor {
    snapshot: Snapshot,
    numbers: Numbers,
    /// How many more events are asked for.
    rest: u64,
    /// What is being read.
    piece: Piece,
    reader: Reader,
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
        let reader = Reader { seed: self.seed, verify, open: None, names: NameCache::default() };
        let rest = query.limit.unwrap_or(u64::MAX);
        Ok(Cursor { snapshot, numbers, rest, piece: Piece::default(), reader, bytes: None })
    }

    /// The newest event of a target.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError> {
        let mut query = ScanQuery::new(target.clone());
        (query.reverse, query.limit) = (true, Some(1));
        let mut newest = None;
        self.scan(&query)?.owned(1, |event, _| newest = Some(event))?;
        Ok(newest)
    }
}

/// An event, and where it was found.
struct Found<'a, 's> {
    event: &'a EventRef<'s>,
    segment: usize,
    /// Where its frame begins.
    offset: u64,
    /// How many events are sure to follow.
    more: u64,
}

impl Cursor {
    /// Appends the next events to `batch`.
    ///
    /// # Errors
    /// [`ReadError`]; after one the cursor is at its end.
    pub(crate) fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError> {
        self.owned(BATCH, |event, more| {
            // Growing step by step would move each event twice.
            if batch.len() == batch.capacity() {
                batch.reserve(1 + usize::try_from(more).unwrap_or_default());
            }
            batch.push(event);
        })
    }

    /// Gives the next events, `most` at most, owned.
    fn owned(&mut self, most: u64, mut take: impl FnMut(StoredEvent, u64)) -> Result<(), ReadError> {
        let mut bytes = self.bytes.take();
        let outcome = self.read(most, |snapshot, found| {
            let data = match &bytes {
                Some((known, bytes)) if *known == found.segment => bytes,
                _ => {
                    let segment =
                        snapshot.segment(found.segment).ok_or_else(|| gone(found.event.parts.sequence_number))?;
                    let owner = RegionBytes::new(Arc::clone(&segment.region), u64::MAX);
                    &bytes.insert((found.segment, Bytes::from_owner(owner))).1
                }
            };
            let start = usize::try_from(found.offset).map_err(|_| gone(found.event.parts.sequence_number))?;
            // The owner holds all that was published when it was made, and a scan reads nothing that was not published before.
            let data = data.slice(start..start + found.event.data.len());
            take(StoredEvent { data, parts: found.event.parts.clone() }, found.more);
            Ok(ControlFlow::Continue(()))
        });
        self.bytes = bytes;
        outcome
    }

    /// Lends the remaining events.
    ///
    /// # Errors
    /// [`ReadError`]; after one the cursor is at its end.
    pub(crate) fn visit(&mut self, visitor: &mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.read(u64::MAX, |_, found| Ok(visitor(found.event)))
    }

    /// Gives the next events, `most` at most. When `take` breaks, the cursor is at its end.
    fn read(
        &mut self,
        most: u64,
        mut take: impl FnMut(&Snapshot, Found<'_, '_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<(), ReadError> {
        let Self { snapshot, numbers, rest, piece, reader, .. } = self;
        let mut left = most.min(*rest);
        *rest -= left;
        let mut event = EventRef { data: &[], parts: Parts::default() };
        while left > 0 {
            if piece.is_empty() {
                numbers.next(snapshot, left, piece).inspect_err(|_| *rest = 0)?;
                if piece.is_empty() {
                    *rest = 0;
                    break;
                }
            }
            let index = piece.segment;
            let segment = snapshot.segment(index).ok_or_else(|| gone(0)).inspect_err(|_| *rest = 0)?;
            let mut take =
                |event: &EventRef<'_>, offset, more| take(snapshot, Found { event, segment: index, offset, more });
            let outcome = match piece.run.is_empty() {
                false => reader.read_run(segment, piece, &mut left, &mut event, &mut take),
                true => reader.read_list(segment, piece, &mut left, &mut event, &mut take),
            };
            if outcome.inspect_err(|_| *rest = 0)?.is_break() {
                *rest = 0;
                break;
            }
        }
        Ok(())
    }
}

/// Finds events in frames, and remembers the frame last read: neighbours share it.
#[derive(Debug)]
struct Reader {
    seed: IdSeed,
    verify: bool,
    open: Option<OpenFrame>,
    names: NameCache,
}

/// A frame whose covered part is verified, if reads are.
#[derive(Debug, Clone, Copy)]
struct OpenFrame {
    segment: u64,
    offset: u64,
    header: FrameHeader,
    sections: Sections,
}

impl Reader {
    /// Events that follow each other, frame after frame.
    fn read_run<'s>(
        &mut self,
        segment: &'s LiveSegment,
        piece: &mut Piece,
        left: &mut u64,
        event: &mut EventRef<'s>,
        take: &mut impl FnMut(&EventRef<'s>, u64, u64) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let mut ahead = Ahead::new(segment);
        let run = &mut piece.run;
        let mut view = FrameView::EMPTY;
        let mut next = None;
        while !run.is_empty() && *left > 0 {
            // The next frame mostly stands where this one ends. Where it does not, the index knows.
            let offset = match next {
                Some(offset) => offset,
                None => {
                    let known = self.known(segment, run.start).map_or_else(|| frame_of(segment, run.start), Ok)?;
                    ahead.go_on(known);
                    known
                }
            };
            let bytes = ahead.reach(offset);
            if self.plain(segment, bytes, offset, run.start, event) {
                let end = offset + aligned(event.data.len() as u64);
                segment.region.prefetch(offset + AHEAD_BYTES..end + AHEAD_BYTES);
                next = Some(end);
                run.start += 1;
                *left -= 1;
                if take(event, offset, (run.end - run.start).min(*left))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            if let Err(fault) = self.view(segment, bytes, offset, run.start, &mut view) {
                match next.take() {
                    Some(_) => continue,
                    None => return Err(fault),
                }
            }
            let end = offset + aligned(u64::from(view.header.length));
            segment.region.prefetch(offset + AHEAD_BYTES..end + AHEAD_BYTES);
            let check = self.verify.then(|| FrameCheck::new(segment.header.salt, offset));
            event.data = view.bytes;
            let last = run.end.min(view.header.sequence + u64::from(view.header.count));
            while run.start < last && *left > 0 {
                self.event(segment, offset, &view, check, run.start, event)?;
                run.start += 1;
                *left -= 1;
                if take(event, offset, (run.end - run.start).min(*left))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if run.start < last {
                self.remember(segment, offset, &view);
            }
            next = Some(end);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Events here and there.
    fn read_list<'s>(
        &mut self,
        segment: &'s LiveSegment,
        piece: &mut Piece,
        left: &mut u64,
        event: &mut EventRef<'s>,
        take: &mut impl FnMut(&EventRef<'s>, u64, u64) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let published = published(segment);
        let list = &mut piece.list;
        let ahead = |offset: u64| segment.region.prefetch(offset..offset + FRAME_BYTES);
        for by in 0..AHEAD_FRAMES {
            list.ahead(by).map(ahead);
        }
        let (mut view, mut opened, mut check) = (FrameView::EMPTY, None, None);
        while let (Some((number, offset)), true) = (list.first(), *left > 0) {
            list.ahead(AHEAD_FRAMES).map(ahead);
            let bytes = provided(segment, published, offset, SHORT_BYTES);
            if self.plain(segment, bytes, offset, number, event) {
                opened = None;
                list.advance();
                *left -= 1;
                if take(event, offset, list.len().min(*left))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                continue;
            }
            if opened != Some(offset) {
                self.view(segment, bytes, offset, number, &mut view)?;
                check = self.verify.then(|| FrameCheck::new(segment.header.salt, offset));
                event.data = view.bytes;
                opened = Some(offset);
            }
            self.event(segment, offset, &view, check, number, event)?;
            list.advance();
            *left -= 1;
            if take(event, offset, list.len().min(*left))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(offset) = opened.filter(|_| view.header.count > 1) {
            self.remember(segment, offset, &view);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads the event with this number, if it is alone in the frame at `offset` and such as most are.
    #[inline(always)]
    fn plain<'s>(
        &self,
        segment: &LiveSegment,
        bytes: &'s [u8],
        offset: u64,
        number: u64,
        event: &mut EventRef<'s>,
    ) -> bool {
        let bytes = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let verify = self.verify.then_some(Stand { salt: segment.header.salt, offset });
        let Some(frame) = plain::read(bytes, number, self.seed, verify, &mut event.parts) else { return false };
        event.data = frame;
        true
    }

    /// Reads the event with this number, which `view` should hold.
    #[inline(always)]
    fn event(
        &mut self,
        segment: &LiveSegment,
        offset: u64,
        view: &FrameView<'_>,
        check: Option<FrameCheck>,
        number: u64,
        event: &mut EventRef<'_>,
    ) -> Result<(), ReadError> {
        let index = number.checked_sub(view.header.sequence).and_then(|index| u32::try_from(index).ok());
        let index = index.unwrap_or(u32::MAX);
        let read = view.read(index, self.seed, check, &mut self.names, &mut event.parts);
        read.map_err(|fault| faulty(segment, offset, number, index, fault))
    }

    /// Makes `view` the frame at `offset`, which should hold the event with this number. Verified, if reads are.
    #[inline(always)]
    fn view<'s>(
        &mut self,
        segment: &'s LiveSegment,
        bytes: &'s [u8],
        offset: u64,
        number: u64,
        view: &mut FrameView<'s>,
    ) -> Result<(), ReadError> {
        let bytes = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        if let Some(open) = &self.open
            && (open.segment, open.offset) == (segment.header.number, offset)
            && holds(&open.header, number)
        {
            // It was provided when it was opened.
            view.bytes = segment.region.slice(offset..offset + u64::from(open.header.length)).unwrap_or_default();
            (view.header, view.sections) = (open.header, open.sections);
            return Ok(());
        }
        // A long frame may reach beyond what was provided.
        if !view.reopen(bytes) && !view.reopen(segment.frame(offset)?) {
            return Err(segment.corrupt(offset, "no frame stands where the index says one does"));
        }
        if self.verify && !view.verify(segment.header.salt, offset) {
            return Err(segment.corrupt(offset, "the frame's checksum does not fit"));
        }
        if !holds(&view.header, number) {
            let what = format!("the frame does not hold the event with sequence number {number}");
            return Err(segment.corrupt(offset, what));
        }
        // What is remembered of names is of another frame. In a frame of one event, nothing can refer to it.
        if view.header.count > 1 {
            self.names = NameCache::default();
        }
        self.open = None;
        Ok(())
    }

    /// Where the frame last read begins, if it holds the event with this number.
    fn known(&self, segment: &LiveSegment, number: u64) -> Option<u64> {
        let open = self.open.filter(|open| open.segment == segment.header.number && holds(&open.header, number))?;
        Some(open.offset)
    }

    /// Keeps a frame open for when reading goes on.
    fn remember(&mut self, segment: &LiveSegment, offset: u64, view: &FrameView<'_>) {
        let (header, sections) = (view.header, view.sections);
        self.open = Some(OpenFrame { segment: segment.header.number, offset, header, sections });
    }
}

fn holds(header: &FrameHeader, number: u64) -> bool {
    number.checked_sub(header.sequence).is_some_and(|within| within < u64::from(header.count))
}

#[cold]
fn faulty(segment: &LiveSegment, offset: u64, number: u64, index: u32, fault: EventFault) -> ReadError {
    let what = match fault {
        EventFault::Checksum => "has another checksum than its frame says",
        EventFault::Malformed => "makes no sense",
    };
    segment.corrupt(offset, format!("event {index} of the frame (sequence number {number}) {what}"))
}
