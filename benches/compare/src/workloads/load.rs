//! Filling the store that the reading workloads share, and what it takes on disk.

use super::append::expect;
use super::footprint::Footprint;
use crate::data::Data;
use crate::engine::{Append, Durability, Event, Setting};
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::{Measured, Watch};
use std::path::Path;

/// Appends that are committed together, or in flight together, while a store is filled. Each is one event, to another stream than
/// the one before it, so that streams lie scattered as they do when they grow side by side.
pub const TOGETHER: usize = 1_000;

/// Fills an empty store with all events, and closes it.
///
/// # Errors
/// When the engine fails, or does not hold afterwards what was written.
pub fn loaded(kind: Kind, data: &Data, directory: &Path) -> Result<Measured> {
    let durability = if kind.can_leave_syncs() { Durability::Os } else { Durability::Sync };
    let engine = kind.open(&Setting { directory, durability, threads: TOGETHER, data })?;
    let watch = Watch::start();
    for first in (0..data.order.len()).step_by(TOGETHER) {
        let numbers = first..data.order.len().min(first + TOGETHER);
        let event = |number| [Event { name: &data.event_name, payload: data.payload(number as u64) }];
        let events: Vec<_> = numbers.clone().map(event).collect();
        let append = |(number, events)| Append { stream: data.stream(number), expected: None, events };
        let appends: Vec<_> = numbers.zip(events.iter().map(|one| &one[..])).map(append).collect();
        engine.append_many(&appends)?.into_iter().try_for_each(|one| one.map(drop))?;
    }
    let measured = watch.rate(data.order.len() as u64);
    expect("the filled log", engine.read_log()?, data.log(data.order.len()))?;
    engine.close()?;
    Ok(measured.with_footprint(Footprint::of(directory)?))
}

/// What the filled store takes on disk.
///
/// # Errors
/// When that cannot be read.
pub fn bytes(data: &Data, directory: &Path) -> Result<Measured> {
    let events = data.order.len() as u64;
    let measured = Measured { events, ..Measured::default() }.with_footprint(Footprint::of(directory)?);
    Ok(Measured { value: measured.bytes_an_event.unwrap_or_default(), ..measured })
}
