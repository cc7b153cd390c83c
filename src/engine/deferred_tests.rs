//! Tests: deferred appends, on a disk that does what a test says, with the seat and other locks taken where a test wants that.

use super::Engine;
use super::fault_tests::{FaultyDisk, Plan, append, count, open};
use super::open::open_on;
use crate::disk::RealDisk;
use crate::vocabulary::append::{Append, AppendPart};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, stream_is_empty};
use crate::vocabulary::error::{AppendError, Retry};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::ticket::Ticket;
use parking_lot::Mutex;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park_timeout, sleep};
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);
/// Longer than anything takes that is not stuck.
const LONG: Duration = Duration::from_secs(20);
/// What `defer` appends counts for so many bytes at most.
const ONE: u64 = 1_024;

fn defer(engine: &Engine, stream: &str, condition: &Condition) -> Result<Ticket, AppendError> {
    let (stream, events) = (Stream::new("c", stream), [NewEvent::empty("e").with_metadata(vec![7; 500])]);
    engine.append_deferred(&Append::new(&Attributes::new(), &[AppendPart::new(&stream, &events, condition)]))
}

fn any(engine: &Engine, stream: &str) -> Ticket {
    defer(engine, stream, &Condition::any()).unwrap()
}

fn open_with(options: Options) -> (tempfile::TempDir, Arc<Engine>, Arc<Plan>) {
    let (directory, plan) = (tempfile::tempdir().unwrap(), Arc::new(Plan::default()));
    let disk = FaultyDisk(RealDisk::new(directory.path()).unwrap(), Arc::clone(&plan));
    (directory, open_on(Arc::new(disk), &options).unwrap(), plan)
}

/// The streams of the log's events, in order.
fn order(engine: &Engine) -> Vec<String> {
    let (mut events, mut cursor) = (Vec::new(), engine.scan(&ScanQuery::default()).unwrap());
    while {
        let before = events.len();
        cursor.next_batch(&mut events).unwrap();
        events.len() > before
    } {}
    events.iter().map(|event| event.stream().to_owned()).collect()
}

#[test]
fn one_that_finds_the_seat_free_is_accepted_at_once_and_visible_once_it_is_durable() {
    let (_directory, engine, plan) = open_with(Options::new());
    plan.slow.store(50, Ordering::Relaxed);
    let tickets: Vec<Ticket> = (0..100).map(|_| any(&engine, "a")).collect();
    for (number, ticket) in (0..).zip(&tickets) {
        let receipt = ticket.try_accepted().unwrap().unwrap();
        assert_eq!((receipt.basis().get(), receipt.last_position().unwrap().get()), (number, number));
    }
    assert!(tickets[99].try_durable().is_none());
    let receipt = tickets[99].durable().unwrap();
    assert!(engine.durable_revision() >= receipt.revision() && engine.revision() == 100);
    assert!(tickets.iter().all(|ticket| ticket.try_durable().unwrap().is_ok()), "those before it are durable too");
    assert!(plan.syncs.load(Ordering::Relaxed) < 20, "many share a sync");
}

#[test]
fn beyond_the_budget_it_is_full_until_something_is_durable() {
    let (_directory, engine, plan) = open_with(Options::new().deferred_bytes(4 * ONE));
    plan.slow.store(50, Ordering::Relaxed);
    let mut tickets = Vec::new();
    let error = loop {
        match defer(&engine, "a", &Condition::any()) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => break error,
        }
    };
    let AppendError::Full { asked, in_flight, budget } = error else { panic!("{error}") };
    assert!(in_flight <= budget && in_flight + asked > budget && budget == 4 * ONE, "{error}");
    assert!((4..=8).contains(&tickets.len()) && error.retry() == Retry::Safe, "{} fit", tickets.len());
    tickets.pop().unwrap().durable().unwrap();
    let after = any(&engine, "a").durable().unwrap();
    assert_eq!(after.basis().get(), tickets.len() as u64 + 1, "what was refused was not written");
}

#[test]
fn one_that_is_larger_than_the_budget_goes_alone() {
    let (_directory, engine, plan) = open_with(Options::new().deferred_bytes(10));
    plan.slow.store(20, Ordering::Relaxed);
    for _ in 0..3 {
        let ticket = any(&engine, "a");
        assert!(matches!(defer(&engine, "a", &Condition::any()), Err(AppendError::Full { .. })));
        ticket.durable().unwrap();
    }
}

