//! Going on to the next segment: prepared ahead where possible, made on the spot where not.

use super::Engine;
use super::indexing::UNINDEXED_MOST;
use super::live::LiveSegment;
use super::seat::{Added, RESERVE, Seat};
use crate::disk::{Disk, DiskFile, Region, Writing};
use crate::format::encode;
use crate::format::frame::Kind;
use crate::format::place::Place;
use crate::format::segment_header::{HEADER_BYTES, SegmentHeader};
use crate::log::{create_segment, segment_name};
use crate::segment::Start;
use crate::vocabulary::error::{AppendError, IoFailure};
use crate::vocabulary::options::Durability;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of an opening frame.
const OPENING_BYTES: u64 = 56;
/// Steps of warming a segment that are done at once. Others' chores wait for them.
const WARM_STEPS: usize = 8;
/// How often who waits for another's batch looks again.
const LOOK_AGAIN: Duration = Duration::from_micros(50);

/// A segment that is made and not in use yet.
#[derive(Debug)]
pub(super) struct Prepared {
    header: SegmentHeader,
    file: Arc<dyn DiskFile>,
    region: Arc<Region>,
}

/// The room for one prepared segment, and what was made last: no two may ever be made under one number, since the second would
/// take the name of the first, which is in use by then.
#[derive(Debug)]
pub(super) struct Slot {
    ready: Option<Prepared>,
    /// The highest number of a segment that was made, in use or ready.
    newest: u64,
}

impl Slot {
    pub(super) fn new(newest: u64) -> Self {
        Self { ready: None, newest }
    }
}

impl Engine {
    /// Ends the active segment and opens the next, with room for a frame of `needed` bytes.
    ///
    /// # Errors
    /// [`AppendError::NoSpace`] and [`AppendError::Io`] when there can be no next segment: nothing has changed then.
    pub(super) fn rotate(&self, seat: &mut Seat, needed: u64) -> Result<(), AppendError> {
        let number = seat.segment.header.number;
        if seat.hasty && !self.rotates_at_once(seat, needed) {
            seat.put_off = true;
            return Err(AppendError::TimedOut { waited: Duration::ZERO });
        }
        if self.durable_place() < Place::start_of(number) {
            self.settle(seat)?;
        }
        self.check_lock()?;
        // Marks in the next segment will say that all of this one is durable.
        self.sync_watermark(seat)?;
        if self.unsealed_segments() > UNINDEXED_MOST {
            // Housekeeping does not keep up: who writes makes one of them, and is slowed by it.
            self.index_next(true, &|| ())?;
        }
        let next = self.take_prepared(number + 1, needed)?;
        let _ = seat.segment.sealed_end.set(seat.end);
        let previous_end = seat.end;
        let start = Start::of_segment(previous_end, seat.chain(self.durable_place()));
        let Prepared { header, file, region } = next;
        seat.segment = Arc::new(LiveSegment::empty(header, file, region, start, seat.segment.streams_expected()));
        seat.end = HEADER_BYTES;
        seat.known.begin_part();
        self.extend_list(&seat.segment);
        self.hope_again();
        let recorded_at = seat.recorded_at;
        let context = seat.context(recorded_at, self.durable_place());
        let opening = encode::bookkeeping(&mut seat.frame, &context, Kind::Opening, &previous_end.to_le_bytes());
        let crc = opening.map_err(|_| AppendError::Poisoned {
            cause: self.set_poison("an opening frame was too long"),
            unknown: false,
        })?;
        self.put_frame(seat, &Added { crc, events: 0, recorded_at, records: &[] })?;
        self.chores.after_rotation(self);
        Ok(())
    }

    /// Whether the log can go on to the next segment without waiting for a disk.
    fn rotates_at_once(&self, seat: &Seat, needed: u64) -> bool {
        let number = seat.segment.header.number;
        let length = self.segment_length(number + 1, needed);
        let fits = |ready: &Prepared| ready.header.number == number + 1 && ready.header.length >= length;
        self.durable_place() >= Place::start_of(number)
            && !seat.unsynced_watermark
            && self.unindexed_segments() <= UNINDEXED_MOST
            && self.prepared.try_lock().is_some_and(|slot| slot.ready.as_ref().is_some_and(fits))
    }

