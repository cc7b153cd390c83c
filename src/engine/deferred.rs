//! Deferred appends: judged at once where the seat is free, by whoever has it next where it is not, and made durable in numbers.
//!
//! Who defers never waits: not for the seat, not for a sync, not for a segment to be made. Where one of these would be needed,
//! the append goes into a queue, copied, and all that come later go behind it. Who takes the seat does the work of the queue
//! first; a chore does it if nobody comes.

use super::Engine;
use super::append::Ready;
use super::due::Due;
use super::housekeeping::Chore;
use super::queue::Queue;
use super::seat::{Seat, Taken};
use super::threads;
use crate::disk::ForkGuard;
use crate::vocabulary::append::{self, Append};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::options::Durability;
use crate::vocabulary::pledge::{Board, Errands, Judged, Pledge, Promise};
use crate::vocabulary::ticket::Ticket;
use crate::vocabulary::transaction::Transaction;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Bytes that a transaction and each event count for beside their content.
const OVERHEAD: u64 = 128;
/// Queued appends whose work one that defers does at most before its own: it is not to pay for many others.
const FEW: usize = 8;
/// Queued appends whose work a chore does before it lets others have the seat.
const SLICE: usize = 1_024;
/// How long a chore waits for the seat before it looks after other stores.
const SEAT_PATIENCE: Duration = Duration::from_millis(1);
/// Bytes in flight that are noted as one, as a part of the budget.
const CHUNK: u64 = 256;

/// What a store's deferred appends share.
#[derive(Debug)]
pub(super) struct Deferred {
    queue: Queue<Queued>,
    board: Arc<Board>,
    /// Bytes that may be in flight.
    budget: u64,
    in_flight: AtomicU64,
    /// Where the log must be durable up to for so many bytes to be in flight no more, in order.
    ledger: Mutex<VecDeque<(u64, u64)>>,
    flush_due: Due,
    /// A chore was needed, and there was no thread for it.
    unheard: AtomicBool,
    fork: ForkGuard,
}

/// What judging one needs beside its content.
#[derive(Debug)]
struct Call {
    ready: Ready,
    /// What it takes of the budget.
    bytes: u64,
}

/// An append in the queue.
#[derive(Debug)]
pub(super) struct Queued {
    transaction: Transaction,
    call: Call,
    promise: Promise,
}

impl Queued {
    /// Ends it, with nothing written.
    fn refuse(self, error: AppendError) -> Transaction {
        self.promise.keep(Judged::at_once(Err(error)));
        self.transaction
    }
}

/// What was judged for others. Dropped when the seat is left: then those learn of it.
#[derive(Debug, Default)]
pub(super) struct Drained(Vec<(Queued, Judged)>);

impl Drop for Drained {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let settle = |(queued, judged): (Queued, Judged)| {
            queued.promise.keep(judged);
            queued.transaction
        };
        // Conditions may be users' code, down to their destructors: all promises are kept before any of them runs.
        drop(self.0.drain(..).map(settle).collect::<Vec<_>>());
    }
}

/// What the board has a store do.
struct Runner(Weak<Engine>);

impl Errands for Runner {
    fn run(&self, board: &Arc<Board>) -> bool {
        threads::call(board)
    }

    fn hurry(&self) {
        // In `Sync` it comes by itself, and with an interval, too.
        if let Some(engine) = self.0.upgrade().filter(|engine| engine.settings.durability == Durability::Os) {
            engine.ask_flush();
            engine.do_unheard();
        }
    }
}

impl Deferred {
    /// For a log that is durable up to `reached`.
    pub(super) fn new(reached: u64, budget: u64, patience: Duration, fork: ForkGuard) -> Self {
        Self {
            queue: Queue::default(),
            board: Board::new(reached, patience),
            budget,
            in_flight: AtomicU64::new(0),
            ledger: Mutex::default(),
            flush_due: Due::default(),
            unheard: AtomicBool::new(false),
            fork,
        }
    }

    /// Tells the board whose it is.
    pub(super) fn belong_to(&self, engine: &Arc<Engine>) {
        self.board.send(Box::new(Runner(Arc::downgrade(engine))));
    }