#[test]
fn refusals_take_nothing_of_the_budget() {
    let (_directory, engine, _) = open_with(Options::new().deferred_bytes(4 * ONE));
    append(&engine, "a", &Condition::any()).unwrap();
    for _ in 0..50 {
        let refused = defer(&engine, "a", &stream_is_empty()).unwrap();
        assert!(matches!(refused.try_accepted(), Some(Err(AppendError::Unmet(_)))));
        assert!(matches!(refused.try_durable(), Some(Err(AppendError::Unmet(_)))));
    }
    any(&engine, "a").durable().unwrap();
}

#[test]
fn a_sync_that_fails_takes_the_second_step_and_leaves_the_first() {
    let (_directory, engine, plan) = open_with(Options::new());
    plan.sync.store(true, Ordering::Relaxed);
    let ticket = any(&engine, "a");
    let (sender, receiver) = channel();
    ticket.on_durable(move |outcome| sender.send(outcome.map(drop)).unwrap());
    let error = ticket.durable().unwrap_err();
    assert!(matches!(error, AppendError::Poisoned { unknown: true, .. }), "{error}");
    assert!(ticket.accepted().is_ok());
    assert!(receiver.recv_timeout(LONG).unwrap().unwrap_err().is_unknown());
    let later = defer(&engine, "a", &Condition::any()).unwrap_err();
    assert!(matches!(later, AppendError::Poisoned { unknown: false, .. }), "{later}");
    assert_eq!(engine.revision(), 0);
}

#[test]
fn a_refusal_waits_for_what_it_rests_on() {
    let (_directory, engine, plan) = open_with(Options::new());
    plan.slow.store(50, Ordering::Relaxed);
    let first = any(&engine, "a");
    let refused = defer(&engine, "a", &stream_is_empty()).unwrap();
    assert!(refused.try_accepted().is_none() && refused.try_durable().is_none(), "`a` may yet be empty for ever");
    let (sender, receiver) = channel();
    refused.on_accepted(move |outcome| sender.send(outcome.map(drop)).unwrap());
    assert!(refused.accepted().unwrap_err().is_conflict());
    assert!(receiver.recv_timeout(LONG).unwrap().unwrap_err().is_conflict());
    assert!(first.try_durable().is_some() && engine.revision() == 1);
    plan.sync.store(true, Ordering::Relaxed);
    let _unlucky = any(&engine, "b");
    let rests = defer(&engine, "b", &stream_is_empty()).unwrap();
    assert!(rests.accepted().unwrap_err().is_poisoned(), "what it rests on never was");
}

#[test]
fn a_repetition_waits_for_the_first_to_be_safe() {
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(20 * MILLISECOND)] {
        let (_directory, engine, plan) = open_with(Options::new().durability(durability));
        let (stream, events, any) = (Stream::new("c", "s"), [NewEvent::empty("e")], Condition::any());
        let (attributes, parts) = (Attributes::new(), [AppendPart::new(&stream, &events, &any)]);
        let id = "t".into();
        let append = Append { id: Some(&id), ..Append::new(&attributes, &parts) };
        plan.slow.store(50, Ordering::Relaxed);
        let first = engine.append_deferred(&append).unwrap();
        let again = engine.append_deferred(&append).unwrap();
        assert_eq!(again.try_accepted().is_none(), durability == Durability::Sync, "{durability:?}");
        assert!(again.try_durable().is_none(), "{durability:?}");
        let repeated = again.durable().unwrap();
        assert!(repeated.is_repeat() && repeated == first.durable().unwrap());
        // The store is idle, has written a watermark, and syncs no more: a third one is safe all the same.
        let (end, begun) = (engine.visible_place(), Instant::now());
        plan.slow.store(0, Ordering::Relaxed);
        while engine.visible_place() == end && begun.elapsed() < LONG / 4 {
            sleep(MILLISECOND);
        }
        assert!(engine.visible_place() > end, "{durability:?}: no watermark came");
        assert!(engine.append_deferred(&append).unwrap().durable_for(LONG).unwrap().is_repeat(), "{durability:?}");
    }
}

