//! Cases about the bounds, the direction and the limit of scans.

use super::support::{append, events, numbers, positions, save, stream, stream_in};
use super::{Bench, case_list};
use crate::store::{EventStore, Scan};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::{Position, Revision, SequenceNumber};
use std::ops::ControlFlow;

case_list!(bounds:
    log_scan_resumes_after_provided_sequence_number,
    category_scan_resumes_after_provided_sequence_number,
    stream_scan_resumes_after_provided_sequence_number,
    from_and_until_include_their_events,
    bounds_beyond_the_end_are_no_error,
    bounds_that_cross_give_nothing,
    bounds_combine,
    a_limit_counts_after_ordering,
    a_limit_of_zero_gives_nothing,
    reverse_gives_newest_first_within_the_bounds,
    at_shows_the_log_as_it_was,
    position_bounds_include_their_events,
    positions_need_a_stream,
    a_visitor_may_stop_early,
    the_parts_of_a_scan_give_the_whole,
    parts_of_a_stream_keep_to_its_positions,
);

/// A log of 20 events: 0, 1 and 4, 5 and so on in one stream, 2 and 6 and so on in its sibling, the others elsewhere.
fn filled(bench: &Bench<'_>) -> (EventStore, Stream) {
    let (store, one, elsewhere) = (bench.store(), stream(), stream());
    let sibling = stream_in(one.category());
    for _ in 0..5 {
        append(&store, &one, &events(2), None).unwrap();
        append(&store, &sibling, &events(1), None).unwrap();
        append(&store, &elsewhere, &events(1), None).unwrap();
    }
    (store, one)
}

fn number(number: u64) -> SequenceNumber {
    SequenceNumber::new(number)
}

fn found(scan: Scan) -> Vec<u64> {
    numbers(&scan.read().unwrap())
}

/// The three scans of the filled log, and the numbers that each has without bounds.
fn scans(store: &EventStore, stream: &Stream) -> [(Scan, Vec<u64>); 3] {
    let of = |wanted: fn(u64) -> bool| (0..20).filter(|number| wanted(*number)).collect();
    [
        (store.log().scan(), of(|_| true)),
        (store.category(stream.category()).scan(), of(|number| number % 4 != 3)),
        (store.stream(stream.category(), stream.stream()).scan(), of(|number| number % 4 < 2)),
    ]
}

/// Checks that the scan of every place resumes right after it.
fn resumes(scan: &Scan, all: &[u64]) {
    assert_eq!(found(scan.clone()), all);
    for after in 0..25 {
        let rest: Vec<u64> = all.iter().copied().filter(|number| *number > after).collect();
        assert_eq!(found(scan.clone().after(number(after))), rest, "after {after}");
    }
    assert_eq!(found(scan.clone().after(number(u64::MAX))), [0; 0]);
}

fn log_scan_resumes_after_provided_sequence_number(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    let [(scan, all), _, _] = scans(&store, &stream);
    resumes(&scan, &all);
}

fn category_scan_resumes_after_provided_sequence_number(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    let [_, (scan, all), _] = scans(&store, &stream);
    resumes(&scan, &all);
}

fn stream_scan_resumes_after_provided_sequence_number(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    let [_, _, (scan, all)] = scans(&store, &stream);
    resumes(&scan, &all);
}

fn from_and_until_include_their_events(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, all) in scans(&store, &stream) {
        for bound in 0..22 {
            let from: Vec<u64> = all.iter().copied().filter(|number| *number >= bound).collect();
            let until: Vec<u64> = all.iter().copied().filter(|number| *number <= bound).collect();
            assert_eq!(found(scan.clone().from(number(bound))), from, "from {bound}");
            assert_eq!(found(scan.clone().until(number(bound))), until, "until {bound}");
        }
    }
}

fn bounds_beyond_the_end_are_no_error(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, all) in scans(&store, &stream) {
        assert_eq!(found(scan.clone().until(number(u64::MAX))), all);
        assert_eq!(found(scan.clone().at(Revision::new(u64::MAX))), all);
        assert_eq!(found(scan.clone().limit(u64::MAX)), all);
        assert_eq!(found(scan.clone().from(number(u64::MAX))), [0; 0]);
        assert_eq!(found(scan.reverse().after(number(20))), [0; 0]);
    }
}

