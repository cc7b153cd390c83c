//! Walking a damaged log: frame by frame while they follow each other, and behind damage from the next one that proves itself.

use super::{DroppedRange, Keep, KeptRange, MissingEvents, SalvageReport, Why, options};
use crate::disk::{DiskFile, PatientFile};
use crate::engine::frames::detached;
use crate::engine::open::STRICT_NAMES;
use crate::engine::{Engine, VerifyProgress};
use crate::format::decode::FrameView;
use crate::format::event_id::IdSeed;
use crate::format::frame::Kind;
use crate::format::place::{Place, aligned};
use crate::format::segment_header::{HEADER_BYTES, SegmentHeader};
use crate::segment::{Chain, Found, Search, search_marks, what_stands};
use crate::vocabulary::append::OWN_NAMESPACE;
use crate::vocabulary::error::{AppendError, Error, OpenError};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::Options;
use crate::vocabulary::transaction::StoredTransaction;
use std::collections::HashMap;
use std::sync::Arc;

/// Behind every place: there is no telling what was durable, and all of it may have been.
const EVERYTHING: Place = Place { segment: u64::MAX, offset: u64::MAX };

/// Opens the new store.
pub(crate) type Target<'t> = dyn FnMut(&Options) -> Result<Arc<Engine>, Error> + 't;

type Segments = [(SegmentHeader, Arc<PatientFile>)];

/// A walk through the segments that can be read, and what it came to so far.
pub(super) struct Walk<'s> {
    segments: &'s Segments,
    keep: Keep,
    open: &'s mut Target<'s>,
    /// The new store, once there is something to put into it.
    store: Option<Arc<Engine>>,
    /// What the frames up to `here` say about the one that follows.
    chain: Chain,
    /// Behind the last frame that was taken: where the next one must stand, if not first in the next segment.
    here: Place,
    /// The furthest durable mark of all frames, looked for when the first gap is met.
    durable: Option<Place>,
    /// Why nothing more is taken, once that is so.
    ended: Option<Why>,
    /// Bytes that were passed over since the last frame that was taken. No loss, if the next one follows that all the same.
    passed: Vec<DroppedRange>,
    /// Behind the last event of frames that were passed over though they are whole.
    seen: u64,
    /// Whether nothing was dropped since the last transaction that was copied.
    unbroken: bool,
    strict_names: Option<bool>,
    report: SalvageReport,
}

impl<'s> Walk<'s> {
    pub(super) fn new(segments: &'s Segments, keep: Keep, open: &'s mut Target<'s>) -> Self {
        Self {
            segments,
            keep,
            open,
            store: None,
            chain: Chain::START,
            here: Place::start_of(1),
            durable: None,
            ended: None,
            passed: Vec::new(),
            seen: 0,
            unbroken: true,
            strict_names: None,
            report: SalvageReport::default(),
        }
    }

    /// Walks all segments.
    pub(super) fn run(&mut self, progress: &mut dyn FnMut(VerifyProgress)) -> Result<(), Error> {
        let total_bytes = self.segments.iter().map(|(_, file)| file.length()).sum();
        let mut done_bytes = 0;
        for (header, file) in self.segments {
            progress(VerifyProgress { done_bytes, total_bytes });
            self.segment(header, file, &mut |offset| {
                progress(VerifyProgress { done_bytes: done_bytes + offset, total_bytes });
            })?;
            done_bytes += file.length();
        }
        progress(VerifyProgress { done_bytes, total_bytes });
        Ok(())
    }

    fn segment(
        &mut self,
        header: &SegmentHeader,
        file: &PatientFile,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        let mut search = Search::new(file, header, HEADER_BYTES);
        loop {
            match search.next().map_err(OpenError::from)? {
                Found::Frame { offset, bytes } => {
                    progress(offset);
                    let place = Place { segment: header.number, offset };
                    match FrameView::open(bytes) {
                        Some(view) => self.frame(place, &view, header, file)?,
                        // Whole, and yet without sense: passed over like any other bytes.
                        None => self.note_unfit(place),
                    }
                }
                Found::Nothing => {
                    let unreadable = file.unreadable_within(search.end(), file.length()).is_some();
                    let end = if unreadable { file.length() } else { search.end() };
                    return Ok(self.pass(header, file, end, None)?);
                }
                Found::GaveUp => {
                    let what = "too much here looks like frames to look at all of it";
                    return Ok(self.pass(header, file, file.length(), Some(what))?);
                }
            }
        }
    }

