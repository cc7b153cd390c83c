//! Appends that are not synced: one thread, every call under an expected version.

use super::Extent;
use super::footprint::Footprint;
use crate::data::{Data, Tally};
use crate::engine::{Append, Durability, Engine, Event, Setting, Version};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{Measured, Memory, Watch};
use std::path::Path;

/// How many calls pass between two looks at the clock.
const CALLS: usize = 64;

/// Appends `batch` events a call to an empty store.
pub fn append(kind: Kind, data: &Data, extent: Extent, batch: usize, directory: &Path) -> Result<Measured> {
    let versions = vec![Version::default(); data.streams.len()];
    measure(kind, data, extent, directory, Onto { batch, versions, first: 0 })
}

/// Appends one event a call to a copy of the filled store.
pub fn append_more(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    // Engines that need to know where a stream's last event stands are not measured here.
    let versions = data.by_stream().iter().map(|tally| Version { events: tally.events, last: 0 }).collect();
    measure(kind, data, extent, directory, Onto { batch: 1, versions, first: data.order.len() as u64 })
}

/// Appends one event a call until all are in, and goes on counting until the store is closed: whatever was put off is done then.
pub fn sustained(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let setting = Setting { directory, durability: Durability::Os, threads: 1, data };
    let engine = kind.open(&setting)?;
    let mut onto = Onto { batch: 1, versions: vec![Version::default(); data.streams.len()], first: 0 };
    let watch = Watch::start();
    run(&*engine, data, extent.endless(), &mut onto)?;
    engine.close()?;
    let measured = watch.rate(extent.events as u64);
    let engine = kind.open(&setting)?;
    expect("the log", engine.read_log()?, data.log(extent.events))?;
    engine.close()?;
    Ok(measured.with_footprint(Footprint::of(directory)?))
}

/// What is appended to.
struct Onto {
    /// How many events a call appends.
    batch: usize,
    /// How far the streams are.
    versions: Vec<Version>,
    /// How many events there are.
    first: u64,
}

fn measure(kind: Kind, data: &Data, extent: Extent, directory: &Path, mut onto: Onto) -> Result<Measured> {
    let memory = Memory::now();
    let engine = kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data })?;
    let measured = run(&*engine, data, extent, &mut onto)?;
    let mut measured = memory.added(measured);
    let all = onto.first + measured.events;
    expect("the log", engine.read_log()?, data.log(usize::try_from(all).unwrap_or(usize::MAX)))?;
    engine.close()?;
    if onto.first == 0 {
        measured = measured.with_footprint(Footprint::of(directory)?);
    }
    Ok(measured)
}

fn run(engine: &dyn Engine, data: &Data, extent: Extent, onto: &mut Onto) -> Result<Measured> {
    let Onto { batch, versions, first } = onto;
    let mut events = Vec::with_capacity(*batch);
    let mut done = *first;
    let watch = Watch::start();
    for call in 0..extent.events / *batch {
        if call % CALLS == 0 && watch.elapsed() > extent.time {
            break;
        }
        let stream = data.stream(call);
        let next = done + *batch as u64;
        events.clear();
        events.extend((done..next).map(|number| Event { name: &data.event_name, payload: data.payload(number) }));
        let expected = Some(versions[stream.number]);
        versions[stream.number] = engine.append(&Append { stream, expected, events: &events })?;
        done = next;
    }
    Ok(watch.rate(done - *first))
}

/// Holds what was read against what was written.
///
/// # Errors
/// When they differ.
pub fn expect(what: &str, found: Tally, expected: Tally) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Mismatch { what: what.to_owned(), found, expected }) }
}
