//! Histories made by hand, good and bad: both checkers take the good ones, and refuse each bad one for what is wrong with it.

use super::history::{Answer, Call, Operation, Restart, Window, Wrong};
use super::model::{Guard, Ledger, List, Part, Placed, State, Submission};
use super::search::{Verdict, search};
use super::{linearize, order};
use std::sync::Arc;

/// A transaction of one event for one stream.
fn one(tag: u64, stream: usize, guard: Guard) -> Arc<Submission> {
    Arc::new(Submission { tag, id: false, parts: vec![Part { stream, events: 1, guard }] })
}

fn with_id(tag: u64) -> Arc<Submission> {
    Arc::new(Submission { id: true, ..Submission::clone(&one(tag, 0, Guard::Any)) })
}

fn any(tag: u64) -> Arc<Submission> {
    one(tag, 0, Guard::Any)
}

fn at(basis: u64, last: u64) -> Placed {
    Placed { basis, revision: basis + 1, last: Some(last) }
}

/// Who, from when to when, what, and what came of it.
type Row = (usize, u64, u64, Call, Answer);

fn append(thread: usize, from: u64, to: u64, submission: &Arc<Submission>, answer: Answer) -> Row {
    (thread, from, to, Call::Append(Arc::clone(submission)), answer)
}

fn operations(rows: &[Row]) -> Vec<Operation> {
    let operation =
        |(thread, invoked, answered, call, answer): Row| Operation { thread, invoked, answered, call, answer };
    rows.iter().cloned().map(operation).collect()
}

/// A window at whose end the log is this.
fn quiet(rows: &[Row], log: &[&Arc<Submission>]) -> Window {
    Window { operations: operations(rows), visible: Some(log.iter().copied().cloned().collect()), restart: None }
}

/// A window at whose end one log was visible, and after a restart another was found.
fn crashed(
    rows: &[Row],
    visible: &[&Arc<Submission>],
    found: &[&Arc<Submission>],
    may_roll_back: bool,
    durable: u64,
) -> Window {
    let found = found.iter().copied().cloned().collect();
    Window { restart: Some(Restart { how: "a crash", may_roll_back, durable, found }), ..quiet(rows, visible) }
}

fn base(log: &[&Arc<Submission>]) -> Ledger {
    let mut ledger = Ledger::new();
    ledger.become_log(&log.iter().copied().cloned().collect::<Vec<_>>());
    ledger
}

fn after(log: &[&Arc<Submission>]) -> State {
    base(log).state()
}

fn events(log: &[&Arc<Submission>]) -> List {
    after(log).log
}

fn good(base: &Ledger, window: &Window) {
    order::check(base, window).unwrap_or_else(|finding| panic!("{finding}\n{window}"));
    assert!(matches!(search(base, window), Verdict::Linearizable), "{window}");
}

fn bad(base: &Ledger, window: &Window, wrong: Wrong) {
    match order::check(base, window) {
        Err(finding) => assert_eq!(finding.wrong, wrong, "{finding}\n{window}"),
        Ok(()) => panic!("taken for good:\n{window}"),
    }
    match search(base, window) {
        Verdict::Not(finding) => assert_eq!(finding.wrong, Wrong::NotLinearizable),
        other => panic!("{other:?}:\n{window}"),
    }
}

#[test]
fn an_order_that_explains_everything_is_found() {
    let (a, b, c) = (any(1), one(2, 0, Guard::LastIs(0)), one(3, 1, Guard::Empty));
    let rows = [
        append(0, 1, 10, &a, Answer::Appended(at(0, 0))),
        // Began first and came second.
        append(1, 0, 12, &b, Answer::Appended(at(1, 1))),
        append(2, 2, 9, &one(4, 0, Guard::LastIs(4)), Answer::Refused { stream: 0, last: Some(0) }),
        append(2, 11, 14, &c, Answer::Appended(at(2, 0))),
        (3, 3, 8, Call::Last(0), Answer::Last(None)),
        (3, 9, 13, Call::Log, Answer::Events(events(&[&a, &b]))),
        (4, 4, 20, Call::Revision, Answer::Revision(3)),
        (5, 15, 16, Call::Sync, Answer::Revision(3)),
        (5, 17, 18, Call::Stream(1), Answer::Events(after(&[&a, &b, &c]).streams[1])),
    ];
    good(&base(&[]), &quiet(&rows, &[&a, &b, &c]));
}

