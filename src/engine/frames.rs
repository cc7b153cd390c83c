//! Reading transactions: frame by frame, events and system records together.

use super::Engine;
use super::live::LiveSegment;
use super::snapshot::Snapshot;
use crate::format::decode::{FrameCheck, FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::Kind;
use crate::format::place::{Place, aligned};
use crate::format::segment_header::HEADER_BYTES;
use crate::vocabulary::append::OWN_NAMESPACE;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::EventRef;
use crate::vocabulary::number::Revision;
use crate::vocabulary::transaction::StoredTransaction;
use std::sync::Arc;

/// Walks the frames of a log up to where it ended when the walk began.
#[derive(Debug)]
pub(crate) struct FrameWalk {
    snapshot: Snapshot,
    seed: IdSeed,
    /// By its place in the list.
    segment: usize,
    offset: u64,
    end: Place,
}

impl Engine {
    /// Transactions from the one that holds the event after `from` on.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn transactions(&self, from: Revision) -> Result<FrameWalk, ReadError> {
        // The end first: the snapshot then holds at least that much.
        let end = self.visible_place();
        let snapshot = self.snapshot()?;
        let mut walk = FrameWalk { snapshot, seed: self.seed, segment: 0, offset: HEADER_BYTES, end };
        let from = from.get();
        if from > walk.snapshot.revision {
            walk.segment = usize::MAX;
        }
        if let Some(before) = from.checked_sub(1).filter(|_| walk.segment == 0) {
            walk.seek(before, from)?;
        }
        Ok(walk)
    }

    /// The transaction of this id, if it is visible.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, ReadError> {
        let snapshot = self.snapshot()?;
        for segment in snapshot.segments.iter().rev() {
            for offset in segment.ask(|index| index.transactions_with(id))? {
                // What is staged is indexed, and not there yet for readers; nor is what a failed sync has left.
                let bytes = segment.frame(offset)?;
                if bytes.is_empty() {
                    continue;
                }
                let frame = verified(segment, bytes, offset)?;
                if frame.sections.id_text(frame.bytes) == Some(id) {
                    return transaction_of(segment, &frame, offset, self.seed).map(Some);
                }
            }
        }
        Ok(None)
    }
}

impl FrameWalk {
    /// Begins at the frame of event `from` if that holds event `before` too, else behind the frame of `before`.
    fn seek(&mut self, before: u64, from: u64) -> Result<(), ReadError> {
        let index = self.snapshot.segment_of(before).unwrap_or(0);
        let Some(segment) = self.snapshot.segment(index) else {
            return Ok(());
        };
        let Some(offset) = segment.ask(|index| index.frame_of(before))? else {
            return Err(segment.corrupt(0, format!("the index does not know the event with sequence number {before}")));
        };
        let header = verified(segment, segment.frame(offset)?, offset)?.header;
        let spans = header.sequence + u64::from(header.count) > from;
        self.segment = index;
        self.offset = if spans { offset } else { offset + aligned(u64::from(header.length)) };
        Ok(())
    }

    /// The next transaction.
    ///
    /// # Errors
    /// [`ReadError`]; after one the walk is at its end.
    pub(crate) fn next_transaction(&mut self) -> Result<Option<StoredTransaction>, ReadError> {
        loop {
            let Some(segment) = self.snapshot.segment(self.segment).map(Arc::clone) else {
                return Ok(None);
            };
            let number = segment.header.number;
            let sealed = segment.sealed_end.get().copied().unwrap_or(u64::MAX);
            let here = Place { segment: number, offset: self.offset };
            if here >= self.end {
                return Ok(None);
            }
            if self.offset >= sealed.min(segment.region.published()) {
                self.segment += 1;
                self.offset = self.snapshot.segment(self.segment).map_or(HEADER_BYTES, |next| next.start.offset);
                continue;
            }
            let offset = self.offset;
            let stop = |walk: &mut Self| walk.segment = usize::MAX;
            let bytes = segment.frame(offset).inspect_err(|_| stop(self))?;
            let frame = verified(&segment, bytes, offset).inspect_err(|_| stop(self))?;
            self.offset += aligned(u64::from(frame.header.length));
            if frame.header.kind != Kind::Transaction {
                continue;
            }
            let transaction = transaction_of(&segment, &frame, offset, self.seed).inspect_err(|_| stop(self))?;
            if !transaction.events.is_empty() || !transaction.records.is_empty() {
                return Ok(Some(transaction));
            }
        }
    }
}

/// The frame at the beginning of `bytes`, its covered part verified.
fn verified<'a>(segment: &LiveSegment, bytes: &'a [u8], offset: u64) -> Result<FrameView<'a>, ReadError> {
    let frame = FrameView::open(bytes).filter(|frame| frame.verify(segment.header.salt, offset));
    frame.ok_or_else(|| segment.corrupt(offset, "no valid frame stands here"))
}

/// The whole transaction of a frame, detached from the segment. The store's own records are left out: they are of this store.
fn transaction_of(
    segment: &LiveSegment,
    frame: &FrameView<'_>,
    offset: u64,
    seed: IdSeed,
) -> Result<StoredTransaction, ReadError> {
    let check = Some(FrameCheck::new(segment.header.salt, offset));
    detached(frame, seed, check).map_err(|what| segment.corrupt(offset, what))
}

/// The whole transaction of a frame, with its own copy of all bytes; or what makes no sense. With `check`, verifies the events.
pub(super) fn detached(
    frame: &FrameView<'_>,
    seed: IdSeed,
    check: Option<FrameCheck>,
) -> Result<StoredTransaction, String> {
    let mut names = NameCache::default();
    let mut events = Vec::with_capacity(frame.header.count as usize);
    for index in 0..frame.header.count {
        let parts = frame
            .event(index, seed, check, &mut names)
            .map_err(|_| format!("event {index} of the frame is damaged"))?;
        events.push(EventRef { data: frame.bytes, parts }.to_stored());
    }
    let attributes = frame.sections.attributes(frame.bytes).ok_or("the attributes make no sense")?;
    let mut records = frame.sections.records(frame.bytes).ok_or("the records make no sense")?;
    records.retain(|record| &*record.namespace != OWN_NAMESPACE);
    Ok(StoredTransaction {
        id: frame.sections.id_text(frame.bytes).map(Into::into),
        digest: frame.sections.digest,
        attributes,
        basis: Revision::new(frame.header.sequence),
        recorded_at: frame.header.recorded_at,
        events,
        records,
    })
}