fn bounds_that_cross_give_nothing(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, _) in scans(&store, &stream) {
        assert_eq!(found(scan.clone().from(number(9)).until(number(8))), [0; 0]);
        assert_eq!(found(scan.clone().after(number(8)).until(number(8))), [0; 0]);
        assert_eq!(found(scan.clone().after(number(15)).at(Revision::new(4))), [0; 0]);
        assert_eq!(found(scan.reverse().from(number(9)).until(number(1))), [0; 0]);
    }
}

fn bounds_combine(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, all) in scans(&store, &stream) {
        let of = |from: u64, until: u64| -> Vec<u64> {
            all.iter().copied().filter(|number| (from..=until).contains(number)).collect()
        };
        assert_eq!(found(scan.clone().after(number(3)).until(number(12))), of(4, 12));
        assert_eq!(found(scan.clone().after(number(3)).from(number(8)).until(number(12))), of(8, 12));
        assert_eq!(found(scan.clone().after(number(9)).from(number(8)).at(Revision::new(13))), of(10, 12));
        assert_eq!(found(scan.clone().after(number(3)).limit(2)), of(4, 20)[..2]);
        let mut newest = of(0, 12);
        newest.reverse();
        assert_eq!(found(scan.reverse().until(number(12)).limit(3)), newest[..3]);
    }
}

fn a_limit_counts_after_ordering(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, mut all) in scans(&store, &stream) {
        for limit in [1, 2, 9, 10, 11, 20, 21] {
            let count = usize::try_from(limit).unwrap().min(all.len());
            assert_eq!(found(scan.clone().limit(limit)), all[..count]);
        }
        all.reverse();
        assert_eq!(found(scan.clone().reverse().limit(3)), all[..3]);
    }
}

fn a_limit_of_zero_gives_nothing(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, _) in scans(&store, &stream) {
        assert_eq!(found(scan.clone().limit(0)), [0; 0]);
        assert_eq!(found(scan.clone().reverse().limit(0)), [0; 0]);
        let mut visits = 0;
        scan.limit(0).visit(|_| visits += 1).unwrap();
        assert_eq!(visits, 0);
    }
}

fn reverse_gives_newest_first_within_the_bounds(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, mut all) in scans(&store, &stream) {
        all.reverse();
        assert_eq!(found(scan.clone().reverse()), all);
        let within: Vec<u64> = all.iter().copied().filter(|number| (5..=14).contains(number)).collect();
        assert_eq!(found(scan.clone().reverse().after(number(4)).until(number(14))), within);
        assert_eq!(found(scan.clone().reverse().from(number(5)).until(number(14))), within);
        let early: Vec<u64> = all.iter().copied().filter(|number| *number < 7).collect();
        assert_eq!(found(scan.reverse().at(Revision::new(7))), early);
    }
}

fn at_shows_the_log_as_it_was(bench: &Bench<'_>) {
    let (store, one) = (bench.store(), stream());
    let mut saved: Vec<StoredEvent> = Vec::new();
    let mut kept = vec![(store.revision().unwrap(), Vec::new())];
    for count in [1, 3, 2] {
        saved.extend(save(&store, &one, &events(count)));
        kept.push((store.revision().unwrap(), saved.clone()));
    }
    for (revision, then) in kept {
        assert_eq!(store.log().scan().at(revision).read().unwrap(), then);
        assert_eq!(store.category(one.category()).scan().at(revision).read().unwrap(), then);
        assert_eq!(store.stream(one.category(), one.stream()).scan().at(revision).read().unwrap(), then);
    }
}

