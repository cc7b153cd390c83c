//! The index of a part of the log, be it still in memory or in a file: one set of questions for both.

use super::hot::{EntryId, HotIndex, Which};
use super::postings::RunPlace;
use super::sealed::{Damaged, Head, Likely, PostingBlock, SealedIndex, Step};
use crate::format::index_file::EVENTS_A_TIME;
use crate::vocabulary::event::EventId;
use crate::vocabulary::time::Timestamp;
use std::ops::Range;

/// Where the events of some frames are.
#[derive(Debug)]
pub(crate) enum PartIndex {
    /// Of frames that are still being added, or whose index is not in a file yet.
    Hot(Box<HotIndex>),
    /// Of frames that are complete.
    Sealed(Box<SealedIndex>),
}

impl PartIndex {
    /// The index in memory.
    pub(crate) fn hot(&self) -> Option<&HotIndex> {
        match self {
            PartIndex::Hot(hot) => Some(hot),
            PartIndex::Sealed(_) => None,
        }
    }

    /// What a file of it is to hold, if it is in that form, and in no file yet.
    pub(crate) fn unfiled(&self) -> Option<&[u8]> {
        match self {
            PartIndex::Hot(_) => None,
            PartIndex::Sealed(sealed) => sealed.unfiled(),
        }
    }

    /// The number of the first event.
    pub(crate) fn base(&self) -> u64 {
        match self {
            PartIndex::Hot(hot) => hot.base(),
            PartIndex::Sealed(sealed) => sealed.covers().base,
        }
    }

    /// How many events there are, staged ones included.
    pub(crate) fn count(&self) -> u32 {
        match self {
            PartIndex::Hot(hot) => hot.count(),
            PartIndex::Sealed(sealed) => sealed.covers().count,
        }
    }

    /// How many transactions with events there are, staged ones included.
    pub(crate) fn transactions(&self) -> u64 {
        match self {
            PartIndex::Hot(hot) => hot.transactions(),
            PartIndex::Sealed(sealed) => u64::from(sealed.covers().transactions),
        }
    }

    /// Bytes of the index's file, if it has one.
    pub(crate) fn file_bytes(&self) -> u64 {
        match self {
            PartIndex::Hot(_) => 0,
            PartIndex::Sealed(sealed) => sealed.file_bytes(),
        }
    }

