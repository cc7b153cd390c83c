//! Benchmark of memory: what a process takes that holds a million events, by how many streams they are in.
//!
//! Each figure is of a process of its own: one that appended, and one that opened what that left, and read it.
#![expect(clippy::unwrap_used, reason = "a benchmark ends where something is not as it must be")]

#[path = "support/events.rs"]
mod events;
#[path = "support/fill.rs"]
mod fill;
#[path = "support/stores.rs"]
mod stores;
mod support;

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use stratalog::{Durability, EventStore};

/// Tells a child what to do, with which store, and how many events and streams it has.
const WORK: &str = "STRATALOG_BENCH_MEMORY";

fn main() {
    if let Ok(work) = std::env::var(WORK) {
        return child(&work);
    }
    let events = if support::is_test() { 10_000 } else { 1_000_000 };
    for streams in [events / 1_000, events / 100, events / 5] {
        for place in ["in-memory", "on-disk"] {
            let directory = support::directory();
            spawn(&format!("append {place} {} {events} {streams}", directory.path().display()));
            if place == "on-disk" {
                spawn(&format!("reopen {place} {} {events} {streams}", directory.path().display()));
            }
        }
    }
}

fn spawn(work: &str) {
    let status = Command::new(std::env::current_exe().unwrap()).env(WORK, work).status().unwrap();
    assert!(status.success(), "{work}: {status}");
}

fn child(work: &str) {
    let words: Vec<&str> = work.split(' ').collect();
    let [what, place, path, events, streams] = words[..] else { return };
    let (events, streams): (usize, usize) = (events.parse().unwrap(), streams.parse().unwrap());
    let before = resident();
    let store = match place {
        "in-memory" => EventStore::in_memory(),
        _ => stores::open(Path::new(path), Durability::Os),
    };
    if what == "append" {
        fill::fill(&store, events, streams);
    } else {
        let mut read = 0;
        store
            .log()
            .scan()
            .visit(|event| read += usize::from(black_box(event.payload().bytes().first()).is_some()))
            .unwrap();
        assert_eq!(read, events);
    }
    let (anonymous, dirty) = resident();
    store.close().unwrap();
    let text = format!(
        "memory/{events} events, {streams} streams, {place}, {what}: {:.1} MiB anonymous, {:.1} MiB own and dirty\n",
        anonymous - before.0,
        dirty - before.1
    );
    // Where nobody listens there is nobody to tell.
    let _told = std::io::stdout().write_all(text.as_bytes());
}

/// Mebibytes of this process that are anonymous, and that are its own and dirty; zeros where the system does not say.
fn resident() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1_024.0)
    };
    (of("Anonymous:").unwrap_or_default(), of("Private_Dirty:").unwrap_or_default())
}