fn position_bounds_include_their_events(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    let scan = store.stream(stream.category(), stream.stream()).scan();
    let position = Position::new;
    let places = |scan: Scan| positions(&scan.read().unwrap());
    for bound in 0..12 {
        assert_eq!(places(scan.clone().from_position(position(bound))), (bound..10).collect::<Vec<_>>());
        assert_eq!(places(scan.clone().until_position(position(bound))), (0..=bound.min(9)).collect::<Vec<_>>());
    }
    let between = scan.clone().from_position(position(3)).until_position(position(6));
    assert_eq!(places(between.clone()), [3, 4, 5, 6]);
    assert_eq!(places(between.clone().reverse()), [6, 5, 4, 3]);
    assert_eq!(places(between.clone().reverse().limit(2)), [6, 5]);
    assert_eq!(found(between.clone().after(number(9))), [12]);
    assert_eq!(places(between.at(Revision::new(10))), [3, 4, 5]);
    assert_eq!(places(scan.clone().from_position(position(6)).until_position(position(5))), [0; 0]);
    assert_eq!(places(scan.from_position(position(u64::MAX))), [0; 0]);
}

fn positions_need_a_stream(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for scan in [store.log().scan(), store.category(stream.category()).scan(), store.category("unknown").scan()] {
        for scan in [scan.clone().from_position(Position::new(0)), scan.until_position(Position::new(3))] {
            let outcome = scan.clone().read();
            assert!(matches!(outcome, Err(ReadError::PositionsNeedStream { .. })), "{outcome:?}");
            let outcome = scan.clone().visit(|_| ());
            assert!(matches!(outcome, Err(ReadError::PositionsNeedStream { .. })), "{outcome:?}");
            let mut items = scan.into_iter();
            assert!(matches!(items.next(), Some(Err(ReadError::PositionsNeedStream { .. }))));
            assert!(items.next().is_none());
        }
    }
}

fn a_visitor_may_stop_early(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    for (scan, all) in scans(&store, &stream) {
        let mut seen = Vec::new();
        scan.visit(|event| {
            seen.push(event.sequence_number().get());
            if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(seen, all[..3]);
    }
}

/// All of the parts, one behind the other.
fn found_in_parts(scan: Scan, count: usize) -> Vec<u64> {
    let parts = scan.split(count).unwrap();
    assert!((1..=count.max(1)).contains(&parts.len()), "{} parts of {count}", parts.len());
    parts.into_iter().flat_map(found).collect()
}

fn the_parts_of_a_scan_give_the_whole(bench: &Bench<'_>) {
    for which in 0..3 {
        let (store, stream) = filled(bench);
        let [log, category, of_stream] = scans(&store, &stream);
        let (scan, all) = [log, category, of_stream].into_iter().nth(which).unwrap();
        let middle = scan.clone().after(number(2)).from(number(1)).until(number(16)).at(Revision::new(15));
        let ways = [scan.clone(), scan.clone().reverse(), middle.clone(), middle.reverse()];
        let limited = [scan.clone().limit(4), scan.clone().reverse().limit(3), scan.clone().limit(0)];
        let nothing = scan.clone().from(number(9)).until(number(8));
        for scan in ways.into_iter().chain(limited).chain([nothing]) {
            for count in [0, 1, 2, 3, 7, 19, 20, 21, 1_000] {
                assert_eq!(found_in_parts(scan.clone(), count), found(scan.clone()), "{count} parts of {scan:?}");
            }
        }
        let parts = scan.clone().split(4).unwrap();
        assert_eq!(parts.len(), 4);
        append(&store, &stream, &events(1), None).unwrap();
        let later: Vec<u64> = parts.into_iter().flat_map(found).collect();
        assert_eq!(later, all, "what is appended later is in no part");
    }
}

fn parts_of_a_stream_keep_to_its_positions(bench: &Bench<'_>) {
    let (store, stream) = filled(bench);
    let [_, _, (scan, all)] = scans(&store, &stream);
    let scan = scan.from_position(Position::new(3)).until_position(Position::new(7));
    assert_eq!(found_in_parts(scan, 3), all[3..8]);
    let log = store.log().scan().from_position(Position::new(3)).split(3).unwrap();
    assert!(log.into_iter().all(|part| matches!(part.read(), Err(ReadError::PositionsNeedStream { .. }))));
}
