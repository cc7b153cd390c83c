//! Memory of a process that opens a store, reads, and holds nothing else.

use super::append::expect;
use super::child::{Reading, Work, send};
use crate::data::Data;
use crate::engine::{Durability, Setting};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{Measured, write_json};
use std::path::Path;
use std::time::Instant;

/// Streams that are read.
const SAMPLE: usize = 1_000;

/// Mebibytes of this process that are anonymous, and that are its own and dirty.
fn resident() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1_024.0)
    };
    Some((of("Anonymous:")?, of("Private_Dirty:")?))
}

/// In the child: opens, reads, and says what that took. The process as a whole counts, the little that it is without a store
/// included.
pub fn read(kind: Kind, readings: &[Reading], directory: &Path, answer: &Path) -> Result<()> {
    let data = Data::new(0, 1, 1, 8);
    let begun = Instant::now();
    let engine = kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data: &data })?;
    let opened = begun.elapsed();
    let mut first_read_ms = None;
    for Reading { category, stream, expected } in readings {
        let category = category.as_deref().map(std::sync::Arc::from);
        let found = match (category, stream) {
            (Some(category), Some(name)) => {
                let stream = crate::data::Stream { number: 0, category, name: name.as_str().into() };
                engine.read_stream(&stream)?
            }
            (Some(category), None) => engine.read_category(&category)?,
            (None, _) => engine.read_log()?,
        };
        first_read_ms.get_or_insert_with(|| begun.elapsed().as_secs_f64() * 1e3);
        expect("what was asked for", found, *expected)?;
    }
    let resident_mib = resident();
    let (anonymous, dirty) =
        resident_mib.ok_or(Error::NotComparable("the system does not say how much memory a process has"))?;
    let measured = Measured {
        value: anonymous.max(dirty),
        events: readings.last().map_or(0, |reading| reading.expected.events),
        seconds: opened.as_secs_f64(),
        resident_mib,
        first_read_ms,
        ..Measured::default()
    };
    write_json(answer, &measured)?;
    engine.close()
}

/// Streams all over the store, one category, and the whole log, in a child.
pub fn memory(kind: Kind, data: &Data, directory: &Path) -> Result<Measured> {
    let tallies = data.by_stream();
    let places = (0..data.streams.len()).step_by(data.streams.len().div_ceil(SAMPLE));
    let mut readings: Vec<Reading> = places
        .map(|place| Reading {
            category: Some(data.streams[place].category.to_string()),
            stream: Some(data.streams[place].name.to_string()),
            expected: tallies[place],
        })
        .collect();
    let category = data.categories[0].to_string();
    readings.push(Reading { category: Some(category), stream: None, expected: data.by_category()[0] });
    readings.push(Reading { category: None, stream: None, expected: data.log(data.order.len()) });
    let (status, measured) = send(kind, directory, Work::Read(readings))?;
    if status.success() { Ok(measured) } else { Err(Error::Broken(format!("the child failed: {status}"))) }
}
