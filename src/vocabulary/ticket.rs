//! The ticket of a deferred append: told twice what became of it, by waiting, by callback or as a future.

use super::error::AppendError;
use super::pledge::{Board, Judged, Outcome, Pledge, Step, Told};
use super::reentry;
use super::sync::current;
use super::transaction::Receipt;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What a deferred append gives at once: a ticket, which learns twice what became of the append.
///
/// First it is **accepted** or refused: its conditions were judged, and its place in the log is known. Then it is **durable**: as
/// safe as the store makes what it acknowledges, and readers see it; in memory that is the same moment. Between the two, a crash
/// may lose it, and then all that was accepted behind it, too. A refusal that rests on events which are not durable is told once
/// those are, and as [`AppendError::Poisoned`] if they never will be.
///
/// Each step can be waited for, looked at, awaited as a future, and given a callback, in any combination and number. A ticket is
/// cheap to clone; clones are the same ticket. Dropping it cancels nothing.
///
/// Every ticket learns both: a store that fails, or is closed or dropped, tells the tickets that are still out.
///
/// ```
/// use stratalog::{EventStore, NewEvent, transaction};
/// # fn main() -> stratalog::Result<()> {
/// let store = EventStore::in_memory();
/// let ticket = store.append_deferred(transaction().stream("c", "s", [NewEvent::empty("e")]))?;
/// assert_eq!(ticket.accepted()?.count(), 1);
/// ticket.on_durable(|outcome| assert!(outcome.is_ok()));
/// ticket.durable()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "whether the append was refused is told by its ticket alone"]
pub struct Ticket {
    pledge: Arc<Pledge>,
}

impl Ticket {
    pub(crate) fn new(pledge: Arc<Pledge>) -> Self {
        Self { pledge }
    }

    /// A ticket whose both steps have come with this outcome: for adapters that append at once.
    pub fn settled(outcome: Result<Receipt, AppendError>) -> Self {
        let board = Board::new(0, Duration::ZERO);
        Self { pledge: Pledge::judged(&board, Judged::at_once(outcome)) }
    }

    /// Waits until the append is accepted or refused: at most for [`Options::append_deadline`](crate::Options::append_deadline).
    ///
    /// # Errors
    /// Why it was refused: as [`EventStore::append`](crate::EventStore::append). [`AppendError::Unknown`] after the deadline; the
    /// append may still happen then, and the ticket can be asked again. [`AppendError::CalledFromCondition`] where it would have
    /// to be waited for inside a custom condition.
    pub fn accepted(&self) -> Result<Receipt, AppendError> {
        self.wait(Step::Accepted, self.pledge.board().patience())
    }

    /// [`accepted`](Self::accepted), waiting for at most `time`.
    ///
    /// # Errors
    /// As [`accepted`](Self::accepted).
    pub fn accepted_for(&self, time: Duration) -> Result<Receipt, AppendError> {
        self.wait(Step::Accepted, time)
    }

    /// Whether the append was accepted or refused, or `None` as long as that is open. Never waits.
    #[must_use]
    pub fn try_accepted(&self) -> Option<Result<Receipt, AppendError>> {
        self.pledge.look(Step::Accepted)
    }

    /// Waits until the append is durable, or was refused: at most for
    /// [`Options::append_deadline`](crate::Options::append_deadline). With [`Durability::Os`](crate::Durability::Os) the wait has
    /// the log synced, which is not done otherwise.
    ///
    /// # Errors
    /// As [`accepted`](Self::accepted); [`AppendError::Poisoned`] when it was accepted and could not be made durable. Whether
    /// it is there after reopening is unknown then.
    pub fn durable(&self) -> Result<Receipt, AppendError> {
        self.wait(Step::Durable, self.pledge.board().patience())
    }

    /// [`durable`](Self::durable), waiting for at most `time`.
    ///
    /// # Errors
    /// As [`durable`](Self::durable).
    pub fn durable_for(&self, time: Duration) -> Result<Receipt, AppendError> {
        self.wait(Step::Durable, time)
    }

