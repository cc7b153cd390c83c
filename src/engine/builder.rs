//! Building indexes and system records while the log is read.

use super::Records;
use super::batch::apply;
use super::closing::Closing;
use super::indexing::UNINDEXED_MOST;
use super::live::LiveSegment;
use crate::disk::{Disk, DiskFile};
use crate::format::decode::{FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::{Kind, verify_whole};
use crate::format::place::{Place, aligned};
use crate::format::segment_header::SegmentHeader;
use crate::index::sealed::{Covers, IndexBytes, SealedIndex};
use crate::index::{PartIndex, Recent, StoredEvent};
use crate::log::{Visitor, index_name};
use crate::segment::{Chain, Start};
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::event::{Parts, Span};
use crate::vocabulary::time::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Events of a frame whose room is kept for the next one.
const ROOM_KEPT: usize = 1_024;

/// What was built.
pub(super) struct Built {
    pub(super) segments: Vec<LiveSegment>,
    pub(super) records: Records,
    pub(super) first_recorded_at: Option<Timestamp>,
}

/// Builds indexes and records while the log is read.
pub(super) struct Builder<'p> {
    /// Where index files are looked for; who reads every byte looks for none.
    disk: Option<&'p dyn Disk>,
    /// Whether positions are checked too: what verifying does beyond opening.
    thorough: bool,
    pub(super) segments: Vec<LiveSegment>,
    /// Parts of complete segments whose indexes were filled, oldest first: by their places above, and where their frames end.
    filled: VecDeque<(usize, u64)>,
    pub(super) records: Records,
    seed: IdSeed,
    /// Room for the events of a frame.
    parts: Vec<Parts>,
    recent: Recent,
    pub(super) first_recorded_at: Option<Timestamp>,
    pub(super) events: u64,
    /// What opening has no use for, and a store as it was written does not have: where it was first seen, and what it is.
    pub(super) odd: Option<(Place, &'static str)>,
    /// The names of the index files that are in use.
    pub(super) index_files: HashSet<String>,
    pub(super) progress: Option<&'p mut dyn FnMut(u64, u64)>,
}

impl<'p> Builder<'p> {
    /// For opening a store, by what its index files say where there are some.
    pub(super) fn opening(disk: &'p dyn Disk) -> Self {
        Self { disk: Some(disk), ..Self::thorough() }.checking_positions(false)
    }

    /// For reading every byte.
    pub(super) fn thorough() -> Self {
        Self {
            disk: None,
            thorough: true,
            segments: Vec::new(),
            filled: VecDeque::new(),
            records: Records::new(),
            seed: IdSeed::of(&[0; 16]),
            parts: Vec::new(),
            recent: Recent::default(),
            first_recorded_at: None,
            events: 0,
            odd: None,
            index_files: HashSet::new(),
            progress: None,
        }
    }

    /// What was built, apart from the disk that it was read from.
    pub(super) fn built(self) -> Built {
        let Self { segments, records, first_recorded_at, .. } = self;
        Built { segments, records, first_recorded_at }
    }

    fn checking_positions(mut self, thorough: bool) -> Self {
        self.thorough = thorough;
        self
    }

    fn next_position(&self, (category, stream): (&str, &str)) -> u64 {
        let found = self.segments.iter().rev().find_map(|segment| {
            let index = segment.index().hot()?;
            Some(index.next_position(index.stream(category, stream)?))
        });
        found.unwrap_or(0)
    }

    /// The segment before this one is complete. Of such whose indexes were filled, a few are left as they are, since housekeeping
    /// makes their files soon; of the others the oldest becomes what its file would hold, which takes less memory, and time.
    fn seal_before(&mut self, header: &SegmentHeader, start: &Start) {
        let complete = |last: &&LiveSegment| last.header.number < header.number && last.index().hot().is_some();
        if self.disk.is_some() && self.segments.last().filter(complete).is_some() {
            self.filled.push_back((self.segments.len() - 1, start.previous_end));
        }
        if self.filled.len() > UNINDEXED_MOST
            && let Some((place, end)) = self.filled.pop_front()
        {
            let oldest = self.segments.remove(place);
            self.segments.insert(place, oldest.seal_in_memory(end));
        }
    }

    /// The index file of a segment's frames from `start` on, if there is one that fits.
    fn index_file(&mut self, header: &SegmentHeader, file: &Arc<dyn DiskFile>, start: &Start) -> Option<SealedIndex> {
        let name = index_name(header.number, start.offset);
        // Whatever is wrong with a hint, the log itself can be read instead.
        let region = self.disk?.open(&name, false).and_then(|file| file.region()).ok()?;
        region.publish(region.len());
        let bytes = IndexBytes::Mapped(region);
        let index = SealedIndex::open(bytes, &header.store_id, header.number, header.salt).ok()?;
        let (covers, before) = (index.covers(), start.chain);
        let follows = covers.from == start.offset
            && covers.end > covers.from
            && covers.end <= header.length
            && covers.base == before.sequence
            && covers.chain.epoch >= before.epoch
            && covers.chain.recorded_at >= before.recorded_at;
        if !follows || !is_of_what_stands(covers, header, &**file) {
            return None;
        }
        self.index_files.insert(name);
        Some(index)
    }
}

/// Whether the last frame that an index covers is the one that stands there: files may have been restored from elsewhere.
fn is_of_what_stands(covers: &Covers, header: &SegmentHeader, file: &dyn DiskFile) -> bool {
    let Ok(length) = usize::try_from(covers.end - covers.last) else { return false };
    let mut bytes = vec![0; length];
    if file.read_at(covers.last, &mut bytes).is_err() {
        return false;
    }
    FrameView::open(&bytes).is_some_and(|frame| {
        aligned(u64::from(frame.header.length)) == length as u64
            && frame.header.crc == covers.chain.link
            && verify_whole(frame.bytes, &frame.header, header.salt, covers.last)
    })
}

impl Visitor for Builder<'_> {
    fn segment(&mut self, header: &SegmentHeader, file: &Arc<dyn DiskFile>, start: &Start) -> Result<(), IoFailure> {
        self.seal_before(header, start);
        self.seed = IdSeed::of(&header.store_id);
        let (file, region) = (Arc::clone(file), file.region()?);
        self.segments.push(LiveSegment::empty(header.clone(), file, region, *start, 0));
        Ok(())
    }

    fn known(
        &mut self,
        header: &SegmentHeader,
        file: &Arc<dyn DiskFile>,
        start: &Start,
    ) -> Result<Option<(u64, Chain)>, IoFailure> {
        let Some(index) = self.index_file(header, file, start) else { return Ok(None) };
        let Ok(records) = index.records() else { return Ok(None) };
        let covers = index.covers().clone();
        self.seal_before(header, start);
        apply(&mut self.records, &records);
        self.events += u64::from(covers.count);
        if let Some(first) = covers.first_recorded_at {
            self.first_recorded_at.get_or_insert(first);
        }
        let (file, region) = (Arc::clone(file), file.region()?);
        let part = PartIndex::Sealed(Box::new(index));
        self.segments.push(LiveSegment::new(header.clone(), file, region, *start, part));
        Ok(Some((covers.end, covers.chain)))
    }

    fn nothing_behind(&mut self, place: Place, chain: &Chain) -> bool {
        let Some(segment) = self.segments.last() else { return false };
        let closed = self.disk.and_then(|disk| Closing::read(disk).ok());
        closed.is_some_and(|closed| closed == Closing::of(&segment.header, place, chain))
    }

    fn frame(&mut self, place: Place, frame: &FrameView<'_>) -> Result<(), &'static str> {
        if frame.header.kind != Kind::Transaction {
            return Ok(());
        }
        // All of it is made sure of before any of it is entered.
        self.decode(frame)?;
        frame.sections.attributes(frame.bytes).ok_or("the transaction's attributes make no sense")?;
        let records = frame.sections.records(frame.bytes).ok_or("the system records make no sense")?;
        let events = self.parts.get(..frame.header.count as usize).unwrap_or_default();
        if self.thorough && !self.positions_follow(frame.bytes, events) {
            let what = "an event's position does not follow that of the one before it in its stream";
            self.odd.get_or_insert((place, what));
        }
        let Some(segment) = self.segments.last() else {
            return Err("a frame stands before its segment begins");
        };
        let (seed, recorded_at) = (self.seed, frame.header.recorded_at);
        let stored = events.iter().zip(frame.header.sequence..).map(|(event, number)| StoredEvent {
            category: event.category.of(frame.bytes),
            stream: event.stream.of(frame.bytes),
            name: event.name.of(frame.bytes),
            position: event.position,
            id: seed.other_id(event, frame.bytes, number, recorded_at),
        });
        let id = frame.sections.id_text(frame.bytes);
        let index = segment.index().hot().ok_or("a frame stands where its segment's are complete")?;
        let added = index.add_stored(place.offset, id, stored, &mut self.recent);
        added.map_err(|_| "the segment holds more than an index can")?;
        apply(&mut self.records, &records);
        self.events += events.len() as u64;
        if !events.is_empty() {
            self.first_recorded_at.get_or_insert(frame.header.recorded_at);
        }
        Ok(())
    }

    fn odd_padding(&mut self, place: Place) {
        self.odd.get_or_insert((place, "the padding behind the frame is not zeros"));
    }

    fn progress(&mut self, done: u64, total: u64) {
        if let Some(progress) = &mut self.progress {
            progress(done, total);
        }
    }
}

impl Builder<'_> {
    /// Finds the frame's events, which the scan has verified.
    fn decode(&mut self, frame: &FrameView<'_>) -> Result<(), &'static str> {
        let count = frame.header.count as usize;
        // What a frame of very many took is not kept.
        if self.parts.len() > count.max(ROOM_KEPT) {
            self.parts = Vec::new();
        }
        if self.parts.len() < count {
            self.parts.resize_with(count, Parts::default);
        }
        let mut names = NameCache::default();
        for (index, parts) in (0..frame.header.count).zip(&mut self.parts) {
            frame.read(index, self.seed, None, &mut names, parts).map_err(|_| "an event makes no sense")?;
        }
        Ok(())
    }

    fn positions_follow(&self, data: &[u8], events: &[Parts]) -> bool {
        let mut next = std::collections::HashMap::new();
        for parts in events {
            let text = |span: Span| std::str::from_utf8(span.of(data)).unwrap_or_default();
            let key = (text(parts.category), text(parts.stream));
            let expected = *next.entry(key).or_insert_with(|| self.next_position(key));
            if parts.position != expected {
                return false;
            }
            next.insert(key, expected.saturating_add(1));
        }
        true
    }
}