#[test]
fn a_stale_read_is_refused() {
    let (a, b) = (any(1), any(2));
    let first = append(0, 1, 2, &b, Answer::Appended(at(1, 1)));
    for stale in [
        (1, 3, 4, Call::Last(0), Answer::Last(Some(0))),
        (1, 3, 4, Call::Revision, Answer::Revision(1)),
        (0, 3, 4, Call::Log, Answer::Events(events(&[&a]))),
        (1, 3, 4, Call::Stream(0), Answer::Events(after(&[&a]).streams[0])),
    ] {
        bad(&base(&[&a]), &quiet(&[first.clone(), stale.clone()], &[&a, &b]), Wrong::StaleRead);
        // At the same time it would be right.
        let meanwhile = (stale.0 + 1, 1, stale.2, stale.3, stale.4);
        good(&base(&[&a]), &quiet(&[first.clone(), meanwhile], &[&a, &b]));
    }
}

#[test]
fn a_thread_that_goes_back_in_time_is_refused() {
    let (a, b) = (any(1), any(2));
    let rows = [
        append(0, 1, 9, &b, Answer::Appended(at(1, 1))),
        (1, 2, 3, Call::Revision, Answer::Revision(2)),
        (1, 4, 5, Call::Revision, Answer::Revision(1)),
    ];
    bad(&base(&[&a]), &quiet(&rows, &[&a, &b]), Wrong::StaleRead);
}

#[test]
fn a_read_of_what_never_was_is_refused() {
    let (a, b) = (any(1), any(2));
    let rows = [(1, 2, 3, Call::Log, Answer::Events(events(&[&b, &a])))];
    bad(&base(&[&a]), &quiet(&rows, &[&a]), Wrong::NeverSeen);
    // Half a transaction.
    let two = Arc::new(Submission { tag: 3, id: false, parts: vec![Part { stream: 0, events: 2, guard: Guard::Any }] });
    let placed = Placed { basis: 1, revision: 3, last: Some(2) };
    let rows = [append(0, 1, 9, &two, Answer::Appended(placed)), (1, 2, 3, Call::Revision, Answer::Revision(2))];
    bad(&base(&[&a]), &quiet(&rows, &[&a, &two]), Wrong::NeverSeen);
}

#[test]
fn a_lost_acknowledged_append_is_refused() {
    let (a, b) = (any(1), any(2));
    let rows = [append(0, 1, 2, &b, Answer::Appended(at(1, 1)))];
    bad(&base(&[&a]), &quiet(&rows, &[&a]), Wrong::Lost);
    bad(&base(&[&a]), &quiet(&[], &[]), Wrong::Lost);
    bad(&base(&[&a]), &crashed(&rows, &[&a, &b], &[&a], false, 0), Wrong::Lost);
    good(&base(&[&a]), &crashed(&rows, &[&a, &b], &[&a, &b], false, 0));
}

#[test]
fn two_winners_of_one_condition_are_refused() {
    let (a, b) = (one(1, 0, Guard::Empty), one(2, 0, Guard::Empty));
    let first = append(0, 1, 4, &a, Answer::Appended(at(0, 0)));
    let rows = [first.clone(), append(1, 2, 3, &b, Answer::Appended(at(1, 1)))];
    bad(&base(&[]), &quiet(&rows, &[&a, &b]), Wrong::ConditionUnmet);
    // Both were told the same place.
    let rows = [first.clone(), append(1, 2, 3, &b, Answer::Appended(at(0, 0)))];
    bad(&base(&[]), &quiet(&rows, &[&a]), Wrong::Lost);
    let rows = [first, append(1, 2, 3, &b, Answer::Refused { stream: 0, last: Some(0) })];
    good(&base(&[]), &quiet(&rows, &[&a]));
}

