//! The writer's seat: the end of the log as it is staged, and putting a frame there.

use super::append::Standing;
use super::batch::{Batch, Run};
use super::deferred::Drained;
use super::{Engine, LiveSegment};
use crate::format::encode::Context;
use crate::format::place::{Place, aligned};
use crate::index::WriterCache;
use crate::segment::Chain;
use crate::vocabulary::error::AppendError;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes kept free at the end of a segment, for the frames that keep the books.
pub(super) const RESERVE: u64 = 128;

/// What the writer knows: where the log ends with everything staged.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) segment: Arc<LiveSegment>,
    /// Where the next frame goes.
    pub(super) end: u64,
    /// The number of the next event.
    pub(super) sequence: u64,
    pub(super) link: u32,
    pub(super) epoch: u32,
    pub(super) recorded_at: Timestamp,
    /// Where the last frame that says what is durable stands behind: a second one would say nothing new.
    pub(super) watermarked: Place,
    /// Whether a watermark was written to the active segment that no sync has covered yet.
    pub(super) unsynced_watermark: bool,
    /// The end of a log that was closed in good order, as long as nothing was written since.
    pub(super) closed_at: Option<Place>,
    /// The frame being encoded; its memory is used again and again.
    pub(super) frame: Vec<u8>,
    /// What was found of an append's parts; memory that is used again and again.
    pub(super) standings: Vec<Standing>,
    /// What is known of streams and names without asking the indexes.
    pub(super) known: WriterCache,
    /// Whether who sits here is not to wait, and whether that is why nothing was done.
    pub(super) hasty: bool,
    pub(super) put_off: bool,
    /// Whether what is staged holds deferred appends, for which a sync was asked.
    pub(super) deferred: bool,
    /// Staged and not yet taken by a leader.
    runs: Vec<Run>,
    records: Vec<SystemRecord>,
}

impl Seat {
    /// A seat at the end of a log that was read, for an epoch of its own.
    pub(super) fn new(segment: Arc<LiveSegment>, end: u64, chain: &Chain, known: WriterCache) -> Self {
        Self {
            segment,
            end,
            sequence: chain.sequence,
            link: chain.link,
            epoch: chain.epoch.saturating_add(1),
            recorded_at: chain.recorded_at,
            watermarked: Place { segment: 0, offset: 0 },
            unsynced_watermark: false,
            closed_at: None,
            frame: Vec::new(),
            standings: Vec::new(),
            known,
            hasty: false,
            put_off: false,
            deferred: false,
            runs: Vec::new(),
            records: Vec::new(),
        }
    }

    /// The place where the next frame goes.
    pub(super) fn place(&self) -> Place {
        Place { segment: self.segment.header.number, offset: self.end }
    }

    /// Whether a frame of `length` bytes fits into the segment.
    pub(super) fn fits(&self, length: usize) -> bool {
        self.end + aligned(length as u64) + RESERVE <= self.segment.header.length
    }

    /// What a frame written now takes from where and when it is.
    pub(super) fn context(&self, recorded_at: Timestamp, mark: Place) -> Context {
        Context {
            place: self.place(),
            salt: self.segment.header.salt,
            sequence: self.sequence,
            recorded_at,
            epoch: self.epoch,
            mark,
            link: self.link,
        }
    }

    /// What the frames up to the end say about the next one.
    pub(super) fn chain(&self, mark: Place) -> Chain {
        let (sequence, link, epoch, recorded_at) = (self.sequence, self.link, self.epoch, self.recorded_at);
        Chain { sequence, link, epoch, recorded_at, mark, closed: false }
    }

    /// Everything staged since the last call.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        if self.runs.is_empty() {
            return None;
        }
        // Whoever takes the batch syncs every segment that it touches.
        let active = self.segment.header.number;
        let touches_active = self.runs.iter().any(|run| run.segment.header.number == active);
        self.unsynced_watermark &= !touches_active;
        self.deferred = false;
        Some(Batch {
            runs: std::mem::take(&mut self.runs),
            records: std::mem::take(&mut self.records),
            end: self.place(),
            revision: self.sequence,
            recorded_at: self.recorded_at,
        })
    }

    /// The bytes from `offset` of segment `number` on, if they are staged and not taken.
    pub(super) fn find(&self, number: u64, offset: u64) -> Option<&[u8]> {
        self.runs.iter().find_map(|run| {
            let within = offset.checked_sub(run.offset).filter(|_| run.segment.header.number == number)?;
            run.bytes.get(usize::try_from(within).ok()?..).filter(|bytes| !bytes.is_empty())
        })
    }

    /// Puts the encoded frame at the end of what is staged.
    fn stage(&mut self) {
        let (segment, end) = (&self.segment, self.end);
        match self.runs.last_mut().filter(|run| run.segment.header.number == segment.header.number) {
            Some(run) => run.bytes.extend_from_slice(&self.frame),
            None => self.runs.push(Run { segment: Arc::clone(segment), offset: end, bytes: self.frame.clone() }),
        }
    }
}