    /// Bytes of memory, those of maps apart.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            PartIndex::Hot(hot) => hot.bytes(),
            PartIndex::Sealed(sealed) => sealed.bytes_in_memory(),
        }
    }

    /// How many streams begin here, of those with an event below `sequence_number`.
    pub(crate) fn born_streams(&self, sequence_number: u64) -> u64 {
        match self {
            PartIndex::Hot(hot) => hot.born_streams(sequence_number),
            PartIndex::Sealed(sealed) => u64::from(sealed.born_streams()),
        }
    }

    /// The offset of the frame that holds an event.
    pub(crate) fn frame_of(&self, sequence_number: u64) -> Result<Option<u64>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.frame_of(sequence_number)),
            PartIndex::Sealed(sealed) => sealed.frame_of(sequence_number),
        }
    }

    /// The category of this name.
    pub(crate) fn category(&self, category: &str) -> Result<Option<EntryId>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.category(category)),
            PartIndex::Sealed(sealed) => sealed.category(category),
        }
    }

    /// The events of this name.
    pub(crate) fn name(&self, name: &str) -> Result<Option<EntryId>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.name(name)),
            PartIndex::Sealed(sealed) => sealed.name(name),
        }
    }

    /// The streams of this name, whatever their category. Adds the number of names looked at, as the next two.
    pub(crate) fn streams_named(&self, stream: &str, looked_at: &mut u64) -> Result<Vec<EntryId>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.streams_named(stream, looked_at)),
            PartIndex::Sealed(sealed) => {
                *looked_at += 1;
                sealed.streams_named(stream)
            }
        }
    }

    /// The entries whose names begin so, as long as they are no more than `most`; else some of them, and more than that.
    pub(crate) fn with_prefix(
        &self,
        which: Which,
        prefix: &str,
        most: usize,
        looked_at: &mut u64,
    ) -> Result<Vec<EntryId>, Damaged> {
        let sealed = match self {
            PartIndex::Hot(hot) => return Ok(hot.with_prefix(which, prefix, most, looked_at)),
            PartIndex::Sealed(sealed) => sealed,
        };
        let most_taken = most.saturating_add(1);
        let found: Vec<EntryId> = match which {
            Which::Category => sealed.categories_with_prefix(prefix)?.take(most_taken).collect(),
            Which::Stream => sealed.streams_named_with_prefix(prefix, most)?,
            Which::Name => sealed.names_with_prefix(prefix)?.take(most_taken).collect(),
        };
        *looked_at += found.len() as u64 + 1;
        Ok(found)
    }

    /// The same of the streams of a category.
    pub(crate) fn streams_with_prefix(
        &self,
        category: &str,
        prefix: &str,
        most: usize,
        looked_at: &mut u64,
    ) -> Result<Vec<EntryId>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.streams_with_prefix(category, prefix, most, looked_at)),
            PartIndex::Sealed(sealed) => {
                let streams = sealed.streams_with_prefix(category, prefix)?;
                let found: Vec<EntryId> = streams.take(most.saturating_add(1)).collect();
                *looked_at += found.len() as u64 + 1;
                Ok(found)
            }
        }
    }

    /// The ordinals of the events of a category that may have this id, unless the store made it for them. The events tell.
    pub(crate) fn event_ids_with(&self, category: &str, id: &EventId) -> Result<Vec<u32>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.event_ids_with(category, id).collect()),
            PartIndex::Sealed(sealed) => sealed.event_ids_with(category, id),
        }
    }

    /// Of events that follow each other, this one among them, the ordinals, if it is known that none of them occurred then or
    /// before.
    pub(crate) fn later_than(&self, ordinal: u32, time: Timestamp) -> Result<Option<Range<u32>>, Damaged> {
        let PartIndex::Sealed(sealed) = self else { return Ok(None) };
        let block = ordinal / EVENTS_A_TIME;
        let is_later = block < sealed.blocks() && sealed.times(block)?.least_occurred_at > time;
        let start = block.saturating_mul(EVENTS_A_TIME);
        Ok(is_later.then(|| start..start.saturating_add(EVENTS_A_TIME)))
    }

    /// When the first event was recorded, where a file tells.
    pub(crate) fn first_recorded_at(&self) -> Option<Timestamp> {
        match self {
            PartIndex::Hot(_) => None,
            PartIndex::Sealed(sealed) => sealed.covers().first_recorded_at,
        }
    }

    /// Where the events that were recorded before a time end, where a file tells: behind one of these ordinals, or before the
    /// first of them.
    pub(crate) fn recorded_before(&self, time: Timestamp) -> Result<Option<Range<u32>>, Damaged> {
        let PartIndex::Sealed(sealed) = self else { return Ok(None) };
        let start = sealed.first_recorded_at_or_after(time)?;
        Ok(Some(start..start.saturating_add(EVENTS_A_TIME).min(sealed.covers().count)))
    }

    /// Whether a stream with this hash may have events here; `false` is for sure. Of what is in memory the answer is to look.
    pub(crate) fn may_have_stream(&self, hash: u64) -> Result<bool, Damaged> {
        match self {
            PartIndex::Hot(_) => Ok(true),
            PartIndex::Sealed(sealed) => sealed.may_have_stream(hash),
        }
    }

    /// The stream of this name in this category, whose hash the caller has.
    pub(crate) fn stream(&self, category: &str, stream: &str, hash: u64) -> Result<Option<EntryId>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.stream(category, stream)),
            PartIndex::Sealed(sealed) if sealed.may_have_stream(hash)? => sealed.stream(category, stream),
            PartIndex::Sealed(_) => Ok(None),
        }
    }

    /// The stream of this name in this category, whose hash the caller has; or another that has the same one, if this stream is
    /// not here. Quicker than for sure.
    pub(crate) fn likely_stream(&self, category: &str, stream: &str, hash: u64) -> Result<Option<Likely>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.stream(category, stream).map(|entry| Likely { entry, is_sure: true })),
            PartIndex::Sealed(sealed) => sealed.likely_stream(category, stream, hash),
        }
    }

    /// Asks the memory for what is looked at next, on the way to an entry's events: first where to find a stream of this hash.
    pub(crate) fn prefetch_stream(&self, hash: u64) {
        if let PartIndex::Sealed(sealed) = self {
            sealed.prefetch_stream(hash);
        }
    }

    /// The same for whether a stream of this hash may be there at all.
    pub(crate) fn prefetch_filter(&self, hash: u64) {
        if let PartIndex::Sealed(sealed) = self {
            sealed.prefetch_filter(hash);
        }
    }

    /// Then what its list is looked for by, and the list.
    pub(crate) fn prefetch_list(&self, id: EntryId, what: Step) {
        if let PartIndex::Sealed(sealed) = self {
            sealed.prefetch_list(id, what);
        }
    }

    /// And then where the frames of its events are told.
    pub(crate) fn prefetch_frames(&self, ordinals: &[u32]) {
        if let PartIndex::Sealed(sealed) = self {
            sealed.prefetch_frames(ordinals);
        }
    }

    /// Where reading an entry's list begins.
    pub(crate) fn place(&self, id: EntryId) -> Result<ListPlace, Damaged> {
        match self {
            PartIndex::Hot(_) => Ok(ListPlace(None)),
            PartIndex::Sealed(sealed) => sealed.head(id).map(|head| ListPlace(Some(head))),
        }
    }

    /// The position of a stream's first event here.
    pub(crate) fn first_position(&self, stream: EntryId) -> Result<u64, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.first_position(stream)),
            PartIndex::Sealed(sealed) => sealed.first_position(stream),
        }
    }

    /// The position that follows a stream's last here; staged events count.
    pub(crate) fn next_position(&self, stream: EntryId) -> Result<u64, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.next_position(stream)),
            PartIndex::Sealed(sealed) => sealed.next_position(stream),
        }
    }

    /// How many events an entry has; staged ones count.
    pub(crate) fn len(&self, id: EntryId) -> Result<u32, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.len(id)),
            PartIndex::Sealed(sealed) => sealed.len(id),
        }
    }

    /// How many of an entry's events are numbered below `sequence_number`.
    pub(crate) fn count_below(&self, id: EntryId, list: &ListPlace, sequence_number: u64) -> Result<u32, Damaged> {
        match (self, &list.0) {
            (PartIndex::Hot(hot), _) => Ok(hot.count_below(id, sequence_number)),
            (PartIndex::Sealed(sealed), Some(head)) => sealed.count_below_in(id, head, sequence_number),
            (PartIndex::Sealed(sealed), None) => sealed.count_below(id, sequence_number),
        }
    }

    /// The sequence number of an entry's event at `index`.
    pub(crate) fn event_at(&self, id: EntryId, index: u32, place: &mut PostingPlace) -> Result<Option<u64>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.event_at(id, index, &mut place.run)),
            PartIndex::Sealed(sealed) => {
                if place.block.get(index).is_none() {
                    sealed.postings(id, index, &mut place.block)?;
                }
                Ok(place.block.get(index).map(|ordinal| sealed.covers().base + u64::from(ordinal)))
            }
        }
    }

    /// The ordinals of an entry's events from `index` on: as many as fit and are there. Says how many.
    pub(crate) fn ordinals_at(
        &self,
        id: EntryId,
        list: &ListPlace,
        index: u32,
        place: &mut PostingPlace,
        out: &mut [u32],
    ) -> Result<usize, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.ordinals_at(id, index, &mut place.run, out)),
            PartIndex::Sealed(sealed) => {
                let head = match list.0 {
                    Some(head) => head,
                    // It was in memory when the list was found.
                    None => sealed.head(id)?,
                };
                // What a damaged block has left there is no use to anyone.
                let found = sealed.ordinals_at(id, &head, index, &mut place.block, out);
                found.inspect_err(|_| place.block = PostingBlock::default())
            }
        }
    }

    /// The offsets of the frames that hold the events with these ordinals. Whether all are known.
    pub(crate) fn frames_of(&self, ordinals: &[u32], out: &mut [u64]) -> Result<bool, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.frames_of(ordinals, out).is_some()),
            PartIndex::Sealed(sealed) => sealed.frames_of(ordinals, out).map(|()| true),
        }
    }

    /// Lends the names of categories with an event below `sequence_number`.
    pub(crate) fn category_names(&self, sequence_number: u64, mut each: impl FnMut(&[u8])) -> Result<(), Damaged> {
        match self {
            PartIndex::Hot(hot) => {
                hot.category_names(sequence_number).for_each(each);
                Ok(())
            }
            PartIndex::Sealed(sealed) => sealed.category_names(sequence_number, &mut each),
        }
    }

    /// Lends the names of a category's streams with an event below `sequence_number`.
    pub(crate) fn stream_names(
        &self,
        category: &str,
        sequence_number: u64,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Damaged> {
        match self {
            PartIndex::Hot(hot) => {
                hot.stream_names(category, sequence_number).for_each(each);
                Ok(())
            }
            PartIndex::Sealed(sealed) => sealed.stream_names(category, sequence_number, &mut each),
        }
    }

    /// Lends the names of a kind that occur below `sequence_number`, streams being those of any category. One may be lent several
    /// times.
    pub(crate) fn names_of(
        &self,
        which: Which,
        sequence_number: u64,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Damaged> {
        match (self, which) {
            (_, Which::Category) => self.category_names(sequence_number, each),
            (PartIndex::Hot(hot), Which::Stream) => {
                hot.all_stream_names(sequence_number).for_each(each);
                Ok(())
            }
            (PartIndex::Hot(hot), Which::Name) => {
                hot.event_names(sequence_number).for_each(each);
                Ok(())
            }
            (PartIndex::Sealed(sealed), Which::Stream) => sealed.all_stream_names(sequence_number, &mut each),
            (PartIndex::Sealed(sealed), Which::Name) => sealed.event_names(sequence_number, &mut each),
        }
    }

    /// The offsets of the frames whose transaction may have this id, staged ones included.
    pub(crate) fn transactions_with(&self, id: &str) -> Result<Vec<u64>, Damaged> {
        match self {
            PartIndex::Hot(hot) => Ok(hot.transactions_with(id).collect()),
            PartIndex::Sealed(sealed) => sealed.transactions_with(id),
        }
    }
}

/// Where an entry's list begins, in a file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ListPlace(Option<Head>);

/// Where a reader of a list last was, in one part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PostingPlace {
    run: RunPlace,
    block: PostingBlock,
}

impl PostingPlace {
    /// Turns to another list.
    pub(crate) fn clear(&mut self) {
        self.run = RunPlace::default();
        self.block.len = 0;
    }
}
