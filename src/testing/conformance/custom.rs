//! Cases about conditions of the user's own.

use super::support::{append, builder, event, events, is_called_from_condition, read, save, save_if, snapshot, stream};
use super::{Bench, case_list, support};
use crate::vocabulary::condition::{Condition, stream_exists, stream_is_empty};
use crate::vocabulary::error::AppendError;
use crate::vocabulary::number::Revision;
use parking_lot::Mutex;
use std::sync::Arc;

case_list!(custom:
    a_custom_condition_sees_the_last_event_or_none,
    a_custom_condition_that_says_no_refuses_the_append,
    a_custom_condition_that_panics_refuses_that_append_alone,
    calling_the_store_from_a_condition_is_an_error,
);

fn a_custom_condition_sees_the_last_event_or_none(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = || {
        let seen = Arc::clone(&seen);
        Condition::custom("look", move |last| {
            seen.lock().push(last.map(|event| event.to_stored()));
            true
        })
    };
    save_if(&store, &one, &events(3), look());
    save(&store, &stream(), &[event()]);
    save_if(&store, &one, &[builder().with_name("last").build()], look());
    save_if(&store, &one, &[], look() & stream_exists());
    let found = read(&store, &one);
    assert_eq!(*seen.lock(), [None, Some(found[2].clone()), Some(found[3].clone())]);
}

fn a_custom_condition_that_says_no_refuses_the_append(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    let open = Condition::custom("open", |last| last.is_none_or(|event| event.name() != "closed"));
    save_if(&store, &stream, &[builder().with_name("closed").build()], open.clone());
    let before = snapshot(&store);
    let unmet = support::unmet(append(&store, &stream, &[event()], open.clone()));
    assert_eq!(unmet.expected, open);
    assert_eq!(snapshot(&store), before);
}

fn a_custom_condition_that_panics_refuses_that_append_alone(bench: &Bench<'_>) {
    let (store, stream) = (bench.store(), stream());
    save(&store, &stream, &[event()]);
    let before = snapshot(&store);
    // A panic that runs no hook keeps the output of tests clean.
    let bomb = || Condition::custom("bomb", |_| std::panic::resume_unwind(Box::new("boom".to_owned())));
    for condition in [bomb(), stream_exists() & bomb(), stream_is_empty() | bomb()] {
        match append(&store, &stream, &[event()], condition) {
            Err(AppendError::ConditionPanicked { condition, message }) => {
                assert_eq!((&*condition, message.as_str()), ("bomb", "boom"));
            }
            other => panic!("expected that the panic refuses the append, found {other:?}"),
        }
        assert_eq!(snapshot(&store), before);
    }
    save_if(&store, &stream, &[event()], stream_exists());
    assert_eq!(read(&store, &stream).len(), 2);
}

fn calling_the_store_from_a_condition_is_an_error(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    save(&store, &one, &[event()]);
    let (inner, target, calls) = (store.clone(), one.clone(), Arc::new(Mutex::new(0)));
    let counted = Arc::clone(&calls);
    let meddling = Condition::custom("meddling", move |_| {
        let refused = append(&inner, &target, &[event()], None);
        let refused = matches!(refused, Err(AppendError::CalledFromCondition))
            && matches!(inner.append_verbatim(&[]), Err(AppendError::CalledFromCondition))
            && matches!(inner.sync(), Err(AppendError::CalledFromCondition))
            && is_called_from_condition(&inner.revision())
            && is_called_from_condition(&inner.log().read())
            && is_called_from_condition(&inner.log().latest())
            && is_called_from_condition(&inner.categories())
            && is_called_from_condition(&inner.category(target.category()).streams())
            && is_called_from_condition(&inner.transactions(Revision::EMPTY).map(|_| ()))
            && is_called_from_condition(&inner.transaction("id"))
            && is_called_from_condition(&inner.record("namespace", "key"))
            && is_called_from_condition(&inner.records("namespace"))
            && is_called_from_condition(&inner.stats());
        *counted.lock() += 1;
        refused
    });
    save_if(&store, &one, &[event()], meddling);
    assert_eq!(*calls.lock(), 1);
    assert_eq!(read(&store, &one).len(), 2);
    assert_eq!(store.log().read().unwrap().len(), 2);
}
