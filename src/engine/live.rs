//! A part of the log that is in use: frames of one segment, the file and the map that they are in, and their index.

use super::making::{self, Fault};
use crate::disk::{DiskFile, Region};
use crate::format::frame::{FrameHeader, TABLE_HEADER_BYTES};
use crate::format::segment_header::SegmentHeader;
use crate::index::sealed::{Damaged, IndexBytes, SealedIndex};
use crate::index::{HotIndex, PartIndex, hash_seed};
use crate::log::segment_name;
use crate::segment::Start;
use crate::vocabulary::error::{AppendError, Corruption, IoFailure, ReadError};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Why an index has no answer.
#[derive(Debug, Clone)]
pub(crate) enum NoAnswer {
    /// It is damaged, and so is the log that it would be made from again.
    Corrupt(Corruption),
    /// It is damaged, or cannot be read, and neither can the log.
    Io(IoFailure),
}

impl From<NoAnswer> for ReadError {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Corrupt(corruption) => corruption.into(),
            NoAnswer::Io(failure) => failure.into(),
        }
    }
}

impl From<NoAnswer> for AppendError {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Corrupt(corruption) => corruption.into(),
            NoAnswer::Io(failure) => AppendError::Io(failure),
        }
    }
}

/// Frames of one segment: all of them, or some. The parts of a segment that is in use become one when it is complete.
#[derive(Debug)]
pub(crate) struct LiveSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) region: Arc<Region>,
    /// Where its frames begin, and what is known of those before.
    pub(crate) start: Start,
    /// Where its frames end, once others follow.
    pub(crate) sealed_end: OnceLock<u64>,
    index: PartIndex,
    /// Whether no index file can be made of it: then it is not tried again.
    hopeless: AtomicBool,
    /// In place of an index whose file turned out to be damaged: made again from the log.
    again: OnceLock<PartIndex>,
    /// Held by who makes it.
    making: Mutex<()>,
}

impl LiveSegment {
    pub(crate) fn new(
        header: SegmentHeader,
        file: Arc<dyn DiskFile>,
        region: Arc<Region>,
        start: Start,
        index: PartIndex,
    ) -> Self {
        Self {
            header,
            file,
            region,
            start,
            sealed_end: OnceLock::new(),
            index,
            hopeless: AtomicBool::new(false),
            again: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    /// A part whose frames are still to come, with events of about so many streams.
    pub(crate) fn empty(
        header: SegmentHeader,
        file: Arc<dyn DiskFile>,
        region: Arc<Region>,
        start: Start,
        streams: u32,
    ) -> Self {
        let seed = hash_seed(&header.store_id);
        let index = PartIndex::Hot(Box::new(HotIndex::new(start.chain.sequence, seed, streams)));
        Self::new(header, file, region, start, index)
    }

    /// The same frames, which end at `end`, with another index.
    pub(crate) fn with_index(&self, index: SealedIndex, end: u64) -> Self {
        let (header, file, region) = (self.header.clone(), Arc::clone(&self.file), Arc::clone(&self.region));
        let part = Self::new(header, file, region, self.start, PartIndex::Sealed(Box::new(index)));
        let _ = part.sealed_end.set(end);
        part
    }

    /// The streams that the part after this one may have events of: as many, and some.
    pub(crate) fn streams_expected(&self) -> u32 {
        self.index.hot().map_or(0, |hot| hot.stream_count().saturating_add(hot.stream_count() / 8))
    }

    /// The number of the part's first event.
    pub(crate) fn base(&self) -> u64 {
        self.index.base()
    }

    /// The index, for what no file can get wrong.
    pub(crate) fn index(&self) -> &PartIndex {
        self.again.get().unwrap_or(&self.index)
    }

    /// Whether its index is in a file, or cannot be.
    pub(crate) fn is_indexed(&self) -> bool {
        !self.is_in_memory() || self.is_hopeless()
    }

    /// Whether its index is in memory alone.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.index().hot().is_some() || self.index().unfiled().is_some()
    }

    /// Lets it be tried again to write the index that is in memory, in a file's form, into one.
    pub(crate) fn hope_again(&self) {
        if self.index().unfiled().is_some() {
            self.hopeless.store(false, Ordering::Relaxed);
        }
    }

    /// Whether no index file can be made of it.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.hopeless.load(Ordering::Relaxed)
    }

