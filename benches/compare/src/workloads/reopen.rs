//! Opening the filled store after it was closed.

use super::append::expect;
use crate::data::Data;
use crate::engine::{Durability, Setting};
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::{Measured, Memory};
use std::path::Path;
use std::time::Instant;

/// Opens the store, then reads one stream, so that it shows when an engine puts off what opening must do.
pub fn reopen(kind: Kind, data: &Data, directory: &Path) -> Result<Measured> {
    let expected = data.by_stream();
    let stream = data.streams.len() / 2;
    let durability = if kind.can_leave_syncs() { Durability::Os } else { Durability::Sync };
    let setting = Setting { directory, durability, threads: 1, data };
    let memory = Memory::now();
    let begun = Instant::now();
    let engine = kind.open(&setting)?;
    let opened = begun.elapsed();
    let found = engine.read_stream(&data.streams[stream])?;
    let read = begun.elapsed();
    expect("a stream", found, expected[stream])?;
    let measured = memory.added(Measured {
        value: opened.as_secs_f64() * 1e3,
        events: data.order.len() as u64,
        seconds: opened.as_secs_f64(),
        first_read_ms: Some(read.as_secs_f64() * 1e3),
        ..Measured::default()
    });
    engine.close()?;
    Ok(measured)
}
