//! Cases about deferred appends: their order, and what their tickets tell.

use super::support::{append, at_once, event, events, expected, light, one_event, read, read_log, stream, unmet};
use super::{Bench, Outcome, case_list};
use crate::store::EventStore;
use crate::vocabulary::condition::{Condition, IntoCondition, position_is, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::options::Options;
use crate::vocabulary::ticket::Ticket;
use crate::vocabulary::transaction::{SystemRecord, transaction};
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, current, park};
use std::time::Duration;

case_list!(deferred:
    a_deferred_append_writes_what_a_plain_one_would,
    deferred_appends_keep_the_order_of_the_calls,
    what_a_thread_appends_after_deferring_comes_later,
    a_ticket_learns_both_steps_however_it_is_asked,
    what_a_ticket_says_is_durable_is_read,
    deferred_conditions_see_what_was_deferred_before,
    a_deferred_refusal_says_what_was_found_and_writes_nothing,
    a_deferred_repetition_gives_the_first_receipt,
    what_needs_no_judgement_is_refused_without_a_ticket,
    callbacks_are_called_once_for_each_step,
    futures_give_what_waiting_gives,
    of_all_that_defer_at_once_one_wins,
    threads_that_defer_keep_their_order,
    dropping_a_ticket_cancels_nothing,
    closing_makes_durable_what_was_deferred,
    what_is_in_flight_has_a_bound,
);

/// Longer than anything takes that is not stuck.
const LONG: Duration = Duration::from_secs(60);

fn defer(store: &EventStore, stream: &Stream, events: &[NewEvent], condition: impl IntoCondition) -> Ticket {
    let handle = store.stream(stream.category(), stream.stream());
    handle.publish_deferred_if(events.to_vec(), condition).unwrap()
}

fn a_deferred_append_writes_what_a_plain_one_would(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let plain = events(3);
    append(&store, &one, &plain, None).unwrap();
    let later = events(4);
    let receipt = defer(&store, &one, &later, position_is(2)).durable_for(LONG).unwrap();
    assert_eq!((receipt.count(), receipt.basis().get(), receipt.last_position().unwrap().get()), (4, 3, 6));
    assert_eq!(receipt.durability(), store.durability());
    assert_eq!(read(&store, &one)[3..], expected(&store, &one, &later, &receipt));
    if store.capabilities().system_records && store.capabilities().attributes {
        let whole = one_event().attribute("who", "ada").record(SystemRecord::set("ours", "key", "value"));
        let receipt = store.append_deferred(whole).unwrap().durable_for(LONG).unwrap();
        assert_eq!(store.record("ours", "key").unwrap().as_deref(), Some(&b"value"[..]));
        let stored = store.transactions(receipt.basis()).unwrap().last().unwrap().unwrap();
        assert!(stored.attributes().get("who").is_some() && stored.basis() == receipt.basis());
    }
}

fn deferred_appends_keep_the_order_of_the_calls(bench: &Bench<'_>) {
    let (store, streams) = (bench.store(), [stream(), stream(), stream()]);
    // Small segments, so that some find no room and have to be put off.
    let tickets: Vec<Ticket> = (0..2_000).map(|call| defer(&store, &streams[call % 3], &light(1), None)).collect();
    for (number, ticket) in (0..).zip(&tickets) {
        let receipt = ticket.accepted_for(LONG).unwrap();
        assert_eq!((receipt.basis().get(), receipt.last_position().unwrap().get()), (number, number / 3));
    }
    tickets[1_999].durable_for(LONG).unwrap();
    assert!(tickets.iter().all(|ticket| matches!(ticket.try_durable(), Some(Ok(_)))));
    assert_eq!(read_log(&store).len(), 2_000);
}

fn what_a_thread_appends_after_deferring_comes_later(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    for round in 0..200 {
        let deferred = defer(&store, &one, &light(1), None);
        let plain = append(&store, &one, &light(1), None).unwrap();
        assert_eq!(plain.basis().get(), round * 2 + 1);
        assert_eq!(deferred.accepted_for(LONG).unwrap().basis().get(), round * 2);
    }
}

