//! Cases about many threads that append at the same moment.

use super::support::{
    append, at_once, light as events, light_event as event, numbers, positions, read, save, stream, stream_in,
};
use super::{Bench, Outcome, case_list, support};
use crate::store::EventStore;
use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::transaction::{Receipt, transaction};

case_list!(races:
    simultaneous_checked_writes_to_empty_stream_write_once,
    simultaneous_checked_writes_to_existing_stream_write_once,
    simultaneous_unchecked_writes_are_serialised,
    simultaneous_checked_category_writes_to_empty_streams_write_once,
    simultaneous_checked_category_writes_to_existing_streams_write_once,
    simultaneous_category_writes_to_disjoint_streams_all_succeed,
    simultaneous_unchecked_category_writes_do_not_interleave,
    simultaneous_writes_that_exclude_each_other_write_once,
    simultaneous_repeats_of_a_transaction_write_once,
    simultaneous_read_decide_append_counts_exactly,
);

/// Runs a race as often as the options say. Each round uses names of its own; a new adapter now and then keeps logs short.
fn rounds(bench: &Bench<'_>, race: impl Fn(&EventStore, usize)) {
    let mut store = bench.store();
    for round in 0..bench.options.repeats {
        if round % 10 == 9 {
            store = bench.store();
        }
        race(&store, bench.options.threads);
    }
}

/// The one receipt among the outcomes; all others must have failed on their condition and on nothing else.
#[track_caller]
fn only_winner(outcomes: Vec<Result<Receipt, AppendError>>) -> Receipt {
    let mut winner = None;
    for outcome in outcomes {
        match outcome {
            Ok(receipt) => assert!(winner.replace(receipt).is_none(), "two appenders won"),
            Err(AppendError::Unmet(_)) => {}
            Err(other) => panic!("a loser of the race failed otherwise than on its condition: {other:?}"),
        }
    }
    winner.unwrap_or_else(|| panic!("nobody won"))
}

/// A transaction of two events in each of two streams.
fn publish_to_both(
    store: &EventStore,
    streams: &[Stream; 2],
    batch: [Vec<NewEvent>; 2],
    condition: &Condition,
) -> Result<Receipt, AppendError> {
    let parts = streams.iter().zip(batch).map(|(stream, events)| (stream.stream(), events, condition.clone()));
    store.category(streams[0].category()).publish_if(parts)
}

fn two_of_one_category() -> [Stream; 2] {
    let one = stream();
    let two = stream_in(one.category());
    [one, two]
}

fn simultaneous_checked_writes_to_empty_stream_write_once(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let stream = stream();
        let batches: Vec<_> = (0..threads).map(|_| events(2)).collect();
        let outcomes = at_once(threads, |thread| append(store, &stream, &batches[thread], stream_is_empty()));
        let won = outcomes.iter().position(Result::is_ok).unwrap();
        let winner = only_winner(outcomes);
        assert_eq!(read(store, &stream), support::expected(store, &stream, &batches[won], &winner));
    });
}

fn simultaneous_checked_writes_to_existing_stream_write_once(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let stream = stream();
        let mut content = save(store, &stream, &events(2));
        let batches: Vec<_> = (0..threads).map(|_| events(2)).collect();
        let outcomes = at_once(threads, |thread| append(store, &stream, &batches[thread], position_is(1)));
        let won = outcomes.iter().position(Result::is_ok).unwrap();
        let winner = only_winner(outcomes);
        content.extend(support::expected(store, &stream, &batches[won], &winner));
        assert_eq!(read(store, &stream), content);
    });
}

fn simultaneous_unchecked_writes_are_serialised(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let stream = stream();
        let batches: Vec<_> = (0..threads).map(|_| events(3)).collect();
        let receipts = at_once(threads, |thread| append(store, &stream, &batches[thread], None).unwrap());
        let content = read(store, &stream);
        assert_eq!(positions(&content), (0..3 * threads as u64).collect::<Vec<_>>());
        assert!(numbers(&content).is_sorted_by(|one, two| one < two));
        let mut saved: Vec<_> = batches.iter().zip(&receipts).collect();
        saved.sort_by_key(|(_, receipt)| receipt.basis());
        let expected: Vec<_> =
            saved.into_iter().flat_map(|(batch, receipt)| support::expected(store, &stream, batch, receipt)).collect();
        assert_eq!(content, expected);
    });
}

fn simultaneous_checked_category_writes_to_empty_streams_write_once(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let streams = two_of_one_category();
        let outcomes =
            at_once(threads, |_| publish_to_both(store, &streams, [events(2), events(2)], &stream_is_empty()));
        let winner = only_winner(outcomes);
        let content = store.category(streams[0].category()).read().unwrap();
        assert_eq!(content, store.events_of(&winner).unwrap());
        assert_eq!(positions(&content), [0, 1, 0, 1]);
    });
}

