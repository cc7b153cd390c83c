//! Plain writes and syncs of a prepared file, by one thread or by many behind the simple hand-off.

use super::frames::{encode, filled, size};
use crate::data::Data;
use crate::engine::Version;
use crate::error::{Error, Result};
use crate::gather::Gather;
use crate::measure::Measured;
use crate::workloads::{Client, Extent, durable};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of the file; a writer that comes to the end begins again.
pub(super) const FILE: usize = 64 << 20;
/// Bytes of one write that fills it: a sync then writes little more than what was written.
pub(super) const FILL: usize = 64 << 10;

struct Bare<'a> {
    data: &'a Data,
    file: File,
    path: PathBuf,
    /// Where the next write goes.
    at: Mutex<usize>,
    gather: Option<Gather<Vec<u8>, Result<()>>>,
}

impl Bare<'_> {
    fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if *at + bytes.len() > FILE {
            *at = 0;
        }
        self.file.write_all_at(bytes, *at as u64).map_err(Error::io(&self.path))?;
        self.file.sync_data().map_err(Error::io(&self.path))?;
        *at += bytes.len();
        Ok(())
    }
}

impl Client for Bare<'_> {
    fn append(&self, stream: usize, expected: Version, event: u64) -> Result<Version> {
        let mut frame = vec![0; size(self.data)];
        encode(self.data, &self.data.streams[stream], expected.events, event, &mut frame);
        match &self.gather {
            None => self.write(&frame)?,
            Some(gather) => {
                let work = |frames: Vec<Vec<u8>>| {
                    let written = self.write(&frames.concat()).map_err(|error| error.to_string());
                    frames.iter().map(|_| written.clone().map_err(Error::Broken)).collect()
                };
                gather
                    .submit(frame, work)
                    .unwrap_or_else(|| Err(Error::Broken("a write was not answered".to_owned())))?;
            }
        }
        Ok(Version { events: expected.events + 1, last: event + 1 })
    }

    fn syncs(&self) -> Option<u64> {
        self.gather.as_ref().map(Gather::batches)
    }
}

/// Appends one frame a call, each on disk before the call returns.
pub fn append(data: &Data, extent: Extent, threads: usize, directory: &Path) -> Result<Measured> {
    let path = directory.join("frames");
    let file = filled(&path, FILE, FILL)?;
    file.sync_all().map_err(Error::io(&path))?;
    let gather = (threads > 1).then(Gather::new);
    let bare = Bare { data, file, path, at: Mutex::new(0), gather };
    durable(&bare, data, extent, threads, directory)
}
