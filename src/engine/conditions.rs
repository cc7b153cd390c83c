//! Conditions on the log, and ids that must be the only ones of their category: found out before the seat, settled in it.
//!
//! Asking the indexes may take long, and the seat is for all. So what there is up to a number, staged events included, is found
//! out before; in the seat only what came since is looked at, event by event.

use super::seat::Seat;
use super::{Engine, LiveSegment};
use crate::format::decode::{FrameCheck, NameCache};
use crate::index::{Bounds, Effort, Selection, stream_hash};
use crate::vocabulary::append::{self, Append};
use crate::vocabulary::append_condition::{AppendCondition, RevisionBounds};
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::event::{EventId, EventRef, IdRepr, NewEvent, StoredEvent};
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::selector::Selector;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Events that are looked at one by one in the seat. Of more, the indexes are asked.
const FEW: u64 = 2_048;

/// What was found out about an append before the seat was taken.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Of events below this number.
    upto: u64,
    /// For each condition, the number of the latest event that it speaks of.
    latest: Vec<Option<u64>>,
    /// Events that may have an id that is given to one of the append, with the places of those.
    suspects: Vec<Suspect>,
}

/// An event that may have the id of one that is to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Suspect {
    number: u64,
    /// The append's part, and the event in it.
    part: usize,
    event: usize,
}

impl Engine {
    /// Finds out what the append's conditions on the log and its ids rest on. `None` where it has none.
    ///
    /// # Errors
    /// [`AppendError::DuplicateEventId`] for an id that the append has twice; what asking damaged indexes brings.
    pub(super) fn find_out(&self, append: &Append<'_>) -> Result<Option<Findings>, AppendError> {
        let has_ids = append.parts.iter().any(|part| part.events.iter().any(|event| event.id.is_some()));
        if append.when.is_empty() && !has_ids {
            return Ok(None);
        }
        if has_ids {
            append::check_ids(append)?;
        }
        let segments = Arc::clone(&self.horizon.segments());
        let upto = segments.last().map_or(0, |last| last.base() + u64::from(last.index().count()));
        let mut findings = Findings { upto, ..Findings::default() };
        for condition in append.when {
            findings.latest.push(self.latest_of(&segments, condition, 0..upto)?);
        }
        if has_ids {
            suspects(&segments, append, 0..upto, &mut findings.suspects)?;
        }
        Ok(Some(findings))
    }

    /// Judges conditions and ids by what was found out before, and by what came since.
    ///
    /// # Errors
    /// [`AppendError::UnmetConditions`] with all that do not hold, [`AppendError::DuplicateEventId`].
    pub(super) fn judge_findings(
        &self,
        seat: &Seat,
        append: &Append<'_>,
        findings: &Findings,
    ) -> Result<(), AppendError> {
        let segments = Arc::clone(&self.horizon.segments());
        let new = findings.upto..seat.sequence;
        let mut latest = findings.latest.clone();
        if !latest.is_empty() && !new.is_empty() {
            if new.end - new.start > FEW {
                for (latest, condition) in latest.iter_mut().zip(append.when) {
                    *latest = self.latest_of(&segments, condition, new.clone())?.or(*latest);
                }
            } else {
                self.look_at_each(seat, &segments, new.clone(), |event| {
                    for (latest, condition) in latest.iter_mut().zip(append.when) {
                        if condition.selector().matches(event) {
                            *latest = Some(event.parts.sequence_number);
                        }
                    }
                })?;
            }
        }
        let revision = |number: Option<u64>| number.map(|number| Revision::new(number + 1));
        let judged = append.when.iter().zip(latest).map(|(condition, latest)| condition.judge(revision(latest)));
        let unmet: Vec<_> = judged.filter_map(Result::err).collect();
        if !unmet.is_empty() {
            return Err(AppendError::UnmetConditions(unmet));
        }
        self.judge_ids(seat, &segments, append, findings, new)
    }

    fn judge_ids(
        &self,
        seat: &Seat,
        segments: &[Arc<LiveSegment>],
        append: &Append<'_>,
        findings: &Findings,
        new: Range<u64>,
    ) -> Result<(), AppendError> {
        let mut found = findings.suspects.clone();
        suspects(segments, append, new, &mut found)?;
        for (part, events) in append.parts.iter().enumerate() {
            for (event, id) in events.events.iter().enumerate().filter_map(|(place, event)| Some((place, event.id()?)))
            {
                // What the store made tells the number itself.
                if let IdRepr::Uuid(bytes) = &id.0
                    && let Some(number) = self.seed.sequence_number(bytes).filter(|number| *number < seat.sequence)
                {
                    found.push(Suspect { number, part, event });
                }
            }
        }
        for suspect in found {
            let Some(part) = append.parts.get(suspect.part) else { continue };
            let Some(id) = part.events.get(suspect.event).and_then(NewEvent::id) else { continue };
            let mut is_taken = false;
            self.look_at_each(seat, segments, suspect.number..suspect.number + 1, |event| {
                is_taken = event.category() == part.stream.category() && event.id() == *id;
            })?;
            if is_taken {
                return Err(AppendError::DuplicateEventId {
                    category: part.stream.category().into(),
                    id: id.clone(),
                    revision: Some(Revision::new(suspect.number + 1)),
                });
            }
        }
        Ok(())
    }

