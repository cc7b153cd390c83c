//! What a judgement looks for in the log itself: a stream's last event, a transaction that was there before.

use super::seat::Seat;
use super::{Engine, LiveSegment};
use crate::format::decode::{EventFault, FrameCheck, FrameView, NameCache};
use crate::index::{PostingPlace, stream_hash};
use crate::vocabulary::error::{AppendError, Corruption};
use crate::vocabulary::event::EventRef;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::{Position, Revision};
use crate::vocabulary::transaction::{Digest, Receipt};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Engine {
    /// The position of a stream's next event, everything staged included, from the indexes.
    ///
    /// # Errors
    /// [`AppendError::Corrupt`] when that would need a part of the log that is damaged.
    pub(super) fn next_position(&self, stream: &Stream) -> Result<u64, AppendError> {
        let hash = stream_hash(self.hash_seed, stream.category(), stream.stream());
        let mut searched = 0;
        let segments = self.horizon.segments();
        // Mostly no part has the stream, and then all are asked: the memory brings what all filters look at meanwhile.
        segments.iter().for_each(|segment| segment.index().prefetch_filter(hash));
        for segment in segments.iter().rev() {
            let next = segment.ask(|index| {
                if !index.may_have_stream(hash)? {
                    return Ok(None);
                }
                searched += u64::from(index.hot().is_none());
                let entry = index.stream(stream.category(), stream.stream(), hash)?;
                entry.map(|entry| index.next_position(entry)).transpose()
            })?;
            if let Some(next) = next {
                return Ok(next);
            }
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        self.searched_in_vain.fetch_add(searched, Ordering::Relaxed);
        Ok(0)
    }

    /// Lends the last event of a stream that has one, be it staged or not.
    pub(super) fn with_last_event<T>(
        &self,
        seat: &Seat,
        stream: &Stream,
        look: impl FnOnce(&EventRef<'_>) -> T,
    ) -> Result<T, AppendError> {
        let hash = stream_hash(self.hash_seed, stream.category(), stream.stream());
        let segments = self.horizon.segments();
        for segment in segments.iter().rev() {
            let last = segment.ask(|index| {
                let Some(entry) = index.stream(stream.category(), stream.stream(), hash)? else { return Ok(None) };
                let last = index.len(entry)?.saturating_sub(1);
                let Some(number) = index.event_at(entry, last, &mut PostingPlace::default())? else { return Ok(None) };
                Ok(index.frame_of(number)?.map(|offset| (number, offset)))
            })?;
            let Some((number, offset)) = last else { continue };
            return self.with_frame(seat, segment, offset, |frame| {
                let index = u32::try_from(number - frame.header.sequence).unwrap_or(u32::MAX);
                let check = Some(FrameCheck::new(segment.header.salt, offset));
                match frame.event(index, self.seed, check, &mut NameCache::default()) {
                    Ok(parts) => Ok(look(&EventRef { data: frame.bytes, parts })),
                    Err(_) => Err(corrupt(segment, offset, "the last event of a stream is damaged")),
                }
            })?;
        }
        Err(corrupt(
            self.horizon.segments().last().map_or(&seat.segment, |last| last),
            0,
            "a stream without its last event",
        ))
    }

    /// Lends the frame at `offset`, be it staged, in flight or visible, verified.
    pub(super) fn with_frame<T>(
        &self,
        seat: &Seat,
        segment: &Arc<LiveSegment>,
        offset: u64,
        look: impl FnOnce(&FrameView<'_>) -> T,
    ) -> Result<T, AppendError> {
        let number = segment.header.number;
        let in_flight;
        let bytes = if offset < segment.region.published() {
            Some(segment.frame(offset).map_err(AppendError::Io)?)
        } else if let Some(staged) = seat.find(number, offset) {
            Some(staged)
        } else {
            in_flight = self.in_flight.get();
            match in_flight.as_ref().and_then(|batch| batch.find(number, offset)) {
                Some(bytes) => Some(bytes),
                // It became visible between the two looks.
                None => Some(segment.frame(offset).map_err(AppendError::Io)?),
            }
        };
        let view = bytes
            .and_then(FrameView::open)
            .filter(|view| view.verify(segment.header.salt, offset))
            .ok_or_else(|| corrupt(segment, offset, "no valid frame where the index says one is"))?;
        Ok(look(&view))
    }

    /// The transaction of this id, staged or not: its receipt and the digest of what was submitted.
    pub(super) fn find_transaction(&self, seat: &Seat, id: &str) -> Result<Option<(Receipt, Digest)>, AppendError> {
        let segments = self.horizon.segments();
        for segment in segments.iter().rev() {
            for offset in segment.ask(|index| index.transactions_with(id))? {
                let check = FrameCheck::new(segment.header.salt, offset);
                let found = self.with_frame(seat, segment, offset, |frame| self.receipt_of(frame, id, check))?;
                let found =
                    found.map_err(|_| corrupt(segment, offset, "the last event of a transaction is damaged"))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// The first receipt of the transaction in `frame`, if it has this id.
    fn receipt_of(
        &self,
        frame: &FrameView<'_>,
        id: &str,
        check: FrameCheck,
    ) -> Result<Option<(Receipt, Digest)>, EventFault> {
        let (Some(known), Some(digest)) = (frame.sections.id_text(frame.bytes), frame.sections.digest) else {
            return Ok(None);
        };
        if known != id {
            return Ok(None);
        }
        let last_position = match frame.header.count.checked_sub(1) {
            Some(last) => Some(frame.event(last, self.seed, Some(check), &mut NameCache::default())?.position),
            None => None,
        };
        let receipt = Receipt {
            transaction_id: Some(id.into()),
            basis: Revision::new(frame.header.sequence),
            count: frame.header.count,
            recorded_at: frame.header.recorded_at,
            durability: self.settings.durability,
            last_position: last_position.map(Position::new),
            repeat: true,
            clock_behind: false,
        };
        Ok(Some((receipt, digest)))
    }

    /// The transaction that has this id, if one has.
    pub(super) fn taken_id(&self, seat: &Seat, id: &str) -> Result<Option<Receipt>, AppendError> {
        Ok(self.find_transaction(seat, id)?.map(|(receipt, _)| receipt))
    }
}

pub(super) fn corrupt(segment: &LiveSegment, offset: u64, what: &str) -> AppendError {
    Corruption { segment: segment.header.number, offset, what: what.into() }.into()
}
