//! Reads beside a writer that is frozen inside its seat: all of them finish, and none waits for anything.
//!
//!     cargo run --release --example frozen_reader [READS]
//!
//! `scripts/frozen-reader` runs it under strace and checks that no reader made a call that waits or wakes (futex). For it, each
//! reader writes a line to `/dev/null` before and after its reads: a call that strace shows, and that takes no lock.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Instant;
use stratalog::{Condition, Error, EventStore, NewEvent, Position, ReadError, SequenceNumber, transaction};

const READERS: u64 = 4;
const STREAMS: u64 = 100;
/// Enough to fill more than the first segment.
const ROUNDS: u64 = 200;

type Anything = Box<dyn std::error::Error + Send + Sync>;

/// One read, of a kind that goes by the number. Says how many events it saw.
fn read(store: &EventStore, number: u64) -> Result<u64, ReadError> {
    let name = || format!("s-{}", number / 7 % STREAMS);
    let place = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let mut seen = 0;
    match number % 7 {
        0 => seen += u64::from(store.stream("frozen-reader", name()).latest()?.is_some()),
        1 => seen += u64::from(store.log().latest()?.is_some()),
        2 => {
            let from = SequenceNumber::new(place % (STREAMS * ROUNDS));
            store.log().scan().from(from).limit(3).visit(|event| seen += u64::from(!event.name().is_empty()))?;
        }
        3 => {
            let from = Position::new(place % ROUNDS);
            let scan = store.stream("frozen-reader", name()).scan().from_position(from).limit(2);
            seen += scan.read()?.len() as u64;
        }
        4 => seen += store.category("frozen-reader").scan().reverse().limit(2).read()?.len() as u64,
        5 => seen += u64::from(store.revision()?.get() == STREAMS * ROUNDS),
        // The lists cost more: seldom.
        _ if number % 700 == 6 => seen += store.category("frozen-reader").streams()?.len() as u64,
        _ => seen += u64::from(store.stream("frozen-reader", "no such stream").latest()?.is_none()),
    }
    Ok(seen)
}

/// Tells strace something, by a call that is a system call and nothing else.
fn mark(mut to: &File, what: &str, reader: u64) -> io::Result<()> {
    to.write_all(format!("reader {reader} {what}").as_bytes())
}

fn read_many(store: &EventStore, reader: u64, reads: u64) -> Result<u64, Anything> {
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    let mut seen = 0;
    mark(&null, "begins", reader)?;
    for number in 0..reads {
        let found = read(store, number * READERS + reader)?;
        if found == 0 {
            return Err(format!("read {number} of reader {reader} found nothing").into());
        }
        seen += found;
    }
    mark(&null, "ends", reader)?;
    Ok(seen)
}

fn fill(store: &EventStore) -> Result<(), Error> {
    for number in 0..ROUNDS {
        let mut whole = transaction();
        for stream in 0..STREAMS {
            whole = whole.stream("frozen-reader", format!("s-{stream}"), [NewEvent::new("counted", &number)?]);
        }
        store.append(whole)?;
    }
    Ok(())
}

fn main() -> Result<(), Anything> {
    let reads: u64 = std::env::args().nth(1).map_or(Ok(200_000), |reads| reads.parse())?;
    let directory = tempfile::tempdir()?;
    let store = EventStore::open(directory.path().join("store"))?;
    fill(&store)?;

    let (entered, is_in) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let inside = Mutex::new((entered, wait));
    let frozen = Condition::custom("frozen", move |_| {
        inside.lock().is_ok_and(|inside| {
            let _ = inside.0.send(());
            // Returns when the other end is dropped.
            let _ = inside.1.recv();
            true
        })
    });
    thread::scope(|scope| -> Result<(), Anything> {
        // Dropped on every way out of here, so that the writer never stays frozen.
        let release = release;
        let writer = scope.spawn(|| store.stream("frozen", "s").publish_if([NewEvent::empty("late")], frozen));
        is_in.recv()?;
        let begun = Instant::now();
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let store = &store;
                scope.spawn(move || read_many(store, reader, reads.div_ceil(READERS)))
            })
            .collect();
        let mut seen = 0;
        for reader in readers {
            seen += reader.join().map_err(|_| "a reader panicked")??;
        }
        let took = begun.elapsed();
        if store.revision()?.get() != STREAMS * ROUNDS || writer.is_finished() {
            return Err("the writer was not frozen all the time".into());
        }
        let done = reads.div_ceil(READERS) * READERS;
        let each = took.as_secs_f64() * 1e9 / done as f64;
        println!(
            "{done} reads by {READERS} threads beside a frozen writer: {seen} events in {took:.1?}, {each:.0} ns a read"
        );
        drop(release);
        let receipt = writer.join().map_err(|_| "the writer panicked")??;
        println!("then the writer went on: revision {}", receipt.revision());
        Ok(())
    })
}