/// What a frame adds to the log.
pub(super) struct Added<'a> {
    pub(super) crc: u32,
    pub(super) events: u64,
    pub(super) recorded_at: Timestamp,
    pub(super) records: &'a [SystemRecord],
}

/// The seat, taken.
pub(super) struct Taken<'a> {
    /// Before the seat, so that the alarm is given before anyone else can sit down.
    _alarm: Alarm<'a>,
    seat: MutexGuard<'a, Seat>,
    /// Behind the seat: those whose work was done here learn of it when it is left.
    pub(super) drained: Drained,
}

/// Poisons the store if the holder of the seat unwinds: nobody knows what was half done.
struct Alarm<'a> {
    engine: &'a Engine,
    unwinding: Unwinding,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if self.unwinding.has_begun() {
            self.engine.set_poison("a thread panicked in the writer's seat");
        }
    }
}

/// Whether a thread began to unwind since a moment. One that unwinds already may append all the same, from a destructor: that it
/// failed says nothing of the append.
pub(super) struct Unwinding {
    before: bool,
}

impl Unwinding {
    pub(super) fn watch() -> Self {
        Self { before: std::thread::panicking() }
    }

    pub(super) fn has_begun(&self) -> bool {
        !self.before && std::thread::panicking()
    }
}

impl std::ops::Deref for Taken<'_> {
    type Target = Seat;

    fn deref(&self) -> &Seat {
        &self.seat
    }
}

impl std::ops::DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Seat {
        &mut self.seat
    }
}

impl Engine {
    /// Takes the seat.
    ///
    /// # Errors
    /// [`AppendError::TimedOut`] after the deadline; else what [`Engine::admit_append`] says once it is taken.
    pub(super) fn take_seat(&self) -> Result<Taken<'_>, AppendError> {
        let seat = match self.seat.try_lock() {
            Some(seat) => seat,
            None => {
                let begun = Instant::now();
                let waited = self.seat.try_lock_for(self.settings.append_deadline);
                waited.ok_or_else(|| AppendError::TimedOut { waited: begun.elapsed() })?
            }
        };
        self.admit_append()?;
        let mut taken = self.taken(seat);
        if self.deferred.is_waiting() {
            self.drain(&mut taken, usize::MAX, false);
            self.admit_append()?;
        }
        Ok(taken)
    }

    /// Takes the seat if it is to be had within `patience` and the store takes appends. Whoever is queued stays so.
    pub(super) fn try_seat(&self, patience: Duration) -> Option<Taken<'_>> {
        let seat = if patience.is_zero() { self.seat.try_lock() } else { self.seat.try_lock_for(patience) }?;
        self.admit_append().ok()?;
        Some(self.taken(seat))
    }

    fn taken<'a>(&'a self, seat: MutexGuard<'a, Seat>) -> Taken<'a> {
        let alarm = Alarm { engine: self, unwinding: Unwinding::watch() };
        Taken { _alarm: alarm, seat, drained: Drained::default() }
    }

    /// Puts the frame in `seat.frame` into the log, after its events were indexed: staged with `Sync`, else written and visible.
    pub(super) fn put_frame(&self, seat: &mut Seat, added: &Added<'_>) -> Result<(), AppendError> {
        let length = aligned(seat.frame.len() as u64);
        let padding = length - seat.frame.len() as u64;
        seat.frame.extend_from_slice([0; 8].get(..usize::try_from(padding).unwrap_or(0)).unwrap_or_default());
        if self.is_sync() {
            seat.stage();
            seat.records.extend_from_slice(added.records);
        } else if let Err(failure) = seat.segment.file.store(seat.end, &seat.frame) {
            let cause = self.set_poison(&failure.to_string());
            return Err(AppendError::Poisoned { cause, unknown: true });
        }
        self.advance(seat, length, added);
        if !self.is_sync() {
            self.apply_records(added.records);
            seat.segment.region.publish_alone(seat.end);
            self.publish_alone(seat.place(), seat.sequence, added.recorded_at);
        }
        self.chores.after_append(self, seat);
        Ok(())
    }

    /// Moves the end of the log behind a frame.
    pub(super) fn advance(&self, seat: &mut Seat, length: u64, added: &Added<'_>) {
        seat.end += length;
        seat.sequence += added.events;
        seat.link = added.crc;
        seat.recorded_at = added.recorded_at;
    }
}
