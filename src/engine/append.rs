//! Appending: admission before the seat, judgement and encoding in it, waiting after it.

use super::Engine;
use super::conditions::Findings;
use super::seat::{Added, Seat};
use crate::format::digest;
use crate::format::encode::{self, TransactionSource};
use crate::format::event::EventSource;
use crate::format::place::{Place, aligned};
use crate::index::{Addition, NextPosition, Spot};
use crate::vocabulary::append::{self, Append, AppendPart, PlainAppend, StreamHint};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, Refusal, UnmetCondition};
use crate::vocabulary::error::{AppendError, LimitExceeded, LimitedThing};
use crate::vocabulary::event::Given;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::{Position, Revision};
use crate::vocabulary::reentry;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Digest, Receipt};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Sequence numbers end here, far below what 64 bits hold, so that no sum overflows.
pub(super) const SEQUENCE_LIMIT: u64 = u64::MAX - (1 << 40);
/// How far the clock may be behind the log's last time before receipts say so.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(3_600);
/// Parts up to which a repeated stream is looked for one by one.
const FEW_PARTS: usize = 16;
/// Parts whose standing memory is kept for.
const KEPT_STANDINGS: usize = 1_024;

/// What is known of an append before the seat is taken.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) digest: Option<Digest>,
    pub(super) now: Timestamp,
    /// Boxed: few appends have any.
    pub(super) findings: Option<Box<Findings>>,
}

/// What the judgement of a part of an append found of its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// The position of the part's first event.
    first: u64,
    /// Where the writer knows the stream.
    spot: Spot,
}

impl Engine {
    /// Appends a transaction.
    ///
    /// # Errors
    /// [`AppendError`].
    pub(crate) fn append(&self, append: &Append<'_>) -> Result<Receipt, AppendError> {
        let (outcome, place) = self.judge_and_stage(append)?;
        // A refusal may rest on staged events, and so may a repeated id: both are answered once those are visible.
        self.wait_visible(place)?;
        outcome
    }

    /// Takes the seat and stages a transaction in it. Says what came of it, and what that rests on: everything up to a place.
    ///
    /// # Errors
    /// [`AppendError`], before the seat was had.
    pub(super) fn judge_and_stage(
        &self,
        append: &Append<'_>,
    ) -> Result<(Result<Receipt, AppendError>, Place), AppendError> {
        self.admit_append()?;
        let plain = self.plain(append);
        if plain.is_none() {
            append::check(append, &self.settings.limits, self.settings.strict_names)?;
        }
        let ready = self.ready(append, plain.is_some())?;
        let mut seat = self.take_seat()?;
        let outcome = self.judge_in_seat(&mut seat, append, plain, &ready);
        Ok((outcome, seat.place()))
    }

