//! A file of the simulated disk, as one process has it open.

use super::faults::{Duty, act, act_or};
use super::{Content, State};
use crate::disk::{DiskFile, Region};
use crate::vocabulary::error::IoFailure;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// An open file. Its region is a copy that this handle's writes go to as well: the engine opens every file once.
#[derive(Debug)]
pub(super) struct SimulatedFile {
    state: Arc<Mutex<State>>,
    file: usize,
    name: String,
    length: u64,
    region: OnceLock<Arc<Region>>,
}

impl SimulatedFile {
    pub(super) fn new(state: &Arc<Mutex<State>>, file: usize, name: &str, length: u64) -> Self {
        Self { state: Arc::clone(state), file, name: name.to_owned(), length, region: OnceLock::new() }
    }

    fn put(&self, duty: Duty, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        let beyond = offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.length);
        let put = |state: &mut State, bytes: &[u8]| {
            let start = usize::try_from(offset).map_err(|_| Errno::INVAL)?;
            let content = state.files.get_mut(self.file).filter(|_| !beyond).ok_or(Errno::INVAL)?;
            content.write(start, bytes);
            self.region.get().map_or(Ok(()), |region| region.write(offset, bytes).map_err(|_| Errno::FAULT))
        };
        let failed = |state: &mut State| {
            // What fails may have been done in part.
            let part = state.random.usize(..=bytes.len());
            if !beyond {
                let _ = put(state, bytes.get(..part).unwrap_or_default());
            }
            state.note_failed_write(self.file);
        };
        act_or(&self.state, duty, &self.name, |state| put(state, bytes), failed)
    }
}

impl DiskFile for SimulatedFile {
    fn path(&self) -> PathBuf {
        Path::new("simulated").join(&self.name)
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure> {
        act(&self.state, Duty::Read, &self.name, |state| {
            let start = usize::try_from(offset).map_err(|_| Errno::INVAL)?;
            let live = state.files.get(self.file).map(|content| content.live.as_slice()).unwrap_or_default();
            let end = start.checked_add(buffer.len()).ok_or(Errno::INVAL)?;
            buffer.copy_from_slice(live.get(start..end).ok_or(Errno::INVAL)?);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        self.put(Duty::Write, offset, bytes)
    }

    fn store(&self, offset: u64, bytes: &[u8]) -> Result<(), IoFailure> {
        self.put(Duty::Store, offset, bytes)
    }

    fn sync(&self) -> Result<(), IoFailure> {
        let done = |state: &mut State| state.files.get_mut(self.file).map(Content::sync).ok_or(Errno::BADF);
        let failed = |state: &mut State| {
            let State { files, random, .. } = state;
            if let Some(content) = files.get_mut(self.file) {
                content.fail_sync(random);
            }
            state.note_failed_write(self.file);
        };
        act_or(&self.state, Duty::Sync, &self.name, done, failed)
    }

    fn region(&self) -> Result<Arc<Region>, IoFailure> {
        if let Some(region) = self.region.get() {
            return Ok(Arc::clone(region));
        }
        let region = act(&self.state, Duty::Map, &self.name, |state| {
            let content = state.files.get(self.file).ok_or(Errno::BADF)?;
            Ok(Region::in_memory(&content.live))
        })?;
        Ok(Arc::clone(self.region.get_or_init(|| Arc::new(region))))
    }
}
