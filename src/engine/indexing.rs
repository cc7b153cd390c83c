//! Making index files: for the parts of the log that are complete, off the writer's path.
//!
//! A part that is complete and durable gets a file of its own, so that opening after a crash need not read its frames. Once its
//! segment is complete, one file takes the place of those of all parts.

use super::Engine;
use super::live::LiveSegment;
use crate::disk::DiskFile;
use crate::format::decode::{FrameCheck, FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::Kind;
use crate::format::place::Place;
use crate::format::segment_header::SegmentHeader;
use crate::index::hash_seed;
use crate::index::sealed::{Covers, IndexBuilder, IndexBytes, IndexedEvent, SealedIndex};
use crate::log::{self, index_name};
use crate::segment::{Start, scan};
use crate::vocabulary::error::{AppendError, IoFailure};
use crate::vocabulary::event::{EventId, EventRef, IdRepr};
use std::sync::Arc;

/// Segments without an index file that there may be beside the one in use, before the writer is made to wait.
pub(super) const UNINDEXED_MOST: usize = 4;
/// Bytes of a part at most, before another begins: few enough to be read at once after a crash.
pub(super) const PART_BYTES: u64 = 16 << 20;
/// Parts of a segment of the greatest length, at least.
pub(super) const PARTS_A_SEGMENT: u64 = 4;

/// Why frames cannot be indexed.
#[derive(Debug)]
pub(super) enum Fault {
    /// They cannot be read.
    Unreadable(IoFailure),
    /// They are not what they must be.
    Damaged { offset: u64, what: String },
}

/// Bytes of frames that are read before who makes an index looks whether something else is wanted sooner.
const LOOK_AROUND: u64 = 4 << 20;

/// Reads the frames from `start` up to `end`, verifies them, and builds their index: the bytes of its file. Does what is to be
/// done `meanwhile` every few MiB.
pub(super) fn build(
    file: &dyn DiskFile,
    header: &SegmentHeader,
    start: &Start,
    end: u64,
    meanwhile: &dyn Fn(),
) -> Result<Vec<u8>, Fault> {
    let seed = IdSeed::of(&header.store_id);
    let mut builder = IndexBuilder::new(hash_seed(&header.store_id), start.chain.sequence);
    let mut chain = start.chain;
    let fault = |offset, what: &str| Fault::Damaged { offset, what: what.into() };
    let mut first_recorded_at = None;
    let mut last = start.offset;
    let mut looked = start.offset;
    let scanned = scan(file, header, start, end, &mut chain, &mut |place, frame, _| {
        last = place.offset;
        if last - looked >= LOOK_AROUND {
            looked = last;
            meanwhile();
        }
        if frame.header.kind != Kind::Transaction {
            return Ok(());
        }
        if frame.header.count > 0 {
            first_recorded_at.get_or_insert(frame.header.recorded_at);
        }
        add(&mut builder, place, frame, seed)
    })
    .map_err(Fault::Unreadable)?;
    if scanned.offset != end {
        return Err(fault(scanned.offset, scanned.stop.what()));
    }
    let covers = Covers {
        store_id: header.store_id,
        segment: header.number,
        salt: header.salt,
        from: start.offset,
        end,
        last,
        base: start.chain.sequence,
        count: builder.count(),
        transactions: builder.transactions(),
        chain,
        first_recorded_at,
    };
    builder.finish(&covers).map_err(|too_large| fault(start.offset, &too_large.to_string()))
}

fn add(builder: &mut IndexBuilder, place: Place, frame: &FrameView<'_>, seed: IdSeed) -> Result<(), &'static str> {
    // The scan has verified every event.
    let unchecked: Option<FrameCheck> = None;
    let mut names = NameCache::default();
    let mut ids: Vec<Option<EventId>> = Vec::with_capacity(frame.header.count as usize);
    let mut events = Vec::with_capacity(frame.header.count as usize);
    for index in 0..frame.header.count {
        let parts = frame.event(index, seed, unchecked, &mut names).map_err(|_| "an event makes no sense")?;
        let event = EventRef { data: frame.bytes, parts };
        let made = seed.make(frame.header.sequence + u64::from(index), frame.header.recorded_at);
        // An id that follows from the event's number need not be looked up.
        ids.push(Some(event.id()).filter(|id| id.0 != IdRepr::Uuid(made)));
        events.push(event);
    }
    let indexed = events.iter().zip(&ids).map(|(event, id)| IndexedEvent {
        category: event.category(),
        stream: event.stream(),
        name: event.name(),
        position: event.position().get(),
        occurred_at: event.occurred_at(),
        id: id.as_ref(),
    });
    let records = frame.sections.records(frame.bytes).ok_or("the system records make no sense")?;
    let id = frame.sections.id_text(frame.bytes);
    builder
        .add(place.offset, id, frame.header.recorded_at, &records, indexed)
        .map_err(|_| "the frames are too much for one index")
}

/// What is to be indexed next.
enum Work {
    /// A part of the segment that is in use.
    Part(Arc<LiveSegment>),
    /// All parts of a segment that is complete.
    Whole(Vec<Arc<LiveSegment>>),
}

impl Work {
    fn first(&self) -> Option<&Arc<LiveSegment>> {
        match self {
            Work::Part(part) => Some(part),
            Work::Whole(parts) => parts.first(),
        }
    }

    fn parts(&self) -> &[Arc<LiveSegment>] {
        match self {
            Work::Part(part) => std::slice::from_ref(part),
            Work::Whole(parts) => parts,
        }
    }
}

/// What became of making an index file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Indexed {
    /// There was nothing to do.
    All,
    /// It is made, and there may be more to do.
    One,
    /// What comes next is not durable yet.
    NotDurable,
}

impl Engine {
    /// Makes the oldest index file that can be made and is not there. One thread at a time: who does not get to it before the
    /// deadline leaves it to the one who is at it. What is to be done `meanwhile` is done every few MiB. Who `may_wait` has the
    /// frames synced first, where appenders do not.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when making its frames durable first fails.
    pub(super) fn index_next(&self, may_wait: bool, meanwhile: &dyn Fn()) -> Result<Indexed, AppendError> {
        let Some(_indexing) = self.indexing.try_lock_for(self.settings.append_deadline) else {
            return Ok(Indexed::All);
        };
        let Some(work) = self.next_to_index().filter(|_| self.poison().is_none()) else {
            return Ok(Indexed::All);
        };
        let Some(end) = work.parts().last().and_then(|part| part.sealed_end.get().copied()) else {
            return Ok(Indexed::All);
        };
        let Some(first) = work.first().map(Arc::clone) else { return Ok(Indexed::All) };
        // An index file says of its frames that they are durable.
        let place = Place { segment: first.header.number, offset: end };
        if self.durable_place() < place {
            if self.is_sync() {
                return Ok(Indexed::NotDurable);
            }
            if may_wait || !self.chores.are_heard() {
                self.sync_visible()?;
            } else {
                // Another thread waits for the disk, and asks again for the index then.
                self.ask_flush();
                return Ok(Indexed::NotDurable);
            }
        }
        if let [only] = work.parts()
            && let Some(bytes) = only.index().unfiled()
        {
            // Whoever comes next would fail too: another is tried when something else asks for it.
            return Ok(if self.file_again(only, bytes, end) { Indexed::One } else { Indexed::All });
        }
        self.index_parts(&first, work.parts(), end, meanwhile);
        if let Work::Whole(_) = work {
            first.let_go();
        }
        Ok(Indexed::One)
    }

    /// Asks for the index files that opening has missed.
    pub(super) fn index_what_was_found(&self) {
        if !self.settings.read_only && self.next_to_index().is_some() {
            self.chores.after_part();
        }
    }

    /// What is filled comes before what is in a file's form and only has to be written: it takes more memory.
    fn next_to_index(&self) -> Option<Work> {
        let segments = Arc::clone(&self.horizon.segments());
        let active = segments.last()?.header.number;
        let complete = segments.chunk_by(|one, other| one.header.number == other.header.number);
        let mut unfiled = None;
        for parts in complete {
            match parts {
                [only] if only.sealed_end.get().is_some() && only.is_indexed() => {}
                // Parts that stay as they are, because one of them is damaged.
                parts if parts.iter().all(|part| part.sealed_end.get().is_some() && part.is_hopeless()) => {}
                [only] if only.index().unfiled().is_some() && only.header.number < active => {
                    unfiled.get_or_insert_with(|| Work::Whole(vec![Arc::clone(only)]));
                }
                parts if parts.iter().any(|part| part.header.number < active) => {
                    return Some(Work::Whole(parts.to_vec()));
                }
                parts => {
                    let next = parts.iter().find(|part| part.sealed_end.get().is_some() && !part.is_indexed());
                    return next.map(|part| Work::Part(Arc::clone(part))).or(unfiled);
                }
            }
        }
        unfiled
    }

    /// Indexes the frames of `parts`, which begin with `first`, up to `end`, and puts one part in their place.
    fn index_parts(&self, first: &Arc<LiveSegment>, parts: &[Arc<LiveSegment>], end: u64, meanwhile: &dyn Fn()) {
        let header = &first.header;
        let kept = match build(&*first.file, header, &first.start, end, meanwhile) {
            Ok(bytes) => self.keep(first, bytes),
            // The log is damaged, or the frames are too much for one index: what there is goes on serving.
            Err(_) => None,
        };
        let Some((index, filed)) = kept else {
            parts.iter().for_each(|part| part.give_up());
            return;
        };
        let part = first.with_index(index, end);
        if !filed {
            // Tried again when there is room for another segment. The files of its parts are as good as ever.
            part.give_up();
            self.replace_parts(parts, Arc::new(part));
            return;
        }
        self.replace_parts(parts, Arc::new(part));
        // The first one's file is the one that was written.
        for part in parts.iter().skip(1) {
            // Left behind, it is removed at the next opening.
            let _ = self.disk.remove(&index_name(header.number, part.start.offset));
        }
    }

    /// Puts an index into a file and maps it. Where that fails it is kept in memory, in the file's form, which is small. Says
    /// whether it is in its file.
    fn keep(&self, first: &LiveSegment, bytes: Vec<u8>) -> Option<(SealedIndex, bool)> {
        let header = &first.header;
        let in_memory =
            |bytes| SealedIndex::open(IndexBytes::Heap(bytes), &header.store_id, header.number, header.salt);
        let filed = self.file(first, &bytes).map(|index| (index, true));
        filed.or_else(|| in_memory(bytes).ok().map(|index| (index, false)))
    }

    /// Puts an index into a file and maps it.
    fn file(&self, first: &LiveSegment, bytes: &[u8]) -> Option<SealedIndex> {
        let header = &first.header;
        let name = index_name(header.number, first.start.offset);
        let region = log::put_side_file(&*self.disk, &name, bytes, true).and_then(|file| file.region()).ok()?;
        region.publish(region.len());
        SealedIndex::open(IndexBytes::Mapped(region), &header.store_id, header.number, header.salt).ok()
    }

    /// Puts the index of a part, which is in memory in a file's form, into one. Says whether it could.
    fn file_again(&self, only: &Arc<LiveSegment>, bytes: &[u8], end: u64) -> bool {
        let Some(index) = self.file(only, bytes) else {
            only.give_up();
            return false;
        };
        self.replace_parts(std::slice::from_ref(only), Arc::new(only.with_index(index, end)));
        true
    }

    /// Puts one part in the place of others, which are neighbours.
    fn replace_parts(&self, parts: &[Arc<LiveSegment>], part: Arc<LiveSegment>) {
        let _listing = self.listing.lock();
        let segments = Arc::clone(&self.horizon.segments());
        let is_replaced = |segment: &Arc<LiveSegment>| parts.iter().any(|part| Arc::ptr_eq(part, segment));
        let Some(at) = segments.iter().position(is_replaced) else { return };
        let mut list: Vec<Arc<LiveSegment>> = segments.iter().filter(|one| !is_replaced(one)).cloned().collect();
        list.insert(at, part);
        self.horizon.replace(list);
    }

    /// Lets it be tried again to write the indexes that could not be, for lack of room perhaps.
    pub(super) fn hope_again(&self) {
        self.horizon.segments().iter().for_each(|part| part.hope_again());
    }

    /// How many segments, of those that are complete, have no index file.
    pub(super) fn unindexed_segments(&self) -> usize {
        self.complete_segments_with(LiveSegment::is_in_memory)
    }

    /// How many of those have not even what would be in the file, which takes less memory.
    pub(super) fn unsealed_segments(&self) -> usize {
        self.complete_segments_with(|part| part.index().hot().is_some())
    }

    fn complete_segments_with(&self, is_so: impl Fn(&LiveSegment) -> bool) -> usize {
        let segments = self.horizon.segments();
        let Some(active) = segments.last().map(|last| last.header.number) else { return 0 };
        let complete = segments.chunk_by(|one, other| one.header.number == other.header.number);
        complete.filter(|parts| parts.iter().any(|part| part.header.number < active && is_so(part))).count()
    }

    /// Begins another part of the segment in use, so that the index of the one before can be made. For the holder of the seat.
    pub(super) fn split(&self, seat: &mut super::seat::Seat) {
        let segment = &seat.segment;
        let start = Start { offset: seat.end, previous_end: 0, chain: seat.chain(self.durable_place()) };
        let part = Arc::new(LiveSegment::empty(
            segment.header.clone(),
            Arc::clone(&segment.file),
            Arc::clone(&segment.region),
            start,
            segment.streams_expected(),
        ));
        let _ = segment.sealed_end.set(seat.end);
        seat.known.begin_part();
        self.extend_list(&part);
        seat.segment = part;
        self.chores.after_part();
    }

    /// Adds a part to the list. For the holder of the seat.
    pub(super) fn extend_list(&self, part: &Arc<LiveSegment>) {
        let _listing = self.listing.lock();
        self.horizon.extend(Arc::clone(part));
    }
}
