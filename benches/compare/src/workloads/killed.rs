//! Opening what a killed process left, its active segment filled so far.

use super::append::expect;
use super::child::{Shape, Work, send};
use super::footprint::share_used;
use super::load::TOGETHER;
use crate::data::Data;
use crate::engine::{Append, Durability, Engine, Event, Setting};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{Measured, Memory, write_json};
use rustix::process::{Signal, getpid, kill_process};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Instant;

/// Events that engines without segments append before they are killed.
const EVENTS: usize = 10_000;
/// Bytes of one event in a segment, guessed rather too high.
const GUESS: f64 = 150.0;
/// Streams that are read afterwards.
const SAMPLE: usize = 200;

/// What an engine's appends are worth when it is killed: that they survive it.
fn durability(kind: Kind) -> Durability {
    if kind.can_leave_syncs() && kind != Kind::Redb { Durability::Os } else { Durability::Sync }
}

/// In the child: appends, says how many events, and dies.
pub fn die(kind: Kind, data: &Data, percent: u32, directory: &Path, answer: &Path) -> Result<()> {
    let engine = kind.open(&Setting { directory, durability: durability(kind), threads: TOGETHER, data })?;
    let mut done = 0;
    if kind.is_stratalog() {
        let target = f64::from(percent) / 100.0;
        // Half of the way at a time, so that it comes close and does not pass.
        loop {
            let (used, bytes) = share_used(directory, "segment")?;
            let left = if used > target + 0.01 { 1.0 - used + target } else { target - used };
            if left <= 0.0 {
                break;
            }
            let events = left * bytes as f64 / (data.payload_bytes() as f64 + GUESS) / 2.0;
            done = append(&*engine, data, done, (events as usize).max(1))?;
        }
    } else {
        done = append(&*engine, data, done, EVENTS)?;
    }
    write_json(answer, &done)?;
    kill_process(getpid(), Signal::KILL).map_err(|error| Error::Broken(format!("cannot die: {error}")))
}

/// Appends so many events more, each to the next stream's turn. Returns how many were appended in all.
fn append(engine: &dyn Engine, data: &Data, done: usize, events: usize) -> Result<usize> {
    for first in (done..done + events).step_by(TOGETHER) {
        let numbers = first..(done + events).min(first + TOGETHER);
        let event = |call| [Event { name: &data.event_name, payload: data.payload((data.order.len() + call) as u64) }];
        let events: Vec<_> = numbers.clone().map(event).collect();
        let stream = |call: usize| data.stream(call % data.order.len());
        let appends: Vec<_> = numbers
            .zip(&events)
            .map(|(call, events)| Append { stream: stream(call), expected: None, events })
            .collect();
        engine.append_many(&appends)?.into_iter().try_for_each(|one| one.map(drop))?;
    }
    Ok(done + events)
}

/// How long one page of a file that is there takes to disk: the middle of five times, in milliseconds.
fn sync_ms(directory: &Path) -> Result<f64> {
    let path = directory.with_extension("sync");
    let file = File::create(&path).map_err(Error::io(&path))?;
    let write = |at: u64, page: u8| {
        file.write_all_at(&[page; 4_096], at * 4_096).and_then(|()| file.sync_data()).map_err(Error::io(&path))
    };
    (0..5).try_for_each(|at| write(at, 1))?;
    let mut times = Vec::new();
    for at in 0..5 {
        let begun = Instant::now();
        write(at, 2)?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    std::fs::remove_file(&path).map_err(Error::io(&path))?;
    Ok(times[2])
}

/// Lets a child fill the store and die, then opens it. What the child wrote last is in the page cache, as it is after a kill.
pub fn reopen(kind: Kind, data: &Data, percent: u32, directory: &Path) -> Result<Measured> {
    let sync_ms = sync_ms(directory)?;
    let work = Work::Die { shape: Shape::of(data), percent };
    let (status, appended): (_, usize) = send(kind, directory, work)?;
    if status.signal() != Some(Signal::KILL.as_raw()) {
        return Err(Error::Broken(format!("the child was not killed: {status}")));
    }
    let mut expected = data.by_stream();
    for call in 0..appended {
        let stream = data.order[call % data.order.len()] as usize;
        expected[stream].add(data.payload((data.order.len() + call) as u64));
    }
    let memory = Memory::now();
    let setting = Setting { directory, durability: durability(kind), threads: 1, data };
    let begun = Instant::now();
    let engine = kind.open(&setting)?;
    let opened = begun.elapsed();
    // The last events that were acknowledged are in the sample.
    let last = (0..appended).rev().map(|call| data.order[call % data.order.len()] as usize).take(SAMPLE / 2);
    let others = (0..data.streams.len()).step_by(data.streams.len().div_ceil(SAMPLE / 2));
    let mut first_read_ms = None;
    for stream in last.chain(others) {
        let found = engine.read_stream(&data.streams[stream])?;
        first_read_ms.get_or_insert_with(|| begun.elapsed().as_secs_f64() * 1e3);
        expect("a stream", found, expected[stream])?;
    }
    let measured = memory.added(Measured {
        value: opened.as_secs_f64() * 1e3,
        events: (data.order.len() + appended) as u64,
        seconds: opened.as_secs_f64(),
        first_read_ms,
        sync_ms: Some(sync_ms),
        ..Measured::default()
    });
    engine.close()?;
    Ok(measured)
}