#[test]
fn a_refusal_that_no_state_explains_is_refused() {
    let a = any(1);
    let refused = |last| append(0, 1, 2, &one(2, 0, Guard::LastIs(0)), Answer::Refused { stream: 0, last });
    // It holds.
    bad(&base(&[&a]), &quiet(&[refused(Some(0))], &[&a]), Wrong::UnexplainedRefusal);
    // It does not hold, and this was never the last position.
    bad(&base(&[&a, &any(3)]), &quiet(&[refused(Some(4))], &[&a, &any(3)]), Wrong::UnexplainedRefusal);
    bad(&base(&[&a, &any(3)]), &quiet(&[refused(None)], &[&a, &any(3)]), Wrong::UnexplainedRefusal);
    good(&base(&[&a, &any(3)]), &quiet(&[refused(Some(1))], &[&a, &any(3)]));
    // Refused because of what was appended only later.
    let later = append(1, 3, 4, &any(3), Answer::Appended(at(1, 1)));
    bad(&base(&[&a]), &quiet(&[refused(Some(1)), later], &[&a, &any(3)]), Wrong::AgainstRealTime);
}

#[test]
fn a_gap_is_refused() {
    let a = any(1);
    let rows = [(1, 2, 3, Call::Stream(0), Answer::Gap { expected: 0, found: 1 })];
    bad(&base(&[&a]), &quiet(&rows, &[&a]), Wrong::Gap);
}

#[test]
fn a_log_against_real_time_is_refused() {
    let (a, b) = (any(1), any(2));
    let rows =
        |from| [append(0, 1, 2, &b, Answer::Appended(at(1, 1))), append(1, from, 4, &a, Answer::Appended(at(0, 0)))];
    bad(&base(&[]), &quiet(&rows(3), &[&a, &b]), Wrong::AgainstRealTime);
    good(&base(&[]), &quiet(&rows(2), &[&a, &b]));
    // One of unknown outcome, too, comes no earlier than it began.
    let rows = [append(0, 1, 2, &b, Answer::Appended(at(1, 1))), append(1, 3, 4, &a, Answer::Unknown)];
    bad(&base(&[]), &crashed(&rows, &[&a, &b], &[&a, &b], false, 0), Wrong::AgainstRealTime);
}

#[test]
fn an_unknown_outcome_may_be_either_until_the_restart() {
    let (a, b) = (any(1), any(2));
    let rows = [append(0, 1, 2, &a, Answer::Unknown), append(1, 1, 3, &b, Answer::Unknown)];
    for found in [&[][..], &[&a], &[&b], &[&a, &b], &[&b, &a]] {
        good(&base(&[]), &crashed(&rows, &[], found, false, 0));
    }
    // Somebody saw it.
    let seen = [rows[0].clone(), (2, 4, 5, Call::Revision, Answer::Revision(1))];
    bad(&base(&[]), &crashed(&seen, &[&a], &[], false, 0), Wrong::Lost);
    good(&base(&[]), &crashed(&seen, &[&a], &[&a], false, 0));
}

#[test]
fn an_unknown_outcome_that_a_restart_had_dropped_stays_dropped() {
    let a = any(1);
    let mut ledger = base(&[]);
    let dropped = crashed(&[append(0, 1, 2, &a, Answer::Unknown)], &[], &[], false, 0);
    good(&ledger, &dropped);
    ledger.become_log(&[]);
    bad(&ledger, &quiet(&[], &[&a]), Wrong::Unowned);
    bad(&ledger, &crashed(&[], &[], &[&a], false, 0), Wrong::Unowned);
}

#[test]
fn what_was_certainly_not_done_is_not_there() {
    let a = any(1);
    for answer in [Answer::NotDone, Answer::Refused { stream: 0, last: None }] {
        bad(&base(&[]), &crashed(&[append(0, 1, 2, &a, answer)], &[], &[&a], false, 0), Wrong::Unowned);
    }
}