    /// Whether somebody found the seat taken.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.queue.is_waiting()
    }

    fn reserve(&self, asked: u64) -> Result<(), AppendError> {
        let taken = self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |in_flight| {
            let with = in_flight.saturating_add(asked);
            (in_flight == 0 || with <= self.budget).then_some(with)
        });
        let full = |in_flight| AppendError::Full { asked, in_flight, budget: self.budget };
        taken.map(drop).map_err(full)
    }

    fn release(&self, bytes: u64) {
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Notes that so many bytes are in flight until the log is durable up to `place`. In the seat, so that places rise.
    fn note(&self, place: u64, bytes: u64) {
        let mut ledger = self.ledger.lock();
        match ledger.back_mut().filter(|(_, noted)| *noted < self.budget / CHUNK) {
            Some(last) => *last = (place, last.1 + bytes),
            None => ledger.push_back((place, bytes)),
        }
    }

    /// Everything up to `place` is durable and visible.
    fn reach(&self, place: u64) {
        let mut ledger = self.ledger.lock();
        while let Some(&(_, bytes)) = ledger.front().filter(|(until, _)| *until <= place) {
            self.release(bytes);
            ledger.pop_front();
        }
        drop(ledger);
        self.board.reach(place);
    }

    /// Refuses what is queued, and all that comes from now on.
    pub(super) fn shut(&self, why: &AppendError) {
        let queued = self.queue.shut();
        if !queued.is_empty() {
            let transactions: Vec<_> = queued.into_iter().map(|queued| queued.refuse(why.clone())).collect();
            // Conditions may be users' code, down to their destructors.
            self.board.dispose(transactions);
        }
    }

    /// Nothing more becomes durable.
    pub(super) fn fail(&self, cause: &Arc<str>) {
        self.shut(&AppendError::Poisoned { cause: Arc::clone(cause), unknown: false });
        self.board.fail(cause);
    }

    /// Does what should be done by another thread, where there is none to be had.
    pub(super) fn run_rest(&self) {
        self.board.run_rest();
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        if self.fork.is_fork() {
            // The tickets are the parent's, and its threads may hold the locks for ever here.
            return;
        }
        // Of a store that was closed nobody waits any more.
        self.fail(&"the store was dropped before it could be closed".into());
        self.board.run_rest();
    }
}

impl Engine {
    /// Appends a transaction without waiting for anything.
    ///
    /// # Errors
    /// [`AppendError::Full`], and what admission says.
    pub(crate) fn append_deferred(&self, append: &Append<'_>) -> Result<Ticket, AppendError> {
        self.admit_append()?;
        let content = append::check(append, &self.settings.limits, self.settings.strict_names)?;
        let bytes = content as u64 + (append.event_count() as u64 + 1) * OVERHEAD;
        let call = Call { ready: self.ready(append, false)?, bytes };
        self.deferred.reserve(bytes)?;
        let ticket = match self.defer_at_once(append, &call) {
            Some(judged) => Ticket::new(Pledge::judged(&self.deferred.board, judged)),
            None => self.defer_later(append, call)?,
        };
        self.do_unheard();
        Ok(ticket)
    }

    /// Judges an append, if that takes no waiting.
    fn defer_at_once(&self, append: &Append<'_>, call: &Call) -> Option<Judged> {
        let mut seat = self.try_seat(Duration::ZERO)?;
        if self.deferred.is_waiting() && !self.drain(&mut seat, FEW, true) {
            return None;
        }
        self.judge_deferred(&mut seat, append, call, true)
    }

    /// Queues a copy of an append, and sees to it that somebody comes for it.
    fn defer_later(&self, append: &Append<'_>, call: Call) -> Result<Ticket, AppendError> {
        let promise = Promise::new(&self.deferred.board);
        let ticket = Ticket::new(Arc::clone(promise.pledge()));
        let bytes = call.bytes;
        let queued = Queued { transaction: append.owned(), call, promise };
        if self.deferred.queue.push(queued).is_err() {
            self.deferred.release(bytes);
            // It was closed or poisoned since this append was admitted.
            return Err(self.admit_append().err().unwrap_or(AppendError::Closed));
        }
        // Who had the seat may have left it since.
        let is_done = self.try_seat(Duration::ZERO).is_some_and(|mut seat| self.drain(&mut seat, FEW, true));
        if !is_done {
            self.ask_drain();
        }
        Ok(ticket)
    }