    /// A whole frame: takes it if it belongs to what is to be kept.
    fn frame(
        &mut self,
        place: Place,
        view: &FrameView<'_>,
        header: &SegmentHeader,
        file: &PatientFile,
    ) -> Result<(), Error> {
        if !self.follows(place, view) {
            self.note_unfit(place);
            if self.ended.is_none() {
                self.ended = self.judge_gap()?;
            }
            if self.ended.is_some() || self.chain.may_lead_to(&view.header).is_err() {
                self.seen = self.seen.max(view.header.sequence + u64::from(view.header.count));
                return Ok(());
            }
            self.pass(header, file, place.offset, None)?;
            self.note_gap(place, view);
        } else if self.ended.is_some() {
            self.seen = self.seen.max(view.header.sequence + u64::from(view.header.count));
            return Ok(());
        }
        // Bytes between two frames that follow each other never held one.
        self.passed.clear();
        self.take(place, view, header)
    }

    /// Whether a frame stands where the next one must, and follows the one before.
    fn follows(&self, place: Place, view: &FrameView<'_>) -> bool {
        let first = place.offset == HEADER_BYTES;
        let begins_next = first && place.segment == self.here.segment + 1;
        if place != self.here && !begins_next {
            return false;
        }
        let previous_end = if begins_next { self.here.offset } else { 0 };
        let opens_rightly = !first || view.body() == previous_end.to_le_bytes();
        opens_rightly && self.chain.accepts(&view.header, place, first.then_some(previous_end)).is_ok()
    }

    /// A whole frame that does not follow, or makes no sense. Right where the next one must stand, it is no unfinished write.
    fn note_unfit(&mut self, place: Place) {
        if place == self.here {
            self.durable = Some(EVERYTHING);
        }
    }

    /// What a gap at `here` means: the end, or damage that the log goes on behind.
    fn judge_gap(&mut self) -> Result<Option<Why>, Error> {
        let durable = self.durable()?;
        if self.here >= durable {
            // As recovery has it: what comes behind an unfinished write was never acknowledged as durable.
            return Ok(Some(Why::Unfinished));
        }
        Ok((self.keep == Keep::Prefix).then_some(Why::BehindDamage))
    }

    /// The furthest mark of all frames. If there is no telling, everything may have been durable.
    fn durable(&mut self) -> Result<Place, OpenError> {
        if let Some(durable) = self.durable {
            return Ok(durable);
        }
        let mut durable = self.chain.mark;
        for (header, file) in self.segments.iter().filter(|(header, _)| header.number >= self.here.segment) {
            let from = if header.number == self.here.segment { self.here.offset } else { HEADER_BYTES };
            let found = search_marks(&**file, header, from)?;
            if found.gave_up {
                durable = EVERYTHING;
            }
            durable = durable.max(found.mark.unwrap_or(durable));
        }
        self.durable = Some(durable);
        Ok(durable)
    }

    /// Notes bytes of a segment up to `end` as passed over.
    fn pass(
        &mut self,
        header: &SegmentHeader,
        file: &PatientFile,
        end: u64,
        why_not: Option<&str>,
    ) -> Result<(), OpenError> {
        let from = if header.number == self.here.segment { self.here.offset } else { HEADER_BYTES };
        if end <= from {
            return Ok(());
        }
        let what = match (file.unreadable_within(from, end), why_not) {
            (Some(failure), _) => format!("some of it cannot be read: {failure}"),
            (None, Some(why)) => why.to_owned(),
            (None, None) => what_stands(file, header, from)?.to_owned(),
        };
        self.passed.push(DroppedRange { segment: header.number, from, to: end, why: Why::Damaged, what });
        Ok(())
    }

    /// Reports what lies between `here` and the frame that the log goes on with.
    fn note_gap(&mut self, place: Place, view: &FrameView<'_>) {
        let here = self.here;
        let next_opens = view.header.kind == Kind::Opening && place.segment == here.segment + 1;
        let previous_end = next_opens.then(|| view.body().try_into().map(u64::from_le_bytes).unwrap_or_default());
        let readable = self.segments.iter().any(|(header, _)| header.number == here.segment);
        if let Some(end) = previous_end.filter(|end| readable && *end > here.offset) {
            // Where the segment before ended is known: no further reach its frames.
            let known =
                self.passed.iter_mut().find(|passed| (passed.segment, passed.from) == (here.segment, here.offset));
            match known {
                Some(passed) => passed.to = passed.to.max(end),
                None => self.passed.insert(0, dropped(here, end, "no frame stands here")),
            }
        }
        if self.passed.is_empty() && readable && place.segment <= here.segment + 1 {
            self.passed.push(dropped(place, place.offset, "the frame does not follow what stands before it"));
        }
        self.report.dropped.append(&mut self.passed);
        self.miss(view.header.sequence);
        self.unbroken = false;
    }

    /// Reports the events from the next one on, up to `end`, as missing.
    fn miss(&mut self, end: u64) {
        if let Some(last) = end.checked_sub(1).filter(|last| *last >= self.chain.sequence) {
            self.report.missing.push(MissingEvents { first: self.chain.sequence, last });
        }
    }

