//! Reading events: the frames that they stand in, and the events in them.

use super::LiveSegment;
use super::ahead::{Ahead, SHORT_BYTES, provided, published, wish_for};
use super::numbers::{Item, List, frame_of, gone};
use super::snapshot::Snapshot;
use super::source::Source;
use crate::format::decode::{EventFault, FrameCheck, FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::FrameHeader;
use crate::format::place::aligned;
use crate::format::plain::PlainReader;
use crate::format::transaction::Sections;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventRef, Parts};
use std::ops::{ControlFlow, Range};

/// How far ahead of a frame the memory is asked for those that follow it.
const AHEAD_BYTES: u64 = 1_024;
/// Where frames stand here and there, the memory is asked for so many at once, and so many ahead: what it takes to find out where
/// each of them is in memory is then not waited for one by one.
const BURST: usize = 16;
/// Lines of memory that are asked for of each of them: of a longer frame, the memory brings in the rest by itself.
const FRAME_LINES: usize = 7;

/// What events are read into, one after the other.
pub(super) struct Slot<'s> {
    event: EventRef<'s>,
    plain: PlainReader,
}

/// Finds events in frames, and remembers the frame last read: neighbours share it.
#[derive(Debug)]
pub(super) struct Reader {
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
    pub(super) fn new(seed: IdSeed, verify: bool) -> Self {
        Self { seed, verify, open: None, names: NameCache::default() }
    }

    /// What events are to be read into.
    pub(super) fn slot<'s>(&self) -> Slot<'s> {
        let event = EventRef { data: &[], parts: Parts::default() };
        Slot { event, plain: PlainReader::new(self.seed) }
    }

    /// Events that follow each other, frame after frame.
    pub(super) fn read_run<'s>(
        &mut self,
        segment: &'s LiveSegment,
        run: &mut Range<u64>,
        most: u64,
        slot: &mut Slot<'s>,
        take: &mut impl FnMut(&EventRef<'s>, u64, u64) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let mut ahead = Ahead::new(segment);
        slot.plain.turn_to(self.verify.then_some(segment.header.salt));
        let stop = run.start + most.min(run.end - run.start);
        let mut view = FrameView::EMPTY;
        let mut next = None;
        while run.start < stop {
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
            let begun = run.start;
            let (flow, offset) = read_plain(bytes, offset, run, stop, slot, take)?;
            if flow.is_break() {
                return Ok(flow);
            }
            if run.start > begun {
                next = Some(offset);
                continue;
            }
            let event = &mut slot.event;
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
            let last = stop.min(view.header.sequence + u64::from(view.header.count));
            while run.start < last {
                self.event(segment, offset, &view, check, run.start, event)?;
                run.start += 1;
                if take(event, offset, stop - run.start)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if run.start < view.header.sequence + u64::from(view.header.count) {
                self.remember(segment, offset, &view);
            }
            next = Some(end);
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Events here and there.
    pub(super) fn read_list<'s>(
        &mut self,
        (snapshot, source): (&'s Snapshot, &mut Source),
        list: &mut List,
        left: &mut u64,
        slot: &mut Slot<'s>,
        take: &mut impl FnMut(&EventRef<'s>, usize, u64, u64) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let Slot { event, plain } = slot;
        let part_of = |item: &Item| snapshot.segment(item.part as usize);
        let prefetch = |item: &Item| {
            if let Some(segment) = part_of(item) {
                segment.region.prefetch_lines::<FRAME_LINES>(item.offset);
            }
        };
        list.ahead(0..2 * BURST).iter().for_each(prefetch);
        let (mut view, mut opened, mut check) = (FrameView::EMPTY, None, None);
        let mut here: Option<(u32, &LiveSegment, &[u8])> = None;
        let mut wished = false;
        while let (Some(item), true) = (list.first().copied(), *left > 0) {
            if list.is_at_multiple_of(BURST) {
                list.ahead(BURST..2 * BURST).iter().for_each(prefetch);
            }
            let (segment, published) = match here {
                Some((part, segment, published)) if part == item.part => (segment, published),
                _ => {
                    let segment: &LiveSegment = part_of(&item).ok_or_else(|| gone(item.number))?;
                    let published = published(segment);
                    plain.turn_to(self.verify.then_some(segment.header.salt));
                    (here, opened) = (Some((item.part, segment, published)), None);
                    (segment, published)
                }
            };
            if !wished && !segment.region.is_provided(item.offset) {
                wish_for(snapshot, list.ahead(0..usize::MAX));
                wished = true;
            }
            let bytes = provided(segment, published, item.offset, SHORT_BYTES);
            if plain.read(bytes, item.offset, item.number, event) {
                opened = None;
            } else {
                if opened != Some(item.offset) {
                    self.view(segment, bytes, item.offset, item.number, &mut view)?;
                    check = self.verify.then(|| FrameCheck::new(segment.header.salt, item.offset));
                    event.data = view.bytes;
                    opened = Some(item.offset);
                }
                self.event(segment, item.offset, &view, check, item.number, event)?;
            }
            if !item.is_sure && !source.is_wanted(event) {
                source.skip(snapshot, list, item.part)?;
                continue;
            }
            list.advance();
            *left -= 1;
            if take(event, item.part as usize, item.offset, list.len().min(*left))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let (Some(offset), Some((_, segment, _))) = (opened.filter(|_| view.header.count > 1), here) {
            self.remember(segment, offset, &view);
        }
        Ok(ControlFlow::Continue(()))
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
        let bytes = from(bytes, offset);
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

/// Reads plain frames that stand one behind the other, the first of them at `offset`, until all before `stop` are read or one is
/// no plain frame. Says where the next one begins.
#[inline]
fn read_plain<'s>(
    bytes: &'s [u8],
    mut offset: u64,
    run: &mut Range<u64>,
    stop: u64,
    slot: &mut Slot<'s>,
    take: &mut impl FnMut(&EventRef<'s>, u64, u64) -> Result<ControlFlow<()>, ReadError>,
) -> Result<(ControlFlow<()>, u64), ReadError> {
    let Slot { event, plain } = slot;
    let mut number = run.start;
    while number < stop && plain.read(bytes, offset, number, event) {
        let begin = offset;
        offset += aligned(event.data.len() as u64);
        number += 1;
        match take(event, begin, stop - number) {
            Ok(ControlFlow::Continue(())) => {}
            outcome => {
                run.start = number;
                return outcome.map(|flow| (flow, offset));
            }
        }
    }
    run.start = number;
    Ok((ControlFlow::Continue(()), offset))
}

/// The bytes from an offset on.
#[inline(always)]
fn from(bytes: &[u8], offset: u64) -> &[u8] {
    usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default()
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