#[test]
fn a_repeat_gives_the_first_receipt() {
    let (a, b) = (with_id(1), any(2));
    let first = append(0, 1, 5, &a, Answer::Appended(at(0, 0)));
    let again = |from, placed| append(1, from, 9, &a, Answer::Repeated(placed));
    good(&base(&[]), &quiet(&[first.clone(), again(2, at(0, 0))], &[&a]));
    good(&base(&[&a]), &quiet(&[again(2, at(0, 0))], &[&a]));
    bad(&base(&[]), &quiet(&[first.clone(), again(2, at(1, 1))], &[&a]), Wrong::Receipt);
    bad(&base(&[&b]), &quiet(&[again(2, at(0, 0))], &[&b]), Wrong::Lost);
    // Told to two that each was the first.
    let both = [first.clone(), append(1, 2, 9, &a, Answer::Appended(at(0, 0)))];
    bad(&base(&[]), &quiet(&both, &[&a]), Wrong::Receipt);
    // In the log twice.
    let both = [first.clone(), append(1, 2, 9, &a, Answer::Appended(at(1, 1)))];
    bad(&base(&[]), &quiet(&both, &[&a, &a]), Wrong::Twice);
    // Its id is looked up before its condition.
    let guarded =
        Arc::new(Submission { tag: 3, id: true, parts: vec![Part { stream: 0, events: 1, guard: Guard::Empty }] });
    let refused = [append(0, 1, 2, &guarded, Answer::Refused { stream: 0, last: Some(0) })];
    bad(&base(&[&guarded]), &quiet(&refused, &[&guarded]), Wrong::UnexplainedRefusal);
}

#[test]
fn only_what_was_not_durable_may_be_rolled_back_and_only_from_the_end() {
    let (a, b, c) = (any(1), any(2), any(3));
    let rows = [append(0, 1, 2, &b, Answer::Appended(at(1, 1))), append(0, 3, 4, &c, Answer::Appended(at(2, 2)))];
    let all = [&a, &b, &c];
    good(&base(&[&a]), &crashed(&rows, &all, &[&a], true, 1));
    good(&base(&[&a]), &crashed(&rows, &all, &[], true, 0));
    good(&base(&[&a]), &crashed(&rows, &all, &all, true, 3));
    bad(&base(&[&a]), &crashed(&rows, &all, &[&a], true, 2), Wrong::Lost);
    bad(&base(&[&a]), &crashed(&rows, &all, &[&a, &c], true, 1), Wrong::Lost);
    let mut ledger = base(&all);
    ledger.become_log(&[Arc::clone(&a)]);
    assert_eq!((ledger.state(), ledger.find(2)), (after(&[&a]), None));
    bad(&ledger, &quiet(&[], &[&a, &b]), Wrong::Unowned);
}

#[test]
fn a_sync_covers_what_was_acknowledged_before_it() {
    let (a, b) = (any(1), any(2));
    let first = append(0, 1, 2, &b, Answer::Appended(at(1, 1)));
    let synced = |from, revision| (1, from, 9, Call::Sync, Answer::Revision(revision));
    bad(&base(&[&a]), &quiet(&[first.clone(), synced(3, 1)], &[&a, &b]), Wrong::SyncTooLow);
    good(&base(&[&a]), &quiet(&[first.clone(), synced(2, 1)], &[&a, &b]));
    good(&base(&[&a]), &quiet(&[first, synced(3, 2)], &[&a, &b]));
}

#[test]
fn every_answer_of_eight_threads_is_explained_whatever_crashes() {
    let outcome = linearize(1, 20_000, 2);
    assert_eq!(outcome.violations, [""; 0]);
    let least = [
        ("operations", 20_000),
        ("kills", 5),
        ("crashes", 10),
        ("closes", 1),
        ("unknown outcomes", 10),
        ("refusals", 1_000),
    ];
    for (what, least) in least {
        assert!(outcome.counts.get(what).is_some_and(|count| *count >= least), "{what}: {:?}", outcome.counts);
    }
    assert!(!outcome.counts.contains_key("windows whose search was given up"), "{:?}", outcome.counts);
}