    /// Judges and stages an append in the seat. `None` where it would have to wait and is not to; then nothing was done.
    fn judge_deferred(&self, seat: &mut Seat, append: &Append<'_>, call: &Call, hasty: bool) -> Option<Judged> {
        seat.hasty = hasty;
        let outcome = self.judge_in_seat(seat, append, self.plain(append), &call.ready);
        seat.hasty = false;
        if std::mem::take(&mut seat.put_off) {
            return None;
        }
        let place = seat.place().pack();
        let wrote = |count| count > 0 || !append.records.is_empty();
        if outcome.as_ref().is_ok_and(|receipt| !receipt.repeat && wrote(receipt.count)) {
            self.deferred.note(place, call.bytes);
            self.after_deferred(seat);
            return Some(Judged { outcome, place, rests: false });
        }
        self.deferred.release(call.bytes);
        let rests = self.visible_place().pack() < place;
        if self.is_sync() && !rests {
            // What is visible is durable then.
            return Some(Judged::at_once(outcome));
        }
        if matches!(self.settings.durability, Durability::Interval(_)) && self.durable_place().pack() < place {
            // Nothing was written that an interval would begin with, and a frame without events may be what is not durable.
            self.ask_flush();
        }
        Some(Judged { outcome, place, rests })
    }

    /// Sees to it that what was staged becomes durable: in `Sync` at once, else when half of the budget is used.
    fn after_deferred(&self, seat: &mut Seat) {
        let asks = if self.is_sync() {
            // Who takes what is staged takes the mark with it.
            !std::mem::replace(&mut seat.deferred, true)
        } else {
            self.deferred.in_flight.load(Ordering::Relaxed) > self.deferred.budget / 2
        };
        if asks {
            self.ask_flush();
        }
    }

    /// Does the work of up to `most` queued appends, oldest first, in the seat. Says whether none is left; not where one would
    /// have to wait and is not to.
    pub(super) fn drain(&self, seat: &mut Taken<'_>, most: usize, hasty: bool) -> bool {
        for _ in 0..most {
            let Some(queued) = self.deferred.queue.pop() else { return true };
            let judged = queued.transaction.lend(|append| self.judge_deferred(seat, append, &queued.call, hasty));
            match judged {
                Some(judged) => seat.drained.0.push((queued, judged)),
                None => {
                    if let Err(queued) = self.deferred.queue.put_back(queued) {
                        // The store was poisoned meanwhile.
                        let error = self.admit_append().err().unwrap_or(AppendError::Closed);
                        seat.drained.0.push((queued, Judged::at_once(Err(error))));
                    }
                    return false;
                }
            }
        }
        !self.deferred.is_waiting()
    }

    /// The flag of the queue's chore.
    #[cfg(test)]
    pub(super) fn deferred_queue_due(&self) -> &Due {
        &self.deferred.queue.due
    }

    fn ask_drain(&self) {
        self.ask_deferred(&self.deferred.queue.due, Chore::Drain);
    }

    /// Asks for a sync soon. Says whether there is a thread for it.
    pub(super) fn ask_flush(&self) -> bool {
        self.ask_deferred(&self.deferred.flush_due, Chore::Flush)
    }

    fn ask_deferred(&self, due: &Due, chore: Chore) -> bool {
        let is_heard = self.chores.ask_once(due, chore, Duration::ZERO);
        if !is_heard {
            self.deferred.unheard.store(true, Ordering::Release);
        }
        is_heard
    }

    /// Does the chores of deferred appends, and calls callbacks, where there is no thread for it: late is better than never.
    fn do_unheard(&self) {
        if self.deferred.unheard.load(Ordering::Relaxed) && self.deferred.unheard.swap(false, Ordering::AcqRel) {
            // Taking the seat does the work of the queue. Who fails here leaves it to who comes next.
            drop(self.take_seat());
            self.flush_deferred();
        }
        self.deferred.run_rest();
    }

    /// Does the work of the queue, or of a part of it, if the seat is to be had.
    pub(super) fn drain_queue(&self) {
        self.deferred.queue.due.begin();
        let seat = self.try_seat(SEAT_PATIENCE);
        if !seat.is_some_and(|mut seat| self.drain(&mut seat, SLICE, false)) && self.deferred.is_waiting() {
            self.ask_drain();
        }
    }

    /// Makes durable what was deferred so far.
    pub(super) fn flush_deferred(&self) {
        self.deferred.flush_due.begin();
        if !self.is_sync() {
            // A failure has poisoned the store, which is how tickets learn of it.
            if self.sync_visible().is_ok() {
                self.chores.after_commit();
            }
            return;
        }
        let place = self.try_seat(SEAT_PATIENCE).map(|seat| seat.place());
        match place.map(|place| self.wait_visible(place)) {
            Some(Ok(()) | Err(AppendError::Poisoned { .. })) => {}
            // Somebody has the seat, or syncs, for long: other stores come first.
            _ => {
                self.ask_flush();
            }
        }
    }

    /// Tells deferred appends how far the log is durable and visible.
    pub(super) fn tell_durable(&self) {
        self.deferred.reach(self.durable_place().min(self.visible_place()).pack());
    }
}
