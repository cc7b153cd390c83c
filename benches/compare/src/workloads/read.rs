//! Reads of the filled store, warm: everything, whole streams, categories. Each read is held against what was written.

use super::Extent;
use super::append::expect;
use crate::data::Data;
use crate::engine::{Durability, Engine, Setting};
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::{Measured, Memory, Watch};
use std::path::Path;

/// How many streams are read again and again.
const RESIDENT: usize = 1_000;

fn open(kind: Kind, data: &Data, directory: &Path) -> Result<Box<dyn Engine>> {
    kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data })
}

/// The whole log, again and again.
pub fn log(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let memory = Memory::now();
    let engine = open(kind, data, directory)?;
    let expected = data.log(data.order.len());
    expect("the log", engine.read_log()?, expected)?;
    let watch = Watch::start();
    let mut events = 0;
    loop {
        let found = engine.read_log()?;
        expect("the log", found, expected)?;
        events += found.events;
        if watch.elapsed() > extent.time {
            break;
        }
    }
    let measured = memory.added(watch.rate(events));
    engine.close()?;
    Ok(measured)
}

/// Whole streams, one at random after the other.
pub fn streams(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let memory = Memory::now();
    let engine = open(kind, data, directory)?;
    let expected = data.by_stream();
    // Once through the log brings all of it into the page cache; a few streams first bring in the index.
    expect("the log", engine.read_log()?, data.log(data.order.len()))?;
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..20 {
        engine.read_stream(&data.streams[random.usize(..data.streams.len())])?;
    }
    let watch = Watch::start();
    let mut events = 0;
    loop {
        let stream = random.usize(..data.streams.len());
        let found = engine.read_stream(&data.streams[stream])?;
        expect("a stream", found, expected[stream])?;
        events += found.events;
        if watch.elapsed() > extent.time {
            break;
        }
    }
    let measured = memory.added(watch.rate(events));
    engine.close()?;
    Ok(measured)
}

/// One category after the other.
pub fn category(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let memory = Memory::now();
    let engine = open(kind, data, directory)?;
    let expected = data.by_category();
    expect("a category", engine.read_category(&data.categories[0])?, expected[0])?;
    let watch = Watch::start();
    let mut events = 0;
    for (category, expected) in data.categories.iter().zip(expected).cycle() {
        let found = engine.read_category(category)?;
        expect("a category", found, expected)?;
        events += found.events;
        if watch.elapsed() > extent.time {
            break;
        }
    }
    let measured = memory.added(watch.rate(events));
    engine.close()?;
    Ok(measured)
}

/// The same streams again and again: few enough to stay in memory, whatever the size of the store.
pub fn resident(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let expected = data.by_stream();
    let memory = Memory::now();
    let engine = open(kind, data, directory)?;
    let mut random = fastrand::Rng::with_seed(7);
    let streams: Vec<usize> = (0..RESIDENT).map(|_| random.usize(..data.streams.len())).collect();
    for _ in 0..2 {
        for stream in &streams {
            expect("a stream", engine.read_stream(&data.streams[*stream])?, expected[*stream])?;
        }
    }
    let watch = Watch::start();
    let mut events = 0;
    loop {
        let stream = streams[random.usize(..streams.len())];
        let found = engine.read_stream(&data.streams[stream])?;
        expect("a stream", found, expected[stream])?;
        events += found.events;
        if watch.elapsed() > extent.time {
            break;
        }
    }
    let measured = memory.added(watch.rate(events));
    engine.close()?;
    Ok(measured)
}