#[test]
fn who_finds_the_seat_taken_does_not_wait_and_keeps_its_order() {
    let (_directory, engine, _) = open_with(Options::new());
    let seat = engine.seat.lock();
    let begun = Instant::now();
    let tickets: Vec<Ticket> = (0..100).map(|number| any(&engine, &number.to_string())).collect();
    assert!(begun.elapsed() < LONG / 4 && tickets.iter().all(|ticket| ticket.try_accepted().is_none()));
    drop(seat);
    for (number, ticket) in (0..).zip(&tickets) {
        assert_eq!(ticket.accepted_for(LONG).unwrap().basis().get(), number, "a chore has come for it");
    }
    tickets[99].durable().unwrap();
    assert_eq!(order(&engine), (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_a_thread_appends_later_comes_later() {
    let (_directory, engine, _) = open_with(Options::new());
    // Without its chore the queue is left to who takes the seat.
    assert!(engine.deferred_queue_due().ask());
    for round in 0..3 {
        let seat = engine.seat.lock();
        let queued = [any(&engine, "first"), any(&engine, "second")];
        drop(seat);
        match round {
            0 => drop(append(&engine, "third", &Condition::any()).unwrap()),
            1 => drop(any(&engine, "third").durable().unwrap()),
            _ => drop(engine.append_verbatim(&[]).unwrap()),
        }
        assert!(queued.iter().all(|ticket| ticket.try_accepted().is_some()));
    }
    assert_eq!(order(&engine)[..6], ["first", "second", "third", "first", "second", "third"]);
}

#[test]
fn a_rotation_that_would_wait_is_left_to_others() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, _) = open(directory.path(), Durability::Sync).unwrap();
    let prepared = engine.prepared.lock();
    let begun = Instant::now();
    let tickets: Vec<Ticket> = (0..200).map(|_| any(&engine, "a")).collect();
    assert!(begun.elapsed() < LONG / 4, "nobody can make a segment meanwhile");
    assert!(tickets[0].try_accepted().is_some() && tickets[199].try_accepted().is_none());
    drop(prepared);
    for (number, ticket) in (0..).zip(&tickets) {
        assert_eq!(ticket.durable_for(LONG).unwrap().basis().get(), number);
    }
    assert!(engine.visible_place().segment > 5);
}

#[test]
fn a_full_disk_refuses_the_tickets_that_need_a_segment_and_poisons_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (engine, plan) = open(directory.path(), Durability::Sync).unwrap();
    plan.create.store(true, Ordering::Relaxed);
    let tickets: Vec<Ticket> = (0..40).map(|_| any(&engine, "a")).collect();
    let refused = tickets.iter().filter(|ticket| matches!(ticket.accepted(), Err(AppendError::NoSpace(_)))).count();
    assert!((1..40).contains(&refused), "{refused}");
    assert!(tickets[39].durable().unwrap_err().retry() == Retry::Safe);
    plan.create.store(false, Ordering::Relaxed);
    let receipt = any(&engine, "a").durable().unwrap();
    assert_eq!(receipt.basis().get(), 40 - refused as u64);
}

#[test]
fn poison_tells_those_in_the_queue_that_nothing_was_written() {
    let (_directory, engine, _) = open_with(Options::new());
    let seat = engine.seat.lock();
    let tickets = [any(&engine, "a"), any(&engine, "b")];
    engine.set_poison("the disk failed");
    for ticket in &tickets {
        let error = ticket.accepted_for(Duration::ZERO).unwrap_err();
        assert!(matches!(&error, AppendError::Poisoned { unknown: false, .. }), "{error}");
    }
    drop(seat);
}

#[test]
fn closing_does_the_work_of_the_queue_and_tells_everyone() {
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(LONG)] {
        let (_directory, engine, _) = open_with(Options::new().durability(durability));
        assert!(engine.deferred_queue_due().ask(), "without its chore");
        let seat = engine.seat.lock();
        let queued = any(&engine, "a");
        drop(seat);
        let (sender, receiver) = channel();
        queued.on_durable(move |outcome| sender.send(outcome.map(drop)).unwrap());
        engine.close().unwrap();
        assert_eq!(queued.try_durable().unwrap().unwrap().basis().get(), 0, "{durability:?}");
        receiver.recv_timeout(LONG).unwrap().unwrap();
        assert!(matches!(defer(&engine, "a", &Condition::any()), Err(AppendError::Closed)));
    }
}

