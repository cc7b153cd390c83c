//! Cases about durability, closing and cost.

use super::support::{append, event, events, read, read_log, save, stream};
use super::{Bench, Outcome, case_list};
use crate::store::EventStore;
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::Durability;
use std::time::{Duration, Instant};

case_list!(life:
    sync_reaches_the_last_append,
    waiting_for_a_revision_beyond_the_log_is_an_error,
    a_closed_store_takes_no_more_appends,
    events_that_were_read_stay_valid_after_close,
    a_long_stream_does_not_make_appends_slow,
);

fn sync_reaches_the_last_append(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let receipt = append(&store, &one, &events(3), None).unwrap();
    if store.durability() == Durability::Sync {
        assert!(store.durable_revision() >= receipt.revision());
    }
    assert_eq!(store.sync().unwrap(), receipt.revision());
    if store.capabilities().persistent {
        assert_eq!(store.durable_revision(), receipt.revision());
        store.wait_durable(receipt.revision(), Duration::from_secs(60)).unwrap();
    } else {
        assert_eq!(store.durability(), Durability::Memory);
        assert_eq!(store.durable_revision(), Revision::EMPTY);
        let outcome = store.wait_durable(receipt.revision(), Duration::from_secs(60));
        assert!(matches!(outcome, Err(ReadError::TimedOut { .. })), "{outcome:?}");
    }
}

fn waiting_for_a_revision_beyond_the_log_is_an_error(bench: &Bench<'_>) {
    let store = bench.store();
    save(&store, &stream(), &events(2));
    match store.wait_durable(Revision::new(3), Duration::from_millis(50)) {
        Err(ReadError::NotReached { at, wanted }) => {
            assert_eq!((at, wanted), (Revision::new(2), Revision::new(3)));
        }
        other => panic!("expected an error, found {other:?}"),
    }
}

fn a_closed_store_takes_no_more_appends(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    save(&store, &one, &[event()]);
    let clone = store.clone();
    store.close().unwrap();
    store.close().unwrap();
    for store in [store, clone] {
        let outcome = append(&store, &one, &[event()], None);
        assert!(matches!(outcome, Err(AppendError::Closed)), "{outcome:?}");
        assert!(matches!(store.append_verbatim(&[]), Err(AppendError::Closed)));
        assert!(matches!(store.log().read(), Err(ReadError::Closed)));
    }
}

fn events_that_were_read_stay_valid_after_close(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let saved = save(&store, &one, &events(300));
    let found = read_log(&store);
    let transactions = super::support::transactions(&store);
    store.close().unwrap();
    drop(store);
    assert_eq!(found, saved);
    assert_eq!(transactions[0].events(), saved);
    assert!(found.iter().all(|event| event.decode::<serde_json::Value>().unwrap().is_object()));
}

/// How long the fastest of some appends to the stream takes: the least that it must cost.
fn least_cost(store: &EventStore, stream: &Stream) -> Duration {
    let timed = |_| {
        let event = event();
        let start = Instant::now();
        append(store, stream, &[event], None).unwrap();
        start.elapsed()
    };
    (0..50).map(timed).min().unwrap_or_default()
}

fn a_long_stream_does_not_make_appends_slow(bench: &Bench<'_>) -> Outcome {
    let (store, one) = (bench.store(), stream());
    if !store.capabilities().persistent {
        return Outcome::NotApplicable("an adapter in memory may look at all it holds".into());
    }
    append(&store, &one, &events(100), None).unwrap();
    let short = least_cost(&store, &one);
    for _ in 0..20 {
        append(&store, &one, &events(1_000), None).unwrap();
    }
    let long = least_cost(&store, &one);
    assert!(long < short * 20 + Duration::from_millis(1), "{short:?} at 100 events, {long:?} at 20,000");
    assert_eq!(read(&store, &one).len(), 20_200);
    Outcome::Passed
}
