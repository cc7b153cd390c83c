//! The threads of housekeeping: one a lane, for the whole process, started on first need and shared by all stores.

use super::Engine;
use super::housekeeping::Chore;
use crate::disk::ForkGuard;
use crate::vocabulary::pledge::Board;
use arc_swap::ArcSwapOption;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// When a chore is due whose time the clock cannot say.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Orders that may wait before those of stores that are gone are looked for.
const CROWD: usize = 1_024;

/// What must not wait for each other: making segments and index files takes long, and code of users may take as long as it likes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    /// Segments, index files, watermarks, and the syncs of an interval.
    Chores,
    /// What deferred appends and index files wait for: syncs, mostly.
    Deferred,
    /// Callbacks of tickets, and futures that are woken.
    Calls,
}

impl Lane {
    fn thread(self) -> &'static str {
        match self {
            Self::Chores => "stratalog",
            Self::Deferred => "stratalog-sync",
            Self::Calls => "stratalog-call",
        }
    }
}

struct Order {
    due: Instant,
    what: What,
}

enum What {
    Chore(Chore, Weak<Engine>),
    /// Code of users is to run.
    Call(Arc<Board>),
}

/// The heap gives its greatest first: what is due earlier is greater.
impl Ord for Order {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Order {}

/// Queues a chore. Not where the system refuses the thread; then it says no.
pub(super) fn ask(lane: Lane, engine: &Weak<Engine>, chore: Chore, time: Duration) -> bool {
    let now = Instant::now();
    let due = now.checked_add(time).unwrap_or_else(|| now + FAR_AWAY);
    send(lane, Order { due, what: What::Chore(chore, Weak::clone(engine)) })
}

/// Has the code of users run that a board holds. Not where the system refuses the thread; then it says no.
pub(super) fn call(board: &Arc<Board>) -> bool {
    send(Lane::Calls, Order { due: Instant::now(), what: What::Call(Arc::clone(board)) })
}

fn send(lane: Lane, order: Order) -> bool {
    housekeeper(lane).is_some_and(|housekeeper| housekeeper.orders.send(order).is_ok())
}

/// The way to a thread.
struct Housekeeper {
    orders: Sender<Order>,
    /// A fork has its parent's memory, and not its threads.
    guard: ForkGuard,
}

/// The housekeeper of this process on a lane, started if there is none.
fn housekeeper(lane: Lane) -> Option<Arc<Housekeeper>> {
    static CHORES: ArcSwapOption<Housekeeper> = ArcSwapOption::const_empty();
    static DEFERRED: ArcSwapOption<Housekeeper> = ArcSwapOption::const_empty();
    static CALLS: ArcSwapOption<Housekeeper> = ArcSwapOption::const_empty();
    let current = match lane {
        Lane::Chores => &CHORES,
        Lane::Deferred => &DEFERRED,
        Lane::Calls => &CALLS,
    };
    let known = current.load_full();
    if let Some(housekeeper) = known.as_ref().filter(|housekeeper| !housekeeper.guard.is_fork()) {
        return Some(Arc::clone(housekeeper));
    }
    let guard = ForkGuard::new().ok()?;
    let (orders, receiver) = unbounded::<Order>();
    std::thread::Builder::new().name(lane.thread().into()).spawn(move || work(&receiver)).ok()?;
    let started = Arc::new(Housekeeper { orders, guard });
    // Who comes second lets its thread go: with the way to it, the thread ends.
    let before = current.compare_and_swap(&known, Some(Arc::clone(&started)));
    if same(&before, &known) { Some(started) } else { current.load_full() }
}

fn same(one: &Option<Arc<Housekeeper>>, other: &Option<Arc<Housekeeper>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Does what it is asked for when it is due, for ever.
fn work(receiver: &Receiver<Order>) {
    let mut waiting: BinaryHeap<Order> = BinaryHeap::new();
    let mut crowded = CROWD;
    loop {
        let timeout = waiting.peek().map(|next| next.due.saturating_duration_since(Instant::now()));
        let received = match timeout {
            Some(timeout) => receiver.recv_timeout(timeout),
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(order) => waiting.push(order),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if waiting.len() > crowded {
            // Stores that are gone may have asked for something far ahead: that is forgotten with them.
            waiting.retain(|order| !matches!(&order.what, What::Chore(_, engine) if engine.strong_count() == 0));
            crowded = CROWD.max(waiting.len() * 2);
        }
        while waiting.peek().is_some_and(|next| next.due <= Instant::now()) {
            if let Some(order) = waiting.pop() {
                carry_out(&order.what);
            }
        }
    }
}

/// Does a chore, if its store is still there. The thread is everyone's: what goes wrong with one store must not end it.
fn carry_out(what: &What) {
    let (chore, engine) = match what {
        What::Chore(chore, engine) => (*chore, engine),
        What::Call(board) => return board.run(),
    };
    if let Some(engine) = engine.upgrade() {
        let done = catch_unwind(AssertUnwindSafe(|| engine.do_chore(chore)));
        if done.is_err() {
            engine.set_poison("a chore of housekeeping panicked");
        }
    }
}
