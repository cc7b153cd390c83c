//! Filling the store that the reading workloads share, and what it takes on disk.

use super::append::expect;
use crate::data::Data;
use crate::engine::{Append, Durability, Event, Setting};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{Measured, Watch};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Appends that are committed together, or in flight together, while a store is filled. Each is one event, to another stream than
/// the one before it, so that streams lie scattered as they do when they grow side by side.
pub const TOGETHER: usize = 1_000;

/// Bytes of one block as the system counts them.
const BLOCK: u64 = 512;

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
    let mut measured = watch.rate(data.order.len() as u64);
    expect("the filled log", engine.read_log()?, data.log(data.order.len()))?;
    engine.close()?;
    measured.bytes_an_event = Some(allocated(directory)? as f64 / data.order.len().max(1) as f64);
    Ok(measured)
}

/// What the filled store takes on disk.
pub fn bytes(data: &Data, directory: &Path) -> Result<Measured> {
    let events = data.order.len() as u64;
    let value = allocated(directory)? as f64 / events.max(1) as f64;
    Ok(Measured { value, events, bytes_an_event: Some(value), ..Measured::default() })
}

/// Bytes of all blocks that the files below a directory take.
///
/// # Errors
/// When it cannot be read.
pub fn allocated(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory).map_err(Error::io(directory))? {
        let entry = entry.map_err(Error::io(directory))?;
        let path = entry.path();
        let metadata = std::fs::symlink_metadata(&path).map_err(Error::io(&path))?;
        bytes += if metadata.is_dir() { allocated(&path)? } else { metadata.blocks() * BLOCK };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_not_counted_and_folders_are_gone_through() {
        let directory = tempfile::tempdir().unwrap();
        let sparse = std::fs::File::create(directory.path().join("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        std::fs::create_dir(directory.path().join("folder")).unwrap();
        std::fs::write(directory.path().join("folder/full"), vec![1; 100_000]).unwrap();
        let bytes = allocated(directory.path()).unwrap();
        assert!((100_000..1_000_000).contains(&bytes), "{bytes}");
    }
}