    /// The append as a plain one, if it is one and may be judged as such.
    #[inline]
    pub(super) fn plain<'a>(&self, append: &Append<'a>) -> Option<PlainAppend<'a>> {
        PlainAppend::of(append, &self.settings.limits).filter(|_| !self.settings.strict_names)
    }

    /// What is done for an append before the seat is taken.
    ///
    /// # Errors
    /// [`AppendError::DuplicateEventId`] for an id that it has twice, and what asking damaged indexes brings.
    #[inline]
    pub(super) fn ready(&self, append: &Append<'_>, is_plain: bool) -> Result<Ready, AppendError> {
        let digest = append.id.map(|_| digest::of(append));
        let findings = if is_plain { None } else { self.find_out(append)?.map(Box::new) };
        Ok(Ready { digest, now: self.settings.clock.now(), findings })
    }

    /// Judges and stages a transaction that was admitted, and what it is as a plain one.
    #[inline]
    pub(super) fn judge_in_seat(
        &self,
        seat: &mut Seat,
        append: &Append<'_>,
        plain: Option<PlainAppend<'_>>,
        ready: &Ready,
    ) -> Result<Receipt, AppendError> {
        match plain.and_then(|plain| self.stage_plain(seat, &plain, ready.now)) {
            Some(outcome) => outcome,
            None => self.judge_any(seat, append, ready),
        }
    }

    fn judge_any(&self, seat: &mut Seat, append: &Append<'_>, ready: &Ready) -> Result<Receipt, AppendError> {
        let mut standings = std::mem::take(&mut seat.standings);
        let outcome = self.stage(seat, append, ready, &mut standings);
        standings.clear();
        if standings.capacity() > KEPT_STANDINGS {
            // Few transactions have so many parts that it is worth keeping the memory for them.
            standings.shrink_to(KEPT_STANDINGS);
        }
        seat.standings = standings;
        outcome
    }

    /// Judges, encodes and stages a transaction, or says why not.
    fn stage(
        &self,
        seat: &mut Seat,
        append: &Append<'_>,
        ready: &Ready,
        standings: &mut Vec<Standing>,
    ) -> Result<Receipt, AppendError> {
        if let (Some(id), Some(digest)) = (append.id, ready.digest)
            && let Some(first) = self.find_transaction(seat, id)?
        {
            return repeated(id, first, digest);
        }
        self.judge(seat, append, standings)?;
        if let Some(findings) = &ready.findings {
            self.judge_findings(seat, append, findings)?;
        }
        let (now, standings): (_, &[Standing]) = (ready.now, standings);
        let recorded_at = now.max(seat.recorded_at);
        let events = append.event_count();
        let mut receipt = Receipt {
            transaction_id: append.id.cloned(),
            ..self.receipt(seat, now, recorded_at, u32::try_from(events).unwrap_or(u32::MAX))
        };
        if receipt.count == 0 && append.records.is_empty() {
            return Ok(receipt);
        }
        let last_part = append.parts.iter().zip(standings).rfind(|(part, _)| !part.events.is_empty());
        receipt.last_position =
            last_part.map(|(part, standing)| Position::new(standing.first + part.events.len() as u64 - 1));
        let source = TransactionSource {
            id: append.id.map(|id| &**id).zip(ready.digest),
            attributes: append.attributes,
            records: append.records,
        };
        let observed_at = append.observed_when_recorded.then_some(recorded_at);
        let events = || Incomings { parts: append.parts, standings, part: 0, event: 0, rest: events, observed_at };
        let additions = append.parts.iter().zip(standings).flat_map(|(part, standing)| {
            part.events.iter().zip(standing.first..).map(|(event, position)| Addition {
                spot: standing.spot,
                id: event.id(),
                ..Addition::new(part.stream.category(), part.stream.stream(), event.name(), position)
            })
        });
        self.put_transaction(seat, source, recorded_at, events, additions)?;
        Ok(receipt)
    }

    /// The receipt of so many events that come next, without id and position.
    #[inline]
    pub(super) fn receipt(&self, seat: &Seat, now: Timestamp, recorded_at: Timestamp, count: u32) -> Receipt {
        Receipt {
            transaction_id: None,
            basis: Revision::new(seat.sequence),
            count,
            recorded_at,
            durability: self.settings.durability,
            last_position: None,
            repeat: false,
            clock_behind: seat.recorded_at > now && seat.recorded_at.saturating_since(now) > CLOCK_TOLERANCE,
        }
    }

    /// Encodes a transaction into the log. `events` gives its events anew each time; `additions` says the same for the index.
    #[inline]
    pub(super) fn put_transaction<'a, I>(
        &self,
        seat: &mut Seat,
        source: TransactionSource<'a>,
        recorded_at: Timestamp,
        events: impl Fn() -> I,
        additions: impl Iterator<Item = Addition<'a>>,
    ) -> Result<(), AppendError>
    where
        I: ExactSizeIterator<Item = EventSource<'a>>,
    {
        let count = events().len() as u64;
        if seat.sequence.saturating_add(count) > SEQUENCE_LIMIT {
            return Err(too_much(LimitedThing::LogEvents, seat.sequence.saturating_add(count), SEQUENCE_LIMIT));
        }
        if seat.end - seat.segment.start.offset >= self.settings.part_bytes {
            self.split(seat);
        }
        let limit = self.settings.limits.transaction_bytes;
        let mut crc = self.encode(seat, source, recorded_at, events(), limit)?;
        if !seat.fits(seat.frame.len()) {
            self.rotate(seat, aligned(seat.frame.len() as u64))?;
            // The checksum is seeded with the place, which is another one now.
            crc = self.encode(seat, source, recorded_at, events(), limit)?;
        }
        // What fails from here on poisons the store, so nobody goes by what the cache says of an append that failed.
        let Seat { segment, end, known, .. } = &mut *seat;
        let hot = segment.index().hot();
        let indexed = hot.map(|index| known.add(index, *end, source.id.map(|(id, _)| id), additions));
        self.known_bytes.store(known.bytes(), std::sync::atomic::Ordering::Relaxed);
        if !matches!(indexed, Some(Ok(()))) {
            return Err(self.index_is_full());
        }
        self.put_frame(seat, &Added { crc, events: count, recorded_at, records: source.records })
    }

    /// Nothing can be entered any more.
    #[cold]
    pub(super) fn index_is_full(&self) -> AppendError {
        let cause = self.set_poison("the index of the active segment is full");
        AppendError::Poisoned { cause, unknown: false }
    }

    fn encode<'a>(
        &self,
        seat: &mut Seat,
        source: TransactionSource<'a>,
        recorded_at: Timestamp,
        events: impl ExactSizeIterator<Item = EventSource<'a>>,
        limit: usize,
    ) -> Result<u32, AppendError> {
        let context = seat.context(recorded_at, self.durable_place());
        let encoded = encode::transaction(&mut seat.frame, &context, source, events);
        let length = encoded.map_or_else(|too_long| too_long.0, |_| seat.frame.len() as u64);
        match encoded {
            Ok(crc) if length <= limit as u64 => Ok(crc),
            _ => {
                // A frame of the largest size is not worth keeping the memory for.
                seat.frame = Vec::new();
                Err(too_much(LimitedThing::TransactionBytes, length, limit as u64))
            }
        }
    }

    /// Judges the conditions of all parts, and finds the position of each part's first event.
    fn judge(&self, seat: &mut Seat, append: &Append<'_>, standings: &mut Vec<Standing>) -> Result<(), AppendError> {
        let many = append.parts.len() > FEW_PARTS;
        let mut next_of: Option<HashMap<&Stream, u64>> = many.then(HashMap::new);
        for (index, part) in append.parts.iter().enumerate() {
            let noted = Spot::of(part.hint.map_or(0, StreamHint::get));
            let (before, spot) = self.known_position(seat, part.stream, noted)?;
            if let Some(hint) = part.hint.filter(|_| spot.note() != noted.note()) {
                hint.set(spot.note());
            }
            if !part.condition.is_any() {
                self.judge_part(seat, part.stream, part.condition, before)?;
            }
            let first = if let Some(next_of) = &next_of {
                next_of.get(part.stream).copied()
            } else {
                let earlier = append.parts.iter().zip(&*standings).take(index).rfind(|(e, _)| e.stream == part.stream);
                earlier.map(|(earlier, standing)| standing.first + earlier.events.len() as u64)
            };
            let first = first.unwrap_or(before);
            if let Some(next_of) = &mut next_of {
                next_of.insert(part.stream, first + part.events.len() as u64);
            }
            standings.push(Standing { first, spot });
        }
        Ok(())
    }

    #[inline]
    pub(super) fn judge_part(
        &self,
        seat: &Seat,
        stream: &Stream,
        condition: &Condition,
        next: u64,
    ) -> Result<(), AppendError> {
        let last = next.checked_sub(1).map(Position::new);
        let verdict = if !condition.needs_event() {
            // No code but our own judges, so none can call the store.
            condition.judge(last, None)
        } else if last.is_some() {
            self.with_last_event(seat, stream, |event| reentry::judging(|| condition.judge(last, Some(event))))?
        } else {
            reentry::judging(|| condition.judge(last, None))
        };
        match verdict {
            Ok(()) => Ok(()),
            Err(Refusal::Unmet(expected)) => {
                Err(UnmetCondition { stream: stream.clone(), condition: condition.clone(), expected, actual: last }
                    .into())
            }
            Err(Refusal::Panicked { name, message }) => {
                Err(AppendError::ConditionPanicked { condition: name, message })
            }
        }
    }

    /// The position of a stream's next event, everything staged included, and where the writer knows it. What it does not
    /// remember the indexes tell.
    ///
    /// # Errors
    /// As [`Engine::next_position`].
    pub(super) fn known_position(
        &self,
        seat: &mut Seat,
        stream: &Stream,
        noted: Spot,
    ) -> Result<(u64, Spot), AppendError> {
        let Seat { segment, known, .. } = seat;
        let hot = segment.index().hot();
        let NextPosition { next, spot } = known.next_position(stream.category(), stream.stream(), noted, hot);
        match next {
            Some(next) => Ok((next, spot)),
            None => Ok((self.next_position(stream)?, spot)),
        }
    }
}

