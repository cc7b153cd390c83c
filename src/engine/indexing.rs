//! Making index files: for the parts of the log that are complete, off the writer's path.
//!
//! A part that is complete and durable gets a file of its own, so that opening after a crash need not read its frames. Once its
//! segment is complete, one file takes the place of those of all parts.

use super::Engine;
use super::live::LiveSegment;
use super::making::{Fault, Making};
use crate::format::place::Place;
use crate::index::sealed::{IndexBytes, SealedIndex};
use crate::log::{self, index_name};
use crate::segment::Start;
use crate::vocabulary::error::AppendError;
use std::sync::Arc;

/// Segments without an index file that there may be beside the one in use, before the writer is made to wait.
pub(super) const UNINDEXED_MOST: usize = 4;
/// Bytes of a part at most, before another begins: few enough to be read at once after a crash.
pub(super) const PART_BYTES: u64 = 16 << 20;
/// Parts of a segment of the greatest length, at least.
pub(super) const PARTS_A_SEGMENT: u64 = 4;

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
        let Some(mut indexing) = self.indexing.try_lock_for(self.settings.append_deadline) else {
            return Ok(Indexed::All);
        };
        if self.poison().is_some() {
            *indexing = None;
            return Ok(Indexed::All);
        }
        let Some(work) = self.next_to_index() else { return Ok(Indexed::All) };
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
                self.sync_visible().inspect_err(|_| *indexing = None)?;
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
        let made = match &work {
            Work::Part(part) => index_part(&mut indexing, part, end, meanwhile),
            Work::Whole(_) => {
                let kept = indexing.take_if(|making| making.is_of(&first.header));
                index_whole(kept, &first, end, meanwhile)
            }
        };
        self.put_index(&first, work.parts(), end, made);
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

    /// Puts one part in the place of `parts`, which begin with `first`: with the index that was made of their frames up to `end`.
    fn put_index(&self, first: &Arc<LiveSegment>, parts: &[Arc<LiveSegment>], end: u64, made: Result<Vec<u8>, Fault>) {
        let header = &first.header;
        let kept = match made {
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

/// The index of a part's frames. What is `kept` is the index of all frames of a segment up to a part's end: it grows by this
/// part's, so that they need not be read again once the segment is complete.
pub(super) fn index_part(
    kept: &mut Option<Box<Making>>,
    part: &LiveSegment,
    end: u64,
    meanwhile: &dyn Fn(),
) -> Result<Vec<u8>, Fault> {
    let header = &part.header;
    // Where there are parts between them it stays as it is: what it has is right, and the others are read in the end.
    let before = kept.take().filter(|kept| kept.is_of(header));
    let (before, apart) = match before {
        Some(before) if before.is_followed_by(header, &part.start) => (Some(before), None),
        other => (None, other),
    };
    let mut making = before.as_ref().map_or_else(|| Making::new(header, &part.start), |before| before.following());
    making.read_on(&*part.file, end, meanwhile)?;
    let bytes = making.finish()?;
    *kept = match before {
        Some(mut before) => before.absorb(&making).ok().map(|()| before),
        None if part.begins_segment() => Some(Box::new(making)),
        None => apart,
    };
    Ok(bytes)
}

/// The index of all frames of a segment, which begin with `first` and end at `end`. Those that what was `kept` has are not read
/// again.
pub(super) fn index_whole(
    kept: Option<Box<Making>>,
    first: &LiveSegment,
    end: u64,
    meanwhile: &dyn Fn(),
) -> Result<Vec<u8>, Fault> {
    let header = &first.header;
    let kept = kept.filter(|kept| kept.leads_to(header, &first.start, end));
    let mut making = kept.unwrap_or_else(|| Box::new(Making::new(header, &first.start)));
    making.read_on(&*first.file, end, meanwhile)?;
    making.finish()
}
