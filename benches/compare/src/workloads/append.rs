//! Appends that are not synced: one thread, every call under an expected version.

use super::Extent;
use super::footprint::Footprint;
use crate::data::{Data, Tally};
use crate::engine::{Append, Durability, Engine, Event, Setting, Version};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{Measured, Watch};
use std::path::Path;

/// How many calls pass between two looks at the clock.
const CALLS: usize = 64;

/// Appends `batch` events a call to an empty store.
pub fn append(kind: Kind, data: &Data, extent: Extent, batch: usize, directory: &Path) -> Result<Measured> {
    let engine = kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data })?;
    let measured = run(&*engine, data, extent, batch)?;
    expect("the log", engine.read_log()?, data.log(usize::try_from(measured.events).unwrap_or(usize::MAX)))?;
    engine.close()?;
    Ok(measured.with_footprint(Footprint::of(directory)?))
}

fn run(engine: &dyn Engine, data: &Data, extent: Extent, batch: usize) -> Result<Measured> {
    let mut versions = vec![Version::default(); data.streams.len()];
    let mut events = Vec::with_capacity(batch);
    let mut done = 0_u64;
    let watch = Watch::start();
    for call in 0..extent.events / batch {
        if call % CALLS == 0 && watch.elapsed() > extent.time {
            break;
        }
        let stream = data.stream(call);
        events.clear();
        events.extend((done..done + batch as u64).map(|n| Event { name: &data.event_name, payload: data.payload(n) }));
        let expected = Some(versions[stream.number]);
        versions[stream.number] = engine.append(&Append { stream, expected, events: &events })?;
        done += batch as u64;
    }
    Ok(watch.rate(done))
}

/// Holds what was read against what was written.
///
/// # Errors
/// When they differ.
pub fn expect(what: &str, found: Tally, expected: Tally) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Mismatch { what: what.to_owned(), found, expected }) }
}