/// The answer to an id that is there already.
fn repeated(id: &Arc<str>, first: (Receipt, Digest), digest: Digest) -> Result<Receipt, AppendError> {
    let (receipt, known) = first;
    if known == digest {
        return Ok(receipt);
    }
    let first = Box::new(Receipt { repeat: false, ..receipt });
    Err(AppendError::DuplicateTransaction { id: Arc::clone(id), first })
}

pub(super) fn too_much(thing: LimitedThing, actual: u64, limit: u64) -> AppendError {
    LimitExceeded { thing, actual, limit }.into()
}

/// The events of an append, part by part, with their positions.
struct Incomings<'a> {
    parts: &'a [AppendPart<'a>],
    standings: &'a [Standing],
    part: usize,
    event: usize,
    rest: usize,
    /// When events were observed whose producer did not say, if not when they were made.
    observed_at: Option<Timestamp>,
}

impl<'a> Iterator for Incomings<'a> {
    type Item = EventSource<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<EventSource<'a>> {
        loop {
            let part = self.parts.get(self.part)?;
            let Some(event) = part.events.get(self.event) else {
                self.part += 1;
                self.event = 0;
                continue;
            };
            let position = self.standings.get(self.part)?.first + self.event as u64;
            self.event += 1;
            self.rest -= 1;
            let attributes: &Attributes = event.attributes();
            let observed_at = match self.observed_at {
                Some(recorded_at) if !event.observed_given => recorded_at,
                _ => event.observed_at(),
            };
            return Some(EventSource {
                id: event.id(),
                category: part.stream.category(),
                stream: part.stream.stream(),
                name: event.name(),
                payload: event.payload(),
                metadata: event.metadata(),
                attributes,
                position,
                observed_at,
                occurred_at: event.occurred_at.unwrap_or(observed_at),
                given: Given {
                    id: event.id.is_some(),
                    observed_at: event.observed_given,
                    occurred_at: event.occurred_at.is_some(),
                },
            });
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest, Some(self.rest))
    }
}

impl ExactSizeIterator for Incomings<'_> {}
