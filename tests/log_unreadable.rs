//! A disk that is gone under an open store: reads and appends that need its bytes get errors, and the process lives on.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::fs::OpenOptions;
use std::path::Path;
use stratalog::{
    AppendError, Condition, Durability, EventStore, IoFailure, NewEvent, Options, ReadError, Revision, transaction,
};

/// Where the first segment is cut: behind chunks that the system maps at once, and between two pages of its frames.
const LEFT: u64 = (128 << 10) + 4_096;
/// Events of the stream that is still there, then of one that is cut, then of one in segments that are not.
const EARLY: u64 = 50;
const LATE: u64 = 400;
const EVENTS: u64 = 700;

fn options() -> Options {
    Options::new().durability(Durability::Os).segment_bytes(512 << 10, 512 << 10)
}

fn kilobyte(number: u64) -> NewEvent {
    NewEvent::json("noted", &"x".repeat(900 + usize::try_from(number % 100).unwrap())).unwrap()
}

fn stream_of(number: u64) -> &'static str {
    match number {
        0..EARLY => "early",
        EARLY..LATE => "late",
        _ => "beyond",
    }
}

/// An open store of which nothing was read yet, and whose first segment has lost its end. To touch that in the map would end the
/// process.
fn cut_store(path: &Path, options: Options) -> EventStore {
    let store = open(path, options.clone());
    for number in 0..EVENTS {
        let id = format!("t-{number}");
        store.append(transaction().id(id).stream("c", stream_of(number), [kilobyte(number)])).unwrap();
    }
    store.close().unwrap();
    let store = open(path, options);
    let file = OpenOptions::new().write(true).open(path.join(segment(1))).unwrap();
    file.set_len(LEFT).unwrap();
    store
}

fn is_io(error: &ReadError) -> bool {
    matches!(error, ReadError::Io(IoFailure { doing: "read", path, .. }) if path.ends_with(segment(1)))
}

#[test]
fn what_is_left_can_be_read_and_the_rest_is_an_error() {
    for verify in [true, false] {
        let (_dir, path) = place();
        let store = cut_store(&path, options().verify_reads(verify));
        let early = store.stream("c", "early").scan().into_iter().filter(Result::is_ok).count();
        assert_eq!(early as u64, EARLY);
        let mut found = 0_u64;
        let error = store.log().scan().visit(|_| found += 1).unwrap_err();
        assert!(is_io(&error) && (100..130).contains(&found), "{error} after {found}");
        let mut events = store.log().scan().into_iter();
        let owned = events.by_ref().take_while(Result::is_ok).count();
        assert!(owned as u64 == found && events.next().is_none(), "{owned}");
        let late: Vec<_> = store.stream("c", "late").scan().into_iter().collect();
        let error = late.last().unwrap().as_ref().unwrap_err();
        assert!(is_io(error) && late.len() as u64 == found - EARLY + 1, "{error} after {}", late.len());
        assert!(is_io(&store.stream("c", "late").latest().unwrap_err()));
        assert_eq!(store.log().scan().reverse().limit(200).into_iter().filter(Result::is_ok).count(), 200);
        assert!(store.transaction("t-3").unwrap().is_some() && store.transaction("elsewhere").unwrap().is_none());
        assert!(is_io(&store.transaction("t-399").unwrap_err()));
        let mut whole = store.transactions(Revision::new(0)).unwrap();
        assert!(is_io(&whole.find_map(Result::err).unwrap()) && whole.next().is_none());
        assert!(is_io(&store.transactions(Revision::new(350)).map(drop).unwrap_err()));
    }
}

#[test]
fn an_append_that_needs_what_is_gone_is_refused_and_others_go_on() {
    let (_dir, path) = place();
    let store = cut_store(&path, options());
    let has_a_last = || Condition::custom("has a last event", |last| last.is_some());
    let refused = store.stream("c", "late").publish_if([kilobyte(7)], has_a_last());
    assert!(matches!(refused, Err(AppendError::Io(_))), "{refused:?}");
    let again = store.append(transaction().id("t-399").stream("c", "late", [kilobyte(399)]));
    assert!(matches!(again, Err(AppendError::Io(_))), "{again:?}");
    store.stream("c", "early").publish_if([kilobyte(7)], has_a_last()).unwrap();
    store.stream("c", "late").publish([kilobyte(7)]).unwrap();
}
