//! Finding a stream by its hash, and asking the memory for what will be looked at on the way to its events.

use super::Damaged;
use super::lists::Step;
use super::reader::SealedIndex;
use super::table::{Candidate, SLOT_BYTES, find, home};
use crate::format::index_file::SectionKind;
use crate::index::hot::{EntryId, Which};

/// An entry that is the one asked for, if that is here at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Likely {
    pub(crate) entry: EntryId,
    /// Whether it is for sure.
    pub(crate) is_sure: bool,
}

impl SealedIndex {
    /// The stream of this name in this category, whose hash ([`stream_hash`](crate::index::stream_hash)) the caller has; or
    /// another of the same hash, if this one is not here.
    pub(crate) fn likely_stream(&self, category: &str, stream: &str, hash: u64) -> Result<Option<Likely>, Damaged> {
        let table = self.section(SectionKind::StreamTable);
        match find(&self.file, table, hash)? {
            Candidate::None => Ok(None),
            Candidate::One(number) if number >= self.streams.len() => Err(table.damaged("a slot of no stream")),
            Candidate::One(number) => Ok(Some(Likely { entry: EntryId(Which::Stream, number), is_sure: false })),
            Candidate::Several => Ok(self.stream(category, stream)?.map(|entry| Likely { entry, is_sure: true })),
        }
    }

    /// Asks the memory for what [`likely_stream`](Self::likely_stream) will look at.
    pub(crate) fn prefetch_stream(&self, hash: u64) {
        let table = self.section(SectionKind::StreamTable);
        self.file.prefetch::<2>(table, home(hash, table.items) * SLOT_BYTES);
    }

    /// Asks the memory for what is looked at of an entry's list.
    pub(crate) fn prefetch_list(&self, id: EntryId, what: Step) {
        self.dictionary(id).lists().prefetch(&self.file, id.1, what);
    }

    /// Asks the memory for where the frames of these events are told, where that is told event by event.
    pub(crate) fn prefetch_frames(&self, ordinals: &[u32]) {
        let by_event = self.section(SectionKind::FramesByEvent);
        if by_event.items > 0 {
            ordinals.iter().for_each(|ordinal| self.file.prefetch::<1>(by_event, *ordinal as usize * 4));
        }
    }
}
