//! Group commit by gathering: one sync for all who wait, led by whoever completes the cohort.
//!
//! An appender that has staged its frame waits until it is visible. When as many have staged as the last batch held, plus those
//! who were waiting already, the one that came last leads: it writes and syncs everything staged. Who waits longer than about one
//! sync's time leads without the rest. A lone appender is a cohort of one and never waits.

use super::Engine;
use super::gathering::{Gathering, Patience, Role, Visit};
use super::seat::Unwinding;
use crate::format::place::Place;
use crate::vocabulary::error::AppendError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A first guess at the time that a sync takes, until one was measured.
const FIRST_GUESS: Duration = Duration::from_micros(300);
/// The least and the most that a cohort is waited for.
const GATHER: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));
/// How long who does not watch sleeps at most before it looks again, should all else fail.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Who waits and who leads, and for how long.
#[derive(Debug)]
pub(super) struct Commit {
    pub(super) gathering: Gathering,
    /// The time that a sync takes, in nanoseconds: a moving average.
    sync_nanoseconds: AtomicU64,
}

impl Default for Commit {
    fn default() -> Self {
        let guess = u64::try_from(FIRST_GUESS.as_nanos()).unwrap_or(0);
        Self { gathering: Gathering::default(), sync_nanoseconds: AtomicU64::new(guess) }
    }
}

impl Commit {
    fn gather_time(&self) -> Duration {
        Duration::from_nanos(self.sync_nanoseconds.load(Ordering::Relaxed)).clamp(GATHER.0, GATHER.1)
    }

    fn note_sync(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let known = self.sync_nanoseconds.load(Ordering::Relaxed);
        self.sync_nanoseconds.store(known - known / 8 + took / 8, Ordering::Relaxed);
    }
}

/// Since when an appender could have led, had the cohort been complete.
struct Gathered<'a> {
    since: Option<Instant>,
    commit: &'a Commit,
}

impl Patience for Gathered<'_> {
    fn is_over(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now).elapsed() >= self.commit.gather_time()
    }

    fn renew(&mut self) {
        self.since = None;
    }
}

/// Ends a leadership on every way out: a leader that unwinds must leave no one asleep.
struct Leadership<'a> {
    engine: &'a Engine,
    place: Place,
    unwinding: Unwinding,
}

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        if self.unwinding.has_begun() {
            self.engine.set_poison("a thread panicked while it wrote and synced for all");
        }
        self.engine.commit.gathering.end(self.place, self.engine.visible_place());
    }
}

impl Engine {
    /// Waits until what was staged up to `place` is visible, or will never be.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it never will be, [`AppendError::Unknown`] after the deadline.
    pub(super) fn wait_visible(&self, place: Place) -> Result<(), AppendError> {
        if self.visible_place() >= place {
            return Ok(());
        }
        let begun = Instant::now();
        let deadline = self.settings.append_deadline;
        let gathering = &self.commit.gathering;
        let mut visit = Visit::new(place, Gathered { since: None, commit: &self.commit });
        loop {
            if let Some(fate) = self.fate(place) {
                return fate;
            }
            let waited = begun.elapsed();
            if waited >= deadline {
                gathering.leave(&visit);
                return Err(AppendError::Unknown { waited });
            }
            let gather_time = self.commit.gather_time();
            let (bed, most) = match gathering.next(&mut visit, || self.fate(place).is_some()) {
                Role::Leave => continue,
                Role::Lead => {
                    self.lead(place, deadline.saturating_sub(waited));
                    continue;
                }
                Role::Watch(bed) => (bed, gather_time),
                Role::Follow(bed) => (bed, LOOK_AGAIN),
            };
            gathering.sleep(bed, most.min(deadline.saturating_sub(waited)));
        }
    }

    /// What became of what was staged up to `place`, once that is settled.
    fn fate(&self, place: Place) -> Option<Result<(), AppendError>> {
        // What is visible is, whatever failed later: so the failure is looked for first, and believed last.
        let poison = self.poison();
        if self.visible_place() >= place {
            return Some(Ok(()));
        }
        poison.map(|cause| Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: true }))
    }

    /// Writes and syncs everything staged, for all who wait.
    fn lead(&self, place: Place, patience: Duration) {
        let leadership = Leadership { engine: self, place, unwinding: Unwinding::watch() };
        let Some(mut seat) = self.seat.try_lock_for(patience) else {
            return;
        };
        let batch = seat.take_batch();
        if let Some(batch) = batch {
            let batch = Arc::new(batch);
            self.in_flight.set(Some(Arc::clone(&batch)));
            drop(seat);
            self.commit_batch(&batch);
        } else {
            drop(seat);
        }
        drop(leadership);
        self.chores.after_commit();
    }

    /// Writes, syncs and publishes a batch that is in flight. A failure poisons the store.
    pub(super) fn commit_batch(&self, batch: &super::batch::Batch) {
        let begun = Instant::now();
        // The system tells of a failed write-back once, to whoever syncs first: two syncs at once, and the one that hears nothing
        // would acknowledge what the other was told is lost. And after a failure nothing more is written.
        let _syncing = self.syncing.lock();
        if self.poison().is_some() {
            return;
        }
        match batch.write_and_sync() {
            Ok(()) => {
                self.commit.note_sync(begun.elapsed());
                self.set_durable(batch.end, batch.revision);
                self.publish_batch(batch);
                self.in_flight.set(None);
                self.tell_durable();
            }
            Err(failure) => {
                // What was staged stays where conditions can see it, beyond the watermark, where readers cannot.
                self.set_poison(&failure.to_string());
            }
        }
    }
}
