//! Chores off the appenders' path: what a store has asked for, and how each is done.

use super::Engine;
use super::due::Due;
use super::indexing::Indexed;
use super::seat::{Added, Seat};
use super::threads::{self, Lane};
use crate::format::encode;
use crate::format::frame::Kind;
use crate::format::segment_header::{HEADER_BYTES, SegmentHeader};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::options::Durability;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// How long a store must be idle before a watermark frame says that all of it is durable.
const IDLE: Duration = Duration::from_millis(10);

/// What a store has asked for. Each kind of chore is asked for once at a time, so the queue stays as short as the stores are few.
#[derive(Debug, Default)]
pub(super) struct Chores {
    me: OnceLock<Weak<Engine>>,
    /// The segment whose successor was asked for.
    preparing_after: AtomicU64,
    sync_due: Due,
    watermark_due: Due,
    index_due: Due,
    warm_due: Due,
    /// Whether what is to be indexed next is not durable yet.
    index_waits: AtomicBool,
    /// The end of the log when the watermark chore last looked.
    last_seen: AtomicU64,
    /// The end of the log when the watermark chore was last done.
    last_done: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Chore {
    Prepare {
        after: u64,
    },
    Warm,
    Sync,
    Watermark,
    Index,
    /// Does the work of deferred appends that found the seat taken.
    Drain,
    /// Makes deferred appends durable.
    Flush,
}

impl Chores {
    /// Tells the chores whose they are.
    pub(super) fn belong_to(&self, engine: &Arc<Engine>) {
        let _ = self.me.set(Arc::downgrade(engine));
        engine.deferred.belong_to(engine);
    }

    /// Asks for the next segment once a quarter of the active one is full.
    #[inline]
    pub(super) fn after_append(&self, engine: &Engine, seat: &Seat) {
        let SegmentHeader { number, length, .. } = seat.segment.header;
        if (seat.end - HEADER_BYTES) * 4 > length - HEADER_BYTES
            && self.preparing_after.load(Ordering::Relaxed) != number
        {
            self.preparing_after.store(number, Ordering::Relaxed);
            self.ask(Chore::Prepare { after: number }, Duration::ZERO);
        }
        if let Durability::Interval(time) = engine.settings.durability
            && !self.ask_once(&self.sync_due, Chore::Sync, time)
        {
            // Nobody will do it in time. A failure has poisoned the store, which is how appenders learn of it.
            let _ = engine.sync_visible();
        }
    }

    /// Asks for the sync of what was sealed, where appenders do not sync themselves.
    pub(super) fn after_rotation(&self, engine: &Engine) {
        if !engine.is_sync() {
            // The writer needs this one first.
            self.ask_once(&self.warm_due, Chore::Warm, Duration::ZERO);
            if !engine.ask_flush() {
                // Nobody will do it. A failure has poisoned the store, which is how appenders learn of it.
                let _ = engine.sync_visible();
            }
        }
        self.after_part();
    }

    /// Asks for the index of a part that is complete.
    pub(super) fn after_part(&self) {
        self.ask_once(&self.index_due, Chore::Index, Duration::ZERO);
    }

    /// Asks for a watermark once the store is idle, and for the index of what has become durable.
    pub(super) fn after_commit(&self) {
        if self.index_waits.load(Ordering::Relaxed) && self.index_waits.swap(false, Ordering::AcqRel) {
            self.after_part();
        }
        self.ask_once(&self.watermark_due, Chore::Watermark, IDLE);
    }

    /// Whether what is asked for is done by threads; in a simulation it is not.
    pub(super) fn are_heard(&self) -> bool {
        self.me.get().is_some()
    }

    /// Whether a watermark is still asked for.
    #[cfg(test)]
    pub(super) fn is_asked(&self) -> bool {
        self.watermark_due.is_asked()
    }

    /// Asks for a chore unless it is asked for already. Whether it will be done.
    pub(super) fn ask_once(&self, due: &Due, chore: Chore, time: Duration) -> bool {
        let asked = !due.ask() || self.ask(chore, time);
        if !asked {
            // Whoever comes next tries again.
            due.begin();
        }
        asked
    }

    /// Queues a chore. Not where the system refuses the thread; then it says no.
    fn ask(&self, chore: Chore, time: Duration) -> bool {
        let Some(engine) = self.me.get() else {
            // A simulation does the chores itself.
            return true;
        };
        let lane = if matches!(chore, Chore::Drain | Chore::Flush) { Lane::Deferred } else { Lane::Chores };
        threads::ask(lane, engine, chore, time)
    }
}

impl Engine {
    /// Asks for pages ahead of the writer.
    #[cfg(test)]
    pub(super) fn ask_warm(&self) {
        self.chores.ask_once(&self.chores.warm_due, Chore::Warm, Duration::ZERO);
    }

