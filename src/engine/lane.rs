//! The append that most are, done in one go: one event that carries what every event does, to a stream that the writer knows.
//!
//! It does what the general way does, in the same order. Where anything is not as it mostly is, it does nothing at all: then the
//! general way is taken.

use super::Engine;
use super::append::SEQUENCE_LIMIT;
use super::seat::{Added, Seat};
use crate::format::plain_writer::{self, PlainEvent};
use crate::index::{Addition, Spot};
use crate::vocabulary::append::{PlainAppend, StreamHint};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::number::Position;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::Receipt;

impl Engine {
    /// Judges and stages an append. `None` where the general way must be taken; then nothing was done.
    #[inline]
    pub(super) fn stage_plain(
        &self,
        seat: &mut Seat,
        append: &PlainAppend<'_>,
        now: Timestamp,
    ) -> Option<Result<Receipt, AppendError>> {
        let PlainAppend { part, event } = *append;
        let (category, stream, name) = (part.stream.category(), part.stream.stream(), event.name());
        let spot = Spot::of(part.hint.map_or(0, StreamHint::get));
        if seat.sequence >= SEQUENCE_LIMIT || seat.end - seat.segment.start.offset >= self.settings.part_bytes {
            return None;
        }
        let stream_known = seat.known.known_at(category, stream, spot, seat.segment.index().hot()?)?;
        let position = stream_known.next;
        if !part.condition.is_any()
            && let Err(refused) = self.judge_part(seat, part.stream, part.condition, position)
        {
            return Some(Err(refused));
        }
        let recorded_at = now.max(seat.recorded_at);
        let context = seat.context(recorded_at, self.durable_place());
        let (payload, observed_at) = (event.payload(), event.observed_at());
        let event = PlainEvent { category, stream, name, payload, position, observed_at };
        let crc = plain_writer::put(&mut seat.frame, &context, &event)?;
        let length = seat.frame.len();
        if length > self.settings.limits.transaction_bytes || !seat.fits(length) {
            return None;
        }
        let receipt =
            Receipt { last_position: Some(Position::new(position)), ..self.receipt(seat, now, recorded_at, 1) };
        let Seat { segment, end, known, .. } = &mut *seat;
        // What fails from here on poisons the store.
        let addition = Addition::new(category, stream, name, position);
        let index = segment.index().hot();
        if index.is_none_or(|index| known.add_known(index, *end, &addition, &stream_known).is_err()) {
            return Some(Err(self.index_is_full()));
        }
        let put = self.put_frame(seat, &Added { crc, events: 1, recorded_at, records: &[] });
        Some(put.map(|()| receipt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::open::open_on;
    use crate::vocabulary::append::{Append, AppendPart};
    use crate::vocabulary::attributes::Attributes;
    use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
    use crate::vocabulary::event::NewEvent;
    use crate::vocabulary::identifier::Stream;
    use crate::vocabulary::options::{Durability, Limits, Options};
    use std::sync::Arc;

    fn open(options: Options) -> (tempfile::TempDir, Arc<Engine>) {
        let directory = tempfile::tempdir().unwrap();
        let disk = crate::disk::RealDisk::new(directory.path()).unwrap();
        let options = options.durability(Durability::Os).segment_bytes(1 << 20, 1 << 20);
        (directory, open_on(Arc::new(disk), &options).unwrap())
    }

    /// Whether an append took the lane, and what came of it.
    fn try_lane(
        engine: &Engine,
        hint: &StreamHint,
        event: NewEvent,
        condition: &Condition,
    ) -> (bool, Result<Receipt, AppendError>) {
        let (stream, events, attributes) = (Stream::new("c", "s"), [event], Attributes::new());
        let parts = [AppendPart { hint: Some(hint), ..AppendPart::new(&stream, &events, condition) }];
        let append = Append::new(&attributes, &parts);
        let now = Timestamp::now();
        let plain = engine.plain(&append);
        let outcome = plain.and_then(|plain| engine.stage_plain(&mut engine.take_seat().unwrap(), &plain, now));
        (outcome.is_some(), outcome.unwrap_or_else(|| engine.append(&append)))
    }

    #[test]
    fn plain_appends_to_a_known_stream_take_it_and_no_others_do() {
        let (_directory, engine) = open(Options::new());
        let (hint, any) = (StreamHint::default(), Condition::any());
        let event = || NewEvent::empty("n");
        // The first enters the stream, the second learns where it is.
        for _ in 0..2 {
            assert!(!try_lane(&engine, &hint, event(), &any).0);
        }
        let (took, receipt) = try_lane(&engine, &hint, event(), &position_is(1));
        let receipt = receipt.unwrap();
        assert!(
            took && receipt.last_position == Some(Position::new(2)) && receipt.basis.get() == 2 && receipt.count == 1
        );
        let (took, refused) = try_lane(&engine, &hint, event(), &stream_is_empty());
        let AppendError::Unmet(unmet) = refused.unwrap_err() else { panic!("an unmet condition is told") };
        assert!(took && unmet.actual == Some(Position::new(2)));
        let (took, receipt) = try_lane(&engine, &hint, NewEvent::empty("another name"), &any);
        assert!(took && receipt.unwrap().last_position == Some(Position::new(3)));
        for other in [
            event().with_id("id"),
            event().with_attribute("a", 1),
            event().with_occurred_at(Timestamp::now()),
            event().with_observed_at(Timestamp::now()),
            event().with_metadata("m"),
        ] {
            let (took, outcome) = try_lane(&engine, &hint, other, &any);
            assert!(!took && outcome.is_ok());
        }
        assert_eq!(engine.revision(), 9);
    }

    #[test]
    fn what_is_too_much_or_too_long_is_told_by_the_general_way() {
        let limits = Limits { name_bytes: 4, payload_bytes: 10, transaction_bytes: 120, ..Limits::default() };
        let (_directory, engine) = open(Options::new().limits(limits));
        let (hint, any) = (StreamHint::default(), Condition::any());
        let event = |bytes: usize| NewEvent::from_payload("n", crate::Payload::binary(vec![7; bytes]));
        for _ in 0..2 {
            try_lane(&engine, &hint, event(1), &any).1.unwrap();
        }
        assert!(try_lane(&engine, &hint, event(10), &any).0);
        for (event, bytes) in [(event(11), 11), (NewEvent::empty("12345"), 5)] {
            let (took, outcome) = try_lane(&engine, &hint, event, &any);
            assert!(!took && matches!(outcome, Err(AppendError::Limit(limit)) if limit.actual == bytes));
        }
    }

    #[test]
    fn streams_go_on_through_parts_and_segments() {
        let (_directory, engine) = open(Options::new());
        let (hint, mut taken) = (StreamHint::default(), 0);
        let payload = vec![7; 4_000];
        for position in 0..1_500_u64 {
            let condition = position_is(position.checked_sub(1).map(Position::new));
            let event = NewEvent::from_payload("n", crate::Payload::binary(payload.clone()));
            let (took, receipt) = try_lane(&engine, &hint, event, &condition);
            assert_eq!(receipt.unwrap().last_position, Some(Position::new(position)));
            taken += u64::from(took);
        }
        assert!(
            taken > 1_400 && taken < 1_498,
            "{taken} took it: not the first ones, nor where a part or segment begins"
        );
        assert!(engine.horizon.segments().last().unwrap().header.number > 4);
        engine.close().unwrap();
    }
}