fn simultaneous_checked_category_writes_to_existing_streams_write_once(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let streams = two_of_one_category();
        let any = Condition::any();
        let first = publish_to_both(store, &streams, [events(2), events(2)], &any).unwrap();
        let outcomes = at_once(threads, |_| publish_to_both(store, &streams, [events(2), events(2)], &position_is(1)));
        let winner = only_winner(outcomes);
        let content = store.category(streams[0].category()).read().unwrap();
        let expected = [store.events_of(&first).unwrap(), store.events_of(&winner).unwrap()].concat();
        assert_eq!(content, expected);
        assert_eq!(positions(&content), [0, 1, 0, 1, 2, 3, 2, 3]);
    });
}

fn simultaneous_category_writes_to_disjoint_streams_all_succeed(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let category = support::category();
        let pairs: Vec<_> = (0..threads).map(|_| [stream_in(&category), stream_in(&category)]).collect();
        let receipts = at_once(threads, |thread| {
            publish_to_both(store, &pairs[thread], [events(1), events(1)], &stream_is_empty()).unwrap()
        });
        assert_eq!(store.category(category.as_str()).read().unwrap().len(), 2 * threads);
        for (pair, receipt) in pairs.iter().zip(&receipts) {
            let found = store.events_of(receipt).unwrap();
            assert_eq!([read(store, &pair[0]), read(store, &pair[1])].concat(), found);
        }
    });
}

fn simultaneous_unchecked_category_writes_do_not_interleave(bench: &Bench<'_>) {
    rounds(bench, |store, threads| {
        let streams = two_of_one_category();
        let any = Condition::any();
        let receipts = at_once(threads, |_| publish_to_both(store, &streams, [events(2), events(1)], &any).unwrap());
        let content = store.category(streams[0].category()).read().unwrap();
        assert_eq!(content.len(), 3 * threads);
        let mut receipts = receipts;
        receipts.sort_by_key(Receipt::basis);
        let expected: Vec<_> = receipts.iter().flat_map(|receipt| store.events_of(receipt).unwrap()).collect();
        assert_eq!(content, expected);
        assert_eq!(positions(&read(store, &streams[0])), (0..2 * threads as u64).collect::<Vec<_>>());
        assert_eq!(positions(&read(store, &streams[1])), (0..threads as u64).collect::<Vec<_>>());
    });
}

/// Each writes one stream on the condition that the other one is empty: judged one by one, one of them must lose.
fn simultaneous_writes_that_exclude_each_other_write_once(bench: &Bench<'_>) {
    rounds(bench, |store, _| {
        let pair = [stream(), stream()];
        let outcomes = at_once(2, |thread| {
            let (mine, other) = (&pair[thread], &pair[1 - thread]);
            store.append(transaction().stream_if(other.category(), other.stream(), [], stream_is_empty()).stream(
                mine.category(),
                mine.stream(),
                [event()],
            ))
        });
        only_winner(outcomes);
        assert_eq!(read(store, &pair[0]).len() + read(store, &pair[1]).len(), 1);
    });
}

fn simultaneous_repeats_of_a_transaction_write_once(bench: &Bench<'_>) -> Outcome {
    if !bench.store().capabilities().transaction_ids {
        return support::lacks(bench.store().append(support::one_event().id("t")));
    }
    rounds(bench, |store, threads| {
        let (stream, id) = (stream(), crate::testing::data::random_uuid4_string());
        let content: Vec<NewEvent> = events(2);
        let receipts = at_once(threads, |_| {
            let part = transaction().id(id.as_str());
            store.append(part.stream(stream.category(), stream.stream(), content.clone())).unwrap()
        });
        assert_eq!(receipts.iter().filter(|receipt| !receipt.is_repeat()).count(), 1);
        assert!(receipts.iter().all(|receipt| *receipt == receipts[0]));
        assert_eq!(read(store, &stream).len(), 2);
    });
    Outcome::Passed
}

/// Everyone reads the last position, decides, appends on it, and tries again after a conflict: nobody's turn is lost.
fn simultaneous_read_decide_append_counts_exactly(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let turns = (bench.options.repeats / 50).max(1);
    let handle = store.stream(stream.category(), stream.stream());
    at_once(bench.options.threads.min(8), |_| {
        for _ in 0..turns {
            crate::store::retry_on_conflict(usize::MAX, || {
                let last = handle.latest()?;
                let count = last.as_ref().map_or(0, |last: &StoredEvent| last.name().parse::<usize>().unwrap());
                let next = support::builder().with_name((count + 1).to_string()).build();
                Ok(handle.publish_if([next], position_is(last.map(|last| last.position())))?)
            })
            .unwrap();
        }
    });
    let total = bench.options.threads.min(8) * turns;
    assert_eq!(handle.latest().unwrap().unwrap().name(), total.to_string());
    assert_eq!(read(&store, &stream).len(), total);
}