    /// The number of the latest event that a condition speaks of, among these; where it is enough to know that there is none
    /// after a revision, only among those after it.
    fn latest_of(
        &self,
        segments: &[Arc<LiveSegment>],
        condition: &AppendCondition,
        mut numbers: Range<u64>,
    ) -> Result<Option<u64>, AppendError> {
        if let RevisionBounds::Max(max) = condition.bounds() {
            numbers.start = numbers.start.max(max.get());
        }
        let (mut effort, mut latest) = (Effort::default(), None);
        if let Some((category, stream)) = condition.selector().names_stream() {
            let hash = stream_hash(self.hash_seed, category, stream);
            segments.iter().for_each(|segment| segment.index().prefetch_filter(hash));
        }
        for segment in segments.iter().rev() {
            if segment.base() >= numbers.end {
                continue;
            }
            latest = self.latest_in(segment, condition.selector(), &numbers, &mut effort)?;
            if latest.is_some() || segment.base() <= numbers.start {
                break;
            }
        }
        if latest.is_none() && numbers.start == 0 {
            self.misses.fetch_add(1, Ordering::Relaxed);
            self.searched_in_vain.fetch_add(effort.in_vain, Ordering::Relaxed);
        }
        Ok(latest)
    }

    fn latest_in(
        &self,
        segment: &LiveSegment,
        selector: &Selector,
        numbers: &Range<u64>,
        effort: &mut Effort,
    ) -> Result<Option<u64>, AppendError> {
        let base = segment.base();
        let ordinal = |number: u64| u32::try_from(number.saturating_sub(base)).unwrap_or(u32::MAX);
        let found = segment.ask(|index| {
            let ordinals = ordinal(numbers.start)..ordinal(numbers.end).min(index.count());
            let bounds = Bounds { ordinals, reverse: true, exact: true };
            match Selection::new(selector, index, self.hash_seed, &bounds, effort)? {
                Some(mut selection) => selection.next(index, &bounds, bounds.first(), effort),
                None => Ok(None),
            }
        })?;
        Ok(found.map(|ordinal| base + u64::from(ordinal)))
    }

    /// Lends these events, staged ones among them, one by one.
    fn look_at_each(
        &self,
        seat: &Seat,
        segments: &[Arc<LiveSegment>],
        numbers: Range<u64>,
        mut look: impl FnMut(&EventRef<'_>),
    ) -> Result<(), AppendError> {
        let mut number = numbers.start;
        while number < numbers.end {
            let place = segments.partition_point(|segment| segment.base() <= number);
            let Some(segment) = place.checked_sub(1).and_then(|place| segments.get(place)) else { return Ok(()) };
            let frame = segment.ask(|index| index.frame_of(number))?;
            let offset = frame.ok_or_else(|| super::evidence::corrupt(segment, 0, "an event that no frame holds"))?;
            let check = Some(FrameCheck::new(segment.header.salt, offset));
            let next = self.with_frame(seat, segment, offset, |frame| {
                let end = frame.header.sequence + u64::from(frame.header.count);
                let mut names = NameCache::default();
                for within in number..end.min(numbers.end) {
                    let index = u32::try_from(within - frame.header.sequence).unwrap_or(u32::MAX);
                    let Ok(parts) = frame.event(index, self.seed, check, &mut names) else { return None };
                    look(&EventRef { data: frame.bytes, parts });
                }
                Some(end)
            })?;
            number = next.filter(|next| *next > number).ok_or_else(|| {
                super::evidence::corrupt(segment, offset, "an event that a condition speaks of is damaged")
            })?;
        }
        Ok(())
    }
}

/// Adds the events among these that may have an id which the append gives. The indexes know hashes.
fn suspects(
    segments: &[Arc<LiveSegment>],
    append: &Append<'_>,
    numbers: Range<u64>,
    out: &mut Vec<Suspect>,
) -> Result<(), AppendError> {
    if numbers.is_empty() {
        return Ok(());
    }
    for (part, events) in append.parts.iter().enumerate() {
        for (event, id) in events.events.iter().enumerate().filter_map(|(place, event)| Some((place, event.id()?))) {
            for segment in segments.iter().rev() {
                let base = segment.base();
                if base >= numbers.end || base + u64::from(segment.index().count()) <= numbers.start {
                    continue;
                }
                let ordinals = segment.ask(|index| index.event_ids_with(events.stream.category(), id))?;
                let found = ordinals.into_iter().map(|ordinal| base + u64::from(ordinal));
                let found = found.filter(|number| numbers.contains(number));
                out.extend(found.map(|number| Suspect { number, part, event }));
            }
        }
    }
    Ok(())
}

impl Engine {
    /// The event of this id in a category, as readers see the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn event_with_id(&self, category: &str, id: &EventId) -> Result<Option<StoredEvent>, ReadError> {
        let snapshot = self.snapshot()?;
        let mut numbers = Vec::new();
        if let IdRepr::Uuid(bytes) = &id.0 {
            numbers.extend(self.seed.sequence_number(bytes));
        }
        for segment in snapshot.segments.iter() {
            let ordinals = segment.ask(|index| index.event_ids_with(category, id))?;
            numbers.extend(ordinals.into_iter().map(|ordinal| segment.base() + u64::from(ordinal)));
        }
        numbers.retain(|number| *number < snapshot.revision);
        numbers.sort_unstable();
        for number in numbers.into_iter().rev() {
            let from = Some(SequenceNumber::new(number));
            let query = ScanQuery { from, limit: Some(1), ..ScanQuery::default() };
            let mut events = Vec::new();
            self.scan(&query)?.next_batch(&mut events)?;
            if let Some(event) = events.pop().filter(|event| event.category() == category && event.id() == *id) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}