    /// Whether the append is durable or failed, or `None` as long as that is open. Never waits, and asks for no sync.
    #[must_use]
    pub fn try_durable(&self) -> Option<Result<Receipt, AppendError>> {
        self.pledge.look(Step::Durable)
    }

    /// Calls `callback` with what [`accepted`](Self::accepted) would give, once it is there: at once, in this thread, if it
    /// is; else in a thread of the library that does nothing but call callbacks and wake futures, one after the other. One that
    /// panics ends itself alone, and one that takes long delays the others, of all stores.
    pub fn on_accepted(&self, callback: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static) {
        self.call(Step::Accepted, callback);
    }

    /// Calls `callback` with what [`durable`](Self::durable) would give, once it is there; else as
    /// [`on_accepted`](Self::on_accepted), and after the callbacks given to that.
    pub fn on_durable(&self, callback: impl FnOnce(Result<Receipt, AppendError>) + Send + 'static) {
        self.call(Step::Durable, callback);
    }

    /// [`accepted`](Self::accepted) as a future, for any executor. It has no deadline.
    pub fn when_accepted(&self) -> TicketFuture {
        TicketFuture { pledge: Arc::clone(&self.pledge), step: Step::Accepted, number: None }
    }

    /// [`durable`](Self::durable) as a future, for any executor. It has no deadline.
    pub fn when_durable(&self) -> TicketFuture {
        TicketFuture { pledge: Arc::clone(&self.pledge), step: Step::Durable, number: None }
    }

    fn wait(&self, step: Step, time: Duration) -> Outcome {
        let begun = Instant::now();
        let mut number = None;
        loop {
            if let Some(outcome) = self.pledge.look(step) {
                return outcome;
            }
            if reentry::is_judging() {
                // What it waits for may wait for this thread.
                return Err(AppendError::CalledFromCondition);
            }
            let waited = begun.elapsed();
            if waited >= time {
                if let Some(number) = number {
                    self.pledge.forget(number);
                }
                return Err(AppendError::Unknown { waited });
            }
            if number.is_none() {
                number = self.pledge.watch(step, Told::Thread(current())).ok();
                // It may have come, and then nobody wakes this thread.
                continue;
            }
            std::thread::park_timeout(time - waited);
        }
    }

    fn call(&self, step: Step, callback: impl FnOnce(Outcome) + Send + 'static) {
        if let Err(Told::Callback(callback)) = self.pledge.watch(step, Told::Callback(Box::new(callback)))
            && let Some(outcome) = self.pledge.look(step)
        {
            // As in the other thread: a panic ends the callback alone.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| callback(outcome)));
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [accepted, durable] = [self.try_accepted(), self.try_durable()];
        f.debug_struct("Ticket").field("accepted", &accepted).field("durable", &durable).finish()
    }
}

/// One step of a [`Ticket`] as a future. Works with any executor; dropping it cancels nothing but the wait.
#[must_use = "futures do nothing unless they are polled"]
pub struct TicketFuture {
    pledge: Arc<Pledge>,
    step: Step,
    /// What its waker is on the list by.
    number: Option<u64>,
}

impl Future for TicketFuture {
    type Output = Result<Receipt, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(number) = self.number.take() {
            self.pledge.forget(number);
        }
        loop {
            if let Some(outcome) = self.pledge.look(self.step) {
                return Poll::Ready(outcome);
            }
            if let Ok(number) = self.pledge.watch(self.step, Told::Waker(context.waker().clone())) {
                self.number = Some(number);
                return Poll::Pending;
            }
        }
    }
}

impl Drop for TicketFuture {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.pledge.forget(number);
        }
    }
}

impl fmt::Debug for TicketFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketFuture").field("step", &self.step).finish_non_exhaustive()
    }
}