    /// Takes a frame: copies its transaction, if it holds one.
    fn take(&mut self, place: Place, view: &FrameView<'_>, header: &SegmentHeader) -> Result<(), Error> {
        let end = Place { offset: place.offset + aligned(u64::from(view.header.length)), ..place };
        if view.header.kind == Kind::Transaction {
            self.note_settings(view);
            let copied = match detached(view, IdSeed::of(&header.store_id), None) {
                Ok(transaction) => self.copy(place, transaction)?,
                Err(what) => Err(what),
            };
            if let Err(what) = copied {
                self.report.dropped.push(dropped(place, end.offset, &format!("the frame is whole, but {what}")));
                self.miss(view.header.sequence + u64::from(view.header.count));
                self.unbroken = false;
                if self.keep == Keep::Prefix {
                    self.ended = Some(Why::BehindDamage);
                }
            }
        }
        self.chain.follow(&view.header, place);
        self.here = end;
        Ok(())
    }

    fn note_settings(&mut self, view: &FrameView<'_>) {
        for record in view.sections.records(view.bytes).unwrap_or_default() {
            if &*record.namespace == OWN_NAMESPACE && &*record.key == STRICT_NAMES {
                self.strict_names = Some(record.value.is_some_and(|value| value.as_ref() == [1]));
            }
        }
    }

    /// Puts a transaction into the new store; says why where that store cannot take it.
    fn copy(&mut self, place: Place, mut transaction: StoredTransaction) -> Result<Result<(), String>, Error> {
        if transaction.events.is_empty() && transaction.records.is_empty() {
            return Ok(Ok(()));
        }
        let store = self.store()?;
        let (before, events) = (transaction.basis.get(), transaction.events.len() as u64);
        let now = store.revision();
        renumber(&mut transaction, now, &store)?;
        match store.append_verbatim(&[transaction]) {
            Ok(_) => {}
            Err(
                refusal @ (AppendError::Limit(_)
                | AppendError::DuplicateTransaction { .. }
                | AppendError::NotContiguous { .. }),
            ) => return Ok(Err(refusal.to_string())),
            Err(error) => return Err(error.into()),
        }
        self.report.events += events;
        self.report.transactions += 1;
        let unbroken = std::mem::replace(&mut self.unbroken, true);
        match self.report.kept.last_mut().filter(|_| unbroken) {
            Some(kept) => {
                kept.events += events;
                kept.transactions += 1;
            }
            None => self.report.kept.push(KeptRange {
                segment: place.segment,
                offset: place.offset,
                transactions: 1,
                events,
                first_before: before,
                first_now: now,
            }),
        }
        Ok(Ok(()))
    }

    fn store(&mut self) -> Result<Arc<Engine>, Error> {
        let store = match self.store.take() {
            Some(store) => store,
            None => (self.open)(&options(self.strict_names))?,
        };
        self.store = Some(Arc::clone(&store));
        Ok(store)
    }

    /// Judges what stands behind the last frame that was taken, and closes the new store.
    pub(super) fn finish(mut self) -> Result<SalvageReport, Error> {
        if self.ended.is_none() && !(self.chain.closed && self.passed.is_empty()) {
            let durable = self.durable()?;
            if self.here >= durable {
                self.ended = Some(Why::Unfinished);
            } else if self.passed.is_empty() {
                let to = if durable.segment == self.here.segment { durable.offset } else { self.here.offset };
                self.passed.push(dropped(self.here, to, "no frame stands here, and the log was durable beyond"));
            }
        }
        let why = self.ended.unwrap_or(Why::Damaged);
        for passed in &mut self.passed {
            passed.why = why;
        }
        self.report.dropped.append(&mut self.passed);
        if why != Why::Unfinished {
            self.miss(self.seen);
        }
        self.report.closed = self.chain.closed;
        self.report.settings_lost = self.strict_names.is_none();
        self.store()?.close()?;
        Ok(self.report)
    }
}

fn dropped(place: Place, to: u64, what: &str) -> DroppedRange {
    DroppedRange { segment: place.segment, from: place.offset, to, why: Why::Damaged, what: what.to_owned() }
}

/// Gives a transaction the numbers that it has in a store that holds `now` events.
fn renumber(transaction: &mut StoredTransaction, now: u64, store: &Engine) -> Result<(), AppendError> {
    transaction.basis = Revision::new(now);
    let mut next: HashMap<Stream, u64> = HashMap::new();
    for (number, event) in (now..).zip(&mut transaction.events) {
        let stream = event.stream_id();
        let position = match next.get(&stream) {
            Some(position) => *position,
            None => store.next_position(&stream)?,
        };
        next.insert(stream, position + 1);
        event.parts.position = position;
        event.parts.sequence_number = number;
        event.parts.transaction.first = now;
    }
    Ok(())
}