    pub(super) fn do_chore(&self, chore: Chore) {
        if self.closed.load(Ordering::Acquire) || self.poison().is_some() || self.fork.is_fork() {
            return;
        }
        match chore {
            Chore::Prepare { after } => {
                self.prepare_next(after);
                self.chores.ask_once(&self.chores.warm_due, Chore::Warm, Duration::ZERO);
            }
            Chore::Warm => {
                self.chores.warm_due.begin();
                if self.warm_some() {
                    self.chores.ask_once(&self.chores.warm_due, Chore::Warm, Duration::ZERO);
                }
            }
            Chore::Sync => {
                self.chores.sync_due.begin();
                // A failure has poisoned the store, which is how appenders learn of it.
                if self.sync_visible().is_ok() {
                    self.chores.after_commit();
                }
            }
            Chore::Drain => self.drain_queue(),
            Chore::Flush => self.flush_deferred(),
            Chore::Index => {
                self.chores.index_due.begin();
                // Before the look: what becomes durable behind it asks again.
                self.chores.index_waits.store(true, Ordering::Release);
                // A failure has poisoned the store, which is how appenders learn of it.
                // The writer must not wait for the index where it wants the next segment.
                let indexed = self.index_next(false, &|| {
                    self.prepare_next(self.chores.preparing_after.load(Ordering::Relaxed));
                    self.warm_some();
                });
                if !matches!(indexed, Ok(Indexed::NotDurable)) {
                    self.chores.index_waits.store(false, Ordering::Release);
                }
                // One at a time, so that what is due meanwhile, in this store or another, does not wait for all of them.
                if matches!(indexed, Ok(Indexed::One)) {
                    self.chores.after_part();
                }
            }
            Chore::Watermark => {
                if self.watermark_if_idle() {
                    self.chores.watermark_due.begin();
                    // Whoever appends from now on asks again; whoever came between the look and the line above is seen here.
                    if self.visible_place().pack() != self.chores.last_done.load(Ordering::Relaxed) {
                        self.chores.ask_once(&self.chores.watermark_due, Chore::Watermark, IDLE);
                    }
                } else {
                    self.chores.ask(Chore::Watermark, IDLE);
                }
            }
        }
    }

    /// Writes a watermark frame if nothing happened since the last look and everything is durable. Says whether the chore is
    /// done; else it is to look again later.
    fn watermark_if_idle(&self) -> bool {
        let Some(mut seat) = self.seat.try_lock() else {
            return false;
        };
        let done = self.watermark(&mut seat);
        if done {
            self.chores.last_done.store(seat.place().pack(), Ordering::Relaxed);
        }
        done
    }

    fn watermark(&self, seat: &mut Seat) -> bool {
        let place = seat.place();
        // A store may have been closed since the chore began: nothing goes behind its last frame.
        if seat.watermarked == place || self.closed.load(Ordering::Acquire) {
            return true;
        }
        if self.chores.last_seen.swap(place.pack(), Ordering::Relaxed) != place.pack() {
            return false;
        }
        // Durable comes before visible: a leader may stand between the two, and only it publishes its batch.
        if self.durable_place().min(self.visible_place()) < place {
            // With `Os` nobody syncs until the segment is sealed: then there is nothing to say now.
            return !self.is_sync();
        }
        if self.poison().is_some() {
            return true;
        }
        self.write_watermark(seat);
        true
    }

    /// Puts a frame behind everything that says that all before it is durable. It is written and not synced: it only narrows
    /// what rot could hide, and is made durable by the next sync or by the system.
    fn write_watermark(&self, seat: &mut Seat) {
        if !seat.fits(crate::format::frame::HEADER_BYTES) {
            return;
        }
        let recorded_at = seat.recorded_at;
        if self.put_bookkeeping(seat, Kind::Watermark, recorded_at).is_ok() {
            seat.watermarked = seat.place();
            // Elsewhere the durable mark lies before the watermark, so that the next sync covers it anyway.
            seat.unsynced_watermark = self.is_sync();
        }
    }

    /// Writes a frame without events straight to its file, visible at once.
    pub(super) fn put_bookkeeping(
        &self,
        seat: &mut Seat,
        kind: Kind,
        recorded_at: crate::vocabulary::time::Timestamp,
    ) -> Result<(), AppendError> {
        let mark = if kind == Kind::Close { seat.place() } else { self.durable_place() };
        let context = seat.context(recorded_at, mark);
        let mut frame = std::mem::take(&mut seat.frame);
        let encoded = encode::bookkeeping(&mut frame, &context, kind, &[]);
        let written = match encoded {
            Ok(crc) => {
                seat.segment.file.write_at(seat.end, &frame).map(|()| crc).map_err(|failure| failure.to_string())
            }
            Err(_) => Err("a frame without events was too long".to_owned()),
        };
        let length = frame.len() as u64;
        seat.frame = frame;
        match written {
            Ok(crc) => {
                self.advance(seat, length, &Added { crc, events: 0, recorded_at, records: &[] });
                seat.segment.region.publish(seat.end);
                self.publish(seat.place(), seat.sequence, recorded_at);
                Ok(())
            }
            Err(cause) => Err(AppendError::Poisoned { cause: self.set_poison(&cause), unknown: false }),
        }
    }

    /// Makes everything visible durable, where appenders do not wait for that.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`].
    pub(super) fn sync_visible(&self) -> Result<u64, AppendError> {
        let _syncing = self.syncing.lock();
        if let Some(cause) = self.poison() {
            return Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: false });
        }
        // The end first, then the revision, then the segments: whoever publishes stores them the other way round, and may be in
        // the midst of it. So the revision covers the end, and the segments hold all below the revision.
        let end = self.visible_place();
        let (revision, segments) = self.horizon.snapshot();
        let durable = self.durable_place();
        if durable < end || self.durable_revision.get() < revision {
            let unsynced = segments.iter().filter(|part| part.header.number >= durable.segment);
            for segment in unsynced.filter(|part| part.begins_segment()) {
                if let Err(failure) = segment.file.sync() {
                    let cause = self.set_poison(&failure.to_string());
                    return Err(AppendError::Poisoned { cause, unknown: false });
                }
            }
            self.set_durable(end, revision);
            self.commit.gathering.wake_all();
        }
        // Also where there was nothing to do: who noted what it has in flight may have done so after the last sync.
        self.tell_durable();
        Ok(self.durable_revision().get())
    }
}