    /// Syncs the active segment if it ends in a watermark that nobody has synced.
    pub(super) fn sync_watermark(&self, seat: &mut Seat) -> Result<(), AppendError> {
        if seat.unsynced_watermark {
            self.sync_segment(&seat.segment)?;
            seat.unsynced_watermark = false;
        }
        Ok(())
    }

    /// Syncs a segment, alone and never after a failure.
    pub(super) fn sync_segment(&self, segment: &LiveSegment) -> Result<(), AppendError> {
        let _syncing = self.syncing.lock();
        let poisoned = |cause| Err(AppendError::Poisoned { cause, unknown: false });
        if let Some(cause) = self.poison() {
            return poisoned(Arc::clone(cause));
        }
        segment.file.sync().or_else(|failure| poisoned(self.set_poison(&failure.to_string())))
    }

    /// Sees that the store is still this process's alone. Its lock file may have been removed, and another process have come in.
    pub(super) fn check_lock(&self) -> Result<(), AppendError> {
        if self.lock.lock().as_ref().is_some_and(|lock| lock.still_holds()) {
            return Ok(());
        }
        let cause = self.set_poison("the store's lock file was removed: another process may have it open");
        Err(AppendError::Poisoned { cause, unknown: false })
    }

    /// Makes everything before the active segment durable: a segment is not opened before the one two back is.
    fn settle(&self, seat: &mut Seat) -> Result<(), AppendError> {
        if self.is_sync() { self.flush_staged(seat) } else { self.sync_visible().map(drop) }
    }

    /// Writes, syncs and publishes what is staged, in the seat. A leader may be at work on an earlier batch; it does not need the
    /// seat to finish.
    pub(super) fn flush_staged(&self, seat: &mut Seat) -> Result<(), AppendError> {
        let begun = Instant::now();
        while self.in_flight.get().is_some() && self.poison().is_none() {
            if begun.elapsed() > self.settings.append_deadline {
                return Err(AppendError::TimedOut { waited: begun.elapsed() });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        if let Some(batch) = seat.take_batch().filter(|_| self.poison().is_none()) {
            let batch = Arc::new(batch);
            self.in_flight.set(Some(Arc::clone(&batch)));
            self.commit_batch(&batch);
            self.commit.gathering.wake_all();
        }
        match self.poison() {
            Some(cause) => Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: false }),
            None => Ok(()),
        }
    }

