//! Appends onto a store too big to be read through after each round: known streams go on, or new ones begin.

use super::Extent;
use super::append::expect;
use crate::data::{Data, Stream, Tally};
use crate::engine::{Append, Durability, Engine, Event, Setting, Version};
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::{Measured, Memory, Watch};
use std::collections::BTreeSet;
use std::path::Path;

/// Events of one round at most; else a fifth of what is there.
const MOST: usize = 1_000_000;
/// Streams that are read back afterwards.
const SAMPLE: usize = 200;

fn open(kind: Kind, data: &Data, directory: &Path) -> Result<Box<dyn Engine>> {
    kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data })
}

/// How many events a round appends.
fn count(extent: Extent) -> usize {
    (extent.events / 5).clamp(1, MOST)
}

fn append(engine: &dyn Engine, data: &Data, stream: &Stream, expected: Version, event: usize) -> Result<Version> {
    let events = [Event { name: &data.event_name, payload: data.payload(event as u64) }];
    engine.append(&Append { stream, expected: Some(expected), events: &events })
}

/// The first event of a new stream a call. Rounds before have begun streams of their own.
pub fn new_streams(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let count = count(extent);
    let streams = data.more_streams((extent.round - 1) * count, count);
    let memory = Memory::now();
    let engine = open(kind, data, directory)?;
    let watch = Watch::start();
    for (event, stream) in streams.iter().enumerate() {
        append(&*engine, data, stream, Version::default(), event)?;
    }
    let measured = memory.added(watch.rate(count as u64));
    for (event, stream) in streams.iter().enumerate().step_by(count.div_ceil(SAMPLE)) {
        let mut expected = Tally::default();
        expected.add(data.payload(event as u64));
        expect("a new stream", engine.read_stream(stream)?, expected)?;
    }
    let measured = Measured { lookups_a_miss: engine.lookups_a_miss(), ..measured };
    engine.close()?;
    Ok(measured)
}

/// One more event of a known stream a call. Rounds before have appended theirs.
pub fn known_streams(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let count = count(extent);
    let number = |call: usize| data.order[call % data.order.len()] as usize;
    let (before, calls) = ((extent.round - 1) * count, extent.round * count);
    let mut tallies = data.by_stream();
    let mut versions: Vec<Version> = tallies.iter().map(|tally| Version { events: tally.events, last: 0 }).collect();
    (0..before).for_each(|call| versions[number(call)].events += 1);
    let memory = Memory::now();
    let engine = open(kind, data, directory)?;
    let watch = Watch::start();
    for call in before..calls {
        let stream = number(call);
        versions[stream] = append(&*engine, data, &data.streams[stream], versions[stream], data.order.len() + call)?;
    }
    let measured = memory.added(watch.rate(count as u64));
    let sample: BTreeSet<usize> = (before..calls).step_by(count.div_ceil(SAMPLE)).map(number).collect();
    for call in (0..calls).filter(|call| sample.contains(&number(*call))) {
        tallies[number(call)].add(data.payload((data.order.len() + call) as u64));
    }
    for stream in sample {
        expect("a stream", engine.read_stream(&data.streams[stream])?, tallies[stream])?;
    }
    engine.close()?;
    Ok(measured)
}