fn a_ticket_learns_both_steps_however_it_is_asked(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let ticket = defer(&store, &one, &[event()], None);
    let accepted = ticket.accepted().unwrap();
    assert_eq!(ticket.try_accepted().unwrap().unwrap(), accepted);
    assert_eq!(ticket.durable().unwrap(), accepted);
    assert_eq!(ticket.try_durable().unwrap().unwrap(), accepted);
    assert_eq!(ticket.clone().durable_for(Duration::ZERO).unwrap(), accepted);
    assert_eq!(ticket.accepted_for(Duration::ZERO).unwrap(), accepted);
    if store.capabilities().persistent {
        assert!(store.durable_revision() >= accepted.revision());
    }
}

fn what_a_ticket_says_is_durable_is_read(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    for length in 1..=100 {
        defer(&store, &one, &light(1), None).durable_for(LONG).unwrap();
        assert_eq!(store.revision().unwrap().get(), length);
        assert_eq!(read(&store, &one).len() as u64, length);
    }
}

fn deferred_conditions_see_what_was_deferred_before(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let mut tickets = vec![defer(&store, &one, &light(1), stream_is_empty())];
    tickets.extend((0..500).map(|last| defer(&store, &one, &light(1), position_is(last))));
    assert!(tickets.iter().all(|ticket| ticket.durable_for(LONG).is_ok()));
}

fn a_deferred_refusal_says_what_was_found_and_writes_nothing(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let first = defer(&store, &one, &light(2), None);
    let refused = defer(&store, &one, &light(1), position_is(7));
    let found = unmet(refused.accepted_for(LONG));
    assert_eq!(found.actual.map(|position| position.get()), Some(1));
    assert_eq!(unmet(refused.durable_for(LONG)).stream, one);
    let next = defer(&store, &one, &light(1), position_is(1)).durable_for(LONG).unwrap();
    assert_eq!((first.durable_for(LONG).unwrap().basis().get(), next.basis().get()), (0, 2));
    let empty = defer(&store, &one, &[], position_is(2)).durable_for(LONG).unwrap();
    assert_eq!((empty.count(), empty.basis().get()), (0, 3));
    assert!(defer(&store, &one, &[], stream_is_empty()).durable_for(LONG).unwrap_err().is_conflict());
    assert_eq!(store.revision().unwrap().get(), 3);
}

fn a_deferred_repetition_gives_the_first_receipt(bench: &Bench<'_>) -> Outcome {
    let store = bench.store();
    if !store.capabilities().transaction_ids {
        return Outcome::NotApplicable("the adapter has no transaction ids".into());
    }
    let whole = one_event().id("t");
    let first = store.append_deferred(whole.clone()).unwrap();
    let again = store.append_deferred(whole.clone()).unwrap();
    let other = store.append_deferred(one_event().id("t")).unwrap();
    let receipt = first.durable_for(LONG).unwrap();
    let repeated = again.durable_for(LONG).unwrap();
    assert!(repeated == receipt && repeated.is_repeat() && !receipt.is_repeat());
    let outcome = other.durable_for(LONG);
    assert!(matches!(outcome, Err(AppendError::DuplicateTransaction { .. })), "{outcome:?}");
    assert!(store.append(whole).unwrap().is_repeat());
    assert_eq!(store.revision().unwrap().get(), 1);
    Outcome::Passed
}

fn what_needs_no_judgement_is_refused_without_a_ticket(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let long = transaction().stream("c", "s".repeat(70_000), [event()]);
    let outcome = store.append_deferred(long);
    assert!(matches!(outcome, Err(AppendError::Limit(_))), "{outcome:?}");
    let (inner, told) = (store.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&told);
    let nosy = Condition::custom("nosy", move |_| {
        seen.lock().unwrap().push(inner.append_deferred(one_event()).map(drop));
        true
    });
    append(&store, &one, &[event()], nosy).unwrap();
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert!(matches!(told[..], [Err(AppendError::CalledFromCondition)]), "{told:?}");
    assert_eq!(store.revision().unwrap().get(), 1);
    store.close().unwrap();
    assert!(matches!(store.append_deferred(one_event()), Err(AppendError::Closed)));
}

