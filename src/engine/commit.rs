//! Group commit by gathering: one sync for all who wait, led by whoever completes the cohort.
//!
//! An appender that has staged its frame waits until it is visible. When as many have staged as the last batch held, plus those
//! who were waiting already, the one that came last leads: it writes and syncs everything staged. Who waits longer than about one
//! sync's time leads without the rest. A lone appender is a cohort of one and never waits.

use super::Engine;
use crate::format::place::Place;
use crate::vocabulary::error::AppendError;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A first guess at the time that a sync takes, until one was measured.
const FIRST_GUESS: Duration = Duration::from_micros(300);
/// The least and the most that a cohort is waited for.
const GATHER: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));
/// How long a waiter sleeps at most before it looks again, should all else fail.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Who waits, and who leads.
#[derive(Debug)]
pub(super) struct Commit {
    state: Mutex<State>,
    /// The time that a sync takes, in nanoseconds: a moving average.
    sync_nanoseconds: AtomicU64,
}

#[derive(Debug)]
struct State {
    leading: bool,
    /// How many have come since the last batch was taken.
    arrived: usize,
    /// How many make the cohort complete.
    expected: usize,
    waiters: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    place: Place,
    thread: Thread,
}

impl Default for Commit {
    fn default() -> Self {
        let state = State { leading: false, arrived: 0, expected: 1, waiters: Vec::new() };
        let guess = u64::try_from(FIRST_GUESS.as_nanos()).unwrap_or(0);
        Self { state: Mutex::new(state), sync_nanoseconds: AtomicU64::new(guess) }
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

    /// Whether someone writes and syncs now.
    pub(super) fn is_led(&self) -> bool {
        self.state.lock().leading
    }

    /// Wakes everyone, to look at what has changed.
    pub(super) fn wake_all(&self) {
        let waiters = std::mem::take(&mut self.state.lock().waiters);
        for waiter in waiters {
            waiter.thread.unpark();
        }
    }
}

/// What an appender does next.
enum Role {
    Done,
    Lead,
    Wait(Duration),
}

/// Ends a leadership on every way out: a leader that unwinds must leave no one asleep.
struct Leadership<'a> {
    engine: &'a Engine,
    place: Place,
}

impl Drop for Leadership<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.engine.set_poison("a thread panicked while it wrote and synced for all");
        }
        let visible = self.engine.visible_place();
        let poisoned = self.engine.poison().is_some();
        let mut state = self.engine.commit.state.lock();
        let (done, rest): (Vec<Waiter>, Vec<Waiter>) =
            std::mem::take(&mut state.waiters).into_iter().partition(|waiter| waiter.place <= visible || poisoned);
        state.leading = false;
        state.arrived = rest.len();
        state.expected = done.len() + usize::from(self.place <= visible) + rest.len();
        state.waiters = rest;
        drop(state);
        for waiter in done {
            waiter.thread.unpark();
        }
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
        let mut registered = false;
        let mut gathered = None;
        loop {
            if let Some(cause) = self.poison().filter(|_| self.visible_place() < place) {
                return Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: true });
            }
            let waited = begun.elapsed();
            if waited >= deadline && self.visible_place() < place {
                self.leave();
                return Err(AppendError::Unknown { waited });
            }
            match self.choose(place, &mut registered, &mut gathered) {
                Role::Done => return Ok(()),
                Role::Lead => self.lead(place, deadline.saturating_sub(waited)),
                Role::Wait(time) => std::thread::park_timeout(time.min(deadline.saturating_sub(waited))),
            }
        }
    }

    /// Decides what an appender does now. `gathered` is since when it could have led, had the cohort been complete.
    fn choose(&self, place: Place, registered: &mut bool, gathered: &mut Option<Instant>) -> Role {
        let mut state = self.commit.state.lock();
        if self.visible_place() >= place || self.poison().is_some() {
            remove_own(&mut state);
            // A poisoned waiter goes round the loop once more and finds the poison; a visible one is done.
            return if self.visible_place() >= place { Role::Done } else { Role::Wait(Duration::ZERO) };
        }
        if !*registered {
            *registered = true;
            state.arrived += 1;
        }
        remove_own(&mut state);
        let gather_time = self.commit.gather_time();
        if !state.leading {
            let since = *gathered.get_or_insert_with(Instant::now);
            if state.arrived >= state.expected || since.elapsed() >= gather_time {
                state.leading = true;
                return Role::Lead;
            }
        } else {
            *gathered = None;
        }
        let leading = state.leading;
        state.waiters.push(Waiter { place, thread: std::thread::current() });
        Role::Wait(if leading { LOOK_AGAIN.min(gather_time * 4) } else { gather_time })
    }

    /// Takes this thread off the list of waiters.
    fn leave(&self) {
        remove_own(&mut self.commit.state.lock());
    }

    /// Writes and syncs everything staged, for all who wait.
    fn lead(&self, place: Place, patience: Duration) {
        let leadership = Leadership { engine: self, place };
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
        match batch.write_and_sync() {
            Ok(()) => {
                self.commit.note_sync(begun.elapsed());
                self.set_durable(batch.end, batch.revision);
                self.publish_batch(batch);
                self.in_flight.set(None);
            }
            Err(failure) => {
                // What was staged stays where conditions can see it, beyond the watermark, where readers cannot.
                self.set_poison(&failure.to_string());
            }
        }
    }
}

fn remove_own(state: &mut State) {
    let own = std::thread::current().id();
    state.waiters.retain(|waiter| waiter.thread.id() != own);
}