    /// Notes that no index file can be made of it.
    pub(crate) fn give_up(&self) {
        self.hopeless.store(true, Ordering::Relaxed);
    }

    /// Whether its frames are the first of its segment.
    pub(crate) fn begins_segment(&self) -> bool {
        self.start.offset == crate::format::segment_header::HEADER_BYTES
    }

    /// Asks the index. A damaged one is made again from the log, in memory, and asked once more: it is only a hint.
    ///
    /// # Errors
    /// [`NoAnswer`] when the log itself is damaged there, or cannot be read.
    pub(crate) fn ask<T>(&self, mut question: impl FnMut(&PartIndex) -> Result<T, Damaged>) -> Result<T, NoAnswer> {
        // Which one is asked is settled first: another thread may put it in place of the damaged one meanwhile.
        let again = self.again.get();
        match question(again.unwrap_or(&self.index)) {
            Ok(answer) => Ok(answer),
            Err(damaged) if again.is_some() => Err(NoAnswer::Corrupt(self.corruption(0, damaged.to_string()))),
            Err(_) => question(self.make_again()?)
                .map_err(|damaged| NoAnswer::Corrupt(self.corruption(0, damaged.to_string()))),
        }
    }

    /// Puts the index that its file would hold in the place of the one that was filled, once its frames end at `end`. That takes
    /// less memory. Leaves it as it is where that cannot be.
    pub(crate) fn seal_in_memory(self, end: u64) -> Self {
        if self.index.hot().is_none() {
            return self;
        }
        let Ok(bytes) = making::build(&*self.file, &self.header, &self.start, end) else { return self };
        let header = &self.header;
        match SealedIndex::open(IndexBytes::Heap(bytes), &header.store_id, header.number, header.salt) {
            Ok(sealed) => Self { index: PartIndex::Sealed(Box::new(sealed)), ..self },
            Err(_) => self,
        }
    }

    fn make_again(&self) -> Result<&PartIndex, NoAnswer> {
        // One thread makes it for all who need it.
        let _making = self.making.lock();
        if let Some(again) = self.again.get() {
            return Ok(again);
        }
        let end = self.sealed_end.get().copied().unwrap_or_else(|| self.region.published());
        let bytes = making::build(&*self.file, &self.header, &self.start, end).map_err(|fault| match fault {
            Fault::Unreadable(failure) => NoAnswer::Io(failure),
            Fault::Damaged { offset, what } => NoAnswer::Corrupt(self.corruption(offset, what)),
        })?;
        let header = &self.header;
        let sealed = SealedIndex::open(IndexBytes::Heap(bytes), &header.store_id, header.number, header.salt)
            .map_err(|unusable| NoAnswer::Corrupt(self.corruption(0, unusable.to_string())))?;
        Ok(self.again.get_or_init(|| PartIndex::Sealed(Box::new(sealed))))
    }

    /// Closes the segment's file, which is complete and durable, until it is needed.
    pub(crate) fn let_go(&self) {
        self.file.let_go(&segment_name(self.header.number));
    }

    /// The frame that begins at `offset`, as far as readers may see it, which the system was seen to provide. Where no frame
    /// begins, whatever bytes; where nothing was published yet, none.
    ///
    /// # Errors
    /// [`IoFailure`] when the system cannot provide it.
    pub(crate) fn frame(&self, offset: u64) -> Result<&[u8], IoFailure> {
        let published = self.region.published();
        let bytes = self.region.slice(offset..published).unwrap_or_default();
        let front = bytes.get(..TABLE_HEADER_BYTES.min(bytes.len())).unwrap_or_default();
        self.provide(offset, front.len())?;
        let length = FrameHeader::decode(front).map_or(front.len(), |header| header.length as usize);
        let frame = bytes.get(..length.min(bytes.len())).unwrap_or_default();
        self.provide(offset, frame.len())?;
        Ok(frame)
    }

    fn provide(&self, offset: u64, length: usize) -> Result<(), IoFailure> {
        let provided = self.region.provide(offset..offset + length as u64);
        provided.map_err(|error| IoFailure::new("read", self.file.path(), error))
    }

    fn corruption(&self, offset: u64, what: impl Into<String>) -> Corruption {
        Corruption { segment: self.header.number, offset, what: what.into() }
    }

    /// An error about this segment.
    pub(crate) fn corrupt(&self, offset: u64, what: impl Into<String>) -> ReadError {
        self.corruption(offset, what).into()
    }
}