fn callbacks_are_called_once_for_each_step(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let (sender, receiver) = channel();
    for number in 0..100_u64 {
        let ticket = defer(&store, &one, &light(1), None);
        let (first, second, inner) = (sender.clone(), sender.clone(), store.clone());
        ticket.on_accepted(move |outcome| first.send((0, number, outcome.unwrap().basis().get())).unwrap());
        ticket.on_durable(move |outcome| {
            // A callback may use the store.
            assert!(inner.revision().unwrap() >= outcome.as_ref().unwrap().revision());
            second.send((1, number, outcome.unwrap().basis().get())).unwrap();
        });
    }
    let told: Vec<_> = (0..200).map(|_| receiver.recv_timeout(LONG).unwrap()).collect();
    assert!(told.iter().all(|(_, number, basis)| number == basis), "{told:?}");
    for step in [0, 1] {
        let mut numbers: Vec<u64> = told.iter().filter(|told| told.0 == step).map(|told| told.1).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..100), "step {step}: {told:?}");
    }
    drop(sender);
    assert!(receiver.recv_timeout(LONG).is_err(), "each is called once, and dropped then");
    let refused = defer(&store, &one, &light(1), stream_is_empty());
    let (sender, receiver) = channel();
    refused.on_durable(move |outcome| sender.send(outcome.unwrap_err().is_conflict()).unwrap());
    assert!(receiver.recv_timeout(LONG).unwrap());
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => park(),
        }
    }
}

fn futures_give_what_waiting_gives(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    for number in 0..50 {
        let ticket = defer(&store, &one, &light(1), None);
        let (accepted, durable) = (ticket.when_accepted(), ticket.when_durable());
        let receipt = block_on(async { (accepted.await.unwrap(), durable.await.unwrap()) });
        assert_eq!((receipt.0.basis().get(), receipt.1.basis().get()), (number, number));
    }
    let refused = defer(&store, &one, &light(1), stream_is_empty());
    assert!(block_on(refused.when_accepted()).unwrap_err().is_conflict());
}

fn of_all_that_defer_at_once_one_wins(bench: &Bench<'_>) {
    for _ in 0..bench.options.repeats.min(20) {
        let (store, one) = (bench.store(), stream());
        let outcomes = at_once(bench.options.threads, |_| {
            let ticket = defer(&store, &one, &light(2), stream_is_empty());
            ticket.durable_for(LONG)
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.into_iter().filter_map(Result::err).all(|error| error.is_conflict()));
        assert_eq!(read(&store, &one).len(), 2);
    }
}

fn threads_that_defer_keep_their_order(bench: &Bench<'_>) {
    let (store, threads) = (bench.store(), bench.options.threads.min(8));
    let streams: Vec<Stream> = (0..threads).map(|_| stream()).collect();
    let tickets = at_once(threads, |thread| {
        (0..200).map(|_| defer(&store, &streams[thread], &light(1), None)).collect::<Vec<Ticket>>()
    });
    for of_thread in &tickets {
        for (position, ticket) in (0..).zip(of_thread) {
            assert_eq!(ticket.durable_for(LONG).unwrap().last_position().unwrap().get(), position);
        }
    }
    assert_eq!(read_log(&store).len(), threads * 200);
}

fn dropping_a_ticket_cancels_nothing(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    for _ in 0..100 {
        drop(defer(&store, &one, &light(1), None));
    }
    defer(&store, &one, &light(1), None).durable_for(LONG).unwrap();
    assert_eq!(read(&store, &one).len(), 101);
}

fn closing_makes_durable_what_was_deferred(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let tickets: Vec<Ticket> = (0..500).map(|_| defer(&store, &one, &light(1), None)).collect();
    let (sender, receiver) = channel();
    tickets[499].on_durable(move |outcome| sender.send(outcome.is_ok()).unwrap());
    store.close().unwrap();
    assert!(tickets.iter().all(|ticket| matches!(ticket.try_durable(), Some(Ok(_)))));
    assert!(receiver.recv_timeout(LONG).unwrap());
}

fn what_is_in_flight_has_a_bound(bench: &Bench<'_>) -> Outcome {
    if let Some(deaf) = bench.deaf() {
        return deaf;
    }
    let budget = 2_000;
    let (store, one) = (bench.store_with(&Options::new().deferred_bytes(budget)), stream());
    let handle = store.stream(one.category(), one.stream());
    let (mut written, mut full) = (0, 0);
    for _ in 0..5_000 {
        match handle.publish_deferred(light(1)) {
            Ok(_) => written += 1,
            Err(AppendError::Full { asked, in_flight, budget: told }) => {
                assert!(told == budget && in_flight + asked > budget, "{asked} with {in_flight}");
                full += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    store.close().unwrap();
    if full == 0 && !store.capabilities().persistent {
        assert_eq!(written, 5_000);
        return Outcome::NotApplicable("what is in memory is never in flight".into());
    }
    assert!(written > 0 && full > 0, "{written} written, {full} refused");
    Outcome::Passed
}