#[test]
fn who_comes_into_the_queue_while_the_store_is_closed_is_refused() {
    let (_directory, engine, plan) = open_with(Options::new());
    let first = any(&engine, "a");
    plan.slow.store(100, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| engine.close());
        let mut tickets = Vec::new();
        let error = loop {
            match defer(&engine, "b", &Condition::any()) {
                Ok(ticket) => tickets.push(ticket),
                Err(AppendError::Full { .. }) => sleep(MILLISECOND),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, AppendError::Closed), "{error}");
        closing.join().unwrap().unwrap();
        for ticket in &tickets {
            let outcome = ticket.durable_for(Duration::ZERO);
            assert!(matches!(outcome, Ok(_) | Err(AppendError::Closed)), "{outcome:?}");
        }
        assert!(tickets.last().unwrap().try_accepted().unwrap().is_err(), "the last ones came too late");
    });
    first.durable_for(Duration::ZERO).unwrap();
}

#[test]
fn a_store_that_is_dropped_tells_its_tickets() {
    let (_directory, engine, _) = open_with(Options::new().durability(Durability::Os));
    assert!(engine.deferred_queue_due().ask());
    let seat = engine.seat.lock();
    let queued = any(&engine, "a");
    drop(seat);
    let (sender, receiver) = channel();
    queued.on_accepted(move |outcome| sender.send(outcome.map(drop)).unwrap());
    drop(engine);
    assert!(queued.accepted_for(LONG).unwrap_err().is_poisoned());
    assert!(receiver.recv_timeout(LONG).unwrap().is_err());
}

#[test]
fn with_os_a_sync_comes_when_someone_waits_for_it() {
    let (_directory, engine, plan) = open_with(Options::new().durability(Durability::Os));
    let before = plan.syncs.load(Ordering::Relaxed);
    let ticket = any(&engine, "a");
    assert_eq!((engine.revision(), ticket.accepted().unwrap().count()), (1, 1), "visible as soon as it is accepted");
    sleep(50 * MILLISECOND);
    assert!(ticket.try_durable().is_none() && plan.syncs.load(Ordering::Relaxed) == before);
    ticket.durable_for(LONG).unwrap();
    assert!(plan.syncs.load(Ordering::Relaxed) > before && engine.durable_revision().get() == 1);
}

#[test]
fn with_os_room_is_made_without_anyone_waiting() {
    let (_directory, engine, _) = open_with(Options::new().durability(Durability::Os).deferred_bytes(16 * ONE));
    let begun = Instant::now();
    for _ in 0..500 {
        while matches!(defer(&engine, "a", &Condition::any()), Err(AppendError::Full { .. })) {
            assert!(begun.elapsed() < LONG, "nobody makes room");
            sleep(MILLISECOND / 10);
        }
    }
}

#[test]
fn callbacks_run_outside_the_seat_in_order_and_may_panic() {
    let (_directory, engine, plan) = open_with(Options::new());
    plan.slow.store(5, Ordering::Relaxed);
    let (sender, receiver) = channel();
    let seat = engine.seat.lock();
    for number in 0..25 {
        let ticket = any(&engine, "a");
        let (first, second) = (sender.clone(), sender.clone());
        let [one, other] = [Arc::clone(&engine), Arc::clone(&engine)];
        ticket.on_durable(move |outcome| {
            // An append waits for the seat and for a sync: a callback within either would never end.
            append(&one, "b", &Condition::any()).unwrap();
            first.send((number, "durable", outcome.is_ok())).unwrap();
        });
        ticket.on_accepted(move |outcome| {
            append(&other, "b", &Condition::any()).unwrap();
            second.send((number, "accepted", outcome.is_ok())).unwrap();
            assert!(number != 7, "a callback that panics");
        });
    }
    drop(seat);
    let told: Vec<_> = (0..50).map(|_| receiver.recv_timeout(LONG).unwrap()).collect();
    assert!(told.iter().all(|(_, _, is_ok)| *is_ok));
    for step in ["accepted", "durable"] {
        let numbers = told.iter().filter(|(_, of, _)| *of == step).map(|(number, _, _)| *number);
        assert!(numbers.eq(0..25), "{step}: {told:?}");
    }
    let (alone, inner) = (any(&engine, "a"), Arc::clone(&engine));
    let (sender, receiver) = channel();
    alone.on_durable(move |_| sender.send(append(&inner, "b", &Condition::any()).map(drop)).unwrap());
    receiver.recv_timeout(LONG).unwrap().unwrap();
    let late = any(&engine, "a");
    late.durable().unwrap();
    let here = Arc::new(Mutex::new(None));
    let told = Arc::clone(&here);
    late.on_durable(move |_| *told.lock() = Some(current().id()));
    assert_eq!(*here.lock(), Some(current().id()), "called at once");
    late.on_durable(|_| panic!("a late one that panics"));
}

