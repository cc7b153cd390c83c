//! Models of tickets: who settles against who looks, waits and calls.

use super::*;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::Durability;
use crate::vocabulary::sync::proof::{Flaw, Proof};
use crate::vocabulary::sync::{AtomicU64, Ordering, current, park};
use crate::vocabulary::time::Timestamp;

const LOOKED_BEFORE: &str = "looked before it is on the list";
const REACHED_LATE: &str = "told before it is reached";
const FAILED_LATE: &str = "told before it has failed";
const BEGUN_LATE: &str = "begun after the look";
const KEPT_QUIETLY: &str = "judged, and nobody told";

fn judged(place: u64) -> Judged {
    let receipt = Receipt {
        transaction_id: None,
        basis: Revision::EMPTY,
        count: 1,
        recorded_at: Timestamp::UNIX_EPOCH,
        durability: Durability::Sync,
        last_position: None,
        repeat: false,
        clock_behind: false,
    };
    Judged { outcome: Ok(receipt), place, rests: false }
}

fn start(job: impl FnOnce() + 'static) -> loom::thread::JoinHandle<()> {
    loom::thread::spawn(job)
}

fn watch(pledge: &Arc<Pledge>, step: Step, told: Told, flaw: Flaw) -> Result<(), Told> {
    if flaw == Some(LOOKED_BEFORE) {
        if pledge.is_over(step) {
            return Err(told);
        }
        pledge.watch_blindly(step, told);
        return Ok(());
    }
    pledge.watch(step, told).map(drop)
}

/// `Ticket::wait`, without a clock: a wake-up that is owed and not given is a deadlock.
fn wait(pledge: &Arc<Pledge>, step: Step, flaw: Flaw) -> Outcome {
    let mut is_listed = false;
    loop {
        if let Some(outcome) = pledge.look(step) {
            return outcome;
        }
        if is_listed {
            park();
        } else {
            is_listed = watch(pledge, step, Told::Thread(current()), flaw).is_ok();
        }
    }
}

fn keep(promise: Promise, flaw: Flaw) {
    if flaw == Some(KEPT_QUIETLY) {
        let _ = promise.pledge.judged.set(judged(1));
        std::mem::forget(promise);
    } else {
        promise.keep(judged(1));
    }
}

/// One judges, then makes durable and visible; another waits for both steps, and sees it.
fn two_steps(flaw: Flaw) {
    let board = Board::new(0, Duration::ZERO);
    let promise = Promise::new(&board);
    let pledge = Arc::clone(promise.pledge());
    let visible = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&visible);
    let store = start(move || {
        keep(promise, flaw);
        visible.store(1, Ordering::Relaxed);
        if flaw == Some(REACHED_LATE) { board.reach_too_late(1) } else { board.reach(1) }
    });
    assert!(wait(&pledge, Step::Accepted, flaw).is_ok());
    assert!(wait(&pledge, Step::Durable, flaw).is_ok());
    assert_eq!(seen.load(Ordering::Relaxed), 1, "what is durable is visible");
    store.join().unwrap();
}

#[test]
fn loom_ticket_two_steps() {
    let flaws = &[LOOKED_BEFORE, REACHED_LATE, KEPT_QUIETLY];
    Proof { name: "both steps of a ticket", model: two_steps, flaws, files: &["src/vocabulary/mark.rs"], spared: &[] }
        .run();
}

/// What is durable before it is known to be judged: a leader may be quicker than who drains the queue.
fn reached_first(flaw: Flaw) {
    let board = Board::new(0, Duration::ZERO);
    let promise = Promise::new(&board);
    let pledge = Arc::clone(promise.pledge());
    let leader = start(move || if flaw == Some(REACHED_LATE) { board.reach_too_late(1) } else { board.reach(1) });
    let judge = start(move || keep(promise, flaw));
    assert!(wait(&pledge, Step::Durable, flaw).is_ok());
    leader.join().unwrap();
    judge.join().unwrap();
}

#[test]
fn loom_ticket_reached_while_it_is_judged() {
    let flaws = &[LOOKED_BEFORE, REACHED_LATE, KEPT_QUIETLY];
    Proof { name: "durable while it is judged", model: reached_first, flaws, files: &[], spared: &[] }.run();
}

/// The store fails while another waits.
fn failure(flaw: Flaw) {
    let board = Board::new(0, Duration::ZERO);
    let pledge = Pledge::judged(&board, judged(1));
    let store = start(move || {
        let cause = "the disk failed".into();
        if flaw == Some(FAILED_LATE) { board.fail_too_late(&cause) } else { board.fail(&cause) }
    });
    assert!(wait(&pledge, Step::Durable, flaw).is_err());
    store.join().unwrap();
}

#[test]
fn loom_ticket_of_a_store_that_fails() {
    let flaws = &[LOOKED_BEFORE, FAILED_LATE];
    Proof { name: "a ticket of a store that fails", model: failure, flaws, files: &[], spared: &[] }.run();
}

/// Counts those who are to call [`Board::run`].
struct Orders(Arc<AtomicU64>);

impl Errands for Orders {
    fn run(&self, _: &Arc<Board>) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn hurry(&self) {}
}

/// Two callbacks are given while the append becomes durable, and while others are called: each is called once.
fn callbacks(flaw: Flaw) {
    let board = Board::new(0, Duration::ZERO);
    let (orders, called) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    board.send(Box::new(Orders(Arc::clone(&orders))));
    let pledge = Pledge::judged(&board, judged(1));
    let told = |called: &Arc<AtomicU64>| {
        let called = Arc::clone(called);
        Told::Callback(Box::new(move |_| {
            called.fetch_add(1, Ordering::Relaxed);
        }))
    };
    assert!(pledge.watch(Step::Durable, told(&called)).is_ok());
    let store = {
        let board = Arc::clone(&board);
        start(move || board.reach(1))
    };
    let calls = {
        let board = Arc::clone(&board);
        start(move || if flaw == Some(BEGUN_LATE) { board.run_and_begin() } else { board.run() })
    };
    board.dispose(());
    if let Err(Told::Callback(callback)) = watch(&pledge, Step::Durable, told(&called), flaw) {
        callback(Ok(judged(1).outcome.unwrap()));
    }
    store.join().unwrap();
    calls.join().unwrap();
    if orders.load(Ordering::Relaxed) > 0 && board.state.lock().asked {
        board.run();
    }
    assert_eq!(called.load(Ordering::Relaxed), 2, "each is called once");
}

#[test]
fn loom_ticket_callbacks() {
    let flaws = &[LOOKED_BEFORE, BEGUN_LATE];
    Proof { name: "callbacks of a ticket", model: callbacks, flaws, files: &[], spared: &[] }.run();
}