    /// The length of segment `number`: doubling from the first to the largest, or what a big frame needs.
    fn segment_length(&self, number: u64, needed: u64) -> u64 {
        let doublings = u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX).min(30);
        let planned = self.settings.segment_bytes_first.saturating_mul(1 << doublings);
        let least = HEADER_BYTES + OPENING_BYTES + needed + RESERVE;
        planned.min(self.settings.segment_bytes_max).max(least.next_multiple_of(HEADER_BYTES))
    }

    /// The prepared segment if it is the right one and big enough, else one made now.
    fn take_prepared(&self, number: u64, needed: u64) -> Result<Prepared, AppendError> {
        let mut slot = self.prepared.lock();
        let length = self.segment_length(number, needed);
        if let Some(prepared) = slot.ready.take() {
            if prepared.header.number == number && prepared.header.length >= length {
                return Ok(prepared);
            }
            if let Err(failure) = self.disk.remove(&segment_name(prepared.header.number)) {
                // Its name would be in the way of the one to be made: the next try begins here again.
                slot.ready = Some(prepared);
                return Err(refused(failure));
            }
            slot.newest = number.saturating_sub(1);
        }
        let made = self.make_segment(number, length).map_err(|failure| match self.poison() {
            Some(cause) => AppendError::Poisoned { cause: Arc::clone(cause), unknown: false },
            None => refused(failure),
        })?;
        slot.newest = number;
        Ok(made)
    }

    fn make_segment(&self, number: u64, length: u64) -> Result<Prepared, IoFailure> {
        let header = new_header(&*self.disk, self.store_id, number, length);
        let file =
            create_segment(&*self.disk, &header, writing(self.settings.durability), &[]).map_err(|not_made| {
                if not_made.named {
                    // Whether the name will stand is unknown, and a second sync of the directory would not tell.
                    self.set_poison(&not_made.failure.to_string());
                }
                not_made.failure
            })?;
        let region = file.region()?;
        Ok(Prepared { header, file, region })
    }

    /// Makes the segment after `active` ready, off the writer's path. A failure is left to whoever needs the segment.
    pub(super) fn prepare_next(&self, active: u64) {
        let mut slot = self.prepared.lock();
        if slot.newest == active && self.may_prepare() {
            let length = self.segment_length(active + 1, 0);
            slot.ready = self.make_segment(active + 1, length).ok();
            slot.newest += u64::from(slot.ready.is_some());
        }
    }

    /// Brings what is written next into memory, in the active segment and in the one that is ready: a few MiB. Says whether there
    /// is more to bring.
    pub(super) fn warm_some(&self) -> bool {
        let active = self.horizon.segments().last().map(|segment| Arc::clone(&segment.file));
        let ready = self.prepared.lock().ready.as_ref().map(|ready| Arc::clone(&ready.file));
        let mut steps = 0..WARM_STEPS;
        active.into_iter().chain(ready).any(|file| {
            // What fails here fails for the writer too, when it comes there and warms the file itself: that is who tells.
            let step = || {
                let _warming = self.warming.lock();
                self.may_prepare() && matches!(file.warm(), Ok(true))
            };
            while step() {
                if steps.next().is_none() {
                    return true;
                }
            }
            false
        })
    }

    fn may_prepare(&self) -> bool {
        self.poison().is_none() && !self.closed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Bytes of the file that was prepared and is not in use.
    pub(super) fn prepared_bytes(&self) -> u64 {
        // Who prepares a segment holds the lock for as long as that takes; figures do not wait for it.
        self.prepared.try_lock().and_then(|slot| slot.ready.as_ref().map(|ready| ready.header.length)).unwrap_or(0)
    }

    /// Removes the segment that was prepared and never used.
    pub(super) fn drop_prepared(&self) -> Result<(), AppendError> {
        let mut slot = self.prepared.lock();
        let Some(prepared) = slot.ready.take() else { return Ok(()) };
        // Another process's segment may have the same name by now.
        self.check_lock()?;
        let removed = self.disk.remove(&segment_name(prepared.header.number));
        removed.and_then(|()| self.disk.sync_directory()).map_err(refused)
    }
}

/// How a segment is written in a store of this durability.
pub(super) const fn writing(durability: Durability) -> Writing {
    match durability {
        Durability::Sync => Writing::Synced,
        Durability::Os | Durability::Interval(_) | Durability::Memory => Writing::Mapped,
    }
}

/// The header of a new segment, with a salt of its own. Its time is the system's, for people to read: the store's own clock may
/// be counted by whoever set it, and ticks once a transaction.
pub(super) fn new_header(disk: &dyn Disk, store_id: [u8; 16], number: u64, length: u64) -> SegmentHeader {
    SegmentHeader { store_id, number, salt: random_word(disk), length, created_at: disk.now() }
}

/// Eight random bytes.
fn random_word(disk: &dyn Disk) -> u64 {
    let (low, high) = uuid::Uuid::from_bytes(disk.random()).as_u64_pair();
    low ^ high.rotate_left(32)
}

fn refused(failure: IoFailure) -> AppendError {
    if failure.is_no_space() { AppendError::NoSpace(failure) } else { AppendError::Io(failure) }
}