#[test]
fn where_both_steps_come_at_once_the_first_is_told_first() {
    let (_directory, engine, _) = open_with(Options::new());
    let seat = engine.seat.lock();
    let ticket = any(&engine, "a");
    let (sender, receiver) = channel();
    let other = sender.clone();
    ticket.on_durable(move |_| sender.send("durable").unwrap());
    ticket.on_accepted(move |_| other.send("accepted").unwrap());
    engine.set_poison("the disk failed");
    drop(seat);
    assert_eq!([(); 2].map(|()| receiver.recv_timeout(LONG).unwrap()), ["accepted", "durable"]);
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(current())));
    let (mut future, begun) = (pin!(future), Instant::now());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        park_timeout(LONG);
        assert!(begun.elapsed() < LONG, "nobody woke the future");
    }
}

#[test]
fn futures_are_woken_for_each_step() {
    let (_directory, engine, plan) = open_with(Options::new());
    plan.slow.store(30, Ordering::Relaxed);
    std::thread::scope(|scope| {
        let seat = engine.seat.lock();
        let ticket = any(&engine, "a");
        let [accepted, durable, dropped] = [ticket.when_accepted(), ticket.when_durable(), ticket.when_durable()];
        let mut dropped = Box::pin(dropped);
        assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop((dropped, ticket));
        let first = scope.spawn(|| block_on(accepted).unwrap());
        let second = scope.spawn(|| block_on(durable).unwrap());
        sleep(10 * MILLISECOND);
        drop(seat);
        assert_eq!(first.join().unwrap(), second.join().unwrap());
    });
    let late = any(&engine, "b");
    late.durable().unwrap();
    assert_eq!(block_on(late.when_durable()).unwrap().basis().get(), 1);
}

#[test]
fn a_wait_ends_with_its_time_and_can_be_had_again() {
    let (_directory, engine, plan) = open_with(Options::new().append_deadline(30 * MILLISECOND));
    plan.slow.store(200, Ordering::Relaxed);
    let ticket = any(&engine, "a");
    let short = ticket.durable_for(5 * MILLISECOND).unwrap_err();
    assert!(matches!(short, AppendError::Unknown { waited } if waited >= 5 * MILLISECOND), "{short}");
    let plain = ticket.durable().unwrap_err();
    assert!(matches!(plain, AppendError::Unknown { waited } if waited >= 30 * MILLISECOND), "{plain}");
    ticket.durable_for(LONG).unwrap();
}

#[test]
fn a_condition_cannot_wait_for_a_ticket_nor_defer() {
    let (_directory, engine, plan) = open_with(Options::new());
    plan.slow.store(50, Ordering::Relaxed);
    let ticket = any(&engine, "a");
    let (inner, told) = (Arc::clone(&engine), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&told);
    let nosy = Condition::custom("nosy", move |_| {
        seen.lock().extend([ticket.durable().map(drop), defer(&inner, "b", &Condition::any()).map(drop)]);
        true
    });
    append(&engine, "a", &nosy).unwrap();
    let told = std::mem::take(&mut *told.lock());
    assert!(told.len() == 2 && told.iter().all(|outcome| matches!(outcome, Err(AppendError::CalledFromCondition))));
}

#[test]
fn threads_that_defer_and_threads_that_wait_share_one_order() {
    for durability in [Durability::Sync, Durability::Os] {
        let directory = tempfile::tempdir().unwrap();
        let (engine, _) = open(directory.path(), durability).unwrap();
        let tickets: Vec<Vec<Ticket>> = std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..100).for_each(|_| drop(append(&engine, "w", &Condition::any()).unwrap())));
            }
            let one = || scope.spawn(|| (0..500).map(|_| any(&engine, "d")).collect());
            let running = [one(), one()];
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut numbers = Vec::new();
        for of_thread in &tickets {
            let own: Vec<u64> = of_thread.iter().map(|ticket| ticket.durable().unwrap().basis().get()).collect();
            assert!(own.is_sorted(), "{durability:?}: in the order of the calls");
            numbers.extend(own);
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((numbers.len(), count(&engine)), (1_000, 1_200), "{durability:?}");
    }
}
