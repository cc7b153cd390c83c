//! Appends whose durability is not waited for: each returns at once, and at the end all of them are on disk.

use super::Extent;
use super::append::expect;
use super::load::TOGETHER;
use crate::data::Data;
use crate::engine::{Append, Call, Durability, Engine, Event, Setting, Version};
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::{Measured, Watch};
use std::path::Path;

/// Calls between two looks at the clock.
const CALLS: u64 = 64;

/// Appends one event a call. Stratalog defers; the others have no such append, and keep as many as they can take in flight, or in
/// one commit.
pub fn append(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let engine = kind.open(&Setting { directory, durability: Durability::Sync, threads: TOGETHER, data })?;
    let watch = Watch::start();
    let done = if kind.is_stratalog() {
        deferred(&*engine, data, extent, &watch)?
    } else {
        together(&*engine, data, extent, &watch)?
    };
    let measured = watch.rate(done);
    expect("the log", engine.read_log()?, data.log(usize::try_from(done).unwrap_or(usize::MAX)))?;
    engine.close()?;
    Ok(measured)
}

fn deferred(engine: &dyn Engine, data: &Data, extent: Extent, watch: &Watch) -> Result<u64> {
    let mut events = vec![0; data.streams.len()];
    let mut done = 0;
    let next = || {
        if done == extent.events as u64 || done % CALLS == 0 && watch.elapsed() > extent.time {
            return None;
        }
        let stream = data.order[usize::try_from(done).unwrap_or_default()] as usize;
        let call = Call { stream, expected: events[stream], event: done };
        (events[stream], done) = (events[stream] + 1, done + 1);
        Some(call)
    };
    engine.append_deferred(data, &mut std::iter::from_fn(next))?;
    Ok(done)
}

fn together(engine: &dyn Engine, data: &Data, extent: Extent, watch: &Watch) -> Result<u64> {
    let mut versions = vec![Version::default(); data.streams.len()];
    let mut batch_of = vec![0; data.streams.len()];
    let (mut done, mut batch) = (0, 0);
    while done < extent.events && watch.elapsed() < extent.time {
        batch += 1;
        // A stream that is in flight has no version yet that the next append could expect.
        let is_free = |number: &usize| std::mem::replace(&mut batch_of[data.stream(*number).number], batch) != batch;
        let numbers = (done..extent.events.min(done + TOGETHER)).take_while(is_free);
        let event = |number| (number, [Event { name: &data.event_name, payload: data.payload(number as u64) }]);
        let events: Vec<_> = numbers.map(event).collect();
        let streams: Vec<usize> = events.iter().map(|(number, _)| data.stream(*number).number).collect();
        let appends: Vec<Append<'_>> = events
            .iter()
            .zip(&streams)
            .map(|((_, events), stream)| Append {
                stream: &data.streams[*stream],
                expected: Some(versions[*stream]),
                events,
            })
            .collect();
        for (stream, version) in streams.iter().zip(engine.append_many(&appends)?) {
            versions[*stream] = version?;
        }
        done += events.len();
    }
    Ok(done as u64)
}
