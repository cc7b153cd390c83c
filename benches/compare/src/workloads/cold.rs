//! Reads of streams that are on disk alone, unless opening the store has read them.

use super::Extent;
use super::append::expect;
use crate::data::Data;
use crate::engine::{Durability, Setting};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{Measured, Watch};
use rustix::fs::{Advice, fadvise, fdatasync, major, minor, stat};
use std::fs::File;
use std::path::Path;

/// Puts all files below a directory out of the page cache.
pub fn forget(directory: &Path) -> Result<()> {
    for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
        let path = entry.map_err(Error::io(directory))?.path();
        if path.is_dir() {
            forget(&path)?;
            continue;
        }
        let file = File::open(&path).map_err(Error::io(&path))?;
        // What is not on disk yet would stay.
        fdatasync(&file).map_err(|error| Error::io(&path)(error.into()))?;
        fadvise(&file, 0, None, Advice::DontNeed).map_err(|error| Error::io(&path)(error.into()))?;
    }
    Ok(())
}

/// Reads of the disk so far, by all who use it.
fn reads(directory: &Path) -> Option<u64> {
    let device = stat(directory).ok()?.st_dev;
    let figures = std::fs::read_to_string(format!("/sys/dev/block/{}:{}/stat", major(device), minor(device))).ok()?;
    figures.split_whitespace().next()?.parse().ok()
}

/// Bytes that this process had read from disk so far.
fn bytes_read() -> Option<u64> {
    let figures = std::fs::read_to_string("/proc/self/io").ok()?;
    figures.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.trim().parse().ok()
}

/// Whole streams at random, none twice.
pub fn streams(kind: Kind, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let expected = data.by_stream();
    let mut turn: Vec<usize> = (0..data.streams.len()).collect();
    fastrand::Rng::with_seed(extent.round as u64).shuffle(&mut turn);
    forget(directory)?;
    let engine = kind.open(&Setting { directory, durability: Durability::Os, threads: 1, data })?;
    let (reads_before, bytes_before) = (reads(directory), bytes_read());
    let watch = Watch::start();
    let mut events = 0;
    for stream in turn {
        let found = engine.read_stream(&data.streams[stream])?;
        expect("a stream", found, expected[stream])?;
        events += found.events;
        if watch.elapsed() > extent.time {
            break;
        }
    }
    let mut measured = watch.rate(events);
    let since = |before: Option<u64>, now: Option<u64>| Some(now?.saturating_sub(before?)).filter(|count| *count > 0);
    measured.events_a_read = since(reads_before, reads(directory)).map(|reads| events as f64 / reads as f64);
    measured.kib_an_event =
        since(bytes_before, bytes_read()).map(|bytes| bytes as f64 / 1_024.0 / events.max(1) as f64);
    engine.close()?;
    Ok(measured)
}
